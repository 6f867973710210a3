//! `GET /requests`

use axum::Json;
use axum::extract::State;

use super::query::RequestQuery;
use super::{RequestView, RequestsView, query};
use crate::admin::AdminState;
use crate::admin::caller::Caller;
use crate::admin::check::Check;
use crate::admin::openapi::schemas;
use crate::admin::page::{PageView, Parameters};
use crate::admin::problem::Problem;
use crate::domain::Permission;

/// Single exports, newest first: every one that was refused or whose client left, and a sample of those accepted. Those of which nobody
/// proved whose they are, are shown to the installation's admins only.
#[utoipa::path(
    get, path = "/requests", tag = "requests", operation_id = "list_requests",
    security(("bearer" = ["usage.view"])),
    params(RequestQuery, schemas::PageQuery),
    responses((status = 200, body = RequestsView), (status = 404, description = "project_not_found")),
)]
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
    mut parameters: Parameters,
) -> Result<Json<RequestsView>, Problem> {
    caller.require(Permission::UsageView)?;
    let mut check = Check::default();
    let filter = query::take(&mut check, &mut parameters);
    let paging = parameters.paging(&mut check);
    parameters.finish(&mut check, &[&query::NAMES[..], &["limit", "cursor"]].concat());
    let (mut filter, paging) = check.finish(Some((filter, paging)))?;
    query::narrow(&state, &caller, &mut filter).await?;
    let page = state.catalog.requests(&filter, &paging).await?;
    let not_logged = state.catalog.not_logged(filter.project.as_ref(), filter.from, filter.to).await?;
    let PageView { data, next_cursor, has_more } = PageView::new(page, RequestView::from);
    Ok(Json(RequestsView { data, next_cursor, has_more, not_logged }))
}
