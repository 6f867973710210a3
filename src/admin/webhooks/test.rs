//! `POST /webhooks/{id}/test`

use axum::Json;
use axum::extract::State;
use serde_json::json;

use super::{DeliveryView, visible};
use crate::admin::AdminState;
use crate::admin::body::{Empty, WebhookPath};
use crate::admin::caller::Caller;
use crate::admin::openapi::schemas;
use crate::admin::problem::Problem;
use crate::domain::Permission;
use crate::domain::webhook::{Delivery, DeliveryState, EventId};
use crate::upkeep::webhooks::message::{Event, message};
use crate::upkeep::webhooks::send::Sent;

/// What a test tells of.
const TEST: &str = "webhook.test";

/// Sends a message at once, disabled or not, and says what came of it. It is not sent again.
#[utoipa::path(
    post, path = "/webhooks/{id}/test", tag = "webhooks", operation_id = "test_webhook",
    security(("bearer" = ["webhook.update"])),
    params(("id" = schemas::WebhookId, Path)),
    responses((status = 200, body = DeliveryView), (status = 404, description = "webhook_not_found")),
)]
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
    WebhookPath(id): WebhookPath,
    _: Empty,
) -> Result<Json<DeliveryView>, Problem> {
    caller.require(Permission::WebhookUpdate)?;
    let webhook = visible(&state, &caller, &id).await?;
    let now = state.clock.now();
    let event = EventId::new(now, &*state.random)?;
    let subject = webhook.id.to_string();
    let data = json!({"webhook": subject, "asked_by": caller.key.to_string()});
    let payload = message(&Event { id: event, kind: TEST, at: now, subject: &subject, data });
    let Sent { attempt, .. } = state.webhooks.attempt(&webhook, event, &payload).await;
    let state_after = if attempt.succeeded() { DeliveryState::Delivered } else { DeliveryState::Failed };
    let delivery = Delivery {
        webhook: webhook.id,
        event,
        kind: TEST.to_owned(),
        payload,
        created_at: now,
        state: state_after,
        attempts: 1,
        last: Some(attempt),
    };
    state.catalog.add_delivery(&delivery).await?;
    Ok(Json(DeliveryView::new(&delivery)))
}
