//! `GET /projects/{project}/grids`

use axum::Json;
use axum::extract::State;

use super::GridView;
use crate::admin::AdminState;
use crate::admin::body::ProjectPath;
use crate::admin::caller::Caller;
use crate::admin::check::Check;
use crate::admin::openapi::schemas::{self, PageQuery};
use crate::admin::page::{PageView, Parameters};
use crate::admin::problem::Problem;
use crate::admin::projects;
use crate::domain::Permission;

/// The grids of a project, by slug.
#[utoipa::path(
    get, path = "/projects/{project}/grids", tag = "projects", operation_id = "list_grids",
    security(("bearer" = ["grid.view"])),
    params(("project" = schemas::Slug, Path), PageQuery),
    responses((status = 200, body = PageView<GridView>), (status = 404, description = "project_not_found")),
)]
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
    ProjectPath(project): ProjectPath,
    mut parameters: Parameters,
) -> Result<Json<PageView<GridView>>, Problem> {
    caller.require(Permission::GridView)?;
    let project = projects::visible(&state, &caller, &project).await?.slug;
    let mut check = Check::default();
    let paging = parameters.paging(&mut check);
    parameters.finish(&mut check, &["limit", "cursor"]);
    let paging = check.finish(Some(paging))?;
    let page = state.catalog.grids(&project, &paging).await?;
    Ok(Json(PageView::new(page, GridView::from)))
}
