//! Metrics of the gate, in the Prometheus text format at `/metrics`.
//!
//! Every label has a closed set of values, so that no client can make a new time series. The counters of an export are looked
//! up once, at start-up; counting is one addition.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use super::alerts::AlertMetrics;
use super::forward::ForwardMetrics;
use super::hygiene::HygieneMetrics;
use super::jobs::JobMetrics;
use super::tls::TlsMetrics;
use super::webhooks::WebhookMetrics;
use crate::domain::{Reason, Signal, Transport};

/// Why a connection is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Crowded {
    /// There are too many.
    Total,
    /// Too many come from one address.
    Address,
    /// Connections hold too much memory.
    Memory,
    /// The operating system did not hand it over: there are no file descriptors left.
    NotAccepted,
}

impl Crowded {
    /// Every reason, in the order of their discriminants.
    pub const ALL: [Self; 4] = [Self::Total, Self::Address, Self::Memory, Self::NotAccepted];

    /// The reason's label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Total => "total",
            Self::Address => "address",
            Self::Memory => "memory",
            Self::NotAccepted => "not_accepted",
        }
    }
}

type Labels = Vec<(&'static str, &'static str)>;

/// The metrics of one process.
#[derive(Debug)]
pub struct Metrics {
    registry: Mutex<Registry>,
    /// By transport, then by signal; the last is for requests to a path of no signal.
    exports: Vec<Vec<Exports>>,
    /// By reason; the last is for those that were told.
    whoami: Vec<Counter>,
    /// By reason.
    connections_refused: [Counter; Crowded::ALL.len()],
    delivered_segments: Counter,
    delivered_records: Counter,
    delivered_files: Counter,
    quarantined: Counter,
    delivery_failures: Counter,
    /// What TLS counts.
    pub tls: TlsMetrics,
    /// What is counted of webhooks.
    pub webhooks: WebhookMetrics,
    /// How many alerts were given.
    pub alerts: AlertMetrics,
    /// How many keys need attention.
    pub hygiene: HygieneMetrics,
    /// How background jobs do.
    pub jobs: JobMetrics,
}

