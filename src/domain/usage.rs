//! Usage: how much of what came in, when and from whom, and what became of it.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use super::{KeyId, Reason, Signal, Tenant, Timestamp};

/// How finely usage is kept.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Step {
    /// By minute.
    Minute,
    /// By hour.
    Hour,
    /// By UTC day.
    Day,
}

/// The text is none of the three names.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a step is one of minute, hour, day")]
pub struct StepError;

impl Step {
    /// Every step, the finest first. The beginning of each is one of each finer step too.
    pub const ALL: [Self; 3] = [Self::Minute, Self::Hour, Self::Day];

    /// Its name in API, command line and catalog.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }

    /// How long one is.
    #[must_use]
    pub const fn length(self) -> Duration {
        match self {
            Self::Minute => Duration::from_mins(1),
            Self::Hour => Duration::from_hours(1),
            Self::Day => Duration::from_hours(24),
        }
    }

    /// The beginning of the one that `at` is in. Before the year -290 307, where the count of microseconds ends, `at` itself.
    #[must_use]
    pub fn start(self, at: Timestamp) -> Timestamp {
        let length = i64::try_from(self.length().as_micros()).unwrap_or(i64::MAX);
        Timestamp::from_micros(at.micros().checked_sub(at.micros().rem_euclid(length)).unwrap_or(at.micros()))
    }
}

impl FromStr for Step {
    type Err = StepError;

    fn from_str(text: &str) -> Result<Self, StepError> {
        Self::ALL.into_iter().find(|step| step.as_str() == text).ok_or(StepError)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What an export counts as. Each that has ended counts as received, and as exactly one of accepted, gone and refused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Fate {
    /// It came in.
    Received,
    /// It was accepted.
    Accepted,
    /// Its client left while its body was arriving.
    Gone,
    /// It was accepted, and a limit that is only watched would have refused it.
    WouldRefuse,
    /// It was refused.
    Refused(Reason),
}

/// The text names no fate.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("an outcome is received, accepted, gone, would_refuse or the reason of a refusal")]
pub struct FateError;

impl Fate {
    /// How many there are.
    pub const COUNT: usize = 4 + Reason::ALL.len();

    /// Its name in API, command line and catalog: that of a refusal is its reason's.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Accepted => "accepted",
            Self::Gone => "gone",
            Self::WouldRefuse => "would_refuse",
            Self::Refused(reason) => reason.as_str(),
        }
    }
}

impl FromStr for Fate {
    type Err = FateError;

    fn from_str(text: &str) -> Result<Self, FateError> {
        let own = [Self::Received, Self::Accepted, Self::Gone, Self::WouldRefuse];
        let refused = Reason::ALL.iter().map(|&reason| Self::Refused(reason));
        own.into_iter().chain(refused).find(|fate| fate.as_str() == text).ok_or(FateError)
    }
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How much it was.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Amount {
    /// Exports.
    pub exports: u64,
    /// Spans, data points, log records or profile samples, of the exports that were read to their end.
    pub items: u64,
    /// Bytes of these exports as they were sent.
    pub wire_bytes: u64,
    /// Bytes of their payloads in protobuf, decompressed.
    pub bytes: u64,
}

impl Amount {
    /// Adds `other`; what would be too much to count stays at the most that can be.
    pub const fn add(&mut self, other: &Self) {
        self.exports = self.exports.saturating_add(other.exports);
        self.items = self.items.saturating_add(other.items);
        self.wire_bytes = self.wire_bytes.saturating_add(other.wire_bytes);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }

    /// What this is more than `other`, nothing where it is less.
    #[must_use]
    pub const fn beyond(&self, other: &Self) -> Self {
        Self {
            exports: self.exports.saturating_sub(other.exports),
            items: self.items.saturating_sub(other.items),
            wire_bytes: self.wire_bytes.saturating_sub(other.wire_bytes),
            bytes: self.bytes.saturating_sub(other.bytes),
        }
    }
}

/// What was counted of one minute, key, signal and fate.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Counted {
    /// The beginning of the minute.
    pub at: Timestamp,
    /// Whose it was; `None` where nobody proved anything.
    pub tenant: Option<Arc<Tenant>>,
    /// By which key; `None` where nobody proved anything, or where there was no room to count each key for itself.
    pub key: Option<KeyId>,
    /// With which version of its secret, where the key had two good ones.
    pub secret: Option<u32>,
    /// Of which signal; `None` where the path was none of OTLP's.
    pub signal: Option<Signal>,
    /// What became of it.
    pub fate: Fate,
    /// How much it was.
    pub amount: Amount,
}

/// How many exports came with one secret of a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OfSecret {
    /// The secret's version.
    pub version: u32,
    /// The beginning of the minute or hour.
    pub at: Timestamp,
    /// Exports, whatever became of them.
    pub exports: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_distinct_and_survive_their_text_form() {
        let own = [Fate::Received, Fate::Accepted, Fate::Gone, Fate::WouldRefuse];
        let all: Vec<_> = own.into_iter().chain(Reason::ALL.iter().map(|&reason| Fate::Refused(reason))).collect();
        assert_eq!(all.len(), Fate::COUNT);
        for fate in all {
            assert_eq!(fate.as_str().parse(), Ok(fate));
        }
        assert_eq!("refused".parse::<Fate>(), Err(FateError));
        for step in Step::ALL {
            assert_eq!(step.as_str().parse(), Ok(step));
        }
        assert_eq!("week".parse::<Step>(), Err(StepError));
    }

    proptest! {
        #[test]
        fn an_instant_is_in_its_step(micros: i64) {
            let at = Timestamp::from_micros(micros);
            for step in Step::ALL {
                let start = step.start(at);
                prop_assert!(start <= at && at.since(start) < step.length());
                prop_assert_eq!(step.start(start), start);
                if start.micros() > i64::MIN + 100_000_000_000 {
                    for finer in Step::ALL.into_iter().filter(|finer| *finer < step) {
                        prop_assert_eq!(finer.start(start), start);
                        prop_assert_eq!(step.start(finer.start(at)), start);
                    }
                }
            }
        }
    }
}
