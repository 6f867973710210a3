//! Metrics of rotation hygiene: how many keys need attention, of the whole installation.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::domain::hygiene::Flag;

type Level = Gauge<u64, AtomicU64>;

/// The number of keys with each flag, as of the last inspection.
#[derive(Clone, Default, Debug)]
pub struct HygieneMetrics {
    /// In the order of [`Flag::ALL`].
    keys: Arc<[Level]>,
}

impl HygieneMetrics {
    /// Metrics that `registry` shows.
    pub(super) fn register(registry: &mut Registry) -> Self {
        let family = Family::<Vec<(&'static str, &'static str)>, Level>::default();
        registry.register("keys_attention", "Keys that need attention, by reason", family.clone());
        Self { keys: Flag::ALL.iter().map(|flag| family.get_or_create_owned(&vec![("flag", flag.as_str())])).collect() }
    }

    /// An inspection of all keys has found so many of each flag.
    pub fn inspected(&self, count: impl Fn(Flag) -> u64) {
        for (level, &flag) in self.keys.iter().zip(Flag::ALL) {
            level.set(count(flag));
        }
    }

    /// How many keys have `flag`.
    #[must_use]
    pub fn of(&self, flag: Flag) -> u64 {
        self.keys.get(flag as usize).map_or(0, Level::get)
    }
}
