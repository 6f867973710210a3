//! The work over the catalog, from start to end.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::observe::jobs::{Fault, Jobs};
use crate::observe::metrics::Metrics;
use crate::shutdown::essential;
use crate::upkeep::alerts::Alerter;
use crate::upkeep::hygiene::Inspector;
use crate::upkeep::plans::Herald;
use crate::upkeep::refusals::RefusalKeeper;
use crate::upkeep::requests::RequestKeeper;
use crate::upkeep::senders::SenderKeeper;
use crate::upkeep::sweep::Sweeper;
use crate::upkeep::usage::UsageKeeper;
use crate::upkeep::usage::told::UsageTeller;
use crate::upkeep::webhooks::courier::Courier;

/// How long it may take at the very end to write down what was gathered, for each part of it.
const LAST_WRITE: Duration = Duration::from_secs(5);

/// What runs beside the listeners.
pub(super) struct Upkeep {
    stop: CancellationToken,
    tasks: JoinSet<()>,
    alerter: Arc<Alerter>,
    refusals: RefusalKeeper,
    senders: SenderKeeper,
    usage: Arc<UsageKeeper>,
    requests: Arc<RequestKeeper>,
}

/// What there is to do.
pub(super) struct Work {
    pub(super) alerter: Alerter,
    pub(super) courier: Courier,
    pub(super) inspector: Inspector,
    pub(super) herald: Herald,
    pub(super) sweeper: Sweeper,
    pub(super) usage: UsageKeeper,
    pub(super) teller: UsageTeller,
    pub(super) refusals: RefusalKeeper,
    pub(super) senders: SenderKeeper,
    pub(super) requests: Arc<RequestKeeper>,
}

impl Upkeep {
    /// Begins the work, each part of it a job; `crashed` is cancelled where it ends by itself.
    pub(super) fn begin(work: Work, jobs: &Jobs, metrics: &Metrics, crashed: &CancellationToken) -> Self {
        let Work { alerter, courier, inspector, herald, sweeper, usage, teller, refusals, senders, requests } = work;
        let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
        let pending = metrics.webhooks.pending.clone();
        let (told, job) = (stop.clone(), jobs.add_with_lag("webhooks", "messages", move || pending.get()));
        tasks.spawn(essential("webhooks", crashed.clone(), async move { courier.run(&told, &job).await }));
        let (told, job) = (stop.clone(), jobs.add("hygiene"));
        tasks.spawn(essential("hygiene", crashed.clone(), async move { inspector.run(&told, &job).await }));
        let (told, job) = (stop.clone(), jobs.add("plans"));
        tasks.spawn(essential("plans", crashed.clone(), async move { herald.run(&told, &job).await }));
        let (told, job) = (stop.clone(), jobs.add("sweeping"));
        tasks.spawn(essential("sweeping", crashed.clone(), async move { sweeper.run(&told, &job).await }));
        let (told, job) = (stop.clone(), jobs.add("usage-telling"));
        tasks.spawn(essential("telling of usage", crashed.clone(), async move { teller.run(&told, &job).await }));
        let (keeper, told, job) = (refusals.clone(), stop.clone(), jobs.add("refusals"));
        tasks.spawn(essential("refusals", crashed.clone(), async move { keeper.run(&told, &job).await }));
        let (keeper, told, job) = (senders.clone(), stop.clone(), jobs.add("senders"));
        tasks.spawn(essential("senders", crashed.clone(), async move { keeper.run(&told, &job).await }));
        let alerter = Arc::new(alerter);
        let (watch, told, job) = (Arc::clone(&alerter), stop.clone(), jobs.add("alerts"));
        tasks.spawn(essential("alerts", crashed.clone(), async move { watch.run(&told, &job).await }));
        let usage = Arc::new(usage);
        let (keeper, told, job) = (Arc::clone(&usage), stop.clone(), jobs.add("usage"));
        tasks.spawn(essential("usage", crashed.clone(), async move { keeper.run(&told, &job).await }));
        let (keeper, told, job) = (Arc::clone(&requests), stop.clone(), requests.job(jobs));
        tasks.spawn(essential("requests", crashed.clone(), async move { keeper.run(&told, &job).await }));
        let (keeper, told, job) = (Arc::clone(&requests), stop.clone(), jobs.add("request-retention"));
        let retention = async move { keeper.run_retention(&told, &job).await };
        tasks.spawn(essential("request-retention", crashed.clone(), retention));
        Self { stop, tasks, alerter, refusals, senders, usage, requests }
    }

    /// Ends it, at `grace` at the latest, and writes down what was gathered of exports that have ended since: there will be no
    /// others.
    pub(super) async fn end(mut self, grace: Instant) {
        self.stop.cancel();
        let finish = async { while self.tasks.join_next().await.is_some() {} };
        // Whoever is writing down what was taken out of a book is let finish.
        let end = grace.max(Instant::now() + LAST_WRITE);
        if tokio::time::timeout_at(end, finish).await.is_err() {
            self.tasks.shutdown().await;
            tracing::warn!(
                "what webhooks are being told at the end of the grace period is told again at the next start"
            );
        }
        tokio::join!(
            last_write("warnings of quotas", self.alerter.quotas()),
            last_write("usage", self.usage.flush()),
            last_write("what was turned away", self.refusals.flush()),
            last_write("who used which key", self.senders.flush()),
            last_write("the request log", self.requests.flush())
        );
    }
}

async fn last_write<E: Fault>(what: &str, write: impl Future<Output = Result<(), E>>) {
    let why = match tokio::time::timeout(LAST_WRITE, write).await {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error.shown(),
        Err(_) => "the catalog takes too long".to_owned(),
    };
    tracing::warn!(why, "the end of {what} is not written down");
}
