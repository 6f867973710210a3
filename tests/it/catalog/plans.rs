//! A million keys: what the databases do for each list that people ask for, and for the look-ups, by the statements that the catalog
//! runs. A page may cost no more than its own rows, wherever it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use gridgate::catalog::KEY_OF_DIGEST;
use gridgate::catalog::keys::list::{
    KeyFilter, Order, OrderBy, Position, Search, Statement, Value, count_statement, statement,
};
use gridgate::catalog::keys::{KEY_BY_ID, KEYS_OF_NAME, KEYS_OF_NAMES};
use gridgate::domain::hygiene::{Flag, RotationPolicy};
use gridgate::domain::{Environment, KeyId, KeyStatus, Timestamp, TokenKind};
use sqlx::sqlite::SqliteConnection;
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, Row as _};

use super::{Fresh, at, on_both, slug};

on_both!(pages_of_a_million_keys_cost_what_pages_of_few_do);

/// The number of keys. Their numbers are their order of creation.
const KEYS: i64 = 1_000_000;

/// The instant at which lists are asked for: what expires does so around it.
const NOW: i64 = KEYS * 1_000;

/// The rows of a page, and the one more that tells of the next.
const ROWS: i64 = 51;

/// Rows that PostgreSQL may touch for a page: its keys, the secrets and roles of each, and some that a condition leaves out; or all of a
/// small project.
const TOUCHED: f64 = 3_000.0;

/// Steps that SQLite's machine may make for a page. One that goes through all keys makes more than a million.
const STEPS: u64 = 60_000;

async fn pages_of_a_million_keys_cost_what_pages_of_few_do(fresh: Arc<Fresh>) {
    fresh.migrated().await;
    let mut connection = fresh.raw().await;
    fill(&fresh, &mut connection).await;
    let mut expensive = Vec::new();
    // PostgreSQL gathers statistics by itself, SQLite does without unless somebody asks for them.
    for statistics in if fresh.is_sqlite() { &[false, true][..] } else { &[true] } {
        if *statistics {
            run(&mut connection, if fresh.is_sqlite() { "PRAGMA analysis_limit = 1000; ANALYZE" } else { "ANALYZE" })
                .await;
        }
        let attention = attention_lists();
        for (name, filter, now) in lists().into_iter().map(|(name, filter)| (name, filter, at(NOW))).chain(attention) {
            for after in [None, Some(middle(&filter))] {
                let page = statement(&filter, &policy(), now, after.as_ref(), ROWS);
                if let Err(plan) = inspect(&fresh, &mut connection, &page).await {
                    let place = if after.is_some() { "in the middle" } else { "at the start" };
                    expensive.push(format!("{name}, {place}, with statistics: {statistics}\n{plan}"));
                }
            }
        }
    }
    for (name, filters, now) in counts() {
        let count = count_statement(&filters, &policy(), now, MOST);
        expensive.extend(inspect_count(&fresh, &mut connection, &name, &count).await.err());
    }
    let text = |text: &str| Value::Text(text.to_owned());
    let one_name = ["Key 777", "large", "web", "staging"].map(text).into_iter();
    let one_name = one_name.chain([Value::Integer(NOW), text("key_000000000000")]).collect();
    let two_names = ["large", "web", "staging", "Key 777", "small", "web", "staging", "Key 778"].map(text).into_iter();
    let two_names = std::iter::once(Value::Integer(NOW)).chain(two_names).collect();
    let of_names = KEYS_OF_NAMES.replace("{}", "($2, $3, $4, $5), ($6, $7, $8, $9)");
    let one_key = vec![text("key_000000777777")];
    for (sql, values) in [(KEY_BY_ID, one_key), (KEYS_OF_NAME, one_name), (&*of_names, two_names)] {
        let look_up = Statement { sql: sql.to_owned(), values };
        expensive.extend(inspect(&fresh, &mut connection, &look_up).await.err());
    }
    // A digest is a value of bytes, which only the catalog binds.
    let digest =
        |place: &str| if fresh.is_sqlite() { format!("x'{place:0>64}'") } else { format!("'\\x{place:0>64}'::bytea") };
    let by_digest = ["1", "2", "3", "4"]
        .iter()
        .fold(KEY_OF_DIGEST.to_owned(), |sql, place| sql.replace(&format!("${place}"), &digest(place)));
    let look_up = Statement { sql: by_digest, values: Vec::new() };
    expensive.extend(inspect(&fresh, &mut connection, &look_up).await.err());
    assert!(expensive.is_empty(), "{} lists\n\n{}", expensive.len(), expensive.join("\n\n"));
}

