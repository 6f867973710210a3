//! Webhooks, and the deliveries that are on their way to them.

mod deliveries;

use async_trait::async_trait;
use serde_json::json;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, query};

use super::audit::{Fields, changed, fields};
use super::projects::require_project;
use super::rows::Reader;
use super::store::{Store, collect, wrote_one};
use super::{CatalogError, Page, Paging, cursor};
use crate::domain::audit::{Action, Target, TargetKind};
use crate::domain::webhook::{Disabled, EventKind, SigningSecret, Webhook, WebhookChange, WebhookId};
use crate::domain::{Actor, Changed, Slug, Timestamp};
pub(in crate::catalog) use deliveries::insert as insert_delivery;
pub use deliveries::{Deliveries, Happened};

/// The most webhooks of a project, and of the installation itself: each event is written down once for each.
pub const MAX_WEBHOOKS: u32 = 50;

/// What the catalog keeps of webhooks.
#[async_trait]
pub trait Webhooks {
    /// Adds a webhook. [`CatalogError::Missing`] without its project, [`CatalogError::TooManyWebhooks`] where there are
    /// [`MAX_WEBHOOKS`].
    async fn create_webhook(&self, webhook: &Webhook, by: &Actor) -> Result<(), CatalogError>;

    /// One webhook.
    async fn webhook(&self, id: &WebhookId) -> Result<Option<Webhook>, CatalogError>;

    /// Webhooks of `project` (`None`: of every project and the installation) by id. [`CatalogError::Cursor`] for a bad position.
    async fn webhooks(&self, project: Option<&Slug>, paging: &Paging) -> Result<Page<Webhook>, CatalogError>;

    /// Every webhook that is not disabled.
    async fn subscribers(&self) -> Result<Vec<Subscriber>, CatalogError>;

    /// Makes a change at the actor's instant, guarded against a concurrent one, and returns the webhook as it is then, with what the
    /// change did. `expected` is the version that the change is meant for; `None`: any. `None` without such a webhook;
    /// [`CatalogError::VersionConflict`] at another version.
    async fn change_webhook(
        &self,
        id: &WebhookId,
        change: &WebhookChange,
        expected: Option<u64>,
        by: &Actor,
    ) -> Result<Option<(Webhook, Changed)>, CatalogError>;

    /// Takes a webhook away, with its deliveries. `false` without such a webhook; [`CatalogError::VersionConflict`] at another
    /// version than `expected`.
    async fn delete_webhook(&self, id: &WebhookId, expected: Option<u64>, by: &Actor) -> Result<bool, CatalogError>;
}

/// A webhook that is told of events.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Subscriber {
    /// The webhook.
    pub webhook: Webhook,
    /// It is told of what stands behind this place in the audit log.
    pub since: i64,
}

/// Webhooks of `$which`.
macro_rules! select_webhooks {
    ($which:literal) => {
        concat!(
            "SELECT
                 id,
                 project,
                 url,
                 note,
                 events,
                 secret_version,
                 secret_pepper,
                 previous_version,
                 previous_pepper,
                 previous_until,
                 version,
                 created_at,
                 created_by,
                 updated_at,
                 disabled_at,
                 disabled_because,
                 failing_since,
                 since
             FROM webhooks ",
            $which
        )
    };
}

