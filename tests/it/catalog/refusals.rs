//! What was turned away: added up by group, bounded for each project, and found again.

use std::net::IpAddr;
use std::sync::Arc;

use gridgate::catalog::{Catalog, CatalogError, Paging, RefusalFilter, Refused};
use gridgate::domain::audit::Action;
use gridgate::domain::sender::{self, SeenSender, Sender};
use gridgate::domain::trouble::{Cause, Group, Seen, Signals, Source, Transports, Trouble};
use gridgate::domain::{KeyId, Reason, Signal, Transport};

use super::{Fresh, at, by, key, on_both, slug, tenant, with_grids};

on_both!(
    what_was_seen_of_a_group_adds_up,
    nodes_that_write_at_once_lose_nothing,
    a_project_has_a_bound_and_nothing_is_lost,
    one_address_does_not_drive_out_the_others,
    claims_of_a_projects_keys_are_the_projects,
    every_filter_leaves_out_the_others,
    pages_hold_every_group_once,
    the_service_is_guessed_by_key_and_address,
    old_groups_are_forgotten,
    any_text_is_kept_and_found,
);

const EXPIRED: Cause = Cause::Refused(Reason::KeyExpired);
const INVALID: Cause = Cause::Refused(Reason::KeyInvalid);

fn id(number: u8) -> KeyId {
    key(number, tenant("shop", "web", "production")).id
}

fn source(last: u8) -> Source {
    Source { address: IpAddr::from([192, 0, 2, last]), agent: Some("sdk/1".into()), service: None }
}

/// One export at `second`.
fn trouble(project: Option<&str>, of: Option<u8>, cause: Cause, source: Source, second: i64) -> Trouble {
    Trouble {
        group: Group { project: project.map(slug), key: of.map(id), cause, source: Some(source) },
        seen: Seen {
            first_at: at(second),
            last_at: at(second),
            exports: 1,
            detail: None,
            signals: Signals::of(Some(Signal::Traces)),
            transports: Transports::of(Transport::Http),
        },
    }
}

fn all() -> Paging {
    Paging { limit: 1_000, after: None }
}

async fn list(catalog: &Arc<dyn Catalog>, filter: &RefusalFilter) -> Vec<Refused> {
    catalog.refusals(filter, &all()).await.expect("a page").items
}

fn exports(listed: &[Refused]) -> u64 {
    listed.iter().map(|refused| refused.trouble.seen.exports).sum()
}

async fn what_was_seen_of_a_group_adds_up(fresh: Arc<Fresh>) {
    let catalog = with_grids(&fresh).await;
    let first = trouble(Some("shop"), Some(1), EXPIRED, source(1), 50);
    let with = |second, detail: Option<&str>, signal, transport| {
        let mut later = first.clone();
        later.seen = Seen {
            first_at: at(second),
            last_at: at(second + 5),
            exports: 3,
            detail: detail.map(Into::into),
            signals: Signals::of(signal),
            transports: Transports::of(transport),
        };
        later
    };
    catalog.record_refusals(std::slice::from_ref(&first), 100).await.expect("it is written");
    let later = [
        with(60, Some("late"), Some(Signal::Logs), Transport::Grpc),
        with(10, Some("early"), None, Transport::Http),
        with(70, None, Some(Signal::Logs), Transport::Http),
    ];
    for one in &later {
        catalog.record_refusals(std::slice::from_ref(one), 100).await.expect("it is written");
    }
    let [found] = &list(&catalog, &RefusalFilter::default()).await[..] else { panic!("one group") };
    let expected = Seen {
        first_at: at(10),
        last_at: at(75),
        exports: 10,
        detail: Some("late".into()),
        signals: Signals::from_bits(0b101),
        transports: Transports::from_bits(0b11),
    };
    assert_eq!(found.trouble, Trouble { group: first.group.clone(), seen: expected });
    // The same in one call.
    let second = |one: &Trouble| Trouble { group: Group { key: Some(id(2)), ..one.group.clone() }, ..one.clone() };
    let together: Vec<_> = [&first].into_iter().chain(&later).map(second).collect();
    catalog.record_refusals(&together, 100).await.expect("it is written");
    let listed = list(&catalog, &RefusalFilter::default()).await;
    assert_eq!(listed.len(), 2);
    assert_eq!(listed[0].trouble.seen, listed[1].trouble.seen);
    assert_ne!(listed[0].id, listed[1].id);
}

