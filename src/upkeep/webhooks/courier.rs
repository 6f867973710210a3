//! The courier: from the audit log into the outbox, and from the outbox to the receivers.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::message::{Event, message};
use super::send::{Sender, Sent};
use crate::catalog::{Catalog, Happened, Subscriber};
use crate::domain::webhook::{
    Delivery, DeliveryState, Disabled, EventId, EventKind, GIVE_UP_AFTER, KEEP_DELIVERIES, Webhook, WebhookChange,
    WebhookId, wait_as_asked,
};
use crate::domain::{Actor, Changed, Random, Slug, Timestamp};
use crate::observe::webhooks::WebhookMetrics;
use crate::upkeep::UpkeepError;

/// Writes events down for whoever wants to hear of them, and sends what is due.
///
/// Several nodes may each have one over the same catalog: an event is written down once, and a delivery is claimed before it is
/// sent. A claim that a dead node left lapses, and the message is sent again.
pub struct Courier {
    catalog: Arc<dyn Catalog>,
    sender: Arc<Sender>,
    random: Arc<dyn Random>,
    metrics: WebhookMetrics,
    under_way: JoinSet<()>,
    /// Each webhook has few attempts at the same time, so that a slow one takes no room from the others.
    lanes: HashMap<WebhookId, Arc<Semaphore>>,
    swept_at: Option<Timestamp>,
}

/// Attempts at the same time for one webhook.
const LANE: u32 = 4;

/// Attempts at the same time for all.
const LANES: usize = 64;

/// The pause between two looks at the catalog.
const PAUSE: Duration = Duration::from_secs(2);

/// So many entries of the audit log are read at once.
const ENTRIES: u32 = 100;

/// A claim lasts for so long beyond the longest attempt.
const CLAIM: Duration = Duration::from_mins(1);

/// The pause between two sweeps of old deliveries, and how many go at once.
const SWEEP: Duration = Duration::from_mins(1);
const SWEPT: u32 = 1000;

impl Courier {
    /// A courier that has nothing under way.
    #[must_use]
    pub fn new(
        catalog: Arc<dyn Catalog>,
        sender: Arc<Sender>,
        random: Arc<dyn Random>,
        metrics: WebhookMetrics,
    ) -> Self {
        let (under_way, lanes) = (JoinSet::new(), HashMap::new());
        Self { catalog, sender, random, metrics, under_way, lanes, swept_at: None }
    }

