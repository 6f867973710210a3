//! `POST /keys/{id}/revoke`

use axum::Json;
use axum::extract::State;

use super::{KeyView, change};
use crate::admin::AdminState;
use crate::admin::body::KeyPath;
use crate::admin::caller::Caller;
use crate::admin::openapi::schemas;
use crate::admin::problem::Problem;
use crate::domain::{KeyChange, Permission};

/// Refuses a key for ever.
#[utoipa::path(
    post, path = "/keys/{id}/revoke", tag = "keys", operation_id = "revoke_key",
    security(("bearer" = ["api.key.delete"])),
    params(("id" = schemas::KeyId, Path)),
    responses(
        (status = 200, body = KeyView),
        (status = 404, description = "key_not_found"),
    ),
)]
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
    KeyPath(id): KeyPath,
) -> Result<Json<KeyView>, Problem> {
    change(state, caller, id, KeyChange::Revoke, Permission::KeyDelete).await
}
