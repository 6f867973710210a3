//! `DELETE /members/{id}`

use axum::extract::State;
use axum::response::Response;

use super::{change, visible};
use crate::admin::AdminState;
use crate::admin::body::KeyPath;
use crate::admin::caller::Caller;
use crate::admin::precondition::IfMatch;
use crate::admin::problem::Problem;
use crate::domain::{KeyChange, Permission};

/// Removes a member: the key is revoked, for ever.
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
