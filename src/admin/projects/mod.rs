//! Projects.

pub mod create;
pub mod edit;
pub(super) mod list;
pub(super) mod resume;
pub(super) mod show;
pub mod suspend;

use axum::Json;
use http::HeaderName;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::AdminState;
use super::caller::Caller;
use super::keys::to_the_end;
use super::openapi::schemas;
use super::precondition::etag;
use super::problem::{Place, Problem};
use super::terms::{self, LimitView};
use crate::catalog::{CatalogError, Entity};
use crate::domain::project::{ProjectChange, ProjectRefused};
use crate::domain::{Actor, Project, Slug};

/// A project in answers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct ProjectView {
    /// Unique and immutable.
    #[schema(value_type = schemas::Slug)]
    pub slug: String,
    /// Free text for people.
    #[schema(value_type = schemas::Name)]
    pub name: String,
    /// The plan that it has.
    #[schema(value_type = Option<schemas::Slug>)]
    pub plan: Option<String>,
    /// From this instant on it is suspended, because its plan ends.
    #[schema(value_type = Option<schemas::Instant>)]
    pub plan_ends_at: Option<String>,
    /// The limits of its own. What holds together with those of its plan is under `/projects/{project}/limits`.
    pub limits: Vec<LimitView>,
    /// How many keys of each of its environments may be active at once; none: as many as its plan or the configuration says.
    pub max_active_keys: Option<u32>,
    /// Set while somebody keeps it suspended.
    pub suspended: Option<SuspensionView>,
    /// 1 when it is made, counting up with each change.
    pub version: u64,
    /// When it was created, RFC 3339.
    #[schema(value_type = schemas::Instant)]
    pub created_at: String,
}

/// A suspension in answers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Suspension)]
pub struct SuspensionView {
    /// Since when.
    #[schema(value_type = schemas::Instant)]
    pub since: String,
    /// Why, in words for people.
    #[schema(value_type = schemas::Name)]
    pub reason: String,
}

impl From<Project> for ProjectView {
    fn from(project: Project) -> Self {
        Self {
            slug: project.slug.to_string(),
            name: project.name,
            plan: project.plan.map(|plan| plan.to_string()),
            plan_ends_at: project.plan_ends_at.map(|at| at.to_string()),
            limits: terms::views(&project.limits),
            max_active_keys: project.max_active_keys,
            suspended: project
                .suspended
                .map(|suspended| SuspensionView { since: suspended.at.to_string(), reason: suspended.reason }),
            version: project.version,
            created_at: project.created_at.to_string(),
        }
    }
}

/// An answer about one project: its version, and what is shown.
pub(super) type Answer<T> = ([(HeaderName, String); 1], Json<T>);

pub(super) fn answer(project: Project) -> Answer<ProjectView> {
    (etag(project.version), Json(project.into()))
}

/// Makes a change of a project, and announces it before anybody is told: its limits, its plan and its suspension are those of all of
/// its keys.
pub(super) async fn change(
    state: AdminState,
    actor: Actor,
    slug: Slug,
    change: ProjectChange,
    expected: Option<u64>,
) -> Result<Project, Problem> {
    let changed = to_the_end(async move {
        let changed = state.catalog.change_project(&slug, &change, expected, &actor).await;
        // Also after an error: the commit may have happened although its answer was lost.
        (state.project_changed)(&slug);
        changed
    })
    .await?;
    let changed = changed.map_err(|error| match error {
        CatalogError::Missing(Entity::Plan) => no_such_plan(error),
        CatalogError::ProjectRefused(ProjectRefused::NoPlan) => {
            Problem::from(error).at(Place::field("plan_ends_at"), "send a plan with it, or leave it out")
        }
        _ => error.into(),
    })?;
    changed.map(|(project, _)| project).ok_or_else(|| Problem::not_found(Entity::Project))
}

/// What is said of a plan in a body that does not exist.
fn no_such_plan(error: CatalogError) -> Problem {
    let fix = "the slug of a plan that exists; create it first, or list those there are";
    Problem::from(error).at(Place::field("plan"), fix)
}

/// The project `slug`, if it exists and the caller may see it.
pub(super) async fn visible(state: &AdminState, caller: &Caller, slug: &Slug) -> Result<Project, Problem> {
    caller.require_sight(slug)?;
    state.catalog.project(slug).await?.ok_or_else(|| Problem::not_found(Entity::Project))
}
