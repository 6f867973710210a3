//! Policies, reviews and notices.

use std::sync::Arc;
use std::time::Duration;

use gridgate::catalog::{Catalog, CatalogError, Notice, Paging};
use gridgate::domain::audit::Action;
use gridgate::domain::hygiene::{ADMIN_ROTATION, Flag, RotationPolicy};
use gridgate::domain::key::SecretMark;
use gridgate::domain::webhook::{Delivery, DeliveryState, EventId, EventKind, SigningSecret, Webhook};
use gridgate::domain::{Binding, KeyChange, KeyId, OsRandom};

use super::{Fresh, at, by, key, on_both, slug, tenant, with_grids};

on_both!(
    each_environment_has_its_policy,
    living_keys_come_in_pages_by_id,
    reviews_are_those_of_a_time,
    a_notice_is_given_once_until_its_cause_is_gone,
);

fn id(number: u8) -> KeyId {
    KeyId::from_bare(&format!("{number:012}")).expect("an id")
}

async fn with_keys(fresh: &Fresh) -> Arc<dyn Catalog> {
    let catalog = with_grids(fresh).await;
    for (number, project) in [(1, "shop"), (2, "bank"), (3, "shop"), (4, "shop")] {
        let key = key(number, tenant(project, "web", "production"));
        catalog.create_key(&key, Action::KeyCreated, &by(5)).await.expect("a key");
    }
    catalog.create_key(&key(5, Binding::Installation), Action::KeyCreated, &by(5)).await.expect("a key");
    catalog.change_key(&id(3), &KeyChange::Revoke, None, &by(9)).await.expect("it is revoked");
    catalog
}

async fn each_environment_has_its_policy(fresh: Arc<Fresh>) {
    let catalog = with_grids(&fresh).await;
    fresh.execute("UPDATE environments SET rotation_days = NULL WHERE slug = 'staging'").await;
    let policy = RotationPolicy::new(&catalog.environments().await.expect("environments"));
    let of = |environment: &str| policy.of(&key(1, tenant("shop", "web", environment)));
    let days = |days: u64| Some(Duration::from_secs(days * 24 * 3600));
    assert_eq!([of("production"), of("staging"), of("development")], [days(90), None, days(180)]);
    assert_eq!(policy.of(&key(1, Binding::Installation)), Some(ADMIN_ROTATION));
}

async fn living_keys_come_in_pages_by_id(fresh: Arc<Fresh>) {
    let catalog = with_keys(&fresh).await;
    let of = async |project: Option<&str>, limit: u32, after: Option<String>| {
        let page = catalog.living_keys(project.map(slug).as_ref(), &Paging { limit, after }).await.expect("a page");
        assert!(page.items.iter().all(|key| key.secrets.len() == 1));
        (page.items.iter().map(|key| key.id).collect::<Vec<_>>(), page.next)
    };
    let (first, next) = of(None, 3, None).await;
    assert_eq!((first, next.clone()), (vec![id(1), id(2), id(4)], Some(id(4).to_string())));
    assert_eq!(of(None, 3, next).await, (vec![id(5)], None));
    assert_eq!(of(Some("shop"), 3, None).await, (vec![id(1), id(4)], None));
    assert_eq!(of(Some("bank"), 3, Some(id(2).to_string())).await, (vec![], None));
    let bad = Paging { limit: 1, after: Some("x".to_owned()) };
    assert!(matches!(catalog.living_keys(None, &bad).await, Err(CatalogError::Cursor)));
}

async fn reviews_are_those_of_a_time(fresh: Arc<Fresh>) {
    let catalog = with_keys(&fresh).await;
    let mark = KeyChange::Mark(SecretMark::Reviewed);
    for (number, micros) in [(1, 100), (2, 150), (1, 200), (1, 300), (4, 50)] {
        catalog.change_key(&id(number), &mark, None, &by(micros)).await.expect("it is reviewed");
    }
    let of = async |project: Option<&str>, limit: u32| {
        let paging = Paging { limit, after: None };
        let reviews = catalog.reviews(project.map(slug).as_ref(), &paging, at(100), at(300)).await.expect("reviews");
        assert!(reviews.iter().all(|review| review.by_name == "test" && review.by.is_none()));
        reviews.iter().map(|review| (review.key, review.at)).collect::<Vec<_>>()
    };
    assert_eq!(of(None, 10).await, [(id(1), at(200)), (id(2), at(150))]);
    assert_eq!(of(Some("shop"), 10).await, [(id(1), at(200))]);
    assert_eq!(of(Some("bank"), 10).await, [(id(2), at(150))]);
}

async fn a_notice_is_given_once_until_its_cause_is_gone(fresh: Arc<Fresh>) {
    let catalog = with_keys(&fresh).await;
    let webhook = Webhook {
        id: "whk_7Hq2mZxK9wPa".parse().expect("an id"),
        project: None,
        url: "https://example.com".to_owned(),
        note: String::new(),
        events: [EventKind::Weak].into(),
        secret: SigningSecret { version: 1, pepper: 1 },
        previous: None,
        version: 1,
        created_at: at(5),
        created_by: id(5),
        updated_at: at(5),
        disabled: None,
        failing_since: None,
    };
    catalog.create_webhook(&webhook, &by(5)).await.expect("a webhook");
    let notice = |number: u8, flag: Flag| Notice {
        key: id(number),
        flag,
        deliveries: vec![Delivery {
            webhook: webhook.id,
            event: EventId::new(at(6), &OsRandom).expect("an id"),
            kind: "key.weak".to_owned(),
            payload: "{}".to_owned(),
            created_at: at(6),
            state: DeliveryState::Pending { next_at: at(6) },
            attempts: 0,
            last: None,
        }],
    };
    let given = [notice(1, Flag::Weak), notice(2, Flag::Weak), notice(2, Flag::Unused45)];
    catalog.write_notices(&given, &[], at(6)).await.expect("they are written");
    assert_eq!(catalog.pending_deliveries().await.expect("a number"), 3);
    // Another node has seen the same.
    catalog.write_notices(&[notice(1, Flag::Weak), notice(4, Flag::Weak)], &[], at(7)).await.expect("they are written");
    assert_eq!(catalog.pending_deliveries().await.expect("a number"), 4);
    let noticed = async |after: Option<u8>, until: Option<u8>| {
        catalog.notices(after.map(id).as_ref(), until.map(id).as_ref()).await.expect("notices")
    };
    let all = [(id(1), Flag::Weak), (id(2), Flag::Unused45), (id(2), Flag::Weak), (id(4), Flag::Weak)];
    assert_eq!(noticed(None, None).await, all);
    assert_eq!(noticed(Some(1), Some(2)).await, all[1..3]);
    assert_eq!(noticed(Some(4), None).await, []);
    catalog.write_notices(&[], &[all[0], all[1]], at(8)).await.expect("they are forgotten");
    assert_eq!(noticed(None, None).await, all[2..]);
    catalog.write_notices(&[notice(1, Flag::Weak)], &[], at(9)).await.expect("it is written");
    assert_eq!(catalog.pending_deliveries().await.expect("a number"), 5);
}
