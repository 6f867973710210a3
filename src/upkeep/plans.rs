//! Plans that end: webhooks are told, once for each end. The gate needs nobody to tell it.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::UpkeepError;
use super::webhooks::courier::pending;
use super::webhooks::message::{Event, message};
use crate::catalog::{Catalog, Subscriber};
use crate::domain::webhook::{EventId, EventKind};
use crate::domain::{Actor, Clock, Project, Random, Slug, Timestamp};
use crate::observe::jobs::Job;

/// Looks for plans that have ended.
pub struct Herald {
    /// Where projects are.
    pub catalog: Arc<dyn Catalog>,
    /// The present instant.
    pub clock: Arc<dyn Clock>,
    /// Ids of events come from here.
    pub random: Arc<dyn Random>,
}

/// The pause between two looks.
const PAUSE: Duration = Duration::from_secs(30);

/// How many ends one look tells of.
const AT_ONCE: u32 = 100;

impl Herald {
    /// Looks again and again until `stop`.
    pub async fn run(self, stop: &CancellationToken, job: &Job) {
        let look = async {
            loop {
                if let Err(error) = job.run(self.look()).await {
                    tracing::warn!(%error, "the ends of plans are told of later");
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

    /// Tells of plans that have ended since the last look, the earliest first.
    ///
    /// # Errors
    /// Where the catalog fails or there are no random bytes. What was told until then stays told.
    pub async fn look(&self) -> Result<(), UpkeepError> {
        let now = self.clock.now();
        let ended = self.catalog.ended_plans(now, AT_ONCE).await?;
        if ended.is_empty() {
            return Ok(());
        }
        let subscribers = self.catalog.subscribers().await?;
        for project in ended {
            let Some(ended_at) = project.plan_ends_at else { continue };
            self.tell(&project, ended_at, &subscribers, now).await?;
        }
        Ok(())
    }

    async fn tell(
        &self,
        project: &Project,
        ended_at: Timestamp,
        subscribers: &[Subscriber],
        now: Timestamp,
    ) -> Result<(), UpkeepError> {
        let kind = EventKind::PlanEnded;
        let (id, subject) = (EventId::new(now, &*self.random)?, project.slug.to_string());
        let data = json!({
            "project": project.slug.as_str(),
            "name": project.name,
            "plan": project.plan.as_ref().map(Slug::as_str),
            "plan_ends_at": ended_at.to_string(),
        });
        let payload = message(&Event { id, kind: kind.as_str(), at: now, subject: &subject, data });
        let wants = |one: &&Subscriber| one.webhook.wants(kind, Some(&project.slug));
        let told = subscribers.iter().filter(wants);
        let deliveries: Vec<_> = told.map(|one| pending(&one.webhook, id, kind.as_str(), &payload, now)).collect();
        let by = Actor::system("plans", now);
        if self.catalog.told_plan_end(&project.slug, ended_at, &deliveries, &by).await? {
            tracing::info!(project = %project.slug, %ended_at, "a plan has ended: exports of its project are refused");
        }
        Ok(())
    }
}
