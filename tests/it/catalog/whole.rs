//! What concerns keys as a whole: how many are active, and their end.

use std::sync::Arc;

use gridgate::catalog::{Catalog, CatalogError, Entity};
use gridgate::domain::audit::Action;
use gridgate::domain::key::KeyEdit;
use gridgate::domain::project::{ProjectChange, ProjectEdit};
use gridgate::domain::{Binding, Changed, Key, KeyChange, KeyId, Tags};

use super::{Fresh, at, by, key, on_both, slug, tenant, with_grids};

on_both!(
    a_tenant_has_so_many_active_keys,
    of_racing_creates_the_last_place_has_one_winner,
    a_revoked_key_is_purged_after_its_time,
    a_name_is_free_once_its_key_has_expired,
);

pub(super) fn web(number: u8) -> Key {
    key(number, tenant("shop", "web", "staging"))
}

pub(super) async fn bound(catalog: &dyn Catalog, most: u32) {
    let edit = ProjectEdit { max_active_keys: Some(Some(most)), ..ProjectEdit::default() };
    let edit = ProjectChange::Edit(Box::new(edit));
    catalog.change_project(&slug("shop"), &edit, None, &by(0)).await.expect("an edit").expect("the project");
}

fn assert_full<T: std::fmt::Debug>(answer: Result<T, CatalogError>, expected: &[KeyId]) {
    match answer {
        Err(CatalogError::KeyLimit { active, .. }) => assert_eq!(active, expected),
        other => panic!("{other:?}"),
    }
}

async fn a_tenant_has_so_many_active_keys(fresh: Arc<Fresh>) {
    let catalog = with_grids(&fresh).await;
    bound(&*catalog, 2).await;
    let create = async |key: &Key, now| catalog.create_key(key, Action::KeyCreated, &by(now)).await;
    let change = async |key: &Key, change, now| catalog.change_key(&key.id, &change, None, &by(now)).await;
    let expiring = |at| KeyChange::Edit(Box::new(KeyEdit { expires_at: Some(at), ..KeyEdit::default() }));
    let (one, two) = (web(1), Key { expires_at: Some(at(100)), ..web(2) });
    create(&one, 0).await.expect("the first");
    create(&two, 0).await.expect("the second");
    assert_full(create(&web(3), 99).await, &[one.id, two.id]);
    // Only active keys of the same tenant count.
    create(&Key { disabled_at: Some(at(1)), ..web(4) }, 0).await.expect("a disabled one");
    create(&key(5, tenant("shop", "web", "production")), 0).await.expect("one of another environment");
    create(&key(6, tenant("bank", "web", "staging")), 0).await.expect("one of another project");
    create(&key(7, Binding::Project(slug("shop"))), 0).await.expect("an admin key");
    assert_full(change(&web(4), KeyChange::Enable, 99).await, &[one.id, two.id]);
    // At its expiry the second gives way, and then it cannot come back.
    create(&web(3), 100).await.expect("a place is free");
    assert_full(change(&two, expiring(Some(at(200))), 100).await, &[one.id, web(3).id]);
    change(&one, KeyChange::Disable, 101).await.expect("disabled");
    let renewed = change(&two, expiring(None), 102).await.expect("a place is free").expect("the key");
    assert_eq!(renewed.1, Changed::Yes);
    // Keys that are active already are changed whatever the bound.
    bound(&*catalog, 1).await;
    change(&two, expiring(Some(at(500))), 103).await.expect("it was active before");
    assert_full(change(&one, KeyChange::Enable, 104).await, &[two.id, web(3).id]);
}

async fn of_racing_creates_the_last_place_has_one_winner(fresh: Arc<Fresh>) {
    let catalog = with_grids(&fresh).await;
    bound(&*catalog, 1).await;
    let tasks: Vec<_> = (1..=8)
        .map(|number| {
            let catalog = Arc::clone(&catalog);
            tokio::spawn(async move { catalog.create_key(&web(number), Action::KeyCreated, &by(0)).await })
        })
        .collect();
    let mut wins = 0;
    for task in tasks {
        let answer = task.await.expect("no panic");
        wins += usize::from(answer.is_ok());
        assert!(matches!(answer, Ok(()) | Err(CatalogError::KeyLimit { most: 1, .. })), "{answer:?}");
    }
    assert_eq!((wins, fresh.count("keys").await), (1, 1));
}

async fn a_revoked_key_is_purged_after_its_time(fresh: Arc<Fresh>) {
    let catalog = with_grids(&fresh).await;
    let key = Key {
        name: "Jane Doe's".to_owned(),
        note: "call Jane".to_owned(),
        owner: Some("Jane".to_owned()),
        tags: Tags::new(["blue"]).expect("tags"),
        ..web(1)
    };
    catalog.create_key(&key, Action::KeyCreated, &by(0)).await.expect("a key");
    catalog.create_key(&web(2), Action::KeyCreated, &by(0)).await.expect("another");
    assert!(matches!(catalog.purge_key(&key.id, &by(1)).await, Err(CatalogError::NotRevoked)));
    catalog.change_key(&key.id, &KeyChange::Revoke, None, &by(10)).await.expect("revoked");
    let over = 10 + i64::try_from(fresh.settings.purge_after.as_micros()).expect("a time");
    match catalog.purge_key(&key.id, &by(over - 1)).await {
        Err(CatalogError::RetentionNotOver { until }) => assert_eq!(until, at(over)),
        other => panic!("{other:?}"),
    }
    assert_eq!(fresh.count("audit WHERE action = 'key.purged'").await, 0);
    assert!(catalog.purge_key(&key.id, &by(over)).await.expect("purged"));
    assert!(catalog.key(&key.id).await.expect("an answer").is_none());
    assert!(catalog.key(&web(2).id).await.expect("an answer").is_some());
    assert!(!catalog.purge_key(&key.id, &by(over)).await.expect("an answer"), "it is gone already");
    let rows = (fresh.count("keys").await, fresh.count("secrets").await, fresh.count("key_tags").await);
    assert_eq!(rows, (1, 1, 0));
    let purged = "audit WHERE action = 'key.purged' AND after IS NULL AND before LIKE '%revoked_at%'";
    assert_eq!(fresh.count(purged).await, 1);
    assert_eq!(fresh.count(&format!("{purged} AND before LIKE '%Jane%'")).await, 0);
}

async fn a_name_is_free_once_its_key_has_expired(fresh: Arc<Fresh>) {
    let catalog = with_grids(&fresh).await;
    let named = |number| Key { name: "one".to_owned(), ..web(number) };
    let expiring = Key { expires_at: Some(at(100)), ..named(1) };
    let create = async |key: &Key, now| catalog.create_key(key, Action::KeyCreated, &by(now)).await;
    let edit = async |key: &Key, edit: KeyEdit| {
        catalog.change_key(&key.id, &KeyChange::Edit(Box::new(edit)), None, &by(100)).await
    };
    let taken = |answer| assert!(matches!(answer, Err(CatalogError::Exists(Entity::Key))));
    create(&expiring, 0).await.expect("a key");
    taken(create(&named(2), 99).await);
    create(&named(2), 100).await.expect("the name is free");
    // Renewed, the first would have the name of a living key.
    let renew = || KeyEdit { expires_at: Some(Some(at(200))), ..KeyEdit::default() };
    taken(edit(&expiring, renew()).await.map(|_| ()));
    edit(&expiring, KeyEdit { name: Some("two".to_owned()), ..renew() }).await.expect("renewed under another name");
    taken(edit(&named(2), KeyEdit { name: Some("two".to_owned()), ..KeyEdit::default() }).await.map(|_| ()));
}
