//! The work over the catalog, from start to end.

use std::sync::Arc;

use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::observe::jobs::Jobs;
use crate::observe::metrics::Metrics;
use crate::shutdown::essential;
use crate::upkeep::hygiene::Inspector;
use crate::upkeep::requests::RequestKeeper;
use crate::upkeep::sweep::Sweeper;
use crate::upkeep::webhooks::courier::Courier;

/// What runs beside the listeners.
pub(super) struct Upkeep {
    stop: CancellationToken,
    tasks: JoinSet<()>,
    requests: Arc<RequestKeeper>,
}

/// What there is to do.
pub(super) struct Work {
    pub(super) courier: Courier,
    pub(super) inspector: Inspector,
    pub(super) sweeper: Sweeper,
    pub(super) requests: Arc<RequestKeeper>,
}

impl Upkeep {
    /// Begins the work, each part of it a job; `crashed` is cancelled where it ends by itself.
    pub(super) fn begin(work: Work, jobs: &Jobs, metrics: &Metrics, crashed: &CancellationToken) -> Self {
        let Work { courier, inspector, sweeper, requests } = work;
        let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
        let pending = metrics.webhooks.pending.clone();
        let (told, job) = (stop.clone(), jobs.add_with_lag("webhooks", "messages", move || pending.get()));
        tasks.spawn(essential("webhooks", crashed.clone(), async move { courier.run(&told, &job).await }));
        let (told, job) = (stop.clone(), jobs.add("hygiene"));
        tasks.spawn(essential("hygiene", crashed.clone(), async move { inspector.run(&told, &job).await }));
        let (told, job) = (stop.clone(), jobs.add("sweeping"));
        tasks.spawn(essential("sweeping", crashed.clone(), async move { sweeper.run(&told, &job).await }));
        let (told, job, keeper) = (stop.clone(), requests.job(jobs), Arc::clone(&requests));
        tasks.spawn(essential("requests", crashed.clone(), async move { keeper.run(&told, &job).await }));
        let (told, job, keeper) = (stop.clone(), jobs.add("request-retention"), Arc::clone(&requests));
        let retention = async move { keeper.run_retention(&told, &job).await };
        tasks.spawn(essential("request-retention", crashed.clone(), retention));
        Self { stop, tasks, requests }
    }

    /// Ends it, at `grace` at the latest, and writes down what it has gathered.
    pub(super) async fn end(mut self, grace: Instant) {
        self.stop.cancel();
        let finish = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout_at(grace, finish).await.is_err() {
            self.tasks.shutdown().await;
            tracing::warn!(
                "what webhooks are being told at the end of the grace period is told again at the next start"
            );
        }
        match tokio::time::timeout(LAST_WRITE, self.requests.flush()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the last entries of the request log are not written down"),
            Err(_) => tracing::warn!("the last entries of the request log are not written down: it takes too long"),
        }
    }
}

/// How long it may take at the very end to write down what was gathered.
const LAST_WRITE: std::time::Duration = std::time::Duration::from_secs(5);
