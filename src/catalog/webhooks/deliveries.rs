//! The outbox: events are written down for each webhook before they are sent, and what became of them afterwards.

use async_trait::async_trait;
use serde_json::Value;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, query};

use super::super::rows::Reader;
use super::super::store::{Store, collect, wrote_one};
use super::super::{CatalogError, Page, Paging, cursor};
use crate::domain::webhook::{Attempt, Delivery, DeliveryState, EventId, WebhookId};
use crate::domain::{Slug, Timestamp};

/// What the catalog keeps of events on their way.
#[async_trait]
pub trait Deliveries {
    /// Up to which entry of the audit log events have been written down.
    async fn outbox_position(&self) -> Result<i64, CatalogError>;

    /// At most `limit` entries of the audit log behind `position`, oldest first.
    async fn happened_after(&self, position: i64, limit: u32) -> Result<Vec<Happened>, CatalogError>;

    /// Writes `deliveries` down and moves the position from `from` to `to`, both or neither. `false`, and nothing is written,
    /// where the position is not `from`: another node was faster.
    async fn advance_outbox(&self, from: i64, to: i64, deliveries: &[Delivery]) -> Result<bool, CatalogError>;

    /// Writes down one delivery that does not come from the audit log.
    async fn add_delivery(&self, delivery: &Delivery) -> Result<(), CatalogError>;

    /// Deliveries that have to be sent at `now`: `each` at most for one webhook, `most` at most, the longest overdue of each
    /// webhook first. Those of disabled webhooks wait.
    async fn due_deliveries(&self, now: Timestamp, each: u32, most: u32) -> Result<Vec<Delivery>, CatalogError>;

    /// Takes a delivery that is due: nobody else takes it before `until`, and it counts as sent once more. `false` where somebody
    /// else has it.
    async fn claim_delivery(&self, delivery: &Delivery, until: Timestamp) -> Result<bool, CatalogError>;

    /// Writes down what an attempt came to, and for how long the webhook has been failing.
    async fn attempted(&self, delivery: &Delivery, attempt: &Attempt, state: DeliveryState)
    -> Result<(), CatalogError>;

    /// A webhook's deliveries, newest first. [`CatalogError::Cursor`] for a bad position.
    async fn deliveries(&self, webhook: &WebhookId, paging: &Paging) -> Result<Page<Delivery>, CatalogError>;

    /// The number of deliveries that are not yet done.
    async fn pending_deliveries(&self) -> Result<u64, CatalogError>;

    /// Takes away at most `limit` deliveries that were written down before `before`, and returns how many it were.
    async fn forget_deliveries(&self, before: Timestamp, limit: u32) -> Result<u64, CatalogError>;
}

/// An entry of the audit log, as far as webhooks tell of it. From where it was done is not among it.
#[derive(Clone, PartialEq, Debug)]
pub struct Happened {
    /// Its place in the log.
    pub seq: i64,
    /// When it was done.
    pub at: Timestamp,
    /// What was done.
    pub action: String,
    /// The admin key that did it.
    pub actor: Option<String>,
    /// That key's name, or what of Gridgate did it.
    pub actor_name: String,
    /// By which way.
    pub via: String,
    /// To what it was done.
    pub target: String,
    /// The project it belongs to.
    pub project: Option<Slug>,
    /// The changed fields before.
    pub before: Value,
    /// The changed fields after.
    pub after: Value,
}

/// The columns of a delivery.
macro_rules! select_deliveries {
    ($which:literal) => {
        concat!(
            "SELECT
                 d.webhook,
                 d.event,
                 d.kind,
                 d.payload,
                 d.created_at,
                 d.state,
                 d.next_at,
                 d.attempts,
                 d.attempted_at,
                 d.took,
                 d.status,
                 d.error
             FROM webhook_deliveries AS d ",
            $which
        )
    };
}

#[async_trait]
impl Deliveries for Store {
    async fn outbox_position(&self) -> Result<i64, CatalogError> {
        let select = query("SELECT seq FROM outbox WHERE id = 1");
        self.bounded(async { Reader::new(&select.fetch_one(&self.pool).await?, "outbox", &["seq"]).get("seq") }).await
    }

    async fn happened_after(&self, position: i64, limit: u32) -> Result<Vec<Happened>, CatalogError> {
        let select = query(
            "SELECT
                 seq,
                 at,
                 action,
                 actor,
                 actor_name,
                 via,
                 target,
                 project,
                 before,
                 after
             FROM audit
             WHERE seq > $1
             ORDER BY seq
             LIMIT $2",
        )
        .bind(position)
        .bind(i64::from(limit));
        self.bounded(async { collect(&select.fetch_all(&self.pool).await?, happened) }).await
    }

