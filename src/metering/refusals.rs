//! Refusals: exports that were turned away, and environments that drift, in groups until somebody writes them down.
//!
//! Whoever can reach the gate can be refused, with as many addresses, names and claimed keys as it likes. So groups have a bound for
//! each project and one in all; what finds no room is counted in a coarser group, never dropped.

use std::collections::HashMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Decided, Outcome};
use crate::domain::Slug;
use crate::domain::drift::Codes;
use crate::domain::token::without_tokens;
use crate::domain::trouble::{Cause, Group, Seen, Signals, Source, Transports, Trouble};
use crate::domain::uses::UserAgent;

/// The groups since they were last taken.
pub struct Refusals {
    shards: [Mutex<Shard>; SHARDS],
    /// Groups held in all.
    held: AtomicUsize,
    settings: RefusalSettings,
    /// By which names an environment goes.
    pub codes: Codes,
}

/// How many groups are held until they are written down.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RefusalSettings {
    /// In all.
    pub entries: usize,
    /// Of one project, each with a source of its own, and about as many of those nobody proved anything of.
    pub groups: usize,
}

impl Default for RefusalSettings {
    fn default() -> Self {
        Self { entries: 20_000, groups: 1_000 }
    }
}

const SHARDS: usize = 16;

/// Groups by project.
type Shard = HashMap<Option<Slug>, HashMap<Group, Seen>>;

impl Refusals {
    /// Nothing yet.
    #[must_use]
    pub fn new(settings: RefusalSettings) -> Self {
        let shards = std::array::from_fn(|_| Mutex::default());
        Self { shards, held: AtomicUsize::new(0), settings, codes: Codes::default() }
    }

    /// An export, or a question of whoami, has ended. What was accepted without drift costs a comparison.
    pub fn decided(&self, decided: &Decided<'_>) {
        let told = match decided.outcome {
            Outcome::Refused(refusal) => Some((
                Cause::Refused(refusal.reason),
                refusal.detail.as_deref().map(|detail| without_tokens(detail).into()),
            )),
            Outcome::Accepted => self.drift(decided).map(|detail| (Cause::EnvironmentDrift, Some(detail))),
            Outcome::Gone => None,
        };
        let Some((cause, detail)) = told else { return };
        let agent = UserAgent::new(decided.agent).text();
        let source = Source {
            address: decided.address,
            agent: agent.map(String::into_boxed_str),
            service: decided.origin.and_then(|origin| origin.service.as_deref()).and_then(stored),
        };
        let identified = decided.identified;
        self.add(Trouble {
            group: Group {
                project: identified.map(|identified| identified.tenant.project.clone()),
                key: identified.map(|identified| identified.key).or(decided.claimed),
                cause,
                source: Some(source),
            },
            seen: Seen {
                first_at: decided.at,
                last_at: decided.at,
                exports: 1,
                detail,
                signals: Signals::of(decided.signal),
                transports: Transports::of(decided.transport),
            },
        });
    }

    /// Takes everything out. A group may be there twice.
    #[must_use]
    pub fn take(&self) -> Vec<Trouble> {
        let mut taken = Vec::new();
        for shard in &self.shards {
            let groups = std::mem::take(&mut *lock(shard)).into_values().flatten();
            taken.extend(groups.map(|(group, seen)| Trouble { group, seen }));
        }
        self.held.fetch_sub(taken.len(), Ordering::Relaxed);
        taken
    }

    /// Puts back what could not be written.
    pub fn put_back(&self, troubles: Vec<Trouble>) {
        for trouble in troubles {
            self.add(trouble);
        }
    }

    /// How many groups there are to write.
    #[must_use]
    pub fn len(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What its resource says of its environment, where that is not its key's.
    fn drift(&self, decided: &Decided<'_>) -> Option<Box<str>> {
        let (identified, said) = decided.identified.zip(decided.origin?.environment.as_deref())?;
        let environment = &identified.tenant.environment;
        let differ = self.codes.differ(environment, said);
        let detail = || {
            let said = stored(said).unwrap_or_default();
            format!("the key is of {environment}, and the resource says deployment.environment.name = {said}").into()
        };
        differ.then(detail)
    }

    /// Adds to the group, or to the first coarser one that there is or is room for.
    fn add(&self, trouble: Trouble) {
        let Trouble { mut group, seen } = trouble;
        let mut shard = self.shard(&group);
        loop {
            let of_project = shard.entry(group.project.clone()).or_default();
            if let Some(there) = of_project.get_mut(&group) {
                return there.add(seen);
            }
            let coarser = group.coarser();
            let has_room = of_project.len() < self.most(&group) && self.reserve(coarser.is_none());
            match coarser {
                Some(coarser) if !has_room => group = coarser,
                _ => {
                    of_project.insert(group, seen);
                    return;
                }
            }
        }
    }

    /// How many groups there may be beside a new one. Coarser ones find room where others no longer do.
    fn most(&self, group: &Group) -> usize {
        let groups = self.settings.groups;
        match (&group.project, &group.source, &group.key) {
            (None, Some(_), _) => groups.div_ceil(SHARDS),
            (Some(_), Some(_), _) => groups,
            (Some(_), None, Some(_)) => groups.saturating_mul(2),
            (_, None, _) => usize::MAX,
        }
    }

    /// Whether one group more is within the bound in all; the coarsest are too few to need one.
    fn reserve(&self, always: bool) -> bool {
        let one_more = |held| (always || held < self.settings.entries).then_some(held + 1);
        self.held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).is_ok()
    }

    /// A project has one shard, so that its groups can be counted. What nobody proved anything of is spread by address: who floods the
    /// gate from one takes the room of few others.
    fn shard(&self, group: &Group) -> MutexGuard<'_, Shard> {
        let mut hasher = DefaultHasher::new();
        match (&group.project, &group.source) {
            (Some(project), _) => project.hash(&mut hasher),
            (None, Some(source)) => network(source.address).hash(&mut hasher),
            (None, None) => {}
        }
        let index = usize::try_from(hasher.finish() % SHARDS as u64).unwrap_or_default();
        lock(&self.shards[index])
    }
}

impl Default for Refusals {
    fn default() -> Self {
        Self::new(RefusalSettings::default())
    }
}

/// What one client has of addresses: of IPv6 a /64.
fn network(address: IpAddr) -> u64 {
    match address {
        IpAddr::V4(address) => address.to_bits().into(),
        IpAddr::V6(address) => u64::try_from(address.to_bits() >> 64).unwrap_or_default(),
    }
}

/// Text of a client as a database can hold it.
fn stored(text: &str) -> Option<Box<str>> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.replace('\0', "\u{fffd}").into())
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Refusals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refusals").field("len", &self.len()).field("settings", &self.settings).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
