//! Keys and their secrets.

use std::sync::Arc;

use gridgate::catalog::{Catalog, CatalogError, Entity, KeyFilter, Page, Paging};
use gridgate::domain::audit::Action;
use gridgate::domain::key::{ChangeRefused, DigestAlgorithm};
use gridgate::domain::{Binding, Changed, Key, KeyChange, KeyStatus, Permissions, TokenKind};

use super::{Fresh, assert_same, at, by, key, on_both, secret, slug, tenant, with_grids};

on_both!(
    a_key_comes_back_as_it_was_written,
    a_key_needs_what_it_is_bound_to,
    a_name_is_taken_until_its_key_is_revoked,
    a_failed_create_leaves_nothing,
    keys_are_filtered,
    pages_of_keys_are_full_and_miss_none,
    a_key_changes_its_state,
    of_racing_revocations_the_first_stays,
    of_racing_keys_of_one_name_one_wins,
);

/// The ids of the keys that pass `filter` at `now`, without their leading zeros.
async fn listed(catalog: &dyn Catalog, filter: &KeyFilter, now: i64) -> Vec<String> {
    let paging = Paging { limit: 100, after: None };
    let page = catalog.keys(filter, at(now), &paging).await.expect("keys");
    assert_eq!(page.next, None);
    page.items.iter().map(|key| key.id.bare().trim_start_matches('0').to_owned()).collect()
}

async fn a_key_comes_back_as_it_was_written(fresh: Arc<Fresh>) {
    let catalog = with_grids(&fresh).await;
    let mut full = key(1, tenant("shop", "web", "staging"));
    full.name = "für Zoë \u{1F511}'; --".to_owned();
    full.created_by = Some(key(9, Binding::Installation).id);
    full.created_at = at(i64::MIN);
    full.expires_at = Some(at(i64::MAX));
    full.disabled_at = Some(at(-1));
    full.revoked_at = Some(at((1 << 53) + 1));
    let mut old = secret(u32::MAX - 1, 0);
    old.retires_at = Some(at(7));
    old.algorithm = DigestAlgorithm::HmacSha256 { pepper: u32::MAX };
    full.secrets = vec![secret(u32::MAX, 255), old];
    let mut bare = key(2, Binding::Installation);
    bare.permissions = Permissions::default();
    bare.secrets.clear();
    let mut of_project = key(3, Binding::Project(slug("bank")));
    of_project.permissions = Permissions::owner();

    for key in [&full, &bare, &of_project] {
        assert!(catalog.key(&key.id).await.expect("an answer").is_none());
        catalog.create_key(key, Action::KeyCreated, &by(0)).await.expect("a key");
    }
    let everything = catalog.keys(&KeyFilter::default(), at(0), &Paging { limit: 3, after: None }).await.expect("keys");
    assert_eq!(everything.items.len(), 3);
    for (listed, key) in everything.items.iter().zip([&of_project, &bare, &full]) {
        assert_same(listed, key);
        assert_same(&catalog.key(&key.id).await.expect("an answer").expect("the key"), key);
    }
}

async fn a_key_needs_what_it_is_bound_to(fresh: Arc<Fresh>) {
    let catalog = with_grids(&fresh).await;
    for (binding, missing) in [
        (tenant("none", "web", "staging"), Entity::Project),
        (tenant("bank", "app", "staging"), Entity::Grid),
        (tenant("bank", "web", "none"), Entity::Environment),
        (Binding::Project(slug("none")), Entity::Project),
    ] {
        let error = catalog.create_key(&key(1, binding), Action::KeyCreated, &by(0)).await.expect_err("missing");
        assert!(matches!(error, CatalogError::Missing(entity) if entity == missing), "{error}");
    }
    assert_eq!((fresh.count("tenants").await, fresh.count("keys").await), (0, 0));

    catalog.create_key(&key(1, tenant("bank", "web", "staging")), Action::KeyCreated, &by(0)).await.expect("a key");
    catalog
        .create_key(&key(2, tenant("bank", "web", "staging")), Action::KeyCreated, &by(0))
        .await
        .expect("another of this tenant");
    catalog
        .create_key(&key(3, tenant("bank", "web", "production")), Action::KeyCreated, &by(0))
        .await
        .expect("the first of another tenant");
    assert_eq!(fresh.count("tenants").await, 2);
}

