//! What is kept for a time, and then no longer: answers for a repetition of their request, and sessions of the console.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::catalog::{Catalog, CatalogError};
use crate::domain::Clock;
use crate::observe::jobs::Job;

/// Forgets answers and sessions once their time is over. Nothing relies on it: what is over is not used, whether it is still there or not.
pub struct Sweeper {
    /// Where they are kept.
    pub catalog: Arc<dyn Catalog>,
    /// The present instant.
    pub clock: Arc<dyn Clock>,
    /// How long a session may be unused.
    pub session_idle: Duration,
}

/// The pause between two sweeps.
const PAUSE: Duration = Duration::from_mins(1);

impl Sweeper {
    /// Sweeps again and again until `stop`.
    pub async fn run(self, stop: &CancellationToken, job: &Job) {
        loop {
            match job.run(self.sweep()).await {
                Ok((0, 0)) => {}
                Ok((answers, sessions)) => tracing::debug!(answers, sessions, "what was over is forgotten"),
                Err(error) => tracing::warn!(%error, "what is over could not be forgotten; it is tried again"),
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    }

    /// Forgets what is over now, and says how many answers and how many sessions it were.
    async fn sweep(&self) -> Result<(u64, u64), CatalogError> {
        let now = self.clock.now();
        let answers = self.catalog.sweep_answers(now).await?;
        Ok((answers, self.catalog.sweep_sessions(now, now.before(self.session_idle)).await?))
    }
}
