//! Usage: added to minutes, hours and days once, read by scope and by group, told of by the hour, and taken away in time.

use std::sync::Arc;

use gridgate::catalog::{
    Catalog, CatalogError, Dimension, Paging, Rank, ToldUsage, UsageFilter, UsageFlush, UsageRow, usage_statement,
};
use gridgate::domain::limit::ScopeId;
use gridgate::domain::usage::{Amount, Counted, Fate, Step};
use gridgate::domain::{KeyId, Reason, RecordId, Signal, Tenant};
use sqlx::{AssertSqlSafe, Row as _};

use super::{Fresh, at, on_both, slug};

on_both!(
    each_export_is_in_every_step,
    a_flush_counts_once,
    nodes_add_to_the_same_rows_at_the_same_time,
    use_is_summed_by_scope_and_signal,
    usage_is_read_by_page_and_group,
    groups_are_ranked_by_what_they_have_used,
    an_hour_is_told_once_and_what_is_late_again,
    what_is_old_is_taken_away,
    no_scope_reads_what_is_not_its_own,
    exports_are_counted_by_secret_while_there_are_two,
    tenants_have_what_their_keys_used_before_there_were_sums,
);

const MINUTE: i64 = 60_000_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

fn flush(writer: u8, number: u64) -> UsageFlush {
    UsageFlush { writer: RecordId::from_bytes([writer; 16]), number, at: at(1) }
}

fn tenant(project: &str, grid: &str) -> Tenant {
    Tenant { project: slug(project), grid: slug(grid), environment: slug("production") }
}

fn id(number: u32) -> KeyId {
    KeyId::from_bare(&format!("{number:012}")).expect("an id")
}

/// `exports` accepted exports of two items each, by the key of that number.
fn accepted(micros: i64, tenant: &Tenant, key: u32, signal: Signal, exports: u64) -> Vec<Counted> {
    let of = |fate| Counted {
        at: Step::Minute.start(at(micros)),
        tenant: Some(Arc::new(tenant.clone())),
        key: Some(id(key)),
        secret: None,
        signal: Some(signal),
        fate,
        amount: Amount { exports, items: 2 * exports, wire_bytes: 3 * exports, bytes: 4 * exports },
    };
    vec![of(Fate::Received), of(Fate::Accepted)]
}

fn refused(micros: i64, reason: Reason, exports: u64) -> Vec<Counted> {
    let of = |fate| Counted {
        at: Step::Minute.start(at(micros)),
        tenant: None,
        key: None,
        secret: None,
        signal: None,
        fate,
        amount: Amount { exports, ..Amount::default() },
    };
    vec![of(Fate::Received), of(Fate::Refused(reason))]
}

fn filter(step: Step, by: &[Dimension]) -> UsageFilter {
    UsageFilter {
        step,
        from: at(0),
        to: at(1_000 * DAY),
        by: by.to_vec(),
        project: None,
        grid: None,
        environment: None,
        keys: Vec::new(),
        signal: None,
    }
}

async fn all(catalog: &dyn Catalog, filter: &UsageFilter) -> Vec<UsageRow> {
    let paging = Paging { limit: 1_000, after: None };
    let page = catalog.usage(filter, &paging).await.expect("usage");
    assert_eq!(page.next, None);
    page.items
}

fn exports(rows: &[UsageRow], fate: Fate) -> u64 {
    let amounts = rows.iter().flat_map(|row| &row.amounts);
    amounts.filter(|(of, _)| *of == fate).map(|(_, amount)| amount.exports).sum()
}

