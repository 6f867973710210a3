//! Buckets: how much each of many may still do, one bucket for each.

use std::hash::Hash;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use governor::clock::Clock as _;
use governor::middleware::{StateInformationMiddleware, StateSnapshot};
use governor::state::{InMemoryState, NotKeyed};
use governor::{NotUntil, Quota, RateLimiter};
use moka::future::Cache;

use crate::domain::Clock;

/// A bucket for each `K`, full at first. Whoever has been quiet for long is forgotten, and of too many those who took the least: both are
/// then as at first.
pub struct Buckets<K> {
    each: Duration,
    burst: NonZeroU32,
    time: Time,
    of: Cache<K, Arc<Bucket>>,
}

/// What was taken, or not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Taken {
    /// What is left.
    pub left: u32,
    /// How long to wait, where there was nothing left.
    pub wait: Option<Duration>,
}

/// The most buckets that are remembered: a few MiB.
pub const REMEMBERED: u64 = 20_000;

/// The least time for which a bucket is kept.
const FORGOTTEN: Duration = Duration::from_mins(1);

struct Bucket {
    limiter: RateLimiter<NotKeyed, InMemoryState, Time, StateInformationMiddleware>,
    /// Until when it is known to be empty, in microseconds since the Unix epoch.
    empty_until: AtomicU64,
}

impl<K: Hash + Eq + Clone + Send + Sync + 'static> Buckets<K> {
    /// Buckets of `burst`, into which one more comes after each `each`.
    #[must_use]
    pub fn new(each: Duration, burst: NonZeroU32, clock: &Arc<dyn Clock>) -> Self {
        let each = each.max(Duration::from_nanos(1));
        let kept = (each * burst.get()).max(FORGOTTEN);
        let of = Cache::builder().max_capacity(REMEMBERED).time_to_idle(kept).build();
        Self { each, burst, time: Time(Arc::clone(clock)), of }
    }

    /// How much a full one holds.
    #[must_use]
    pub const fn burst(&self) -> NonZeroU32 {
        self.burst
    }

    /// The time in which `missing` come in.
    #[must_use]
    pub fn refill(&self, missing: u32) -> Duration {
        self.each * missing
    }

    /// Takes one from the bucket of `key`.
    pub async fn take(&self, key: &K) -> Taken {
        let bucket = self.of.get_with(key.clone(), async { Arc::new(self.full()) }).await;
        let mut taken = bucket.limiter.check();
        let wait = |taken: &Result<_, NotUntil<Duration>>| match taken {
            Ok(_) => Duration::ZERO,
            Err(until) => until.wait_time_from(self.time.now()),
        };
        // Nobody waits longer than for a whole bucket: the clock was set back.
        if wait(&taken) > self.refill(self.burst.get()) {
            let full = self.full();
            taken = full.limiter.check();
            self.of.insert(key.clone(), Arc::new(full)).await;
        }
        if taken.as_ref().map_or(true, |left| left.remaining_burst_capacity() == 0) {
            let wait = if taken.is_ok() { self.each } else { wait(&taken) };
            bucket.empty_until.store(micros(self.time.now() + wait), Ordering::Relaxed);
        }
        let left = taken.as_ref().map_or(0, StateSnapshot::remaining_burst_capacity);
        Taken { left, wait: taken.is_err().then(|| wait(&taken)) }
    }

    /// How long to wait until the bucket of `key` has something, where it is empty. Nothing is taken.
    pub async fn wait(&self, key: &K) -> Option<Duration> {
        let bucket = self.of.get(key).await?;
        let until = Duration::from_micros(bucket.empty_until.load(Ordering::Relaxed));
        let wait = until.checked_sub(self.time.now()).filter(|wait| !wait.is_zero())?;
        // Otherwise the clock was set back.
        (wait <= self.refill(self.burst.get())).then_some(wait)
    }

    fn full(&self) -> Bucket {
        let quota = Quota::with_period(self.each).unwrap_or(Quota::per_second(self.burst)).allow_burst(self.burst);
        let limiter = RateLimiter::direct_with_clock(quota, self.time.clone()).with_middleware();
        Bucket { limiter, empty_until: AtomicU64::new(0) }
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

impl<K> std::fmt::Debug for Buckets<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Buckets").field("each", &self.each).field("burst", &self.burst).finish_non_exhaustive()
    }
}

/// Gridgate's clock, as governor reads it: the time since the Unix epoch.
#[derive(Clone)]
struct Time(Arc<dyn Clock>);

impl governor::clock::Clock for Time {
    type Instant = Duration;

    fn now(&self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.now().micros()).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Timestamp;
    use crate::domain::clock::ManualClock;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test]
    async fn who_waits_as_long_as_told_has_one_more() {
        let clock = Arc::new(ManualClock::new(Timestamp::from_micros(1_795_255_200_000_000)));
        let dynamic: Arc<dyn Clock> = Arc::clone(&clock) as _;
        let buckets = Buckets::new(SECOND, NonZeroU32::new(2).expect("two"), &dynamic);
        assert_eq!(buckets.wait(&"one").await, None);
        assert_eq!(buckets.take(&"one").await, Taken { left: 1, wait: None });
        assert_eq!(buckets.wait(&"one").await, None);
        assert_eq!(buckets.take(&"one").await, Taken { left: 0, wait: None });
        assert_eq!(buckets.wait(&"one").await, Some(SECOND));
        assert_eq!(buckets.take(&"one").await, Taken { left: 0, wait: Some(SECOND) });
        assert_eq!((buckets.wait(&"other").await, buckets.take(&"other").await.left), (None, 1));
        clock.advance(SECOND);
        assert_eq!(buckets.wait(&"one").await, None);
        assert_eq!(buckets.take(&"one").await, Taken { left: 0, wait: None });
        assert_eq!(buckets.wait(&"one").await, Some(SECOND));
        // Set back by more than a bucket takes to fill, the clock keeps nobody waiting.
        clock.set_back(60 * SECOND);
        assert_eq!(buckets.wait(&"one").await, None);
        assert_eq!(buckets.take(&"one").await, Taken { left: 1, wait: None });
    }
}
