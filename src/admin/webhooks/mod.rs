//! Webhooks: what is shown of them, and what their verbs share.

pub mod create;
pub(super) mod delete;
pub(super) mod deliveries;
pub mod edit;
pub(super) mod list;
pub(super) mod rotate_secret;
pub(super) mod show;
pub(super) mod test;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::AdminState;
use super::caller::Caller;
use super::check::Check;
use super::openapi::schemas;
use super::problem::{Place, Problem};
use crate::catalog::Entity;
use crate::domain::webhook::{Attempt, Delivery, DeliveryState, EventKind, Webhook, WebhookId};
use crate::domain::{Slug, Timestamp};
use crate::upkeep::webhooks::sign::Signer;

/// A webhook in answers. Instants are RFC 3339; the signing secret is shown when it is made, and never again.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct WebhookView {
    /// The public id, `whk_…`.
    #[schema(value_type = schemas::WebhookId)]
    pub id: String,
    /// The project whose keys it is told of; none: every project's, and the installation's.
    #[schema(value_type = Option<schemas::Slug>)]
    pub project: Option<String>,
    /// Where messages are sent.
    pub url: String,
    /// Free text for people.
    pub note: String,
    /// What it is told of, by name.
    #[schema(value_type = Vec<schemas::Event>)]
    pub events: Vec<String>,
    /// `active` or `disabled`.
    #[schema(value_type = schemas::WebhookStatus)]
    pub status: String,
    /// Since when nothing is sent.
    #[schema(value_type = Option<schemas::Instant>)]
    pub disabled_at: Option<String>,
    /// Why nothing is sent: `asked`, `failing` or `gone`.
    #[schema(value_type = Option<schemas::WebhookDisabled>)]
    pub disabled_because: Option<String>,
    /// Since when every attempt has failed.
    #[schema(value_type = Option<schemas::Instant>)]
    pub failing_since: Option<String>,
    /// The version of the signing secret, 1 for the first.
    pub secret_version: u32,
    /// Until when messages are also signed by the secret before.
    #[schema(value_type = Option<schemas::Instant>)]
    pub previous_secret_until: Option<String>,
    /// Counts the changes; the `ETag`.
    pub version: u64,
    /// When it was created.
    #[schema(value_type = schemas::Instant)]
    pub created_at: String,
    /// The admin key that created it.
    #[schema(value_type = schemas::KeyId)]
    pub created_by: String,
    /// When it was last changed.
    #[schema(value_type = schemas::Instant)]
    pub updated_at: String,
}

/// The answer that shows a signing secret.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct WebhookWithSecret {
    /// The webhook.
    pub webhook: WebhookView,
    /// Its newest signing secret, `whsec_…`, as the libraries of Standard Webhooks take it.
    pub secret: String,
}

/// A message on its way to a webhook, in answers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct DeliveryView {
    /// The event's id, `evt_…`: what the message's `webhook-id` header says.
    #[schema(pattern = "^evt_[0-9a-f]{32}$")]
    pub event: String,
    /// What it tells of.
    pub kind: String,
    /// `pending`, `delivered` or `failed`.
    #[schema(value_type = schemas::DeliveryState)]
    pub state: String,
    /// When the event was written down.
    #[schema(value_type = schemas::Instant)]
    pub created_at: String,
    /// How often it was sent.
    pub attempts: u32,
    /// When it is sent again.
    #[schema(value_type = Option<schemas::Instant>)]
    pub next_at: Option<String>,
    /// When it was last sent.
    #[schema(value_type = Option<schemas::Instant>)]
    pub attempted_at: Option<String>,
    /// How long the last attempt took.
    pub duration_ms: Option<u64>,
    /// The HTTP status of the last answer.
    pub status: Option<u16>,
    /// Why the last attempt failed.
    pub error: Option<String>,
}