async fn each_export_is_in_every_step(fresh: Arc<Fresh>) {
    let catalog = fresh.migrated().await;
    let shop = tenant("shop", "web");
    let mut counted = Vec::new();
    // On both sides of every border.
    for micros in [0, MINUTE - 1, MINUTE, HOUR - 1, HOUR, DAY - 1, DAY] {
        counted.extend(accepted(micros, &shop, 1, Signal::Logs, 1));
    }
    counted.extend(refused(DAY, Reason::KeyInvalid, 5));
    assert!(catalog.record_usage(&flush(1, 1), &counted).await.expect("it is written"));
    for (step, expected) in [
        (Step::Minute, vec![(0, 2), (MINUTE, 1), (HOUR - MINUTE, 1), (HOUR, 1), (DAY - MINUTE, 1), (DAY, 6)]),
        (Step::Hour, vec![(0, 4), (HOUR, 1), (DAY - HOUR, 1), (DAY, 6)]),
        (Step::Day, vec![(0, 6), (DAY, 6)]),
    ] {
        let rows = all(&*catalog, &filter(step, &[])).await;
        let received: Vec<_> =
            rows.iter().map(|row| (row.at.micros(), exports(std::slice::from_ref(row), Fate::Received))).collect();
        assert_eq!(received, expected, "{step}");
        assert_eq!((exports(&rows, Fate::Accepted), exports(&rows, Fate::Refused(Reason::KeyInvalid))), (7, 5));
    }
    let day = all(&*catalog, &filter(Step::Day, &[Dimension::Key, Dimension::Signal])).await;
    let amount = Amount { exports: 6, items: 12, wire_bytes: 18, bytes: 24 };
    assert_eq!(
        day[0],
        UsageRow {
            at: at(0),
            names: vec![id(1).to_string(), "logs".to_owned()],
            amounts: vec![(Fate::Accepted, amount), (Fate::Received, amount)],
        }
    );
    // What nobody proved anything of has no names.
    assert_eq!((day[1].at, &day[1].names[..]), (at(DAY), &[String::new(), String::new()][..]));
}

/// An answer that was lost, and one that comes late, change nothing.
async fn a_flush_counts_once(fresh: Arc<Fresh>) {
    let catalog = fresh.migrated().await;
    let counted = accepted(0, &tenant("shop", "web"), 1, Signal::Logs, 1);
    for (writer, number, written) in
        [(1, 1, true), (1, 1, false), (1, 2, true), (1, 2, false), (1, 1, false), (2, 1, true), (2, 1, false)]
    {
        let flush = flush(writer, number);
        assert_eq!(catalog.record_usage(&flush, &counted).await.expect("an answer"), written, "{writer} {number}");
    }
    assert_eq!(exports(&all(&*catalog, &filter(Step::Minute, &[])).await, Fate::Accepted), 3);
    // At the same time, too.
    let (one, other) = (flush(3, 1), flush(3, 1));
    let (one, other) = tokio::join!(catalog.record_usage(&one, &counted), catalog.record_usage(&other, &counted));
    assert_ne!(one.expect("an answer"), other.expect("an answer"));
    assert_eq!(exports(&all(&*catalog, &filter(Step::Day, &[])).await, Fate::Accepted), 4);
}

async fn nodes_add_to_the_same_rows_at_the_same_time(fresh: Arc<Fresh>) {
    let catalog = fresh.migrated().await;
    let mut nodes = tokio::task::JoinSet::new();
    for writer in 1..=4 {
        let catalog = Arc::clone(&catalog);
        nodes.spawn(async move {
            for number in 1..=5 {
                let mut keys: Vec<u32> = (0..60).collect();
                // Each in an order of its own.
                keys.rotate_left(usize::from(writer) * 10 + usize::try_from(number).expect("small"));
                let shop = tenant("shop", "web");
                let counted: Vec<_> =
                    keys.into_iter().flat_map(|key| accepted(0, &shop, key, Signal::Traces, 1)).collect();
                assert!(catalog.record_usage(&flush(writer, number), &counted).await.expect("it is written"));
            }
        });
    }
    while let Some(node) = nodes.join_next().await {
        node.expect("a node");
    }
    let rows = all(&*catalog, &filter(Step::Hour, &[Dimension::Key])).await;
    assert_eq!(rows.len(), 60);
    assert!(rows.iter().all(|row| exports(std::slice::from_ref(row), Fate::Accepted) == 20));
}

