//! Connections that are refused: counted one by one, and told in the log now and then, so that a flood does not fill it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::observe::metrics::{Crowded, Metrics};

/// The shortest pause between two lines for one reason.
const PAUSE: Duration = Duration::from_secs(5);

/// Who counts and tells.
#[derive(Clone, Debug)]
pub(super) struct Refused(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    metrics: Arc<Metrics>,
    /// By reason.
    told: [Mutex<Told>; Crowded::ALL.len()],
}

/// What the log was told.
#[derive(Debug, Default)]
struct Told {
    last: Option<Instant>,
    /// Refusals since then.
    since: u64,
}

impl Refused {
    /// Counts in `metrics`.
    #[must_use]
    pub(super) fn new(metrics: Arc<Metrics>) -> Self {
        Self(Arc::new(Shared { metrics, told: std::array::from_fn(|_| Mutex::default()) }))
    }

    /// A connection was refused for `reason`; `from` is what is known of it.
    pub(super) fn connection(&self, reason: Crowded, from: &dyn std::fmt::Display) {
        self.0.metrics.connection_refused(reason);
        let count = {
            let mut told = self.0.told[reason as usize].lock().unwrap_or_else(PoisonError::into_inner);
            told.another(Instant::now())
        };
        if let Some(count) = count {
            tracing::warn!(%from, count, "connections are refused: {}", explanation(reason));
        }
    }
}

impl Told {
    /// One more refusal; how many there were since the last line, where it is time for another.
    fn another(&mut self, now: Instant) -> Option<u64> {
        self.since += 1;
        if self.last.is_some_and(|last| now.saturating_duration_since(last) < PAUSE) {
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.since))
    }
}

const fn explanation(reason: Crowded) -> &'static str {
    match reason {
        Crowded::Total => "there are too many (limits.connections)",
        Crowded::Address => "too many come from one address (limits.connections_per_address)",
        Crowded::Memory => "they take too much memory (limits.memory)",
        Crowded::NotAccepted => "the operating system does not hand them over",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_one_line_with_its_count() {
        let start = Instant::now();
        let mut told = Told::default();
        assert_eq!(told.another(start), Some(1));
        for _ in 0..1000 {
            assert_eq!(told.another(start + Duration::from_secs(4)), None);
        }
        assert_eq!(told.another(start + PAUSE), Some(1001));
        assert_eq!(told.another(start + PAUSE), None);
    }
}
