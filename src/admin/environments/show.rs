//! `GET /environments/{slug}`

use axum::Json;
use axum::extract::State;

use super::EnvironmentView;
use crate::admin::AdminState;
use crate::admin::body::EnvironmentPath;
use crate::admin::caller::Caller;
use crate::admin::openapi::schemas;
use crate::admin::problem::Problem;
use crate::catalog::Entity;
use crate::domain::Permission;

/// One environment.
#[utoipa::path(
    get, path = "/environments/{slug}", tag = "projects", operation_id = "show_environment",
    security(("bearer" = ["project.view"])),
    params(("slug" = schemas::Slug, Path)),
    responses((status = 200, body = EnvironmentView), (status = 404, description = "environment_not_found")),
)]
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
    EnvironmentPath(slug): EnvironmentPath,
) -> Result<Json<EnvironmentView>, Problem> {
    caller.require(Permission::ProjectView)?;
    let found = state.catalog.environments().await?.into_iter().find(|environment| environment.slug == slug);
    Ok(Json(found.ok_or_else(|| Problem::not_found(Entity::Environment))?.into()))
}
