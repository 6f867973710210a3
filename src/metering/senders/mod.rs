//! Senders: who uses which key, held in memory until somebody writes it down.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{Decided, Outcome};
use crate::domain::origin::Source;
use crate::domain::sender::{MAX_SENDERS, OtherSenders, Seen, SeenSender, Sender};
use crate::domain::token::without_tokens;
use crate::domain::uses::UserAgent;
use crate::domain::{KeyId, Slug, Timestamp};

/// The senders of keys, as this process has seen them. Of one that is known already nothing is allocated.
pub struct Senders {
    shards: [Mutex<Shard>; SHARDS],
    /// Senders of one shard at the most.
    capacity: usize,
    hasher: RandomState,
    /// Exports of senders of which nothing is remembered, for want of room.
    passed_over: AtomicU64,
}

/// What there is to write about the senders of some keys.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Unwritten {
    /// Those that were seen, by key.
    pub senders: Vec<SeenSender>,
    /// Those that there was no room for, by key.
    pub others: Vec<(KeyId, OtherSenders)>,
}

const SHARDS: usize = 16;

/// Senders that are held unless told otherwise.
const CAPACITY: usize = 100_000;

/// A sender that was silent for so long, and is written down, is forgotten here.
const IDLE: Duration = Duration::from_hours(1);

#[derive(Default)]
struct Shard {
    keys: HashMap<KeyId, OfKey>,
    /// Senders of all keys together.
    held: usize,
}

struct OfKey {
    project: Slug,
    held: Vec<Held>,
    /// What is not written yet.
    others: OtherSenders,
}

/// A sender as it is held.
struct Held {
    hash: u64,
    secret_version: u32,
    service: Option<Box<str>>,
    host: Option<Box<str>>,
    sdk: Option<Box<str>>,
    agent: Box<str>,
    address: IpAddr,
    /// Since the process began, or since it was forgotten.
    last_at: Timestamp,
    accepted_at: Option<Timestamp>,
    /// What is not written yet.
    unwritten: Option<Seen>,
}

/// A sender as an export shows it.
#[derive(Clone, Copy)]
struct Shown<'a> {
    secret_version: u32,
    source: Source<'a>,
    agent: &'a str,
    address: IpAddr,
}

impl Senders {
    /// Room for about `capacity` senders.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            capacity: capacity.div_ceil(SHARDS),
            hasher: RandomState::new(),
            passed_over: AtomicU64::new(0),
        }
    }

    /// Remembers who sent an export, where possession of a secret was proved. Of one whose body was not read it is whoever sent with
    /// the same secret, from the same address and by the same agent, before.
    pub fn record(&self, decided: &Decided<'_>) {
        let Some(identified) = decided.identified else { return };
        let seen = Seen {
            first_at: decided.at,
            last_at: decided.at,
            accepted_at: (decided.outcome == Outcome::Accepted).then_some(decided.at),
            exports: 1,
            refused: u64::from(matches!(decided.outcome, Outcome::Refused(_))),
        };
        let agent = agent_text(decided.agent);
        let shown = |source| Shown {
            secret_version: identified.secret_version,
            source,
            agent: &agent,
            address: decided.address,
        };
        let mut shard = self.shard(&identified.key);
        let Some(origin) = decided.origin else {
            let shown = shown(Source::default());
            let known = shard.keys.get_mut(&identified.key).and_then(|of_key| of_key.latest(&shown));
            return match known {
                Some(held) => held.see(seen),
                None => self.add(&mut shard, identified.key, &identified.tenant.project, &shown, seen),
            };
        };
        for source in origin.sources() {
            self.add(&mut shard, identified.key, &identified.tenant.project, &shown(source), seen);
        }
    }

    /// The service that last sent with `key` from `address`, as far as this process has seen: of an export whose body was not read,
    /// most likely its own.
    #[must_use]
    pub fn likely_service(&self, key: &KeyId, address: IpAddr) -> Option<Box<str>> {
        let shard = self.shard(key);
        let held = shard.keys.get(key)?.held.iter().filter(|held| held.address == address && held.service.is_some());
        held.max_by_key(|held| held.last_at)?.service.clone()
    }

    /// Takes out what there is to write, ordered by key, and forgets who was silent for long at `now`.
    #[must_use]
    pub fn take(&self, now: Timestamp) -> Unwritten {
        let mut taken = Unwritten::default();
        for shard in &self.shards {
            let mut shard = lock(shard);
            let shard = &mut *shard;
            // Then whoever is new finds room again.
            let full = shard.held >= self.capacity;
            shard.held = 0;
            shard.keys.retain(|key, of_key| {
                of_key.held.retain_mut(|held| {
                    let unwritten = held.unwritten.take();
                    let stays = unwritten.is_some() || (!full && now.since(held.last_at) < IDLE);
                    taken.senders.extend(unwritten.map(|seen| held.sender(*key, &of_key.project, seen)));
                    stays
                });
                let others = std::mem::take(&mut of_key.others);
                if others != OtherSenders::default() {
                    taken.others.push((*key, others));
                }
                shard.held += of_key.held.len();
                !of_key.held.is_empty()
            });
        }
        taken.senders.sort_unstable_by(|one, next| one.sender.cmp(&next.sender));
        taken.others.sort_unstable_by_key(|(key, _)| *key);
        taken
    }

    /// Puts back what could not be written. What was recorded meanwhile is not lost.
    pub fn put_back(&self, unwritten: &Unwritten) {
        for SeenSender { project, sender, seen } in &unwritten.senders {
            let shown = Shown {
                secret_version: sender.secret_version,
                source: Source {
                    service: sender.service.as_deref(),
                    host: sender.host.as_deref(),
                    sdk: sender.sdk.as_deref(),
                },
                agent: sender.agent.as_deref().unwrap_or_default(),
                address: sender.address,
            };
            self.add(&mut self.shard(&sender.key), sender.key, project, &shown, *seen);
        }
        for (key, others) in &unwritten.others {
            if let Some(of_key) = self.shard(key).keys.get_mut(key) {
                of_key.others = of_key.others.and(*others);
            } else {
                self.passed_over.fetch_add(others.exports, Ordering::Relaxed);
            }
        }
    }

    /// The senders of `key` that are held, each with what is not written of it yet: no exports where everything is.
    #[must_use]
    pub fn of(&self, key: &KeyId) -> Unwritten {
        let shard = self.shard(key);
        let Some(of_key) = shard.keys.get(key) else { return Unwritten::default() };
        let senders = of_key.held.iter().map(|held| {
            let known = Seen {
                first_at: held.last_at,
                last_at: held.last_at,
                accepted_at: held.accepted_at,
                exports: 0,
                refused: 0,
            };
            held.sender(*key, &of_key.project, held.unwritten.map_or(known, |unwritten| unwritten.and(known)))
        });
        let has_others = of_key.others != OtherSenders::default();
        Unwritten {
            senders: senders.collect(),
            others: has_others.then_some((*key, of_key.others)).into_iter().collect(),
        }
    }

    /// How many senders are held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).held).sum()
    }

    /// Whether none is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many exports there were of whose senders nothing is remembered, for want of room.
    #[must_use]
    pub fn passed_over(&self) -> u64 {
        self.passed_over.load(Ordering::Relaxed)
    }

    /// One more export of the sender that is `shown`, or those that could not be written.
    fn add(&self, shard: &mut Shard, key: KeyId, project: &Slug, shown: &Shown<'_>, seen: Seen) {
        let hash = self.hasher.hash_one((shown.secret_version, shown.source, shown.agent, shown.address));
        if let Some(of_key) = shard.keys.get_mut(&key) {
            if let Some(held) = of_key.held.iter_mut().find(|held| held.hash == hash && held.is(shown)) {
                return held.see(seen);
            }
            if of_key.held.len() >= MAX_SENDERS || (shard.held >= self.capacity && !of_key.held.is_empty()) {
                return of_key.replace(Held::new(hash, shown, seen));
            }
        }
        if shard.held >= self.capacity {
            self.passed_over.fetch_add(seen.exports, Ordering::Relaxed);
            return;
        }
        shard.held += 1;
        let new = || OfKey { project: project.clone(), held: Vec::new(), others: OtherSenders::default() };
        shard.keys.entry(key).or_insert_with(new).held.push(Held::new(hash, shown, seen));
    }

    fn shard(&self, key: &KeyId) -> MutexGuard<'_, Shard> {
        lock(&self.shards[crc32fast::hash(key.bare().as_bytes()) as usize % SHARDS])
    }
}

