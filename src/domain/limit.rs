//! Limits: how much of what may come in, how fast and in a period.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;

use super::{Signal, Slug, Tenant, Timestamp, id::KeyId};

/// What limits are about, and what use is counted for: the narrowest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Scope {
    /// One key.
    Key,
    /// One tenant: all keys of it together.
    Tenant,
    /// One project: all its tenants together.
    Project,
}

impl Scope {
    /// Every scope, in the order of their discriminants.
    pub const ALL: [Self; 3] = [Self::Key, Self::Tenant, Self::Project];

    /// The scope's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Tenant => "tenant",
            Self::Project => "project",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One key, tenant or project.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ScopeId {
    /// The key.
    Key(KeyId),
    /// The tenant.
    Tenant(Tenant),
    /// The project.
    Project(Slug),
}

impl ScopeId {
    /// Which scope it is of.
    #[must_use]
    pub const fn scope(&self) -> Scope {
        match self {
            Self::Key(_) => Scope::Key,
            Self::Tenant(_) => Scope::Tenant,
            Self::Project(_) => Scope::Project,
        }
    }
}

/// The key's id, `project/grid/environment`, or the project's slug.
impl fmt::Display for ScopeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(id) => id.fmt(f),
            Self::Tenant(tenant) => tenant.fmt(f),
            Self::Project(slug) => slug.fmt(f),
        }
    }
}

/// Declares a closed list of words.
macro_rules! words {
    ($(#[$type_doc:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$type_doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum $name {
            $($(#[$doc])* $variant,)*
        }

        impl $name {
            /// Every one, in the order of their discriminants.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Its name in API, command line and catalog.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// The one of this name.
            #[must_use]
            pub fn named(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.as_str() == word)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words! {
    /// What is counted.
    Unit {
        /// Exports.
        Requests = "requests",
        /// Spans, data points, log records or profile samples.
        Items = "items",
        /// Bytes of payloads, decompressed.
        Bytes = "bytes",
    }
}

words! {
    /// For how long an amount is.
    Per {
        /// A rate.
        Second = "second",
        /// A quota for a calendar day in UTC.
        Day = "day",
        /// A quota for a calendar month in UTC.
        Month = "month",
    }
}

words! {
    /// What happens to exports over the limit.
    Mode {
        /// They are refused.
        Enforce = "enforce",
        /// They are accepted, and their senders are warned by `partial_success`.
        Warn = "warn",
        /// They are accepted, and counted as what would have been refused.
        Observe = "observe",
    }
}

/// One limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limit {
    /// For how long the amount is.
    pub per: Per,
    /// What is counted.
    pub unit: Unit,
    /// Of which signal; `None`: of all together.
    pub signal: Option<Signal>,
    /// How much, at most [`MAX_AMOUNT`].
    pub amount: NonZeroU64,
    /// How much may come at once after a pause, at least the amount of one second. Of a quota, its amount.
    pub burst: NonZeroU64,
    /// What happens over it.
    pub mode: Mode,
}

/// The largest amount and burst: ten to the power of twelve.
pub const MAX_AMOUNT: u64 = 1_000_000_000_000;

/// Why a limit is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LimitError {
    /// The amount is out of range.
    #[error("an amount is a whole number from 1 to {MAX_AMOUNT}")]
    Amount,
    /// The burst is out of range.
    #[error("a burst is a whole number from the amount to {MAX_AMOUNT}")]
    Burst,
    /// A quota has a burst.
    #[error("only a limit per second has a burst")]
    QuotaBurst,
    /// A quota of requests.
    #[error("a limit per day or month counts items or bytes, not requests")]
    QuotaRequests,
    /// Two limits count the same.
    #[error("there is another limit for the same period, unit and signal")]
    Twice,
    /// The text is no limit.
    #[error(
        "a limit is written as in «1000 items/second», «traces 50 requests/second burst 200 observe», or «5000000 bytes/day warn»"
    )]
    Form,
}

impl Limit {
    /// A limit, checked; without `burst` it is the amount.
    ///
    /// # Errors
    /// [`LimitError`].
    pub fn new(
        per: Per,
        unit: Unit,
        signal: Option<Signal>,
        amount: u64,
        burst: Option<u64>,
        mode: Mode,
    ) -> Result<Self, LimitError> {
        let in_range = |value: u64| NonZeroU64::new(value).filter(|value| value.get() <= MAX_AMOUNT);
        let amount = in_range(amount).ok_or(LimitError::Amount)?;
        if per != Per::Second && unit == Unit::Requests {
            return Err(LimitError::QuotaRequests);
        }
        let burst = match burst {
            None => amount,
            Some(_) if per != Per::Second => return Err(LimitError::QuotaBurst),
            Some(burst) => in_range(burst).filter(|burst| *burst >= amount).ok_or(LimitError::Burst)?,
        };
        Ok(Self { per, unit, signal, amount, burst, mode })
    }

    /// What only one limit of a scope can be for.
    #[must_use]
    pub const fn slot(&self) -> (Per, Unit, Option<Signal>) {
        (self.per, self.unit, self.signal)
    }

    /// Whether exports of `signal` count.
    #[must_use]
    pub fn covers(&self, signal: Signal) -> bool {
        self.signal.is_none_or(|own| own == signal)
    }
}

/// `[<signal> ]<amount> <unit>/<period>[ burst <burst>][ <mode>]`; the mode is left out where it is to enforce.
impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(signal) = self.signal {
            write!(f, "{signal} ")?;
        }
        write!(f, "{} {}/{}", self.amount, self.unit, self.per)?;
        if self.burst != self.amount {
            write!(f, " burst {}", self.burst)?;
        }
        match self.mode {
            Mode::Enforce => Ok(()),
            mode => write!(f, " {mode}"),
        }
    }
}

