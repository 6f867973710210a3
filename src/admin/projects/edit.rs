//! `PATCH /projects/{project}`

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Answer, ProjectView, answer, change, visible};
use crate::admin::AdminState;
use crate::admin::body::{self, CheckedPatch, ProjectPath};
use crate::admin::caller::Caller;
use crate::admin::check::Check;
use crate::admin::openapi::schemas;
use crate::admin::precondition::IfMatch;
use crate::admin::problem::{Place, Problem};
use crate::admin::terms::{self, NewLimit};
use crate::domain::project::{ProjectChange, ProjectEdit};
use crate::domain::{Permission, Timestamp};

/// The body, a JSON merge patch (RFC 7396): what is absent stays, what is null is removed. Everything but the name needs
/// `quota.update` and an admin key of the installation.
#[derive(Default, Debug, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EditedProject {
    /// Free text for people.
    #[serde(deserialize_with = "body::present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schemas::Name, required = false)]
    pub name: Option<String>,
    /// The plan; null: none, and no end either.
    #[serde(deserialize_with = "body::nullable", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schemas::Slug>)]
    pub plan: Option<Option<String>>,
    /// From this instant on the project is suspended, unless that is changed; null: never. Only with a plan.
    #[serde(deserialize_with = "body::nullable", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schemas::Instant>)]
    pub plan_ends_at: Option<Option<String>>,
    /// The limits of the project's own, all of them.
    #[serde(deserialize_with = "body::nullable", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<NewLimit>>, max_items = 35)]
    pub limits: Option<Option<Vec<NewLimit>>>,
    /// How many keys of each environment may be active at once; null: as many as the plan or the configuration says.
    #[serde(deserialize_with = "body::nullable", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 1_000_000)]
    pub max_active_keys: Option<Option<u32>>,
}

impl body::Patch for EditedProject {
    const FIXED: &[(&str, &str)] = &[
        ("slug", "leave it out: it never changes; create another project"),
        ("created_at", "leave it out: it never changes"),
        ("suspended", "leave it out; use suspend or resume"),
        ("version", "leave it out; say by if-match which version the edit is meant for"),
    ];
}

impl EditedProject {
    /// Whether it changes what the project is given.
    const fn changes_terms(&self) -> bool {
        self.plan.is_some() || self.plan_ends_at.is_some() || self.limits.is_some() || self.max_active_keys.is_some()
    }

    /// What it needs.
    const fn permissions(&self) -> &'static [Permission] {
        match (self.name.is_some(), self.changes_terms()) {
            (_, false) => &[Permission::ProjectUpdate],
            (false, true) => &[Permission::QuotaUpdate],
            (true, true) => &[Permission::ProjectUpdate, Permission::QuotaUpdate],
        }
    }
}

/// Changes a project: its name, or what it is given.
#[utoipa::path(
    patch, path = "/projects/{project}", tag = "projects", operation_id = "edit_project",
    security(("bearer" = ["project.update"])),
    params(("project" = schemas::Slug, Path), schemas::IfMatch),
    request_body(content((EditedProject = "application/merge-patch+json"), (EditedProject = "application/json"))),
    responses(
        (status = 200, body = ProjectView, headers(("etag"))),
        (status = 403, description = "installation_only"),
        (status = 404, description = "project_not_found, plan_not_found"),
        (status = 412, description = "version_conflict"),
    ),
)]
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    mut caller: Caller,
    ProjectPath(slug): ProjectPath,
    if_match: IfMatch,
    CheckedPatch(edited, check): CheckedPatch<EditedProject>,
) -> Result<Answer<ProjectView>, Problem> {
    let needed = edited.permissions();
    needed.iter().try_for_each(|permission| caller.require(*permission))?;
    caller.actor.needs = needed.iter().copied().collect();
    let project = visible(&state, &caller, &slug).await?;
    if edited.changes_terms() {
        caller.require_installation()?;
    }
    let expected = if_match.expected(project.version)?;
    let edit = read(edited, check, caller.actor.at)?;
    let project = change(state, caller.actor, slug, ProjectChange::Edit(Box::new(edit)), expected).await?;
    Ok(answer(project))
}

fn read(edited: EditedProject, mut check: Check, now: Timestamp) -> Result<ProjectEdit, Problem> {
    let name = edited.name.as_deref().and_then(|name| check.name(Place::field("name"), Some(name)));
    let plan = edited.plan.map(|plan| check.slug(Place::field("plan"), plan.as_deref()));
    let ends_at = edited.plan_ends_at;
    let plan_ends_at = ends_at.map(|text| check.future(Place::field("plan_ends_at"), text.as_deref(), now));
    let limits = edited.limits.map(Option::unwrap_or_default);
    let limits = limits.and_then(|limits| terms::limits(&mut check, "/limits", &limits));
    let max_active_keys = edited.max_active_keys;
    terms::max_active_keys(&mut check, max_active_keys.flatten());
    check.finish(Some(ProjectEdit { name, plan, plan_ends_at, limits, max_active_keys }))
}
