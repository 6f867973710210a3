//! `DELETE /keys/{id}`

use axum::extract::State;

use super::{Answer, KeyView, change};
use crate::admin::AdminState;
use crate::admin::body::{Empty, KeyPath};
use crate::admin::caller::Caller;
use crate::admin::openapi::schemas;
use crate::admin::page::Parameters;
use crate::admin::precondition::IfMatch;
use crate::admin::problem::Problem;
use crate::admin::senders::ForceQuery;
use crate::admin::senders::in_use::Forced;
use crate::domain::{KeyChange, Permission};

/// Refuses a key for ever: the same as to revoke it. Its record stays.
#[utoipa::path(
    delete, path = "/keys/{id}", tag = "keys", operation_id = "delete_key",
    security(("bearer" = ["api.key.delete"])),
    params(("id" = schemas::KeyId, Path), schemas::IfMatch, ForceQuery),
    responses(
        (status = 200, body = KeyView, headers(("etag"))),
        (status = 403, description = "grant_refused"),
        (status = 404, description = "key_not_found"),
        (status = 409, description = "key_in_use"),
        (status = 412, description = "version_conflict"),
    ),
)]
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
    KeyPath(id): KeyPath,
    if_match: IfMatch,
    parameters: Parameters,
    _: Empty,
) -> Result<Answer<KeyView>, Problem> {
    change(state, caller, id, if_match, Forced::read(parameters)?, KeyChange::Revoke, Permission::KeyDelete).await
}
