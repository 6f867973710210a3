//! `PATCH /webhooks/{id}`

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};

use super::{WebhookView, events, note, url, visible};
use crate::admin::AdminState;
use crate::admin::body::{MergePatch, WebhookPath, nullable, present};
use crate::admin::caller::Caller;
use crate::admin::check::Check;
use crate::admin::precondition::{IfMatch, etag};
use crate::admin::problem::Problem;
use crate::catalog::Entity;
use crate::domain::Permission;
use crate::domain::webhook::{WebhookChange, WebhookEdit};

/// The body: what is left out stays as it is.
#[derive(Default, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EditedWebhook {
    /// Where messages are sent.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// What it is told of, by name; at least one.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub events: Option<Vec<String>>,
    /// Free text for people; `null` takes it away.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Option::is_none")]
    pub note: Option<Option<String>>,
    /// Whether nothing is sent. What waits is sent once it is enabled again.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
}

/// Changes what people chose; project and secret stay.
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
    let note = edited.note.as_ref().and_then(|text| note(&mut check, text.as_deref().unwrap_or_default()));
    let url = match &edited.url {
        Some(text) => url(&mut check, state, text).await,
        None => None,
    };
    check.finish(Some(WebhookEdit { url, note, events, disabled: edited.disabled }))
}