/// Every list that is promised to be cheap, by a name.
fn lists() -> Vec<(String, KeyFilter)> {
    let living = || KeyFilter {
        statuses: vec![KeyStatus::Expired, KeyStatus::Disabled, KeyStatus::Active],
        ..KeyFilter::default()
    };
    let with = |statuses: &[KeyStatus]| KeyFilter { statuses: statuses.to_vec(), ..KeyFilter::default() };
    let mut bases = OrderBy::ALL.map(|by| ("living", by, living())).to_vec();
    let created = [
        ("all", KeyFilter::default()),
        ("revoked", with(&[KeyStatus::Revoked])),
        ("disabled", with(&[KeyStatus::Disabled])),
        ("active", with(&[KeyStatus::Active])),
        ("members", KeyFilter { member: Some(true), ..living() }),
        ("admin keys", KeyFilter { kind: Some(TokenKind::Admin), ..living() }),
        ("ingest keys", KeyFilter { kind: Some(TokenKind::Ingest), ..living() }),
        ("a role of most", KeyFilter { role: Some(slug("ingest")), ..living() }),
        ("a role of few", KeyFilter { role: Some(slug("traces")), ..living() }),
        ("an owner of many", KeyFilter { owner: Some("many".to_owned()), ..living() }),
        ("an owner of few", KeyFilter { owner: Some("owner 77".to_owned()), ..living() }),
        ("a tag of many", KeyFilter { tag: Some("many".to_owned()), ..living() }),
        ("a tag of few", KeyFilter { tag: Some("tag77".to_owned()), ..living() }),
        ("a tag of nobody", KeyFilter { tag: Some("none".to_owned()), ..living() }),
        ("an id", KeyFilter { search: Some(Search::Id(id(700_000))), ..living() }),
    ];
    bases.extend(created.map(|(name, filter)| (name, OrderBy::CreatedAt, filter)));
    let named = |prefix: &str| KeyFilter { search: Some(Search::Name(prefix.to_owned())), ..living() };
    bases.extend([
        ("a name like all", OrderBy::Name, named("k")),
        ("a name like few", OrderBy::Name, named("Key 77")),
        ("unused", OrderBy::LastUsedAt, KeyFilter { last_used_before: Some(at(NOW / 2)), ..living() }),
        ("expiring", OrderBy::ExpiresAt, KeyFilter { expires_before: Some(at(NOW)), ..living() }),
        ("expired", OrderBy::ExpiresAt, with(&[KeyStatus::Expired])),
    ]);
    let mut lists = Vec::new();
    for (name, by, filter) in bases {
        for descending in [false, true] {
            let filter = KeyFilter { order: Order { by, descending }, ..filter.clone() };
            let named = |scope: &str| format!("{name} of {scope}, by {} ({descending})", by.as_str());
            lists.push((named("everything"), filter.clone()));
            // Those of a project that are disabled are looked for among all of it.
            for project in ["large", "small"].into_iter().filter(|_| name != "disabled") {
                let filter = KeyFilter { project: Some(slug(project)), ..filter.clone() };
                if by == OrderBy::CreatedAt && ["all", "living"].contains(&name) {
                    let (grid, environment) = (Some(slug("web")), Some(slug("staging")));
                    lists.push((named("a tenant"), KeyFilter { grid, environment, ..filter.clone() }));
                }
                lists.push((named(project), filter));
            }
        }
    }
    lists
}

fn id(number: i64) -> KeyId {
    KeyId::from_bare(&format!("{number:012}")).expect("an id")
}

/// The keys that need attention for each reason, at instants when about half of those do that could.
fn attention_lists() -> Vec<(String, KeyFilter, Timestamp)> {
    let mut lists = Vec::new();
    for &flag in Flag::ALL {
        let now = match flag {
            Flag::RotationDue => at(NOW / 2).after(ROTATION),
            Flag::Expiring | Flag::ExpiringSoon | Flag::ExpiringNow | Flag::Weak | Flag::Exposed => at(NOW),
            Flag::Unused45 | Flag::Unused90 | Flag::NeverUsed => at(NOW / 2).after(flag.span()),
        };
        for descending in [false, true] {
            let order = Order { by: OrderBy::Attention, descending };
            for project in [None, Some("large"), Some("small")] {
                let filter =
                    KeyFilter { attention: Some(flag), project: project.map(slug), order, ..KeyFilter::default() };
                lists.push((format!("{flag} of {project:?} ({descending})"), filter, now));
            }
        }
    }
    lists
}

