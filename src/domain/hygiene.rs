//! What about a key needs somebody's attention: rotation that is due, an expiry that comes near, keys that nobody uses.
//!
//! Only active keys are looked at: one that is refused already endangers nobody. Each rule is one over the columns of the catalog,
//! so that lists can be filtered by it; beside each flag stands its condition, where `k` is the key, `current` its secret
//! without `retires_at`, and `:now` the present instant. Days have 86 400 seconds.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::key::SecretFormat;
use super::webhook::EventKind;
use super::{Binding, Environment, Key, KeyStatus, Slug, Timestamp};

/// Declares [`Flag`] with its names in one table.
macro_rules! flags {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $event:expr;)*) => {
        /// Why a key needs attention.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Flag {
            $($(#[$doc])* $variant,)*
        }

        impl Flag {
            /// Every flag, in the order of their discriminants.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The flag's name, part of the API.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What webhooks are told when a key gets the flag; `None` where the audit log tells of it.
            #[must_use]
            pub const fn event(self) -> Option<EventKind> {
                match self { $(Self::$variant => $event,)* }
            }
        }
    };
}

flags! {
    /// The current secret is as old as the rotation policy allows, or older:
    /// `current.created_at <= :now - days`, where `days` are `environments.rotation_days` of `k.environment`, and [`ADMIN_ROTATION`]
    /// for keys without one. Where `rotation_days` is null, never.
    RotationDue = "rotation_due", Some(EventKind::RotationDue);
    /// It expires within 30 days: `k.expires_at <= :now + 30 days`.
    Expiring = "expiring", Some(EventKind::Expiring);
    /// It expires within 7 days: `k.expires_at <= :now + 7 days`.
    ExpiringSoon = "expiring_soon", Some(EventKind::Expiring);
    /// It expires within a day: `k.expires_at <= :now + 1 day`.
    ExpiringNow = "expiring_now", Some(EventKind::Expiring);
    /// It has not been used for 45 days: `COALESCE(k.last_used_at, k.created_at) <= :now - 45 days`.
    Unused45 = "unused_45", Some(EventKind::Unused);
    /// It has not been used for 90 days: `COALESCE(k.last_used_at, k.created_at) <= :now - 90 days`.
    Unused90 = "unused_90", Some(EventKind::Unused);
    /// It has never been used, a day after it was created: `k.last_used_at IS NULL AND k.created_at <= :now - 1 day`.
    NeverUsed = "never_used", Some(EventKind::NeverUsed);
    /// The current secret is a legacy one: `current.format = 'uuid'`.
    Weak = "weak", Some(EventKind::Weak);
    /// A secret that was found in public is still good: `k.exposed_at` is not before the `created_at` of a secret whose
    /// `retires_at` is null or after `:now`.
    Exposed = "exposed", None;
}

/// How old the current secret of an admin key may become: it belongs to no environment that could say so.
pub const ADMIN_ROTATION: Duration = days(90);

const fn days(days: u64) -> Duration {
    Duration::from_secs(days * 24 * 3600)
}

/// The text names no flag.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("there is no such flag")]
pub struct FlagError;

impl FromStr for Flag {
    type Err = FlagError;

    fn from_str(text: &str) -> Result<Self, FlagError> {
        Self::ALL.iter().copied().find(|one| one.as_str() == text).ok_or(FlagError)
    }
}

impl fmt::Display for Flag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Flag {
    /// The flag that says the same more urgently.
    #[must_use]
    pub const fn more_urgent(self) -> Option<Self> {
        match self {
            Self::Expiring => Some(Self::ExpiringSoon),
            Self::ExpiringSoon => Some(Self::ExpiringNow),
            Self::Unused45 => Some(Self::Unused90),
            _ => None,
        }
    }

    /// The number of days that the flag speaks of.
    #[must_use]
    pub const fn days(self) -> Option<u32> {
        match self {
            Self::Expiring => Some(30),
            Self::ExpiringSoon => Some(7),
            Self::ExpiringNow | Self::NeverUsed => Some(1),
            Self::Unused45 => Some(45),
            Self::Unused90 => Some(90),
            Self::RotationDue | Self::Weak | Self::Exposed => None,
        }
    }

    /// The same as a span of time; zero where it speaks of none.
    #[must_use]
    pub const fn span(self) -> Duration {
        match self.days() {
            Some(number) => days(number as u64),
            None => Duration::ZERO,
        }
    }
}

/// How old current secrets may become, by environment.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct RotationPolicy(BTreeMap<Slug, u32>);

impl RotationPolicy {
    /// What these environments say.
    #[must_use]
    pub fn new(environments: &[Environment]) -> Self {
        Self(environments.iter().filter_map(|one| Some((one.slug.clone(), one.rotation_days?))).collect())
    }

    /// Each environment whose keys have to be rotated, and how old their current secrets may become.
    pub fn environments(&self) -> impl Iterator<Item = (&Slug, Duration)> {
        self.0.iter().map(|(environment, &number)| (environment, days(number.into())))
    }

