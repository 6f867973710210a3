//! Over: what an export is told of a limit that has nothing left.

use std::fmt;
use std::time::Duration;

use super::limit::{Limit, ScopeId};
use super::{Reason, Refusal, Timestamp};

/// A limit that has nothing left for an export.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Over {
    /// Whose limit it is.
    pub id: ScopeId,
    /// The limit.
    pub limit: Limit,
    /// When it has something left again, if nothing else comes.
    pub reopens: Reopens,
}

/// When a limit has something left again. The later is the greater: a quota is never open before a rate.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Reopens {
    /// A rate, once it has refilled so far.
    In(Duration),
    /// A quota, when its period ends.
    At(Timestamp),
}

/// What was exceeded, for the sender: scope, whose it is, and the limit's text.
impl fmt::Display for Over {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, limit, reopens } = self;
        write!(f, "the limit of {} {id} is {limit}", id.scope())?;
        match reopens {
            Reopens::In(_) => Ok(()),
            Reopens::At(end) => write!(f, "; it is used up until {end}"),
        }
    }
}

impl From<Over> for Refusal {
    fn from(over: Over) -> Self {
        let refusal = match over.reopens {
            Reopens::In(wait) => Self::because(Reason::RateLimited, &over).retry_in(wait),
            Reopens::At(_) => Self::because(Reason::QuotaExhausted, &over),
        };
        Self { over: Some(Box::new(over)), ..refusal }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn over(limit: &str, reopens: Reopens) -> Over {
        let id = ScopeId::Project("shop".parse().expect("a slug"));
        Over { id, limit: limit.parse().expect("a limit"), reopens }
    }

    #[test]
    fn a_rate_is_retried_when_it_has_refilled_and_a_quota_never() {
        let rate = Refusal::from(over("logs 10 items/second burst 20", Reopens::In(Duration::from_millis(2100))));
        assert_eq!((rate.reason, rate.retry_after().map(std::num::NonZeroU32::get)), (Reason::RateLimited, Some(3)));
        assert_eq!(rate.detail.as_deref(), Some("the limit of project shop is logs 10 items/second burst 20"));

        let end = Timestamp::from_micros(1_795_305_600_000_000);
        let quota = over("10 bytes/day", Reopens::At(end));
        let refusal = Refusal::from(quota.clone());
        assert_eq!((refusal.reason, refusal.retry_after()), (Reason::QuotaExhausted, None));
        let detail = "the limit of project shop is 10 bytes/day; it is used up until 2026-11-22T00:00:00.000000Z";
        assert_eq!((refusal.detail.as_deref(), refusal.over), (Some(detail), Some(Box::new(quota))));
    }

    #[test]
    fn a_quota_is_later_than_any_rate() {
        let long = Reopens::In(Duration::MAX);
        assert!(Reopens::At(Timestamp::from_micros(0)) > long && long > Reopens::In(Duration::ZERO));
    }
}