async fn use_is_summed_by_scope_and_signal(fresh: Arc<Fresh>) {
    let catalog = fresh.migrated().await;
    let (web, app, bank) = (tenant("shop", "web"), tenant("shop", "app"), tenant("bank", "web"));
    let mut counted = accepted(DAY, &web, 1, Signal::Logs, 1);
    counted.extend(accepted(DAY, &web, 2, Signal::Logs, 10));
    counted.extend(accepted(2 * DAY - 1, &app, 3, Signal::Traces, 100));
    counted.extend(accepted(2 * DAY + MINUTE, &web, 1, Signal::Logs, 1_000));
    counted.extend(accepted(DAY, &bank, 4, Signal::Logs, 10_000));
    counted.extend(refused(DAY, Reason::KeyInvalid, 5));
    let turned_away: Vec<_> = accepted(DAY, &web, 1, Signal::Logs, 7)
        .into_iter()
        .map(|one| if one.fate == Fate::Accepted { Counted { fate: Fate::Gone, ..one } } else { one })
        .collect();
    catalog.record_usage(&flush(1, 1), &counted).await.expect("it is written");
    catalog.record_usage(&flush(1, 2), &turned_away).await.expect("it is written");
    let (key, project) = (ScopeId::Key(id(1)), ScopeId::Project(slug("shop")));
    let web = ScopeId::Tenant(web);
    for (scope, from, to, logs, traces) in [
        (&key, DAY, 2 * DAY, 1, 0),
        (&web, DAY, 2 * DAY, 11, 0),
        (&project, DAY, 2 * DAY, 11, 100),
        (&project, DAY, 31 * DAY, 1_011, 100),
        (&project, 2 * DAY, 3 * DAY, 1_000, 0),
        // Of an hour, and of minutes.
        (&project, 2 * DAY - HOUR, 2 * DAY, 0, 100),
        (&project, 2 * DAY - MINUTE, 2 * DAY + MINUTE, 0, 100),
        (&project, 2 * DAY - MINUTE, 2 * DAY + 2 * MINUTE, 1_000, 100),
        (&key, 2 * DAY, 2 * DAY, 0, 0),
    ] {
        let used = catalog.used(scope, at(from), at(to)).await.expect("an answer");
        let of = |signal: Signal| used[signal.index()].exports;
        let found = (of(Signal::Logs), of(Signal::Traces), of(Signal::Metrics));
        assert_eq!(found, (logs, traces, 0), "{scope} {from} {to}");
        assert_eq!(used[Signal::Logs.index()].items, 2 * logs);
        assert_eq!(used[Signal::Logs.index()].bytes, 4 * logs);
    }
}

