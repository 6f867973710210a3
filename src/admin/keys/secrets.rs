//! `GET /keys/{id}/secrets`

use axum::Json;
use axum::extract::State;

use super::{SecretsView, visible};
use crate::admin::AdminState;
use crate::admin::body::KeyPath;
use crate::admin::caller::Caller;
use crate::admin::openapi::schemas;
use crate::admin::problem::Problem;
use crate::domain::Permission;

/// The secrets of a key, newest first: nothing of them but what is safe to log.
#[utoipa::path(
    get, path = "/keys/{id}/secrets", tag = "keys", operation_id = "list_secrets",
    security(("bearer" = ["api.key.view"])),
    params(("id" = schemas::KeyId, Path)),
    responses((status = 200, body = SecretsView), (status = 404, description = "key_not_found")),
)]
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
    KeyPath(id): KeyPath,
) -> Result<Json<SecretsView>, Problem> {
    caller.require(Permission::KeyView)?;
    let key = visible(&state, &caller, &id).await?;
    Ok(Json(SecretsView::new(&key, caller.actor.at)))
}
