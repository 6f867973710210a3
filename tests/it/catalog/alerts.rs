//! Alerts: given once for each cause, and what they are found in.

use std::sync::Arc;

use gridgate::catalog::{
    AlertFilter, Catalog, CatalogError, FailedMinute, NewWhat, Paging, RaisedAlert, Repeat, UsageFlush, Volume,
};
use gridgate::domain::alert::{Alert, GivenAlert};
use gridgate::domain::audit::Action;
use gridgate::domain::sender::{Seen, SeenSender, Sender};
use gridgate::domain::usage::{Amount, Counted, Fate, Step};
use gridgate::domain::webhook::EventKind;
use gridgate::domain::{Key, KeyChange, Reason, RecordId, Signal, Tenant};

use super::{Fresh, at, by, key, on_both, slug, tenant, with_grids};

on_both!(
    an_alert_is_given_once_until_its_cause_is_gone_or_a_day_has_passed,
    a_warning_is_never_given_again,
    a_key_has_so_many_alerts_of_a_kind,
    nodes_give_an_alert_once,
    alerts_are_listed_by_page_and_filter,
    what_is_old_or_too_much_is_forgotten,
    alerts_go_with_their_key,
    senders_out_of_the_ordinary_are_found,
    volumes_are_those_of_busy_keys,
    the_worst_minute_is_found,
);

const MINUTE: i64 = 60_000_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

fn raised(kind: EventKind, key: Option<&Key>, cause: &str) -> RaisedAlert {
    let alert = Alert {
        kind,
        project: key.and_then(|key| key.binding.project().cloned()),
        key: key.map(|key| key.id),
        cause: cause.to_owned(),
        summary: format!("about {cause} \u{1b}[31m'; DROP TABLE alerts"),
        data: "{\"n\":1}".to_owned(),
    };
    RaisedAlert { alert, deliveries: Vec::new() }
}

const fn day_before(now: i64) -> Repeat {
    Repeat::After(at(now - DAY), at(now - HOUR), 10)
}

async fn give(catalog: &dyn Catalog, one: &RaisedAlert, now: i64) -> bool {
    catalog.raise_alerts(std::slice::from_ref(one), day_before(now), at(now)).await.expect("an answer")[0]
}

async fn listed(catalog: &dyn Catalog, filter: &AlertFilter) -> Vec<GivenAlert> {
    catalog.alerts(filter, &Paging { limit: 200, after: None }).await.expect("a page").items
}

/// The keys 1 (shop), 2 (shop) and 3 (bank), made at 0.
async fn with_keys(fresh: &Fresh) -> (Arc<dyn Catalog>, [Key; 3]) {
    let catalog = with_grids(fresh).await;
    let keys = [(1, "shop"), (2, "shop"), (3, "bank")]
        .map(|(number, project)| key(number, tenant(project, "web", "production")));
    for key in &keys {
        catalog.create_key(key, Action::KeyCreated, &by(0)).await.expect("a key");
    }
    (catalog, keys)
}

async fn an_alert_is_given_once_until_its_cause_is_gone_or_a_day_has_passed(fresh: Arc<Fresh>) {
    let (catalog, [one, ..]) = with_keys(&fresh).await;
    let alert = raised(EventKind::Shared, Some(&one), "");
    let start = 10 * DAY;
    assert!(give(&*catalog, &alert, start).await);
    for minutes in (1..24 * 60).step_by(30) {
        assert!(!give(&*catalog, &alert, start + minutes * MINUTE).await, "{minutes}");
    }
    assert!(give(&*catalog, &alert, start + DAY).await, "a day has passed");
    assert!(!give(&*catalog, &alert, start + DAY + 59 * MINUTE).await);
    assert!(give(&*catalog, &alert, start + DAY + 59 * MINUTE + HOUR).await, "it was gone for an hour");
    let [given] = &listed(&*catalog, &AlertFilter::default()).await[..] else { panic!("one alert") };
    assert_eq!((given.id.clone(), given.at), (alert.alert.id(), at(start + DAY + 59 * MINUTE + HOUR)));
    assert_eq!((&given.summary, &given.data), (&alert.alert.summary, &alert.alert.data));
    assert_eq!((given.kind, given.project.clone(), given.key), (EventKind::Shared, Some(slug("shop")), Some(one.id)));
}

