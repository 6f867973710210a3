//! The memory budget: what bodies and connections may hold at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A shared limit in bytes. Whoever is about to hold memory reserves it first and is refused where the limit would be
/// passed; nothing waits.
#[derive(Clone, Debug)]
pub struct Budget(Arc<State>);

#[derive(Debug)]
struct State {
    limit: u64,
    used: AtomicU64,
}

/// The budget has no room.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BudgetExceeded {
    /// At present: others hold too much.
    #[error("the memory budget is used up")]
    Now,
    /// At no time: one alone wants more than there is.
    #[error("it takes more than the whole memory budget")]
    Ever,
}

impl Budget {
    /// A budget of `limit` bytes.
    #[must_use]
    pub fn new(limit: u64) -> Self {
        Self(Arc::new(State { limit, used: AtomicU64::new(0) }))
    }

    /// The limit in bytes.
    #[must_use]
    pub fn limit(&self) -> u64 {
        self.0.limit
    }

    /// What is reserved at present, in bytes.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.0.used.load(Ordering::Relaxed)
    }

    /// Asks whether `bytes` more would fit at present. Nothing is reserved by asking.
    ///
    /// # Errors
    /// Where the limit would be passed.
    pub fn check(&self, bytes: u64) -> Result<(), BudgetExceeded> {
        if self.used().saturating_add(bytes) <= self.0.limit { Ok(()) } else { Err(self.exceeded(bytes)) }
    }

    /// Reserves `bytes` until the reservation is dropped.
    ///
    /// # Errors
    /// Where the limit would be passed.
    pub fn reserve(&self, bytes: u64) -> Result<Reservation, BudgetExceeded> {
        let mut reservation = Reservation { budget: self.clone(), bytes: 0 };
        reservation.grow(bytes)?;
        Ok(reservation)
    }

    /// Why there is no room for one who wants `bytes` in all.
    fn exceeded(&self, bytes: u64) -> BudgetExceeded {
        if bytes > self.0.limit { BudgetExceeded::Ever } else { BudgetExceeded::Now }
    }
}

/// A part of a budget, given back when dropped.
#[derive(Debug)]
pub struct Reservation {
    budget: Budget,
    bytes: u64,
}

impl Reservation {
    /// Reserves `bytes` more.
    ///
    /// # Errors
    /// Where the limit would be passed; what was reserved before stays reserved.
    pub fn grow(&mut self, bytes: u64) -> Result<(), BudgetExceeded> {
        let State { limit, used } = &*self.budget.0;
        used.try_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
            used.checked_add(bytes).filter(|sum| sum <= limit)
        })
        .map_err(|_| self.budget.exceeded(self.bytes.saturating_add(bytes)))?;
        self.bytes += bytes;
        Ok(())
    }

    /// Reserves what is missing to `bytes`.
    ///
    /// # Errors
    /// As [`Reservation::grow`].
    pub fn grow_to(&mut self, bytes: u64) -> Result<(), BudgetExceeded> {
        self.grow(bytes.saturating_sub(self.bytes))
    }

    /// Gives back what exceeds `bytes`.
    pub fn shrink_to(&mut self, bytes: u64) {
        let excess = self.bytes.saturating_sub(bytes);
        self.budget.0.used.fetch_sub(excess, Ordering::Relaxed);
        self.bytes -= excess;
    }

    /// How much is reserved, in bytes.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.shrink_to(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_exact_and_everything_comes_back() {
        let budget = Budget::new(10);
        let mut first = budget.reserve(6).expect("6 of 10");
        assert_eq!(budget.reserve(5).err(), Some(BudgetExceeded::Now));
        assert_eq!(budget.reserve(11).err(), Some(BudgetExceeded::Ever));
        let second = budget.reserve(4).expect("10 of 10");
        assert_eq!(first.grow(1), Err(BudgetExceeded::Now));
        assert_eq!(first.grow(5), Err(BudgetExceeded::Ever));
        drop(second);
        first.grow(4).expect("10 of 10");
        first.shrink_to(1);
        assert_eq!((first.bytes(), budget.used()), (1, 1));
        assert_eq!((budget.check(9), budget.check(10)), (Ok(()), Err(BudgetExceeded::Now)));
        assert_eq!(budget.check(11), Err(BudgetExceeded::Ever));
        drop(first);
        assert_eq!(budget.used(), 0);
        assert_eq!(budget.reserve(u64::MAX).err(), Some(BudgetExceeded::Ever));
    }

    #[test]
    fn concurrent_reservations_never_pass_the_limit() {
        let budget = Budget::new(100);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..10_000 {
                        let held = budget.reserve(30);
                        assert!(budget.used() <= 100);
                        drop(held);
                    }
                });
            }
        });
        assert_eq!(budget.used(), 0);
    }
}
