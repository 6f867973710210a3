//! What was used in each hour, told to webhooks for whoever bills it; and what is kept of usage no longer.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::catalog::{Catalog, CatalogError, Subscriber, ToldUsage, UntoldUsage};
use crate::domain::usage::{Amount, Step};
use crate::domain::webhook::{EventId, EventKind};
use crate::domain::{Clock, Timestamp};
use crate::observe::jobs::Job;
use crate::upkeep::webhooks::courier::pending;
use crate::upkeep::webhooks::message::{Event, message};

/// Tells of hours that are over, once for each key and signal, and again where more was counted for them later.
///
/// What an event says is noted in the transaction that writes its messages down, so that all events of an hour together say what was
/// accepted, whatever fails, and by however many nodes. An event's id is made of what it is about and its number.
pub struct UsageTeller {
    /// Where usage is kept.
    pub catalog: Arc<dyn Catalog>,
    /// The present instant.
    pub clock: Arc<dyn Clock>,
    /// How long after its end an hour is told of. What is written later is told of in a further event.
    pub patience: Duration,
    /// How long usage of each of [`Step::ALL`] is kept.
    pub keep: [Duration; Step::ALL.len()],
}

/// The pause between two rounds.
const PAUSE: Duration = Duration::from_mins(1);

/// How many hours of keys and signals one transaction tells of.
const BATCH: u32 = 100;

/// How many rows are taken away at once.
const SWEPT: u32 = 1_000;

/// How long it is remembered which flush was the last of a process: longer than one waits with an answer lost.
const KEEP_WRITERS: Duration = Duration::from_hours(30 * 24);

impl UsageTeller {
    /// Goes its rounds until `stop`.
    pub async fn run(self, stop: &CancellationToken, job: &Job) {
        let rounds = async {
            loop {
                if let Err(error) = job.run(self.round()).await {
                    tracing::warn!(%error, "usage of the last hours is not told of, or old usage not taken away; the next round goes on");
                }
                tokio::time::sleep(PAUSE).await;
            }
        };
        // What is cut off here is a transaction that is rolled back.
        tokio::select! {
            () = stop.cancelled() => {}
            () = rounds => {}
        }
    }

    /// Tells of what is untold, and takes away what is old.
    ///
    /// # Errors
    /// Where the catalog fails.
    pub async fn round(&self) -> Result<(), CatalogError> {
        // What cannot be told must not keep what is old.
        let told = self.tell().await;
        self.sweep().await.and(told)
    }

    async fn tell(&self) -> Result<(), CatalogError> {
        let now = self.clock.now();
        let closed = Step::Hour.start(now.before(self.patience));
        loop {
            let untold = self.catalog.untold_usage(closed, BATCH).await?;
            let more = untold.len() == BATCH as usize;
            if !untold.is_empty() {
                let subscribers = self.catalog.subscribers().await?;
                let told: Vec<_> = untold.into_iter().map(|usage| told_of(usage, &subscribers, now)).collect();
                self.catalog.tell_usage(&told).await?;
            }
            if !more {
                return Ok(());
            }
        }
    }

    async fn sweep(&self) -> Result<(), CatalogError> {
        let now = self.clock.now();
        for (step, keep) in Step::ALL.into_iter().zip(self.keep) {
            while self.catalog.sweep_usage(step, now.before(keep), SWEPT).await? == u64::from(SWEPT) {}
        }
        self.catalog.sweep_secret_usage(now).await?;
        let [_, hours, _] = self.keep;
        self.catalog.sweep_usage_notes(now.before(KEEP_WRITERS), now.before(hours)).await
    }
}

fn told_of(usage: UntoldUsage, subscribers: &[Subscriber], now: Timestamp) -> ToldUsage {
    let (id, payload) = event(&usage);
    let kind = EventKind::UsageRecorded;
    let wants = |one: &&Subscriber| one.webhook.wants(kind, Some(&usage.tenant.project));
    let told = subscribers.iter().filter(wants);
    let deliveries = told.map(|one| pending(&one.webhook, id, kind.as_str(), &payload, now)).collect();
    ToldUsage { usage, deliveries }
}

/// The event that tells of what is untold: its id, and its message. Whoever makes it makes the same.
fn event(usage: &UntoldUsage) -> (EventId, String) {
    let UntoldUsage { at, tenant, key, signal, events, .. } = usage;
    let (key, number) = (key.map(|key| key.to_string()), events.saturating_add(1));
    let end = at.after(Step::Hour.length());
    let name = format!("{at}/{tenant}/{}/{signal}/{number}", key.as_deref().unwrap_or_default());
    let id = EventId::named(end, &name);
    let Amount { exports, items, wire_bytes, bytes } = usage.untold();
    let data = json!({
        "from": at.to_string(),
        "to": end.to_string(),
        "project": tenant.project.as_str(),
        "grid": tenant.grid.as_str(),
        "environment": tenant.environment.as_str(),
        "key": key,
        "signal": signal.as_str(),
        "number": number,
        "exports": exports,
        "items": items,
        "wire_bytes": wire_bytes,
        "bytes": bytes,
    });
    let tenant = tenant.to_string();
    let subject = key.as_deref().unwrap_or(&tenant);
    (id, message(&Event { id, kind: EventKind::UsageRecorded.as_str(), at: end, subject, data }))
}
