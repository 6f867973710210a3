//! Uses: when, from where and by what secrets were last used, held in memory until somebody writes it down.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::token::without_tokens;
use super::{Digest, KeyId, Timestamp};

/// The uses since they were last taken, one entry for each secret that was used. Recording one is cheap: it allocates for a secret's
/// first use alone.
pub struct Uses {
    shards: [Mutex<HashMap<(KeyId, u32), Held>>; SHARDS],
    /// Entries of one shard at the most.
    capacity: usize,
    /// When a use was last dropped for want of room, in microseconds.
    dropped_at: AtomicI64,
}

/// The use of a secret by somebody who has proved possession of it, and whose key was good.
#[derive(Clone, Copy, Debug)]
pub struct Used<'a> {
    /// The key.
    pub key: KeyId,
    /// The version of its secret.
    pub version: u32,
    /// When.
    pub at: Timestamp,
    /// From where.
    pub address: IpAddr,
    /// What the `User-Agent` header says; empty where there is none.
    pub agent: &'a [u8],
}

/// What there is to write about one secret.
#[derive(Clone, Debug)]
pub struct LastUse {
    /// The key.
    pub key: KeyId,
    /// The version of its secret.
    pub version: u32,
    /// The earliest use since the last one that was written.
    pub first_at: Timestamp,
    /// The latest use.
    pub last_at: Timestamp,
    /// Where the latest came from.
    pub address: IpAddr,
    /// What the latest came by.
    pub agent: UserAgent,
    /// The digest that its own is to be replaced by.
    pub renewal: Option<Renewal>,
}

/// A digest of the same token that is to take the place of an older one.
#[derive(Clone, Copy, Debug)]
pub struct Renewal {
    /// The digest that is stored. Where another one is stored by now, nothing is replaced.
    pub old: Digest,
    /// HMAC-SHA-256 under the pepper.
    pub new: Digest,
    /// The version of the pepper.
    pub pepper: u32,
}

/// The longest user agent that is kept, in characters.
pub const MAX_USER_AGENT_LENGTH: usize = 200;

/// The beginning of a `User-Agent` header.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct UserAgent(Vec<u8>);

impl UserAgent {
    /// As much of `header` as is kept.
    #[must_use]
    pub fn new(header: &[u8]) -> Self {
        let mut agent = Self::default();
        agent.set(header);
        agent
    }

    /// Its text: printable ASCII, everything else escaped, without tokens, and bounded; `None` where there was no such header.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        let text = || self.0.escape_ascii().map(char::from).take(MAX_USER_AGENT_LENGTH).collect::<String>();
        (!self.0.is_empty()).then(|| without_tokens(&text()).into_owned())
    }

    fn set(&mut self, header: &[u8]) {
        self.0.clear();
        self.0.extend_from_slice(&header[..header.len().min(MAX_USER_AGENT_LENGTH)]);
    }
}

const SHARDS: usize = 16;

/// A use as it is held.
struct Held {
    first_at: Timestamp,
    last_at: Timestamp,
    address: IpAddr,
    agent: UserAgent,
    renewal: Option<Renewal>,
}

