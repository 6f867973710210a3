//! Scopes: the limits of a key, its tenant and its project, and what is used of them.

use std::array;
use std::sync::{Arc, MutexGuard};

use super::quota::Period;
use super::state::{Counts, Moment, RATES, State, amount, rate_of};
use super::{Crossed, Crossings, Standing};
use crate::domain::limit::{Limit, Limits, Mode, Per, Scope, ScopeId};
use crate::domain::usage::Amount;
use crate::domain::{Over, Reopens, Signal, Timestamp};
use crate::metering::Measured;

/// The limits that hold for the exports of one key, as they were when it was looked up, and what is used of them at any time.
#[derive(Default, Debug)]
pub struct Scopes {
    /// Those with limits. Locks are taken in this order: key, tenant, project.
    limited: Vec<Limited>,
    crossings: Arc<Crossings>,
}

/// A key, tenant or project that has limits.
#[derive(Debug)]
pub(super) struct Limited {
    pub(super) id: ScopeId,
    pub(super) limits: Limits,
    pub(super) state: Arc<State>,
}

/// An export that is charged to every limit that covers it. Unless it is kept, it is taken back when this is dropped.
#[must_use]
#[derive(Debug)]
pub struct Charge {
    /// Whether a limit that is not enforced would have refused it.
    pub would_refuse: bool,
    /// The limit whose sender is to be warned: of several the one that has something left last.
    pub warned: Option<Over>,
    /// `None` once it is kept.
    taken: Option<Taken>,
}

/// What is taken back of an export.
#[derive(Debug)]
struct Taken {
    scopes: Arc<Scopes>,
    moment: Moment,
    signal: Signal,
    measured: Measured,
    /// A bit for each rate of each scope that was charged.
    rates: u64,
}

// Each rate of each scope has a bit.
const _: () = assert!(Scope::ALL.len() * RATES <= u64::BITS as usize);

impl Scopes {
    pub(super) const fn new(limited: Vec<Limited>, crossings: Arc<Crossings>) -> Self {
        Self { limited, crossings }
    }

    /// Whether an export of `signal` that arrived at `arrival` can be let in `now`, as far as is known before its body. Nothing is
    /// charged.
    ///
    /// # Errors
    /// The enforced limit that has nothing left: of several the one that has something left last.
    pub fn check(&self, signal: Signal, arrival: Timestamp, now: Timestamp) -> Result<(), Over> {
        if self.limited.is_empty() {
            return Ok(());
        }
        let moment = Moment::new(arrival, now);
        let mut over = None;
        for limited in &self.limited {
            let mut counts = limited.state.lock();
            for limit in limited.covering(signal).filter(|limit| limit.mode == Mode::Enforce) {
                if let Some(reopens) = counts.closed(limit, &moment) {
                    latest(&mut over, limited, limit, reopens);
                }
            }
        }
        over.map_or(Ok(()), |found| Err(found.into()))
    }

