//! What forwarding is told.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::{Clock, OsRandom, Random, Slug, SystemClock};
use crate::observe::forward::ForwardMetrics;
use crate::storage::destination::Backend;
use crate::storage::route::Route;

/// A destination that records are sent on to.
#[derive(Clone, Debug)]
pub struct ForwardSettings {
    /// Its name, in routes, paths and metrics.
    pub name: Slug,
    /// What sends one record.
    pub backend: Arc<dyn Backend>,
    /// Records under way at the same time, at least 1.
    pub in_flight: usize,
    /// How long a record may wait in the shared log before it is moved.
    pub patience: Duration,
    /// From this many bytes on that wait or lie in quarantine, exports that go here are refused.
    pub backlog_bytes: u64,
    /// From this many bytes of a tenant on, its exports that go here are refused.
    pub tenant_backlog_bytes: u64,
    /// What is counted.
    pub metrics: ForwardMetrics,
}

/// All of forwarding.
#[derive(Clone)]
pub struct Forwarding {
    /// Where records go.
    pub routes: Vec<Route>,
    /// The destinations beside the lake.
    pub forwards: Vec<ForwardSettings>,
    /// The present instant.
    pub clock: Arc<dyn Clock>,
    /// Chance, so that not all lanes try again at the same moment.
    pub random: Arc<dyn Random>,
}

/// Everything goes to the lake.
impl Default for Forwarding {
    fn default() -> Self {
        let (clock, random) = (Arc::new(SystemClock), Arc::new(OsRandom));
        Self { routes: Vec::new(), forwards: Vec::new(), clock, random }
    }
}
