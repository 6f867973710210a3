//! `[senders]`: who uses which key, and how long that is remembered.

use serde::Deserialize;

use super::Span;

/// `[senders]`
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SendersConfig {
    /// Senders held in memory at the most.
    pub entries: usize,
    /// The pause between two writes.
    pub flush_interval: Span,
    /// How long a sender that is not seen any more is remembered.
    pub keep: Span,
}

impl Default for SendersConfig {
    fn default() -> Self {
        Self { entries: 100_000, flush_interval: Span::seconds(10), keep: Span::seconds(30 * 24 * 3600) }
    }
}
