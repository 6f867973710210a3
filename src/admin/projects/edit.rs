//! `PATCH /projects/{project}`

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ProjectView, visible};
use crate::admin::AdminState;
use crate::admin::body::{self, ProjectPath};
use crate::admin::caller::Caller;
use crate::admin::check::Check;
use crate::admin::openapi::schemas;
use crate::admin::problem::{Place, Problem};
use crate::catalog::{Entity, ProjectEdit};
use crate::domain::Permission;

/// The body: what is left out stays as it is.
#[derive(Default, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EditedProject {
    /// Free text for people.
    #[serde(default, deserialize_with = "body::present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schemas::Name, required = false)]
    pub name: Option<String>,
    /// How many keys of each environment may be active at once; null: as many as the configuration says. Only keys of the whole
    /// installation may change it.
    #[serde(default, deserialize_with = "body::nullable", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 1_000_000)]
    pub max_active_keys: Option<Option<u32>>,
}

/// The largest limit of active keys.
const MAX_ACTIVE_KEYS: u32 = 1_000_000;

/// Changes a project.
#[utoipa::path(
    patch, path = "/projects/{project}", tag = "projects", operation_id = "edit_project",
    security(("bearer" = ["project.update"])),
    params(("project" = schemas::Slug, Path)),
    request_body(content((EditedProject = "application/merge-patch+json"), (EditedProject = "application/json"))),
    responses(
        (status = 200, body = ProjectView),
        (status = 403, description = "installation_only"),
        (status = 404, description = "project_not_found"),
    ),
)]
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
    ProjectPath(slug): ProjectPath,
    body::MergePatch(edited): body::MergePatch<EditedProject>,
) -> Result<Json<ProjectView>, Problem> {
    caller.require(Permission::ProjectUpdate)?;
    visible(&state, &caller, &slug).await?;
    if edited.max_active_keys.is_some() {
        caller.require_installation()?;
    }
    let edit = read(&edited)?;
    let project = state.catalog.change_project(&slug, &edit, &caller.actor).await?;
    Ok(Json(project.ok_or_else(|| Problem::not_found(Entity::Project))?.into()))
}

fn read(edited: &EditedProject) -> Result<ProjectEdit, Problem> {
    let mut check = Check::default();
    let name = edited.name.as_deref().and_then(|name| check.name(Place::field("name"), Some(name)));
    if let Some(Some(limit)) = edited.max_active_keys
        && !(1..=MAX_ACTIVE_KEYS).contains(&limit)
    {
        let fix = format!("a whole number from 1 to {MAX_ACTIVE_KEYS}, or null for what the configuration says");
        check.refuse(Place::field("max_active_keys"), "it is out of range", fix);
    }
    check.finish(Some(ProjectEdit { name, max_active_keys: edited.max_active_keys }))
}
