//! `POST /keys/{id}/enable`

use axum::Json;
use axum::extract::State;

use super::{KeyView, change};
use crate::admin::AdminState;
use crate::admin::body::KeyPath;
use crate::admin::caller::Caller;
use crate::admin::openapi::schemas;
use crate::admin::problem::Problem;
use crate::domain::{KeyChange, Permission};

/// Undoes a disable.
#[utoipa::path(
    post, path = "/keys/{id}/enable", tag = "keys", operation_id = "enable_key",
    security(("bearer" = ["api.key.update"])),
    params(("id" = schemas::KeyId, Path)),
    responses(
        (status = 200, body = KeyView),
        (status = 404, description = "key_not_found"),
        (status = 409, description = "key_revoked, key_expired"),
    ),
)]
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
    KeyPath(id): KeyPath,
) -> Result<Json<KeyView>, Problem> {
    change(state, caller, id, KeyChange::Enable, Permission::KeyUpdate).await
}
