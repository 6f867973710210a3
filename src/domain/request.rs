//! Single exports as the request log remembers them, and which of them somebody asks for.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::{KeyId, Origin, Reason, Signal, Slug, Tenant, Timestamp, Transport};

/// One export at its end. Its texts come from whoever sent it: they prove nothing and may hold any character.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ended {
    /// When its headers had arrived.
    pub at: Timestamp,
    /// From its headers to its end.
    pub took: Duration,
    /// How it came.
    pub transport: Transport,
    /// The signal that its path names.
    pub signal: Option<Signal>,
    /// The address that it came from.
    pub address: IpAddr,
    /// What it came by, as its `User-Agent` header says.
    pub agent: Option<String>,
    /// The key that its token names. It is proved where there is a tenant.
    pub key: Option<KeyId>,
    /// The version of the secret that was proved.
    pub secret_version: Option<u32>,
    /// Whose it is; `None` where nobody proved anything.
    pub tenant: Option<Arc<Tenant>>,
    /// Spans, data points, log records or profile samples, where they were counted.
    pub items: Option<u64>,
    /// Bytes as they were sent, where the body was read.
    pub wire_bytes: Option<u64>,
    /// Bytes of the payload in protobuf, decompressed.
    pub bytes: Option<u64>,
    /// Who sent it by its own account.
    pub origin: Origin,
    /// What became of it.
    pub ending: Ending,
}

/// What became of an export.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ending {
    /// It is durable.
    Accepted,
    /// It was turned away.
    Refused {
        /// Why.
        reason: Reason,
        /// What its sender was told besides.
        detail: Option<String>,
    },
    /// Its client left while the body was still arriving.
    Gone,
}

impl Ending {
    /// Which of the three.
    #[must_use]
    pub const fn outcome(&self) -> Outcome {
        match self {
            Self::Accepted => Outcome::Accepted,
            Self::Refused { .. } => Outcome::Refused,
            Self::Gone => Outcome::Gone,
        }
    }

    /// Why, where it was refused.
    #[must_use]
    pub const fn reason(&self) -> Option<Reason> {
        match self {
            Self::Refused { reason, .. } => Some(*reason),
            Self::Accepted | Self::Gone => None,
        }
    }
}

/// What can become of an export.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Outcome {
    /// It is durable.
    Accepted,
    /// It was turned away.
    Refused,
    /// Its client left.
    Gone,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 3] = [Self::Accepted, Self::Refused, Self::Gone];

    /// The name in API and catalog.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Refused => "refused",
            Self::Gone => "gone",
        }
    }
}

/// Which exports somebody asks for. Absent means: all.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct RequestFilter {
    /// Only those of this project.
    pub project: Option<Slug>,
    /// Only those of this grid.
    pub grid: Option<Slug>,
    /// Only those of this environment.
    pub environment: Option<Slug>,
    /// Only those whose token names this key.
    pub key: Option<KeyId>,
    /// Only this signal.
    pub signal: Option<Signal>,
    /// Only those of which this became.
    pub outcome: Option<Outcome>,
    /// Only those refused for this.
    pub reason: Option<Reason>,
    /// Only those from this address.
    pub address: Option<IpAddr>,
    /// Only those of this service.
    pub service: Option<String>,
    /// Only those that arrived at this instant or later.
    pub from: Option<Timestamp>,
    /// Only those that arrived before this instant.
    pub to: Option<Timestamp>,
    /// Only those that took at least so long.
    pub min_latency: Option<Duration>,
}