/// So far lists are counted.
const MOST: i64 = 1_001;

/// What is counted of everything and of projects, by a name.
fn counts() -> Vec<(String, Vec<KeyFilter>, Timestamp)> {
    let mut counts = Vec::new();
    for project in [None, Some("large"), Some("small")] {
        let of = |filter: KeyFilter| KeyFilter { project: project.map(slug), ..filter };
        let with = |statuses: &[KeyStatus]| of(KeyFilter { statuses: statuses.to_vec(), ..KeyFilter::default() });
        let living = [KeyStatus::Expired, KeyStatus::Disabled, KeyStatus::Active];
        let order = Order { by: OrderBy::Attention, descending: false };
        let flagged = |flag: &Flag| of(KeyFilter { attention: Some(*flag), order, ..KeyFilter::default() });
        let rotating = KeyFilter { rotating: Some(true), ..with(&living) };
        for (name, filters) in [
            ("living", vec![with(&living)]),
            ("revoked", vec![with(&[KeyStatus::Revoked])]),
            ("rotating", vec![rotating]),
            ("needing attention", Flag::ALL.iter().map(flagged).collect()),
        ] {
            counts.push((format!("number {name} of {project:?}"), filters, at(NOW)));
        }
    }
    counts
}

/// What a count does, where that is more than reading so many keys of each of its lists.
async fn inspect_count(
    fresh: &Fresh,
    connection: &mut AnyConnection,
    name: &str,
    count: &Statement,
) -> Result<(), String> {
    if fresh.is_sqlite() {
        let steps = sqlite_steps(fresh, count).await;
        return if steps <= 10 * STEPS { Ok(()) } else { Err(format!("{name}: {steps} steps\n{}", count.sql)) };
    }
    let plan = explained(connection, "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) ", count).await;
    let touched = postgres_touched(&plan);
    let whole = plan.iter().any(|line| line.contains("Seq Scan on keys"));
    if !whole && touched <= 20.0 * TOUCHED {
        Ok(())
    } else {
        Err(format!("{name}: {touched} rows\n{}", plan.join("\n")))
    }
}

/// When secrets of production are due. Those of staging are a day later: none of them is while half of production's are.
const ROTATION: Duration = Duration::from_hours(90 * 24);

fn policy() -> RotationPolicy {
    let environment = |name: &str, rotation_days| Environment {
        slug: slug(name),
        code: name[..3].parse().expect("a code"),
        name: name.to_owned(),
        rotation_days: Some(rotation_days),
        created_at: at(0),
    };
    RotationPolicy::new(&[environment("production", 90), environment("staging", 91)])
}

/// A position with as many keys before it as behind it, more or less.
fn middle(filter: &KeyFilter) -> Position {
    let value = match filter.order.by {
        // Half of those that need attention are in the first quarter.
        OrderBy::Attention if filter.attention.is_some() => Value::Integer(NOW / 4),
        OrderBy::CreatedAt | OrderBy::ExpiresAt | OrderBy::Attention => Value::Integer(NOW / 2),
        OrderBy::Name => Value::Text("key 77".to_owned()),
        OrderBy::LastUsedAt => Value::Integer(NOW / 3),
    };
    Position { value, id: id(KEYS / 2) }
}

/// What the statement does, where that is too much.
async fn inspect(fresh: &Fresh, connection: &mut AnyConnection, page: &Statement) -> Result<(), String> {
    inspect_page(fresh, connection, page, &KEYS_TABLES).await
}

/// Tables that no page of keys goes through.
const KEYS_TABLES: [&str; 3] = ["keys", "key_tags", "secrets"];

/// What the statement does, where it goes through one of these tables, sorts, or does too much.
pub(super) async fn inspect_page(
    fresh: &Fresh,
    connection: &mut AnyConnection,
    page: &Statement,
    tables: &[&str],
) -> Result<(), String> {
    if fresh.is_sqlite() {
        let plan = sqlite_plan(connection, page).await;
        let steps = sqlite_steps(fresh, page).await;
        // Lists of keys put secrets in order behind the page; pages of several parts are put in order, once each is there.
        let inside = if tables == KEYS_TABLES { "  " } else { "" };
        let sorts = !page.sql.contains("UNION ALL")
            && plan.iter().any(|line| line.starts_with(inside) && line.contains("USE TEMP B-TREE"));
        if !sorts && steps <= STEPS { Ok(()) } else { Err(format!("{steps} steps\n{}\n{}", plan.join("\n"), page.sql)) }
    } else {
        let plan = explained(connection, "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) ", page).await;
        let touched = postgres_touched(&plan);
        let whole = plan.iter().any(|line| tables.iter().any(|table| line.contains(&format!("Seq Scan on {table}"))));
        if !whole && touched <= TOUCHED { Ok(()) } else { Err(format!("{touched} rows\n{}", plan.join("\n"))) }
    }
}

