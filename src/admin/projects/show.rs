//! `GET /projects/{project}`

use axum::extract::State;

use super::{Answer, ProjectView, answer, visible};
use crate::admin::AdminState;
use crate::admin::body::ProjectPath;
use crate::admin::caller::Caller;
use crate::admin::openapi::schemas;
use crate::admin::problem::Problem;
use crate::domain::Permission;

/// One project.
#[utoipa::path(
    get, path = "/projects/{project}", tag = "projects", operation_id = "show_project",
    security(("bearer" = ["project.view"])),
    params(("project" = schemas::Slug, Path)),
    responses((status = 200, body = ProjectView, headers(("etag"))), (status = 404, description = "project_not_found")),
)]
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
    ProjectPath(slug): ProjectPath,
) -> Result<Answer<ProjectView>, Problem> {
    caller.require(Permission::ProjectView)?;
    Ok(answer(visible(&state, &caller, &slug).await?))
}
