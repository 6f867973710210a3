//! Alerts that were given, and what they are found in.

mod find;

use async_trait::async_trait;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, query};

use super::rows::Reader;
use super::store::{Store, collect};
use super::webhooks::insert_delivery;
use super::{CatalogError, Page, Paging, cursor};
use crate::domain::alert::{Alert, GivenAlert};
use crate::domain::sender::SeenSender;
use crate::domain::webhook::{Delivery, EventKind};
use crate::domain::{KeyId, Slug, Tenant, Timestamp};

/// What the catalog keeps of alerts, and knows that they are found in. Nothing of it is audited: it is no change.
#[async_trait]
pub trait AlertBook {
    /// Gives these alerts, each together with its messages, and says for each whether it was given: it is not where it stands already, or
    /// where there are too many. All or nothing.
    async fn raise_alerts(
        &self,
        raised: &[RaisedAlert],
        repeat: Repeat,
        now: Timestamp,
    ) -> Result<Vec<bool>, CatalogError>;

    /// Alerts that pass the filter, the last one first. [`CatalogError::Cursor`] for a bad position.
    async fn alerts(&self, filter: &AlertFilter, paging: &Paging) -> Result<Page<GivenAlert>, CatalogError>;

    /// Forgets alerts whose cause was last found before `before`, and all but the newest `most`, warnings of quotas excepted. Says how
    /// many.
    async fn forget_alerts(&self, before: Timestamp, most: u32) -> Result<u64, CatalogError>;

    /// Senders that were seen from `since` on, after their keys were revoked, by key.
    async fn senders_after_revoke(&self, since: Timestamp) -> Result<Vec<SeenSender>, CatalogError>;

    /// Senders that were seen from `since` on of keys with several services in that time, by key.
    async fn senders_of_shared_keys(&self, since: Timestamp) -> Result<Vec<SeenSender>, CatalogError>;

    /// Senders that were first seen from `since` on and bring something new to a key that was used for a day before; none of keys with
    /// more senders than are told apart.
    async fn new_senders(&self, what: NewWhat, since: Timestamp) -> Result<Vec<SeenSender>, CatalogError>;

    /// What came with each key in the `hour` that begins then, and from `since` until then, where it is at least so many exports or items.
    async fn volumes(
        &self,
        hour: Timestamp,
        since: Timestamp,
        exports: u64,
        items: u64,
    ) -> Result<Vec<Volume>, CatalogError>;

    /// The minute since `since` in which most exports failed to authenticate, if they were at least so many.
    async fn failed_minute(&self, since: Timestamp, exports: u64) -> Result<Option<FailedMinute>, CatalogError>;
}

/// An alert with the messages that tell of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RaisedAlert {
    /// The alert.
    pub alert: Alert,
    /// To whom it is told.
    pub deliveries: Vec<Delivery>,
}

/// When an alert is given that was given before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Repeat {
    /// Never.
    Never,
    /// When it was given last at the first instant, or its cause was found last at the second, or before. No more than so many of one
    /// kind and key are given after the first instant.
    After(Timestamp, Timestamp, u32),
}

/// Which alerts. `None`: any.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct AlertFilter {
    /// Those about this project.
    pub project: Option<Slug>,
    /// Those about this key.
    pub key: Option<KeyId>,
    /// Those of this kind.
    pub kind: Option<EventKind>,
}

/// What can be new of a sender.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NewWhat {
    /// Its address.
    Address,
    /// Its service.
    Service,
}

/// What came with a key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Volume {
    /// The key.
    pub key: KeyId,
    /// Its tenant.
    pub tenant: Tenant,
    /// Exports of the hour.
    pub exports: u64,
    /// Their items.
    pub items: u64,
    /// The first of the hours before in which something came.
    pub first_at: Timestamp,
    /// How many hours before there were in which something came.
    pub hours: u64,
    /// Their exports.
    pub exports_before: u64,
    /// Their items.
    pub items_before: u64,
}

/// A minute in which exports failed to authenticate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FailedMinute {
    /// When it began.
    pub at: Timestamp,
    /// How many exports.
    pub exports: u64,
}

/// The time in which a cause that is found again is not written down again, in microseconds.
const UNWRITTEN: i64 = 5 * 60 * 1_000_000;

#[async_trait]
impl AlertBook for Store {
    async fn raise_alerts(
        &self,
        raised: &[RaisedAlert],
        repeat: Repeat,
        now: Timestamp,
    ) -> Result<Vec<bool>, CatalogError> {
        // Always in the same order, so that no two nodes wait for each other's rows.
        let mut ordered: Vec<_> = raised.iter().enumerate().map(|(index, one)| (one.alert.id(), index, one)).collect();
        ordered.sort_unstable_by(|one, next| (&one.0, one.1).cmp(&(&next.0, next.1)));
        self.bounded(async {
            let mut transaction = self.pool.begin_with(self.dialect.begin_write()).await?;
            let mut given = vec![false; raised.len()];
            for (id, index, one) in &ordered {
                given[*index] = raise(&mut transaction, id, one, repeat, now).await?;
            }
            transaction.commit().await?;
            Ok(given)
        })
        .await
    }

