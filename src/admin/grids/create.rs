//! `POST /projects/{project}/grids`

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::GridView;
use crate::admin::AdminState;
use crate::admin::body::{self, ProjectPath};
use crate::admin::caller::Caller;
use crate::admin::check::Check;
use crate::admin::openapi::schemas;
use crate::admin::problem::Problem;
use crate::admin::projects;
use crate::catalog::Grid;
use crate::domain::Permission;

/// The body.
#[derive(Default, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewGrid {
    /// Unique inside its project, and immutable.
    #[schema(value_type = schemas::Slug)]
    pub slug: Option<String>,
    /// Free text for people; the slug unless told otherwise.
    #[schema(value_type = Option<schemas::Name>)]
    pub name: Option<String>,
}

/// Creates a grid.
#[utoipa::path(
    post, path = "/projects/{project}/grids", tag = "projects", operation_id = "create_grid",
    security(("bearer" = ["grid.create"])),
    params(("project" = schemas::Slug, Path)),
    request_body = NewGrid,
    responses(
        (status = 201, body = GridView, headers(("location"))),
        (status = 404, description = "project_not_found"),
        (status = 409, description = "grid_exists"),
    ),
)]
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
    ProjectPath(project): ProjectPath,
    body::Json(new): body::Json<NewGrid>,
) -> Result<impl IntoResponse, Problem> {
    caller.require(Permission::GridCreate)?;
    let project = projects::visible(&state, &caller, &project).await?.slug;
    let mut check = Check::default();
    let named = check.slug_and_name(new.slug.as_deref(), new.name.as_deref());
    let (slug, name) = check.finish(named)?;
    let grid = Grid { project, slug, name, created_at: state.clock.now() };
    state.catalog.create_grid(&grid, &caller.actor).await?;
    let location = format!("/api/v1/projects/{}/grids/{}", grid.project, grid.slug);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(GridView::from(grid))))
}
