//! The limiter: what keys, tenants and projects use of their limits, counted in this process.
//!
//! An export is let in while every enforced limit that covers it has something left; then it is charged whole to all of them, under
//! all their locks at once. The one that crosses a line is therefore let in whole, and the next refused. Nothing is
//! looked up for it: the cache holds the [`Scopes`] of each key.

mod quota;
mod rate;
mod scopes;
mod state;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::domain::limit::{Limit, Limits, Per, Scope, ScopeId, Terms};
use crate::domain::{KeyId, Reopens, Tenant, Timestamp};
use scopes::Limited;
pub use scopes::{Charge, Scopes, Unknown};
use state::{Moment, State};

/// The states of everything that has limits.
pub struct Limiter {
    states: Mutex<States>,
    /// How many states are kept that no cached key needs.
    capacity: usize,
    crossings: Arc<Crossings>,
}

struct States {
    of: HashMap<ScopeId, Arc<State>>,
    /// At how many of them it is looked which can go.
    full: usize,
}

impl Limiter {
    /// A limiter that keeps about `capacity` states. Those of keys that are in the cache are there in any case.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        let states = Mutex::new(States { of: HashMap::new(), full: capacity });
        Self { states, capacity, crossings: Arc::default() }
    }

    /// The limits of a key of `tenant`, to be held along with it. What is used of them already stays used, whatever the limits were.
    #[must_use]
    pub fn scopes(&self, key: KeyId, tenant: &Tenant, terms: &Terms) -> Scopes {
        let ids = [ScopeId::Key(key), ScopeId::Tenant(tenant.clone()), ScopeId::Project(tenant.project.clone())];
        let mut states = self.lock();
        let limited = ids.into_iter().zip(Scope::ALL).filter_map(|(id, scope)| {
            let limits = terms.limits(scope).clone();
            if limits.is_empty() {
                // What comes from now on is not counted.
                if let Some(state) = states.of.get(&id) {
                    state.lock().forget();
                }
                return None;
            }
            let state = Arc::clone(states.of.entry(id.clone()).or_default());
            Some(Limited { id, limits, state })
        });
        let scopes = Scopes::new(limited.collect(), Arc::clone(&self.crossings));
        states.sweep(self.capacity);
        scopes
    }

    /// How `limits` of `id` stand at `now`, one after the other. What nothing was counted of stands untouched.
    #[must_use]
    pub fn standings(&self, id: &ScopeId, limits: &Limits, now: Timestamp) -> Vec<Standing> {
        let state = self.lock().of.get(id).map(Arc::clone).unwrap_or_default();
        let (mut counts, moment) = (state.lock(), Moment::new(now, now));
        let stand = |limit: &Limit| {
            if limit.per == Per::Second {
                let (left, full) = counts.left(limit, now);
                return Standing { limit: *limit, left, resets: Reopens::In(full) };
            }
            let period = moment.period(limit.per);
            let left = limit.amount.get().saturating_sub(counts.used(limit, period));
            Standing { limit: *limit, left, resets: Reopens::At(period.end()) }
        };
        limits.iter().map(stand).collect()
    }

    /// What quotas have come to since this was last asked.
    #[must_use]
    pub fn crossed(&self) -> Vec<Crossed> {
        std::mem::take(&mut *self.crossings.lock())
    }

    /// How many states there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().of.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lock(&self) -> MutexGuard<'_, States> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limiter").field("states", &self.len()).finish_non_exhaustive()
    }
}

impl States {
    /// Where there are too many, those that no key in the cache needs go, the ones that counted nothing for the longest first.
    fn sweep(&mut self, capacity: usize) {
        if self.of.len() <= self.full {
            return;
        }
        let unneeded = self.of.iter().filter(|(_, state)| Arc::strong_count(state) == 1);
        let mut unneeded: Vec<_> = unneeded.map(|(id, state)| (state.lock().touched, id.clone())).collect();
        unneeded.sort_unstable();
        // Some more than is needed, so that not every new one has to look.
        let surplus = self.of.len().saturating_sub(capacity - capacity / 4);
        for (_, id) in unneeded.into_iter().take(surplus) {
            self.of.remove(&id);
        }
        self.full = capacity.max(self.of.len() + self.of.len() / 4);
    }
}

/// How a limit stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Standing {
    /// The limit.
    pub limit: Limit,
    /// How much is left.
    pub left: u64,
    /// When all of it is left again: of a rate if nothing else comes.
    pub resets: Reopens,
}

/// The use of a quota has come to one of the parts of it that somebody should know of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Crossed {
    /// Whose quota it is.
    pub id: ScopeId,
    /// The quota.
    pub limit: Limit,
    /// 80, 90 or 100.
    pub percent: u8,
    /// How much of it is used.
    pub used: u64,
    /// When its period began.
    pub period: Timestamp,
    /// When it happened.
    pub at: Timestamp,
}

/// What quotas have come to, until somebody asks. A quota comes to each part once in its period, unless an export is taken back.
#[derive(Default, Debug)]
struct Crossings(Mutex<Vec<Crossed>>);

/// The most that is remembered; later ones are dropped.
const MAX_CROSSINGS: usize = 10_000;

impl Crossings {
    fn add(&self, crossed: Crossed) {
        let mut held = self.lock();
        if held.len() < MAX_CROSSINGS {
            held.push(crossed);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Crossed>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