impl Uses {
    /// Room for about `capacity` secrets.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            capacity: capacity.div_ceil(SHARDS),
            dropped_at: AtomicI64::new(i64::MIN),
        }
    }

    /// Remembers a use; `renewal` is asked for the digest that the secret's own is to be replaced by, unless that is known.
    pub fn record(&self, used: &Used<'_>, renewal: impl FnOnce() -> Option<Renewal>) {
        let mut shard = self.shard(&used.key);
        let has_room = shard.len() < self.capacity;
        let held = match shard.entry((used.key, used.version)) {
            Entry::Occupied(held) => held.into_mut(),
            Entry::Vacant(_) if !has_room => return self.dropped(used.at),
            Entry::Vacant(free) => free.insert(Held {
                first_at: used.at,
                last_at: used.at,
                address: used.address,
                agent: UserAgent::default(),
                renewal: None,
            }),
        };
        held.first_at = held.first_at.min(used.at);
        if held.last_at <= used.at {
            held.last_at = used.at;
            held.address = used.address;
            held.agent.set(used.agent);
        }
        if held.renewal.is_none() {
            held.renewal = renewal();
        }
    }

    /// Takes everything out, ordered by key and version.
    #[must_use]
    pub fn take(&self) -> Vec<LastUse> {
        let taken = self.shards.iter().flat_map(|shard| std::mem::take(&mut *lock(shard)));
        let mut taken: Vec<_> = taken
            .map(|((key, version), held)| {
                let Held { first_at, last_at, address, agent, renewal } = held;
                LastUse { key, version, first_at, last_at, address, agent, renewal }
            })
            .collect();
        taken.sort_unstable_by_key(|one| (one.key, one.version));
        taken
    }

    /// Puts back what could not be written. What was recorded meanwhile is not lost.
    pub fn put_back(&self, uses: Vec<LastUse>) {
        for LastUse { key, version, first_at, last_at, address, agent, renewal } in uses {
            let mut shard = self.shard(&key);
            let has_room = shard.len() < self.capacity;
            match shard.entry((key, version)) {
                Entry::Occupied(mut held) => {
                    let held = held.get_mut();
                    held.first_at = held.first_at.min(first_at);
                    held.renewal = held.renewal.or(renewal);
                    if held.last_at < last_at {
                        (held.last_at, held.address, held.agent) = (last_at, address, agent);
                    }
                }
                Entry::Vacant(_) if !has_room => self.dropped(last_at),
                Entry::Vacant(free) => {
                    free.insert(Held { first_at, last_at, address, agent, renewal });
                }
            }
        }
    }

    /// Whether there is something to write about a secret.
    #[must_use]
    pub fn holds(&self, key: &KeyId, version: u32) -> bool {
        self.shard(key).contains_key(&(*key, version))
    }

    /// When a secret was last used, where that is not written down yet.
    #[must_use]
    pub fn last_at(&self, key: &KeyId, version: u32) -> Option<Timestamp> {
        self.shard(key).get(&(*key, version)).map(|held| held.last_at)
    }

    /// When a use was last dropped for want of room: any secret may have been used then.
    #[must_use]
    pub fn dropped_at(&self) -> Option<Timestamp> {
        let micros = self.dropped_at.load(Ordering::Relaxed);
        (micros != i64::MIN).then(|| Timestamp::from_micros(micros))
    }

    /// How many secrets there is something to write about.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).len()).sum()
    }

    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn dropped(&self, at: Timestamp) {
        self.dropped_at.fetch_max(at.micros(), Ordering::Relaxed);
    }

    fn shard(&self, key: &KeyId) -> MutexGuard<'_, HashMap<(KeyId, u32), Held>> {
        lock(&self.shards[crc32fast::hash(key.bare().as_bytes()) as usize % SHARDS])
    }
}

