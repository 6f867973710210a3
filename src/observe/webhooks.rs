//! Metrics of webhooks: of all together, since who makes webhooks must not make time series.

use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

type Labels = Vec<(&'static str, &'static str)>;

/// What is counted of webhooks.
#[derive(Clone, Default, Debug)]
pub struct WebhookMetrics {
    /// Messages that a receiver has taken.
    pub delivered: Counter,
    /// Attempts that failed and are made again.
    pub retried: Counter,
    /// Messages that are not sent again, because every attempt failed.
    pub failed: Counter,
    /// Webhooks that were disabled because nothing arrived.
    pub disabled: Counter,
    /// Messages that wait to be sent, again or for the first time.
    pub pending: Gauge<u64, AtomicU64>,
}

impl WebhookMetrics {
    /// Metrics that `registry` shows.
    pub(super) fn register(registry: &mut Registry) -> Self {
        let attempts = Family::<Labels, Counter>::default();
        registry.register("webhook_attempts", "Attempts to send a webhook's message, by outcome", attempts.clone());
        let outcome = |outcome| attempts.get_or_create_owned(&vec![("outcome", outcome)]);
        let (disabled, pending) = (Counter::default(), Gauge::default());
        registry.register("webhooks_disabled", "Webhooks disabled because nothing arrived", disabled.clone());
        registry.register("webhook_pending", "Messages of webhooks that wait to be sent", pending.clone());
        Self {
            delivered: outcome("delivered"),
            retried: outcome("retried"),
            failed: outcome("failed"),
            disabled,
            pending,
        }
    }
}
