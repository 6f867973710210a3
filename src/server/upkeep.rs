//! The work over the catalog, from start to end.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::shutdown::essential;
use crate::upkeep::hygiene::Inspector;
use crate::upkeep::plans::Herald;
use crate::upkeep::senders::SenderKeeper;
use crate::upkeep::sweep::Sweeper;
use crate::upkeep::usage::UsageKeeper;
use crate::upkeep::usage::told::UsageTeller;
use crate::upkeep::webhooks::courier::Courier;

/// How long it may take at the very end to write down usage.
const USAGE_GRACE: Duration = Duration::from_secs(5);

/// What runs beside the listeners.
pub(super) struct Upkeep {
    stop: CancellationToken,
    tasks: JoinSet<()>,
    usage: Arc<UsageKeeper>,
}

impl Upkeep {
    /// Begins the work; `crashed` is cancelled where it ends by itself.
    pub(super) fn begin(
        courier: Courier,
        inspector: Inspector,
        herald: Herald,
        sweeper: Sweeper,
        (usage, teller): (UsageKeeper, UsageTeller),
        crashed: &CancellationToken,
    ) -> Self {
        let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
        let told = stop.clone();
        tasks.spawn(essential("webhooks", crashed.clone(), async move { courier.run(&told).await }));
        let told = stop.clone();
        tasks.spawn(essential("hygiene", crashed.clone(), async move { inspector.run(&told).await }));
        let told = stop.clone();
        tasks.spawn(essential("plans", crashed.clone(), async move { herald.run(&told).await }));
        let told = stop.clone();
        tasks.spawn(essential("sweeping", crashed.clone(), async move { sweeper.run(&told).await }));
        let told = stop.clone();
        tasks.spawn(essential("telling of usage", crashed.clone(), async move { teller.run(&told).await }));
        let usage = Arc::new(usage);
        let (keeper, told) = (Arc::clone(&usage), stop.clone());
        tasks.spawn(essential("usage", crashed.clone(), async move { keeper.run(&told).await }));
        Self { stop, tasks, usage }
    }

    /// Ends it, at `grace` at the latest, and writes down the usage of exports that have ended since: there will be no others.
    pub(super) async fn end(mut self, grace: Instant) {
        self.stop.cancel();
        let finish = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout_at(grace, finish).await.is_err() {
            self.tasks.shutdown().await;
            tracing::warn!(
                "what webhooks are being told at the end of the grace period is told again at the next start"
            );
        }
        match tokio::time::timeout(USAGE_GRACE, self.usage.flush()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the last usage is not written down"),
            Err(_) => tracing::warn!("the last usage is not written down: the catalog takes too long"),
        }
    }
}

/// Writing down who uses which key.
pub(super) struct SenderKeeping {
    keeper: SenderKeeper,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl SenderKeeping {
    /// Begins it; `crashed` is cancelled where it ends by itself.
    pub(super) fn begin(keeper: SenderKeeper, crashed: &CancellationToken) -> Self {
        let stop = CancellationToken::new();
        let (working, told) = (keeper.clone(), stop.clone());
        let task = tokio::spawn(essential("senders", crashed.clone(), async move { working.run(&told).await }));
        Self { keeper, stop, task }
    }

    /// Ends it when nobody uses a key any more, and writes the rest down within `grace`; whether it had gone on until now.
    pub(super) async fn end(self, grace: Duration) -> bool {
        self.stop.cancel();
        let kept = self.task.await;
        match tokio::time::timeout(grace, self.keeper.flush()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "who used which key is not written down"),
            Err(_) => tracing::warn!("who used which key is not written down: the catalog takes too long"),
        }
        kept.is_ok()
    }
}
