//! Single exports at rest.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use gridgate::catalog::keys::list::Statement;
use gridgate::catalog::requests::statement;
use gridgate::catalog::{Catalog, CatalogError, Logged, Paging, RequestLog as _, Whose};
use gridgate::domain::clock::ManualClock;
use gridgate::domain::random::SeededRandom;
use gridgate::domain::request::{self, Ended, Ending, RequestFilter};
use gridgate::domain::{KeyId, Origin, Reason, RecordId, Refusal, Signal, Tenant, Transport};
use gridgate::metering::{Books, Decided, Outcome};
use gridgate::observe::jobs::{JobMetrics, Jobs};
use gridgate::upkeep::requests::{KeepSettings, RequestKeeper};

use super::plans::inspect_page;
use super::{Fresh, at, on_both, slug};
use crate::admin::Events;
use crate::admin::watched::Watched;

on_both!(
    exports_are_kept_whole,
    a_repetition_changes_nothing,
    each_filter_finds_its_own,
    pages_lead_through_all,
    what_is_old_or_too_much_is_forgotten,
    lost_exports_are_counted,
    hostile_texts_are_kept,
    a_keeper_keeps_within_bounds,
    a_keeper_loses_nothing_while_the_catalog_fails,
    damage_is_reported,
    pages_cost_what_their_rows_do,
);

fn of(project: Option<&str>, micros: i64, ending: Ending) -> Arc<Ended> {
    let tenant = |project| Tenant { project: slug(project), grid: slug("web"), environment: slug("production") };
    Arc::new(Ended {
        at: at(micros),
        took: Duration::from_micros(1_500),
        transport: Transport::Grpc,
        signal: Some(Signal::Logs),
        address: "2001:db8::7".parse().expect("an address"),
        agent: Some("sdk/1".to_owned()),
        key: KeyId::from_bare("7Hq2mZxK9wPa"),
        secret_version: project.map(|_| 2),
        tenant: project.map(|project| Arc::new(tenant(project))),
        items: Some(3),
        wire_bytes: Some(100),
        bytes: Some(400),
        origin: Origin {
            service: Some("checkout".into()),
            host: Some("node".into()),
            environment: Some("staging".into()),
            ..Origin::default()
        },
        ending,
    })
}

fn refused(reason: Reason) -> Ending {
    Ending::Refused { reason, detail: Some("why".to_owned()) }
}

fn id(number: u8) -> RecordId {
    RecordId::from_bytes([number; 16])
}

const ALL: Paging = Paging { limit: 200, after: None };

/// The numbers of the exports that pass, in their order.
async fn found(catalog: &dyn Catalog, filter: &RequestFilter) -> Vec<i64> {
    let page = catalog.requests(filter, &ALL).await.expect("a page");
    page.items.iter().map(|one| one.ended.at.micros()).collect()
}

async fn exports_are_kept_whole(fresh: Arc<Fresh>) {
    let catalog = fresh.migrated().await;
    let bare = Ended {
        signal: None,
        agent: None,
        key: None,
        items: None,
        wire_bytes: None,
        bytes: None,
        origin: Origin::default(),
        ..(*of(None, 30, refused(Reason::CredentialsMissing))).clone()
    };
    let all = [
        (id(1), of(Some("shop"), 10, Ending::Accepted)),
        (id(2), of(Some("shop"), 20, Ending::Gone)),
        (id(3), Arc::new(bare)),
    ];
    catalog.record_requests(&all).await.expect("they are written");
    let page = catalog.requests(&RequestFilter::default(), &ALL).await.expect("a page");
    let expected: Vec<_> =
        all.iter().rev().map(|(id, ended)| Logged { id: id.to_string(), ended: (**ended).clone() }).collect();
    assert_eq!((page.items, page.next), (expected, None));
}

async fn a_repetition_changes_nothing(fresh: Arc<Fresh>) {
    let catalog = fresh.migrated().await;
    let first = [(id(1), of(Some("shop"), 10, Ending::Accepted))];
    catalog.record_requests(&first).await.expect("it is written");
    let again = [(id(1), of(Some("shop"), 10, Ending::Accepted)), (id(2), of(Some("shop"), 11, Ending::Accepted))];
    catalog.record_requests(&again).await.expect("it is written");
    assert_eq!(fresh.count("requests").await, 2);
}

