//! `GET /webhooks/{id}`

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;

use super::{WebhookView, visible};
use crate::admin::AdminState;
use crate::admin::body::WebhookPath;
use crate::admin::caller::Caller;
use crate::admin::openapi::schemas;
use crate::admin::precondition::etag;
use crate::admin::problem::Problem;
use crate::domain::Permission;

/// One webhook.
#[utoipa::path(
    get, path = "/webhooks/{id}", tag = "webhooks", operation_id = "show_webhook",
    security(("bearer" = ["webhook.view"])),
    params(("id" = schemas::WebhookId, Path)),
    responses(
        (status = 200, body = WebhookView, headers(("etag"))),
        (status = 404, description = "webhook_not_found"),
    ),
)]
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
    WebhookPath(id): WebhookPath,
) -> Result<impl IntoResponse, Problem> {
    caller.require(Permission::WebhookView)?;
    let webhook = visible(&state, &caller, &id).await?;
    Ok((etag(webhook.version), Json(WebhookView::new(&webhook, state.clock.now()))))
}
