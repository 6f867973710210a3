//! Usage: written down every few seconds, told to webhooks by the hour, and forgotten when its time is over.

pub mod told;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::catalog::{Catalog, CatalogError, UsageFlush};
use crate::domain::usage::Counted;
use crate::domain::{Clock, RecordId};
use crate::metering::Books;

/// Writes down what was counted.
///
/// What is taken out of the books is given a number and kept until it is written: where an answer is lost, the same is written again
/// under the same number, which the catalog counts once.
pub struct UsageKeeper {
    books: Arc<Books>,
    catalog: Arc<dyn Catalog>,
    clock: Arc<dyn Clock>,
    interval: Duration,
    writer: RecordId,
    pending: Mutex<Pending>,
}

/// What was taken and is not known to be written, and the number of the first of it.
struct Pending {
    first: u64,
    batches: VecDeque<Vec<Counted>>,
}

/// How many counts one transaction writes.
const BATCH: usize = 500;

impl UsageKeeper {
    /// One that writes every `interval`, as `writer`: an id that no other process has or had.
    #[must_use]
    pub fn new(
        books: Arc<Books>,
        catalog: Arc<dyn Catalog>,
        clock: Arc<dyn Clock>,
        interval: Duration,
        writer: RecordId,
    ) -> Self {
        let pending = Mutex::new(Pending { first: 1, batches: VecDeque::new() });
        Self { books, catalog, clock, interval, writer, pending }
    }

    /// Works until `stop` is cancelled. What is counted after that is left to [`Self::flush`].
    pub async fn run(&self, stop: &CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(self.interval) => {}
            }
            if let Err(error) = self.flush().await {
                tracing::warn!(%error, "usage could not be written down; it is tried again");
            }
        }
    }

    /// Writes down what was counted until now. What could not be written is kept.
    ///
    /// # Errors
    /// Where the catalog fails.
    pub async fn flush(&self) -> Result<(), CatalogError> {
        let mut pending = self.pending.lock().await;
        self.write(&mut pending).await?;
        let mut counted = self.books.usage.take().into_iter().peekable();
        while counted.peek().is_some() {
            pending.batches.push_back(counted.by_ref().take(BATCH).collect());
        }
        self.write(&mut pending).await
    }

    async fn write(&self, pending: &mut Pending) -> Result<(), CatalogError> {
        while let Some(batch) = pending.batches.front() {
            let flush = UsageFlush { writer: self.writer, number: pending.first, at: self.clock.now() };
            if !self.catalog.record_usage(&flush, batch).await? {
                tracing::debug!(number = flush.number, "usage had been written down, and the answer was lost");
            }
            pending.batches.pop_front();
            pending.first += 1;
        }
        Ok(())
    }
}

impl std::fmt::Debug for UsageKeeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { books, interval, writer, .. } = self;
        f.debug_struct("UsageKeeper")
            .field("usage", &books.usage)
            .field("interval", interval)
            .field("writer", writer)
            .finish_non_exhaustive()
    }
}
