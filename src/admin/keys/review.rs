//! `POST /keys/{id}/review`

use axum::extract::State;

use super::{Answer, KeyView, change};
use crate::admin::AdminState;
use crate::admin::body::{Empty, KeyPath};
use crate::admin::caller::Caller;
use crate::admin::openapi::schemas;
use crate::admin::precondition::IfMatch;
use crate::admin::problem::Problem;
use crate::admin::senders::in_use::Forced;
use crate::domain::key::SecretMark;
use crate::domain::{KeyChange, Permission};

/// Writes down that somebody has looked at a key and found that it is still needed.
#[utoipa::path(
    post, path = "/keys/{id}/review", tag = "keys", operation_id = "review_key",
    security(("bearer" = ["api.key.update"])),
    params(("id" = schemas::KeyId, Path), schemas::IfMatch),
    responses(
        (status = 200, body = KeyView, headers(("etag"))),
        (status = 403, description = "grant_refused"),
        (status = 404, description = "key_not_found"),
        (status = 409, description = "key_revoked"),
        (status = 412, description = "version_conflict"),
    ),
)]
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
    KeyPath(id): KeyPath,
    if_match: IfMatch,
    _: Empty,
) -> Result<Answer<KeyView>, Problem> {
    change(state, caller, id, if_match, Forced::default(), KeyChange::Mark(SecretMark::Reviewed), Permission::KeyUpdate)
        .await
}