#[async_trait]
impl Webhooks for Store {
    async fn create_webhook(&self, webhook: &Webhook, by: &Actor) -> Result<(), CatalogError> {
        self.bounded(async {
            let mut writing = self.write(by).await?;
            let project = webhook.project.as_ref().map(Slug::as_str);
            if let Some(project) = &webhook.project {
                require_project(writing.connection(), project).await?;
            }
            let others = "SELECT COUNT(*) AS others FROM webhooks WHERE COALESCE(project, '') = COALESCE($1, '')";
            let row = query(others).bind(project).fetch_one(writing.connection()).await?;
            if Reader::new(&row, "webhooks", &[]).number("others")? >= MAX_WEBHOOKS {
                return Err(CatalogError::TooManyWebhooks);
            }
            let insert = query(
                "INSERT INTO webhooks (
                     id,
                     project,
                     url,
                     note,
                     events,
                     secret_version,
                     secret_pepper,
                     version,
                     created_at,
                     created_by,
                     updated_at,
                     disabled_at,
                     disabled_because,
                     since
                 ) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
            )
            .bind(webhook.id.to_string())
            .bind(project)
            .bind(&webhook.url)
            .bind(&webhook.note)
            .bind(names(webhook))
            .bind(i64::from(webhook.secret.version))
            .bind(i64::from(webhook.secret.pepper))
            .bind(version(webhook)?)
            .bind(webhook.created_at.micros())
            .bind(webhook.created_by.to_string())
            .bind(webhook.updated_at.micros())
            .bind(webhook.disabled.map(|(at, _)| at.micros()))
            .bind(webhook.disabled.map(|(_, because)| because.as_str()))
            .bind(writing.position());
            wrote_one(insert.execute(writing.connection()).await?.rows_affected())?;
            writing.append(Action::WebhookCreated, &target(webhook), None, Some(of_webhook(webhook))).await?;
            writing.commit().await
        })
        .await
    }

    async fn webhook(&self, id: &WebhookId) -> Result<Option<Webhook>, CatalogError> {
        self.bounded(async { read(&mut *self.pool.acquire().await?, id).await }).await
    }

    async fn webhooks(&self, project: Option<&Slug>, paging: &Paging) -> Result<Page<Webhook>, CatalogError> {
        let after = match &paging.after {
            None => String::new(),
            Some(text) => text.parse::<WebhookId>().map_err(|_| CatalogError::Cursor)?.to_string(),
        };
        let select = query(select_webhooks!("WHERE id > $1 AND ($2 IS NULL OR project = $2) ORDER BY id LIMIT $3"))
            .bind(after)
            .bind(project.map(Slug::as_str))
            .bind(cursor::rows_to_read(paging));
        self.bounded(async {
            let webhooks = collect(&select.fetch_all(&self.pool).await?, webhook)?;
            Ok(cursor::page(webhooks, paging, |webhook| webhook.id.to_string()))
        })
        .await
    }

    async fn subscribers(&self) -> Result<Vec<Subscriber>, CatalogError> {
        let select = query(select_webhooks!("WHERE disabled_at IS NULL ORDER BY id"));
        self.bounded(async { collect(&select.fetch_all(&self.pool).await?, subscriber) }).await
    }

    async fn change_webhook(
        &self,
        id: &WebhookId,
        change: &WebhookChange,
        expected: Option<u64>,
        by: &Actor,
    ) -> Result<Option<(Webhook, Changed)>, CatalogError> {
        self.bounded(async {
            let mut writing = self.write(by).await?;
            lock(writing.connection(), id).await?;
            let Some(before) = read(writing.connection(), id).await? else { return Ok(None) };
            require_version(&before, expected)?;
            let mut webhook = before.clone();
            if webhook.apply(change, by.at) == Changed::Already {
                return Ok(Some((webhook, Changed::Already)));
            }
            update(writing.connection(), &webhook).await?;
            let action = match change {
                WebhookChange::Edit(_) => Action::WebhookEdited,
                WebhookChange::RotateSecret { .. } => Action::WebhookSecretRotated,
                WebhookChange::Stop(_) => Action::WebhookDisabled,
            };
            let (old, new) = changed(of_webhook(&before), of_webhook(&webhook));
            writing.append(action, &target(&webhook), Some(old), Some(new)).await?;
            writing.commit().await?;
            Ok(Some((webhook, Changed::Yes)))
        })
        .await
    }

    async fn delete_webhook(&self, id: &WebhookId, expected: Option<u64>, by: &Actor) -> Result<bool, CatalogError> {
        self.bounded(async {
            let mut writing = self.write(by).await?;
            let Some(before) = read(writing.connection(), id).await? else { return Ok(false) };
            require_version(&before, expected)?;
            // Its deliveries go with it.
            let delete = query("DELETE FROM webhooks WHERE id = $1").bind(id.to_string());
            wrote_one(delete.execute(writing.connection()).await?.rows_affected())?;
            writing.append(Action::WebhookDeleted, &target(&before), Some(of_webhook(&before)), None).await?;
            writing.commit().await?;
            Ok(true)
        })
        .await
    }
}

fn require_version(webhook: &Webhook, expected: Option<u64>) -> Result<(), CatalogError> {
    match expected {
        Some(expected) if expected != webhook.version => {
            Err(CatalogError::VersionConflict { current: webhook.version })
        }
        _ => Ok(()),
    }
}

/// Keeps whoever notes how an attempt ended from the webhook until the transaction ends, since that changes it, too. Everybody takes
/// a webhook before its deliveries.
async fn lock(connection: &mut AnyConnection, id: &WebhookId) -> Result<(), CatalogError> {
    query("UPDATE webhooks SET version = version WHERE id = $1").bind(id.to_string()).execute(connection).await?;
    Ok(())
}

