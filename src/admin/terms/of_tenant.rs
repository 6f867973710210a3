//! `PATCH /projects/{project}/grids/{grid}/environments/{environment}/limits`

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::live::effective;
use super::{Answer, EffectiveLimit, LimitsView, NewLimit, answer, plan_of};
use crate::admin::AdminState;
use crate::admin::body::{self, CheckedPatch, TenantPath};
use crate::admin::caller::Caller;
use crate::admin::keys::to_the_end;
use crate::admin::openapi::schemas;
use crate::admin::precondition::IfMatch;
use crate::admin::problem::{Place, Problem};
use crate::admin::projects;
use crate::catalog::{CatalogError, Entity, TenantLimits};
use crate::domain::limit::ScopeId;
use crate::domain::{Permission, Plan, Project, Tenant};

/// The body.
#[derive(Default, Debug, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EditedLimits {
    /// The limits of the tenant's own, all of them; null: none.
    #[serde(deserialize_with = "body::nullable", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<NewLimit>>, max_items = 35, required = true)]
    pub limits: Option<Option<Vec<NewLimit>>>,
}

impl body::Patch for EditedLimits {
    const FIXED: &[(&str, &str)] =
        &[("effective", "leave it out: it follows from the limits, those of the project and those of its plan")];
}

/// Replaces the limits of a tenant's own, which come before those that its project's plan has for tenants.
#[utoipa::path(
    patch, path = "/projects/{project}/grids/{grid}/environments/{environment}/limits", tag = "limits",
    operation_id = "edit_tenant_limits",
    security(("bearer" = ["quota.update"])),
    params(
        ("project" = schemas::Slug, Path), ("grid" = schemas::Slug, Path), ("environment" = schemas::Slug, Path),
        schemas::IfMatch,
    ),
    request_body(content((EditedLimits = "application/merge-patch+json"), (EditedLimits = "application/json"))),
    responses(
        (status = 200, body = LimitsView, headers(("etag"))),
        (status = 404, description = "project_not_found, grid_not_found, environment_not_found"),
        (status = 412, description = "version_conflict"),
    ),
)]
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
    TenantPath(tenant): TenantPath,
    if_match: IfMatch,
    CheckedPatch(edited, mut check): CheckedPatch<EditedLimits>,
) -> Result<Answer, Problem> {
    caller.require(Permission::QuotaUpdate)?;
    let (project, plan) = around(&state, &caller, &tenant).await?;
    require(&state, &tenant).await?;
    let expected = if_match.expected(state.catalog.tenant_limits(&tenant).await?.version)?;
    if edited.limits.is_none() {
        check.missing(Place::field("limits"));
    }
    let limits = super::limits(&mut check, "/limits", &edited.limits.flatten().unwrap_or_default());
    let limits = check.finish(limits)?;
    let (of, changing) = (tenant.clone(), state.clone());
    let changed = to_the_end(async move {
        let changed = changing.catalog.change_tenant_limits(&of, &limits, expected, &caller.actor).await;
        // Also after an error: the commit may have happened although its answer was lost.
        (changing.project_changed)(&of.project);
        changed
    });
    let (own, _) = changed.await??;
    everything(&state, &tenant, &own, &project, plan.as_ref()).await
}

/// The project of a tenant, if the caller may see it, and its plan.
pub(super) async fn around(
    state: &AdminState,
    caller: &Caller,
    tenant: &Tenant,
) -> Result<(Project, Option<Plan>), Problem> {
    let project = projects::visible(state, caller, &tenant.project).await?;
    let plan = plan_of(state, &project).await?;
    Ok((project, plan))
}

/// Requires that grid and environment exist. The tenant itself comes into being with its first key, or its first limits.
pub(super) async fn require(state: &AdminState, tenant: &Tenant) -> Result<(), Problem> {
    if state.catalog.grid(&tenant.project, &tenant.grid).await?.is_none() {
        return Err(Problem::not_found(Entity::Grid));
    }
    let environments = state.catalog.environments().await?;
    let known = environments.iter().any(|environment| environment.slug == tenant.environment);
    if known { Ok(()) } else { Err(Problem::not_found(Entity::Environment)) }
}

/// What holds for a tenant.
pub(super) async fn everything(
    state: &AdminState,
    tenant: &Tenant,
    own: &TenantLimits,
    project: &Project,
    plan: Option<&Plan>,
) -> Result<Answer, Problem> {
    let all = effective_around(state, tenant, own, project, plan).await?;
    Ok(answer(own.version, &own.limits, all))
}

/// What holds for a tenant and for its project.
pub(super) async fn effective_around(
    state: &AdminState,
    tenant: &Tenant,
    own: &TenantLimits,
    project: &Project,
    plan: Option<&Plan>,
) -> Result<Vec<EffectiveLimit>, CatalogError> {
    let mut all = effective(state, &ScopeId::Tenant(tenant.clone()), &own.limits, plan).await?;
    all.extend(effective(state, &ScopeId::Project(tenant.project.clone()), &project.limits, plan).await?);
    Ok(all)
}
