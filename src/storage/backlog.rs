//! The backlog: the segments that are durable and that some destination has not yet passed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::route::DestinationId;

/// Which segments wait for delivery. The log adds to it; a segment is taken away once every destination has passed it; admission
/// watches its size.
#[derive(Clone, Debug)]
pub struct Backlog(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limit: u64,
    state: Mutex<State>,
    /// One for each destination, so that none misses what another has heard of.
    published: Vec<Notify>,
}

#[derive(Debug, Default)]
struct State {
    /// Size in bytes by sequence number.
    waiting: BTreeMap<u64, u64>,
    bytes: u64,
    /// Sequence numbers whose put is under way.
    in_flight: BTreeSet<u64>,
    /// Up to where each destination has passed everything.
    passed: Vec<u64>,
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
    /// A backlog that counts as full from `limit` bytes on, with the segments found at start-up, and up to where each destination
    /// has passed everything, the lake first.
    #[must_use]
    pub fn new(limit: u64, found: impl IntoIterator<Item = Waiting>, passed: Vec<u64>) -> Self {
        let published = passed.iter().map(|_| Notify::new()).collect();
        let mut state = State { passed, ..State::default() };
        for Waiting { sequence, bytes } in found {
            state.waiting.insert(sequence, bytes);
            state.bytes += bytes;
        }
        Self(Arc::new(Shared { limit, state: Mutex::new(state), published }))
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
        self.0.published.iter().for_each(Notify::notify_one);
    }

    /// The segments after `passed` that can be delivered, oldest first, up to `max_bytes` in all but at least one. A segment
    /// younger than one whose put is under way has to wait, because a checkpoint says «everything up to here».
    pub(super) fn deliverable(&self, passed: u64, max_bytes: u64) -> Vec<Waiting> {
        let state = self.state();
        let barrier = state.in_flight.first().copied().unwrap_or(u64::MAX);
        let mut total = 0;
        state
            .waiting
            .range(passed.saturating_add(1)..barrier.max(passed.saturating_add(1)))
            .map(|(&sequence, &bytes)| Waiting { sequence, bytes })
            .take_while(|waiting| {
                let fits = total == 0 || total + waiting.bytes <= max_bytes;
                total += waiting.bytes.max(1);
                fits
            })
            .collect()
    }

    /// Whether any segment after `passed` waits.
    pub(super) fn has_after(&self, passed: u64) -> bool {
        self.state().waiting.last_key_value().is_some_and(|(&last, _)| last > passed)
    }

    /// `destination` has passed every segment up to `upto`, durably. Returns the segments that none waits for any longer.
    pub(super) fn pass(&self, destination: DestinationId, upto: u64) -> Vec<u64> {
        let mut state = self.state();
        if let Some(passed) = state.passed.get_mut(destination.index()) {
            *passed = upto.max(*passed);
        }
        let all = state.passed.iter().copied().min().unwrap_or(0);
        let kept = state.waiting.split_off(&all.saturating_add(1));
        let retired = std::mem::replace(&mut state.waiting, kept);
        state.bytes -= retired.values().sum::<u64>();
        retired.into_keys().collect()
    }

    /// Waits until a put is over. One that ended since `destination` last waited counts.
    pub(super) async fn changed(&self, destination: DestinationId) {
        match self.0.published.get(destination.index()) {
            Some(published) => published.notified().await,
            None => std::future::pending().await,
        }
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
        let backlog = Backlog::new(100, [waiting(1, 10)], vec![0]);
        backlog.begin(2);
        backlog.begin(3);
        backlog.end(3, Some(30));
        assert_eq!(backlog.deliverable(0, 1000), [waiting(1, 10)]);
        backlog.end(2, None);
        assert_eq!(backlog.deliverable(0, 1000), [waiting(1, 10), waiting(3, 30)]);
        assert_eq!(backlog.deliverable(1, 1000), [waiting(3, 30)]);
        assert_eq!((backlog.has_after(2), backlog.has_after(3)), (true, false));
    }

    #[test]
    fn at_least_one_segment_is_delivered_however_large() {
        let backlog = Backlog::new(1000, [waiting(1, 500), waiting(2, 5), waiting(3, 5)], vec![0]);
        assert_eq!(backlog.deliverable(0, 100), [waiting(1, 500)]);
        assert_eq!(backlog.deliverable(1, 100), [waiting(2, 5), waiting(3, 5)]);
    }

    #[test]
    fn it_is_full_until_something_retires() {
        let backlog = Backlog::new(40, [waiting(1, 10), waiting(2, 30)], vec![0]);
        assert!(backlog.is_full());
        assert_eq!(backlog.pass(DestinationId::LAKE, 1), [1]);
        assert_eq!(backlog.pass(DestinationId::LAKE, 1), [0; 0]);
        assert!(!backlog.is_full());
        assert_eq!((backlog.bytes(), backlog.segments()), (30, 1));
    }

    #[test]
    fn a_segment_retires_when_the_last_destination_has_passed_it() {
        let backlog = Backlog::new(40, [waiting(4, 10), waiting(6, 30)], vec![0, 0, 4]);
        assert_eq!(backlog.pass(DestinationId::LAKE, 6), [0; 0]);
        assert_eq!(backlog.pass(DestinationId(1), 5), [4]);
        assert_eq!(backlog.pass(DestinationId(2), 9), [0; 0]);
        assert_eq!(backlog.pass(DestinationId(1), 6), [6]);
        assert_eq!((backlog.bytes(), backlog.segments()), (0, 0));
    }
}