async fn usage_is_read_by_page_and_group(fresh: Arc<Fresh>) {
    let catalog = fresh.migrated().await;
    let mut counted = refused(0, Reason::PathUnknown, 1);
    for minute in 0..7 {
        for (number, signal) in [(1, Signal::Logs), (2, Signal::Logs), (2, Signal::Metrics), (3, Signal::Traces)] {
            let of = if number == 3 { tenant("bank", "web") } else { tenant("shop", "web") };
            counted.extend(accepted(minute * MINUTE, &of, number, signal, 1));
        }
        counted.extend(refused(minute * MINUTE, Reason::KeyInvalid, 1));
        counted.extend(refused(minute * MINUTE, Reason::KeyMalformed, 1));
    }
    catalog.record_usage(&flush(1, 1), &counted).await.expect("it is written");
    let mut filters = Vec::new();
    for by in [&[][..], &[Dimension::Signal], &[Dimension::Project, Dimension::Key], &Dimension::ALL] {
        filters.push(filter(Step::Minute, by));
        filters.push(UsageFilter { project: Some(slug("shop")), ..filter(Step::Minute, by) });
        filters.push(UsageFilter { keys: vec![id(2)], signal: Some(Signal::Logs), ..filter(Step::Minute, by) });
        filters.push(UsageFilter { keys: vec![id(3), id(2), id(9)], ..filter(Step::Minute, by) });
        filters.push(UsageFilter { from: at(2 * MINUTE), to: at(4 * MINUTE), ..filter(Step::Minute, by) });
    }
    for filter in filters {
        let whole = all(&*catalog, &filter).await;
        assert!(!whole.is_empty());
        assert!(whole.is_sorted_by_key(|row| (row.at, row.names.clone())));
        assert!(whole.iter().all(|row| filter.from <= row.at && row.at < filter.to));
        let mut paged = Vec::new();
        let mut paging = Paging { limit: 3, after: None };
        loop {
            let page = catalog.usage(&filter, &paging).await.expect("a page");
            assert!(page.items.len() <= 3);
            paged.extend(page.items);
            paging.after = page.next;
            if paging.after.is_none() {
                break;
            }
        }
        assert_eq!(paged, whole, "{filter:?}");
    }
    // 0 to 6, two signals of one key and one of the other.
    let of_keys = UsageFilter { keys: vec![id(3), id(2), id(9)], ..filter(Step::Minute, &[Dimension::Key]) };
    let rows = all(&*catalog, &of_keys).await;
    assert_eq!((rows.len(), exports(&rows, Fate::Accepted)), (14, 21));
    // 0 to 6, two keys of shop with three signals between them.
    let rows = all(&*catalog, &UsageFilter { project: Some(slug("shop")), ..filter(Step::Minute, &[]) }).await;
    assert_eq!((rows.len(), exports(&rows, Fate::Accepted)), (7, 21));
    for cursor in ["", "x", "MTIz", "LTE", "eC95"] {
        let paging = Paging { limit: 3, after: Some(cursor.to_owned()) };
        let by_key = filter(Step::Minute, &[Dimension::Key]);
        assert!(matches!(catalog.usage(&by_key, &paging).await, Err(CatalogError::Cursor)), "{cursor}");
    }
}

async fn an_hour_is_told_once_and_what_is_late_again(fresh: Arc<Fresh>) {
    let catalog = fresh.migrated().await;
    let shop = tenant("shop", "web");
    let untold = async || catalog.untold_usage(at(HOUR), 10).await.expect("an answer");
    let tell = async |usage| {
        catalog.tell_usage(&[ToldUsage { usage, deliveries: Vec::new() }]).await.expect("it is noted");
    };
    let mut counted = accepted(0, &shop, 1, Signal::Logs, 1);
    counted.extend(accepted(HOUR, &shop, 1, Signal::Logs, 50));
    counted.extend(refused(0, Reason::KeyInvalid, 5));
    catalog.record_usage(&flush(1, 1), &counted).await.expect("it is written");
    let [first] = &untold().await[..] else { panic!("one hour is over, with one key and signal") };
    assert_eq!((first.at, &first.tenant, first.key, first.signal), (at(0), &shop, Some(id(1)), Signal::Logs));
    assert_eq!((first.events, first.untold().exports, first.untold().items), (0, 1, 2));
    // Counted between reading and telling: it stays untold.
    catalog.record_usage(&flush(1, 2), &accepted(MINUTE, &shop, 1, Signal::Logs, 2)).await.expect("it is written");
    tell(first.clone()).await;
    let [second] = &untold().await[..] else { panic!("there is more to tell") };
    assert_eq!((second.events, second.untold().exports, second.accepted.exports), (1, 2, 3));
    // Two nodes tell of the same: one of them does.
    tell(second.clone()).await;
    tell(second.clone()).await;
    assert_eq!(untold().await, []);
    catalog.record_usage(&flush(2, 1), &accepted(0, &shop, 1, Signal::Logs, 4)).await.expect("it is written");
    let [third] = &untold().await[..] else { panic!("there is more to tell") };
    assert_eq!((third.events, third.untold().exports), (2, 4));
    assert_eq!(catalog.untold_usage(at(2 * HOUR), 10).await.expect("an answer").len(), 2);
}

