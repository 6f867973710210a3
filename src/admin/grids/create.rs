//! `POST /projects/{project}/grids`

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::GridView;
use crate::admin::AdminState;
use crate::admin::body::{self, ProjectPath};
use crate::admin::caller::Caller;
use crate::admin::check::Check;
use crate::admin::problem::Problem;
use crate::admin::projects;
use crate::catalog::Grid;
use crate::domain::Permission;

/// The body.
#[derive(Default, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewGrid {
    /// Unique inside its project, and immutable.
    pub slug: Option<String>,
    /// Free text for people; the slug unless told otherwise.
    pub name: Option<String>,
}

/// Creates a grid.
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
    Ok((StatusCode::CREATED, Json(GridView::from(grid))))
}