    async fn alerts(&self, filter: &AlertFilter, paging: &Paging) -> Result<Page<GivenAlert>, CatalogError> {
        let (at, id) = match &paging.after {
            None => (i64::MAX, String::new()),
            Some(text) => position(text).ok_or(CatalogError::Cursor)?,
        };
        let select = query(
            "SELECT id, alert, project, key_id, summary, data, at, last_at
             FROM alerts
             WHERE (at < $1 OR (at = $1 AND id < $2))
                 AND ($3 IS NULL OR project = $3)
                 AND ($4 IS NULL OR key_id = $4)
                 AND ($5 IS NULL OR alert = $5)
             ORDER BY at DESC, id DESC
             LIMIT $6",
        )
        .bind(at)
        .bind(id)
        .bind(filter.project.as_ref().map(Slug::as_str))
        .bind(filter.key.map(|key| key.to_string()))
        .bind(filter.kind.map(EventKind::as_str))
        .bind(cursor::rows_to_read(paging));
        self.bounded(async {
            let alerts = collect(&select.fetch_all(&self.pool).await?, given)?;
            Ok(cursor::page(alerts, paging, |one| format!("{}.{}", one.at.micros(), one.id)))
        })
        .await
    }

    async fn forget_alerts(&self, before: Timestamp, most: u32) -> Result<u64, CatalogError> {
        let old = query("DELETE FROM alerts WHERE last_at < $1").bind(before.micros());
        let many = query(
            "DELETE FROM alerts
             WHERE id IN (SELECT id FROM alerts WHERE alert <> $1 ORDER BY at DESC, id DESC LIMIT $3 OFFSET $2)",
        )
        .bind(EventKind::QuotaWarning.as_str())
        .bind(i64::from(most))
        .bind(i64::MAX);
        self.bounded(async {
            let old = old.execute(&self.pool).await?.rows_affected();
            Ok(old + many.execute(&self.pool).await?.rows_affected())
        })
        .await
    }

    async fn senders_after_revoke(&self, since: Timestamp) -> Result<Vec<SeenSender>, CatalogError> {
        self.bounded(find::senders_after_revoke(self, since)).await
    }

    async fn senders_of_shared_keys(&self, since: Timestamp) -> Result<Vec<SeenSender>, CatalogError> {
        self.bounded(find::senders_of_shared_keys(self, since)).await
    }

    async fn new_senders(&self, what: NewWhat, since: Timestamp) -> Result<Vec<SeenSender>, CatalogError> {
        self.bounded(find::new_senders(self, what, since)).await
    }

    async fn volumes(
        &self,
        hour: Timestamp,
        since: Timestamp,
        exports: u64,
        items: u64,
    ) -> Result<Vec<Volume>, CatalogError> {
        self.bounded(find::volumes(self, hour, since, exports, items)).await
    }

    async fn failed_minute(&self, since: Timestamp, exports: u64) -> Result<Option<FailedMinute>, CatalogError> {
        self.bounded(find::failed_minute(self, since, exports)).await
    }
}

/// Gives the alert, unless it stands, or there are too many.
async fn raise(
    connection: &mut AnyConnection,
    id: &str,
    raised: &RaisedAlert,
    repeat: Repeat,
    now: Timestamp,
) -> Result<bool, CatalogError> {
    let RaisedAlert { alert, deliveries } = raised;
    let (given_until, found_until, most) = match repeat {
        Repeat::Never => (i64::MIN, i64::MIN, i64::MAX),
        Repeat::After(given, found, most) => (given.micros(), found.micros(), i64::from(most)),
    };
    let insert = query(
        "INSERT INTO alerts (id, alert, project, key_id, summary, data, at, last_at)
         SELECT $1, $2, $3, $4, $5, $6, $7, $7
         WHERE (
             SELECT COUNT(*) FROM alerts AS same
             WHERE same.alert = $2 AND same.project = $3 AND same.key_id = $4 AND same.at > $8
         ) < $10
         ON CONFLICT (id) DO UPDATE
         SET summary = excluded.summary, data = excluded.data, at = excluded.at, last_at = excluded.last_at
         WHERE alerts.at <= $8 OR alerts.last_at <= $9",
    )
    .bind(id)
    .bind(alert.kind.as_str())
    .bind(alert.project.as_ref().map_or("", Slug::as_str))
    .bind(alert.key.map(|key| key.to_string()).unwrap_or_default())
    .bind(&alert.summary)
    .bind(&alert.data)
    .bind(now.micros())
    .bind(given_until)
    .bind(found_until)
    .bind(most);
    if insert.execute(&mut *connection).await?.rows_affected() > 0 {
        for delivery in deliveries {
            insert_delivery(&mut *connection, delivery).await?;
        }
        return Ok(true);
    }
    let found = query("UPDATE alerts SET last_at = $2 WHERE id = $1 AND last_at < $3")
        .bind(id)
        .bind(now.micros())
        .bind(now.micros().saturating_sub(UNWRITTEN));
    found.execute(connection).await?;
    Ok(false)
}

/// Forgets what was told of a key that is erased.
pub(super) async fn erase(connection: &mut AnyConnection, key: &KeyId) -> Result<(), CatalogError> {
    query("DELETE FROM alerts WHERE key_id = $1").bind(key.to_string()).execute(connection).await?;
    Ok(())
}

fn given(row: &AnyRow) -> Result<GivenAlert, CatalogError> {
    let row = Reader::new(row, "alerts", &["id"]);
    let named = |column| row.get::<&str>(column).map(|text| !text.is_empty());
    Ok(GivenAlert {
        id: row.get("id")?,
        kind: row.parsed("alert")?,
        project: if named("project")? { Some(row.parsed("project")?) } else { None },
        key: if named("key_id")? { Some(row.parsed("key_id")?) } else { None },
        summary: row.get("summary")?,
        data: row.get("data")?,
        at: row.time("at")?,
        last_at: row.time("last_at")?,
    })
}

/// The place of an alert in the list.
fn position(text: &str) -> Option<(i64, String)> {
    let (at, id) = text.split_once('.')?;
    let is_id = id.len() == 32 && id.bytes().all(|digit| digit.is_ascii_hexdigit());
    is_id.then_some((at.parse().ok()?, id.to_owned()))
}