/// The plan, indented by its depth.
async fn sqlite_plan(connection: &mut AnyConnection, page: &Statement) -> Vec<String> {
    let sql = format!("EXPLAIN QUERY PLAN {}", page.sql);
    let rows = bound(sqlx::query(AssertSqlSafe(sql)), page).fetch_all(connection).await.expect("a plan");
    let mut depths = std::collections::HashMap::from([(0_i64, 0_usize)]);
    let mut lines = Vec::new();
    for row in rows {
        let (id, parent, detail): (i64, i64, String) = (row.get("id"), row.get("parent"), row.get("detail"));
        let depth = depths[&parent];
        depths.insert(id, depth + 1);
        lines.push(format!("{}{detail}", "  ".repeat(depth)));
    }
    lines
}

/// How many steps SQLite's machine makes for it, in hundreds.
async fn sqlite_steps(fresh: &Fresh, page: &Statement) -> u64 {
    let mut connection = SqliteConnection::connect(&fresh.settings.url).await.expect("a connection");
    let steps = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&steps);
    connection.lock_handle().await.expect("the handle").set_progress_handler(100, move || {
        counted.fetch_add(100, Relaxed);
        true
    });
    let mut query = sqlx::query(AssertSqlSafe(page.sql.clone()));
    for value in &page.values {
        query = match value {
            Value::Text(text) => query.bind(text),
            Value::Integer(number) => query.bind(*number),
        };
    }
    query.fetch_all(&mut connection).await.expect("a page");
    steps.load(Relaxed)
}

/// The lines that `how` before the statement answers with.
async fn explained(connection: &mut AnyConnection, how: &str, page: &Statement) -> Vec<String> {
    let query = sqlx::query(AssertSqlSafe(format!("{how}{}", page.sql)));
    let rows = bound(query, page).fetch_all(connection).await.expect("a plan");
    rows.iter().map(|row| row.get(0)).collect()
}

/// The rows that a plan's scans read, those that they left out included.
fn postgres_touched(plan: &[String]) -> f64 {
    let number = |line: &str, label: &str| -> Option<f64> {
        let rest = line.split_once(label)?.1;
        rest[..rest.find([' ', ')']).unwrap_or(rest.len())].parse().ok()
    };
    let (mut touched, mut loops) = (0.0, 1.0);
    for line in plan {
        if let Some(rows) = number(line, "rows=") {
            loops = number(line, "loops=").expect("loops");
            if line.contains("Scan") {
                touched += rows * loops;
            }
        }
        if let Some(removed) = number(line, "Rows Removed by Filter: ") {
            touched += removed * loops;
        }
    }
    touched
}

pub(super) fn bound<'q>(
    query: sqlx::query::Query<'q, sqlx::Any, sqlx::any::AnyArguments>,
    page: &'q Statement,
) -> sqlx::query::Query<'q, sqlx::Any, sqlx::any::AnyArguments> {
    page.values.iter().fold(query, |query, value| match value {
        Value::Text(text) => query.bind(text),
        Value::Integer(number) => query.bind(*number),
    })
}

async fn run(connection: &mut AnyConnection, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(connection).await.expect(sql);
}

