//! Alerts: what is out of the ordinary in what was written down of exports, and quotas that are nearly used up. Webhooks are told, each
//! alert is kept to be listed, and metrics count them.

mod find;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::UpkeepError;
use super::webhooks::courier::pending;
use super::webhooks::message::{Event, message};
use crate::catalog::{Catalog, CatalogError, RaisedAlert, Repeat, Subscriber};
use crate::domain::alert::Alert;
use crate::domain::limit::ScopeId;
use crate::domain::webhook::{Delivery, EventId};
use crate::domain::{Clock, Random, Timestamp};
use crate::metering::limiter::{Crossed, Limiter};
use crate::observe::alerts::AlertMetrics;
use crate::observe::jobs::Job;

/// Looks for what somebody should know.
///
/// An alert is written down together with its messages, so that each is given once for each key and cause, whatever fails, and by
/// however many nodes.
pub struct Alerter {
    /// Where things are found, and alerts are kept.
    pub catalog: Arc<dyn Catalog>,
    /// The present instant.
    pub clock: Arc<dyn Clock>,
    /// Ids of events come from here.
    pub random: Arc<dyn Random>,
    /// What knows how far quotas are used.
    pub limiter: Arc<Limiter>,
    /// What was given.
    pub metrics: AlertMetrics,
    /// Warnings of quotas that could not be written down.
    pub unwritten: Mutex<Vec<Crossed>>,
}

/// The pause between two looks.
const PAUSE: Duration = Duration::from_secs(30);

/// An alert stands for so long, and is given again if its cause is there still.
const STANDS: Duration = Duration::from_hours(24);

/// A cause that was not found for so long is gone.
const GONE: Duration = Duration::from_hours(1);

/// Alerts of one kind that are given about one key in a day. Who has a key can have as many addresses and names as it likes.
const MOST_A_DAY: u32 = 10;

/// How long alerts are kept: longer than the longest period of a quota.
const KEEP: Duration = Duration::from_hours(45 * 24);

/// How many alerts are kept, warnings of quotas not counted.
const KEEP_AT_MOST: u32 = 10_000;

/// Warnings of quotas that are held while the catalog fails; later ones are dropped.
const MOST_UNWRITTEN: usize = 10_000;

/// Alerts that one transaction gives. No change of a key waits longer than for so many.
const BATCH: usize = 100;

impl Alerter {
    /// Looks again and again until `stop`.
    pub async fn run(&self, stop: &CancellationToken, job: &Job) {
        let look = async {
            loop {
                if let Err(error) = job.run(self.look()).await {
                    tracing::warn!(%error, "alerts are given later");
                }
                tokio::time::sleep(PAUSE).await;
            }
        };
        // What is cut off here is a transaction that is rolled back.
        tokio::select! {
            () = stop.cancelled() => {}
            () = look => {}
        }
    }

    /// Gives all alerts that there is a cause for, and forgets old ones.
    ///
    /// # Errors
    /// Where the catalog fails or there are no random bytes. What was given until then stays given.
    pub async fn look(&self) -> Result<(), UpkeepError> {
        self.quotas().await?;
        let now = self.clock.now();
        let found = find::all(&*self.catalog, now).await?;
        self.give(found, Repeat::After(now.before(STANDS), now.before(GONE), MOST_A_DAY), now).await?;
        self.catalog.forget_alerts(now.before(KEEP), KEEP_AT_MOST).await?;
        Ok(())
    }

    /// Warns of quotas that have come to 80, 90 or 100 per cent. What could not be written down is kept.
    ///
    /// # Errors
    /// Where the catalog fails or there are no random bytes.
    pub async fn quotas(&self) -> Result<(), UpkeepError> {
        // A copy stays here until they are written, also if this is cut off.
        let crossed = {
            let mut unwritten = self.unwritten();
            unwritten.extend(self.limiter.crossed());
            unwritten.truncate(MOST_UNWRITTEN);
            unwritten.clone()
        };
        if crossed.is_empty() {
            return Ok(());
        }
        let mut alerts = Vec::with_capacity(crossed.len());
        for one in &crossed {
            let project = match &one.id {
                // Of a key that is erased nobody needs to know, and a damaged one must not keep the others from being told.
                ScopeId::Key(id) => match self.catalog.key(id).await {
                    Ok(Some(key)) => key.binding.project().cloned(),
                    Ok(None) | Err(CatalogError::Damaged(_)) => continue,
                    Err(error) => return Err(error.into()),
                },
                ScopeId::Tenant(tenant) => Some(tenant.project.clone()),
                ScopeId::Project(project) => Some(project.clone()),
            };
            alerts.push(find::quota(one, project));
        }
        self.give(alerts, Repeat::Never, self.clock.now()).await?;
        self.unwritten().drain(..crossed.len());
        Ok(())
    }

    async fn give(&self, alerts: Vec<Alert>, repeat: Repeat, now: Timestamp) -> Result<(), UpkeepError> {
        if alerts.is_empty() {
            return Ok(());
        }
        let subscribers = self.catalog.subscribers().await?;
        let mut rest = alerts;
        while !rest.is_empty() {
            let later = rest.split_off(rest.len().min(BATCH));
            let mut raised = Vec::with_capacity(rest.len());
            for alert in rest {
                let deliveries = self.told(&alert, &subscribers, now)?;
                raised.push(RaisedAlert { alert, deliveries });
            }
            let given = self.catalog.raise_alerts(&raised, repeat, now).await?;
            for (one, _) in raised.iter().zip(given).filter(|(_, given)| *given) {
                self.metrics.given(one.alert.kind);
                // What clients say of themselves is quoted by the log.
                tracing::warn!(alert = one.alert.kind.as_str(), summary = ?one.alert.summary, "an alert was given");
            }
            rest = later;
        }
        Ok(())
    }

    /// The messages that tell of `alert`, for each webhook that wants to hear of it.
    fn told(&self, alert: &Alert, subscribers: &[Subscriber], now: Timestamp) -> Result<Vec<Delivery>, UpkeepError> {
        let kind = alert.kind;
        let wants = |one: &&Subscriber| one.webhook.wants(kind, alert.project.as_ref());
        let mut told = subscribers.iter().filter(wants).peekable();
        if told.peek().is_none() {
            return Ok(Vec::new());
        }
        let id = EventId::new(now, &*self.random)?;
        let subject = match (&alert.key, &alert.project) {
            (Some(key), _) => key.to_string(),
            (None, Some(project)) => project.to_string(),
            (None, None) => "installation".to_owned(),
        };
        // It was written by this process.
        let data: Value = serde_json::from_str(&alert.data).unwrap_or_default();
        let payload = message(&Event { id, kind: kind.as_str(), at: now, subject: &subject, data });
        Ok(told.map(|one| pending(&one.webhook, id, kind.as_str(), &payload, now)).collect())
    }

    fn unwritten(&self) -> MutexGuard<'_, Vec<Crossed>> {
        self.unwritten.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
