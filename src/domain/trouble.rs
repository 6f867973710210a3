//! Trouble: exports that were turned away, or that arrived where they may not belong, in groups of those that have it in common.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use super::{KeyId, Reason, Signal, Slug, Timestamp, Transport};

/// What is wrong.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Cause {
    /// Exports are refused.
    Refused(Reason),
    /// Exports are accepted, and say of themselves that they come from another environment than their key's.
    EnvironmentDrift,
}

impl Cause {
    /// Every cause, the warning last.
    pub const ALL: &[Self] = &{
        let mut all = [Self::EnvironmentDrift; Reason::ALL.len() + 1];
        let mut index = 0;
        while index < Reason::ALL.len() {
            all[index] = Self::Refused(Reason::ALL[index]);
            index += 1;
        }
        all
    };

    /// The name in API, command line and catalog: the reason's, where there is one.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Refused(reason) => reason.as_str(),
            Self::EnvironmentDrift => "environment_drift",
        }
    }

    /// `refusal`, or `warning` where exports are accepted all the same.
    #[must_use]
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Refused(_) => "refusal",
            Self::EnvironmentDrift => "warning",
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Refused(reason) => reason.advice(),
            Self::EnvironmentDrift => {
                "send with a key of the environment that the resource names, or correct deployment.environment.name in \
                 OTEL_RESOURCE_ATTRIBUTES"
            }
        }
    }
}

/// The text names no cause.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("there is no such reason")]
pub struct CauseError;

impl FromStr for Cause {
    type Err = CauseError;

    fn from_str(text: &str) -> Result<Self, CauseError> {
        Self::ALL.iter().copied().find(|cause| cause.as_str() == text).ok_or(CauseError)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What exports with the same trouble have in common.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Group {
    /// The project of the key whose secret was proved; `None`: nobody proved anything, or a group of the whole installation.
    pub project: Option<Slug>,
    /// The key: in a project it was proved, otherwise it is only claimed.
    pub key: Option<KeyId>,
    /// What is wrong.
    pub cause: Cause,
    /// Where they come from; `None`: from more places than have a group of their own.
    pub source: Option<Source>,
}

/// Where exports come from.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Source {
    /// The address.
    pub address: IpAddr,
    /// What its client calls itself: printable ASCII.
    pub agent: Option<Box<str>>,
    /// The service, by its own account; `None` where the body was not read.
    pub service: Option<Box<str>>,
}

impl Group {
    /// The group that stands for this one and others like it, where there is no room for each. What nobody proved loses the claimed
    /// key together with its source: there are as many claims as somebody cares to make up. `None`: there is none larger.
    #[must_use]
    pub fn coarser(&self) -> Option<Self> {
        let Self { project, key, cause, source } = self.clone();
        match (project, key, source) {
            (Some(project), key, Some(_)) => Some(Self { project: Some(project), key, cause, source: None }),
            (Some(project), Some(_), None) => Some(Self { project: Some(project), key: None, cause, source: None }),
            (None, None, None) => None,
            _ => Some(Self { project: None, key: None, cause, source: None }),
        }
    }
}

/// What was seen of a group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seen {
    /// The earliest export.
    pub first_at: Timestamp,
    /// The latest one.
    pub last_at: Timestamp,
    /// How many there were.
    pub exports: u64,
    /// What was wrong with the latest one that tells, in words.
    pub detail: Option<Box<str>>,
    /// Their signals.
    pub signals: Signals,
    /// Their transports.
    pub transports: Transports,
}

impl Seen {
    /// Adds what was seen of another group, or later of the same.
    pub fn add(&mut self, other: Self) {
        self.first_at = self.first_at.min(other.first_at);
        if other.detail.is_some() && (self.detail.is_none() || self.last_at <= other.last_at) {
            self.detail = other.detail;
        }
        self.last_at = self.last_at.max(other.last_at);
        self.exports = self.exports.saturating_add(other.exports);
        self.signals = Signals(self.signals.0 | other.signals.0);
        self.transports = Transports(self.transports.0 | other.transports.0);
    }
}

