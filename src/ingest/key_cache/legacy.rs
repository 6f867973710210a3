//! Keys by the digest of a token that names none.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use moka::future::Cache;
use moka::ops::compute::{CompResult, Op};

use super::{CachedKey, KeyCache, KeyCacheSettings, LookupError, Stamp, is_within};
use crate::domain::secret::Peppers;
use crate::domain::{KeyId, LegacyToken, Timestamp, credential};

/// Digests of legacy tokens under the newest pepper, and what is known of them.
pub(super) struct Digests {
    /// Whose they are. An entry is believed only where its key's secret proves it, so that it need not be fresh.
    known: Cache<[u8; 32], KeyId>,
    unknown: Cache<[u8; 32], Stamp>,
    /// Counts every change of any key: the digests of a new key are not known where that is announced.
    changes: AtomicU64,
}

impl Digests {
    pub(super) fn new(settings: &KeyCacheSettings) -> Self {
        let (known, unknown) = (Cache::new(settings.capacity), Cache::new(settings.unknown_capacity));
        Self { known, unknown, changes: AtomicU64::new(0) }
    }

    async fn is_unknown(&self, digest: &[u8; 32], ttl: Duration, now: Timestamp) -> bool {
        let stamp = self.unknown.get(digest).await;
        stamp.is_some_and(|stamp| stamp.generation == self.generation() && is_within(ttl, stamp.at, now))
    }

    fn generation(&self) -> u64 {
        self.changes.load(Ordering::SeqCst)
    }

    /// From now on no digest counts as unknown that was looked up before.
    pub(super) fn forget_unknown(&self) {
        self.changes.fetch_add(1, Ordering::SeqCst);
    }
}

impl KeyCache {
    /// The key that has a secret with this token, as it is now; `None` where there is none.
    ///
    /// # Errors
    /// Where neither cache nor catalog can tell.
    pub async fn find(&self, token: &LegacyToken, peppers: &Peppers) -> Result<Option<Arc<CachedKey>>, LookupError> {
        let digest = *peppers.newest().digest(token.text()).as_bytes();
        if let Some(id) = self.digests.known.get(&digest).await {
            if let Some(cached) = self.get(&id).await?
                && credential::prove(Some(&cached.key), token.text(), peppers).is_some()
            {
                return Ok(Some(cached));
            }
            // The key was purged, and its token may be another's by now.
            self.digests.known.invalidate(&digest).await;
        }
        if self.digests.is_unknown(&digest, self.settings.unknown_ttl, self.clock.now()).await {
            return Ok(None);
        }
        match self.find_id(digest, token, peppers).await? {
            Some(id) => self.get(&id).await,
            None => Ok(None),
        }
    }

    /// Whether it is known without the catalog whose token it is, or that it is nobody's.
    pub async fn knows_token(&self, token: &LegacyToken, peppers: &Peppers) -> bool {
        let digest = *peppers.newest().digest(token.text()).as_bytes();
        let now = self.clock.now();
        self.digests.known.contains_key(&digest)
            || self.digests.is_unknown(&digest, self.settings.unknown_ttl, now).await
    }

    /// Whose `digest` is; of several callers with one token, one asks the catalog and the others wait for its answer.
    async fn find_id(
        &self,
        digest: [u8; 32],
        token: &LegacyToken,
        peppers: &Peppers,
    ) -> Result<Option<KeyId>, LookupError> {
        let found = self
            .digests
            .known
            .entry(digest)
            .and_try_compute_with(|held| async move {
                if held.is_some() {
                    return Ok(Op::Nop);
                }
                let stamp = Stamp { at: self.clock.now(), generation: self.digests.generation() };
                if self.digests.is_unknown(&digest, self.settings.unknown_ttl, stamp.at).await {
                    return Ok(Op::Nop);
                }
                let stored = credential::digests(token.text(), peppers);
                if let Some(id) = self.ask(stamp.at, None, self.catalog.key_of_digest(&stored)).await? {
                    return Ok(Op::Put(id));
                }
                self.digests.unknown.insert(digest, stamp).await;
                Ok(Op::Nop)
            })
            .await?;
        Ok(match found {
            CompResult::Inserted(entry) | CompResult::ReplacedWith(entry) | CompResult::Unchanged(entry) => {
                Some(entry.into_value())
            }
            CompResult::Removed(_) | CompResult::StillNone(_) => None,
        })
    }
}
