//! `PATCH /plans/{slug}`

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{NewPlanLimits, PlanView, find, limits};
use crate::admin::AdminState;
use crate::admin::body::{self, CheckedPatch, PlanPath};
use crate::admin::caller::Caller;
use crate::admin::check::Check;
use crate::admin::keys::to_the_end;
use crate::admin::openapi::schemas;
use crate::admin::precondition::IfMatch;
use crate::admin::precondition::etag;
use crate::admin::problem::{Place, Problem};
use crate::admin::terms;
use crate::catalog::Entity;
use crate::domain::Permission;
use crate::domain::plan::PlanEdit;

/// The body, a JSON merge patch (RFC 7396): what is absent stays. A list of limits replaces the one that was there.
#[derive(Default, Debug, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EditedPlan {
    /// Free text for people.
    #[serde(deserialize_with = "body::present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schemas::Name, required = false)]
    pub name: Option<String>,
    /// More text for people.
    #[serde(deserialize_with = "body::present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schemas::Note, required = false)]
    pub note: Option<String>,
    /// What it limits.
    #[serde(deserialize_with = "body::present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = NewPlanLimits, required = false)]
    pub limits: Option<NewPlanLimits>,
    /// How many keys of each environment of a project may be active at once; null: as many as the configuration says.
    #[serde(deserialize_with = "body::nullable", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 1_000_000)]
    pub max_active_keys: Option<Option<u32>>,
}

impl body::Patch for EditedPlan {
    const FIXED: &[(&str, &str)] = &[
        ("slug", "leave it out: it never changes; create another plan"),
        ("created_at", "leave it out: it never changes"),
        ("updated_at", "leave it out: it follows from what happens to the plan"),
        ("version", "leave it out; say by if-match which version the edit is meant for"),
    ];
}

/// Changes a plan, and with it what every project has that has the plan. Only keys of the whole installation may.
#[utoipa::path(
    patch, path = "/plans/{slug}", tag = "plans", operation_id = "edit_plan",
    security(("bearer" = ["quota.update"])),
    params(("slug" = schemas::Slug, Path), schemas::RequiredIfMatch),
    request_body(content((EditedPlan = "application/merge-patch+json"), (EditedPlan = "application/json"))),
    responses(
        (status = 200, body = PlanView, headers(("etag"))),
        (status = 403, description = "installation_only"),
        (status = 404, description = "plan_not_found"),
        (status = 412, description = "version_conflict"),
        (status = 428, description = "precondition_required"),
    ),
)]
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
    PlanPath(slug): PlanPath,
    if_match: IfMatch,
    CheckedPatch(edited, check): CheckedPatch<EditedPlan>,
) -> Result<impl IntoResponse, Problem> {
    caller.require(Permission::QuotaUpdate)?;
    caller.require_installation()?;
    let plan = find(&state, &slug).await?;
    let expected = if_match.required(plan.version)?;
    let edit = read(&edited, check)?;
    let changed = to_the_end(async move {
        let changed = state.catalog.change_plan(&slug, &edit, expected, &caller.actor).await;
        // Also after an error: the commit may have happened although its answer was lost.
        (state.all_keys_changed)();
        changed
    });
    let (plan, _) = changed.await??.ok_or_else(|| Problem::not_found(Entity::Plan))?;
    Ok((etag(plan.version), Json(PlanView::from(plan))))
}

fn read(edited: &EditedPlan, mut check: Check) -> Result<PlanEdit, Problem> {
    let name = edited.name.as_deref().and_then(|name| check.name(Place::field("name"), Some(name)));
    let note = check.note(Place::field("note"), edited.note.as_deref());
    let limits = edited.limits.as_ref().map(|new| limits(&mut check, new)).unwrap_or_default();
    let max_active_keys = edited.max_active_keys;
    terms::max_active_keys(&mut check, max_active_keys.flatten());
    check.finish(Some(PlanEdit { name, note, limits, max_active_keys }))
}
