//! Environments. The API lists them; they are made by installing and configuring.

pub(super) mod list;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::openapi::schemas;
use crate::domain::Environment;

/// An environment in answers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct EnvironmentView {
    /// Used in paths, headers, API and configuration.
    #[schema(value_type = schemas::Slug)]
    pub slug: String,
    /// Used in tokens.
    pub code: String,
    /// Free text for people.
    #[schema(value_type = schemas::Name)]
    pub name: String,
    /// When it was created, RFC 3339.
    #[schema(value_type = schemas::Instant)]
    pub created_at: String,
}

impl From<Environment> for EnvironmentView {
    fn from(environment: Environment) -> Self {
        Self {
            slug: environment.slug.to_string(),
            code: environment.code.to_string(),
            name: environment.name,
            created_at: environment.created_at.to_string(),
        }
    }
}
