//! `GET /projects/{project}/grids/{grid}`

use axum::Json;
use axum::extract::State;

use super::GridView;
use crate::admin::AdminState;
use crate::admin::body::GridPath;
use crate::admin::caller::Caller;
use crate::admin::openapi::schemas;
use crate::admin::problem::Problem;
use crate::admin::projects;
use crate::catalog::Entity;
use crate::domain::Permission;

/// One grid.
#[utoipa::path(
    get, path = "/projects/{project}/grids/{grid}", tag = "projects", operation_id = "show_grid",
    security(("bearer" = ["grid.view"])),
    params(("project" = schemas::Slug, Path), ("grid" = schemas::Slug, Path)),
    responses((status = 200, body = GridView), (status = 404, description = "project_not_found, grid_not_found")),
)]
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
    GridPath { project, grid }: GridPath,
) -> Result<Json<GridView>, Problem> {
    caller.require(Permission::GridView)?;
    let project = projects::visible(&state, &caller, &project).await?.slug;
    let grid = state.catalog.grid(&project, &grid).await?;
    Ok(Json(grid.ok_or_else(|| Problem::not_found(Entity::Grid))?.into()))
}