async fn a_warning_is_never_given_again(fresh: Arc<Fresh>) {
    let (catalog, _) = with_keys(&fresh).await;
    let warnings: Vec<_> = (0..30).map(|n| raised(EventKind::QuotaWarning, None, &format!("{n}"))).collect();
    let give = async |now| catalog.raise_alerts(&warnings, Repeat::Never, at(now)).await.expect("an answer");
    assert_eq!(give(DAY).await, vec![true; 30]);
    assert_eq!(give(40 * DAY).await, vec![false; 30]);
}

async fn a_key_has_so_many_alerts_of_a_kind(fresh: Arc<Fresh>) {
    let (catalog, [one, other, _]) = with_keys(&fresh).await;
    let of = |key, n: i64| raised(EventKind::NewAddress, Some(key), &n.to_string());
    let many: Vec<_> = (0..50).map(|n| of(&one, n)).collect();
    let given = catalog.raise_alerts(&many, day_before(2 * DAY), at(2 * DAY)).await.expect("an answer");
    assert_eq!(given.iter().filter(|given| **given).count(), 10);
    assert!(!give(&*catalog, &of(&one, 60), 2 * DAY + HOUR).await);
    assert!(give(&*catalog, &of(&other, 60), 2 * DAY + HOUR).await);
    assert!(give(&*catalog, &of(&one, 60), 3 * DAY).await);
}

async fn nodes_give_an_alert_once(fresh: Arc<Fresh>) {
    let (catalog, [one, other, _]) = with_keys(&fresh).await;
    let alerts = [raised(EventKind::Shared, Some(&one), ""), raised(EventKind::Shared, Some(&other), "")];
    let reversed = [alerts[1].clone(), alerts[0].clone()];
    for round in 1..10 {
        let now = at(round * 2 * DAY);
        let (first, second) = tokio::join!(
            catalog.raise_alerts(&alerts, day_before(now.micros()), now),
            catalog.raise_alerts(&reversed, day_before(now.micros()), now)
        );
        let (first, second) = (first.expect("an answer"), second.expect("an answer"));
        assert_eq!((first[0] != second[1], first[1] != second[0]), (true, true), "{first:?} {second:?}");
    }
}

async fn alerts_are_listed_by_page_and_filter(fresh: Arc<Fresh>) {
    let (catalog, [one, other, bank]) = with_keys(&fresh).await;
    let alerts = [
        raised(EventKind::Shared, Some(&one), ""),
        raised(EventKind::NewAddress, Some(&other), "a"),
        raised(EventKind::Shared, Some(&bank), ""),
        raised(EventKind::AuthenticationFailing, None, ""),
    ];
    for (alert, now) in alerts.iter().zip(1..) {
        assert!(give(&*catalog, alert, now).await);
    }
    let ids = |found: &[GivenAlert]| found.iter().map(|one| one.id.clone()).collect::<Vec<_>>();
    let expected = |which: &[usize]| which.iter().map(|index| alerts[*index].alert.id()).collect::<Vec<_>>();
    let any = AlertFilter::default();
    for (filter, which) in [
        (any.clone(), &[3, 2, 1, 0][..]),
        (AlertFilter { project: Some(slug("shop")), ..any.clone() }, &[1, 0]),
        (AlertFilter { key: Some(bank.id), ..any.clone() }, &[2]),
        (AlertFilter { kind: Some(EventKind::Shared), ..any.clone() }, &[2, 0]),
    ] {
        assert_eq!(ids(&listed(&*catalog, &filter).await), expected(which), "{filter:?}");
    }
    let first = catalog.alerts(&any, &Paging { limit: 3, after: None }).await.expect("a page");
    let rest = catalog.alerts(&any, &Paging { limit: 3, after: first.next }).await.expect("a page");
    assert_eq!((ids(&rest.items), rest.next), (expected(&[0]), None));
    for bad in ["", "1", "x.y", "1.'", "\0"] {
        let paging = Paging { limit: 1, after: Some(bad.to_owned()) };
        assert!(matches!(catalog.alerts(&any, &paging).await, Err(CatalogError::Cursor)), "{bad:?}");
    }
}

