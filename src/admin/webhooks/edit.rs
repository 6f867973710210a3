//! `PATCH /webhooks/{id}`

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};

use super::{WebhookView, events, note, url, visible};
use crate::admin::AdminState;
use crate::admin::body::{self, WebhookPath};
use crate::admin::caller::Caller;
use crate::admin::check::Check;
use crate::admin::problem::Problem;
use crate::catalog::Entity;
use crate::domain::Permission;
use crate::domain::webhook::{WebhookChange, WebhookEdit};

/// The body: what is left out stays as it is.
#[derive(Default, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EditedWebhook {
    /// Where messages are sent.
    pub url: Option<String>,
    /// What it is told of, by name; at least one.
    pub events: Option<Vec<String>>,
    /// Free text for people.
    pub note: Option<String>,
    /// Whether nothing is sent. What waits is sent once it is enabled again.
    pub disabled: Option<bool>,
}
