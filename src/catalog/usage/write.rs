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

/// What a number is counted for: a step, its beginning, whose it is and what became of it.
type Place<'a> = (Step, i64, Whose<'a>, Fate);

pub(super) async fn record(store: &Store, flush: &UsageFlush, counted: &[Counted]) -> Result<bool, CatalogError> {
    // In the order of their keys: of two nodes that write about the same rows neither ever waits for the other in a circle.
    let mut rows = BTreeMap::<Place<'_>, Amount>::new();
    let mut of_tenants = BTreeMap::<Place<'_>, Amount>::new();
    for one in counted {
        for step in Step::ALL {
            let at = step.start(one.at).micros();
            let whose = whose(one);
            let (project, grid, environment, _, signal) = whose;
            let of_tenant = (project, grid, environment, String::new(), signal);
            of_tenants.entry((step, at, of_tenant, one.fate)).or_default().add(&one.amount);
            rows.entry((step, at, whose, one.fate)).or_default().add(&one.amount);
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
    add(&mut transaction, "usage", &rows).await?;
    add(&mut transaction, "tenant_usage", &of_tenants.iter().collect::<Vec<_>>()).await?;
    for hours in hours.chunks(ROWS) {
        let sql = format!(
            "INSERT INTO usage_hours (at, project, grid, environment, key_id, signal) VALUES {}
             ON CONFLICT (at, project, grid, environment, key_id, signal) DO UPDATE SET
                 touched = usage_hours.touched + 1",
            places(hours.len(), 6)
        );
        let bind = |insert: Bound, (at, whose): &(i64, &Whose<'_>)| bind_whose(insert.bind(*at), whose, true);
        write(&mut transaction, sql, hours, bind).await?;
    }
    secrets::add(&mut transaction, counted).await?;
    transaction.commit().await?;
    Ok(true)
}

/// Adds `rows` to those of `table`, which has no keys where it is that of tenants.
async fn add(connection: &mut AnyConnection, table: &str, rows: &[(&Place<'_>, &Amount)]) -> Result<(), CatalogError> {
    let has_keys = table == "usage";
    let key = if has_keys { "key_id, " } else { "" };
    let names = format!("step, at, project, grid, environment, {key}signal, outcome");
    for rows in rows.chunks(ROWS) {
        let sql = format!(
            "INSERT INTO {table} ({names}, exports, items, wire_bytes, bytes) VALUES {}
             ON CONFLICT ({names}) DO UPDATE SET
                 exports = {table}.exports + excluded.exports,
                 items = {table}.items + excluded.items,
                 wire_bytes = {table}.wire_bytes + excluded.wire_bytes,
                 bytes = {table}.bytes + excluded.bytes",
            places(rows.len(), if has_keys { 12 } else { 11 })
        );
        let bind = |insert: Bound, ((step, at, whose, fate), amount): &(&Place<'_>, &Amount)| {
            let insert = bind_whose(insert.bind(step.as_str()).bind(*at), whose, has_keys).bind(fate.as_str());
            bind_amount(insert, amount)
        };
        write(connection, sql, rows, bind).await?;
    }
    Ok(())
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

fn bind_whose(insert: Bound, (project, grid, environment, key, signal): &Whose<'_>, has_keys: bool) -> Bound {
    let names = [project, grid, environment].map(|name| (*name).to_owned());
    let insert = names.into_iter().chain(has_keys.then(|| key.clone())).fold(insert, Bound::bind);
    insert.bind(*signal)
}

fn bind_amount(insert: Bound, amount: &Amount) -> Bound {
    let Amount { exports, items, wire_bytes, bytes } = *amount;
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    [exports, items, wire_bytes, bytes].into_iter().fold(insert, |insert, one| insert.bind(number(one)))
}
