//! `GET /keys/{id}/limits`

use axum::extract::State;

use super::{Answer, LimitsView, answer, effective, of_tenant};
use crate::admin::AdminState;
use crate::admin::body::KeyPath;
use crate::admin::caller::Caller;
use crate::admin::keys;
use crate::admin::openapi::schemas;
use crate::admin::problem::Problem;
use crate::domain::limit::Scope;
use crate::domain::{Binding, Permission};

/// The limits of a key: its own, and everything that its exports have to keep to. They are changed by an edit of the key.
#[utoipa::path(
    get, path = "/keys/{id}/limits", tag = "limits", operation_id = "show_key_limits",
    security(("bearer" = ["quota.view"])),
    params(("id" = schemas::KeyId, Path)),
    responses((status = 200, body = LimitsView, headers(("etag"))), (status = 404, description = "key_not_found")),
)]
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
    KeyPath(id): KeyPath,
) -> Result<Answer, Problem> {
    caller.require(Permission::QuotaView)?;
    let key = keys::visible(&state, &caller, &id).await?;
    let mut all = Vec::new();
    // Admin keys have no limits.
    if let Binding::Tenant(tenant) = &key.binding {
        let (project, plan) = of_tenant::around(&state, &caller, tenant).await?;
        let own = state.catalog.tenant_limits(tenant).await?;
        all.extend(effective(Scope::Key, &key.limits, plan.as_ref()));
        all.extend(effective(Scope::Tenant, &own.limits, plan.as_ref()));
        all.extend(effective(Scope::Project, &project.limits, plan.as_ref()));
    }
    Ok(answer(key.version, &key.limits, all))
}
