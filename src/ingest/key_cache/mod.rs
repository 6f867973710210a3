//! The key cache: everything needed to decide about a key, without a query.
//!
//! Five rules make it safe.
//! - *Generations.* Every key id belongs to one of a fixed set of counters. [`KeyCache::forget`] counts up; an entry is good only
//!   under the count that stood when its query began. A fill that began before a lifecycle change is therefore never
//!   used, even where it ends after it, and nothing has to be removed in time.
//! - *Freshness is ours.* Each entry carries its instant and is judged by our clock. `moka` bounds the number of entries and
//!   lets one caller fill while the others wait.
//! - *What names no key is found by its digest.* That way leads to a key's id and no further; what the key is and may do is then
//!   known as of any other.
//! - *What is used of limits is not cached* but held beside the entries, so that it survives them.
//! - *A failing catalog never opens the gate.* A stale entry is served through the grace period, and only if no lifecycle change
//!   was seen since; an unknown key gets a retryable answer.

mod legacy;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use moka::future::Cache;
use moka::ops::compute::{CompResult, Op};
use tokio::sync::{Mutex, Semaphore};

use crate::catalog::{Catalog, CatalogError};
use crate::domain::limit::Terms;
use crate::domain::{Binding, Clock, Key, KeyId, Slug, Tenant, Timestamp};
use crate::metering::limiter::{Limiter, Scopes};
use legacy::Digests;

/// How the cache behaves.
#[derive(Clone, Copy, Debug)]
pub struct KeyCacheSettings {
    /// How long a key is served without asking the catalog again.
    pub ttl: Duration,
    /// How much longer it is served while the catalog does not answer.
    pub grace: Duration,
    /// How many keys are held.
    pub capacity: u64,
    /// How long an id or a UUID without a key is remembered as such.
    pub unknown_ttl: Duration,
    /// How many such ids are held, and how many such UUIDs.
    pub unknown_capacity: u64,
    /// How long one look-up may take.
    pub lookup_time: Duration,
    /// How many look-ups may be under way at once.
    pub lookups: usize,
}

/// Keys as the catalog has them, bounded in number and age.
pub struct KeyCache {
    catalog: Arc<dyn Catalog>,
    clock: Arc<dyn Clock>,
    settings: KeyCacheSettings,
    known: Cache<KeyId, Arc<CachedKey>>,
    unknown: Cache<KeyId, Stamp>,
    digests: Digests,
    limiter: Arc<Limiter>,
    generations: Box<[AtomicU64]>,
    /// The same for what the keys of a project share.
    projects: Box<[AtomicU64]>,
    /// One at a time asks what is used of a quota, and the others of its scope wait.
    asking: [Mutex<()>; ASKING],
    lookups: Semaphore,
    /// When the catalog last failed to answer, in microseconds: it is left alone for a while.
    failed_at: AtomicI64,
}

/// A key and when it was looked up.
#[derive(Debug)]
pub struct CachedKey {
    /// The key.
    pub key: Key,
    /// The tenant of an ingest key.
    pub tenant: Option<Arc<Tenant>>,
    /// What holds for its exports beside the key; nothing of an admin key.
    pub terms: Terms,
    /// The limits of its exports, and what is used of them.
    pub scopes: Arc<Scopes>,
    stamp: Stamp,
    /// Under which generation of its project the terms were looked up.
    project: Option<(usize, u64)>,
}

/// When a look-up began, and under which generation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Stamp {
    at: Timestamp,
    generation: u64,
}

/// The catalog did not answer, and the cache cannot either. The client may try again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the catalog did not answer")]
pub struct LookupError;

/// Ids that share a counter are looked up again together, which costs a query and nothing else.
const GENERATIONS: usize = 4096;

/// Scopes that share a place are asked about one after another.
const ASKING: usize = 64;

/// How many times longer than a look-up it may take to add up what was used.
const SUMMING: u32 = 20;

/// How long a failing catalog is left alone.
const PAUSE: Duration = Duration::from_secs(1);

