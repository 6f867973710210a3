//! Rates: what is used of a burst, and how it comes back, in whole numbers without drift.

use std::time::Duration;

use crate::domain::Timestamp;
use crate::domain::limit::Limit;

/// How much of a burst is used. Amounts are in millionths of a unit: what a rate of one per second gives back in a microsecond is
/// one of them.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Rate {
    /// What is used; more than the burst is debt.
    spent: i64,
    /// The burst that it is of.
    burst: i64,
    /// Up to when it has been refilled.
    at: i64,
}

const MICRO: i64 = 1_000_000;

/// Readings of the clock overtake each other on the way to the lock; one from before the last, by no more than this, does not say
/// that the clock was set back.
const JITTER: i64 = MICRO;

impl Rate {
    /// Gives back what has refilled up to `now`. Where the limit has changed, what is used stays used as far as the new burst goes, and
    /// debt stays the same debt.
    pub(super) fn refill(&mut self, limit: &Limit, now: Timestamp) {
        let burst = micros(limit.burst.get());
        if burst != self.burst {
            let debt = self.spent - self.burst;
            self.spent = if debt > 0 { burst.saturating_add(debt) } else { self.spent.min(burst) };
            self.burst = burst;
        }
        let elapsed = now.micros().saturating_sub(self.at);
        if elapsed > 0 {
            let amount = i64::try_from(limit.amount.get()).unwrap_or(i64::MAX);
            self.spent = self.spent.saturating_sub(elapsed.saturating_mul(amount)).max(0);
        }
        // After a step backwards the clock's new time is believed, or nothing would refill until it is where it was.
        if elapsed > 0 || elapsed < -JITTER {
            self.at = now.micros();
        }
    }

    /// Whether there is something left, as of the last refill.
    pub(super) const fn is_open(&self) -> bool {
        self.spent < self.burst
    }

    /// After how long there is something left.
    pub(super) fn wait(&self, limit: &Limit) -> Duration {
        match u64::try_from(self.spent - self.burst) {
            Ok(debt) => Duration::from_micros(debt / limit.amount + 1),
            Err(_) => Duration::ZERO,
        }
    }

    /// Uses `units`.
    pub(super) fn spend(&mut self, units: u64) {
        self.spent = self.spent.saturating_add(micros(units));
    }

    /// Takes back a use of `units`.
    pub(super) fn give_back(&mut self, units: u64) {
        self.spent = self.spent.saturating_sub(micros(units)).max(0);
    }

    /// Whole units that are left.
    pub(super) fn left(&self) -> u64 {
        u64::try_from((self.burst - self.spent) / MICRO).unwrap_or(0)
    }

    /// After how long all of the burst is left.
    pub(super) fn full_in(&self, limit: &Limit) -> Duration {
        Duration::from_micros(u64::try_from(self.spent).unwrap_or(0).div_ceil(limit.amount.get()))
    }
}

fn micros(units: u64) -> i64 {
    i64::try_from(units).unwrap_or(i64::MAX).saturating_mul(MICRO)
}