    /// Charges an export that arrived at `arrival` to every limit that covers it, if all that are enforced have something left: a
    /// quota counts for its arrival, a rate for `now`. A rate that is not enforced is charged with what it would have let in, as
    /// if it were.
    ///
    /// # Errors
    /// The enforced limit that has nothing left, and then nothing is charged.
    pub fn charge(
        self: &Arc<Self>,
        signal: Signal,
        measured: Measured,
        arrival: Timestamp,
        now: Timestamp,
    ) -> Result<Charge, Over> {
        if self.limited.is_empty() {
            return Ok(Charge { would_refuse: false, warned: None, taken: None });
        }
        let moment = Moment::new(arrival, now);
        let mut locked: [Option<MutexGuard<'_, Counts>>; Scope::ALL.len()] =
            array::from_fn(|index| self.limited.get(index).map(|limited| limited.state.lock()));
        let (mut refused, mut warned) = (None, None);
        let (mut would_refuse, mut rates) = (false, 0_u64);
        for (index, (limited, counts)) in self.limited.iter().zip(locked.iter_mut().flatten()).enumerate() {
            for limit in limited.covering(signal) {
                let Some(reopens) = counts.closed(limit, &moment) else {
                    if limit.per == Per::Second {
                        rates |= 1 << (index * RATES + rate_of(limit));
                    }
                    continue;
                };
                match limit.mode {
                    Mode::Enforce => latest(&mut refused, limited, limit, reopens),
                    Mode::Warn => latest(&mut warned, limited, limit, reopens),
                    Mode::Observe => {}
                }
                would_refuse |= limit.mode != Mode::Enforce;
            }
        }
        if let Some(refused) = refused {
            return Err(refused.into());
        }
        for (index, (limited, counts)) in self.limited.iter().zip(locked.iter_mut().flatten()).enumerate() {
            for rate in rates_of(rates, index) {
                counts.spend(rate, &measured);
            }
            counts.add(&moment, signal, &measured);
            for quota in limited.covering(signal).filter(|limit| limit.per != Per::Second) {
                let (used, period) = (counts.used(quota, moment.period(quota.per)), moment.period(quota.per));
                let before = used.saturating_sub(amount(quota.unit, &measured));
                if let Some(percent) = crossed(quota, before, used) {
                    let (id, limit) = (limited.id.clone(), *quota);
                    self.crossings.add(Crossed { id, limit, percent, used, period: period.begin(), at: now });
                }
            }
        }
        drop(locked);
        let taken = Taken { scopes: Arc::clone(self), moment, signal, measured, rates };
        Ok(Charge { would_refuse, warned: warned.map(Over::from), taken: Some(taken) })
    }

    /// Of the enforced rates that cover `signal`, the one that has the least left of its burst, and how it stands at `now`.
    #[must_use]
    pub fn most_used(&self, signal: Signal, now: Timestamp) -> Option<(Scope, Standing)> {
        let mut most: Option<(Scope, Standing)> = None;
        for limited in &self.limited {
            let is_told = |limit: &&Limit| limit.per == Per::Second && limit.mode == Mode::Enforce;
            for limit in limited.covering(signal).filter(is_told) {
                let (left, full) = limited.state.lock().left(limit, now);
                // Parts of a burst, with the denominators swapped.
                let part = |left: u64, of: &Limit| u128::from(left) * u128::from(of.burst.get());
                if most.as_ref().is_none_or(|(_, most)| part(left, &most.limit) < part(most.left, limit)) {
                    most = Some((limited.id.scope(), Standing { limit: *limit, left, resets: Reopens::In(full) }));
                }
            }
        }
        most
    }

    /// What has to be asked for before the quotas are right: what was used of the present periods before this process began to count.
    #[must_use]
    pub fn unknown(&self, now: Timestamp) -> Vec<Unknown> {
        let mut unknown = Vec::new();
        for limited in &self.limited {
            for period in [Period::day(now), Period::month(now)] {
                let is_limited = limited.limits.iter().any(|limit| limit.per == period.per);
                if is_limited && !limited.state.lock().of(period.per).is_whole(period) {
                    unknown.push(Unknown { id: limited.id.clone(), period, state: Arc::clone(&limited.state) });
                }
            }
        }
        unknown
    }
}

/// A period of a scope, of which not everything that was used is known.
#[derive(Debug)]
pub struct Unknown {
    /// Whose use it is.
    pub id: ScopeId,
    period: Period,
    state: Arc<State>,
}

impl Unknown {
    /// The period's first instant, and the first after it.
    #[must_use]
    pub const fn range(&self) -> (Timestamp, Timestamp) {
        (self.period.begin(), self.period.end())
    }

    /// Whether somebody else has learned it meanwhile.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.state.lock().of(self.period.per).is_whole(self.period)
    }

    /// So much is written down of it, by signal. From here on it is counted in memory.
    pub fn learn(self, written: &[Amount; Signal::ALL.len()]) {
        self.state.lock().of_mut(self.period.per).learn(self.period, written);
    }
}

impl Charge {
    /// The export is stored: it stays charged.
    pub fn keep(mut self) {
        self.taken = None;
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        let Some(Taken { scopes, moment, signal, measured, rates }) = self.taken.take() else { return };
        for (index, limited) in scopes.limited.iter().enumerate() {
            let mut counts = limited.state.lock();
            for rate in rates_of(rates, index) {
                counts.give_back(rate, &measured);
            }
            counts.take_back(&moment, signal, &measured);
        }
    }
}

impl Limited {
    fn covering(&self, signal: Signal) -> impl Iterator<Item = &Limit> {
        self.limits.iter().filter(move |limit| limit.covers(signal))
    }
}

/// A limit that has nothing left, before anything is copied of it.
struct Found<'a> {
    id: &'a ScopeId,
    limit: &'a Limit,
    reopens: Reopens,
}

impl From<Found<'_>> for Over {
    fn from(found: Found<'_>) -> Self {
        Self { id: found.id.clone(), limit: *found.limit, reopens: found.reopens }
    }
}

/// Keeps the one that has something left last.
fn latest<'a>(found: &mut Option<Found<'a>>, limited: &'a Limited, limit: &'a Limit, reopens: Reopens) {
    if found.as_ref().is_none_or(|found| found.reopens < reopens) {
        *found = Some(Found { id: &limited.id, limit, reopens });
    }
}

/// The rates of the scope at `index` among the bits.
fn rates_of(bits: u64, index: usize) -> impl Iterator<Item = usize> {
    let mut left = (bits >> (index * RATES)) & ((1 << RATES) - 1);
    std::iter::from_fn(move || {
        let rate = left.trailing_zeros();
        (left != 0).then(|| {
            left &= left - 1;
            rate as usize
        })
    })
}

/// The highest of the warned percentages that the use of a quota has come to by going from `before` to `used`.
fn crossed(quota: &Limit, before: u64, used: u64) -> Option<u8> {
    let amount = quota.amount.get();
    let is_past = |used: u64, percent: u8| used.saturating_mul(100) >= amount.saturating_mul(percent.into());
    // Most exports leave their quotas well below.
    if !is_past(used, PERCENTAGES[0]) {
        return None;
    }
    PERCENTAGES.into_iter().rev().find(|percent| is_past(used, *percent)).filter(|percent| !is_past(before, *percent))
}

/// Of which parts of a quota being used it is warned, in percent.
const PERCENTAGES: [u8; 3] = [80, 90, 100];
