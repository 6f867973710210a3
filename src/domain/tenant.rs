//! The tenant: the unit of routing, quota and storage.

use std::fmt;

use super::Slug;

/// Exactly one (project, grid, environment).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Tenant {
    /// The project that owns the grid.
    pub project: Slug,
    /// The application's space inside the project.
    pub grid: Slug,
    /// The environment's slug.
    pub environment: Slug,
}

/// `project/grid/environment`: also the tenant's folder, because slugs hold nothing but `[a-z0-9-]`.
impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.project, self.grid, self.environment)
    }
}
