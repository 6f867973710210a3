//! Usage: what came in and what became of it, by minute, key and signal, since it was last written down.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Decided, Outcome};
use crate::domain::usage::{Amount, Counted, Fate, OfSecret, Step};
use crate::domain::{KeyId, Signal, Tenant, Timestamp};

/// Counts exports once they have ended, so that what is counted is always whole: each counts as received, and at the same time
/// as what became of it.
///
/// Counting allocates for the first export of a minute, key and signal alone. Memory is bounded and nothing is dropped: without room, a
/// key's exports count for a minute of it that is counted already, and those of a key without one for its tenant.
pub struct Usage {
    /// `None`: nothing is counted.
    shards: Option<[Mutex<Shard>; SHARDS]>,
    /// Minutes of one shard at the most, beside one for each tenant and signal.
    capacity: usize,
}

const SHARDS: usize = 16;

/// The most minutes that [`Usage::default`] has room for.
const DEFAULT_CAPACITY: usize = 100_000;

/// Whom exports count for.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Who {
    /// A key, and the version of its secret while two are good.
    Key(KeyId, Option<u32>),
    Tenant(Arc<Tenant>),
    Nobody,
}

#[derive(Default)]
struct Shard {
    accounts: HashMap<(Who, Option<Signal>), Account>,
    /// Minutes of all accounts.
    minutes: usize,
}

struct Account {
    tenant: Option<Arc<Tenant>>,
    minutes: Vec<Minute>,
}

struct Minute {
    at: Timestamp,
    amounts: Vec<(Fate, Amount)>,
}

impl Default for Usage {
    fn default() -> Self {
        Self::new(DEFAULT_CAPACITY)
    }
}

impl Usage {
    /// Room for about `capacity` minutes of keys and signals.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { shards: Some(<[Mutex<Shard>; SHARDS]>::default()), capacity: capacity.div_ceil(SHARDS) }
    }

    /// One that counts nothing.
    #[must_use]
    pub const fn off() -> Self {
        Self { shards: None, capacity: 0 }
    }

    /// Counts an export that has ended.
    pub fn decided(&self, decided: &Decided<'_>) {
        let Some(shards) = &self.shards else { return };
        let measured = decided.measured.unwrap_or_default();
        let (items, wire_bytes, bytes) = (measured.items, measured.wire_bytes, measured.bytes);
        let amount = Amount { exports: 1, items, wire_bytes, bytes };
        let fate = match decided.outcome {
            Outcome::Accepted => Fate::Accepted,
            Outcome::Gone => Fate::Gone,
            Outcome::Refused(refusal) => Fate::Refused(refusal.reason),
        };
        let watched = (decided.would_refuse && fate == Fate::Accepted).then_some(Fate::WouldRefuse);
        let key = decided.identified.map(|identified| identified.key);
        let tenant = decided.identified.map(|identified| &identified.tenant);
        let minute = Step::Minute.start(decided.at);
        let mut shard = lock(&shards[index(key)]);
        let secret = decided.identified.filter(|identified| identified.rotating);
        let secret = secret.map(|identified| identified.secret_version);
        let who = key.map_or(Who::Nobody, |key| Who::Key(key, secret));
        let amounts = shard.amounts(who, tenant, decided.signal, minute, self.capacity);
        for fate in [Fate::Received, fate].into_iter().chain(watched) {
            add(amounts, fate, &amount);
        }
    }

    /// Everything that was counted since this was last called.
    #[must_use]
    pub fn take(&self) -> Vec<Counted> {
        let mut counted = Vec::new();
        for shard in self.shards.iter().flatten() {
            let Shard { accounts, .. } = std::mem::take(&mut *lock(shard));
            for ((who, signal), Account { tenant, minutes }) in accounts {
                let (key, secret) = if let Who::Key(key, secret) = who { (Some(key), secret) } else { (None, None) };
                for Minute { at, amounts } in minutes {
                    let of = |(fate, amount)| Counted { at, tenant: tenant.clone(), key, secret, signal, fate, amount };
                    counted.extend(amounts.into_iter().map(of));
                }
            }
        }
        counted
    }

    /// What was counted by secret of `key`, which has two good ones, and is not taken yet.
    #[must_use]
    pub fn of_secrets(&self, key: KeyId, versions: [u32; 2]) -> Vec<OfSecret> {
        let Some(shards) = &self.shards else { return Vec::new() };
        let shard = lock(&shards[index(Some(key))]);
        let mut found = Vec::new();
        for version in versions {
            for signal in Signal::ALL.map(Some).into_iter().chain([None]) {
                let account = shard.accounts.get(&(Who::Key(key, Some(version)), signal));
                for Minute { at, amounts } in account.into_iter().flat_map(|account| &account.minutes) {
                    let received = amounts.iter().find(|(fate, _)| *fate == Fate::Received);
                    let exports = received.map_or(0, |(_, amount)| amount.exports);
                    found.push(OfSecret { version, at: *at, exports });
                }
            }
        }
        found
    }

    /// How many minutes of keys and signals wait to be written down.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shards.iter().flatten().map(|shard| lock(shard).minutes).sum()
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Shard {
    /// Where exports of these count; where there are `capacity` minutes, none is added that need not be.
    fn amounts(
        &mut self,
        mut who: Who,
        tenant: Option<&Arc<Tenant>>,
        signal: Option<Signal>,
        at: Timestamp,
        capacity: usize,
    ) -> &mut Vec<(Fate, Amount)> {
        let full = self.minutes >= capacity;
        if let Some(tenant) = tenant
            && full
            && !self.accounts.contains_key(&(who.clone(), signal))
        {
            who = Who::Tenant(Arc::clone(tenant));
        }
        let new = || Account { tenant: tenant.cloned(), minutes: Vec::new() };
        let minutes = &mut self.accounts.entry((who, signal)).or_insert_with(new).minutes;
        let place = match minutes.iter().rposition(|minute| minute.at == at) {
            Some(place) => place,
            None if full && !minutes.is_empty() => minutes.len() - 1,
            None => {
                minutes.push(Minute { at, amounts: Vec::with_capacity(2) });
                self.minutes += 1;
                minutes.len() - 1
            }
        };
        &mut minutes[place].amounts
    }
}