impl WebhookView {
    /// What `webhook` looks like at `now`.
    #[must_use]
    pub fn new(webhook: &Webhook, now: Timestamp) -> Self {
        let previous = webhook.previous.filter(|&(_, until)| now < until);
        Self {
            id: webhook.id.to_string(),
            project: webhook.project.as_ref().map(Slug::to_string),
            url: webhook.url.clone(),
            note: webhook.note.clone(),
            events: webhook.events.iter().map(EventKind::to_string).collect(),
            status: if webhook.disabled.is_none() { "active" } else { "disabled" }.to_owned(),
            disabled_at: webhook.disabled.map(|(at, _)| at.to_string()),
            disabled_because: webhook.disabled.map(|(_, because)| because.as_str().to_owned()),
            failing_since: webhook.failing_since.as_ref().map(Timestamp::to_string),
            secret_version: webhook.secret.version,
            previous_secret_until: previous.map(|(_, until)| until.to_string()),
            version: webhook.version,
            created_at: webhook.created_at.to_string(),
            created_by: webhook.created_by.to_string(),
            updated_at: webhook.updated_at.to_string(),
        }
    }
}

impl WebhookWithSecret {
    fn new(webhook: &Webhook, state: &AdminState) -> Result<Self, Problem> {
        let signer = Signer::new(webhook.id, webhook.secret, &state.peppers)
            .ok_or_else(|| Problem::internal("the pepper of a new signing secret is missing"))?;
        let secret = signer.reveal().to_string();
        Ok(Self { webhook: WebhookView::new(webhook, state.clock.now()), secret })
    }
}

impl DeliveryView {
    fn new(delivery: &Delivery) -> Self {
        let next_at = match delivery.state {
            DeliveryState::Pending { next_at } => Some(next_at.to_string()),
            DeliveryState::Delivered | DeliveryState::Failed => None,
        };
        let millis = |attempt: &Attempt| u64::try_from(attempt.took.as_millis()).unwrap_or(u64::MAX);
        let last = delivery.last.as_ref();
        Self {
            event: delivery.event.to_string(),
            kind: delivery.kind.clone(),
            state: delivery.state.as_str().to_owned(),
            created_at: delivery.created_at.to_string(),
            attempts: delivery.attempts,
            next_at,
            attempted_at: last.map(|last| last.at.to_string()),
            duration_ms: last.map(millis),
            status: last.and_then(|last| last.status),
            error: last.and_then(|last| last.error.clone()),
        }
    }
}

/// The webhook `id`, if it exists and the caller may see it.
async fn visible(state: &AdminState, caller: &Caller, id: &WebhookId) -> Result<Webhook, Problem> {
    let webhook = state.catalog.webhook(id).await?;
    webhook
        .filter(|webhook| caller.binding.covers(webhook.project.as_ref()))
        .ok_or_else(|| Problem::not_found(Entity::Webhook))
}

/// The events that are named, each once and at least one.
fn events(check: &mut Check, names: &[String]) -> Option<BTreeSet<EventKind>> {
    let fix =
        || format!("one or more of {}", EventKind::ALL.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(", "));
    if names.is_empty() {
        check.refuse(Place::field("events"), "the list is empty", fix());
        return None;
    }
    let mut events = BTreeSet::new();
    let mut good = true;
    for (index, name) in names.iter().enumerate() {
        let detail = match name.parse() {
            Ok(kind) if events.insert(kind) => continue,
            Ok(_) => "the event is there twice",
            Err(_) => "there is no such event",
        };
        check.refuse(Place::Pointer(format!("/events/{index}")), detail, fix());
        good = false;
    }
    good.then_some(events)
}

/// Whether messages can be sent to `url`; if not, `check` is told.
async fn url(check: &mut Check, state: &AdminState, url: &str) -> Option<String> {
    match state.webhooks.check(url).await {
        Ok(()) => Some(url.to_owned()),
        Err(error) => {
            let fix = "an https URL of a public host, of at most 2048 characters, without credentials and fragment";
            check.refuse(Place::field("url"), error.to_string(), fix);
            None
        }
    }
}
