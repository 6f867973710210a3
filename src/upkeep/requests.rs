//! The request log: exports are written down now and then, so that none waits for it, and forgotten when there are too many or
//! they are too old.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::UpkeepError;
use crate::catalog::{Catalog, Whose};
use crate::domain::request::Ended;
use crate::domain::{Clock, Random, RecordId, Timestamp};
use crate::metering::Books;
use crate::metering::requests::NotLogged;
use crate::observe::jobs::{Job, Jobs};

/// How exports are kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KeepSettings {
    /// The pause between two writes.
    pub interval: Duration,
    /// The most exports. A project has half of them at the most, and so have those of which nobody proved whose they are.
    pub rows: u64,
    /// For how long each.
    pub age: Duration,
}

/// Writes exports down that were remembered, and forgets old ones.
pub struct RequestKeeper {
    books: Arc<Books>,
    catalog: Arc<dyn Catalog>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    settings: KeepSettings,
    unwritten: Mutex<Unwritten>,
}

/// What was taken out of the books and is not written down yet.
#[derive(Default)]
struct Unwritten {
    /// What is to be written next. It has its ids, because it may be written already although nobody was told.
    batch: Vec<(RecordId, Arc<Ended>)>,
    rest: VecDeque<Arc<Ended>>,
    not_logged: NotLogged,
}

/// Exports of one transaction. No change of a key waits longer than for so many.
const BATCH: usize = 100;

/// Exports that are forgotten in one transaction.
const FORGOTTEN: u32 = 500;

/// The pause between two transactions, so that others get their turn.
const BREATH: Duration = Duration::from_millis(10);

/// The pause between two looks at what is to be forgotten.
const PAUSE: Duration = Duration::from_mins(1);

impl RequestKeeper {
    /// A keeper that has nothing to write yet.
    #[must_use]
    pub fn new(
        books: Arc<Books>,
        catalog: Arc<dyn Catalog>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        settings: KeepSettings,
    ) -> Self {
        Self { books, catalog, clock, random, settings, unwritten: Mutex::default() }
    }

    /// Its job, which lags by what is not taken yet.
    #[must_use]
    pub fn job(&self, jobs: &Jobs) -> Job {
        let books = Arc::clone(&self.books);
        jobs.add_with_lag("requests", "exports", move || books.requests.len() as u64)
    }

    /// Writes again and again until `stop`. What ends after that is left to [`Self::flush`].
    pub async fn run(&self, stop: &CancellationToken, job: &Job) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(self.settings.interval) => {}
            }
            if let Err(error) = job.run(self.flush()).await {
                tracing::warn!(%error, "the request log could not be written; it is tried again");
            }
        }
    }

    /// Forgets again and again until `stop`.
    pub async fn run_retention(&self, stop: &CancellationToken, job: &Job) {
        let forget = async {
            loop {
                if let Err(error) = job.run(self.forget()).await {
                    tracing::warn!(%error, "old entries of the request log could not be removed; it is tried again");
                }
                tokio::time::sleep(PAUSE).await;
            }
        };
        // What is cut off here is a transaction that is rolled back.
        tokio::select! {
            () = stop.cancelled() => {}
            () = forget => {}
        }
    }

    /// Writes down what was remembered. What could not be written is kept, and nothing more is taken until it is written.
    ///
    /// # Errors
    /// Where the catalog fails or there are no random bytes.
    pub async fn flush(&self) -> Result<(), UpkeepError> {
        let mut unwritten = self.unwritten.lock().await;
        let Unwritten { batch, rest, not_logged } = &mut *unwritten;
        if batch.is_empty() && rest.is_empty() && not_logged.is_empty() {
            let taken = self.books.requests.take();
            *rest = taken.exports.into();
            *not_logged = taken.not_logged;
        }
        while !batch.is_empty() || !rest.is_empty() {
            while batch.len() < BATCH
                && let Some(next) = rest.front()
            {
                batch.push((RecordId::new(next.at, &*self.random)?, Arc::clone(next)));
                rest.pop_front();
            }
            self.catalog.record_requests(batch).await?;
            batch.clear();
            if !rest.is_empty() {
                tokio::time::sleep(BREATH).await;
            }
        }
        if !not_logged.is_empty() {
            let counts: Vec<_> =
                not_logged.iter().map(|((minute, project), count)| (*minute, project.clone(), *count)).collect();
            self.catalog.record_not_logged(&counts).await?;
            not_logged.clear();
        }
        Ok(())
    }

    /// Forgets what is too old or too much, the oldest first.
    ///
    /// # Errors
    /// Where the catalog fails.
    pub async fn forget(&self) -> Result<(), UpkeepError> {
        let old = self.clock.now().before(self.settings.age);
        self.forget_some(&Whose::All, old, u64::MAX).await?;
        self.catalog.forget_not_logged(old).await?;
        let counts = self.catalog.request_counts().await?;
        let mut all: u64 = counts.values().sum();
        let most = self.settings.rows;
        for (project, count) in counts {
            let surplus = count.saturating_sub(most.div_ceil(2));
            let whose = project.map_or(Whose::Nobody, Whose::Project);
            self.forget_some(&whose, END_OF_TIME, surplus).await?;
            all -= surplus;
        }
        self.forget_some(&Whose::All, END_OF_TIME, all.saturating_sub(most)).await
    }

    async fn forget_some(&self, whose: &Whose, before: Timestamp, mut surplus: u64) -> Result<(), UpkeepError> {
        while surplus > 0 {
            let limit = u32::try_from(surplus).unwrap_or(FORGOTTEN).min(FORGOTTEN);
            let gone = self.catalog.forget_requests(whose, before, limit).await?;
            if gone < limit.into() {
                return Ok(());
            }
            surplus -= gone;
            tokio::time::sleep(BREATH).await;
        }
        Ok(())
    }
}

const END_OF_TIME: Timestamp = Timestamp::from_micros(i64::MAX);

impl fmt::Debug for RequestKeeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestKeeper").field("settings", &self.settings).finish_non_exhaustive()
    }
}
