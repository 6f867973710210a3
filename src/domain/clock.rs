//! Time as a parameter: every state that depends on it can be tested without sleeping.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// An instant in microseconds since the Unix epoch, UTC. It is stored as this integer in both databases.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The instant `micros` microseconds after the Unix epoch (before it where negative).
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the Unix epoch.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// This instant moved by `by` into the future; the last representable instant where that would overflow.
    #[must_use]
    pub fn after(self, by: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(by.as_micros()).unwrap_or(i64::MAX)))
    }

    /// This instant moved by `by` into the past; the first representable instant where that would overflow.
    #[must_use]
    pub fn before(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(by.as_micros()).unwrap_or(i64::MAX)))
    }

    /// How long ago `earlier` was, zero where it lies in the future.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

/// Whole seconds in which `time` is over, at least one: what is told to who has to wait so long.
#[must_use]
pub fn enough_seconds(time: Duration) -> u64 {
    (time.as_secs() + u64::from(time.subsec_nanos() > 0)).max(1)
}

/// RFC 3339 in UTC with microseconds, `2026-11-21T10:22:00.000000Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Date { year, month, day } = self.date();
        let in_day = self.0.rem_euclid(MICROS_PER_DAY);
        let (seconds, micros) = (in_day / 1_000_000, in_day % 1_000_000);
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
    }
}

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// A day of the proleptic Gregorian calendar in UTC.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Date {
    /// The year; negative before year zero.
    pub year: i64,
    /// 1 to 12.
    pub month: i64,
    /// 1 to 31.
    pub day: i64,
}

impl Timestamp {
    /// The UTC day of this instant.
    #[must_use]
    pub const fn date(self) -> Date {
        // Days are counted from 1 March of year 0, so that the leap day is the last of its year and a 400-year era
        // always has 146 097 days.
        let days = self.0.div_euclid(MICROS_PER_DAY) + 719_468;
        let era = days.div_euclid(146_097);
        let day_of_era = days.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
        Date { year, month, day }
    }

    /// The first instant, in UTC, of a month, which is 1 to 12.
    #[must_use]
    pub const fn first_of_month(year: i64, month: i64) -> Self {
        Self(Date { year, month, day: 1 }.days() * MICROS_PER_DAY)
    }

    /// The UTC hour of day, 0 to 23.
    #[must_use]
    pub const fn hour(self) -> i64 {
        self.0.rem_euclid(MICROS_PER_DAY) / 3_600_000_000
    }
}

/// The text is not an RFC 3339 instant.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("an instant is written as RFC 3339 says, for example 2026-11-21T10:22:00Z or 2026-11-21T11:22:00.5+01:00")]
pub struct TimestampError;

/// Reads RFC 3339 section 5.6, `date-time`, with any offset. Digits below a microsecond are cut off; leap seconds are
/// refused, because the count of microseconds has no place for them.
impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, TimestampError> {
        parse_rfc_3339(text.as_bytes()).ok_or(TimestampError)
    }
}

fn parse_rfc_3339(mut rest: &[u8]) -> Option<Timestamp> {
    let rest = &mut rest;
    let year = number(rest, 4)?;
    mark(rest, b"-")?;
    let month = number(rest, 2).filter(|month| (1..=12).contains(month))?;
    mark(rest, b"-")?;
    let day = number(rest, 2).filter(|day| (1..=31).contains(day))?;
    mark(rest, b"Tt")?;
    let hour = number(rest, 2).filter(|&hour| hour < 24)?;
    mark(rest, b":")?;
    let minute = number(rest, 2).filter(|&minute| minute < 60)?;
    mark(rest, b":")?;
    let second = number(rest, 2).filter(|&second| second < 60)?;
    let micros = if mark(rest, b".").is_some() { fraction(rest)? } else { 0 };
    let offset = match mark(rest, b"Zz+-")? {
        sign @ (b'+' | b'-') => {
            let hours = number(rest, 2).filter(|&hours| hours < 24)?;
            mark(rest, b":")?;
            let minutes = hours * 60 + number(rest, 2).filter(|&minutes| minutes < 60)?;
            if sign == b'+' { minutes } else { -minutes }
        }
        _ => 0,
    };
    let midnight = Timestamp(Date { year, month, day }.days() * MICROS_PER_DAY);
    let exists = midnight.date() == Date { year, month, day };
    let minutes = hour * 60 + minute - offset;
    (rest.is_empty() && exists).then(|| Timestamp(midnight.0 + (minutes * 60 + second) * 1_000_000 + micros))
}

