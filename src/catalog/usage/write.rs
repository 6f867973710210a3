//! Adding to the books.

use std::collections::BTreeMap;

use sqlx::any::AnyArguments;
use sqlx::query::Query;
use sqlx::{Any, AnyConnection, AssertSqlSafe, query};

use super::{UsageFlush, secrets};
use crate::catalog::CatalogError;
use crate::catalog::store::{Store, wrote_one};
use crate::domain::usage::{Amount, Counted, Fate, Step};
use crate::domain::{KeyId, Signal, Slug};

/// Rows that one statement writes.
pub(super) const ROWS: usize = 50;

/// Project, grid, environment, key and signal, empty where there is none.
type Whose<'a> = (&'a str, &'a str, &'a str, String, &'static str);

pub(super) async fn record(store: &Store, flush: &UsageFlush, counted: &[Counted]) -> Result<bool, CatalogError> {
    // In the order of their keys: of two nodes that write about the same rows neither ever waits for the other in a circle.
    let mut rows = BTreeMap::<(Step, i64, Whose<'_>, Fate), Amount>::new();
    for one in counted {
        for step in Step::ALL {
            let at = step.start(one.at).micros();
            rows.entry((step, at, whose(one), one.fate)).or_default().add(&one.amount);
        }
    }
    let hours = rows.keys().filter(|(step, _, _, fate)| *step == Step::Hour && *fate == Fate::Accepted);
    let hours: Vec<_> = hours.map(|(_, at, whose, _)| (*at, whose)).collect();
    let rows: Vec<_> = rows.iter().collect();
    let mut transaction = store.pool.begin_with(store.dialect.begin_write()).await?;
    let number = i64::try_from(flush.number).unwrap_or(i64::MAX);
    // A commit of the same flush that is still under way is waited for here.
    let note = query(
        "INSERT INTO usage_writers (writer, flush, at) VALUES ($1, $2, $3)
         ON CONFLICT (writer) DO UPDATE SET flush = excluded.flush, at = excluded.at
         WHERE usage_writers.flush < excluded.flush",
    )
    .bind(flush.writer.to_string())
    .bind(number)
    .bind(flush.at.micros());
    match note.execute(&mut *transaction).await?.rows_affected() {
        0 => return Ok(false),
        noted => wrote_one(noted)?,
    }
    for rows in rows.chunks(ROWS) {
        let sql = format!(
            "INSERT INTO usage (
                 step, at, project, grid, environment, key_id, signal, outcome, exports, items, wire_bytes, bytes
             ) VALUES {}
             ON CONFLICT (step, project, at, grid, environment, key_id, signal, outcome) DO UPDATE SET
                 exports = usage.exports + excluded.exports,
                 items = usage.items + excluded.items,
                 wire_bytes = usage.wire_bytes + excluded.wire_bytes,
                 bytes = usage.bytes + excluded.bytes",
            places(rows.len(), 12)
        );
        let bind = |insert: Bound, ((step, at, whose, fate), amount): &(&(Step, i64, Whose<'_>, Fate), &Amount)| {
            let insert = bind_whose(insert.bind(step.as_str()).bind(*at), whose).bind(fate.as_str());
            bind_amount(insert, amount)
        };
        write(&mut transaction, sql, rows, bind).await?;
    }
    for hours in hours.chunks(ROWS) {
        let sql = format!(
            "INSERT INTO usage_hours (at, project, grid, environment, key_id, signal) VALUES {}
             ON CONFLICT (at, project, grid, environment, key_id, signal) DO UPDATE SET
                 touched = usage_hours.touched + 1",
            places(hours.len(), 6)
        );
        let bind = |insert: Bound, (at, whose): &(i64, &Whose<'_>)| bind_whose(insert.bind(*at), whose);
        write(&mut transaction, sql, hours, bind).await?;
    }
    secrets::add(&mut transaction, counted).await?;
    transaction.commit().await?;
    Ok(true)
}

pub(super) type Bound = Query<'static, Any, AnyArguments>;

/// Runs the statement `sql` on `rows`, each of which `bind` binds.
pub(super) async fn write<T>(
    connection: &mut AnyConnection,
    sql: String,
    rows: &[T],
    bind: impl Fn(Bound, &T) -> Bound,
) -> Result<(), CatalogError> {
    rows.iter().fold(query(AssertSqlSafe(sql)), bind).execute(connection).await?;
    Ok(())
}

/// The places of the values of `rows` rows: `($1, $2), ($3, $4)`.
pub(super) fn places(rows: usize, columns: usize) -> String {
    let row = |row: usize| {
        let places: Vec<_> = (1..=columns).map(|column| format!("${}", row * columns + column)).collect();
        format!("({})", places.join(", "))
    };
    (0..rows).map(row).collect::<Vec<_>>().join(", ")
}

fn whose(counted: &Counted) -> Whose<'_> {
    let tenant = counted.tenant.as_deref();
    (
        tenant.map_or("", |tenant| Slug::as_str(&tenant.project)),
        tenant.map_or("", |tenant| Slug::as_str(&tenant.grid)),
        tenant.map_or("", |tenant| Slug::as_str(&tenant.environment)),
        counted.key.as_ref().map(KeyId::to_string).unwrap_or_default(),
        counted.signal.map_or("", Signal::as_str),
    )
}

fn bind_whose(insert: Bound, (project, grid, environment, key, signal): &Whose<'_>) -> Bound {
    let names = [project, grid, environment].map(|name| (*name).to_owned());
    names.into_iter().fold(insert, Bound::bind).bind(key.clone()).bind(*signal)
}

fn bind_amount(insert: Bound, amount: &Amount) -> Bound {
    let Amount { exports, items, wire_bytes, bytes } = *amount;
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    [exports, items, wire_bytes, bytes].into_iter().fold(insert, |insert, one| insert.bind(number(one)))
}