    /// How old the current secret of `key` may become; `None`: as old as it likes.
    #[must_use]
    pub fn of(&self, key: &Key) -> Option<Duration> {
        match &key.binding {
            Binding::Tenant(tenant) => self.0.get(&tenant.environment).map(|&number| days(number.into())),
            Binding::Project(_) | Binding::Installation => Some(ADMIN_ROTATION),
        }
    }
}

/// Why `key` needs attention at `now`, in the order of the flags.
#[must_use]
pub fn attention(key: &Key, policy: &RotationPolicy, now: Timestamp) -> Vec<Flag> {
    if key.status(now) != KeyStatus::Active {
        return Vec::new();
    }
    let current = key.secrets.iter().find(|secret| secret.retires_at.is_none());
    let used = key.last_used().map(|used| used.last_at);
    let long_ago = |at: Timestamp, span: Duration| at <= now.before(span);
    let has = |flag: &Flag| match flag {
        Flag::RotationDue => {
            current.zip(policy.of(key)).is_some_and(|(secret, most)| long_ago(secret.created_at, most))
        }
        Flag::Expiring | Flag::ExpiringSoon | Flag::ExpiringNow => {
            key.expires_at.is_some_and(|at| at <= now.after(flag.span()))
        }
        Flag::Unused45 | Flag::Unused90 => long_ago(used.unwrap_or(key.created_at), flag.span()),
        Flag::NeverUsed => used.is_none() && long_ago(key.created_at, flag.span()),
        Flag::Weak => current.is_some_and(|secret| secret.format == SecretFormat::Uuid),
        Flag::Exposed => key.is_exposed(now),
    };
    Flag::ALL.iter().copied().filter(|flag| has(flag)).collect()
}

/// A quarter of a year, in UTC. Its text form is `2026-Q4`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Quarter {
    /// The year, 1970 to 9999.
    year: i64,
    /// 1 to 4.
    quarter: i64,
}

/// The text is no quarter.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a quarter is written like 2026-Q4")]
pub struct QuarterError;

impl Quarter {
    /// The quarter that `at` is in.
    #[must_use]
    pub const fn of(at: Timestamp) -> Self {
        let date = at.date();
        Self { year: date.year, quarter: (date.month + 2) / 3 }
    }

    /// Its first instant.
    #[must_use]
    pub fn begin(self) -> Timestamp {
        Timestamp::first_of_month(self.year, self.quarter * 3 - 2)
    }

    /// The first instant after it.
    #[must_use]
    pub fn end(self) -> Timestamp {
        if self.quarter == 4 {
            Timestamp::first_of_month(self.year + 1, 1)
        } else {
            Timestamp::first_of_month(self.year, self.quarter * 3 + 1)
        }
    }
}

impl FromStr for Quarter {
    type Err = QuarterError;

    fn from_str(text: &str) -> Result<Self, QuarterError> {
        let (year, quarter) = text.split_once("-Q").ok_or(QuarterError)?;
        let digits = |text: &str, length| text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(year, 4) || !digits(quarter, 1) {
            return Err(QuarterError);
        }
        let number = |text: &str| text.parse::<i64>().map_err(|_| QuarterError);
        let (year, quarter) = (number(year)?, number(quarter)?);
        if (1970..=9999).contains(&year) && (1..=4).contains(&quarter) {
            Ok(Self { year, quarter })
        } else {
            Err(QuarterError)
        }
    }
}