async fn a_name_is_taken_until_its_key_is_revoked(fresh: Arc<Fresh>) {
    let catalog = with_grids(&fresh).await;
    let bindings = [
        tenant("shop", "web", "staging"),
        tenant("shop", "web", "production"),
        tenant("shop", "app", "staging"),
        tenant("bank", "web", "staging"),
        Binding::Project(slug("shop")),
        Binding::Project(slug("bank")),
        Binding::Installation,
    ];
    let named = |number: u8, binding: &Binding| Key { name: "one".to_owned(), ..key(number, binding.clone()) };
    for (number, binding) in (1..).zip(&bindings) {
        catalog.create_key(&named(number, binding), Action::KeyCreated, &by(0)).await.expect("free with this binding");
    }
    for (number, binding) in (1..).zip(&bindings) {
        let error =
            catalog.create_key(&named(number + 20, binding), Action::KeyCreated, &by(0)).await.expect_err("taken");
        assert!(matches!(error, CatalogError::Exists(Entity::Key)), "{error}");
        catalog.change_key(&named(number, binding).id, &KeyChange::Revoke, None, &by(50)).await.expect("revoked");
        catalog.create_key(&named(number + 20, binding), Action::KeyCreated, &by(0)).await.expect("free again");
    }
}

async fn a_failed_create_leaves_nothing(fresh: Arc<Fresh>) {
    let catalog = with_grids(&fresh).await;
    let first = key(1, Binding::Installation);
    catalog.create_key(&first, Action::KeyCreated, &by(0)).await.expect("a key");

    let same_id = Key { id: first.id, ..key(2, tenant("shop", "web", "staging")) };
    let mut same_version = key(3, tenant("shop", "web", "staging"));
    same_version.secrets = vec![secret(1, 1), secret(1, 2)];
    for taken in [same_id, same_version] {
        let error = catalog.create_key(&taken, Action::KeyCreated, &by(0)).await.expect_err("taken");
        assert!(matches!(error, CatalogError::Exists(Entity::Key)), "{error}");
    }
    let counts = (fresh.count("keys").await, fresh.count("secrets").await, fresh.count("tenants").await);
    assert_eq!(counts, (1, 1, 0));
    assert_same(&catalog.key(&first.id).await.expect("an answer").expect("the key"), &first);
}

