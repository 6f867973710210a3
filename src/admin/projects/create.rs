//! `POST /projects`

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};

use super::ProjectView;
use crate::admin::AdminState;
use crate::admin::body;
use crate::admin::caller::Caller;
use crate::admin::check::Check;
use crate::admin::problem::Problem;
use crate::catalog::Project;
use crate::domain::Permission;

/// The body.
#[derive(Default, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewProject {
    /// Unique and immutable.
    pub slug: Option<String>,
    /// Free text for people; the slug unless told otherwise.
    pub name: Option<String>,
}

/// Creates a project. Only keys of the whole installation may.
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
    let project = Project { slug, name, created_at: state.clock.now() };
    state.catalog.create_project(&project, &caller.actor).await?;
    let location = format!("/api/v1/projects/{}", project.slug);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(ProjectView::from(project))))
}