async fn what_is_old_is_taken_away(fresh: Arc<Fresh>) {
    let catalog = fresh.migrated().await;
    let shop = tenant("shop", "web");
    let counted: Vec<_> = (0..6).flat_map(|hour| accepted(hour * HOUR, &shop, 1, Signal::Logs, 1)).collect();
    catalog.record_usage(&flush(1, 1), &counted).await.expect("it is written");
    assert_eq!(catalog.sweep_usage(Step::Minute, at(4 * HOUR), 5).await.expect("rows"), 5);
    assert_eq!(catalog.sweep_usage(Step::Minute, at(4 * HOUR), 5).await.expect("rows"), 3);
    assert_eq!(catalog.sweep_usage(Step::Minute, at(4 * HOUR), 5).await.expect("rows"), 0);
    for (step, left) in [(Step::Minute, 2), (Step::Hour, 6), (Step::Day, 6)] {
        assert_eq!(exports(&all(&*catalog, &filter(step, &[])).await, Fate::Accepted), left, "{step}");
    }
    // Notes go when they are old; what is untold stays.
    for usage in catalog.untold_usage(at(HOUR), 1).await.expect("an hour") {
        catalog.tell_usage(&[ToldUsage { usage, deliveries: Vec::new() }]).await.expect("it is noted");
    }
    catalog.sweep_usage_notes(at(1), at(HOUR)).await.expect("it is done");
    assert_eq!((fresh.count("usage_writers").await, fresh.count("usage_hours").await), (1, 5));
    catalog.sweep_usage_notes(at(2), at(DAY)).await.expect("it is done");
    assert_eq!((fresh.count("usage_writers").await, fresh.count("usage_hours").await), (0, 5));
}

/// Each way in has an index, so that what a scope has used is found without looking through what others have.
async fn no_scope_reads_what_is_not_its_own(fresh: Arc<Fresh>) {
    let catalog = fresh.migrated().await;
    let mut connection = fresh.raw().await;
    let sqlite = fresh.is_sqlite();
    let days = "WITH RECURSIVE days (d) AS (SELECT CAST(0 AS BIGINT) UNION ALL SELECT d + 1 FROM days WHERE d < 59),
                keys (k) AS (SELECT CAST(0 AS BIGINT) UNION ALL SELECT k + 1 FROM keys WHERE k < 999)";
    let fill = format!(
        "INSERT INTO usage
         {days}
         SELECT 'day', d * {DAY}, 'project-' || (k / 10), 'grid-' || (k % 2), 'production',
             'key_' || substr(CAST(1000000000000 + k AS TEXT), 2), 'logs', 'accepted', 1, 1, 1, 1
         FROM days, keys;
         INSERT INTO tenant_usage
         SELECT step, at, project, grid, environment, signal, outcome, SUM(exports), SUM(items), SUM(wire_bytes), SUM(bytes)
         FROM usage
         GROUP BY step, at, project, grid, environment, signal, outcome"
    );
    sqlx::raw_sql(AssertSqlSafe(fill)).execute(&mut connection).await.expect("rows");
    if !sqlite {
        // PostgreSQL does by itself what nobody does to SQLite.
        sqlx::raw_sql("ANALYZE").execute(&mut connection).await.expect("statistics");
    }
    let base = || UsageFilter { from: at(30 * DAY), to: at(40 * DAY), ..filter(Step::Day, &[Dimension::Signal]) };
    let filters = [
        UsageFilter { keys: vec![id(7)], ..base() },
        UsageFilter { keys: (0..200).map(id).collect(), ..filter(Step::Day, &[Dimension::Key]) },
        UsageFilter { project: Some(slug("project-7")), ..base() },
        UsageFilter {
            project: Some(slug("project-7")),
            grid: Some(slug("grid-1")),
            environment: Some(slug("production")),
            ..base()
        },
        UsageFilter { from: at(59 * DAY), to: at(60 * DAY), ..base() },
    ];
    let ways = ["usage_of_key", "usage_of_key", "tenant_usage_of_project", "tenant_usage_of_project", "PRIMARY KEY"];
    for (filter, way) in filters.into_iter().zip(ways) {
        let page = usage_statement(&filter, None, 100);
        let explain = if sqlite { "EXPLAIN QUERY PLAN " } else { "EXPLAIN " };
        let plan = super::plans::bound(sqlx::query(AssertSqlSafe(format!("{explain}{}", page.sql))), &page);
        let rows = plan.fetch_all(&mut connection).await.expect("a plan");
        let column = if sqlite { 3 } else { 0 };
        let plan = rows.iter().map(|row| row.get::<String, _>(column)).collect::<Vec<_>>().join("\n");
        assert!(!plan.contains("Seq Scan") && !plan.contains("SCAN "), "{filter:?}\n{plan}");
        assert!(!sqlite || plan.contains(&format!("{way} (")), "{filter:?}\n{plan}");
    }
    let used = catalog.used(&ScopeId::Project(slug("project-7")), at(30 * DAY), at(40 * DAY)).await.expect("an answer");
    assert_eq!(used[Signal::Logs.index()].exports, 100);
}

