//! `POST /projects/{project}/suspend`

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Answer, ProjectView, answer, change, visible};
use crate::admin::AdminState;
use crate::admin::body::{self, ProjectPath};
use crate::admin::caller::Caller;
use crate::admin::openapi::schemas;
use crate::admin::precondition::IfMatch;
use crate::admin::problem::{Place, Problem};
use crate::domain::Permission;
use crate::domain::project::ProjectChange;

/// The body.
#[derive(Default, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SuspendedProject)]
pub struct Why {
    /// Why, in words for people who see the project; senders are not told.
    #[schema(value_type = schemas::Name)]
    pub reason: Option<String>,
}

/// Refuses every export of a project until it is resumed. Only keys of the whole installation may.
///
/// What is suspended already stays so, with its reason.
#[utoipa::path(
    post, path = "/projects/{project}/suspend", tag = "projects", operation_id = "suspend_project",
    security(("bearer" = ["project.suspend"])),
    params(("project" = schemas::Slug, Path), schemas::IfMatch),
    request_body = Why,
    responses(
        (status = 200, body = ProjectView, headers(("etag"))),
        (status = 403, description = "installation_only"),
        (status = 404, description = "project_not_found"),
        (status = 412, description = "version_conflict"),
    ),
)]
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
    ProjectPath(slug): ProjectPath,
    if_match: IfMatch,
    body::Checked(why, mut check): body::Checked<Why>,
) -> Result<Answer<ProjectView>, Problem> {
    caller.require(Permission::ProjectSuspend)?;
    let project = visible(&state, &caller, &slug).await?;
    caller.require_installation()?;
    let expected = if_match.expected(project.version)?;
    let place = Place::field("reason");
    let reason = if let Some(reason) = why.reason {
        check.line(place, "the reason", &reason)
    } else {
        check.missing(place);
        None
    };
    let reason = check.finish(reason)?;
    let project = change(state, caller.actor, slug, ProjectChange::Suspend(reason), expected).await?;
    Ok(answer(project))
}
