//! Quotas: what was used in days and months.

use crate::domain::limit::{Per, Unit};
use crate::domain::{Signal, Timestamp};
use crate::metering::Measured;

/// What was used of one signal in a period.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Used {
    /// Spans, data points, log records or profile samples.
    pub items: u64,
    /// Bytes of payloads, decompressed.
    pub bytes: u64,
}

/// A day or a month of the UTC calendar.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Period {
    /// Which of both.
    pub(super) per: Per,
    /// Counted from any day, or from the month before year zero.
    number: i64,
}

const MICROS_PER_DAY: i64 = 86_400_000_000;

impl Period {
    /// The day that `at` is in.
    pub(super) const fn day(at: Timestamp) -> Self {
        Self { per: Per::Day, number: at.micros().div_euclid(MICROS_PER_DAY) }
    }

    /// The month that `at` is in.
    pub(super) const fn month(at: Timestamp) -> Self {
        let date = at.date();
        Self { per: Per::Month, number: date.year * 12 + date.month - 1 }
    }

    /// Its first instant.
    pub(super) const fn begin(self) -> Timestamp {
        match self.per {
            Per::Month => Timestamp::first_of_month(self.number.div_euclid(12), self.number.rem_euclid(12) + 1),
            Per::Second | Per::Day => Timestamp::from_micros(self.number.saturating_mul(MICROS_PER_DAY)),
        }
    }

    /// The first instant after it.
    pub(super) const fn end(self) -> Timestamp {
        Self { per: self.per, number: self.number + 1 }.begin()
    }
}

/// The counts of the periods that were used last: a clock that is set into another period and back finds the old counts again.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Periods {
    /// The last used first.
    held: [Counted; KEPT],
}

const KEPT: usize = 3;

#[derive(Clone, Copy, Default, Debug)]
struct Counted {
    /// `None` while it is free.
    number: Option<i64>,
    /// Whether what was used before this began to count is included.
    is_whole: bool,
    used: [Used; Signal::ALL.len()],
}

impl Periods {
    /// What was used of a signal, or of all together.
    pub(super) fn used(&self, period: Period, unit: Unit, signal: Option<Signal>) -> u64 {
        let Some(counted) = self.find(period) else { return 0 };
        let amount = |used: &Used| if unit == Unit::Bytes { used.bytes } else { used.items };
        match signal {
            Some(signal) => amount(&counted.used[signal as usize]),
            None => counted.used.iter().map(amount).fold(0, u64::saturating_add),
        }
    }

    /// Counts a use.
    pub(super) fn add(&mut self, period: Period, signal: Signal, measured: &Measured) {
        let used = &mut self.of(period).used[signal as usize];
        used.items = used.items.saturating_add(measured.items);
        used.bytes = used.bytes.saturating_add(measured.bytes);
    }

    /// Takes back a use that was counted.
    pub(super) fn take_back(&mut self, period: Period, signal: Signal, measured: &Measured) {
        if let Some(counted) = self.held.iter_mut().find(|counted| counted.number == Some(period.number)) {
            let used = &mut counted.used[signal as usize];
            used.items = used.items.saturating_sub(measured.items);
            used.bytes = used.bytes.saturating_sub(measured.bytes);
        }
    }

    /// Whether all that was used of the period is known.
    pub(super) fn is_whole(&self, period: Period) -> bool {
        self.find(period).is_some_and(|counted| counted.is_whole)
    }

    /// So much has been written down for the period. Of that and what is counted here, which may be written down by now or not, the
    /// greater is right but for what is not written yet.
    pub(super) fn learn(&mut self, period: Period, written: &[Used; Signal::ALL.len()]) {
        let counted = self.of(period);
        counted.is_whole = true;
        for (used, written) in counted.used.iter_mut().zip(written) {
            used.items = used.items.max(written.items);
            used.bytes = used.bytes.max(written.bytes);
        }
    }

    /// From now on not everything is counted here.
    pub(super) fn forget(&mut self) {
        for counted in &mut self.held {
            counted.is_whole = false;
        }
    }