async fn what_is_old_or_too_much_is_forgotten(fresh: Arc<Fresh>) {
    let (catalog, [one, ..]) = with_keys(&fresh).await;
    let quota = raised(EventKind::QuotaWarning, Some(&one), "");
    assert!(give(&*catalog, &quota, 5).await);
    for n in 0..6 {
        assert!(give(&*catalog, &raised(EventKind::NewSender, Some(&one), &n.to_string()), n).await);
    }
    assert_eq!(catalog.forget_alerts(at(2), 3).await.expect("an answer"), 3);
    let left: Vec<_> = listed(&*catalog, &AlertFilter::default()).await.iter().map(|one| one.at.micros()).collect();
    assert_eq!(left, [5, 5, 4, 3]);
}

async fn alerts_go_with_their_key(fresh: Arc<Fresh>) {
    let (catalog, [one, other, _]) = with_keys(&fresh).await;
    for key in [&one, &other] {
        assert!(give(&*catalog, &raised(EventKind::Shared, Some(key), ""), 1).await);
    }
    catalog.change_key(&one.id, &KeyChange::Revoke, None, &by(1)).await.expect("revoked");
    catalog.purge_key(&one.id, &by(400 * DAY)).await.expect("erased");
    let left = listed(&*catalog, &AlertFilter::default()).await;
    assert_eq!(left.iter().map(|one| one.key).collect::<Vec<_>>(), [Some(other.id)]);
}

fn seen(key: &Key, service: Option<&str>, address: u8, first: i64, last: i64) -> SeenSender {
    SeenSender {
        project: key.binding.project().expect("a project").clone(),
        sender: Sender {
            key: key.id,
            secret_version: 1,
            service: service.map(Into::into),
            host: None,
            sdk: None,
            agent: None,
            address: [192, 0, 2, address].into(),
        },
        seen: Seen { first_at: at(first), last_at: at(last), accepted_at: Some(at(last)), exports: 1, refused: 0 },
    }
}

async fn senders_out_of_the_ordinary_are_found(fresh: Arc<Fresh>) {
    let (catalog, [one, other, bank]) = with_keys(&fresh).await;
    let now = 3 * DAY;
    let records = [
        seen(&one, Some("a"), 1, DAY, now),
        // Another service, from where the first one is.
        seen(&one, Some("b"), 1, now - 5, now),
        // The same service from elsewhere, and again a little later.
        seen(&one, Some("a"), 2, now - 4, now),
        seen(&one, Some("b"), 2, now - 3, now),
        // A key that is used for the first time.
        seen(&other, Some("a"), 1, now - 9, now),
        seen(&other, Some("a"), 2, now - 8, now),
        seen(&bank, Some("a"), 1, DAY, now),
    ];
    catalog.record_senders(&records, &[]).await.expect("written");
    let brief = |found: Vec<SeenSender>| {
        let one = |one: SeenSender| (one.sender.key, one.sender.service, one.seen.first_at.micros());
        found.into_iter().map(one).collect::<Vec<_>>()
    };
    let new = async |what| brief(catalog.new_senders(what, at(now - 100)).await.expect("an answer"));
    assert_eq!(new(NewWhat::Address).await, [(one.id, Some("a".into()), now - 4)]);
    assert_eq!(new(NewWhat::Service).await, [(one.id, Some("b".into()), now - 5)]);
    assert!(brief(catalog.new_senders(NewWhat::Service, at(now)).await.expect("an answer")).is_empty());
    let shared = brief(catalog.senders_of_shared_keys(at(now)).await.expect("an answer"));
    assert_eq!(shared.iter().map(|(key, ..)| *key).collect::<Vec<_>>(), [one.id; 4]);
    assert!(catalog.senders_of_shared_keys(at(now + 1)).await.expect("an answer").is_empty());

    assert!(catalog.senders_after_revoke(at(0)).await.expect("an answer").is_empty());
    catalog.change_key(&bank.id, &KeyChange::Revoke, None, &by(now)).await.expect("revoked");
    assert!(catalog.senders_after_revoke(at(0)).await.expect("an answer").is_empty(), "it was before");
    catalog.record_senders(&[seen(&bank, Some("late"), 1, now + 1, now + 1)], &[]).await.expect("written");
    let late = brief(catalog.senders_after_revoke(at(0)).await.expect("an answer"));
    assert_eq!(late, [(bank.id, Some("late".into()), now + 1)]);
    assert!(catalog.senders_after_revoke(at(now + 2)).await.expect("an answer").is_empty());
}