async fn keys_are_filtered(fresh: Arc<Fresh>) {
    let catalog = with_grids(&fresh).await;
    let active = key(1, tenant("shop", "web", "staging"));
    let disabled = Key { disabled_at: Some(at(1)), ..key(2, tenant("shop", "web", "production")) };
    let expiring =
        Key { expires_at: Some(at(100)), disabled_at: Some(at(1)), ..key(3, tenant("shop", "app", "staging")) };
    let revoked = Key { revoked_at: Some(at(1)), expires_at: Some(at(1)), ..key(4, tenant("bank", "web", "staging")) };
    let of_project = Key { expires_at: Some(at(101)), ..key(5, Binding::Project(slug("shop"))) };
    let of_all = key(6, Binding::Installation);
    for key in [&active, &disabled, &expiring, &revoked, &of_project, &of_all] {
        catalog.create_key(key, Action::KeyCreated, &by(0)).await.expect("a key");
    }
    let all = KeyFilter::default();
    let statuses = |statuses: &[KeyStatus]| KeyFilter { statuses: statuses.to_vec(), ..KeyFilter::default() };
    for (filter, expected) in [
        (all.clone(), "6 5 4 3 2 1"),
        (KeyFilter { project: Some(slug("shop")), ..all.clone() }, "5 3 2 1"),
        (KeyFilter { project: Some(slug("none")), ..all.clone() }, ""),
        (KeyFilter { grid: Some(slug("web")), ..all.clone() }, "4 2 1"),
        (KeyFilter { project: Some(slug("shop")), grid: Some(slug("web")), ..all.clone() }, "2 1"),
        (KeyFilter { environment: Some(slug("staging")), ..all.clone() }, "4 3 1"),
        (KeyFilter { kind: Some(TokenKind::Admin), ..all.clone() }, "6 5"),
        (KeyFilter { kind: Some(TokenKind::Ingest), ..all.clone() }, "4 3 2 1"),
        (statuses(&KeyStatus::ALL), "6 5 4 3 2 1"),
        (statuses(&[KeyStatus::Revoked]), "4"),
        // At the very instant of expiry a key has expired, and expired hides disabled.
        (statuses(&[KeyStatus::Expired]), "3"),
        (statuses(&[KeyStatus::Disabled]), "2"),
        (statuses(&[KeyStatus::Active]), "6 5 1"),
        (statuses(&[KeyStatus::Active, KeyStatus::Active, KeyStatus::Revoked]), "6 5 4 1"),
        (KeyFilter { kind: Some(TokenKind::Ingest), ..statuses(&[KeyStatus::Active]) }, "1"),
    ] {
        let found = listed(&*catalog, &filter, 100).await;
        assert_eq!(found.join(" "), expected, "{filter:?}");
    }
    // Every status that SQL computes is the domain's, around the expiries.
    for now in [99, 100, 101] {
        for status in KeyStatus::ALL {
            let paging = Paging { limit: 100, after: None };
            let found = catalog.keys(&statuses(&[status]), at(now), &paging).await.expect("keys");
            assert!(found.items.iter().all(|key| key.status(at(now)) == status), "{status} at {now}");
        }
    }
}

