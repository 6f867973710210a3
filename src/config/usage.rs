//! `[usage]`: how what came in is counted, and for how long that is kept.

use std::time::Duration;

use serde::Deserialize;

use super::Span;
use crate::domain::usage::Step;

/// `[usage]`
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UsageConfig {
    /// Whether anything is counted.
    pub enabled: bool,
    /// The pause between two writes.
    pub flush_interval: Span,
    /// Minutes of keys and signals that wait to be written, at the most.
    pub entries: usize,
    /// How long usage by minute is kept.
    pub keep_minutes: Span,
    /// How long usage by hour is kept.
    pub keep_hours: Span,
    /// How long usage by day is kept.
    pub keep_days: Span,
}

impl UsageConfig {
    /// How long usage by `step` is kept.
    #[must_use]
    pub const fn keep(&self, step: Step) -> Duration {
        match step {
            Step::Minute => self.keep_minutes.0,
            Step::Hour => self.keep_hours.0,
            Step::Day => self.keep_days.0,
        }
    }
}

impl Default for UsageConfig {
    fn default() -> Self {
        let days = |days: u64| Span::seconds(days * 24 * 3600);
        Self {
            enabled: true,
            flush_interval: Span::seconds(10),
            entries: 100_000,
            keep_minutes: days(2),
            keep_hours: days(62),
            keep_days: days(365),
        }
    }
}