impl KeyCache {
    /// An empty cache in front of `catalog`.
    #[must_use]
    pub fn new(catalog: Arc<dyn Catalog>, clock: Arc<dyn Clock>, settings: KeyCacheSettings) -> Self {
        Self {
            catalog,
            clock,
            settings,
            known: Cache::new(settings.capacity),
            unknown: Cache::new(settings.unknown_capacity),
            digests: Digests::new(&settings),
            limiter: Arc::new(Limiter::new(usize::try_from(settings.capacity).unwrap_or(usize::MAX))),
            generations: (0..GENERATIONS).map(|_| AtomicU64::new(0)).collect(),
            projects: (0..GENERATIONS).map(|_| AtomicU64::new(0)).collect(),
            asking: std::array::from_fn(|_| Mutex::new(())),
            lookups: Semaphore::new(settings.lookups.max(1)),
            failed_at: AtomicI64::new(i64::MIN),
        }
    }

    /// The key `id` as it is now, `None` where there is none.
    ///
    /// # Errors
    /// Where neither cache nor catalog can tell.
    pub async fn get(&self, id: &KeyId) -> Result<Option<Arc<CachedKey>>, LookupError> {
        let now = self.clock.now();
        if let Some(found) = self.known.get(id).await
            && self.is_good(&found, self.settings.ttl, now)
        {
            return Ok(Some(found));
        }
        if self.is_known_to_be_none(id, now).await {
            return Ok(None);
        }
        self.fill(id).await
    }

    async fn is_known_to_be_none(&self, id: &KeyId, now: Timestamp) -> bool {
        let stamp = self.unknown.get(id).await;
        stamp.is_some_and(|stamp| self.is_fresh(id, stamp, self.settings.unknown_ttl, now))
    }

    /// Whether it is known without the catalog whether there is a key `id`, though perhaps not as of now.
    pub async fn knows(&self, id: &KeyId) -> bool {
        self.known.contains_key(id) || self.is_known_to_be_none(id, self.clock.now()).await
    }

    /// Whether nothing has happened to the key since `cached` was looked up.
    #[must_use]
    pub fn is_current(&self, cached: &CachedKey) -> bool {
        cached.stamp.generation == self.generation(&cached.key.id) && self.has_same_terms(cached)
    }

    /// From now on nothing that was looked up before is used for `id`. To be called after a change of the key is committed, and
    /// before anybody is told of it.
    pub fn forget(&self, id: &KeyId) {
        self.generations[slot(id.bare())].fetch_add(1, Ordering::SeqCst);
        self.digests.forget_unknown();
    }

    /// The same for the terms of every key of `project`, after a change of them.
    pub fn forget_project(&self, project: &Slug) {
        self.projects[slot(project.as_str())].fetch_add(1, Ordering::SeqCst);
    }

