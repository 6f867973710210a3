//! `DELETE /roles/{slug}`

use axum::extract::State;
use http::StatusCode;

use super::{changeable, visible};
use crate::admin::AdminState;
use crate::admin::body::RolePath;
use crate::admin::caller::Caller;
use crate::admin::keys::to_the_end;
use crate::admin::openapi::schemas;
use crate::admin::page::Parameters;
use crate::admin::precondition::IfMatch;
use crate::admin::problem::Problem;
use crate::catalog::Entity;
use crate::domain::Permission;

/// Deletes a role that no key has.
#[utoipa::path(
    delete, path = "/roles/{slug}", tag = "roles", operation_id = "delete_role",
    security(("bearer" = ["role.delete"])),
    params(("slug" = schemas::Slug, Path), schemas::ProjectQuery, schemas::IfMatch),
    responses(
        (status = 204),
        (status = 403, description = "installation_only, grant_refused"),
        (status = 404, description = "project_not_found, role_not_found"),
        (status = 409, description = "role_built_in, role_in_use"),
        (status = 412, description = "version_conflict"),
    ),
)]
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
