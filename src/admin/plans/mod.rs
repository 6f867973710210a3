//! Plans: named sets of limits that projects have.

pub mod create;
pub(super) mod delete;
pub mod edit;
pub(super) mod list;
pub(super) mod show;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::AdminState;
use super::check::Check;
use super::openapi::schemas;
use super::problem::Problem;
use super::terms::{self, LimitView, NewLimit};
use crate::catalog::Entity;
use crate::domain::limit::Scope;
use crate::domain::{Limits, Plan, Slug};

/// A plan in answers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct PlanView {
    /// What projects refer to it by.
    #[schema(value_type = schemas::Slug)]
    pub slug: String,
    /// Free text for people.
    #[schema(value_type = schemas::Name)]
    pub name: String,
    /// More text for people.
    #[schema(value_type = schemas::Note)]
    pub note: String,
    /// What it limits.
    pub limits: PlanLimits,
    /// How many keys of each environment of a project may be active at once; none: as many as the configuration says.
    pub max_active_keys: Option<u32>,
    /// 1 when it is made, counting up with each change.
    pub version: u64,
    /// When it was created.
    #[schema(value_type = schemas::Instant)]
    pub created_at: String,
    /// When it was last changed.
    #[schema(value_type = schemas::Instant)]
    pub updated_at: String,
}

/// The limits of a plan in answers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct PlanLimits {
    /// Of a whole project.
    pub project: Vec<LimitView>,
    /// Of each of its tenants.
    pub tenant: Vec<LimitView>,
    /// Of each of its keys.
    pub key: Vec<LimitView>,
}

/// The limits of a plan in bodies.
#[derive(Default, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPlanLimits {
    /// Of a whole project.
    #[schema(max_items = 35, required = false)]
    pub project: Option<Vec<NewLimit>>,
    /// Of each of its tenants.
    #[schema(max_items = 35, required = false)]
    pub tenant: Option<Vec<NewLimit>>,
    /// Of each of its keys.
    #[schema(max_items = 35, required = false)]
    pub key: Option<Vec<NewLimit>>,
}

impl From<Plan> for PlanView {
    fn from(plan: Plan) -> Self {
        let of = |scope| terms::views(plan.limits(scope));
        Self {
            slug: plan.slug.to_string(),
            limits: PlanLimits { project: of(Scope::Project), tenant: of(Scope::Tenant), key: of(Scope::Key) },
            max_active_keys: plan.max_active_keys,
            version: plan.version,
            created_at: plan.created_at.to_string(),
            updated_at: plan.updated_at.to_string(),
            name: plan.name,
            note: plan.note,
        }
    }
}

/// The plan `slug`. Plans are no secret: whoever may see quotas sees all of them.
async fn find(state: &AdminState, slug: &Slug) -> Result<Plan, Problem> {
    state.catalog.plan(slug).await?.ok_or_else(|| Problem::not_found(Entity::Plan))
}

/// The limits that a body names, by [`Scope`]; what is wrong with them is noted.
fn limits(check: &mut Check, new: &NewPlanLimits) -> [Option<Limits>; Scope::ALL.len()] {
    Scope::ALL.map(|scope| {
        let list = match scope {
            Scope::Key => &new.key,
            Scope::Tenant => &new.tenant,
            Scope::Project => &new.project,
        };
        list.as_ref().and_then(|list| terms::limits(check, &format!("/limits/{scope}"), list))
    })
}
