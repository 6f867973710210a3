//! `DELETE /plans/{slug}`

use axum::extract::State;
use http::StatusCode;

use super::find;
use crate::admin::AdminState;
use crate::admin::body::PlanPath;
use crate::admin::caller::Caller;
use crate::admin::openapi::schemas;
use crate::admin::precondition::IfMatch;
use crate::admin::problem::Problem;
use crate::catalog::Entity;
use crate::domain::Permission;

/// Deletes a plan that no project has. Only keys of the whole installation may.
#[utoipa::path(
    delete, path = "/plans/{slug}", tag = "plans", operation_id = "delete_plan",
    security(("bearer" = ["quota.update"])),
    params(("slug" = schemas::Slug, Path), schemas::IfMatch),
    responses(
        (status = 204),
        (status = 403, description = "installation_only"),
        (status = 404, description = "plan_not_found"),
        (status = 409, description = "plan_in_use"),
        (status = 412, description = "version_conflict"),
    ),
)]
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
    PlanPath(slug): PlanPath,
    if_match: IfMatch,
) -> Result<StatusCode, Problem> {
    caller.require(Permission::QuotaUpdate)?;
    caller.require_installation()?;
    let plan = find(&state, &slug).await?;
    let expected = if_match.expected(plan.version)?;
    let deleted = state.catalog.delete_plan(&slug, expected, &caller.actor).await?;
    deleted.map(|_| StatusCode::NO_CONTENT).ok_or_else(|| Problem::not_found(Entity::Plan))
}
