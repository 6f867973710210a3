//! Grids: the applications of a project.

pub mod create;
pub(super) mod list;
pub(super) mod show;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::openapi::schemas;
use crate::catalog::Grid;

/// A grid in answers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct GridView {
    /// The project it belongs to.
    #[schema(value_type = schemas::Slug)]
    pub project: String,
    /// Unique inside its project, and immutable.
    #[schema(value_type = schemas::Slug)]
    pub slug: String,
    /// Free text for people.
    #[schema(value_type = schemas::Name)]
    pub name: String,
    /// When it was created, RFC 3339.
    #[schema(value_type = schemas::Instant)]
    pub created_at: String,
}

impl From<Grid> for GridView {
    fn from(grid: Grid) -> Self {
        Self {
            project: grid.project.to_string(),
            slug: grid.slug.to_string(),
            name: grid.name,
            created_at: grid.created_at.to_string(),
        }
    }
}