async fn nodes_that_write_at_once_lose_nothing(fresh: Arc<Fresh>) {
    let catalog = with_grids(&fresh).await;
    let mut nodes = tokio::task::JoinSet::new();
    for node in 0..4_u8 {
        let catalog = Arc::clone(&catalog);
        nodes.spawn(async move {
            for round in 0..5_u8 {
                let own = (0..10).map(|number| {
                    let from = source((node * 5 + round + number) % 20);
                    trouble(Some("shop"), Some(number % 3), EXPIRED, from, i64::from(round))
                });
                let own: Vec<_> = own.collect();
                // Two that fold the same groups may stand in each other's way; then it is tried again.
                while catalog.record_refusals(&own, 15).await.is_err() {}
            }
        });
    }
    while let Some(done) = nodes.join_next().await {
        done.expect("no panic");
    }
    // Who writes at the same time does not see the other's groups. The next one does.
    catalog.record_refusals(&[trouble(Some("shop"), Some(1), EXPIRED, source(1), 9)], 15).await.expect("it is written");
    let listed = list(&catalog, &RefusalFilter::default()).await;
    assert_eq!(exports(&listed), 4 * 5 * 10 + 1);
    assert!(listed.iter().filter(|one| one.trouble.group.source.is_some()).count() <= 15);
}

async fn a_project_has_a_bound_and_nothing_is_lost(fresh: Arc<Fresh>) {
    let catalog = with_grids(&fresh).await;
    catalog.record_refusals(&[trouble(Some("bank"), Some(9), EXPIRED, source(1), 1)], 3).await.expect("it is written");
    for second in 0..20_u8 {
        let of = |project| trouble(project, Some(second % 2), EXPIRED, source(second), i64::from(second));
        catalog.record_refusals(&[of(Some("shop")), of(None)], 3).await.expect("it is written");
    }
    let of = |listed: &[Refused], project: Option<&str>| -> Vec<_> {
        let project = project.map(slug);
        let own = listed.iter().filter(|one| one.trouble.group.project == project);
        own.map(|one| {
            let Trouble { group, seen } = &one.trouble;
            (group.source.as_ref().map(|source| source.address), group.key, seen.exports)
        })
        .collect()
    };
    let listed = list(&catalog, &RefusalFilter::default()).await;
    assert_eq!(exports(&listed), 41);
    let address = |last| Some(IpAddr::from([192, 0, 2, last]));
    // The latest stay; of the others the key stays where it was proved.
    let latest = [(address(19), Some(id(1)), 1), (address(18), Some(id(0)), 1), (address(17), Some(id(1)), 1)];
    let shop = of(&listed, Some("shop"));
    assert_eq!(shop[..3], latest);
    let mut folded = shop[3..].to_vec();
    folded.sort();
    assert_eq!(folded, [(None, Some(id(0)), 9), (None, Some(id(1)), 8)]);
    let nobodys = of(&listed, None);
    assert_eq!((&nobodys[..3], &nobodys[3..]), (&latest[..], &[(None, None, 17)][..]));
    assert_eq!(of(&listed, Some("bank")), [(address(1), Some(id(9)), 1)]);
}

async fn one_address_does_not_drive_out_the_others(fresh: Arc<Fresh>) {
    let catalog = with_grids(&fresh).await;
    catalog.record_refusals(&[trouble(None, None, INVALID, source(7), 1)], 10).await.expect("it is written");
    for second in 0..30_u8 {
        let flood = trouble(None, Some(second), INVALID, source(1), 100 + i64::from(second));
        catalog.record_refusals(&[flood], 10).await.expect("it is written");
    }
    let listed = list(&catalog, &RefusalFilter::default()).await;
    assert_eq!(exports(&listed), 31);
    let addresses = listed.iter().filter_map(|one| one.trouble.group.source.as_ref()).map(|source| source.address);
    let addresses: Vec<_> = addresses.collect();
    assert_eq!(addresses.len(), 10);
    assert!(addresses.contains(&IpAddr::from([192, 0, 2, 7])), "{addresses:?}");
}

