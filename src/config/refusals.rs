//! What is remembered of exports that are turned away.

use serde::Deserialize;

use super::Span;

/// `[refusals]`
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RefusalsConfig {
    /// How long after it happened it is written down at the latest.
    pub flush_interval: Span,
    /// Groups that wait to be written down, at the most.
    pub entries: usize,
    /// Groups of one project, and of all that nobody proved anything of.
    pub groups: u32,
    /// How long a group is kept after its last export.
    pub keep: Span,
}

impl Default for RefusalsConfig {
    fn default() -> Self {
        Self { flush_interval: Span::seconds(5), entries: 20_000, groups: 1_000, keep: Span::seconds(14 * 24 * 3600) }
    }
}