impl OfKey {
    /// Whoever sent last with the same secret, from the same address and by the same agent.
    fn latest(&mut self, shown: &Shown<'_>) -> Option<&mut Held> {
        let same = self.held.iter_mut().filter(|held| held.comes_from(shown));
        same.max_by_key(|held| held.last_at)
    }

    /// Puts a sender in the place of the one that was seen least recently.
    fn replace(&mut self, new: Held) {
        let Some(oldest) = self.held.iter_mut().min_by_key(|held| held.last_at) else { return };
        let gone = std::mem::replace(oldest, new);
        if let Some(seen) = gone.unwritten {
            self.others = self.others.with(&seen);
        }
    }
}

impl Held {
    fn new(hash: u64, shown: &Shown<'_>, seen: Seen) -> Self {
        let Shown { secret_version, source, agent, address } = *shown;
        Self {
            hash,
            secret_version,
            service: source.service.map(Into::into),
            host: source.host.map(Into::into),
            sdk: source.sdk.map(Into::into),
            agent: agent.into(),
            address,
            last_at: seen.last_at,
            accepted_at: seen.accepted_at,
            unwritten: Some(seen),
        }
    }

    fn comes_from(&self, shown: &Shown<'_>) -> bool {
        self.secret_version == shown.secret_version && self.address == shown.address && *self.agent == *shown.agent
    }

    fn is(&self, shown: &Shown<'_>) -> bool {
        let source = Source { service: self.service.as_deref(), host: self.host.as_deref(), sdk: self.sdk.as_deref() };
        self.comes_from(shown) && source == shown.source
    }

    fn see(&mut self, seen: Seen) {
        self.last_at = self.last_at.max(seen.last_at);
        self.accepted_at = self.accepted_at.max(seen.accepted_at);
        self.unwritten = Some(self.unwritten.map_or(seen, |unwritten| unwritten.and(seen)));
    }

    fn sender(&self, key: KeyId, project: &Slug, seen: Seen) -> SeenSender {
        let sender = Sender {
            key,
            secret_version: self.secret_version,
            service: self.service.clone(),
            host: self.host.clone(),
            sdk: self.sdk.clone(),
            agent: (!self.agent.is_empty()).then(|| self.agent.to_string()),
            address: self.address,
        };
        SeenSender { project: project.clone(), sender, seen }
    }
}

/// The text of a `User-Agent` header as [`UserAgent::text`] has it, empty where there is none. Those that SDKs send need no escape.
fn agent_text(header: &[u8]) -> Cow<'_, str> {
    let plain = header.iter().all(|byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'\\' | b'"' | b'\''));
    match str::from_utf8(header) {
        Ok(text) if plain => without_tokens(text),
        _ => UserAgent::new(header).text().unwrap_or_default().into(),
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Default for Senders {
    fn default() -> Self {
        Self::new(CAPACITY)
    }
}

impl fmt::Debug for Senders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Senders").field("len", &self.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
