//! Keys that come from elsewhere, many at once.

use std::sync::Arc;
use std::time::Duration;

use gridgate::catalog::{CatalogError, CatalogSettings, Entity, ImportFault, ImportedKey, connect};
use gridgate::domain::audit::Action;
use gridgate::domain::{Digest, Key, KeyId, Secret, Tags};

use super::whole::{bound, web};
use super::{Fresh, assert_same, at, by, key, on_both, secret, slug, tenant, with_grids};

on_both!(
    an_import_is_whole_and_its_entries_are_a_chain,
    an_import_with_a_fault_imports_nothing,
    everything_that_is_wrong_with_a_key_is_told,
    a_place_is_taken_by_those_that_can_have_it,
    an_import_that_takes_too_long_is_given_up,
);

fn imported(key: Key) -> ImportedKey {
    let digests = key.secrets.iter().map(|secret| secret.digest).collect();
    ImportedKey { key, digests }
}

/// Keys of three tenants with tags, more than one statement takes.
fn many(count: u32) -> Vec<ImportedKey> {
    let one = |number: u32| {
        let mut digest = [9; 32];
        digest[..4].copy_from_slice(&number.to_be_bytes());
        let secret = Secret { digest: Digest::from_bytes(digest), ..secret(1, 0) };
        let environment = ["production", "staging", "development"][number as usize % 3];
        let id = KeyId::from_bare(&format!("{:012}", 1_000_000 + number)).expect("an id");
        let name = format!("key {number}");
        let tags = Tags::new(["blue", &format!("tag{}", number % 7)]).expect("tags");
        imported(Key { id, name, tags, secrets: vec![secret], ..key(1, tenant("shop", "web", environment)) })
    };
    (0..count).map(one).collect()
}

async fn an_import_is_whole_and_its_entries_are_a_chain(fresh: Arc<Fresh>) {
    let catalog = with_grids(&fresh).await;
    catalog.create_key(&key(77, tenant("shop", "app", "staging")), Action::KeyCreated, &by(0)).await.expect("a key");
    let before = catalog.audit_head().await.expect("a head");
    let keys = many(700);
    assert!(catalog.check_import(&keys, &by(7)).await.expect("an answer").is_empty());
    assert_eq!(fresh.count("keys").await, 1);
    assert!(catalog.import_keys(&keys, &by(7)).await.expect("an import").is_empty());
    for ImportedKey { key, .. } in keys.iter().step_by(13) {
        assert_same(&catalog.key(&key.id).await.expect("an answer").expect("the key"), key);
    }
    let rows = (fresh.count("keys").await, fresh.count("secrets").await, fresh.count("key_tags").await);
    assert_eq!(rows, (701, 701, 1400));
    assert_eq!(fresh.count("tenants WHERE grid = 'web'").await, 3);
    assert_eq!(fresh.count("audit WHERE action = 'key.imported' AND after LIKE '%tag6%'").await, 100);
    let report = catalog.verify_audit(Some(before)).await.expect("a report");
    assert_eq!((report.broken, report.head.seq, report.entries), (None, before.seq + 700, before.seq + 700));
    // Each entry stands for the key at its place.
    let nth = format!("audit WHERE seq = {} AND target = 'key_000001000499'", before.seq + 500);
    assert_eq!(fresh.count(&nth).await, 1);
}

async fn an_import_with_a_fault_imports_nothing(fresh: Arc<Fresh>) {
    let catalog = with_grids(&fresh).await;
    bound(&*catalog, 4).await;
    catalog.create_key(&web(1), Action::KeyCreated, &by(0)).await.expect("a key");
    let counts = async || {
        let tenants = fresh.count("tenants").await;
        (fresh.count("keys").await, fresh.count("secrets").await, fresh.count("audit").await, tenants)
    };
    let before = counts().await;
    let name_of = |number: u8, other: u8| Key { name: web(other).name, ..web(number) };
    let token_of = |number: u8, other: u8| Key { secrets: web(other).secrets, ..web(number) };
    let keys = [
        web(2),
        name_of(3, 1),
        name_of(4, 2),
        token_of(5, 1),
        token_of(6, 2),
        key(7, tenant("shop", "none", "staging")),
        key(8, tenant("none", "web", "staging")),
        Key { role: Some(slug("none")), ..web(9) },
        web(10),
        web(11),
        web(12),
        key(13, tenant("shop", "app", "none")),
        key(14, tenant("shop", "app", "production")),
    ]
    .map(imported);
    let faults = catalog.import_keys(&keys, &by(0)).await.expect("an answer");
    assert!(
        matches!(
            told(&faults).as_slice(),
            [
                (1, None, CatalogError::Exists(Entity::Key)),
                (2, Some(0), CatalogError::Exists(Entity::Key)),
                (3, None, CatalogError::Exists(Entity::Token)),
                (4, Some(0), CatalogError::Exists(Entity::Token)),
                (5, None, CatalogError::Missing(Entity::Grid)),
                (6, None, CatalogError::Missing(Entity::Project)),
                (7, None, CatalogError::Missing(Entity::Role)),
                (10, None, CatalogError::KeyLimit { most: 4, .. }),
                (11, None, CatalogError::Missing(Entity::Environment)),
            ]
        ),
        "{faults:?}"
    );
    assert_eq!(counts().await, before);
    let checked = catalog.check_import(&keys, &by(0)).await.expect("an answer");
    assert_eq!(format!("{checked:?}"), format!("{faults:?}"));
}

