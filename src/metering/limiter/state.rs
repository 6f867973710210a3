//! The state of one scope: what is used of its rates and in its periods.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::quota::{Period, Periods};
use super::rate::Rate;
use crate::domain::limit::{Limit, Per, Unit};
use crate::domain::{Reopens, Signal, Timestamp};
use crate::metering::Measured;

/// What is used by one key, tenant or project. Its limits are not here, so that new ones find what is used already.
#[derive(Default, Debug)]
pub(super) struct State(Mutex<Counts>);

impl State {
    pub(super) fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The instants that count for an export.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    /// When rates are looked at.
    pub(super) now: Timestamp,
    /// The day of its arrival.
    pub(super) day: Period,
    /// The month of its arrival.
    pub(super) month: Period,
}

impl Moment {
    pub(super) const fn new(arrival: Timestamp, now: Timestamp) -> Self {
        Self { now, day: Period::day(arrival), month: Period::month(arrival) }
    }
}

#[derive(Default, Debug)]
pub(super) struct Counts {
    rates: [Rate; RATES],
    days: Periods,
    months: Periods,
    /// When something was last counted.
    pub(super) touched: Option<Timestamp>,
}

/// The number of different rates of a scope: each unit of each signal, and of all signals together.
pub(super) const RATES: usize = Unit::ALL.len() * (Signal::ALL.len() + 1);

/// Which of them a limit is about.
pub(super) const fn rate_of(limit: &Limit) -> usize {
    let signal = match limit.signal {
        None => 0,
        Some(signal) => 1 + signal as usize,
    };
    limit.unit as usize + Unit::ALL.len() * signal
}

impl Counts {
    /// Whether `limit` has nothing left, and if so, when it will.
    pub(super) fn closed(&mut self, limit: &Limit, moment: &Moment) -> Option<Reopens> {
        if limit.per == Per::Second {
            let rate = &mut self.rates[rate_of(limit)];
            rate.refill(limit, moment.now);
            return (!rate.is_open()).then(|| Reopens::In(rate.wait(limit)));
        }
        let period = moment.period(limit.per);
        (self.used(limit, period) >= limit.amount.get()).then(|| Reopens::At(period.end()))
    }

    /// Uses some of a rate.
    pub(super) fn spend(&mut self, rate: usize, measured: &Measured) {
        self.rates[rate].spend(cost(rate, measured));
    }

    /// Takes back the use of a rate.
    pub(super) fn give_back(&mut self, rate: usize, measured: &Measured) {
        self.rates[rate].give_back(cost(rate, measured));
    }

    /// Counts an export in its periods.
    pub(super) fn add(&mut self, moment: &Moment, signal: Signal, measured: &Measured) {
        self.days.add(moment.day, signal, measured);
        self.months.add(moment.month, signal, measured);
        self.touched = Some(moment.now);
    }

    /// Takes back what was counted of an export.
    pub(super) fn take_back(&mut self, moment: &Moment, signal: Signal, measured: &Measured) {
        self.days.take_back(moment.day, signal, measured);
        self.months.take_back(moment.month, signal, measured);
    }

    /// What was used of a quota's amount in a period.
    pub(super) fn used(&self, quota: &Limit, period: Period) -> u64 {
        self.of(quota.per).used(period, quota.unit, quota.signal)
    }

    /// Whole units that are left of a rate, and after how long all of its burst is.
    pub(super) fn left(&mut self, limit: &Limit, now: Timestamp) -> (u64, Duration) {
        let rate = &mut self.rates[rate_of(limit)];
        rate.refill(limit, now);
        (rate.left(), rate.full_in(limit))
    }

    /// From now on not everything is counted here.
    pub(super) fn forget(&mut self) {
        self.days.forget();
        self.months.forget();
    }

    /// The counts of days or of months.
    pub(super) const fn of(&self, per: Per) -> &Periods {
        match per {
            Per::Month => &self.months,
            Per::Second | Per::Day => &self.days,
        }
    }

    /// The same, to be changed.
    pub(super) const fn of_mut(&mut self, per: Per) -> &mut Periods {
        match per {
            Per::Month => &mut self.months,
            Per::Second | Per::Day => &mut self.days,
        }
    }
}

impl Moment {
    /// The period of the export's arrival.
    pub(super) const fn period(&self, per: Per) -> Period {
        match per {
            Per::Month => self.month,
            Per::Second | Per::Day => self.day,
        }
    }
}

/// How much an export takes of a rate.
const fn cost(rate: usize, measured: &Measured) -> u64 {
    amount(Unit::ALL[rate % Unit::ALL.len()], measured)
}

/// How much an export holds of a unit.
pub(super) const fn amount(unit: Unit, measured: &Measured) -> u64 {
    match unit {
        Unit::Requests => 1,
        Unit::Items => measured.items,
        Unit::Bytes => measured.bytes,
    }
}
