//! Refusals: written down now and then, so that no answer waits for it, and forgotten when nobody asks any more.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::catalog::{Catalog, CatalogError};
use crate::domain::Clock;
use crate::metering::Books;
use crate::observe::jobs::Job;

/// Writes down what was turned away.
#[derive(Clone)]
pub struct RefusalKeeper {
    /// Where it was remembered.
    pub books: Arc<Books>,
    /// Where it is written to.
    pub catalog: Arc<dyn Catalog>,
    /// The present instant.
    pub clock: Arc<dyn Clock>,
    /// The pause between two writes.
    pub interval: Duration,
    /// Groups that are kept of a project, and of the exports nobody proved anything of.
    pub groups: u32,
    /// How long a group is kept after its last export.
    pub keep: Duration,
}

/// Groups that one transaction writes. No change of a key waits longer than for so many.
const BATCH: usize = 100;

impl RefusalKeeper {
    /// Works until `stop` is cancelled. What is remembered after that is left to [`Self::flush`].
    pub async fn run(&self, stop: &CancellationToken, job: &Job) {
        loop {
            if let Err(error) = job.run(self.turn()).await {
                tracing::warn!(%error, "what was turned away could not be written down; it is tried again");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(self.interval) => {}
            }
        }
    }

    /// Writes everything down that was remembered. What could not be written is kept.
    ///
    /// # Errors
    /// Where the catalog fails.
    pub async fn flush(&self) -> Result<(), CatalogError> {
        let refusals = &self.books.refusals;
        let mut rest = refusals.take();
        // A project's groups are counted once for each transaction that has some of it.
        rest.sort_unstable_by(|left, right| left.group.cmp(&right.group));
        while !rest.is_empty() {
            let later = rest.split_off(rest.len().min(BATCH));
            if let Err(error) = self.catalog.record_refusals(&rest, self.groups).await {
                refusals.put_back(rest);
                refusals.put_back(later);
                return Err(error);
            }
            rest = later;
        }
        Ok(())
    }

    async fn turn(&self) -> Result<(), CatalogError> {
        self.flush().await?;
        self.books.refusals.codes.set(&self.catalog.environments().await?);
        let forgotten = self.catalog.forget_refusals(self.clock.now().before(self.keep)).await?;
        if forgotten > 0 {
            tracing::debug!(forgotten, "groups of refusals whose time is over are forgotten");
        }
        Ok(())
    }
}

impl std::fmt::Debug for RefusalKeeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RefusalKeeper")
            .field("books", &self.books)
            .field("interval", &self.interval)
            .finish_non_exhaustive()
    }
}