fn told(faults: &[ImportFault]) -> Vec<(usize, Option<usize>, &CatalogError)> {
    faults.iter().map(|fault| (fault.row, fault.same_as, &fault.error)).collect()
}

async fn everything_that_is_wrong_with_a_key_is_told(fresh: Arc<Fresh>) {
    let catalog = with_grids(&fresh).await;
    catalog.create_key(&web(1), Action::KeyCreated, &by(0)).await.expect("a key");
    let digest = |byte| Digest::from_bytes([byte; 32]);
    let key = Key { role: Some(slug("none")), name: web(1).name, ..web(2) };
    // Of several digests one is enough.
    let keys = [imported(web(3)), ImportedKey { key, digests: vec![digest(40), digest(3), digest(50)] }];
    let faults = catalog.import_keys(&keys, &by(0)).await.expect("an answer");
    assert!(
        matches!(
            told(&faults).as_slice(),
            [
                (1, None, CatalogError::Missing(Entity::Role)),
                (1, None, CatalogError::Exists(Entity::Key)),
                (1, Some(0), CatalogError::Exists(Entity::Token)),
            ]
        ),
        "{faults:?}"
    );
    // What names and tokens are taken by must be alive, and in the same tenant.
    let named = |number, key: Key| imported(Key { name: web(1).name, ..Key { secrets: web(number).secrets, ..key } });
    let others = [
        named(5, super::key(5, tenant("shop", "app", "staging"))),
        named(6, super::key(6, tenant("bank", "web", "staging"))),
    ];
    assert!(catalog.import_keys(&others, &by(0)).await.expect("an import").is_empty());
    let expiring = Key { expires_at: Some(at(100)), name: "short".to_owned(), ..web(7) };
    catalog.create_key(&expiring, Action::KeyCreated, &by(0)).await.expect("a key");
    let again = [imported(Key { name: "short".to_owned(), ..web(8) })];
    assert_eq!(catalog.import_keys(&again, &by(99)).await.expect("an answer").len(), 1);
    assert!(catalog.import_keys(&again, &by(100)).await.expect("an import").is_empty());
}

async fn a_place_is_taken_by_those_that_can_have_it(fresh: Arc<Fresh>) {
    let catalog = with_grids(&fresh).await;
    bound(&*catalog, 2).await;
    let expired = Key { expires_at: Some(at(50)), ..web(1) };
    let disabled = Key { disabled_at: Some(at(0)), ..web(2) };
    for key in [&expired, &disabled, &web(3)] {
        catalog.create_key(key, Action::KeyCreated, &by(0)).await.expect("a key");
    }
    let keys = [
        imported(Key { name: web(3).name, ..web(4) }),
        imported(Key { disabled_at: Some(at(50)), ..web(5) }),
        imported(web(6)),
        imported(key(7, tenant("shop", "app", "staging"))),
        imported(web(8)),
    ];
    let faults = catalog.import_keys(&keys, &by(50)).await.expect("an answer");
    assert!(
        matches!(
            told(&faults).as_slice(),
            [
                (0, None, CatalogError::Exists(Entity::Key)),
                (4, None, CatalogError::KeyLimit { most: 2, active }),
            ] if *active == [web(3).id]
        ),
        "{faults:?}"
    );
    // Where all places go to keys of the import, there is nobody to name.
    let app = |number| imported(key(number, tenant("shop", "app", "staging")));
    let faults = catalog.import_keys(&[app(20), app(21), app(22)], &by(50)).await.expect("an answer");
    assert_eq!(faults.len(), 1);
    assert_eq!(faults[0].error.to_string(), "the most active keys here are 2; disable or revoke one first");
}

async fn an_import_that_takes_too_long_is_given_up(fresh: Arc<Fresh>) {
    let catalog = with_grids(&fresh).await;
    let before = catalog.audit_head().await.expect("a head");
    let hasty = CatalogSettings { import_timeout: Duration::from_nanos(1), ..fresh.settings.clone() };
    let hasty = connect(&hasty).await.expect("a catalog");
    let keys = many(2_000);
    let answer = hasty.import_keys(&keys, &by(7)).await;
    assert!(matches!(answer, Err(CatalogError::ImportTimeout(_))), "{answer:?}");
    // Nobody waits for it any longer, and nothing of it is there.
    hasty.create_key(&key(77, tenant("shop", "app", "staging")), Action::KeyCreated, &by(8)).await.expect("a key");
    assert_eq!((fresh.count("keys").await, fresh.count("secrets").await), (1, 1));
    let report = catalog.verify_audit(Some(before)).await.expect("a report");
    assert_eq!((report.broken, report.entries), (None, before.seq + 1));
    assert!(catalog.import_keys(&keys, &by(9)).await.expect("an import").is_empty());
}
