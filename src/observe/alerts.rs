//! Metrics of alerts, of this process.

use std::sync::Arc;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use crate::domain::alert::KINDS;
use crate::domain::webhook::EventKind;

/// How many alerts were given.
#[derive(Clone, Default, Debug)]
pub struct AlertMetrics {
    /// In the order of [`KINDS`].
    given: Arc<[Counter]>,
}

impl AlertMetrics {
    /// Metrics that `registry` shows.
    pub(super) fn register(registry: &mut Registry) -> Self {
        let family = Family::<Vec<(&'static str, &'static str)>, Counter>::default();
        registry.register("alerts", "Alerts that were given, by kind", family.clone());
        Self { given: KINDS.iter().map(|kind| family.get_or_create_owned(&vec![("alert", kind.as_str())])).collect() }
    }

    /// One of `kind` was given.
    pub fn given(&self, kind: EventKind) {
        if let Some(index) = KINDS.iter().position(|&one| one == kind)
            && let Some(counter) = self.given.get(index)
        {
            counter.inc();
        }
    }
}
