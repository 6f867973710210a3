//! Metrics of forwarding: one set for each destination, whose names the configuration bounds.

use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

type Labels = Vec<(&'static str, String)>;

/// A gauge of what cannot be negative.
pub type Level = Gauge<u64, AtomicU64>;

/// What is counted of one destination.
#[derive(Clone, Default, Debug)]
pub struct ForwardMetrics {
    /// Records that the backend has taken.
    pub delivered_records: Counter,
    /// Times that a record could not be sent and has to be sent again.
    pub retried_records: Counter,
    /// Records set aside.
    pub quarantined_records: Counter,
    /// Items that the backend has taken.
    pub delivered_items: Counter,
    /// Items that the backend has rejected of records that it took (`partial_success`).
    pub rejected_items: Counter,
    /// Items set aside.
    pub quarantined_items: Counter,
    /// Bytes of records that the backend has taken, as the log has them.
    pub delivered_bytes: Counter,
    /// Bytes of records set aside.
    pub quarantined_bytes: Counter,
    /// Segments of its own, made of records that waited too long in the shared log.
    pub moved_segments: Counter,
    /// Bytes that wait for the destination or lie in its quarantine.
    pub backlog_bytes: Level,
    /// The age of the oldest record that waits, in seconds.
    pub oldest_seconds: Level,
    /// Tenants whose records the backend does not take at present.
    pub stuck_tenants: Level,
}

impl ForwardMetrics {
    /// Metrics of each destination in `names`, shown by `registry`.
    pub(super) fn register(registry: &mut Registry, names: &[String]) -> Vec<Self> {
        let mut counters = |name: &str, help: &str| {
            let family = Family::<Labels, Counter>::default();
            registry.register(name, help, family.clone());
            family
        };
        let records = counters("forward_records", "Records sent on, by outcome");
        let items = counters("forward_items", "Items sent on, by outcome");
        let bytes = counters("forward_bytes", "Bytes of records sent on, by outcome");
        let moved = counters("forward_moved_segments", "Segments of records that waited too long in the shared log");
        let mut levels = |name: &str, help: &str| {
            let family = Family::<Labels, Level>::default();
            registry.register(name, help, family.clone());
            family
        };
        let backlog = levels("forward_backlog_bytes", "Bytes that wait for a destination or lie in its quarantine");
        let oldest = levels("forward_oldest_seconds", "Age of the oldest record that waits for a destination");
        let stuck = levels("forward_stuck_tenants", "Tenants whose records a destination does not take at present");
        let of = |name: &String| {
            let labels = vec![("destination", name.clone())];
            let outcome = |family: &Family<Labels, Counter>, outcome: &str| {
                family.get_or_create_owned(&[labels.clone(), vec![("outcome", outcome.to_owned())]].concat())
            };
            Self {
                delivered_records: outcome(&records, "delivered"),
                retried_records: outcome(&records, "retried"),
                quarantined_records: outcome(&records, "quarantined"),
                delivered_items: outcome(&items, "delivered"),
                rejected_items: outcome(&items, "rejected"),
                quarantined_items: outcome(&items, "quarantined"),
                delivered_bytes: outcome(&bytes, "delivered"),
                quarantined_bytes: outcome(&bytes, "quarantined"),
                moved_segments: moved.get_or_create_owned(&labels),
                backlog_bytes: backlog.get_or_create_owned(&labels),
                oldest_seconds: oldest.get_or_create_owned(&labels),
                stuck_tenants: stuck.get_or_create_owned(&labels),
            }
        };
        names.iter().map(of).collect()
    }
}
