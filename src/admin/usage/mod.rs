//! Usage: how much came in and what became of it.

mod csv;
pub(super) mod list;
pub(super) mod top;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::openapi::schemas;
use crate::catalog::{Dimension, UsageRow};
use crate::domain::usage::{Amount, Fate};
pub use csv::CSV_HEAD;
pub use top::UsageTopView;

/// Usage of one step in answers. What it is not grouped by is null, and so are the names of what nobody proved to be anybody's.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize, ToSchema)]
pub struct UsageView {
    /// The beginning of the minute, hour or day, RFC 3339.
    #[schema(value_type = schemas::Instant)]
    pub at: String,
    /// The project.
    #[schema(value_type = Option<schemas::Slug>)]
    pub project: Option<String>,
    /// The grid.
    #[schema(value_type = Option<schemas::Slug>)]
    pub grid: Option<String>,
    /// The environment.
    #[schema(value_type = Option<schemas::Slug>)]
    pub environment: Option<String>,
    /// The key.
    #[schema(value_type = Option<schemas::KeyId>)]
    pub key: Option<String>,
    /// The signal.
    #[schema(value_type = Option<schemas::Signal>)]
    pub signal: Option<String>,
    /// `received`, `accepted`, `gone`, `would_refuse` or the reason of a refusal.
    pub outcome: Option<String>,
    /// Exports that came in and have ended: as many as were accepted, gone and refused.
    pub received: u64,
    /// Exports that were accepted.
    pub accepted: u64,
    /// Exports whose client left while the body was arriving.
    pub gone: u64,
    /// Exports that were refused.
    pub refused: u64,
    /// The same by reason.
    pub refused_by: BTreeMap<String, u64>,
    /// Accepted exports that a limit which is only watched would have refused.
    pub would_refuse: u64,
    /// Spans, data points, log records and samples of the accepted exports; where grouped by outcome, of this outcome's.
    pub items: u64,
    /// The size of these exports as they were sent, in bytes.
    pub wire_bytes: u64,
    /// The size of their payloads, decompressed, in bytes.
    pub bytes: u64,
}

/// How rows are shown.
#[derive(Clone, Debug)]
struct Grouping {
    by: Vec<Dimension>,
    /// Each outcome in a row of its own.
    by_outcome: bool,
}

impl Grouping {
    /// The rows that `row` is shown as.
    fn views(&self, row: &UsageRow) -> Vec<UsageView> {
        let mut named = UsageView { at: row.at.to_string(), ..UsageView::default() };
        for (by, name) in self.by.iter().zip(&row.names) {
            let field = match by {
                Dimension::Project => &mut named.project,
                Dimension::Grid => &mut named.grid,
                Dimension::Environment => &mut named.environment,
                Dimension::Key => &mut named.key,
                Dimension::Signal => &mut named.signal,
            };
            *field = (!name.is_empty()).then(|| name.clone());
        }
        if !self.by_outcome {
            row.amounts.iter().for_each(|(fate, amount)| named.count(*fate, amount));
            if let Some((_, accepted)) = row.amounts.iter().find(|(fate, _)| *fate == Fate::Accepted) {
                named.measure(accepted);
            }
            return vec![named];
        }
        let of_outcome = |(fate, amount): &(Fate, Amount)| {
            let mut view = UsageView { outcome: Some(fate.to_string()), ..named.clone() };
            view.count(*fate, amount);
            view.measure(amount);
            view
        };
        row.amounts.iter().map(of_outcome).collect()
    }
}

impl UsageView {
    fn count(&mut self, fate: Fate, amount: &Amount) {
        let exports = amount.exports;
        match fate {
            Fate::Received => self.received += exports,
            Fate::Accepted => self.accepted += exports,
            Fate::Gone => self.gone += exports,
            Fate::WouldRefuse => self.would_refuse += exports,
            Fate::Refused(reason) => {
                self.refused += exports;
                *self.refused_by.entry(reason.to_string()).or_default() += exports;
            }
        }
    }

    const fn measure(&mut self, amount: &Amount) {
        (self.items, self.wire_bytes, self.bytes) = (amount.items, amount.wire_bytes, amount.bytes);
    }
}