/// As in a database of the version before, in which there was usage already.
async fn tenants_have_what_their_keys_used_before_there_were_sums(fresh: Arc<Fresh>) {
    let catalog = fresh.migrated().await;
    let mut counted = refused(0, Reason::KeyInvalid, 7);
    for (key, signal) in [(1, Signal::Logs), (2, Signal::Logs), (2, Signal::Traces)] {
        counted.extend(accepted(0, &tenant("shop", "web"), key, signal, 3));
        counted.extend(accepted(HOUR, &tenant("shop", "pos"), key + 2, signal, 4));
    }
    assert!(catalog.record_usage(&flush(1, 1), &counted).await.expect("it is written"));
    let by_tenant =
        filter(Step::Hour, &[Dimension::Project, Dimension::Grid, Dimension::Environment, Dimension::Signal]);
    let written = all(&*catalog, &by_tenant).await;
    assert_eq!(exports(&written, Fate::Accepted), 21);
    assert_eq!(exports(&written, Fate::Refused(Reason::KeyInvalid)), 7);
    fresh.execute("DROP TABLE tenant_usage; DELETE FROM _sqlx_migrations WHERE version = 15").await;
    assert_eq!(all(&*fresh.migrated().await, &by_tenant).await, written);
}

async fn exports_are_counted_by_secret_while_there_are_two(fresh: Arc<Fresh>) {
    let catalog = fresh.migrated().await;
    let shop = tenant("shop", "web");
    let with =
        |secret: Option<u32>, counted: Vec<Counted>| counted.into_iter().map(move |one| Counted { secret, ..one });
    let mut counted: Vec<_> = with(Some(1), accepted(HOUR, &shop, 1, Signal::Logs, 5)).collect();
    counted.extend(with(Some(1), accepted(HOUR, &shop, 1, Signal::Traces, 2)));
    counted.extend(with(Some(2), accepted(HOUR, &shop, 1, Signal::Logs, 1)));
    counted.extend(with(Some(1), accepted(HOUR + MINUTE, &shop, 1, Signal::Logs, 3)));
    counted.extend(with(Some(7), accepted(HOUR, &shop, 2, Signal::Logs, 9)));
    counted.extend(accepted(HOUR, &shop, 1, Signal::Logs, 100));
    assert!(catalog.record_usage(&flush(1, 1), &counted).await.expect("it is written"));
    // The same once more adds nothing; the next adds to what is there.
    assert!(!catalog.record_usage(&flush(1, 1), &counted).await.expect("it is known"));
    let more: Vec<_> = with(Some(1), accepted(HOUR, &shop, 1, Signal::Logs, 10)).collect();
    assert!(catalog.record_usage(&flush(1, 2), &more).await.expect("it is written"));

    let read = async |key, step, from| {
        let read = catalog.secret_usage(&id(key), step, at(from)).await.expect("an answer");
        read.into_iter().map(|one| (one.version, one.at.micros(), one.exports)).collect::<Vec<_>>()
    };
    assert_eq!(read(1, Step::Minute, 0).await, [(1, HOUR, 17), (2, HOUR, 1), (1, HOUR + MINUTE, 3)]);
    assert_eq!(read(1, Step::Minute, HOUR + MINUTE).await, [(1, HOUR + MINUTE, 3)]);
    assert_eq!(read(1, Step::Hour, 0).await, [(1, HOUR, 20), (2, HOUR, 1)]);
    assert_eq!(read(2, Step::Hour, 0).await, [(7, HOUR, 9)]);
    assert_eq!(read(3, Step::Hour, 0).await, []);
    // Each counts for its key all the same.
    assert_eq!(exports(&all(&*catalog, &filter(Step::Day, &[])).await, Fate::Received), 5 + 2 + 1 + 3 + 9 + 100 + 10);

    catalog.sweep_secret_usage(at(6 * HOUR)).await.expect("swept");
    assert_eq!(read(1, Step::Minute, 0).await.len(), 3, "5 hours are kept");
    catalog.sweep_secret_usage(at(6 * HOUR + 1)).await.expect("swept");
    assert_eq!(read(1, Step::Minute, 0).await, [(1, HOUR + MINUTE, 3)]);
    assert_eq!(read(1, Step::Hour, 0).await.len(), 2);
    catalog.sweep_secret_usage(at(30 * DAY + 2 * HOUR + 1)).await.expect("swept");
    assert_eq!(fresh.count("secret_usage").await, 0);
}

