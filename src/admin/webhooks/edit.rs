//! `PATCH /webhooks/{id}`

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{WebhookView, events, url, visible};
use crate::admin::AdminState;
use crate::admin::body::{MergePatch, WebhookPath, nullable, present};
use crate::admin::caller::Caller;
use crate::admin::check::Check;
use crate::admin::openapi::schemas;
use crate::admin::precondition::{IfMatch, etag};
use crate::admin::problem::{Place, Problem};
use crate::catalog::Entity;
use crate::domain::Permission;
use crate::domain::webhook::{WebhookChange, WebhookEdit};

/// The body: what is left out stays as it is.
#[derive(Default, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EditedWebhook {
    /// Where messages are sent.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schemas::WebhookUrl>, nullable = false)]
    pub url: Option<String>,
    /// What it is told of, by name; at least one.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<schemas::Event>>, nullable = false, min_items = 1)]
    pub events: Option<Vec<String>>,
    /// Free text for people; `null` takes it away.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schemas::Note>)]
    pub note: Option<Option<String>>,
    /// Whether nothing is sent. What waits is sent once it is enabled again.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub disabled: Option<bool>,
}

/// Changes what people chose; project and secret stay.
#[utoipa::path(
    patch, path = "/webhooks/{id}", tag = "webhooks", operation_id = "edit_webhook",
    security(("bearer" = ["webhook.update"])),
    params(("id" = schemas::WebhookId, Path), schemas::RequiredIfMatch),
    request_body(content = EditedWebhook, content_type = "application/merge-patch+json"),
    responses(
        (status = 200, body = WebhookView, headers(("etag"))),
        (status = 404, description = "webhook_not_found"),
        (status = 412, description = "version_conflict"),
        (status = 428, description = "precondition_required"),
    ),
)]
pub(in crate::admin) async fn handler(
    State(state): State<AdminState>,
    caller: Caller,
    WebhookPath(id): WebhookPath,
    if_match: IfMatch,
    MergePatch(edited): MergePatch<EditedWebhook>,
) -> Result<impl IntoResponse, Problem> {
    caller.require(Permission::WebhookUpdate)?;
    let expected = if_match.required(visible(&state, &caller, &id).await?.version)?;
    let change = WebhookChange::Edit(read(&edited, &state).await?);
    let changed = state.catalog.change_webhook(&id, &change, expected, &caller.actor).await?;
    let (webhook, _) = changed.ok_or_else(|| Problem::not_found(Entity::Webhook))?;
    Ok((etag(webhook.version), Json(WebhookView::new(&webhook, caller.actor.at))))
}

async fn read(edited: &EditedWebhook, state: &AdminState) -> Result<WebhookEdit, Problem> {
    let mut check = Check::default();
    let events = edited.events.as_deref().and_then(|names| events(&mut check, names));
    let note = edited.note.as_ref().map(|text| text.as_deref().unwrap_or_default());
    let note = check.note(Place::field("note"), note);
    let url = match &edited.url {
        Some(text) => url(&mut check, state, text).await,
        None => None,
    };
    check.finish(Some(WebhookEdit { url, note, events, disabled: edited.disabled }))
}