impl RequestFilter {
    /// Whether `ended` is one of them.
    #[must_use]
    pub fn matches(&self, ended: &Ended) -> bool {
        let of_tenant = |wanted: &Option<Slug>, part: fn(&Tenant) -> &Slug| {
            wanted.as_ref().is_none_or(|slug| ended.tenant.as_deref().is_some_and(|tenant| part(tenant) == slug))
        };
        of_tenant(&self.project, |tenant| &tenant.project)
            && of_tenant(&self.grid, |tenant| &tenant.grid)
            && of_tenant(&self.environment, |tenant| &tenant.environment)
            && self.key.is_none_or(|key| ended.key == Some(key))
            && self.signal.is_none_or(|signal| ended.signal == Some(signal))
            && self.outcome.is_none_or(|outcome| ended.ending.outcome() == outcome)
            && self.reason.is_none_or(|reason| ended.ending.reason() == Some(reason))
            && self.address.is_none_or(|address| ended.address == address)
            && self.service.as_deref().is_none_or(|service| ended.origin.service.as_deref() == Some(service))
            && self.from.is_none_or(|from| ended.at >= from)
            && self.to.is_none_or(|to| ended.at < to)
            && self.min_latency.is_none_or(|least| ended.took >= least)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::token::without_tokens;
    use proptest::prelude::*;

    pub(crate) fn ended() -> Ended {
        let slug = |text: &str| text.parse().expect("a slug");
        Ended {
            at: Timestamp::from_micros(100),
            took: Duration::from_millis(5),
            transport: Transport::Http,
            signal: Some(Signal::Logs),
            address: [10, 0, 0, 7].into(),
            agent: None,
            key: KeyId::from_bare("7Hq2mZxK9wPa"),
            secret_version: Some(1),
            tenant: Some(Arc::new(Tenant {
                project: slug("shop"),
                grid: slug("web"),
                environment: slug("production"),
            })),
            items: None,
            wire_bytes: None,
            bytes: None,
            origin: Origin { service: Some("checkout".into()), ..Origin::default() },
            ending: Ending::Refused { reason: Reason::KeyRevoked, detail: None },
        }
    }

    #[test]
    fn each_filter_sorts_out() {
        let ended = ended();
        let all = RequestFilter::default();
        assert!(all.matches(&ended));
        let slug = |text: &str| Some(text.parse().expect("a slug"));
        let with = |good: bool| {
            let pick = |right: &'static str, wrong: &'static str| slug(if good { right } else { wrong });
            [
                RequestFilter { project: pick("shop", "bank"), ..all.clone() },
                RequestFilter { grid: pick("web", "app"), ..all.clone() },
                RequestFilter { environment: pick("production", "staging"), ..all.clone() },
                RequestFilter {
                    key: KeyId::from_bare(if good { "7Hq2mZxK9wPa" } else { "7Hq2mZxK9wPb" }),
                    ..all.clone()
                },
                RequestFilter { signal: Some(if good { Signal::Logs } else { Signal::Traces }), ..all.clone() },
                RequestFilter { outcome: Some(if good { Outcome::Refused } else { Outcome::Gone }), ..all.clone() },
                RequestFilter {
                    reason: Some(if good { Reason::KeyRevoked } else { Reason::KeyExpired }),
                    ..all.clone()
                },
                RequestFilter { address: Some([10, 0, 0, if good { 7 } else { 8 }].into()), ..all.clone() },
                RequestFilter { service: Some(if good { "checkout" } else { "check" }.to_owned()), ..all.clone() },
                RequestFilter { from: Some(Timestamp::from_micros(if good { 100 } else { 101 })), ..all.clone() },
                RequestFilter { to: Some(Timestamp::from_micros(if good { 101 } else { 100 })), ..all.clone() },
                RequestFilter { min_latency: Some(Duration::from_millis(if good { 5 } else { 6 })), ..all.clone() },
            ]
        };
        for filter in with(true) {
            assert!(filter.matches(&ended), "{filter:?}");
        }
        for filter in with(false) {
            assert!(!filter.matches(&ended), "{filter:?}");
        }
        let nobodys = Ended { tenant: None, ..ended };
        assert!(!RequestFilter { project: slug("shop"), ..all }.matches(&nobodys));
    }

    #[test]
    fn tokens_are_taken_out_of_texts() {
        for (text, clean) in [
            ("checkout", "checkout"),
            ("otel ggi_prd_7Hq2mZxK9wPaSECRET/1.0 ggi_x", "otel ggi_…/1.0 ggi_…"),
            ("ggi_prd_SECRETgga_SECRET", "ggi_…"),
            ("xggA_é gga_é", "xggA_é gga_…é"),
        ] {
            assert_eq!(without_tokens(text), clean);
        }
    }

    proptest! {
        #[test]
        fn nothing_of_a_token_is_left(before in "\\PC{0,9}", secret in "[0-9A-Za-z]{32}", after in "\\PC{0,9}") {
            let text = format!("{before}ggi_prd_{secret}{after}");
            let clean = without_tokens(&text);
            prop_assert!(!clean.contains(&secret));
        }
    }
}
