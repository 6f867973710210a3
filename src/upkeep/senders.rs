//! Who uses which key: written down now and then, so that no export waits for it, and forgotten after a while.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::catalog::{Catalog, CatalogError};
use crate::domain::Clock;
use crate::metering::Books;
use crate::metering::senders::Unwritten;
use crate::observe::jobs::Job;

/// Writes down who used which key.
#[derive(Clone)]
pub struct SenderKeeper {
    /// What was recorded.
    pub books: Arc<Books>,
    /// Where it is written to.
    pub catalog: Arc<dyn Catalog>,
    /// The present instant.
    pub clock: Arc<dyn Clock>,
    /// The pause between two writes.
    pub interval: Duration,
    /// How long a sender that is not seen any more is remembered.
    pub keep: Duration,
}

/// Senders that one transaction writes about. No change of a key waits longer than for so many.
const BATCH: usize = 100;

impl SenderKeeper {
    /// Works until `stop` is cancelled. What is recorded after that is left to [`Self::flush`].
    pub async fn run(&self, stop: &CancellationToken, job: &Job) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(self.interval) => {}
            }
            if let Err(error) = job.run(self.turn()).await {
                tracing::warn!(%error, "who uses which key could not be written down; it is tried again");
            }
        }
    }

    async fn turn(&self) -> Result<(), CatalogError> {
        self.flush().await?;
        self.forget().await
    }

    /// Writes everything down that was recorded. What could not be written is kept. Where the answer to a write is lost that was carried
    /// out all the same, its exports count twice.
    ///
    /// # Errors
    /// Where the catalog fails.
    pub async fn flush(&self) -> Result<(), CatalogError> {
        let Unwritten { senders: mut rest, mut others } = self.books.senders.take(self.clock.now());
        while !others.is_empty() {
            let later = others.split_off(others.len().min(BATCH));
            if let Err(error) = self.catalog.record_senders(&[], &others).await {
                self.books.senders.put_back(&Unwritten { senders: rest, others });
                self.books.senders.put_back(&Unwritten { senders: Vec::new(), others: later });
                return Err(error);
            }
            others = later;
        }
        while !rest.is_empty() {
            let later = rest.split_off(rest.len().min(BATCH));
            if let Err(error) = self.catalog.record_senders(&rest, &[]).await {
                for senders in [rest, later] {
                    self.books.senders.put_back(&Unwritten { senders, others: Vec::new() });
                }
                return Err(error);
            }
            rest = later;
        }
        Ok(())
    }

    /// Forgets senders that were not seen for long.
    ///
    /// # Errors
    /// Where the catalog fails.
    pub async fn forget(&self) -> Result<(), CatalogError> {
        let forgotten = self.catalog.forget_senders(self.clock.now().before(self.keep)).await?;
        if forgotten > 0 {
            tracing::debug!(forgotten, "senders that were not seen for long are forgotten");
        }
        Ok(())
    }
}

impl std::fmt::Debug for SenderKeeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SenderKeeper").field("interval", &self.interval).finish_non_exhaustive()
    }
}
