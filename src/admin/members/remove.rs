//! `DELETE /members/{id}`

use axum::extract::State;
use axum::response::Response;

use super::{KeyView, change, visible};
use crate::admin::AdminState;
use crate::admin::body::KeyPath;
use crate::admin::caller::Caller;
use crate::admin::openapi::schemas;
use crate::admin::precondition::IfMatch;
use crate::admin::problem::Problem;
use crate::domain::{KeyChange, Permission};

/// Removes a member: the key is revoked, for ever.
#[utoipa::path(
    delete, path = "/members/{id}", tag = "members", operation_id = "remove_member",
    security(("bearer" = ["member.delete"])),
    params(("id" = schemas::KeyId, Path), schemas::IfMatch),
    responses(
        (status = 200, body = KeyView, headers(("etag"))),
        (status = 403, description = "grant_refused"),
        (status = 404, description = "key_not_found"),
        (status = 409, description = "last_owner"),
        (status = 412, description = "version_conflict"),
    ),
)]
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
    KeyPath(id): KeyPath,
    if_match: IfMatch,
) -> Result<Response, Problem> {
    caller.require(Permission::MemberDelete)?;
    let member = visible(&state, &caller, &id).await?;
    let expected = if_match.expected(member.version)?;
    change(state, caller, id, KeyChange::Revoke, expected).await
}