async fn claims_of_a_projects_keys_are_the_projects(fresh: Arc<Fresh>) {
    let catalog = with_grids(&fresh).await;
    for (number, project) in [(1, "shop"), (2, "bank")] {
        let key = key(number, tenant(project, "web", "production"));
        catalog.create_key(&key, Action::KeyCreated, &by(5)).await.expect("a key");
    }
    let troubles = [
        trouble(Some("shop"), Some(1), EXPIRED, source(1), 10),
        trouble(None, Some(1), INVALID, source(1), 20),
        trouble(None, Some(2), INVALID, source(1), 30),
        trouble(None, Some(3), INVALID, source(1), 40),
        trouble(None, None, Cause::Refused(Reason::CredentialsMissing), source(1), 50),
        trouble(Some("bank"), Some(2), EXPIRED, source(1), 60),
    ];
    catalog.record_refusals(&troubles, 100).await.expect("it is written");
    let of = async |project: &str| {
        let filter = RefusalFilter { project: Some(slug(project)), ..RefusalFilter::default() };
        let listed = list(&catalog, &filter).await;
        listed.into_iter().map(|one| (one.trouble.seen.last_at.micros(), one.key.map(|key| key.name))).collect()
    };
    let named = |second: i64, name: &str| (second, Some(name.to_owned()));
    let (shop, bank): (Vec<_>, Vec<_>) = (of("shop").await, of("bank").await);
    assert_eq!(shop, [named(20, "key 1"), named(10, "key 1")]);
    assert_eq!(bank, [named(60, "key 2"), named(30, "key 2")]);
    let everything = list(&catalog, &RefusalFilter::default()).await;
    assert_eq!(everything.len(), 6);
    let environment = everything[0].key.as_ref().and_then(|key| key.environment.clone());
    assert_eq!(environment, Some(slug("production")));
}

async fn every_filter_leaves_out_the_others(fresh: Arc<Fresh>) {
    let catalog = with_grids(&fresh).await;
    let known = key(1, tenant("shop", "web", "production"));
    catalog.create_key(&known, Action::KeyCreated, &by(5)).await.expect("a key");
    let service = |service: &str, last| Source { service: Some(service.into()), ..source(last) };
    let mut detailed = trouble(Some("shop"), Some(1), EXPIRED, source(1), 10);
    detailed.seen.detail = Some("100% of_it!".into());
    let troubles = [
        detailed,
        trouble(Some("shop"), Some(2), EXPIRED, source(2), 20),
        trouble(Some("shop"), Some(2), Cause::EnvironmentDrift, service("Checkout", 3), 30),
        trouble(None, Some(1), INVALID, source(2), 40),
    ];
    catalog.record_refusals(&troubles, 100).await.expect("it is written");
    let none = RefusalFilter::default;
    let text = |text: &str| RefusalFilter { text: Some(text.to_owned()), ..none() };
    let address = |last| Some(IpAddr::from([192, 0, 2, last]));
    for (filter, expected) in [
        (none(), &[40, 30, 20, 10][..]),
        (RefusalFilter { key: Some(id(1)), ..none() }, &[40, 10]),
        (RefusalFilter { cause: Some(EXPIRED), ..none() }, &[20, 10]),
        (RefusalFilter { cause: Some(Cause::EnvironmentDrift), ..none() }, &[30]),
        (RefusalFilter { address: address(2), ..none() }, &[40, 20]),
        (RefusalFilter { address: "::ffff:192.0.2.2".parse().ok(), ..none() }, &[40, 20]),
        (RefusalFilter { from: Some(at(20)), ..none() }, &[40, 30, 20]),
        (RefusalFilter { to: Some(at(20)), ..none() }, &[10]),
        (RefusalFilter { from: Some(at(20)), to: Some(at(40)), ..none() }, &[30, 20]),
        (RefusalFilter { project: Some(slug("shop")), address: address(2), ..none() }, &[40, 20]),
        (RefusalFilter { project: Some(slug("shop")), cause: Some(EXPIRED), ..none() }, &[20, 10]),
        (text("checkOUT"), &[30]),
        (text("KEY_INV"), &[40]),
        (text("192.0.2.3"), &[30]),
        (text("sdk/"), &[40, 30, 20, 10]),
        (text("key 1"), &[40, 10]),
        (text("100%"), &[10]),
        (text("of_it!"), &[10]),
        (text("1_0"), &[]),
        (text("%"), &[10]),
        (text("\\"), &[]),
    ] {
        let found = list(&catalog, &filter).await;
        let found: Vec<_> = found.iter().map(|one| one.trouble.seen.last_at.micros()).collect();
        assert_eq!(found, expected, "{filter:?}");
    }
}

