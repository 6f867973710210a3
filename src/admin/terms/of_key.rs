//! `GET /keys/{id}/limits`

use axum::extract::State;

use super::live::effective;
use super::{Answer, LimitsView, answer, of_tenant};
use crate::admin::AdminState;
use crate::admin::body::KeyPath;
use crate::admin::caller::Caller;
use crate::admin::keys;
use crate::admin::openapi::schemas;
use crate::admin::problem::Problem;
use crate::domain::limit::ScopeId;
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
        all.extend(effective(&state, &ScopeId::Key(key.id), &key.limits, plan.as_ref()).await?);
        all.extend(of_tenant::effective_around(&state, tenant, &own, &project, plan.as_ref()).await?);
    }
    Ok(answer(key.version, &key.limits, all))
}
