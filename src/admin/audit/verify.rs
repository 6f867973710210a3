//! `GET /audit-events/verify`

use axum::Json;
use axum::extract::State;

use super::VerifiedView;
use crate::admin::AdminState;
use crate::admin::caller::Caller;
use crate::admin::check::Check;
use crate::admin::openapi::schemas;
use crate::admin::page::{Parameters, parameter};
use crate::admin::problem::Problem;
use crate::domain::Permission;

/// Verifies the whole chain, and that it still holds an end which was noted earlier. Only keys of the whole installation may.
#[utoipa::path(
    get, path = "/audit-events/verify", tag = "audit", operation_id = "verify_audit_events",
    security(("bearer" = ["audit.view"])),
    params(schemas::VerifyQuery),
    responses((status = 200, body = VerifiedView), (status = 403, description = "installation_only")),
)]
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
    mut parameters: Parameters,
) -> Result<Json<VerifiedView>, Problem> {
    caller.require(Permission::AuditView)?;
    caller.require_installation()?;
    let mut check = Check::default();
    let noted = parameters.take("expect").and_then(|text| {
        let head = text.parse();
        if head.is_err() {
            let fix = "the number of an entry, a colon and its hash: 64 hexadecimal digits";
            check.refuse(parameter("expect"), "it is no end of the chain", fix);
        }
        head.ok()
    });
    parameters.finish(&mut check, &["expect"]);
    let noted = check.finish(Some(noted))?;
    Ok(Json(state.catalog.verify_audit(noted).await?.into()))
}
