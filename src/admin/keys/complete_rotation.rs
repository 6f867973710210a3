//! `POST /keys/{id}/rotation/complete`

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

/// Ends a rotation with the new secret: the old one is refused from now on.
#[utoipa::path(
    post, path = "/keys/{id}/rotation/complete", tag = "keys", operation_id = "complete_rotation",
    security(("bearer" = ["api.key.update", "api.key.create"])),
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
    caller.require(Permission::KeyUpdate)?;
    change(state, caller, id, if_match, check.finish(Some(forced))?, KeyChange::CompleteRotation, Permission::KeyCreate)
        .await
}
