//! Uses of keys: written down now and then, so that no export waits for it; and what follows when there are none.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::catalog::{Catalog, CatalogError};
use crate::domain::uses::Uses;
use crate::domain::{Actor, Changed, Clock, KeyChange, KeyId};
use crate::observe::jobs::Job;

/// Writes the uses down that others have recorded, and retires secrets that are drained.
#[derive(Clone)]
pub struct UseKeeper {
    /// What was recorded.
    pub uses: Arc<Uses>,
    /// Where it is written to.
    pub catalog: Arc<dyn Catalog>,
    /// The present instant.
    pub clock: Arc<dyn Clock>,
    /// Called with each key that was changed, after the commit.
    pub key_changed: Arc<dyn Fn(KeyId) + Send + Sync>,
    /// The pause between two writes.
    pub interval: Duration,
}

/// Secrets that one transaction writes about. No change of a key waits longer than for so many.
const BATCH: usize = 100;

/// Secrets that are retired between two writes.
const DRAINED: u32 = 100;

impl UseKeeper {
    /// Works until `stop` is cancelled. What is recorded after that is left to [`Self::flush`].
    pub async fn run(&self, stop: &CancellationToken, job: &Job) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(self.interval) => {}
            }
            let work = async {
                if let Err(error) = self.flush().await {
                    tracing::warn!(%error, "when keys were last used could not be written down; it is tried again");
                    return Err(error);
                }
                self.retire_drained().await.inspect_err(|error| {
                    tracing::warn!(%error, "secrets that are no longer used could not be retired; it is tried again");
                })
            };
            // What went wrong is told already.
            let _ = job.run(work).await;
        }
    }

    /// Writes everything down that was recorded. What could not be written is kept.
    ///
    /// # Errors
    /// Where the catalog fails.
    pub async fn flush(&self) -> Result<(), CatalogError> {
        let mut rest = self.uses.take();
        while !rest.is_empty() {
            let later = rest.split_off(rest.len().min(BATCH));
            if let Err(error) = self.catalog.record_uses(&rest).await {
                self.uses.put_back(rest);
                self.uses.put_back(later);
                return Err(error);
            }
            for renewed in rest.iter().filter(|used| used.renewal.is_some()) {
                (self.key_changed)(renewed.key);
            }
            rest = later;
        }
        Ok(())
    }

    /// Retires secrets that are drained. To be called after a flush: what is not written down yet does not count as a use elsewhere.
    ///
    /// # Errors
    /// Where the catalog fails.
    pub async fn retire_drained(&self) -> Result<(), CatalogError> {
        let now = self.clock.now();
        for (key, version) in self.catalog.drained_secrets(self.uses.dropped_at(), now, DRAINED).await? {
            if self.uses.holds(&key, version) {
                continue;
            }
            let change = KeyChange::RetireDrained { version };
            let changed = self.catalog.change_key(&key, &change, None, &Actor::system("drain", now)).await;
            // Also after an error: the commit may have happened although its answer was lost.
            (self.key_changed)(key);
            match changed {
                Ok(Some((_, Changed::Yes))) => {
                    tracing::info!(%key, version, "a secret was no longer used and is retired");
                }
                // Used or changed meanwhile.
                Ok(_) | Err(CatalogError::ChangeRefused(_)) => {}
                Err(error @ CatalogError::Unavailable(_)) => return Err(error),
                // No other secret has to wait because of this one.
                Err(error) => {
                    tracing::error!(%key, version, %error, "a secret that is no longer used cannot be retired");
                }
            }
        }
        Ok(())
    }
}

impl std::fmt::Debug for UseKeeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UseKeeper").field("uses", &self.uses).field("interval", &self.interval).finish_non_exhaustive()
    }
}