async fn count(catalog: &dyn Catalog, number: u64, counted: &[Counted]) {
    let flush = UsageFlush { writer: RecordId::from_bytes([1; 16]), number, at: at(1) };
    assert!(catalog.record_usage(&flush, counted).await.expect("an answer"));
}

fn counted(key: Option<&Key>, micros: i64, fate: Fate, exports: u64) -> Counted {
    let tenant = Tenant { project: slug("shop"), grid: slug("web"), environment: slug("production") };
    Counted {
        at: Step::Minute.start(at(micros)),
        tenant: key.map(|_| Arc::new(tenant)),
        key: key.map(|key| key.id),
        secret: None,
        signal: Some(Signal::Logs),
        fate,
        amount: Amount { exports, items: 10 * exports, wire_bytes: 1, bytes: 1 },
    }
}

async fn volumes_are_those_of_busy_keys(fresh: Arc<Fresh>) {
    let (catalog, [one, other, bank]) = with_keys(&fresh).await;
    let hour = 100 * HOUR;
    let all = [
        counted(Some(&one), hour + MINUTE, Fate::Received, 60),
        counted(Some(&one), hour + 2 * MINUTE, Fate::Received, 40),
        counted(Some(&one), hour, Fate::Accepted, 1_000),
        counted(Some(&one), hour - HOUR, Fate::Received, 7),
        counted(Some(&one), hour - 30 * HOUR, Fate::Received, 3),
        counted(Some(&one), hour - 90 * HOUR, Fate::Received, 5_000),
        // Too little, and nothing before.
        counted(Some(&other), hour, Fate::Received, 99),
        counted(Some(&other), hour - HOUR, Fate::Received, 1),
        counted(Some(&bank), hour, Fate::Received, 500),
    ];
    count(&*catalog, 1, &all).await;
    let found = catalog.volumes(at(hour), at(hour - 50 * HOUR), 100, 1_000_000).await.expect("an answer");
    let expected = Volume {
        key: one.id,
        tenant: Tenant { project: slug("shop"), grid: slug("web"), environment: slug("production") },
        exports: 100,
        items: 1_000,
        first_at: at(hour - 30 * HOUR),
        hours: 2,
        exports_before: 10,
        items_before: 100,
    };
    assert_eq!(found, [expected]);
    let by_items = catalog.volumes(at(hour), at(0), 1_000_000, 990).await.expect("an answer");
    assert_eq!(by_items.iter().map(|one| one.key).collect::<Vec<_>>(), [one.id, other.id]);
}

async fn the_worst_minute_is_found(fresh: Arc<Fresh>) {
    let (catalog, [one, ..]) = with_keys(&fresh).await;
    let all = [
        counted(None, MINUTE, Fate::Refused(Reason::KeyInvalid), 60),
        counted(None, MINUTE, Fate::Refused(Reason::CredentialsMissing), 40),
        counted(None, MINUTE, Fate::Refused(Reason::PathUnknown), 900),
        counted(Some(&one), MINUTE, Fate::Refused(Reason::RateLimited), 900),
        counted(None, 2 * MINUTE, Fate::Refused(Reason::KeyMalformed), 99),
    ];
    count(&*catalog, 1, &all).await;
    let found = async |since, least| catalog.failed_minute(at(since), least).await.expect("an answer");
    assert_eq!(found(0, 100).await, Some(FailedMinute { at: at(MINUTE), exports: 100 }));
    assert_eq!(found(0, 101).await, None);
    assert_eq!(found(2 * MINUTE, 99).await, Some(FailedMinute { at: at(2 * MINUTE), exports: 99 }));
    assert_eq!(found(3 * MINUTE, 1).await, None);
}
