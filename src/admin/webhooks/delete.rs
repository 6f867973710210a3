//! `DELETE /webhooks/{id}`

use axum::extract::State;
use http::StatusCode;

use super::visible;
use crate::admin::AdminState;
use crate::admin::body::{Empty, WebhookPath};
use crate::admin::caller::Caller;
use crate::admin::openapi::schemas;
use crate::admin::precondition::IfMatch;
use crate::admin::problem::Problem;
use crate::catalog::Entity;
use crate::domain::Permission;

/// Takes a webhook away, with the record of its messages.
#[utoipa::path(
    delete, path = "/webhooks/{id}", tag = "webhooks", operation_id = "delete_webhook",
    security(("bearer" = ["webhook.delete"])),
    params(("id" = schemas::WebhookId, Path), schemas::IfMatch),
    responses(
        (status = 204),
        (status = 404, description = "webhook_not_found"),
        (status = 412, description = "version_conflict"),
    ),
)]
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
    WebhookPath(id): WebhookPath,
    if_match: IfMatch,
    _: Empty,
) -> Result<StatusCode, Problem> {
    caller.require(Permission::WebhookDelete)?;
    let expected = if_match.expected(visible(&state, &caller, &id).await?.version)?;
    let deleted = state.catalog.delete_webhook(&id, expected, &caller.actor).await?;
    if deleted { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::not_found(Entity::Webhook)) }
}
