//! `POST /keys/{id}/enable`

use axum::extract::State;

use super::{Answer, KeyView, change};
use crate::admin::AdminState;
use crate::admin::body::{Empty, KeyPath};
use crate::admin::caller::Caller;
use crate::admin::openapi::schemas;
use crate::admin::precondition::IfMatch;
use crate::admin::problem::Problem;
use crate::admin::senders::in_use::Forced;
use crate::domain::{KeyChange, Permission};

/// Undoes a disable.
#[utoipa::path(
    post, path = "/keys/{id}/enable", tag = "keys", operation_id = "enable_key",
    security(("bearer" = ["api.key.update"])),
    params(("id" = schemas::KeyId, Path), schemas::IfMatch),
    responses(
        (status = 200, body = KeyView, headers(("etag"))),
        (status = 403, description = "grant_refused"),
        (status = 404, description = "key_not_found"),
        (status = 409, description = "key_revoked, key_expired, key_limit_reached"),
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
    change(state, caller, id, if_match, Forced::default(), KeyChange::Enable, Permission::KeyUpdate).await
}
