//! `POST /plans`

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{NewPlanLimits, PlanView, limits};
use crate::admin::AdminState;
use crate::admin::body;
use crate::admin::caller::Caller;
use crate::admin::check::Check;
use crate::admin::openapi::schemas;
use crate::admin::precondition::etag;
use crate::admin::problem::{Place, Problem};
use crate::admin::terms;
use crate::domain::{Permission, Plan, Timestamp};

/// The body.
#[derive(Default, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPlan {
    /// What projects refer to it by; unique and immutable.
    #[schema(value_type = schemas::Slug)]
    pub slug: Option<String>,
    /// Free text for people; the slug unless told otherwise.
    #[schema(value_type = Option<schemas::Name>)]
    pub name: Option<String>,
    /// More text for people.
    #[schema(value_type = Option<schemas::Note>)]
    pub note: Option<String>,
    /// What it limits; nothing unless told otherwise.
    pub limits: Option<NewPlanLimits>,
    /// How many keys of each environment of a project may be active at once; as many as the configuration says unless told otherwise.
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub max_active_keys: Option<u32>,
}

/// Creates a plan. Only keys of the whole installation may.
#[utoipa::path(
    post, path = "/plans", tag = "plans", operation_id = "create_plan",
    security(("bearer" = ["quota.update"])),
    request_body = NewPlan,
    responses(
        (status = 201, body = PlanView, headers(("location"), ("etag"))),
        (status = 403, description = "installation_only"),
        (status = 409, description = "plan_exists"),
    ),
)]
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
    body::Checked(new, check): body::Checked<NewPlan>,
) -> Result<impl IntoResponse, Problem> {
    caller.require(Permission::QuotaUpdate)?;
    caller.require_installation()?;
    let plan = read(&new, check, caller.actor.at)?;
    state.catalog.create_plan(&plan, &caller.actor).await?;
    let location = [(header::LOCATION, format!("/api/v1/plans/{}", plan.slug))];
    Ok((StatusCode::CREATED, location, etag(plan.version), Json(PlanView::from(plan))))
}

fn read(new: &NewPlan, mut check: Check, now: Timestamp) -> Result<Plan, Problem> {
    let named = check.slug_and_name(new.slug.as_deref(), new.name.as_deref());
    let note = check.note(Place::field("note"), new.note.as_deref()).unwrap_or_default();
    let limits = new.limits.as_ref().map(|new| limits(&mut check, new)).unwrap_or_default();
    terms::max_active_keys(&mut check, new.max_active_keys);
    let (slug, name) = check.finish(named)?;
    let limits = limits.map(Option::unwrap_or_default);
    Ok(Plan { note, limits, max_active_keys: new.max_active_keys, ..Plan::new(slug, name, now) })
}