async fn each_filter_finds_its_own(fresh: Arc<Fresh>) {
    let catalog = fresh.migrated().await;
    let wanted = Ended { took: Duration::from_secs(1), ..(*of(Some("shop"), 50, refused(Reason::KeyRevoked))).clone() };
    let tenant = |grid: &str, environment: &str| {
        Some(Arc::new(Tenant { project: slug("shop"), grid: slug(grid), environment: slug(environment) }))
    };
    let service = Origin { service: Some("check".into()), ..Origin::default() };
    let others = [
        Ended { tenant: None, ..wanted.clone() },
        Ended { tenant: tenant("app", "production"), ..wanted.clone() },
        Ended { tenant: tenant("web", "staging"), ..wanted.clone() },
        Ended { key: KeyId::from_bare("7Hq2mZxK9wPb"), ..wanted.clone() },
        Ended { signal: Some(Signal::Traces), ..wanted.clone() },
        Ended { ending: Ending::Gone, ..wanted.clone() },
        Ended { ending: refused(Reason::KeyExpired), ..wanted.clone() },
        Ended { address: [10, 0, 0, 7].into(), ..wanted.clone() },
        Ended { origin: service, ..wanted.clone() },
        Ended { at: at(49), ..wanted.clone() },
        Ended { at: at(51), ..wanted.clone() },
        Ended { took: Duration::from_millis(999), ..wanted.clone() },
    ];
    let all: Vec<_> = others.iter().chain([&wanted]).cloned().map(Arc::new).collect();
    let rows: Vec<_> = (1..).zip(&all).map(|(number, ended)| (id(number), Arc::clone(ended))).collect();
    catalog.record_requests(&rows).await.expect("they are written");
    let filters = [
        RequestFilter { project: Some(slug("shop")), ..RequestFilter::default() },
        RequestFilter { grid: Some(slug("web")), ..RequestFilter::default() },
        RequestFilter { environment: Some(slug("production")), ..RequestFilter::default() },
        RequestFilter { key: wanted.key, ..RequestFilter::default() },
        RequestFilter { signal: wanted.signal, ..RequestFilter::default() },
        RequestFilter { outcome: Some(request::Outcome::Refused), ..RequestFilter::default() },
        RequestFilter { reason: Some(Reason::KeyRevoked), ..RequestFilter::default() },
        RequestFilter { address: Some(wanted.address), ..RequestFilter::default() },
        RequestFilter { service: Some("checkout".to_owned()), ..RequestFilter::default() },
        RequestFilter { from: Some(at(50)), ..RequestFilter::default() },
        RequestFilter { to: Some(at(51)), ..RequestFilter::default() },
        RequestFilter { min_latency: Some(Duration::from_secs(1)), ..RequestFilter::default() },
    ];
    for filter in filters {
        let page = catalog.requests(&filter, &ALL).await.expect("a page");
        let expected: Vec<_> = all.iter().filter(|ended| filter.matches(ended)).collect();
        assert!(!expected.is_empty() && expected.len() < all.len(), "{filter:?} sorts out something, not all");
        assert_eq!(page.items.len(), expected.len(), "{filter:?}");
        assert!(page.items.iter().all(|one| filter.matches(&one.ended)), "{filter:?}");
    }
    let both = RequestFilter {
        project: Some(slug("shop")),
        grid: Some(slug("web")),
        environment: Some(slug("production")),
        key: wanted.key,
        signal: wanted.signal,
        outcome: Some(request::Outcome::Refused),
        reason: Some(Reason::KeyRevoked),
        address: Some(wanted.address),
        service: Some("checkout".to_owned()),
        from: Some(at(50)),
        to: Some(at(51)),
        min_latency: Some(Duration::from_secs(1)),
    };
    let page = catalog.requests(&both, &ALL).await.expect("a page");
    assert_eq!(page.items.iter().map(|one| &one.ended).collect::<Vec<_>>(), [&wanted]);
}

async fn pages_lead_through_all(fresh: Arc<Fresh>) {
    let catalog = fresh.migrated().await;
    // Several arrived at the same instant.
    let rows: Vec<_> =
        (0..10).map(|number| (id(number), of(Some("shop"), i64::from(number / 4), Ending::Gone))).collect();
    catalog.record_requests(&rows).await.expect("they are written");
    for filter in [RequestFilter::default(), RequestFilter { to: Some(at(9)), ..RequestFilter::default() }] {
        let mut paging = Paging { limit: 3, after: None };
        let mut ids = Vec::new();
        loop {
            let page = catalog.requests(&filter, &paging).await.expect("a page");
            ids.extend(page.items.into_iter().map(|one| one.id));
            match page.next {
                Some(next) => paging.after = Some(next),
                None => break,
            }
        }
        assert_eq!(ids, (0..10).rev().map(|number| id(number).to_string()).collect::<Vec<_>>());
    }
    let longest = format!("1.{}", "0".repeat(32));
    assert!(
        catalog.requests(&RequestFilter::default(), &Paging { limit: 1, after: Some(longest.clone()) }).await.is_ok()
    );
    for cursor in ["", "1", "1.", "1.x", &longest[1..], &format!("{longest}0"), &longest.replace("0000", "000'")] {
        let paging = Paging { limit: 1, after: Some(cursor.to_owned()) };
        let refused = catalog.requests(&RequestFilter::default(), &paging).await;
        assert!(matches!(refused, Err(CatalogError::Cursor)), "{cursor}");
    }
}

