//! `POST /keys/{id}/purge`

use axum::extract::State;
use http::StatusCode;

use super::{to_the_end, visible};
use crate::admin::AdminState;
use crate::admin::body::{Empty, KeyPath};
use crate::admin::caller::Caller;
use crate::admin::openapi::schemas;
use crate::admin::precondition::IfMatch;
use crate::admin::problem::Problem;
use crate::catalog::Entity;
use crate::domain::Permission;

/// Erases the record of a revoked key, once it was kept for long enough. What the audit log holds of it stays.
#[utoipa::path(
    post, path = "/keys/{id}/purge", tag = "keys", operation_id = "purge_key",
    security(("bearer" = ["api.key.purge"])),
    params(("id" = schemas::KeyId, Path), schemas::IfMatch),
    responses(
        (status = 204),
        (status = 403, description = "grant_refused"),
        (status = 404, description = "key_not_found"),
        (status = 409, description = "key_not_revoked, retention_not_over"),
        (status = 412, description = "version_conflict"),
    ),
)]
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
    KeyPath(id): KeyPath,
    if_match: IfMatch,
    _: Empty,
) -> Result<StatusCode, Problem> {
    caller.require(Permission::KeyPurge)?;
    // A revoked key no longer changes, so that its version need not be looked at in the transaction.
    if_match.expected(visible(&state, &caller, &id).await?.version)?;
    let purged = to_the_end(async move {
        let purged = state.catalog.purge_key(&id, &caller.actor).await;
        (state.key_changed)(id);
        purged
    });
    if purged.await?? { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::not_found(Entity::Key)) }
}
