//! Rotation hygiene: every few minutes all keys are looked through, webhooks are told what is new, and metrics how many need
//! attention.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::UpkeepError;
use super::webhooks::courier::pending;
use super::webhooks::message::{Event, message};
use crate::catalog::{Catalog, Notice, Paging, Subscriber};
use crate::domain::hygiene::{Flag, RotationPolicy, attention};
use crate::domain::webhook::{Delivery, EventId};
use crate::domain::{Binding, Clock, Key, KeyId, Random, Slug, Timestamp};
use crate::observe::hygiene::HygieneMetrics;
use crate::observe::jobs::Job;

/// Looks keys through, page by page.
///
/// A notice is written down together with its messages, so that each is given once for each key and cause, whatever fails, and by
/// however many nodes. When its cause is gone the notice is forgotten, and is given again when it comes back.
pub struct Inspector {
    /// Where keys are.
    pub catalog: Arc<dyn Catalog>,
    /// The present instant.
    pub clock: Arc<dyn Clock>,
    /// Ids of events come from here.
    pub random: Arc<dyn Random>,
    /// What it finds.
    pub metrics: HygieneMetrics,
}

/// Keys that are looked at together.
const PAGE: u32 = 500;

/// The pause between two pages: a million keys are looked through in a few minutes, beside everything else.
const BREATH: Duration = Duration::from_millis(50);

/// The pause between two inspections.
const PAUSE: Duration = Duration::from_mins(5);

/// How far an inspection has come.
#[derive(Default)]
struct Walk {
    policy: RotationPolicy,
    subscribers: Vec<Subscriber>,
    after: Option<KeyId>,
    found: BTreeMap<Flag, u64>,
}

impl Inspector {
    /// Inspects again and again until `stop`.
    pub async fn run(self, stop: &CancellationToken, job: &Job) {
        let inspect = async {
            loop {
                if let Err(error) = job.run(self.inspect(BREATH)).await {
                    tracing::warn!(%error, "an inspection of the keys was not finished; the next one begins anew");
                }
                tokio::time::sleep(PAUSE).await;
            }
        };
        // What is cut off here is a transaction that is rolled back.
        tokio::select! {
            () = stop.cancelled() => {}
            () = inspect => {}
        }
    }

    /// Looks every key through once, with a pause of `breath` between pages.
    ///
    /// # Errors
    /// Where the catalog fails or there are no random bytes. Notices that were given until then stay given.
    pub async fn inspect(&self, breath: Duration) -> Result<(), UpkeepError> {
        let mut walk = Walk {
            policy: RotationPolicy::new(&self.catalog.environments().await?),
            subscribers: self.catalog.subscribers().await?,
            ..Walk::default()
        };
        while self.page(&mut walk).await? {
            tokio::time::sleep(breath).await;
        }
        self.metrics.inspected(|flag| walk.found.get(&flag).copied().unwrap_or_default());
        Ok(())
    }

    /// Looks at the next keys; `false` at the end.
    async fn page(&self, walk: &mut Walk) -> Result<bool, UpkeepError> {
        let paging = Paging { limit: PAGE, after: walk.after.as_ref().map(KeyId::to_string) };
        let page = self.catalog.living_keys(None, &paging).await?;
        let last = page.next.as_ref().and(page.items.last()).map(|key| key.id);
        let noticed = self.catalog.notices(walk.after.as_ref(), last.as_ref()).await?;
        let mut noticed: BTreeSet<(KeyId, Flag)> = noticed.into_iter().collect();
        let now = self.clock.now();
        let mut given = Vec::new();
        for key in &page.items {
            let flags = attention(key, &walk.policy, now);
            for &flag in &flags {
                *walk.found.entry(flag).or_default() += 1;
                if !noticed.remove(&(key.id, flag)) {
                    let deliveries = if urgent(flag, &flags) { self.told(walk, key, flag, now)? } else { Vec::new() };
                    given.push(Notice { key: key.id, flag, deliveries });
                }
            }
        }
        // The cause of what is left is gone, or the key is.
        let gone: Vec<_> = noticed.into_iter().collect();
        if !given.is_empty() || !gone.is_empty() {
            self.catalog.write_notices(&given, &gone, now).await?;
        }
        walk.after = last;
        Ok(last.is_some())
    }

    /// The messages that tell of `flag`, for each webhook that wants to hear of it.
    fn told(&self, walk: &Walk, key: &Key, flag: Flag, now: Timestamp) -> Result<Vec<Delivery>, UpkeepError> {
        let Some(kind) = flag.event() else { return Ok(Vec::new()) };
        let wants = |one: &&Subscriber| one.webhook.wants(kind, key.binding.project());
        let mut told = walk.subscribers.iter().filter(wants).peekable();
        if told.peek().is_none() {
            return Ok(Vec::new());
        }
        let (id, subject) = (EventId::new(now, &*self.random)?, key.id.to_string());
        let event = Event { id, kind: kind.as_str(), at: now, subject: &subject, data: data(key, flag) };
        let payload = message(&event);
        Ok(told.map(|one| pending(&one.webhook, id, kind.as_str(), &payload, now)).collect())
    }
}

/// Whether no other flag of the key says the same more urgently.
fn urgent(flag: Flag, flags: &[Flag]) -> bool {
    flag.more_urgent().is_none_or(|more| !flags.contains(&more))
}

/// What there is to say about a key that needs attention.
fn data(key: &Key, flag: Flag) -> Value {
    let tenant = match &key.binding {
        Binding::Tenant(tenant) => Some(tenant),
        Binding::Project(_) | Binding::Installation => None,
    };
    let current = key.secrets.iter().find(|secret| secret.retires_at.is_none());
    json!({
        "key": key.id.to_string(),
        "name": key.name,
        "owner": key.owner,
        "project": key.binding.project().map(Slug::as_str),
        "grid": tenant.map(|tenant| tenant.grid.as_str()),
        "environment": tenant.map(|tenant| tenant.environment.as_str()),
        "flag": flag.as_str(),
        "days": flag.days(),
        "created_at": key.created_at.to_string(),
        "expires_at": key.expires_at.map(|at| at.to_string()),
        "last_used_at": key.last_used().map(|used| used.last_at.to_string()),
        "secret_created_at": current.map(|secret| secret.created_at.to_string()),
    })
}