async fn what_is_old_or_too_much_is_forgotten(fresh: Arc<Fresh>) {
    let catalog = fresh.migrated().await;
    let projects = [Some("shop"), Some("shop"), Some("bank"), None, None, None];
    let rows: Vec<_> = (1..).zip(projects).map(|(n, project)| (id(n), of(project, n.into(), Ending::Gone))).collect();
    catalog.record_requests(&rows).await.expect("they are written");
    let counts = catalog.request_counts().await.expect("counts");
    assert_eq!(counts, BTreeMap::from([(None, 3), (Some(slug("bank")), 1), (Some(slug("shop")), 2)]));
    let forget = async |whose: Whose, before: i64, limit: u32| {
        catalog.forget_requests(&whose, at(before), limit).await.expect("a count")
    };
    assert_eq!(forget(Whose::Nobody, 6, 1).await, 1);
    assert_eq!(found(&*catalog, &RequestFilter::default()).await, [6, 5, 3, 2, 1]);
    assert_eq!(forget(Whose::Nobody, 6, 9).await, 1);
    assert_eq!(forget(Whose::Project(slug("shop")), 9, 1).await, 1);
    assert_eq!(found(&*catalog, &RequestFilter::default()).await, [6, 3, 2]);
    assert_eq!(forget(Whose::All, 3, 9).await, 1);
    assert_eq!(forget(Whose::All, 3, 9).await, 0);
    assert_eq!(found(&*catalog, &RequestFilter::default()).await, [6, 3]);
}

async fn lost_exports_are_counted(fresh: Arc<Fresh>) {
    let catalog = fresh.migrated().await;
    let counts = [(at(60), None, 5), (at(60), Some(slug("shop")), 2), (at(120), Some(slug("shop")), 3)];
    catalog.record_not_logged(&counts).await.expect("they are written");
    catalog.record_not_logged(&counts[1..2]).await.expect("they are written");
    let (shop, bank) = (slug("shop"), slug("bank"));
    let count = async |project, from: Option<i64>, to: Option<i64>| {
        catalog.not_logged(project, from.map(at), to.map(at)).await.expect("a count")
    };
    assert_eq!(count(None, None, None).await, 12);
    assert_eq!(count(Some(&shop), None, None).await, 7);
    assert_eq!(count(Some(&shop), Some(120), None).await, 3);
    assert_eq!(count(Some(&shop), None, Some(120)).await, 4);
    assert_eq!(count(Some(&bank), None, None).await, 0);
    catalog.forget_not_logged(at(120)).await.expect("they are gone");
    assert_eq!(count(None, None, None).await, 3);
}

async fn hostile_texts_are_kept(fresh: Arc<Fresh>) {
    let catalog = fresh.migrated().await;
    let hostile = "a\0b\u{202e}'; DROP TABLE requests; --\u{1b}[31m%s${jndi:x}";
    let detail = Ending::Refused { reason: Reason::BodyUndecodable, detail: Some(hostile.to_owned()) };
    let origin = Origin { service: Some(hostile.into()), ..Origin::default() };
    let ended = Ended { origin, agent: Some(hostile.to_owned()), ..(*of(Some("shop"), 1, detail)).clone() };
    catalog.record_requests(&[(id(1), Arc::new(ended))]).await.expect("it is written");
    let kept = hostile.replace('\0', "\u{fffd}");
    let by_service = RequestFilter { service: Some(hostile.to_owned()), ..RequestFilter::default() };
    let page = catalog.requests(&by_service, &ALL).await.expect("a page");
    assert_eq!(page.items[0].ended.origin.service.as_deref(), Some(&*kept));
    assert_eq!(page.items[0].ended.agent.as_deref(), Some(&*kept));
    let Ending::Refused { detail, .. } = &page.items[0].ended.ending else { panic!("it is refused") };
    assert_eq!(detail.as_deref(), Some(&*kept));
}