    async fn advance_outbox(&self, from: i64, to: i64, deliveries: &[Delivery]) -> Result<bool, CatalogError> {
        self.bounded(async {
            let mut transaction = self.pool.begin_with(self.dialect.begin_write()).await?;
            let update = query("UPDATE outbox SET seq = $2 WHERE id = 1 AND seq = $1").bind(from).bind(to);
            if update.execute(&mut *transaction).await?.rows_affected() != 1 {
                return Ok(false);
            }
            for delivery in deliveries {
                insert(&mut transaction, delivery).await?;
            }
            transaction.commit().await?;
            Ok(true)
        })
        .await
    }

    async fn add_delivery(&self, delivery: &Delivery) -> Result<(), CatalogError> {
        self.bounded(async { insert(&mut *self.pool.acquire().await?, delivery).await }).await
    }

    async fn due_deliveries(&self, now: Timestamp, each: u32, most: u32) -> Result<Vec<Delivery>, CatalogError> {
        let select = query(select_deliveries!(
            "JOIN (
                 SELECT
                     w.id AS webhook,
                     due.event,
                     ROW_NUMBER() OVER (PARTITION BY due.webhook ORDER BY due.next_at, due.event) AS place
                 FROM webhook_deliveries AS due
                 JOIN webhooks AS w ON w.id = due.webhook
                 WHERE due.next_at <= $1 AND w.disabled_at IS NULL
             ) AS turn ON turn.webhook = d.webhook AND turn.event = d.event
             WHERE turn.place <= $2
             ORDER BY turn.place, d.next_at, d.event
             LIMIT $3"
        ))
        .bind(now.micros())
        .bind(i64::from(each))
        .bind(i64::from(most));
        self.bounded(async { collect(&select.fetch_all(&self.pool).await?, delivery) }).await
    }

    async fn claim_delivery(&self, delivery: &Delivery, until: Timestamp) -> Result<bool, CatalogError> {
        let DeliveryState::Pending { next_at } = delivery.state else { return Ok(false) };
        let update = query(
            "UPDATE webhook_deliveries
             SET next_at = $4, attempts = attempts + 1
             WHERE webhook = $1 AND event = $2 AND next_at = $3",
        )
        .bind(delivery.webhook.to_string())
        .bind(delivery.event.to_string())
        .bind(next_at.micros())
        .bind(until.micros());
        self.bounded(async { Ok(update.execute(&self.pool).await?.rows_affected() == 1) }).await
    }

    async fn attempted(
        &self,
        delivery: &Delivery,
        attempt: &Attempt,
        state: DeliveryState,
    ) -> Result<(), CatalogError> {
        let next_at = match state {
            DeliveryState::Pending { next_at } => Some(next_at.micros()),
            DeliveryState::Delivered | DeliveryState::Failed => None,
        };
        self.bounded(async {
            let mut transaction = self.pool.begin_with(self.dialect.begin_write()).await?;
            // The webhook first, as everybody does.
            query(
                "UPDATE webhooks
                 SET failing_since = CASE WHEN $2 IS NULL THEN NULL ELSE COALESCE(failing_since, $2) END
                 WHERE id = $1 AND (failing_since IS NULL) <> ($2 IS NULL)",
            )
            .bind(delivery.webhook.to_string())
            .bind((!attempt.succeeded()).then_some(attempt.at.micros()))
            .execute(&mut *transaction)
            .await?;
            // Without its row, the webhook was deleted meanwhile.
            query(
                "UPDATE webhook_deliveries
                 SET state = $3, next_at = $4, attempted_at = $5, took = $6, status = $7, error = $8
                 WHERE webhook = $1 AND event = $2",
            )
            .bind(delivery.webhook.to_string())
            .bind(delivery.event.to_string())
            .bind(state.as_str())
            .bind(next_at)
            .bind(attempt.at.micros())
            .bind(micros(attempt))
            .bind(attempt.status.map(i64::from))
            .bind(attempt.error.as_deref())
            .execute(&mut *transaction)
            .await?;
            Ok(transaction.commit().await?)
        })
        .await
    }

    async fn deliveries(&self, webhook: &WebhookId, paging: &Paging) -> Result<Page<Delivery>, CatalogError> {
        let before = match &paging.after {
            // Behind every id: they have hexadecimal digits.
            None => "evt_g".to_owned(),
            Some(text) => text.parse::<EventId>().map_err(|_| CatalogError::Cursor)?.to_string(),
        };
        let select = query(select_deliveries!("WHERE d.webhook = $1 AND d.event < $2 ORDER BY d.event DESC LIMIT $3"))
            .bind(webhook.to_string())
            .bind(before)
            .bind(cursor::rows_to_read(paging));
        self.bounded(async {
            let deliveries = collect(&select.fetch_all(&self.pool).await?, delivery)?;
            Ok(cursor::page(deliveries, paging, |delivery| delivery.event.to_string()))
        })
        .await
    }

    async fn pending_deliveries(&self) -> Result<u64, CatalogError> {
        let select = query("SELECT COUNT(*) AS pending FROM webhook_deliveries WHERE next_at IS NOT NULL");
        self.bounded(async {
            Reader::new(&select.fetch_one(&self.pool).await?, "webhook_deliveries", &[]).count("pending")
        })
        .await
    }

    async fn forget_deliveries(&self, before: Timestamp, limit: u32) -> Result<u64, CatalogError> {
        let delete = query(self.dialect.forget_deliveries()).bind(before.micros()).bind(i64::from(limit));
        self.bounded(async { Ok(delete.execute(&self.pool).await?.rows_affected()) }).await
    }
}