/// The counters of one transport and signal.
#[derive(Debug)]
struct Exports {
    received: Counter,
    accepted: Counter,
    gone: Counter,
    refused: Vec<Counter>,
    items: Counter,
    bytes: Counter,
    duration: Histogram,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Metrics that have counted nothing yet.
    #[must_use]
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("gridgate");
        let mut counters = |name: &str, help: &str| {
            let family = Family::<Labels, Counter>::default();
            registry.register(name, help, family.clone());
            family
        };
        let received = counters("exports_received", "Exports whose headers arrived");
        let accepted = counters("exports_accepted", "Exports stored");
        let refused = counters("exports_refused", "Exports refused, by reason");
        let gone = counters("exports_gone", "Exports whose client left before they were handed to the log");
        let items = counters("items_accepted", "Spans, data points, log records and samples acknowledged");
        let bytes = counters("payload_bytes_accepted", "Bytes of acknowledged payloads as they were sent");
        let refused_connections = counters("connections_refused", "Connections refused, by reason");
        let connections_refused =
            Crowded::ALL.map(|reason| refused_connections.get_or_create_owned(&vec![("reason", reason.as_str())]));
        let asked = counters("whoami", "Questions of whoami by their answer: ok, or the reason of the refusal");
        let answers = Reason::ALL.iter().map(|reason| reason.as_str()).chain(["ok"]);
        let whoami = answers.map(|answer| asked.get_or_create_owned(&vec![("answer", answer)])).collect();
        let mut counter = |name: &str, help: &str| {
            let counter = Counter::default();
            registry.register(name, help, counter.clone());
            counter
        };
        let delivered_segments = counter("delivered_segments", "Segments delivered and retired");
        let delivered_records = counter("delivered_records", "Exports written to the lake");
        let delivered_files = counter("delivered_files", "Files written to the lake");
        let quarantined = counter("quarantined", "Damaged frames and unreadable records set aside");
        let delivery_failures = counter("delivery_failures", "Deliveries that failed and were tried again");
        let tls = TlsMetrics::register(&mut registry);
        let webhooks = WebhookMetrics::register(&mut registry);
        let alerts = AlertMetrics::register(&mut registry);
        let hygiene = HygieneMetrics::register(&mut registry);
        let jobs = JobMetrics::register(&mut registry);
        let duration = Family::<Labels, Histogram>::new_with_constructor(|| {
            Histogram::new(exponential_buckets(0.000_25, 2.0, 16))
        });
        registry.register_with_unit(
            "export_duration",
            "From an export's headers to its answer",
            Unit::Seconds,
            duration.clone(),
        );
        let of = |transport: Transport, signal: Option<Signal>| {
            let labels = vec![("transport", transport.as_str()), ("signal", signal.map_or("none", Signal::as_str))];
            let with_reason = |reason: &Reason| [labels.clone(), vec![("reason", reason.as_str())]].concat();
            Exports {
                received: received.get_or_create_owned(&labels),
                accepted: accepted.get_or_create_owned(&labels),
                gone: gone.get_or_create_owned(&labels),
                refused: Reason::ALL.iter().map(|reason| refused.get_or_create_owned(&with_reason(reason))).collect(),
                items: items.get_or_create_owned(&labels),
                bytes: bytes.get_or_create_owned(&labels),
                duration: duration.get_or_create_owned(&labels),
            }
        };
        let exports = Transport::ALL
            .map(|transport| {
                Signal::ALL.map(Some).into_iter().chain([None]).map(|signal| of(transport, signal)).collect()
            })
            .into();
        Self {
            registry: Mutex::new(registry),
            exports,
            whoami,
            connections_refused,
            delivered_segments,
            delivered_records,
            delivered_files,
            quarantined,
            delivery_failures,
            tls,
            webhooks,
            alerts,
            hygiene,
            jobs,
        }
    }

    /// Shows `value()` under `name` at each scrape. For what is counted elsewhere already.
    pub fn gauge(&self, name: &'static str, help: &'static str, value: impl Fn() -> u64 + Send + Sync + 'static) {
        self.registry().register_collector(Box::new(GaugeOf { name, help, value: Box::new(value) }));
    }

    /// Shows metrics of each forward in `names`, and returns them in their order.
    #[must_use]
    pub fn forwards(&self, names: &[String]) -> Vec<ForwardMetrics> {
        if names.is_empty() { Vec::new() } else { ForwardMetrics::register(&mut self.registry(), names) }
    }

    /// An export's headers have arrived.
    pub fn received(&self, transport: Transport, signal: Option<Signal>) {
        self.exports(transport, signal).received.inc();
    }

    /// An export was accepted and is answered, `took` after its headers had arrived.
    pub fn accepted(&self, transport: Transport, signal: Option<Signal>, items: u64, wire_bytes: u64, took: Duration) {
        let exports = self.exports(transport, signal);
        exports.accepted.inc();
        exports.items.inc_by(items);
        exports.bytes.inc_by(wire_bytes);
        exports.duration.observe(took.as_secs_f64());
    }

    /// An export was refused.
    pub fn refused(&self, transport: Transport, signal: Option<Signal>, reason: Reason) {
        self.exports(transport, signal).refused[reason.index()].inc();
    }

    /// An export's client left.
    pub fn gone(&self, transport: Transport, signal: Option<Signal>) {
        self.exports(transport, signal).gone.inc();
    }

    fn exports(&self, transport: Transport, signal: Option<Signal>) -> &Exports {
        &self.exports[transport as usize][signal.map_or(Signal::ALL.len(), Signal::index)]
    }

    /// A client asked who it is; `refused` is why it was not told.
    pub fn whoami(&self, refused: Option<Reason>) {
        self.whoami[refused.map_or(Reason::ALL.len(), Reason::index)].inc();
    }

    /// A connection was refused.
    pub fn connection_refused(&self, reason: Crowded) {
        self.connections_refused[reason as usize].inc();
    }

    /// A delivery is done.
    pub fn delivered(&self, segments: u64, records: u64, files: u64, quarantined: u64) {
        self.delivered_segments.inc_by(segments);
        self.delivered_records.inc_by(records);
        self.delivered_files.inc_by(files);
        self.quarantined.inc_by(quarantined);
    }

    /// A delivery failed.
    pub fn delivery_failed(&self) {
        self.delivery_failures.inc();
    }

    /// Everything in the Prometheus text format of `OpenMetrics` 1.0.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::new();
        // Writing to a String does not fail.
        let _ = encode(&mut text, &self.registry());
        text
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A gauge that is read where its value lives.
struct GaugeOf {
    name: &'static str,
    help: &'static str,
    value: Box<dyn Fn() -> u64 + Send + Sync>,
}

impl std::fmt::Debug for GaugeOf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GaugeOf").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Collector for GaugeOf {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), std::fmt::Error> {
        let gauge = ConstGauge::new((self.value)());
        let encoder = encoder.encode_descriptor(self.name, self.help, None, gauge.metric_type())?;
        gauge.encode(encoder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exports_are_counted_by_transport_and_signal() {
        let metrics = Metrics::new();
        let logs = Some(Signal::Logs);
        for _ in 0..4 {
            metrics.received(Transport::Http, logs);
        }
        metrics.accepted(Transport::Http, logs, 3, 100, Duration::from_millis(1));
        metrics.accepted(Transport::Http, logs, 2, 50, Duration::from_millis(1));
        metrics.refused(Transport::Http, logs, Reason::KeyRevoked);
        metrics.gone(Transport::Http, logs);
        metrics.refused(Transport::Grpc, None, Reason::PathUnknown);
        let text = metrics.render();
        for line in [
            "gridgate_exports_received_total{transport=\"http\",signal=\"logs\"} 4",
            "gridgate_exports_accepted_total{transport=\"http\",signal=\"logs\"} 2",
            "gridgate_exports_refused_total{transport=\"http\",signal=\"logs\",reason=\"key_revoked\"} 1",
            "gridgate_exports_gone_total{transport=\"http\",signal=\"logs\"} 1",
            "gridgate_items_accepted_total{transport=\"http\",signal=\"logs\"} 5",
            "gridgate_export_duration_seconds_count{transport=\"http\",signal=\"logs\"} 2",
            "gridgate_exports_received_total{transport=\"grpc\",signal=\"logs\"} 0",
            "gridgate_exports_refused_total{transport=\"grpc\",signal=\"none\",reason=\"path_unknown\"} 1",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn a_gauge_shows_the_value_of_the_moment() {
        let metrics = Metrics::new();
        metrics.gauge("backlog_bytes", "Bytes that wait for delivery", || 42);
        assert!(metrics.render().contains("gridgate_backlog_bytes 42"));
    }
}
