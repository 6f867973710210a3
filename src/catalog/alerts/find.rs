//! What alerts are found in: senders and usage, as they are written down. Every statement reads a bounded number of rows.

use std::time::Duration;

use sqlx::any::AnyRow;
use sqlx::query;

use super::{FailedMinute, NewWhat, Volume};
use crate::catalog::CatalogError;
use crate::catalog::rows::Reader;
use crate::catalog::senders::sender;
use crate::catalog::store::{Store, collect};
use crate::domain::sender::SeenSender;
use crate::domain::{Tenant, Timestamp};

/// Rows that are read of each kind.
const FOUND: i64 = 1_000;

/// Keys with several services that are read together, each with 50 senders at the most.
const SHARED: i64 = 200;

/// A key is no longer new after so long.
const FIRST_DAY: Duration = Duration::from_hours(24);

macro_rules! select_senders {
    ($which:expr) => {
        concat!(
            "SELECT
                 s.key_id,
                 s.id,
                 s.project,
                 s.secret_version,
                 s.service,
                 s.host,
                 s.sdk,
                 s.agent,
                 s.address,
                 s.first_at,
                 s.last_at,
                 s.accepted_at,
                 s.exports,
                 s.refused
             FROM senders AS s
             INNER JOIN keys AS k ON k.id = s.key_id
             WHERE ",
            $which
        )
    };
}

/// Of keys that were used for a day before, and of which every sender is known.
macro_rules! select_new {
    ($new:literal) => {
        select_senders!(concat!(
            "s.first_at >= $1
             AND k.revoked_at IS NULL
             AND k.created_at <= s.first_at - $2
             AND NOT EXISTS (SELECT 1 FROM other_senders AS more WHERE more.key_id = s.key_id)
             AND EXISTS (SELECT 1 FROM senders AS old WHERE old.key_id = s.key_id AND old.first_at <= s.first_at - $2)
             AND NOT EXISTS (
                 SELECT 1 FROM senders AS o
                 WHERE o.key_id = s.key_id AND o.first_at < s.first_at AND ",
            $new,
            "
             )
             ORDER BY s.first_at DESC, s.key_id, s.id
             LIMIT $3"
        ))
    };
}

pub(super) async fn senders_after_revoke(store: &Store, since: Timestamp) -> Result<Vec<SeenSender>, CatalogError> {
    let select = query(select_senders!(
        "s.last_at >= $1 AND k.revoked_at IS NOT NULL AND s.last_at > k.revoked_at
         ORDER BY s.key_id, s.last_at DESC
         LIMIT $2"
    ));
    collect(&select.bind(since.micros()).bind(FOUND).fetch_all(&store.pool).await?, sender)
}

pub(super) async fn senders_of_shared_keys(store: &Store, since: Timestamp) -> Result<Vec<SeenSender>, CatalogError> {
    let select = query(select_senders!(
        "s.last_at >= $1 AND s.service IS NOT NULL AND k.revoked_at IS NULL
         AND s.key_id IN (
             SELECT near.key_id FROM senders AS near
             WHERE near.last_at >= $1 AND near.service IS NOT NULL
             GROUP BY near.key_id
             HAVING COUNT(DISTINCT near.service) > 1
             ORDER BY near.key_id
             LIMIT $2
         )
         ORDER BY s.key_id, s.last_at DESC"
    ));
    collect(&select.bind(since.micros()).bind(SHARED).fetch_all(&store.pool).await?, sender)
}

pub(super) async fn new_senders(
    store: &Store,
    what: NewWhat,
    since: Timestamp,
) -> Result<Vec<SeenSender>, CatalogError> {
    let select = query(match what {
        NewWhat::Address => select_new!("o.address = s.address"),
        // Of who was refused before its body was read the service is not known.
        NewWhat::Service => select_new!(
            "(COALESCE(o.service, '') = COALESCE(s.service, '') OR (s.service IS NULL AND s.accepted_at IS NULL))"
        ),
    });
    let day = i64::try_from(FIRST_DAY.as_micros()).unwrap_or(i64::MAX);
    collect(&select.bind(since.micros()).bind(day).bind(FOUND).fetch_all(&store.pool).await?, sender)
}

pub(super) async fn volumes(
    store: &Store,
    hour: Timestamp,
    since: Timestamp,
    exports: u64,
    items: u64,
) -> Result<Vec<Volume>, CatalogError> {
    let select = query(
        "SELECT
             present.project,
             present.grid,
             present.environment,
             present.key_id,
             present.exports,
             present.items,
             MIN(past.at) AS first_at,
             COUNT(DISTINCT past.at) AS hours,
             CAST(SUM(past.exports) AS BIGINT) AS exports_before,
             CAST(SUM(past.items) AS BIGINT) AS items_before
         FROM (
             SELECT
                 project,
                 grid,
                 environment,
                 key_id,
                 CAST(SUM(exports) AS BIGINT) AS exports,
                 CAST(SUM(items) AS BIGINT) AS items
             FROM usage
             WHERE step = 'hour' AND at = $1 AND outcome = 'received' AND key_id <> ''
             GROUP BY project, grid, environment, key_id
             HAVING SUM(exports) >= $3 OR SUM(items) >= $4
         ) AS present
         INNER JOIN usage AS past ON past.key_id = present.key_id
         WHERE past.step = 'hour' AND past.at >= $2 AND past.at < $1 AND past.outcome = 'received'
         GROUP BY
             present.project, present.grid, present.environment, present.key_id, present.exports, present.items
         ORDER BY present.exports DESC, present.key_id
         LIMIT $5",
    )
    .bind(hour.micros())
    .bind(since.micros())
    .bind(i64::try_from(exports).unwrap_or(i64::MAX))
    .bind(i64::try_from(items).unwrap_or(i64::MAX))
    .bind(FOUND);
    collect(&select.fetch_all(&store.pool).await?, volume)
}

pub(super) async fn failed_minute(
    store: &Store,
    since: Timestamp,
    exports: u64,
) -> Result<Option<FailedMinute>, CatalogError> {
    // Without a key that was proved, a rate is that of failures to authenticate.
    let select = query(
        "SELECT at, CAST(SUM(exports) AS BIGINT) AS exports
         FROM usage
         WHERE step = 'minute' AND project = '' AND at >= $1 AND outcome IN (
             'credentials_missing', 'credentials_ambiguous', 'key_malformed', 'key_invalid', 'rate_limited'
         )
         GROUP BY at
         HAVING SUM(exports) >= $2
         ORDER BY exports DESC, at DESC
         LIMIT 1",
    )
    .bind(since.micros())
    .bind(i64::try_from(exports).unwrap_or(i64::MAX));
    let row = select.fetch_optional(&store.pool).await?;
    let read = |row: &AnyRow| {
        let row = Reader::new(row, "usage", &["at"]);
        Ok(FailedMinute { at: row.time("at")?, exports: row.count("exports")? })
    };
    row.as_ref().map(read).transpose()
}

fn volume(row: &AnyRow) -> Result<Volume, CatalogError> {
    let row = Reader::new(row, "usage", &["key_id"]);
    Ok(Volume {
        key: row.parsed("key_id")?,
        tenant: Tenant {
            project: row.parsed("project")?,
            grid: row.parsed("grid")?,
            environment: row.parsed("environment")?,
        },
        exports: row.count("exports")?,
        items: row.count("items")?,
        first_at: row.time("first_at")?,
        hours: row.count("hours")?,
        exports_before: row.count("exports_before")?,
        items_before: row.count("items_before")?,
    })
}
