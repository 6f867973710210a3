//! `[requests]`: which single exports are remembered, and for how long.

use serde::Deserialize;

use super::{Share, Span};

/// `[requests]`
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RequestsConfig {
    /// Which part of the accepted exports is remembered; the others always are.
    pub sample: Share,
    /// Exports that wait to be written down, at the most.
    pub entries: usize,
    /// The pause between two writes.
    pub interval: Span,
    /// Exports that are kept, at the most.
    pub keep_rows: u64,
    /// For how long each is kept.
    pub keep: Span,
}

impl Default for RequestsConfig {
    fn default() -> Self {
        Self {
            sample: Share::per_million(10_000),
            entries: 5_000,
            interval: Span::seconds(5),
            keep_rows: 100_000,
            keep: Span::seconds(7 * 24 * 3600),
        }
    }
}