    /// The same for every key, after a change of what many keys share.
    pub fn forget_all(&self) {
        for generation in &self.generations {
            generation.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// What is used of limits.
    #[must_use]
    pub const fn limiter(&self) -> &Arc<Limiter> {
        &self.limiter
    }

    /// How many keys are held.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.known.entry_count()
    }

    /// Whether no key is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Looks `id` up; of several callers for one id, one asks the catalog and the others wait for its answer.
    async fn fill(&self, id: &KeyId) -> Result<Option<Arc<CachedKey>>, LookupError> {
        let filled = self
            .known
            .entry(*id)
            .and_try_compute_with(|held| async {
                let held = held.map(moka::Entry::into_value);
                let now = self.clock.now();
                if held.as_ref().is_some_and(|held| self.is_good(held, self.settings.ttl, now)) {
                    return Ok(Op::Nop);
                }
                if self.is_known_to_be_none(id, now).await {
                    return Ok(Op::Remove);
                }
                let stamp = Stamp { at: now, generation: self.generation(id) };
                match self.look_up(id, stamp).await {
                    Ok(Some(cached)) => Ok(Op::Put(Arc::new(cached))),
                    Ok(None) => {
                        self.unknown.insert(*id, stamp).await;
                        Ok(Op::Remove)
                    }
                    Err(error) => {
                        let patience = self.settings.ttl.saturating_add(self.settings.grace);
                        let usable = held.is_some_and(|held| self.is_good(&held, patience, now));
                        if usable { Ok(Op::Nop) } else { Err(error) }
                    }
                }
            })
            .await?;
        Ok(match filled {
            CompResult::Inserted(entry) | CompResult::ReplacedWith(entry) | CompResult::Unchanged(entry) => {
                Some(entry.into_value())
            }
            CompResult::Removed(_) | CompResult::StillNone(_) => None,
        })
    }

    /// The key with what holds for its exports. Whatever changes between the queries has counted up the generation that this began
    /// under.
    async fn look_up(&self, id: &KeyId, stamp: Stamp) -> Result<Option<CachedKey>, LookupError> {
        let asked = async {
            let Some(key) = self.catalog.key(id).await? else { return Ok(None) };
            let tenant = match &key.binding {
                Binding::Tenant(tenant) => tenant.clone(),
                Binding::Project(_) | Binding::Installation => return Ok(Some((key, None, Terms::default(), None))),
            };
            let slot = slot(tenant.project.as_str());
            let project = (slot, self.projects[slot].load(Ordering::SeqCst));
            let terms = self.catalog.terms(&tenant, &key.limits).await?;
            Ok(Some((key, Some(Arc::new(tenant)), terms, Some(project))))
        };
        let Some((key, tenant, terms, project)) = self.ask(stamp.at, Some(id), asked).await? else {
            return Ok(None);
        };
        let scopes = Arc::new(self.scopes(&key, tenant.as_deref(), &terms, stamp.at).await?);
        Ok(Some(CachedKey { key, tenant, terms, scopes, stamp, project }))
    }

    /// The limits of a key, and what is used of them: of quotas that nothing was counted of yet, what is written down.
    async fn scopes(
        &self,
        key: &Key,
        tenant: Option<&Tenant>,
        terms: &Terms,
        now: Timestamp,
    ) -> Result<Scopes, LookupError> {
        let Some(tenant) = tenant else { return Ok(Scopes::default()) };
        let scopes = self.limiter.scopes(key.id, tenant, terms);
        // What many keys have used takes longer to add up than a key to find. Where that fails, nobody else's look-ups pause.
        let patience = self.settings.lookup_time.saturating_mul(SUMMING);
        for unknown in scopes.unknown(now) {
            let _alone = self.asking[slot(&unknown.id.to_string()) % ASKING].lock().await;
            if unknown.is_known() {
                continue;
            }
            let (from, to) = unknown.range();
            let used = tokio::time::timeout(patience, self.catalog.used(&unknown.id, from, to)).await;
            let used = used.map_err(|_| CatalogError::Unavailable("it takes too long".to_owned())).flatten();
            let used = used.map_err(|error| {
                tracing::warn!(scope = %unknown.id, %error, "what is used of a quota could not be looked up");
                LookupError
            })?;
            unknown.learn(&used);
        }
        Ok(scopes)
    }

    /// Asks the catalog, within the look-up time and the number of look-ups; `id` is the key's, where it is known.
    async fn ask<T>(
        &self,
        now: Timestamp,
        id: Option<&KeyId>,
        look_up: impl Future<Output = Result<Option<T>, CatalogError>>,
    ) -> Result<Option<T>, LookupError> {
        if is_within(PAUSE, Timestamp::from_micros(self.failed_at.load(Ordering::Relaxed)), now) {
            return Err(LookupError);
        }
        let asked = tokio::time::timeout(self.settings.lookup_time, async {
            let _permit = self.lookups.acquire().await;
            look_up.await
        });
        match asked.await {
            Ok(Ok(found)) => Ok(found),
            // A row that cannot be read is no permission.
            Ok(Err(error @ CatalogError::Damaged(_))) => {
                tracing::error!(key = id.map(tracing::field::display), %error, "a key is refused because its row cannot be read");
                Ok(None)
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, "a key could not be looked up");
                self.failed_at.store(now.micros(), Ordering::Relaxed);
                Err(LookupError)
            }
            Err(_) => {
                tracing::warn!(limit = ?self.settings.lookup_time, "a key was not looked up in time");
                self.failed_at.store(now.micros(), Ordering::Relaxed);
                Err(LookupError)
            }
        }
    }

    fn is_good(&self, cached: &CachedKey, ttl: Duration, now: Timestamp) -> bool {
        self.is_fresh(&cached.key.id, cached.stamp, ttl, now) && self.has_same_terms(cached)
    }

    fn has_same_terms(&self, cached: &CachedKey) -> bool {
        cached.project.is_none_or(|(slot, generation)| self.projects[slot].load(Ordering::SeqCst) == generation)
    }

