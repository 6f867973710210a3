//! `GET /audit-events/head`

use axum::Json;
use axum::extract::State;

use super::HeadView;
use crate::admin::AdminState;
use crate::admin::caller::Caller;
use crate::admin::problem::Problem;
use crate::domain::Permission;

/// The end of the chain, to be noted elsewhere. Only keys of the whole installation may.
#[utoipa::path(
    get, path = "/audit-events/head", tag = "audit", operation_id = "show_audit_head",
    security(("bearer" = ["audit.view"])),
    responses((status = 200, body = HeadView), (status = 403, description = "installation_only")),
)]
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
) -> Result<Json<HeadView>, Problem> {
    caller.require(Permission::AuditView)?;
    caller.require_installation()?;
    Ok(Json(state.catalog.audit_head().await?.into()))
}
