//! What a message says: an event in the JSON form of CloudEvents 1.0.

use serde::Serialize;
use serde_json::Value;

use crate::domain::Timestamp;
use crate::domain::webhook::EventId;

/// What happened.
#[derive(Clone, Debug)]
pub struct Event<'a> {
    /// The event's id.
    pub id: EventId,
    /// What happened, without the prefix of its type.
    pub kind: &'a str,
    /// When it happened.
    pub at: Timestamp,
    /// What it happened to: a key's id, as a rule.
    pub subject: &'a str,
    /// What there is to say about it.
    pub data: Value,
}

/// In the order in which the specification lists them.
#[derive(Serialize)]
struct CloudEvent<'a> {
    id: String,
    source: &'static str,
    specversion: &'static str,
    r#type: String,
    datacontenttype: &'static str,
    subject: &'a str,
    time: String,
    data: &'a Value,
}

/// The message that tells of `event`.
#[must_use]
pub fn message(event: &Event<'_>) -> String {
    let view = CloudEvent {
        id: event.id.to_string(),
        source: "urn:gridgate",
        specversion: "1.0",
        r#type: format!("gridgate.{}", event.kind),
        datacontenttype: "application/json",
        subject: event.subject,
        time: event.at.to_string(),
        data: &event.data,
    };
    // A view holds nothing but text and values of JSON.
    serde_json::to_string(&view).unwrap_or_default()
}
