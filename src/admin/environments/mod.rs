//! Environments: every project has the same.

pub mod create;
pub mod edit;
pub(super) mod list;
pub(super) mod show;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::check::Check;
use super::openapi::schemas;
use super::problem::Place;
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
    /// After how many days its keys are due for a new secret; none: never.
    pub rotation_days: Option<u32>,
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
            rotation_days: environment.rotation_days,
            created_at: environment.created_at.to_string(),
        }
    }
}

/// The longest time between two secrets of a key: ten years.
const MAX_ROTATION_DAYS: u32 = 3650;

/// The field `rotation_days`, where it has a value.
fn rotation_days(check: &mut Check, days: Option<u32>) -> Option<u32> {
    let days = days?;
    if !(1..=MAX_ROTATION_DAYS).contains(&days) {
        let fix = format!("a whole number from 1 to {MAX_ROTATION_DAYS}, or null for never");
        check.refuse(Place::field("rotation_days"), "it is out of range", fix);
    }
    Some(days)
}