async fn read(connection: &mut AnyConnection, id: &WebhookId) -> Result<Option<Webhook>, CatalogError> {
    let select = query(select_webhooks!("WHERE id = $1")).bind(id.to_string());
    select.fetch_optional(connection).await?.as_ref().map(webhook).transpose()
}

/// Writes everything that a change may change.
async fn update(connection: &mut AnyConnection, webhook: &Webhook) -> Result<(), CatalogError> {
    let previous = webhook.previous;
    let update = query(
        "UPDATE webhooks
         SET url = $2,
             note = $3,
             events = $4,
             secret_version = $5,
             secret_pepper = $6,
             previous_version = $7,
             previous_pepper = $8,
             previous_until = $9,
             version = $10,
             updated_at = $11,
             disabled_at = $12,
             disabled_because = $13,
             failing_since = $14
         WHERE id = $1",
    )
    .bind(webhook.id.to_string())
    .bind(&webhook.url)
    .bind(&webhook.note)
    .bind(names(webhook))
    .bind(i64::from(webhook.secret.version))
    .bind(i64::from(webhook.secret.pepper))
    .bind(previous.map(|(secret, _)| i64::from(secret.version)))
    .bind(previous.map(|(secret, _)| i64::from(secret.pepper)))
    .bind(previous.map(|(_, until)| until.micros()))
    .bind(version(webhook)?)
    .bind(webhook.updated_at.micros())
    .bind(webhook.disabled.map(|(at, _)| at.micros()))
    .bind(webhook.disabled.map(|(_, because)| because.as_str()))
    .bind(webhook.failing_since.map(Timestamp::micros));
    wrote_one(update.execute(connection).await?.rows_affected())
}

fn subscriber(row: &AnyRow) -> Result<Subscriber, CatalogError> {
    Ok(Subscriber { webhook: webhook(row)?, since: Reader::new(row, "webhooks", &["id"]).get("since")? })
}

fn webhook(row: &AnyRow) -> Result<Webhook, CatalogError> {
    let row = Reader::new(row, "webhooks", &["id"]);
    let events = row.get::<&str>("events")?.split_whitespace().map(str::parse::<EventKind>).collect::<Result<_, _>>();
    let previous = match row.optional_time("previous_until")? {
        None => None,
        Some(until) => {
            let version = row.number("previous_version")?;
            Some((SigningSecret { version, pepper: row.number("previous_pepper")? }, until))
        }
    };
    let disabled = match row.optional_time("disabled_at")? {
        None => None,
        Some(at) => {
            let because: &str = row.get("disabled_because")?;
            let because = Disabled::ALL.into_iter().find(|one| one.as_str() == because);
            Some((at, because.ok_or_else(|| row.damaged("disabled_because", "there is no such reason"))?))
        }
    };
    Ok(Webhook {
        id: row.parsed("id")?,
        project: row.optional("project")?,
        url: row.get("url")?,
        note: row.get("note")?,
        events: events.map_err(|error| row.damaged("events", &error.to_string()))?,
        secret: SigningSecret { version: row.number("secret_version")?, pepper: row.number("secret_pepper")? },
        previous,
        version: row.count("version")?,
        created_at: row.time("created_at")?,
        created_by: row.parsed("created_by")?,
        updated_at: row.time("updated_at")?,
        disabled,
        failing_since: row.optional_time("failing_since")?,
    })
}

/// The kinds of events as they are stored: their names with single spaces between them.
fn names(webhook: &Webhook) -> String {
    webhook.events.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(" ")
}

fn version(webhook: &Webhook) -> Result<i64, CatalogError> {
    i64::try_from(webhook.version).map_err(|_| CatalogError::Damaged(format!("webhooks {}, version", webhook.id)))
}

fn target(webhook: &Webhook) -> Target {
    Target { kind: TargetKind::Webhook, id: webhook.id.to_string(), project: webhook.project.clone() }
}

/// What of a webhook is written into the audit log.
fn of_webhook(webhook: &Webhook) -> Fields {
    fields(json!({
        "project": webhook.project.as_ref().map(Slug::as_str),
        "url": webhook.url,
        "note": webhook.note,
        "events": webhook.events.iter().map(|kind| kind.as_str()).collect::<Vec<_>>(),
        "secret_version": webhook.secret.version,
        "disabled_at": webhook.disabled.map(|(at, _)| at.to_string()),
        "disabled_because": webhook.disabled.map(|(_, because)| because.as_str()),
    }))
}