/// A group, and what was seen of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Trouble {
    /// What they have in common.
    pub group: Group,
    /// What was seen.
    pub seen: Seen,
}

/// A set of signals, a bit for each.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Signals(u8);

impl Signals {
    /// The signal of one export, if its path names one.
    #[must_use]
    pub fn of(signal: Option<Signal>) -> Self {
        Self(signal.map_or(0, |signal| 1 << signal as u8))
    }

    /// The set with these bits; bits of no signal are left out.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    /// Its bits.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Its signals.
    pub fn iter(self) -> impl Iterator<Item = Signal> {
        Signal::ALL.into_iter().filter(move |&signal| self.0 & (1 << signal as u8) != 0)
    }
}

/// A set of transports, a bit for each.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Transports(u8);

impl Transports {
    /// The transport of one export.
    #[must_use]
    pub const fn of(transport: Transport) -> Self {
        Self(1 << transport as u8)
    }

    /// The set with these bits; bits of no transport are left out.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    /// Its bits.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Its transports.
    pub fn iter(self) -> impl Iterator<Item = Transport> {
        Transport::ALL.into_iter().filter(move |&transport| self.0 & (1 << transport as u8) != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group() -> Group {
        let source = Source { address: IpAddr::from([192, 0, 2, 1]), agent: Some("sdk".into()), service: None };
        Group {
            project: Some("shop".parse().expect("a slug")),
            key: KeyId::from_bare("7Hq2mZxK9wPa"),
            cause: Cause::Refused(Reason::KeyExpired),
            source: Some(source),
        }
    }

    /// The group, and those it becomes part of, one after the other.
    fn chain(group: Group) -> Vec<(bool, bool, bool)> {
        std::iter::successors(Some(group), Group::coarser)
            .map(|group| (group.project.is_some(), group.key.is_some(), group.source.is_some()))
            .collect()
    }

    #[test]
    fn groups_grow_coarser_until_there_is_one_for_each_cause() {
        let end = (false, false, false);
        assert_eq!(chain(group()), [(true, true, true), (true, true, false), (true, false, false), end]);
        assert_eq!(chain(Group { project: None, ..group() }), [(false, true, true), end]);
        assert_eq!(chain(Group { project: None, key: None, ..group() }), [(false, false, true), end]);
    }

    #[test]
    fn causes_have_names_of_their_own() {
        let names: std::collections::BTreeSet<_> = Cause::ALL.iter().map(|cause| cause.as_str()).collect();
        assert_eq!(names.len(), Reason::ALL.len() + 1);
        assert!(Cause::ALL.iter().all(|cause| cause.to_string().parse() == Ok(*cause)));
        assert_eq!("gone".parse::<Cause>(), Err(CauseError));
    }

    #[test]
    fn the_latest_detail_stays_in_whatever_order_they_are_added() {
        let one = |micros, detail: Option<&str>, signal, transport| Seen {
            first_at: Timestamp::from_micros(micros),
            last_at: Timestamp::from_micros(micros),
            exports: 1,
            detail: detail.map(Into::into),
            signals: Signals::of(signal),
            transports: Transports::of(transport),
        };
        let all = [
            one(7, Some("late"), Some(Signal::Logs), Transport::Http),
            one(5, Some("early"), None, Transport::Http),
            one(9, None, Some(Signal::Traces), Transport::Grpc),
        ];
        for order in [[0, 1, 2], [1, 0, 2], [2, 1, 0], [1, 2, 0]] {
            let mut seen = all[order[0]].clone();
            order[1..].iter().for_each(|&next| seen.add(all[next].clone()));
            assert_eq!((seen.first_at.micros(), seen.last_at.micros(), seen.exports), (5, 9, 3));
            assert_eq!(seen.signals.iter().collect::<Vec<_>>(), [Signal::Traces, Signal::Logs]);
            assert_eq!(seen.transports.iter().collect::<Vec<_>>(), Transport::ALL);
            assert!(seen.detail.is_some());
        }
        assert_eq!(Signals::from_bits(0b1111_0001).iter().count(), 1);
    }
}
