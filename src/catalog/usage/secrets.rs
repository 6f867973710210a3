//! How many exports came with which secret, of keys with two good ones.

use std::collections::BTreeMap;
use std::time::Duration;

use sqlx::{AnyConnection, query};

use super::write::{Bound, ROWS, places, write};
use crate::catalog::CatalogError;
use crate::catalog::rows::Reader;
use crate::catalog::store::{Store, collect};
use crate::domain::key::MAX_OVERLAP;
use crate::domain::usage::{Counted, Fate, OfSecret, Step};
use crate::domain::{KeyId, Timestamp};

/// How long minutes of secrets are kept.
pub const KEEP_MINUTES: Duration = Duration::from_hours(5);

/// The steps that are kept: days are too long for what lasts 30 at the most.
const STEPS: [Step; 2] = [Step::Minute, Step::Hour];

/// Adds what of `counted` came with one of two secrets.
pub(super) async fn add(connection: &mut AnyConnection, counted: &[Counted]) -> Result<(), CatalogError> {
    // In the order of their keys, as all rows of usage.
    let mut rows = BTreeMap::<(String, &str, i64, u32), u64>::new();
    for one in counted.iter().filter(|one| one.fate == Fate::Received) {
        let Some((key, version)) = one.key.zip(one.secret) else { continue };
        for step in STEPS {
            let at = step.start(one.at).micros();
            let exports = rows.entry((key.to_string(), step.as_str(), at, version)).or_default();
            *exports = exports.saturating_add(one.amount.exports);
        }
    }
    let rows: Vec<_> = rows.iter().collect();
    for rows in rows.chunks(ROWS) {
        let sql = format!(
            "INSERT INTO secret_usage (key_id, step, at, secret_version, exports) VALUES {}
             ON CONFLICT (key_id, step, at, secret_version) DO UPDATE SET
                 exports = secret_usage.exports + excluded.exports",
            places(rows.len(), 5)
        );
        let bind = |insert: Bound, ((key, step, at, version), exports): &(&(String, &'static str, i64, u32), &u64)| {
            let exports = i64::try_from(**exports).unwrap_or(i64::MAX);
            insert.bind(key.clone()).bind(*step).bind(*at).bind(i64::from(*version)).bind(exports)
        };
        write(connection, sql, rows, bind).await?;
    }
    Ok(())
}

pub(super) async fn read(
    store: &Store,
    key: &KeyId,
    step: Step,
    from: Timestamp,
) -> Result<Vec<OfSecret>, CatalogError> {
    let select = query(
        "SELECT key_id, secret_version, at, exports
         FROM secret_usage
         WHERE key_id = $1 AND step = $2 AND at >= $3
         ORDER BY at, secret_version",
    )
    .bind(key.to_string())
    .bind(step.as_str())
    .bind(from.micros());
    collect(&select.fetch_all(&store.pool).await?, |row| {
        let row = Reader::new(row, "secret_usage", &["key_id"]);
        Ok(OfSecret { version: row.number("secret_version")?, at: row.time("at")?, exports: row.count("exports")? })
    })
}

pub(super) async fn sweep(store: &Store, now: Timestamp) -> Result<(), CatalogError> {
    // An hour longer than the longest rotation, whose first hour has begun before it.
    for (step, keep) in STEPS.into_iter().zip([KEEP_MINUTES, MAX_OVERLAP + Step::Hour.length()]) {
        let delete = query("DELETE FROM secret_usage WHERE step = $1 AND at < $2");
        delete.bind(step.as_str()).bind(now.before(keep).micros()).execute(&store.pool).await?;
    }
    Ok(())
}