impl fmt::Display for Quarter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-Q{}", self.year, self.quarter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::key::{DigestAlgorithm, Secret, SecretUse};
    use crate::domain::{Digest, KeyId, Tenant};
    use proptest::prelude::*;

    const START: Timestamp = Timestamp::from_micros(1_795_256_520_000_000);

    fn secret(version: u32, created_at: Timestamp) -> Secret {
        Secret {
            version,
            digest: Digest::from_bytes([0; 32]),
            algorithm: DigestAlgorithm::HmacSha256 { pepper: 1 },
            format: SecretFormat::Token,
            created_at,
            retires_at: None,
            drained_after: None,
            used: None,
        }
    }

    fn key(environment: &str) -> Key {
        let slug = |text: &str| text.parse::<Slug>().expect("a slug");
        let tenant = Tenant { project: slug("shop"), grid: slug("web"), environment: slug(environment) };
        let mut key = Key::new(KeyId::from_bare("7Hq2mZxK9wPa").expect("an id"), Binding::Tenant(tenant), "one", START);
        key.secrets = vec![secret(1, START)];
        key
    }

    fn policy() -> RotationPolicy {
        let environment = |slug: &str, rotation_days| Environment {
            slug: slug.parse().expect("a slug"),
            code: "abc".parse().expect("a code"),
            name: slug.to_owned(),
            rotation_days,
            created_at: START,
        };
        let days = [("production", Some(90)), ("development", Some(180)), ("load", None)];
        RotationPolicy::new(&days.map(|(slug, days)| environment(slug, days)))
    }

    fn used(key: &mut Key, at: Timestamp) {
        key.secrets[0].used = Some(SecretUse { first_at: at, last_at: at, address: None, agent: None });
    }

    /// The instant from which on the flag is there, and not a microsecond before.
    #[track_caller]
    fn assert_from(key: &Key, flag: Flag, from: Timestamp) {
        let before = from.before(Duration::from_micros(1));
        assert!(!attention(key, &policy(), before).contains(&flag), "{flag} too early");
        assert!(attention(key, &policy(), from).contains(&flag), "{flag} too late");
    }

    #[test]
    fn each_rule_begins_at_its_instant() {
        assert_from(&key("production"), Flag::RotationDue, START.after(days(90)));
        assert_from(&key("development"), Flag::RotationDue, START.after(days(180)));
        assert!(!attention(&key("load"), &policy(), START.after(days(9999))).contains(&Flag::RotationDue));
        let admin = Key { binding: Binding::Installation, ..key("production") };
        assert_from(&admin, Flag::RotationDue, START.after(ADMIN_ROTATION));

        let mut fresh = key("production");
        used(&mut fresh, START.after(days(400)));
        fresh.expires_at = Some(START.after(days(430)));
        assert_from(&fresh, Flag::Expiring, START.after(days(400)));
        assert_from(&fresh, Flag::ExpiringSoon, START.after(days(423)));
        assert_from(&fresh, Flag::ExpiringNow, START.after(days(429)));
        assert!(attention(&fresh, &policy(), START.after(days(430))).is_empty(), "an expired key needs no attention");

        assert_from(&key("production"), Flag::NeverUsed, START.after(days(1)));
        assert_from(&key("production"), Flag::Unused45, START.after(days(45)));
        let mut once = key("production");
        used(&mut once, START.after(days(2)));
        assert_from(&once, Flag::Unused45, START.after(days(47)));
        assert_from(&once, Flag::Unused90, START.after(days(92)));
        assert!(!attention(&once, &policy(), START.after(days(99))).contains(&Flag::NeverUsed));
    }

    #[test]
    fn a_rotation_takes_the_flags_of_the_old_secret_away() {
        let mut key = key("production");
        key.secrets[0].format = SecretFormat::Uuid;
        key.exposed_at = Some(START.after(days(1)));
        let late = START.after(days(100));
        used(&mut key, late);
        let flags = [Flag::RotationDue, Flag::Weak, Flag::Exposed];
        assert_eq!(attention(&key, &policy(), late), flags);
        key.secrets[0].retires_at = Some(late.after(days(1)));
        key.secrets.insert(0, secret(2, late));
        assert_eq!(attention(&key, &policy(), late), [Flag::Exposed], "the exposed secret is still good");
        assert!(attention(&key, &policy(), late.after(days(1))).is_empty());
    }

    #[test]
    fn a_key_that_is_refused_needs_no_attention() {
        let late = START.after(days(400));
        assert!(!attention(&key("production"), &policy(), late).is_empty());
        let disabled = Key { disabled_at: Some(START), ..key("production") };
        let revoked = Key { revoked_at: Some(START), ..key("production") };
        for refused in [disabled, revoked] {
            assert!(attention(&refused, &policy(), late).is_empty());
        }
    }

    #[test]
    fn names_are_read_back_and_urgency_ends() {
        for &flag in Flag::ALL {
            assert_eq!(flag.as_str().parse(), Ok(flag));
            assert_eq!(flag as usize, Flag::ALL.iter().position(|one| *one == flag).expect("it is there"));
            if let Some(more) = flag.more_urgent() {
                assert_eq!(more.event(), flag.event());
                assert!(more > flag);
            }
        }
    }

    #[test]
    fn quarters_follow_each_other() {
        for (text, begin, end) in [
            ("2026-Q1", "2026-01-01T00:00:00Z", "2026-04-01T00:00:00Z"),
            ("2026-Q4", "2026-10-01T00:00:00Z", "2027-01-01T00:00:00Z"),
        ] {
            let quarter: Quarter = text.parse().expect(text);
            assert_eq!(
                (quarter.begin(), quarter.end()),
                (begin.parse().expect("an instant"), end.parse().expect("one"))
            );
            assert_eq!((Quarter::of(quarter.begin()), quarter.to_string()), (quarter, text.to_owned()));
            assert_eq!(Quarter::of(quarter.end().before(Duration::from_micros(1))), quarter);
            assert_ne!(Quarter::of(quarter.end()), quarter);
        }
        for text in ["", "2026", "2026-Q5", "2026-Q0", "2026-q1", "26-Q1", "2026-Q11", "1969-Q4", "+026-Q1"] {
            assert_eq!(text.parse::<Quarter>(), Err(QuarterError), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_quarter_or_an_error(text in "\\PC*|[0-9]{3,5}-Q[0-9]{0,2}") {
            if let Ok(quarter) = text.parse::<Quarter>() {
                prop_assert_eq!(quarter.to_string(), text);
                prop_assert!(quarter.begin() < quarter.end());
            }
        }

        #[test]
        fn an_instant_is_in_its_quarter(micros in 0_i64..253_402_300_800_000_000) {
            let at = Timestamp::from_micros(micros);
            let quarter = Quarter::of(at);
            prop_assert!(quarter.begin() <= at && at < quarter.end());
        }
    }
}
