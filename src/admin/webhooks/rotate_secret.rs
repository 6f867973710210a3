//! `POST /webhooks/{id}/rotate-secret`

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};

use super::{WebhookWithSecret, visible};
use crate::admin::AdminState;
use crate::admin::body::{Empty, WebhookPath};
use crate::admin::caller::Caller;
use crate::admin::once::Once;
use crate::admin::openapi::schemas;
use crate::admin::precondition::{IfMatch, etag};
use crate::admin::problem::Problem;
use crate::catalog::Entity;
use crate::domain::Permission;
use crate::domain::webhook::{WebhookChange, WebhookId};

/// Replaces the signing secret and shows the new one, once. For 24 hours messages are signed by both.
#[utoipa::path(
    post, path = "/webhooks/{id}/rotate-secret", tag = "webhooks", operation_id = "rotate_webhook_secret",
    security(("bearer" = ["webhook.update"])),
    params(("id" = schemas::WebhookId, Path), schemas::IfMatch, schemas::OnceHeader),
    responses(
        (status = 200, body = WebhookWithSecret, headers(("etag"))),
        (status = 404, description = "webhook_not_found"),
        (status = 412, description = "version_conflict"),
    ),
)]
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
    WebhookPath(id): WebhookPath,
    if_match: IfMatch,
    once: Once,
    _: Empty,
) -> Result<Response, Problem> {
    caller.require(Permission::WebhookUpdate)?;
    once.answer(state, caller, (), async move |state, caller, ()| rotate(state, caller, id, if_match).await).await
}

async fn rotate(
    state: AdminState,
    caller: Caller,
    id: WebhookId,
    if_match: IfMatch,
) -> Result<impl IntoResponse, Problem> {
    let expected = if_match.expected(visible(&state, &caller, &id).await?.version)?;
    let change = WebhookChange::RotateSecret { pepper: state.peppers.newest().version() };
    let changed = state.catalog.change_webhook(&id, &change, expected, &caller.actor).await?;
    let (webhook, _) = changed.ok_or_else(|| Problem::not_found(Entity::Webhook))?;
    Ok((etag(webhook.version), Json(WebhookWithSecret::new(&webhook, &state)?)))
}
