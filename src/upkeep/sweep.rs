//! Answers that were kept for a repetition of their request, and are kept no longer.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::catalog::Catalog;
use crate::domain::Clock;
use crate::observe::jobs::Job;

/// Forgets answers once their time is over. New ones do so, too; this is for when there are none.
pub struct Sweeper {
    /// Where they are kept.
    pub catalog: Arc<dyn Catalog>,
    /// The present instant.
    pub clock: Arc<dyn Clock>,
}

/// The pause between two sweeps.
const PAUSE: Duration = Duration::from_mins(1);

impl Sweeper {
    /// Sweeps again and again until `stop`.
    pub async fn run(self, stop: &CancellationToken, job: &Job) {
        loop {
            match job.run(self.catalog.sweep_answers(self.clock.now())).await {
                Ok(0) => {}
                Ok(answers) => tracing::debug!(answers, "answers that were kept for repetitions are forgotten"),
                Err(error) => {
                    tracing::warn!(%error, "answers whose time is over could not be forgotten; it is tried again");
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    }
}