fn add(amounts: &mut Vec<(Fate, Amount)>, fate: Fate, amount: &Amount) {
    match amounts.iter_mut().find(|(of, _)| *of == fate) {
        Some((_, sum)) => sum.add(amount),
        None => amounts.push((fate, *amount)),
    }
}

fn index(key: Option<KeyId>) -> usize {
    let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(key);
    // The remainder fits.
    usize::try_from(hash % SHARDS as u64).unwrap_or_default()
}

/// Nothing that is done under the lock panics.
fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Usage").field("minutes", &self.len()).field("capacity", &self.capacity).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::net::{IpAddr, Ipv4Addr};
    use std::time::Duration;

    use super::*;
    use crate::domain::{Reason, Refusal, Transport};
    use crate::metering::{Identified, Measured};

    fn identified(number: u32) -> Identified {
        let slug = |text: &str| text.parse().expect("a slug");
        let tenant = Tenant { project: slug("shop"), grid: slug("web"), environment: slug("production") };
        let key = KeyId::from_bare(&format!("{number:012}")).expect("an id");
        Identified { key, secret_version: 1, rotating: false, tenant: Arc::new(tenant) }
    }

    /// An export of one item in the given minute.
    fn decided<'a>(minute: u64, identified: Option<&'a Identified>, outcome: Outcome<'a>) -> Decided<'a> {
        Decided {
            at: Timestamp::from_micros(30_000_000).after(Duration::from_mins(minute)),
            took: Duration::ZERO,
            transport: Transport::Http,
            signal: Some(Signal::Logs),
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            agent: b"",
            claimed: None,
            identified,
            measured: Some(Measured { items: 1, wire_bytes: 2, bytes: 3 }),
            origin: None,
            outcome,
            would_refuse: false,
        }
    }

    fn exports(counted: &[Counted], fate: Fate) -> u64 {
        counted.iter().filter(|one| one.fate == fate).map(|one| one.amount.exports).sum()
    }

    #[test]
    fn an_export_counts_as_received_and_as_what_became_of_it() {
        let usage = Usage::default();
        let (one, refusal) = (identified(1), Refusal::new(Reason::KeyRevoked));
        usage.decided(&decided(0, Some(&one), Outcome::Accepted));
        usage.decided(&decided(0, Some(&one), Outcome::Accepted));
        usage.decided(&Decided { measured: None, ..decided(0, Some(&one), Outcome::Gone) });
        usage.decided(&decided(1, Some(&one), Outcome::Refused(&refusal)));
        usage.decided(&Decided { signal: None, ..decided(1, None, Outcome::Refused(&refusal)) });
        assert_eq!(usage.len(), 3);
        let counted = usage.take();
        let of = |minute: i64, key: Option<KeyId>, fate| {
            let at = Timestamp::from_micros(minute * 60_000_000);
            let mut found = counted.iter().filter(|one| (one.at, one.key, one.fate) == (at, key, fate));
            let amount = found.next().map(|one| one.amount).unwrap_or_default();
            assert!(found.next().is_none());
            (amount.exports, amount.items, amount.wire_bytes, amount.bytes)
        };
        let key = Some(one.key);
        assert_eq!(of(0, key, Fate::Received), (3, 2, 4, 6));
        assert_eq!(of(0, key, Fate::Accepted), (2, 2, 4, 6));
        assert_eq!(of(0, key, Fate::Gone), (1, 0, 0, 0));
        assert_eq!(of(1, key, Fate::Refused(Reason::KeyRevoked)), (1, 1, 2, 3));
        assert_eq!(of(1, None, Fate::Refused(Reason::KeyRevoked)), (1, 1, 2, 3));
        assert_eq!(counted.len(), 7);
        assert!(usage.is_empty() && usage.take().is_empty());
    }

    #[test]
    fn secrets_are_counted_apart_while_there_are_two() {
        let usage = Usage::default();
        let with = |secret_version, rotating| Identified { secret_version, rotating, ..identified(1) };
        let refusal = Refusal::new(Reason::RateLimited);
        usage.decided(&decided(0, Some(&with(1, false)), Outcome::Accepted));
        usage.decided(&decided(0, Some(&with(1, true)), Outcome::Accepted));
        usage.decided(&decided(0, Some(&with(1, true)), Outcome::Refused(&refusal)));
        usage.decided(&Decided { signal: None, ..decided(1, Some(&with(2, true)), Outcome::Gone) });
        let key = identified(1).key;
        let of = |version, minute: i64, exports| OfSecret {
            version,
            at: Timestamp::from_micros(minute * 60_000_000),
            exports,
        };
        assert_eq!(usage.of_secrets(key, [1, 2]), [of(1, 0, 2), of(2, 1, 1)]);
        assert_eq!(usage.of_secrets(identified(2).key, [1, 2]), []);
        let counted = usage.take();
        let received = |secret| {
            let of = counted.iter().filter(|one| one.secret == secret && one.fate == Fate::Received);
            of.map(|one| one.amount.exports).sum::<u64>()
        };
        assert_eq!((received(None), received(Some(1)), received(Some(2))), (1, 2, 1));
        assert_eq!(usage.of_secrets(key, [1, 2]), []);
    }

    #[test]
    fn what_would_have_been_refused_counts_besides() {
        let usage = Usage::default();
        let one = identified(1);
        usage.decided(&Decided { would_refuse: true, ..decided(0, Some(&one), Outcome::Accepted) });
        // It was charged, and came to nothing.
        let refusal = Refusal::new(Reason::LogUnavailable);
        usage.decided(&Decided { would_refuse: true, ..decided(0, Some(&one), Outcome::Refused(&refusal)) });
        let counted = usage.take();
        assert_eq!((exports(&counted, Fate::WouldRefuse), exports(&counted, Fate::Accepted)), (1, 1));
    }

    #[test]
    fn without_room_nothing_is_lost() {
        let usage = Usage::new(SHARDS * 4);
        let keys: Vec<_> = (0..1_000).map(identified).collect();
        for minute in 0..10 {
            for key in &keys {
                usage.decided(&decided(minute, Some(key), Outcome::Accepted));
            }
            usage.decided(&decided(minute, None, Outcome::Gone));
        }
        // One account for the tenant in each shard, and one for nobody.
        assert!(usage.len() <= SHARDS * 5 + 1, "{}", usage.len());
        let counted = usage.take();
        assert_eq!(exports(&counted, Fate::Received), 10_010);
        assert_eq!((exports(&counted, Fate::Accepted), exports(&counted, Fate::Gone)), (10_000, 10));
        let mut by_key = BTreeMap::<_, u64>::new();
        for one in counted.iter().filter(|one| one.fate == Fate::Accepted) {
            assert!(one.tenant.is_some());
            *by_key.entry(one.key).or_default() += one.amount.exports;
        }
        assert!(by_key.iter().all(|(key, exports)| key.is_none() || *exports == 10), "a key has lost some");
        assert!(by_key.contains_key(&None) && by_key.len() > SHARDS);
        // With room again, each key counts for itself.
        usage.decided(&decided(0, Some(&keys[999]), Outcome::Accepted));
        assert_eq!(usage.take()[0].key, Some(keys[999].key));
    }

    #[test]
    fn one_that_is_off_counts_nothing() {
        let usage = Usage::off();
        usage.decided(&decided(0, None, Outcome::Gone));
        assert!(usage.is_empty() && usage.take().is_empty());
    }

    #[test]
    fn what_is_counted_while_it_is_taken_is_in_one_of_the_two() {
        let usage = Usage::default();
        let keys: Vec<_> = (0..8).map(identified).collect();
        let mut total = 0;
        std::thread::scope(|scope| {
            for key in &keys {
                let usage = &usage;
                scope.spawn(move || {
                    (0..5_000).for_each(|minute| usage.decided(&decided(minute % 3, Some(key), Outcome::Accepted)));
                });
            }
            for _ in 0..200 {
                total += exports(&usage.take(), Fate::Accepted);
            }
        });
        assert_eq!(total + exports(&usage.take(), Fate::Accepted), 40_000);
    }
}
