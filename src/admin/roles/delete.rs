//! `DELETE /roles/{slug}`

use axum::extract::State;
use http::StatusCode;

use super::{changeable, visible};
use crate::admin::AdminState;
use crate::admin::body::RolePath;
use crate::admin::caller::Caller;
use crate::admin::keys::to_the_end;
use crate::admin::page::Parameters;
use crate::admin::precondition::IfMatch;
use crate::admin::problem::Problem;
use crate::catalog::Entity;
use crate::domain::Permission;

/// Deletes a role that no key has.
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
    RolePath(slug): RolePath,
    parameters: Parameters,
    if_match: IfMatch,
) -> Result<StatusCode, Problem> {
    caller.require(Permission::RoleDelete)?;
    let role = visible(&state, &caller, parameters, &slug).await?;
    let custom = changeable(&caller, &role)?;
    let expected = if_match.expected(custom.version)?;
    let project = custom.project.clone();
    let deleted = to_the_end(async move {
        let deleted = state.catalog.delete_role(project.as_ref(), &slug, expected, &caller.actor).await;
        (state.all_keys_changed)();
        deleted
    })
    .await??;
    deleted.map(|_| StatusCode::NO_CONTENT).ok_or_else(|| Problem::not_found(Entity::Role))
}