    fn is_fresh(&self, id: &KeyId, stamp: Stamp, ttl: Duration, now: Timestamp) -> bool {
        stamp.generation == self.generation(id) && is_within(ttl, stamp.at, now)
    }

    fn generation(&self, id: &KeyId) -> u64 {
        self.generations[slot(id.bare())].load(Ordering::SeqCst)
    }
}

/// The counter of what `name` names.
fn slot(name: &str) -> usize {
    crc32fast::hash(name.as_bytes()) as usize % GENERATIONS
}

/// Whether `at` is less than `length` ago. An instant in the future says that the clock was set back: how long ago it really
/// was is not known.
fn is_within(length: Duration, at: Timestamp, now: Timestamp) -> bool {
    at <= now && now.since(at) < length
}

impl std::fmt::Debug for KeyCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyCache").field("settings", &self.settings).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::issue::{NewKey, issue_key};
    use crate::catalog::{self, CatalogSettings, Grid, Project};
    use crate::domain::clock::ManualClock;
    use crate::domain::random::SeededRandom;
    use crate::domain::secret::Peppers;
    use crate::domain::{Actor, KeyChange, KeyStatus, Pepper, Permissions, Slug};

    const NOW: Timestamp = Timestamp::from_micros(1_795_255_200_000_000);

    /// Another node changes a key, and then this one's clock is set back: the entry is not fresh for all that time.
    #[tokio::test]
    async fn a_clock_that_is_set_back_keeps_no_entry_alive() {
        let folder = tempfile::tempdir().expect("a folder");
        let second = Duration::from_secs(1);
        let settings = CatalogSettings {
            url: format!("sqlite:{}", folder.path().join("catalog.sqlite").display()),
            max_connections: 2,
            connect_timeout: 5 * second,
            statement_timeout: 5 * second,
            max_active_keys: 100,
            purge_after: second,
            import_timeout: second,
        };
        catalog::migrate(&settings).await.expect("migrations");
        let catalog = catalog::connect(&settings).await.expect("a catalog");
        let (shop, by): (Slug, _) = ("shop".parse().expect("a slug"), Actor::system("test", NOW));
        let project = Project::new(shop.clone(), "", NOW);
        catalog.create_project(&project, &by).await.expect("a project");
        let grid = Grid { project: shop.clone(), slug: shop.clone(), name: String::new(), created_at: NOW };
        catalog.create_grid(&grid, &by).await.expect("a grid");
        let random = SeededRandom::new(1);
        let peppers = Peppers::new(vec![Pepper::random(1, &random).expect("a pepper")]).expect("peppers");
        let environment = "production".parse().expect("a slug");
        let binding = Binding::Tenant(Tenant { project: shop.clone(), grid: shop, environment });
        let new = NewKey::with("checkout", binding, Permissions::ingest());
        let issued = issue_key(&*catalog, &random, &peppers, new, &by).await;
        let id = issued.expect("a key").0.id;

        let clock = Arc::new(ManualClock::new(NOW));
        let settings = KeyCacheSettings {
            ttl: 30 * second,
            grace: Duration::ZERO,
            capacity: 10,
            unknown_ttl: second,
            unknown_capacity: 10,
            lookup_time: 5 * second,
            lookups: 1,
        };
        let cache = KeyCache::new(Arc::clone(&catalog), Arc::clone(&clock) as _, settings);
        let status = async || cache.get(&id).await.expect("an answer").expect("a key").key.status(NOW);
        assert_eq!(status().await, KeyStatus::Active);
        catalog.change_key(&id, &KeyChange::Revoke, None, &by).await.expect("an answer").expect("a key");
        assert_eq!(status().await, KeyStatus::Active);
        clock.set_back(60 * second);
        assert_eq!(status().await, KeyStatus::Revoked);
    }

    #[test]
    fn what_happened_in_the_future_is_not_recent() {
        let before = |micros| Timestamp::from_micros(NOW.micros() - micros);
        assert!(is_within(PAUSE, NOW, NOW) && is_within(PAUSE, before(999_999), NOW));
        assert!(!is_within(PAUSE, before(1_000_000), NOW) && !is_within(PAUSE, before(-1), NOW));
        assert!(!is_within(PAUSE, Timestamp::from_micros(i64::MIN), NOW));
    }
}
