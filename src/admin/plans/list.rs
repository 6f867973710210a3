//! `GET /plans`

use axum::Json;
use axum::extract::State;

use super::PlanView;
use crate::admin::AdminState;
use crate::admin::caller::Caller;
use crate::admin::check::Check;
use crate::admin::openapi::schemas::PageQuery;
use crate::admin::page::{PageView, Parameters};
use crate::admin::problem::Problem;
use crate::domain::Permission;

/// The plans, by slug.
#[utoipa::path(
    get, path = "/plans", tag = "plans", operation_id = "list_plans",
    security(("bearer" = ["quota.view"])),
    params(PageQuery),
    responses((status = 200, body = PageView<PlanView>)),
)]
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
    mut parameters: Parameters,
) -> Result<Json<PageView<PlanView>>, Problem> {
    caller.require(Permission::QuotaView)?;
    let mut check = Check::default();
    let paging = parameters.paging(&mut check);
    parameters.finish(&mut check, &["limit", "cursor"]);
    let paging = check.finish(Some(paging))?;
    let page = state.catalog.plans(&paging).await?;
    Ok(Json(PageView::new(page, PlanView::from)))
}
