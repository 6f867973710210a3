//! `GET /webhooks/{id}`

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;

use super::{WebhookView, visible};
use crate::admin::AdminState;
use crate::admin::body::WebhookPath;
use crate::admin::caller::Caller;
use crate::admin::precondition::etag;
use crate::admin::problem::Problem;
use crate::domain::Permission;

/// One webhook.
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
    WebhookPath(id): WebhookPath,
) -> Result<impl IntoResponse, Problem> {
    caller.require(Permission::WebhookView)?;
    let webhook = visible(&state, &caller, &id).await?;
    Ok((etag(webhook.version), Json(WebhookView::new(&webhook, state.clock.now()))))
}