async fn pages_hold_every_group_once(fresh: Arc<Fresh>) {
    let catalog = with_grids(&fresh).await;
    let troubles: Vec<_> =
        (0..17).map(|number| trouble(Some("shop"), Some(number), EXPIRED, source(1), i64::from(number / 4))).collect();
    catalog.record_refusals(&troubles, 100).await.expect("it is written");
    for project in [None, Some(slug("shop"))] {
        let filter = RefusalFilter { project, ..RefusalFilter::default() };
        let (mut ids, mut after) = (Vec::new(), None);
        loop {
            let page = catalog.refusals(&filter, &Paging { limit: 5, after }).await.expect("a page");
            ids.extend(page.items.into_iter().map(|one| one.id));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        let whole: Vec<_> = list(&catalog, &filter).await.into_iter().map(|one| one.id).collect();
        assert_eq!((ids.len(), &ids), (17, &whole));
    }
    for bad in ["", ".", "5", "5.x", "x.00000000000000000000000000000000", "5.0000000000000000000000000000000g"] {
        let paging = Paging { limit: 5, after: Some(bad.to_owned()) };
        let refused = catalog.refusals(&RefusalFilter::default(), &paging).await;
        assert!(matches!(refused, Err(CatalogError::Cursor)), "{bad}");
    }
}

async fn the_service_is_guessed_by_key_and_address(fresh: Arc<Fresh>) {
    let catalog = with_grids(&fresh).await;
    let service = |service: &str, last| Source { service: Some(service.into()), ..source(last) };
    let troubles = [
        trouble(Some("shop"), Some(1), Cause::EnvironmentDrift, service("old", 1), 10),
        trouble(Some("shop"), Some(1), Cause::EnvironmentDrift, service("checkout", 1), 20),
        trouble(Some("shop"), Some(2), Cause::EnvironmentDrift, service("other", 1), 21),
        trouble(Some("shop"), Some(1), EXPIRED, source(1), 30),
        trouble(Some("shop"), Some(1), EXPIRED, source(2), 40),
        trouble(None, None, INVALID, source(1), 50),
    ];
    catalog.record_refusals(&troubles, 100).await.expect("it is written");
    let listed = list(&catalog, &RefusalFilter::default()).await;
    let likely: Vec<_> = listed.iter().map(|one| one.likely_service.as_deref()).collect();
    assert_eq!(likely, [None, None, Some("checkout"), None, None, None]);

    // What was accepted tells more, where it came later.
    let seen = |service: &str, last, second| SeenSender {
        project: slug("shop"),
        sender: Sender {
            key: id(1),
            secret_version: 1,
            service: Some(service.into()),
            host: None,
            sdk: None,
            agent: None,
            address: [192, 0, 2, last].into(),
        },
        seen: sender::Seen {
            first_at: at(second),
            last_at: at(second),
            accepted_at: Some(at(second)),
            exports: 1,
            refused: 0,
        },
    };
    // Only of keys that there are.
    let key = key(1, tenant("shop", "web", "production"));
    catalog.create_key(&key, Action::KeyCreated, &by(0)).await.expect("a key");
    let senders = [seen("early", 1, 15), seen("cart", 1, 25), seen("late", 2, 39)];
    catalog.record_senders(&senders, &[]).await.expect("it is written");
    let listed = list(&catalog, &RefusalFilter::default()).await;
    let likely: Vec<_> = listed.iter().map(|one| one.likely_service.as_deref()).collect();
    assert_eq!(likely, [None, Some("late"), Some("cart"), None, None, None]);
}

async fn old_groups_are_forgotten(fresh: Arc<Fresh>) {
    let catalog = with_grids(&fresh).await;
    let troubles = [10, 20, 30].map(|second| trouble(None, None, INVALID, source(1), second));
    let troubles: Vec<_> = troubles
        .into_iter()
        .zip(1..)
        .map(|(one, last)| Trouble { group: Group { source: Some(source(last)), ..one.group }, ..one })
        .collect();
    catalog.record_refusals(&troubles, 100).await.expect("it is written");
    assert_eq!(catalog.forget_refusals(at(20)).await.expect("an answer"), 1);
    assert_eq!(catalog.forget_refusals(at(20)).await.expect("an answer"), 0);
    let left = list(&catalog, &RefusalFilter::default()).await;
    assert_eq!(left.iter().map(|one| one.trouble.seen.last_at.micros()).collect::<Vec<_>>(), [30, 20]);
}

async fn any_text_is_kept_and_found(fresh: Arc<Fresh>) {
    let catalog = with_grids(&fresh).await;
    let hostile = "'; DROP TABLE refusals; -- \u{202e}\u{1b}[31m\n\u{fffd} $1 \\ \u{10ffff} \u{300}";
    let from = Source { agent: Some(hostile.into()), service: Some(hostile.into()), ..source(1) };
    let mut one = trouble(Some("shop"), Some(1), EXPIRED, from, 10);
    one.seen.detail = Some(hostile.into());
    one.seen.exports = u64::MAX;
    catalog.record_refusals(std::slice::from_ref(&one), 100).await.expect("it is written");
    let filter = RefusalFilter { text: Some(hostile.to_owned()), ..RefusalFilter::default() };
    let [found] = &list(&catalog, &filter).await[..] else { panic!("one group") };
    assert_eq!(found.trouble.group, one.group);
    assert_eq!(found.trouble.seen.detail, one.seen.detail);
}
