//! `GET /projects/{project}/grids/{grid}/environments/{environment}/limits`

use axum::extract::State;

use super::of_tenant::{around, everything, require};
use super::{Answer, LimitsView};
use crate::admin::AdminState;
use crate::admin::body::TenantPath;
use crate::admin::caller::Caller;
use crate::admin::openapi::schemas;
use crate::admin::problem::Problem;
use crate::domain::Permission;

/// The limits of a tenant: its own, and everything that the exports of all of its keys together have to keep to.
#[utoipa::path(
    get, path = "/projects/{project}/grids/{grid}/environments/{environment}/limits", tag = "limits",
    operation_id = "show_tenant_limits",
    security(("bearer" = ["quota.view"])),
    params(("project" = schemas::Slug, Path), ("grid" = schemas::Slug, Path), ("environment" = schemas::Slug, Path)),
    responses(
        (status = 200, body = LimitsView, headers(("etag"))),
        (status = 404, description = "project_not_found, grid_not_found, environment_not_found"),
    ),
)]
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
    TenantPath(tenant): TenantPath,
) -> Result<Answer, Problem> {
    caller.require(Permission::QuotaView)?;
    let (project, plan) = around(&state, &caller, &tenant).await?;
    require(&state, &tenant).await?;
    let own = state.catalog.tenant_limits(&tenant).await?;
    everything(&state, &tenant, &own, &project, plan.as_ref()).await
}