impl Date {
    /// Days since the Unix epoch; the inverse of [`Timestamp::date`]. A day that its month does not have runs on into the
    /// next month.
    const fn days(self) -> i64 {
        let (year, month_from_march) =
            if self.month > 2 { (self.year, self.month - 3) } else { (self.year - 1, self.month + 9) };
        let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
        let day_of_year = (153 * month_from_march + 2) / 5 + self.day - 1;
        era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
    }
}

/// Takes exactly `length` decimal digits.
fn number(rest: &mut &[u8], length: usize) -> Option<i64> {
    let (digits, after) = rest.split_at_checked(length)?;
    let value = digits.iter().try_fold(0, |value, byte| Some(value * 10 + digit(*byte)?))?;
    *rest = after;
    Some(value)
}

/// Takes all following decimal digits, at least one, as a fraction of a second in microseconds.
fn fraction(rest: &mut &[u8]) -> Option<i64> {
    let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, after) = rest.split_at_checked(length).filter(|_| length > 0)?;
    *rest = after;
    let padded = digits.iter().copied().chain(std::iter::repeat(b'0')).take(6);
    Some(padded.filter_map(digit).fold(0, |value, digit| value * 10 + digit))
}

fn digit(byte: u8) -> Option<i64> {
    byte.is_ascii_digit().then(|| i64::from(byte - b'0'))
}

/// Takes one byte that is in `allowed`.
fn mark(rest: &mut &[u8], allowed: &[u8]) -> Option<u8> {
    let (&first, after) = rest.split_first().filter(|(first, _)| allowed.contains(first))?;
    *rest = after;
    Some(first)
}

/// Where the present instant comes from.
pub trait Clock: Send + Sync + 'static {
    /// The present instant.
    fn now(&self) -> Timestamp;
}

/// The machine's wall clock.
#[derive(Clone, Copy, Default, Debug)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's wall clock")]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }
}

/// A clock that stands still until it is moved: for tests.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that shows `start`.
    #[must_use]
    pub const fn new(start: Timestamp) -> Self {
        Self(AtomicI64::new(start.0))
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(i64::try_from(by.as_micros()).unwrap_or(i64::MAX), Ordering::SeqCst);
    }

    /// Moves the clock backward, as somebody does who sets it.
    pub fn set_back(&self, by: Duration) {
        self.0.fetch_sub(i64::try_from(by.as_micros()).unwrap_or(i64::MAX), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_instant_prints_as_rfc_3339() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (951_782_400, "2000-02-29T00:00:00.000000Z"),
            (1_709_164_799, "2024-02-28T23:59:59.000000Z"),
            (1_795_256_520, "2026-11-21T10:22:00.000000Z"),
            (-1, "1969-12-31T23:59:59.000000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000000Z"),
        ] {
            assert_eq!(Timestamp::from_micros(seconds * 1_000_000).to_string(), expected);
        }
    }

    #[test]
    fn moving_an_instant_saturates() {
        let last = Timestamp::from_micros(i64::MAX);
        assert_eq!(last.after(Duration::from_secs(1)), last);
        let first = Timestamp::from_micros(i64::MIN);
        assert_eq!(first.before(Duration::from_secs(1)), first);
        assert_eq!(Timestamp::from_micros(0).since(last), Duration::ZERO);
    }

    #[test]
    fn rfc_3339_is_read() {
        for (text, micros) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2026-11-21T10:22:00Z", 1_795_256_520_000_000),
            ("2026-11-21t11:22:00.5+01:00", 1_795_256_520_500_000),
            ("2026-11-20T22:52:00.1234569-11:30", 1_795_256_520_123_456),
            ("2000-02-29T00:00:00Z", 951_782_400_000_000),
        ] {
            assert_eq!(text.parse(), Ok(Timestamp::from_micros(micros)), "{text}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for text in [
            "",
            "2026-11-21",
            "2026-11-21T10:22:00",
            "2026-11-21 10:22:00Z",
            "2026-11-21T10:22Z",
            "2026-11-21T10:22:00.Z",
            "2026-11-21T10:22:00Z ",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-02-29T00:00:00Z",
            "2026-04-31T00:00:00Z",
            "2026-11-21T24:00:00Z",
            "2026-11-21T10:22:60Z",
            "2026-11-21T10:22:00+24:00",
            "2026-11-21T10:22:00+0100",
            "+026-11-21T10:22:00Z",
            "20é6-11-21T10:22:00Z",
        ] {
            assert_eq!(text.parse::<Timestamp>(), Err(TimestampError), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(micros in -62_167_219_200_000_000_i64..253_402_300_800_000_000) {
            let instant = Timestamp::from_micros(micros);
            prop_assert_eq!(instant.to_string().parse(), Ok(instant));
        }

        #[test]
        fn reading_never_panics(text in "[-0-9TZtz:.+ é]{0,40}") {
            let _ = text.parse::<Timestamp>();
        }
    }
}
