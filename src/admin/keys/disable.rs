//! `POST /keys/{id}/disable`

use axum::extract::State;

use super::{Answer, KeyView, change};
use crate::admin::AdminState;
use crate::admin::body::{KeyPath, Optional};
use crate::admin::caller::Caller;
use crate::admin::openapi::schemas;
use crate::admin::precondition::IfMatch;
use crate::admin::problem::Problem;
use crate::admin::senders::in_use::Forced;
use crate::domain::{KeyChange, Permission};

/// Refuses a key until it is enabled.
#[utoipa::path(
    post, path = "/keys/{id}/disable", tag = "keys", operation_id = "disable_key",
    security(("bearer" = ["api.key.update"])),
    params(("id" = schemas::KeyId, Path), schemas::IfMatch),
    request_body = Option<Forced>,
    responses(
        (status = 200, body = KeyView, headers(("etag"))),
        (status = 403, description = "grant_refused"),
        (status = 404, description = "key_not_found"),
        (status = 409, description = "key_revoked, key_in_use"),
        (status = 412, description = "version_conflict"),
    ),
)]
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
    KeyPath(id): KeyPath,
    if_match: IfMatch,
    Optional(forced, check): Optional<Forced>,
) -> Result<Answer<KeyView>, Problem> {
    change(state, caller, id, if_match, check.finish(Some(forced))?, KeyChange::Disable, Permission::KeyUpdate).await
}