    /// Goes its rounds until `stop`, and then waits for what is under way.
    pub async fn run(mut self, stop: &CancellationToken) {
        loop {
            let pause = match self.round().await {
                Ok(More::Yes) => Duration::ZERO,
                Ok(More::No) => PAUSE,
                Err(error) => {
                    tracing::warn!(%error, "webhooks wait; the next round goes on");
                    PAUSE
                }
            };
            // An attempt that ends makes room for the next.
            let ended = async {
                match self.under_way.join_next().await {
                    Some(_) => {}
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = stop.cancelled() => break,
                () = ended => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
        self.settle().await;
    }

    /// One round: writes down what has happened, as far as one reading goes, and begins what is due.
    ///
    /// # Errors
    /// Where the catalog fails or there are no random bytes.
    pub async fn round(&mut self) -> Result<More, UpkeepError> {
        while self.under_way.try_join_next().is_some() {}
        let subscribers = self.catalog.subscribers().await?;
        let more = self.write_down(&subscribers).await?;
        self.begin(subscribers).await?;
        self.sweep().await?;
        Ok(more)
    }

    /// Waits for what is under way.
    pub async fn settle(&mut self) {
        while self.under_way.join_next().await.is_some() {}
    }

    /// Reads on in the audit log, and writes an event down for each webhook that wants it, together with how far it has read.
    async fn write_down(&self, subscribers: &[Subscriber]) -> Result<More, UpkeepError> {
        let from = self.catalog.outbox_position().await?;
        let happened = self.catalog.happened_after(from, ENTRIES).await?;
        let Some(last) = happened.last() else { return Ok(More::No) };
        let now = self.sender.clock.now();
        let mut deliveries = Vec::new();
        for entry in &happened {
            // Everything else in the log is nothing that webhooks tell of.
            let Ok(kind) = entry.action.parse::<EventKind>() else { continue };
            let told = |one: &&Subscriber| one.since < entry.seq && one.webhook.wants(kind, entry.project.as_ref());
            let mut told = subscribers.iter().filter(told).peekable();
            if told.peek().is_some() {
                let id = EventId::new(now, &*self.random)?;
                let payload = told_of(entry, id);
                deliveries.extend(told.map(|one| pending(&one.webhook, id, kind.as_str(), &payload, now)));
            }
        }
        let mine = self.catalog.advance_outbox(from, last.seq, &deliveries).await?;
        Ok(if mine && happened.len() == ENTRIES as usize { More::Yes } else { More::No })
    }

    /// Begins to send what is due, as far as there is room.
    async fn begin(&mut self, subscribers: Vec<Subscriber>) -> Result<(), UpkeepError> {
        let webhooks: HashMap<_, _> = subscribers.into_iter().map(|one| (one.webhook.id, one.webhook)).collect();
        self.lanes.retain(|id, lane| webhooks.contains_key(id) || lane.available_permits() < LANE as usize);
        let room = LANES.saturating_sub(self.under_way.len());
        if webhooks.is_empty() || room == 0 {
            return Ok(());
        }
        let now = self.sender.clock.now();
        let due = self.catalog.due_deliveries(now, LANE, u32::try_from(room).unwrap_or(LANE)).await?;
        for delivery in due {
            let Some(webhook) = webhooks.get(&delivery.webhook) else { continue };
            let lane = self.lanes.entry(webhook.id).or_insert_with(|| Arc::new(Semaphore::new(LANE as usize)));
            let Ok(permit) = Arc::clone(lane).try_acquire_owned() else { continue };
            let until = now.after(self.sender.timeout.saturating_add(CLAIM));
            if self.catalog.claim_delivery(&delivery, until).await? {
                let errand = Errand {
                    catalog: Arc::clone(&self.catalog),
                    sender: Arc::clone(&self.sender),
                    random: Arc::clone(&self.random),
                    metrics: self.metrics.clone(),
                    webhook: webhook.clone(),
                    delivery,
                    _permit: permit,
                };
                self.under_way.spawn(errand.run());
            }
        }
        Ok(())
    }

    /// Forgets what is old, and counts what waits.
    async fn sweep(&mut self) -> Result<(), UpkeepError> {
        let now = self.sender.clock.now();
        if self.swept_at.is_some_and(|at| now.since(at) < SWEEP) {
            return Ok(());
        }
        self.catalog.forget_deliveries(now.before(KEEP_DELIVERIES), SWEPT).await?;
        self.metrics.pending.set(self.catalog.pending_deliveries().await?);
        self.swept_at = Some(now);
        Ok(())
    }
}

/// Whether there was more than one round reads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum More {
    /// There was.
    Yes,
    /// There was not.
    No,
}

/// A delivery of `payload` to `webhook` that is due at once.
#[must_use]
pub fn pending(webhook: &Webhook, event: EventId, kind: &str, payload: &str, now: Timestamp) -> Delivery {
    Delivery {
        webhook: webhook.id,
        event,
        kind: kind.to_owned(),
        payload: payload.to_owned(),
        created_at: now,
        state: DeliveryState::Pending { next_at: now },
        attempts: 0,
        last: None,
    }
}

/// The message of an entry of the audit log.
fn told_of(entry: &Happened, id: EventId) -> String {
    let data = json!({
        "key": entry.target,
        "project": entry.project.as_ref().map(Slug::as_str),
        "actor": {"key": entry.actor, "name": entry.actor_name, "via": entry.via},
        "before": entry.before,
        "after": entry.after,
        "audit_seq": entry.seq,
    });
    message(&Event { id, kind: &entry.action, at: entry.at, subject: &entry.target, data })
}

/// One delivery under way.
struct Errand {
    catalog: Arc<dyn Catalog>,
    sender: Arc<Sender>,
    random: Arc<dyn Random>,
    metrics: WebhookMetrics,
    webhook: Webhook,
    delivery: Delivery,
    _permit: OwnedSemaphorePermit,
}

/// The receiver wants nothing more, for ever.
const GONE: u16 = 410;

impl Errand {
    async fn run(self) {
        let Self { webhook, delivery, .. } = &self;
        let Sent { attempt, asked } = self.sender.attempt(webhook, delivery.event, &delivery.payload).await;
        let now = self.sender.clock.now();
        let gone = attempt.status == Some(GONE);
        let failed = delivery.attempts.saturating_add(1);
        let again = if gone { None } else { wait_as_asked(failed, asked, &*self.random) };
        let (state, counter) = match again {
            _ if attempt.succeeded() => (DeliveryState::Delivered, &self.metrics.delivered),
            Some(wait) => (DeliveryState::Pending { next_at: now.after(wait) }, &self.metrics.retried),
            None => (DeliveryState::Failed, &self.metrics.failed),
        };
        counter.inc();
        if let Err(error) = self.catalog.attempted(delivery, &attempt, state).await {
            // The claim lapses, and then it is sent again.
            let (webhook, event) = (webhook.id, delivery.event);
            tracing::warn!(%error, %webhook, %event, "what became of a webhook's message cannot be written down");
        }
        if attempt.succeeded() {
            return;
        }
        let hopeless = |webhook: &Webhook| webhook.failing_since.is_some_and(|since| now.since(since) >= GIVE_UP_AFTER);
        if gone {
            self.stop(Disabled::Gone, now).await;
        } else if hopeless(webhook) {
            // Another attempt may have arrived since the webhook was read.
            match self.catalog.webhook(&webhook.id).await {
                Ok(Some(fresh)) if hopeless(&fresh) => self.stop(Disabled::Failing, now).await,
                Ok(_) => {}
                Err(error) => tracing::warn!(webhook = %webhook.id, %error, "a webhook that fails cannot be disabled"),
            }
        }
    }

    async fn stop(&self, why: Disabled, now: Timestamp) {
        let (id, by) = (self.webhook.id, Actor::system("webhooks", now));
        match self.catalog.change_webhook(&id, &WebhookChange::Stop(why), None, &by).await {
            Ok(Some((_, Changed::Already)) | None) => {}
            Ok(Some((_, Changed::Yes))) => {
                self.metrics.disabled.inc();
                tracing::warn!(webhook = %id, why = why.as_str(), "a webhook is disabled");
            }
            Err(error) => tracing::warn!(webhook = %id, %error, "a webhook that fails cannot be disabled"),
        }
    }
}
