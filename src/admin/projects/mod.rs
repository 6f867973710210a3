//! Projects.

pub mod create;
pub mod edit;
pub(super) mod list;
pub(super) mod show;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::AdminState;
use super::caller::Caller;
use super::openapi::schemas;
use super::problem::Problem;
use crate::catalog::{Entity, Project};
use crate::domain::Slug;

/// A project in answers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct ProjectView {
    /// Unique and immutable.
    #[schema(value_type = schemas::Slug)]
    pub slug: String,
    /// Free text for people.
    #[schema(value_type = schemas::Name)]
    pub name: String,
    /// How many keys of each of its environments may be active at once; none: as many as the configuration says.
    pub max_active_keys: Option<u32>,
    /// When it was created, RFC 3339.
    #[schema(value_type = schemas::Instant)]
    pub created_at: String,
}

impl From<Project> for ProjectView {
    fn from(project: Project) -> Self {
        Self {
            slug: project.slug.to_string(),
            name: project.name,
            max_active_keys: project.max_active_keys,
            created_at: project.created_at.to_string(),
        }
    }
}

/// The project `slug`, if it exists and the caller may see it.
pub(super) async fn visible(state: &AdminState, caller: &Caller, slug: &Slug) -> Result<Project, Problem> {
    caller.require_sight(slug)?;
    state.catalog.project(slug).await?.ok_or_else(|| Problem::not_found(Entity::Project))
}
