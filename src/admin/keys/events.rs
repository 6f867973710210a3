//! `GET /keys/{id}/events`

use axum::Json;
use axum::extract::State;

use super::visible;
use crate::admin::AdminState;
use crate::admin::audit::AuditView;
use crate::admin::body::KeyPath;
use crate::admin::caller::Caller;
use crate::admin::check::Check;
use crate::admin::openapi::schemas;
use crate::admin::page::{PageView, Parameters};
use crate::admin::problem::Problem;
use crate::catalog::AuditFilter;
use crate::domain::Permission;
use crate::domain::audit::TargetKind;

/// What was done to a key, newest first.
#[utoipa::path(
    get, path = "/keys/{id}/events", tag = "keys", operation_id = "list_key_events",
    security(("bearer" = ["audit.view"])),
    params(("id" = schemas::KeyId, Path), schemas::PageQuery),
    responses((status = 200, body = PageView<AuditView>), (status = 404, description = "key_not_found")),
)]
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
    KeyPath(id): KeyPath,
    mut parameters: Parameters,
) -> Result<Json<PageView<AuditView>>, Problem> {
    caller.require(Permission::AuditView)?;
    let mut check = Check::default();
    let paging = parameters.paging(&mut check);
    parameters.finish(&mut check, &["limit", "cursor"]);
    let paging = check.finish(Some(paging))?;
    let key = visible(&state, &caller, &id).await?;
    let filter = AuditFilter { target: Some((TargetKind::Key, key.id.to_string())), ..AuditFilter::default() };
    let page = state.catalog.audit_entries(&filter, &paging).await?;
    Ok(Json(PageView::new(page, AuditView::from)))
}
