//! The work over the catalog, from start to end.

use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::shutdown::essential;
use crate::upkeep::hygiene::Inspector;
use crate::upkeep::plans::Herald;
use crate::upkeep::sweep::Sweeper;
use crate::upkeep::webhooks::courier::Courier;

/// What runs beside the listeners.
pub(super) struct Upkeep {
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Upkeep {
    /// Begins the work; `crashed` is cancelled where it ends by itself.
    pub(super) fn begin(
        courier: Courier,
        inspector: Inspector,
        herald: Herald,
        sweeper: Sweeper,
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
        Self { stop, tasks }
    }

    /// Ends it, at `grace` at the latest.
    pub(super) async fn end(mut self, grace: Instant) {
        self.stop.cancel();
        let finish = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout_at(grace, finish).await.is_err() {
            self.tasks.shutdown().await;
            tracing::warn!(
                "what webhooks are being told at the end of the grace period is told again at the next start"
            );
        }
    }
}
