//! `GET /projects/{project}/limits`

use axum::extract::State;

use super::live::effective;
use super::{Answer, LimitsView, answer, plan_of};
use crate::admin::AdminState;
use crate::admin::body::ProjectPath;
use crate::admin::caller::Caller;
use crate::admin::openapi::schemas;
use crate::admin::problem::Problem;
use crate::admin::projects;
use crate::domain::Permission;
use crate::domain::limit::ScopeId;

/// The limits of a project: its own, and what holds together with its plan.
#[utoipa::path(
    get, path = "/projects/{project}/limits", tag = "limits", operation_id = "show_project_limits",
    security(("bearer" = ["quota.view"])),
    params(("project" = schemas::Slug, Path)),
    responses(
        (status = 200, body = LimitsView, headers(("etag"))),
        (status = 404, description = "project_not_found"),
    ),
)]
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
    ProjectPath(slug): ProjectPath,
) -> Result<Answer, Problem> {
    caller.require(Permission::QuotaView)?;
    let project = projects::visible(&state, &caller, &slug).await?;
    let plan = plan_of(&state, &project).await?;
    let id = ScopeId::Project(project.slug.clone());
    let effective = effective(&state, &id, &project.limits, plan.as_ref()).await?;
    Ok(answer(project.version, &project.limits, effective))
}