fn keeper(catalog: Arc<dyn Catalog>, books: &Arc<Books>, now: i64, rows: u64, age: u64) -> RequestKeeper {
    let settings = KeepSettings { interval: Duration::from_secs(1), rows, age: Duration::from_micros(age) };
    let clock = Arc::new(ManualClock::new(at(now)));
    RequestKeeper::new(Arc::clone(books), catalog, clock, Arc::new(SeededRandom::new(3)), settings)
}

async fn a_keeper_keeps_within_bounds(fresh: Arc<Fresh>) {
    let catalog = fresh.migrated().await;
    let projects = [None, Some("shop"), Some("bank"), None, None, None, None, None, None, None];
    let rows: Vec<_> = (0..100)
        .map(|n| (RecordId::from_bytes([n; 16]), of(projects[usize::from(n % 10)], n.into(), Ending::Gone)))
        .collect();
    catalog.record_requests(&rows).await.expect("they are written");
    catalog.record_not_logged(&[(at(0), None, 1), (at(50), None, 2)]).await.expect("they are written");
    let books = Arc::default();
    let keep = async |rows, age| {
        keeper(Arc::clone(&catalog), &books, 100, rows, age).forget().await.expect("it forgets");
        let counts = catalog.request_counts().await.expect("counts");
        [None, Some("shop"), Some("bank")].map(|project| counts.get(&project.map(slug)).copied().unwrap_or_default())
    };
    assert_eq!(keep(100, 1_000).await, [50, 10, 10], "nobody's have half at the most");
    assert_eq!(keep(12, 1_000).await, [6, 3, 3], "the oldest go first");
    assert_eq!(found(&*catalog, &RequestFilter::default()).await, [99, 98, 97, 96, 95, 94, 92, 91, 82, 81, 72, 71]);
    assert_eq!(catalog.not_logged(None, None, None).await.expect("a count"), 3);
    assert_eq!(keep(12, 10).await, [6, 1, 1], "what is too old goes");
    assert_eq!(catalog.not_logged(None, None, None).await.expect("a count"), 0);
}

async fn a_keeper_loses_nothing_while_the_catalog_fails(fresh: Arc<Fresh>) {
    let watched = Arc::new(Watched::new(fresh.migrated().await, Events::default()));
    let books = Arc::<Books>::default();
    let keeper = keeper(Arc::clone(&watched) as _, &books, 100, 1_000, 1_000);
    let jobs = Jobs::new(Arc::new(ManualClock::new(at(100))), JobMetrics::default());
    let job = keeper.job(&jobs);
    let refuse = |count| {
        for _ in 0..count {
            let refusal = Refusal::new(Reason::CredentialsMissing);
            books.decided(&Decided {
                at: at(60),
                took: Duration::ZERO,
                transport: Transport::Http,
                signal: None,
                address: [10, 0, 0, 7].into(),
                agent: b"",
                claimed: None,
                identified: None,
                measured: None,
                origin: None,
                would_refuse: false,
                outcome: Outcome::Refused(&refusal),
            });
        }
    };
    refuse(2_503);
    watched.down.store(true, Ordering::SeqCst);
    for failures in 1..3 {
        assert!(job.run(keeper.flush()).await.is_err());
        let shown = jobs.list().remove(0);
        assert_eq!((shown.progress.state(), shown.progress.failures), ("failing", failures));
        assert_eq!(shown.progress.error.as_deref(), Some("the catalog's database is unavailable"));
    }
    refuse(2);
    assert_eq!(jobs.list()[0].lag, Some((2, "exports")));
    watched.down.store(false, Ordering::SeqCst);
    for _ in 0..2 {
        job.run(keeper.flush()).await.expect("it writes");
    }
    assert_eq!(jobs.list()[0].progress.state(), "idle");
    assert_eq!(fresh.count("requests").await, 2_502, "half of 5 000, and the two since");
    assert_eq!(watched.not_logged(None, None, None).await.expect("a count"), 3);
}

async fn damage_is_reported(fresh: Arc<Fresh>) {
    let catalog = fresh.migrated().await;
    catalog.record_requests(&[(id(1), of(Some("shop"), 1, refused(Reason::KeyRevoked)))]).await.expect("it is written");
    for (column, value, good) in [
        ("transport", "'smoke'", "'grpc'"),
        ("signal", "'smoke'", "'logs'"),
        ("project", "'Shop'", "'shop'"),
        ("reason", "'because'", "'key_revoked'"),
        ("address", "'home'", "'10.0.0.7'"),
        ("took", "-1", "1"),
    ] {
        fresh.execute(&format!("UPDATE requests SET {column} = {value}")).await;
        let page = catalog.requests(&RequestFilter::default(), &ALL).await;
        assert!(matches!(page, Err(CatalogError::Damaged(_))), "{column}: {page:?}");
        fresh.execute(&format!("UPDATE requests SET {column} = {good}")).await;
    }
    assert_eq!(found(&*catalog, &RequestFilter::default()).await, [1]);
}

