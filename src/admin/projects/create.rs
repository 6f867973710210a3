//! `POST /projects`

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ProjectView;
use crate::admin::AdminState;
use crate::admin::body;
use crate::admin::caller::Caller;
use crate::admin::check::Check;
use crate::admin::openapi::schemas;
use crate::admin::problem::Problem;
use crate::catalog::Project;
use crate::domain::Permission;

/// The body.
#[derive(Default, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewProject {
    /// Unique and immutable.
    #[schema(value_type = schemas::Slug)]
    pub slug: Option<String>,
    /// Free text for people; the slug unless told otherwise.
    #[schema(value_type = Option<schemas::Name>)]
    pub name: Option<String>,
}

/// Creates a project. Only keys of the whole installation may.
#[utoipa::path(
    post, path = "/projects", tag = "projects", operation_id = "create_project",
    security(("bearer" = ["project.create"])),
    request_body = NewProject,
    responses(
        (status = 201, body = ProjectView, headers(("location"))),
        (status = 403, description = "installation_only"),
        (status = 409, description = "project_exists"),
    ),
)]
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
    body::Json(new): body::Json<NewProject>,
) -> Result<impl IntoResponse, Problem> {
    caller.require(Permission::ProjectCreate)?;
    caller.require_installation()?;
    let mut check = Check::default();
    let named = check.slug_and_name(new.slug.as_deref(), new.name.as_deref());
    let (slug, name) = check.finish(named)?;
    let project = Project::new(slug, name, state.clock.now());
    state.catalog.create_project(&project, &caller.actor).await?;
    let location = format!("/api/v1/projects/{}", project.slug);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(ProjectView::from(project))))
}