/// A million keys with tags and secrets: two projects of very different size, the newer half revoked, and of every
/// label one that many have and one that few have. Indexes are made after it, which takes a tenth of the time.
async fn fill(fresh: &Fresh, connection: &mut AnyConnection) {
    let sqlite = fresh.is_sqlite();
    run(
        connection,
        if sqlite {
            "PRAGMA foreign_keys = OFF; PRAGMA synchronous = OFF; PRAGMA journal_mode = OFF; PRAGMA cache_size = -200000"
        } else {
            "SET session_replication_role = replica; SET synchronous_commit = off; SET maintenance_work_mem = '256MB';
             ALTER TABLE key_tags SET UNLOGGED; ALTER TABLE secrets SET UNLOGGED; ALTER TABLE keys SET UNLOGGED"
        },
    )
    .await;
    let (dropped, made) = if sqlite {
        (
            "SELECT 'DROP INDEX ' || name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL AND tbl_name IN ('keys', 'key_tags', 'secrets')",
            "SELECT sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL AND tbl_name IN ('keys', 'key_tags', 'secrets')",
        )
    } else {
        (
            "SELECT 'DROP INDEX ' || indexname FROM pg_indexes WHERE tablename IN ('keys', 'key_tags', 'secrets') AND indexname NOT LIKE '%_pkey'",
            "SELECT indexdef FROM pg_indexes WHERE tablename IN ('keys', 'key_tags', 'secrets') AND indexname NOT LIKE '%_pkey'",
        )
    };
    let dropped: Vec<String> = sqlx::query_scalar(dropped).fetch_all(&mut *connection).await.expect("indexes");
    let made: Vec<String> = sqlx::query_scalar(made).fetch_all(&mut *connection).await.expect("indexes");
    run(connection, &dropped.join("; ")).await;
    run(connection, "BEGIN").await;
    let numbers = format!(
        "WITH RECURSIVE numbers (i) AS (SELECT CAST(0 AS BIGINT) UNION ALL SELECT i + 1 FROM numbers WHERE i < {KEYS} - 1)"
    );
    run(
        connection,
        &format!(
            "INSERT INTO keys (
                 id, kind, project, grid, environment, created_at, member, name, name_folded, owner, role, permissions,
                 updated_at, expires_at, disabled_at, revoked_at, exposed_at, last_used_at, secret_order, weak
             )
             {numbers}
             SELECT
                 'key_' || substr(CAST(1000000000000 + i AS TEXT), 2),
                 CASE WHEN i % 1000 = 7 THEN 'admin' ELSE 'ingest' END,
                 CASE WHEN i % 1000 = 8 THEN 'small' ELSE 'large' END,
                 CASE WHEN i % 1000 = 7 THEN NULL ELSE 'web' END,
                 CASE WHEN i % 1000 = 7 THEN NULL WHEN i % 3 = 0 THEN 'staging' ELSE 'production' END,
                 i * 1000,
                 CASE WHEN i % 5000 = 7 THEN 1 ELSE 0 END,
                 'Key ' || (i * 7919) % {KEYS},
                 'key ' || (i * 7919) % {KEYS},
                 CASE WHEN i % 3 = 0 THEN 'many' WHEN i % 30 = 1 THEN 'owner ' || i / 30 % 1000 END,
                 CASE WHEN i % 1000 = 7 THEN 'viewer' WHEN i % 500 = 8 THEN 'traces' ELSE 'ingest' END,
                 '',
                 i * 1000,
                 CASE WHEN i % 2 = 0 THEN (i * 7919) % {KEYS} * 2000 END,
                 CASE WHEN i % 500 = 9 THEN i * 1000 END,
                 CASE WHEN i % 4 = 3 OR i > {KEYS} / 2 THEN {NOW} END,
                 CASE WHEN i % 10000 = 5 THEN i * 1000 END,
                 CASE WHEN i % 5 > 1 THEN (i * 104729) % {KEYS} * 1000 END,
                 i * 1000,
                 CASE WHEN i % 10000 = 9 THEN 1 ELSE 0 END
             FROM numbers"
        ),
    )
    .await;
    for (tag, some) in [("'many'", "i % 3 = 0"), ("'tag' || i / 20 % 1000", "i % 10 = 8")] {
        run(
            connection,
            &format!(
                "INSERT INTO key_tags (tag, key_id, project, created_at, revoked)
                 SELECT {tag}, id, project, created_at, CASE WHEN revoked_at IS NULL THEN 0 ELSE 1 END
                 FROM (SELECT keys.*, created_at / 1000 AS i FROM keys) AS numbered
                 WHERE {some}"
            ),
        )
        .await;
    }
    let digest = if sqlite { "randomblob(32)" } else { "decode(md5(id) || md5('2' || id), 'hex')" };
    run(
        connection,
        &format!(
            "INSERT INTO secrets (key_id, version, digest, pepper, created_at)
             SELECT id, 1, {digest}, 1, created_at FROM keys WHERE revoked_at IS NULL"
        ),
    )
    .await;
    run(connection, "COMMIT").await;
    run(connection, &made.join("; ")).await;
}
