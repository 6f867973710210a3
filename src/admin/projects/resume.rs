//! `POST /projects/{project}/resume`

use axum::extract::State;

use super::{Answer, ProjectView, answer, change, visible};
use crate::admin::AdminState;
use crate::admin::body::{Empty, ProjectPath};
use crate::admin::caller::Caller;
use crate::admin::openapi::schemas;
use crate::admin::precondition::IfMatch;
use crate::admin::problem::Problem;
use crate::domain::Permission;
use crate::domain::project::ProjectChange;

/// Ends the suspension of a project. Only keys of the whole installation may.
#[utoipa::path(
    post, path = "/projects/{project}/resume", tag = "projects", operation_id = "resume_project",
    security(("bearer" = ["project.suspend"])),
    params(("project" = schemas::Slug, Path), schemas::IfMatch),
    responses(
        (status = 200, body = ProjectView, headers(("etag"))),
        (status = 403, description = "installation_only"),
        (status = 404, description = "project_not_found"),
        (status = 409, description = "plan_ended"),
        (status = 412, description = "version_conflict"),
    ),
)]
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
    ProjectPath(slug): ProjectPath,
    if_match: IfMatch,
    _: Empty,
) -> Result<Answer<ProjectView>, Problem> {
    caller.require(Permission::ProjectSuspend)?;
    let project = visible(&state, &caller, &slug).await?;
    caller.require_installation()?;
    let expected = if_match.expected(project.version)?;
    Ok(answer(change(state, caller.actor, slug, ProjectChange::Resume, expected).await?))
}
