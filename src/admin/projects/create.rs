//! `POST /projects`

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ProjectView, no_such_plan};
use crate::admin::AdminState;
use crate::admin::body;
use crate::admin::caller::Caller;
use crate::admin::check::Check;
use crate::admin::openapi::schemas;
use crate::admin::problem::{Place, Problem};
use crate::catalog::{CatalogError, Entity, Project};
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
    /// The plan that it has from the beginning, which needs `quota.update`; none unless told otherwise.
    #[schema(value_type = Option<schemas::Slug>)]
    pub plan: Option<String>,
}

/// Creates a project. Only keys of the whole installation may.
#[utoipa::path(
    post, path = "/projects", tag = "projects", operation_id = "create_project",
    security(("bearer" = ["project.create"])),
    request_body = NewProject,
    responses(
        (status = 201, body = ProjectView, headers(("location"))),
        (status = 403, description = "installation_only"),
        (status = 404, description = "plan_not_found"),
        (status = 409, description = "project_exists"),
    ),
)]
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    mut caller: Caller,
    body::Json(new): body::Json<NewProject>,
) -> Result<impl IntoResponse, Problem> {
    caller.require(Permission::ProjectCreate)?;
    if new.plan.is_some() {
        caller.require(Permission::QuotaUpdate)?;
        caller.actor.needs.extend([Permission::QuotaUpdate]);
    }
    caller.require_installation()?;
    let mut check = Check::default();
    let named = check.slug_and_name(new.slug.as_deref(), new.name.as_deref());
    let plan = check.slug(Place::field("plan"), new.plan.as_deref());
    let (slug, name) = check.finish(named)?;
    let project = Project { plan, ..Project::new(slug, name, state.clock.now()) };
    state.catalog.create_project(&project, &caller.actor).await.map_err(|error| match error {
        CatalogError::Missing(Entity::Plan) => no_such_plan(error),
        _ => error.into(),
    })?;
    let location = format!("/api/v1/projects/{}", project.slug);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(ProjectView::from(project))))
}
