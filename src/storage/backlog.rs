//! The backlog: the segments that are durable but not yet delivered.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Which segments wait for delivery. The log adds to it, delivery takes away; admission watches its size.
#[derive(Clone, Debug)]
pub struct Backlog(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limit: u64,
    state: Mutex<State>,
    published: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Size in bytes by sequence number.
    waiting: BTreeMap<u64, u64>,
    bytes: u64,
    /// Sequence numbers whose put is under way.
    in_flight: BTreeSet<u64>,
}

/// A segment that waits for delivery.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Waiting {
    /// The segment's sequence number.
    pub sequence: u64,
    /// Its size in bytes.
    pub bytes: u64,
}

impl Backlog {
    /// A backlog that counts as full from `limit` bytes on, with the segments found at start-up.
    #[must_use]
    pub fn new(limit: u64, found: impl IntoIterator<Item = Waiting>) -> Self {
        let mut state = State::default();
        for Waiting { sequence, bytes } in found {
            state.waiting.insert(sequence, bytes);
            state.bytes += bytes;
        }
        Self(Arc::new(Shared { limit, state: Mutex::new(state), published: Notify::new() }))
    }

    /// Whether no further export may join.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.bytes() >= self.0.limit
    }

    /// The bytes that wait for delivery.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.state().bytes
    }

    /// The number of segments that wait for delivery.
    #[must_use]
    pub fn segments(&self) -> usize {
        self.state().waiting.len()
    }

    /// The put of a segment begins.
    pub(super) fn begin(&self, sequence: u64) {
        self.state().in_flight.insert(sequence);
    }

    /// The put of a segment is over; `bytes` is its size, `None` where it failed.
    pub(super) fn end(&self, sequence: u64, bytes: Option<u64>) {
        {
            let mut state = self.state();
            state.in_flight.remove(&sequence);
            if let Some(bytes) = bytes {
                state.waiting.insert(sequence, bytes);
                state.bytes += bytes;
            }
        }
        self.0.published.notify_one();
    }

    /// The segments that can be delivered, oldest first, up to `max_bytes` in all but at least one. A segment younger than one
    /// whose put is under way has to wait, because a checkpoint says «everything up to here».
    pub(super) fn deliverable(&self, max_bytes: u64) -> Vec<Waiting> {
        let state = self.state();
        let barrier = state.in_flight.first().copied().unwrap_or(u64::MAX);
        let mut total = 0;
        state
            .waiting
            .range(..barrier)
            .map(|(&sequence, &bytes)| Waiting { sequence, bytes })
            .take_while(|waiting| {
                let fits = total == 0 || total + waiting.bytes <= max_bytes;
                total += waiting.bytes.max(1);
                fits
            })
            .collect()
    }

    /// A segment is delivered or quarantined; it waits no longer.
    pub(super) fn retire(&self, sequence: u64) {
        let mut state = self.state();
        if let Some(bytes) = state.waiting.remove(&sequence) {
            state.bytes -= bytes;
        }
    }

    /// Waits until a put is over. One that ended since the last wait counts.
    pub(super) async fn changed(&self) {
        self.0.published.notified().await;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(sequence: u64, bytes: u64) -> Waiting {
        Waiting { sequence, bytes }
    }

    #[test]
    fn a_put_under_way_holds_back_what_is_younger() {
        let backlog = Backlog::new(100, [waiting(1, 10)]);
        backlog.begin(2);
        backlog.begin(3);
        backlog.end(3, Some(30));
        assert_eq!(backlog.deliverable(1000), [waiting(1, 10)]);
        backlog.end(2, None);
        assert_eq!(backlog.deliverable(1000), [waiting(1, 10), waiting(3, 30)]);
    }

    #[test]
    fn at_least_one_segment_is_delivered_however_large() {
        let backlog = Backlog::new(1000, [waiting(1, 500), waiting(2, 5), waiting(3, 5)]);
        assert_eq!(backlog.deliverable(100), [waiting(1, 500)]);
        backlog.retire(1);
        assert_eq!(backlog.deliverable(100), [waiting(2, 5), waiting(3, 5)]);
    }

    #[test]
    fn it_is_full_until_something_retires() {
        let backlog = Backlog::new(40, [waiting(1, 10), waiting(2, 30)]);
        assert!(backlog.is_full());
        backlog.retire(1);
        backlog.retire(1);
        assert!(!backlog.is_full());
        assert_eq!((backlog.bytes(), backlog.segments()), (30, 1));
    }
}