async fn pages_of_keys_are_full_and_miss_none(fresh: Arc<Fresh>) {
    let catalog = with_grids(&fresh).await;
    // Three of a kind share an instant, so that the order within it counts; every second is disabled and has two secrets.
    for number in 1..=20 {
        let mut key = key(number, tenant("shop", "web", "staging"));
        key.created_at = at(i64::from(number / 3));
        if number % 2 == 0 {
            key.disabled_at = Some(at(1));
            key.secrets.insert(0, secret(2, number));
        }
        catalog.create_key(&key, Action::KeyCreated, &by(0)).await.expect("a key");
    }
    let filter = KeyFilter { statuses: vec![KeyStatus::Disabled], ..KeyFilter::default() };
    let expected = listed(&*catalog, &filter, 0).await;
    assert_eq!(expected.join(" "), "20 18 16 14 12 10 8 6 4 2");
    for limit in 1..=11 {
        let mut found = Vec::new();
        let mut after = None;
        loop {
            let Page { items, next } = catalog.keys(&filter, at(0), &Paging { limit, after }).await.expect("a page");
            assert!(next.is_none() || items.len() == limit as usize, "full");
            assert!(items.iter().all(|key| key.secrets.len() == 2 && key.secrets[0].version == 2), "newest first");
            found.extend(items.iter().map(|key| key.id.bare().trim_start_matches('0').to_owned()));
            assert!(found.len() <= expected.len(), "the pages come to an end");
            after = next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(found, expected);
    }
}

async fn a_key_changes_its_state(fresh: Arc<Fresh>) {
    let catalog = with_grids(&fresh).await;
    let key = Key { expires_at: Some(at(1_000)), ..key(1, tenant("shop", "web", "staging")) };
    assert!(catalog.change_key(&key.id, &KeyChange::Revoke, None, &by(1)).await.expect("an answer").is_none());
    catalog.create_key(&key, Action::KeyCreated, &by(0)).await.expect("a key");

    for (change, now, expected, disabled_at, revoked_at) in [
        (KeyChange::Enable, 10, Changed::Already, None, None),
        (KeyChange::Disable, 20, Changed::Yes, Some(20), None),
        (KeyChange::Disable, 30, Changed::Already, Some(20), None),
        (KeyChange::Enable, 40, Changed::Yes, None, None),
        (KeyChange::Disable, 50, Changed::Yes, Some(50), None),
        (KeyChange::Revoke, 60, Changed::Yes, Some(50), Some(60)),
        (KeyChange::Revoke, 70, Changed::Already, Some(50), Some(60)),
    ] {
        let (answered, changed) =
            catalog.change_key(&key.id, &change, None, &by(now)).await.expect("a change").expect("the key");
        assert_eq!(changed, expected, "{change:?} at {now}");
        assert_eq!((answered.disabled_at, answered.revoked_at), (disabled_at.map(at), revoked_at.map(at)));
        assert_same(&catalog.key(&key.id).await.expect("an answer").expect("the key"), &answered);
    }
    let error = catalog.change_key(&key.id, &KeyChange::Enable, None, &by(80)).await.expect_err("revoked");
    assert!(matches!(error, CatalogError::ChangeRefused(ChangeRefused::Revoked)), "{error}");

    let expired = Key { expires_at: Some(at(5)), ..super::key(2, Binding::Installation) };
    catalog.create_key(&expired, Action::KeyCreated, &by(0)).await.expect("a key");
    let error = catalog.change_key(&expired.id, &KeyChange::Enable, None, &by(5)).await.expect_err("expired");
    assert!(matches!(error, CatalogError::ChangeRefused(ChangeRefused::Expired)), "{error}");
    assert_same(&catalog.key(&expired.id).await.expect("an answer").expect("the key"), &expired);
}

async fn of_racing_revocations_the_first_stays(fresh: Arc<Fresh>) {
    let catalog = with_grids(&fresh).await;
    let key = key(1, Binding::Installation);
    catalog.create_key(&key, Action::KeyCreated, &by(0)).await.expect("a key");
    let tasks: Vec<_> = (100..116)
        .map(|now| {
            let (catalog, id) = (Arc::clone(&catalog), key.id);
            tokio::spawn(async move { (now, catalog.change_key(&id, &KeyChange::Revoke, None, &by(now)).await) })
        })
        .collect();
    let (mut winners, mut told) = (Vec::new(), Vec::new());
    for task in tasks {
        let (now, answer) = task.await.expect("no panic");
        let (key, changed) = answer.expect("a change").expect("the key");
        told.push(key.revoked_at);
        if changed == Changed::Yes {
            winners.push(Some(at(now)));
        }
    }
    assert_eq!(winners.len(), 1);
    assert!(told.iter().all(|revoked_at| *revoked_at == winners[0]), "all are told the one time");
    assert_eq!(catalog.key(&key.id).await.expect("an answer").expect("the key").revoked_at, winners[0]);
}

async fn of_racing_keys_of_one_name_one_wins(fresh: Arc<Fresh>) {
    let catalog = with_grids(&fresh).await;
    let tasks: Vec<_> = (1..=12)
        .map(|number| {
            let catalog = Arc::clone(&catalog);
            // Also the first keys of their tenant: its row is written by one of them.
            let key = Key { name: "one".to_owned(), ..key(number, tenant("shop", "web", "staging")) };
            tokio::spawn(async move { catalog.create_key(&key, Action::KeyCreated, &by(0)).await })
        })
        .collect();
    let mut wins = 0;
    for task in tasks {
        let answer = task.await.expect("no panic");
        wins += usize::from(answer.is_ok());
        assert!(matches!(answer, Ok(()) | Err(CatalogError::Exists(Entity::Key))), "{answer:?}");
    }
    assert_eq!(wins, 1);
    assert_eq!((fresh.count("keys").await, fresh.count("secrets").await, fresh.count("tenants").await), (1, 1, 1));
}