/// The groups with the most come first, whole; the sum of everything is one of them where there are no groups.
async fn groups_are_ranked_by_what_they_have_used(fresh: Arc<Fresh>) {
    let catalog = fresh.migrated().await;
    let mut counted = refused(0, Reason::KeyInvalid, 100);
    for (grid, key, hours) in [("a", 1, 3), ("b", 2, 1), ("c", 3, 2)] {
        for hour in 0..hours {
            counted.extend(accepted(hour * HOUR, &tenant("shop", grid), key, Signal::Logs, 10));
            counted.extend(accepted(hour * HOUR, &tenant("shop", grid), key, Signal::Traces, 1));
        }
    }
    catalog.record_usage(&flush(1, 1), &counted).await.expect("it is written");
    let top = async |filter: &UsageFilter, rank, most| catalog.top_usage(filter, rank, most).await.expect("groups");
    let by_grid = filter(Step::Hour, &[Dimension::Project, Dimension::Grid]);
    let first = top(&by_grid, Rank::Items, 2).await;
    let found: Vec<_> = first.rows.iter().map(|row| (row.names[1].as_str(), row.amounts.clone())).collect();
    let amount = |exports| Amount { exports, items: 2 * exports, wire_bytes: 3 * exports, bytes: 4 * exports };
    let both = |exports| vec![(Fate::Accepted, amount(exports)), (Fate::Received, amount(exports))];
    assert_eq!(found, [("a", both(33)), ("c", both(22))]);
    assert_eq!(first.groups, 3, "nobody is no group");
    // What was refused came in, too.
    let received = top(&by_grid, Rank::Received, 1).await;
    assert_eq!((received.rows[0].names.concat(), received.groups), (String::new(), 3));
    let later = UsageFilter { from: at(HOUR), signal: Some(Signal::Logs), ..by_grid.clone() };
    let later = top(&later, Rank::Bytes, 10).await;
    assert_eq!(later.rows.iter().map(|row| row.names[1].as_str()).collect::<Vec<_>>(), ["a", "c"]);
    let whole = top(&filter(Step::Day, &[]), Rank::Items, 10).await;
    assert_eq!((whole.rows.len(), exports(&whole.rows, Fate::Received), whole.groups), (1, 166, 1));
    let none = top(&UsageFilter { from: at(99 * DAY), ..by_grid }, Rank::Items, 10).await;
    assert_eq!((none.rows.len(), none.groups), (0, 0));
}