impl FromStr for Limit {
    type Err = LimitError;

    fn from_str(text: &str) -> Result<Self, LimitError> {
        let mut words = text.split_ascii_whitespace().peekable();
        let signal = words.peek().and_then(|word| word.parse::<Signal>().ok());
        if signal.is_some() {
            words.next();
        }
        let amount = number(words.next(), LimitError::Amount)?;
        let (unit, per) = words.next().and_then(|word| word.split_once('/')).ok_or(LimitError::Form)?;
        let unit = Unit::named(unit).ok_or(LimitError::Form)?;
        let per = Per::named(per).ok_or(LimitError::Form)?;
        let burst = match words.next_if_eq(&"burst") {
            Some(_) => Some(number(words.next(), LimitError::Burst)?),
            None => None,
        };
        let mode = match words.next() {
            Some(word) => Mode::named(word).ok_or(LimitError::Form)?,
            None => Mode::Enforce,
        };
        if words.next().is_some() {
            return Err(LimitError::Form);
        }
        Self::new(per, unit, signal, amount, burst, mode)
    }
}

/// Digits alone; what is no number that fits is `out_of_range`.
fn number(word: Option<&str>, out_of_range: LimitError) -> Result<u64, LimitError> {
    let word = word.ok_or(LimitError::Form)?;
    if word.starts_with('-') || word.bytes().all(|byte| byte.is_ascii_digit()) {
        return word.parse().map_err(|_| out_of_range);
    }
    Err(LimitError::Form)
}

/// The limits of one scope, at most one for each period, unit and signal. Its text form is theirs, with commas between them.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Limits(Vec<Limit>);

impl Limits {
    /// The set of `limits`.
    ///
    /// # Errors
    /// The position of a limit that counts the same as one before it.
    pub fn new(limits: impl IntoIterator<Item = Limit>) -> Result<Self, usize> {
        let mut set: Vec<Limit> = Vec::new();
        for (index, limit) in limits.into_iter().enumerate() {
            match set.binary_search_by_key(&limit.slot(), Limit::slot) {
                Ok(_) => return Err(index),
                Err(position) => set.insert(position, limit),
            }
        }
        Ok(Self(set))
    }

    /// The limits: rates first, then days, then months.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Limit> {
        self.0.iter()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// These limits, and those of `base` that have no counterpart here.
    #[must_use]
    pub fn over(&self, base: &Self) -> Self {
        let mut all = self.clone();
        for limit in &base.0 {
            if let Err(position) = all.0.binary_search_by_key(&limit.slot(), Limit::slot) {
                all.0.insert(position, *limit);
            }
        }
        all
    }
}

impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, limit) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            limit.fmt(f)?;
        }
        Ok(())
    }
}

impl FromStr for Limits {
    type Err = LimitError;

    fn from_str(text: &str) -> Result<Self, LimitError> {
        if text.trim_ascii().is_empty() {
            return Ok(Self::default());
        }
        let limits = text.split(',').map(str::parse).collect::<Result<Vec<Limit>, _>>()?;
        Self::new(limits).map_err(|_| LimitError::Twice)
    }
}

/// What holds for the exports of a key beside the key itself: the limits of each scope, and whether its project is suspended.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Terms {
    /// Limits by [`Scope`]: its own, over those of the project's plan.
    pub limits: [Limits; Scope::ALL.len()],
    /// Set while somebody keeps the project suspended, which holds whatever the clock says.
    pub suspended_at: Option<Timestamp>,
    /// From this instant on it is suspended, because its plan ends.
    pub plan_ends_at: Option<Timestamp>,
}

impl Terms {
    /// The limits of a scope.
    #[must_use]
    pub const fn limits(&self, scope: Scope) -> &Limits {
        &self.limits[scope as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn limits(text: &str) -> Limits {
        text.parse().expect("limits")
    }

    #[test]
    fn a_limit_is_written_as_it_is_read() {
        for text in [
            "1000 items/second",
            "50 requests/second burst 200",
            "traces 5000000 bytes/day warn",
            "profiles 1 items/month observe",
            "logs 1000000000000 bytes/second observe",
        ] {
            assert_eq!(text.parse::<Limit>().expect("a limit").to_string(), text);
        }
        let loose: Limit = " traces  10 items/second burst 10  enforce".parse().expect("a limit");
        assert_eq!(loose.to_string(), "traces 10 items/second");
    }

    #[test]
    fn what_is_no_limit_is_refused_with_what_is_allowed() {
        use LimitError as E;
        for (text, error) in [
            ("", E::Form),
            ("10", E::Form),
            ("items/second", E::Form),
            ("ten items/second", E::Form),
            ("10 spans/second", E::Form),
            ("10 items/hour", E::Form),
            ("spans 10 items/second", E::Form),
            ("10 items/second burst", E::Form),
            ("10 items/second dry", E::Form),
            ("10 items/second observe observe", E::Form),
            ("0 items/second", E::Amount),
            ("-1 items/second", E::Amount),
            ("1000000000001 items/second", E::Amount),
            ("99999999999999999999999 bytes/day", E::Amount),
            ("10 items/second burst 9", E::Burst),
            ("10 items/second burst 0", E::Burst),
            ("10 items/second burst 1000000000001", E::Burst),
            ("10 items/day burst 20", E::QuotaBurst),
            ("10 requests/day", E::QuotaRequests),
        ] {
            assert_eq!(text.parse::<Limit>(), Err(error), "{text}");
        }
        let twice = "10 items/day, traces 10 items/day, 20 items/day observe";
        assert_eq!(twice.parse::<Limits>(), Err(E::Twice));
    }

    #[test]
    fn what_a_scope_has_of_its_own_comes_before_its_plan() {
        let own = limits("20 items/day, traces 5 items/day");
        let plan = limits("10 items/day warn, 7 requests/second, logs 5 items/day");
        let both = "7 requests/second, 20 items/day, traces 5 items/day, logs 5 items/day";
        assert_eq!(own.over(&plan).to_string(), both);
        assert_eq!((Limits::default().over(&plan), plan.over(&Limits::default())), (plan.clone(), plan));
    }

    proptest! {
        #[test]
        fn whatever_is_read_is_written_and_read_again(text in "(traces |logs )?[0-9]{1,14} (items|bytes|requests|x)/(second|day|month)( burst [0-9]{1,14})?( warn| observe| enforce)?") {
            if let Ok(limit) = text.parse::<Limit>() {
                prop_assert_eq!(limit.to_string().parse::<Limit>(), Ok(limit));
            }
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,60}") {
            let _ = text.parse::<Limits>();
        }
    }
}