    fn find(&self, period: Period) -> Option<&Counted> {
        self.held.iter().find(|counted| counted.number == Some(period.number))
    }

    /// The counts of a period, to be changed. A new one takes the place of the one that was not used for the longest.
    fn of(&mut self, period: Period) -> &mut Counted {
        let [first, ..] = &self.held;
        if first.number != Some(period.number) {
            match self.held.iter().position(|counted| counted.number == Some(period.number)) {
                Some(position) => self.held[..=position].rotate_right(1),
                None => {
                    self.held.rotate_right(1);
                    self.held[0] = Counted { number: Some(period.number), ..Counted::default() };
                }
            }
        }
        &mut self.held[0]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("an instant")
    }

    #[test]
    fn periods_are_those_of_the_utc_calendar() {
        for (instant, day, month) in [
            ("2026-11-21T23:59:59.999999Z", ["2026-11-21", "2026-11-22"], ["2026-11-01", "2026-12-01"]),
            ("2026-12-31T00:00:00Z", ["2026-12-31", "2027-01-01"], ["2026-12-01", "2027-01-01"]),
            ("2028-02-29T12:00:00+14:00", ["2028-02-28", "2028-02-29"], ["2028-02-01", "2028-03-01"]),
            ("1969-12-31T23:00:00Z", ["1969-12-31", "1970-01-01"], ["1969-12-01", "1970-01-01"]),
        ] {
            let instant = at(instant);
            for (period, bounds) in [(Period::day(instant), day), (Period::month(instant), month)] {
                let bounds = bounds.map(|date| at(&format!("{date}T00:00:00Z")));
                assert_eq!([period.begin(), period.end()], bounds);
                assert!(period.begin() <= instant && instant < period.end());
            }
        }
    }

    #[test]
    fn a_step_into_another_period_and_back_finds_the_old_count() {
        let days =
            ["2026-11-21T10:00:00Z", "2026-11-22T00:00:00Z", "2099-01-01T00:00:00Z"].map(|day| Period::day(at(day)));
        let mut periods = Periods::default();
        for (index, day) in days.into_iter().chain(days).enumerate() {
            let measured = Measured { items: 1 << index, ..Measured::default() };
            periods.add(day, Signal::Logs, &measured);
        }
        let used = |periods: &Periods| days.map(|day| periods.used(day, Unit::Items, None));
        assert_eq!(used(&periods), [1 + 8, 2 + 16, 4 + 32]);
        periods.add(Period::day(at("2026-11-23T00:00:00Z")), Signal::Logs, &Measured::default());
        assert_eq!(used(&periods), [0, 2 + 16, 4 + 32]);
    }

    #[test]
    fn what_was_written_down_is_counted_on() {
        let day = Period::day(at("2026-11-21T10:00:00Z"));
        let mut periods = Periods::default();
        assert!(!periods.is_whole(day));
        let of = |items, bytes| Measured { items, bytes, wire_bytes: 0 };
        periods.add(day, Signal::Traces, &of(5, 500));
        let mut written = [Used::default(); 4];
        written[Signal::Traces as usize] = Used { items: 3, bytes: 900 };
        written[Signal::Logs as usize] = Used { items: 7, bytes: 70 };
        periods.learn(day, &written);
        assert!(periods.is_whole(day));
        periods.add(day, Signal::Logs, &of(1, 1));
        assert_eq!(periods.used(day, Unit::Items, Some(Signal::Traces)), 5);
        assert_eq!(periods.used(day, Unit::Bytes, Some(Signal::Traces)), 900);
        assert_eq!(periods.used(day, Unit::Items, None), 13);
        periods.take_back(day, Signal::Logs, &of(100, 1));
        assert_eq!(periods.used(day, Unit::Bytes, None), 970);
        assert_eq!(periods.used(day, Unit::Items, Some(Signal::Logs)), 0);
        periods.forget();
        assert!(!periods.is_whole(day));
    }
}