pub(in crate::catalog) async fn insert(
    connection: &mut AnyConnection,
    delivery: &Delivery,
) -> Result<(), CatalogError> {
    let next_at = match delivery.state {
        DeliveryState::Pending { next_at } => Some(next_at.micros()),
        DeliveryState::Delivered | DeliveryState::Failed => None,
    };
    let last = delivery.last.as_ref();
    let insert = query(
        "INSERT INTO webhook_deliveries (
             webhook,
             event,
             kind,
             payload,
             created_at,
             state,
             next_at,
             attempts,
             attempted_at,
             took,
             status,
             error
         ) SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12
         WHERE EXISTS (SELECT 1 FROM webhooks WHERE id = $1)",
    )
    .bind(delivery.webhook.to_string())
    .bind(delivery.event.to_string())
    .bind(&delivery.kind)
    .bind(&delivery.payload)
    .bind(delivery.created_at.micros())
    .bind(delivery.state.as_str())
    .bind(next_at)
    .bind(i64::from(delivery.attempts))
    .bind(last.map(|last| last.at.micros()))
    .bind(last.map(micros))
    .bind(last.and_then(|last| last.status).map(i64::from))
    .bind(last.and_then(|last| last.error.as_deref()));
    // A webhook that was deleted meanwhile is told nothing.
    match insert.execute(connection).await?.rows_affected() {
        0 => Ok(()),
        rows => wrote_one(rows),
    }
}

fn micros(attempt: &Attempt) -> i64 {
    i64::try_from(attempt.took.as_micros()).unwrap_or(i64::MAX)
}

fn delivery(row: &AnyRow) -> Result<Delivery, CatalogError> {
    let row = Reader::new(row, "webhook_deliveries", &["webhook", "event"]);
    let state = match (row.get::<&str>("state")?, row.optional_time("next_at")?) {
        ("pending", Some(next_at)) => DeliveryState::Pending { next_at },
        ("delivered", None) => DeliveryState::Delivered,
        ("failed", None) => DeliveryState::Failed,
        _ => return Err(row.damaged("state", "state and next_at do not fit together")),
    };
    let status = row.get::<Option<i64>>("status")?.map(u16::try_from).transpose();
    let status = status.map_err(|_| row.damaged("status", "out of range"))?;
    let last = match row.optional_time("attempted_at")? {
        None => None,
        Some(at) => {
            let took = row.optional_span("took")?.unwrap_or_default();
            Some(Attempt { at, took, status, error: row.get("error")? })
        }
    };
    Ok(Delivery {
        webhook: row.parsed("webhook")?,
        event: row.parsed("event")?,
        kind: row.get("kind")?,
        payload: row.get("payload")?,
        created_at: row.time("created_at")?,
        state,
        attempts: row.number("attempts")?,
        last,
    })
}

fn happened(row: &AnyRow) -> Result<Happened, CatalogError> {
    let row = Reader::new(row, "audit", &["seq"]);
    let fields = |column| match row.get::<Option<&str>>(column)? {
        None => Ok(Value::Null),
        Some(text) => serde_json::from_str(text).map_err(|_| row.damaged(column, "not JSON")),
    };
    Ok(Happened {
        seq: row.get("seq")?,
        at: row.time("at")?,
        action: row.get("action")?,
        actor: row.get("actor")?,
        actor_name: row.get("actor_name")?,
        via: row.get("via")?,
        target: row.get("target")?,
        project: row.optional("project")?,
        before: fields("before")?,
        after: fields("after")?,
    })
}
