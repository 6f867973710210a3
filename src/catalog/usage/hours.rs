//! What of each hour webhooks have been told.

use sqlx::any::AnyRow;
use sqlx::query;

use crate::catalog::CatalogError;
use crate::catalog::rows::Reader;
use crate::catalog::store::{Store, collect, wrote_one};
use crate::catalog::webhooks::insert_delivery;
use crate::domain::usage::Amount;
use crate::domain::webhook::Delivery;
use crate::domain::{KeyId, Signal, Tenant, Timestamp};

/// An hour of a key and a signal of which more was accepted than webhooks have been told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UntoldUsage {
    /// The beginning of the hour.
    pub at: Timestamp,
    /// The tenant.
    pub tenant: Tenant,
    /// The key; `None` where there was no room to count each key for itself.
    pub key: Option<KeyId>,
    /// The signal.
    pub signal: Signal,
    /// How many events have told of it.
    pub events: u32,
    /// How much they have told of.
    pub told: Amount,
    /// How much was accepted.
    pub accepted: Amount,
    /// How often it was counted, and how often when it was last told of.
    touched: (i64, i64),
}

impl UntoldUsage {
    /// How much there is to tell.
    #[must_use]
    pub const fn untold(&self) -> Amount {
        self.accepted.beyond(&self.told)
    }
}

/// What is told of an hour of a key and a signal.
#[derive(Clone, Debug)]
pub struct ToldUsage {
    /// What was untold.
    pub usage: UntoldUsage,
    /// The messages, one for each webhook that wants to know, all with the same number: one more than there were.
    pub deliveries: Vec<Delivery>,
}

pub(super) async fn untold(store: &Store, before: Timestamp, limit: u32) -> Result<Vec<UntoldUsage>, CatalogError> {
    let select = query(
        "SELECT
             h.at,
             h.project,
             h.grid,
             h.environment,
             h.key_id,
             h.signal,
             h.events,
             h.exports AS told_exports,
             h.items AS told_items,
             h.wire_bytes AS told_wire_bytes,
             h.bytes AS told_bytes,
             h.touched,
             h.seen,
             COALESCE(u.exports, 0) AS exports,
             COALESCE(u.items, 0) AS items,
             COALESCE(u.wire_bytes, 0) AS wire_bytes,
             COALESCE(u.bytes, 0) AS bytes
         FROM usage_hours AS h
         LEFT JOIN usage AS u
             ON u.step = 'hour'
             AND u.project = h.project
             AND u.at = h.at
             AND u.grid = h.grid
             AND u.environment = h.environment
             AND u.key_id = h.key_id
             AND u.signal = h.signal
             AND u.outcome = 'accepted'
         WHERE h.touched <> h.seen AND h.at < $1
         ORDER BY h.at, h.project, h.grid, h.environment, h.key_id, h.signal
         LIMIT $2",
    )
    .bind(before.micros())
    .bind(i64::from(limit));
    collect(&select.fetch_all(&store.pool).await?, one)
}

pub(super) async fn tell(store: &Store, told: &[ToldUsage]) -> Result<(), CatalogError> {
    let mut transaction = store.pool.begin_with(store.dialect.begin_write()).await?;
    for ToldUsage { usage, deliveries } in told {
        let Amount { exports, items, wire_bytes, bytes } = usage.accepted;
        let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let is_new = usage.untold() != Amount::default();
        // What was counted since it was read stays untold: it is touched once more.
        let update = query(
            "UPDATE usage_hours
             SET
                 events = events + $1,
                 exports = $2,
                 items = $3,
                 wire_bytes = $4,
                 bytes = $5,
                 seen = $6
             WHERE at = $7
                 AND project = $8
                 AND grid = $9
                 AND environment = $10
                 AND key_id = $11
                 AND signal = $12
                 AND events = $13
                 AND seen = $14",
        )
        .bind(i64::from(is_new))
        .bind(number(exports))
        .bind(number(items))
        .bind(number(wire_bytes))
        .bind(number(bytes))
        .bind(usage.touched.0)
        .bind(usage.at.micros())
        .bind(usage.tenant.project.as_str())
        .bind(usage.tenant.grid.as_str())
        .bind(usage.tenant.environment.as_str())
        .bind(usage.key.map(|key| key.to_string()).unwrap_or_default())
        .bind(usage.signal.as_str())
        .bind(i64::from(usage.events))
        .bind(usage.touched.1);
        match update.execute(&mut *transaction).await?.rows_affected() {
            0 => continue,
            updated => wrote_one(updated)?,
        }
        for delivery in deliveries.iter().filter(|_| is_new) {
            insert_delivery(&mut transaction, delivery).await?;
        }
    }
    Ok(transaction.commit().await?)
}

fn one(row: &AnyRow) -> Result<UntoldUsage, CatalogError> {
    let row = Reader::new(row, "usage_hours", &["at", "project", "grid", "environment", "key_id", "signal"]);
    let tenant =
        Tenant { project: row.parsed("project")?, grid: row.parsed("grid")?, environment: row.parsed("environment")? };
    let key = if row.get::<&str>("key_id")?.is_empty() { None } else { Some(row.parsed("key_id")?) };
    Ok(UntoldUsage {
        at: row.time("at")?,
        tenant,
        key,
        signal: row.parsed("signal")?,
        events: row.number("events")?,
        told: Amount {
            exports: row.count("told_exports")?,
            items: row.count("told_items")?,
            wire_bytes: row.count("told_wire_bytes")?,
            bytes: row.count("told_bytes")?,
        },
        accepted: Amount {
            exports: row.count("exports")?,
            items: row.count("items")?,
            wire_bytes: row.count("wire_bytes")?,
            bytes: row.count("bytes")?,
        },
        touched: (row.get("touched")?, row.get("seen")?),
    })
}