/// As many as there can be: a page of each list that is promised costs what its rows do, at the start and in the middle.
async fn pages_cost_what_their_rows_do(fresh: Arc<Fresh>) {
    const ROWS: i64 = 100_000;
    fresh.migrated().await;
    fresh
        .execute(&format!(
            "INSERT INTO requests (
                 id, at, took, transport, signal, project, grid, environment, key_id, outcome, reason, address, service
             )
             WITH RECURSIVE numbers (i) AS (SELECT CAST(0 AS BIGINT) UNION ALL SELECT i + 1 FROM numbers WHERE i < {ROWS} - 1)
             SELECT
                 '00000000000000000000' || substr(CAST(1000000000000 + i AS TEXT), 2),
                 i, 1, 'http', 'logs',
                 CASE WHEN i % 100 = 8 THEN 'small' WHEN i % 3 = 0 THEN '' ELSE 'large' END,
                 CASE WHEN i % 100 = 8 OR i % 3 <> 0 THEN 'web' END,
                 CASE WHEN i % 100 = 8 OR i % 3 <> 0 THEN 'production' END,
                 CASE WHEN i % 100 = 8 THEN 'key_000000000001' ELSE 'key_000000000002' END,
                 CASE WHEN i % 100 = 8 THEN 'accepted' ELSE 'refused' END,
                 CASE WHEN i % 100 = 8 THEN NULL WHEN i % 100 = 9 THEN 'key_revoked' ELSE 'credentials_missing' END,
                 CASE WHEN i % 100 = 8 THEN '10.0.0.1' ELSE '10.0.0.2' END,
                 CASE WHEN i % 100 = 8 THEN 'few' ELSE 'many' END
             FROM numbers"
        ))
        .await;
    let all = RequestFilter::default();
    let with_address = |text: &str| RequestFilter { address: text.parse().ok(), ..all.clone() };
    let with_key = |number: &str| RequestFilter { key: number.parse().ok(), ..all.clone() };
    let with_service = |text: &str| RequestFilter { service: Some(text.to_owned()), ..all.clone() };
    let mut filters = vec![
        all.clone(),
        RequestFilter { outcome: Some(request::Outcome::Accepted), ..all.clone() },
        RequestFilter { outcome: Some(request::Outcome::Refused), ..all.clone() },
        RequestFilter { outcome: Some(request::Outcome::Gone), ..all.clone() },
        RequestFilter { reason: Some(Reason::KeyRevoked), ..all.clone() },
        RequestFilter { reason: Some(Reason::CredentialsMissing), ..all.clone() },
        with_address("10.0.0.1"),
        with_address("10.0.0.2"),
        with_address("10.0.0.3"),
        with_key("key_000000000001"),
        with_key("key_000000000002"),
        with_service("few"),
        with_service("many"),
        RequestFilter { from: Some(at(ROWS / 4)), to: Some(at(ROWS / 2)), ..all.clone() },
    ];
    for project in ["small", "large", "none"] {
        let project = Some(slug(project));
        filters.push(RequestFilter { project: project.clone(), ..all.clone() });
        for outcome in request::Outcome::ALL {
            filters.push(RequestFilter { project: project.clone(), outcome: Some(outcome), ..all.clone() });
        }
    }
    let mut connection = fresh.raw().await;
    let mut expensive = Vec::new();
    let analyze = if fresh.is_sqlite() { &[false, true][..] } else { &[true] };
    for statistics in analyze {
        if *statistics {
            fresh.execute("ANALYZE").await;
        }
        for filter in &filters {
            for after in [None, Some((ROWS / 2, "0".repeat(32)))] {
                let page: Statement = statement(filter, after.as_ref(), 51);
                if let Err(plan) = inspect_page(&fresh, &mut connection, &page, &["requests"]).await {
                    expensive.push(format!("{filter:?}, {after:?}, with statistics: {statistics}\n{plan}"));
                }
            }
        }
    }
    assert!(expensive.is_empty(), "{} lists\n\n{}", expensive.len(), expensive.join("\n\n"));
}