fn lock<T>(shard: &Mutex<T>) -> MutexGuard<'_, T> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Uses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Uses").field("len", &self.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u8) -> KeyId {
        KeyId::from_bare(&format!("key{number:09}")).expect("an id")
    }

    fn used(key: u8, second: i64, agent: &[u8]) -> Used<'_> {
        let address = IpAddr::from([192, 0, 2, u8::try_from(second).expect("few")]);
        Used { key: id(key), version: 1, at: Timestamp::from_micros(second), address, agent }
    }

    fn seen(last: &LastUse) -> (KeyId, i64, i64, String, Option<String>) {
        let LastUse { key, first_at, last_at, address, agent, .. } = last;
        (*key, first_at.micros(), last_at.micros(), address.to_string(), agent.text())
    }

    fn renewal() -> Renewal {
        let digest = |byte| Digest::from_bytes([byte; 32]);
        Renewal { old: digest(1), new: digest(2), pepper: 3 }
    }

    #[test]
    fn the_latest_use_wins_in_whatever_order_they_come() {
        let uses = Uses::new(100);
        for (second, agent) in [(5, &b"five"[..]), (9, b"nine"), (7, b"seven"), (2, b"two")] {
            uses.record(&used(1, second, agent), || None);
        }
        uses.record(&used(0, 3, b""), || None);
        assert_eq!(uses.len(), 2);
        assert_eq!(uses.last_at(&id(1), 1), Some(Timestamp::from_micros(9)));
        assert_eq!((uses.last_at(&id(1), 2), uses.last_at(&id(2), 1)), (None, None));
        let taken: Vec<_> = uses.take().iter().map(seen).collect();
        let text = str::to_owned;
        let expected = [(id(0), 3, 3, text("192.0.2.3"), None), (id(1), 2, 9, text("192.0.2.9"), Some(text("nine")))];
        assert_eq!(taken, expected);
        assert!(uses.is_empty() && uses.take().is_empty());
    }

    #[test]
    fn what_could_not_be_written_is_put_back_behind_what_came_after_it() {
        let uses = Uses::new(100);
        uses.record(&used(1, 5, b"five"), || Some(renewal()));
        uses.record(&used(2, 5, b"five"), || None);
        let failed = uses.take();
        uses.record(&used(1, 8, b"eight"), || None);
        uses.put_back(failed);
        let taken = uses.take();
        assert_eq!(seen(&taken[0]), (id(1), 5, 8, "192.0.2.8".to_owned(), Some("eight".to_owned())));
        assert_eq!(seen(&taken[1]), (id(2), 5, 5, "192.0.2.5".to_owned(), Some("five".to_owned())));
        assert!(taken[0].renewal.is_some() && taken[1].renewal.is_none());
    }

    /// Nobody computes a digest for each export of a key until it is written.
    #[test]
    fn a_renewal_is_asked_for_once() {
        let uses = Uses::new(100);
        uses.record(&used(1, 5, b""), || Some(renewal()));
        uses.record(&used(1, 6, b""), || panic!("it is known"));
        assert_eq!(uses.take()[0].renewal.expect("a renewal").pepper, 3);
    }

    #[test]
    fn what_finds_no_room_is_dropped_and_that_is_known() {
        let uses = Uses::new(SHARDS);
        for key in 0..100 {
            uses.record(&used(key, 5, b""), || None);
        }
        assert!((2..=SHARDS).contains(&uses.len()));
        assert_eq!(uses.dropped_at(), Some(Timestamp::from_micros(5)));
        let full = uses.take();
        let uses = Uses::new(SHARDS);
        assert_eq!(uses.dropped_at(), None);
        uses.put_back(full.clone());
        assert_eq!((uses.len(), uses.dropped_at()), (full.len(), None));
        let others = full.iter().cloned().map(|one| LastUse { version: 2, ..one }).collect();
        uses.put_back(others);
        assert_eq!((uses.len(), uses.dropped_at()), (full.len(), Some(Timestamp::from_micros(5))));
        // Those that are held are still brought forward.
        uses.record(&used_by(&full[0], 9), || None);
        assert_eq!(uses.take()[0].last_at.micros(), 9);
    }

    fn used_by(last: &LastUse, second: i64) -> Used<'static> {
        Used { key: last.key, ..used(0, second, b"") }
    }

    #[test]
    fn a_user_agent_is_inert_and_bounded() {
        let text = |header: &[u8]| UserAgent::new(header).text().expect("a text");
        assert_eq!(text(b"OTel-OTLP-Exporter-Python/1.27.0 (x; y)"), "OTel-OTLP-Exporter-Python/1.27.0 (x; y)");
        assert_eq!(text(b"a\tb\x1b[31m\xe2\x80\xae"), "a\\tb\\x1b[31m\\xe2\\x80\\xae");
        assert_eq!(text(&[b'a'; 5000]), "a".repeat(200));
        assert_eq!(text(&[0xff; 5000]).len(), 200);
        assert_eq!(UserAgent::default().text(), None);
    }
}
