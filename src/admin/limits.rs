//! How much a client may ask: so many requests of each admin key, and so many of each address without a key that is known to be good.
//!
//! An address pays for every request without credentials, for each that fails with some, and for the first that a key makes from it.
//! So guessing is slow, nobody can lock a key out by failing in its name, and a key in use goes on although its address is used up.
//! Each is told where it stands, in the fields of draft-ietf-httpapi-ratelimit-headers.

use std::hash::Hash;
use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{Extensions, HeaderMap, HeaderValue};
use moka::future::Cache;

use super::AdminState;
use super::problem::{Code, Problem};
use super::request::Peer;
use crate::domain::address::origin;
use crate::domain::clock::enough_seconds;
use crate::domain::session::TicketDigest;
use crate::domain::{Clock, KeyId};
use crate::metering::buckets::{Buckets, REMEMBERED, Taken};

/// How much may be asked.
#[derive(Clone, Copy, Debug)]
pub struct LimitSettings {
    /// Requests of one key in a second, in the long run.
    pub requests_per_second: NonZeroU32,
    /// Requests of one key at once, after a pause.
    pub burst: NonZeroU32,
    /// Requests of one address without a key that is known to be good, in a minute.
    pub unauthenticated_per_minute: NonZeroU32,
}

/// Who has asked how much. Whoever has been quiet for long is forgotten, and of too many who asked the least.
pub struct Limits {
    keys: Limit<KeyId>,
    addresses: Limit<IpAddr>,
    /// What was let in, with the address that it came from.
    known: Cache<(IpAddr, Credentials), ()>,
}

/// What a request is looked up by.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Credentials {
    /// The token of this key.
    Token(KeyId),
    /// The ticket of a session.
    Ticket(TicketDigest),
}

/// For how long credentials are known at an address that they no longer come from.
const KNOWN: Duration = Duration::from_hours(1);

impl Limits {
    /// Nobody has asked anything yet.
    #[must_use]
    pub fn new(settings: LimitSettings, clock: &Arc<dyn Clock>) -> Self {
        let each = Duration::from_secs(1) / settings.requests_per_second.get();
        let each_of_address = Duration::from_mins(1) / settings.unauthenticated_per_minute.get();
        Self {
            keys: Limit::new("default", each, settings.burst, clock),
            addresses: Limit::new("unauthenticated", each_of_address, settings.unauthenticated_per_minute, clock),
            known: Cache::builder().max_capacity(REMEMBERED).time_to_idle(KNOWN).build(),
        }
    }

    /// Counts a request with `credentials`, before they are looked up; `None`: it has none that could be looked up.
    pub(super) async fn before(&self, parts: &Parts, credentials: Option<Credentials>) -> Result<(), Problem> {
        let address = address(parts);
        match credentials {
            Some(credentials) if self.known.get(&(address, credentials)).await.is_some() => Ok(()),
            _ => self.addresses.take(&address, parts).await,
        }
    }

    /// Counts a request of `key`, whose `credentials` are good.
    pub(super) async fn succeeded(&self, parts: &Parts, credentials: Credentials, key: &KeyId) -> Result<(), Problem> {
        self.known.insert((address(parts), credentials), ()).await;
        self.keys.take(key, parts).await
    }

    /// Forgets `credentials` at this address, since they are not good, so that the next failure counts.
    pub(super) async fn failed(&self, parts: &Parts, credentials: Credentials) -> Result<(), Problem> {
        let address = address(parts);
        match self.known.remove(&(address, credentials)).await {
            Some(()) => self.addresses.take(&address, parts).await,
            None => Ok(()),
        }
    }
}

/// The extractor of handlers that need no key: its address pays.
pub(super) struct Anyone;

impl FromRequestParts<AdminState> for Anyone {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AdminState) -> Result<Self, Problem> {
        state.limits.before(parts, None).await.map(|()| Self)
    }
}

/// Where the client of a request stands. It is told in the answer, whatever that is.
#[derive(Clone, Default)]
pub(super) struct Standing(Arc<Mutex<Option<Told>>>);

#[derive(Clone, Debug)]
struct Told {
    policy: HeaderValue,
    limit: Option<HeaderValue>,
    retry_after: Option<u64>,
}

impl Standing {
    /// Puts a place for it into the extensions of a request.
    pub(super) fn enter(extensions: &mut Extensions) -> Self {
        let standing = Self::default();
        extensions.insert(standing.clone());
        standing
    }

    /// Writes it into the headers of the answer.
    pub(super) fn write(&self, headers: &mut HeaderMap) {
        let told = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Told { policy, limit, retry_after }) = told else { return };
        headers.insert("ratelimit-policy", policy);
        for (name, value) in [("ratelimit", limit), ("retry-after", retry_after.map(HeaderValue::from))] {
            value.and_then(|value| headers.insert(name, value));
        }
    }
}

/// One limit, for each `K`.
struct Limit<K> {
    name: &'static str,
    policy: HeaderValue,
    buckets: Buckets<K>,
}

impl<K: Hash + Eq + Clone + Send + Sync + 'static> Limit<K> {
    fn new(name: &'static str, each: Duration, burst: NonZeroU32, clock: &Arc<dyn Clock>) -> Self {
        let buckets = Buckets::new(each, burst, clock);
        let policy = format!("\"{name}\";q={burst};w={}", enough_seconds(buckets.refill(burst.get())));
        // Names and numbers are visible ASCII.
        let policy = HeaderValue::try_from(policy).unwrap_or_else(|_| HeaderValue::from_static(""));
        Self { name, policy, buckets }
    }

    /// Takes one request from what `key` has left, and tells what is left then.
    async fn take(&self, key: &K, parts: &Parts) -> Result<(), Problem> {
        let Taken { left, wait } = self.buckets.take(key).await;
        let retry_after = wait.map(enough_seconds);
        self.tell(parts, left, retry_after);
        match retry_after {
            None => Ok(()),
            Some(after) => {
                let burst = self.buckets.burst();
                let window = enough_seconds(self.buckets.refill(burst.get()));
                let detail = format!("more than {burst} requests in {window} s; try again in {after} s");
                Err(Problem::new(Code::RateLimited, detail))
            }
        }
    }

    fn tell(&self, parts: &Parts, left: u32, retry_after: Option<u64>) {
        let Some(Standing(standing)) = parts.extensions.get::<Standing>() else { return };
        let whole = enough_seconds(self.buckets.refill(self.buckets.burst().get().saturating_sub(left)));
        let limit = HeaderValue::try_from(format!("\"{}\";r={left};t={whole}", self.name)).ok();
        let told = Told { policy: self.policy.clone(), limit, retry_after };
        *standing.lock().unwrap_or_else(PoisonError::into_inner) = Some(told);
    }
}

/// The address that pays. Without one, which no server leaves out, all share.
fn address(parts: &Parts) -> IpAddr {
    parts.extensions.get::<Peer>().map_or(Ipv4Addr::UNSPECIFIED.into(), |peer| origin(peer.0))
}
