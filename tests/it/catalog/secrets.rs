//! Secrets as they are used.

use std::sync::Arc;
use std::time::Duration;

use gridgate::catalog::{Catalog, CatalogError};
use gridgate::domain::audit::Action;
use gridgate::domain::key::{DigestAlgorithm, NewSecret, Overlap, SecretFormat, SecretUse};
use gridgate::domain::uses::{LastUse, Renewal, UserAgent};
use gridgate::domain::{Binding, Changed, Digest, Key, KeyChange, KeyId, SecretState};
use sqlx::Row as _;

use super::{Fresh, assert_same, at, by, key, on_both, secret, tenant, with_grids};

on_both!(
    a_digest_leads_to_the_key_that_had_it_first,
    a_use_is_written_down,
    uses_of_several_nodes_move_forward_only,
    a_batch_of_uses_is_written_whole_or_not_at_all,
    a_digest_takes_the_place_of_its_old_one_alone,
    secrets_without_a_use_are_drained,
    a_use_that_is_written_in_time_keeps_a_secret,
    uses_and_erasure_do_not_wait_for_each_other,
);

fn used(key: &Key, version: u32, micros: i64) -> LastUse {
    LastUse {
        key: key.id,
        version,
        first_at: at(micros),
        last_at: at(micros),
        address: format!("192.0.2.{}", micros % 256).parse().expect("an address"),
        agent: UserAgent::new(format!("agent {micros}").as_bytes()),
        renewal: None,
    }
}

async fn create(catalog: &dyn Catalog, key: &Key) {
    catalog.create_key(key, Action::KeyCreated, &by(0)).await.expect("a key");
}

async fn read(catalog: &dyn Catalog, key: &Key) -> Key {
    catalog.key(&key.id).await.expect("an answer").expect("the key")
}

/// What the catalog knows of the uses of a key's secret `version`: first, last, address and agent.
async fn known(catalog: &dyn Catalog, key: &Key, version: u32) -> Option<(i64, i64, String, Option<String>)> {
    let key = read(catalog, key).await;
    let secret = key.secrets.into_iter().find(|secret| secret.version == version).expect("the secret");
    secret.used.map(|SecretUse { first_at, last_at, address, agent }| {
        (first_at.micros(), last_at.micros(), address.expect("an address").to_string(), agent)
    })
}

/// `keys.last_used_at`, by which lists are sorted.
async fn last_used_at(fresh: &Fresh, key: &Key) -> Option<i64> {
    let sql = "SELECT last_used_at FROM keys WHERE id = $1";
    let row = sqlx::query(sql).bind(key.id.to_string()).fetch_one(&mut fresh.raw().await).await.expect("a row");
    row.try_get("last_used_at").expect("a number")
}

async fn a_digest_leads_to_the_key_that_had_it_first(fresh: Arc<Fresh>) {
    let catalog = with_grids(&fresh).await;
    let mut keys: Vec<_> = (1..=4).map(|number| key(number, tenant("shop", "web", "production"))).collect();
    // Three and four have the same; three's is the older one, though it was written later.
    keys[3].secrets[0].digest = keys[2].secrets[0].digest;
    keys[3].secrets[0].created_at = at(9);
    keys[0].secrets.push(secret(2, 77));
    keys[0].secrets[1].retires_at = Some(at(4));
    for key in keys.iter().rev() {
        create(&*catalog, key).await;
    }
    catalog.change_key(&keys[1].id, &KeyChange::Revoke, None, &by(50)).await.expect("an answer").expect("a key");
    let found = async |bytes: &[u8]| -> Option<KeyId> {
        let digests: Vec<_> = bytes.iter().map(|&byte| Digest::from_bytes([byte; 32])).collect();
        catalog.key_of_digest(&digests).await.expect("an answer")
    };
    assert_eq!(found(&[]).await, None);
    assert_eq!(found(&[99]).await, None);
    assert_eq!(found(&[1]).await, Some(keys[0].id));
    assert_eq!(found(&[77, 99]).await, Some(keys[0].id));
    assert_eq!(found(&[99, 2]).await, Some(keys[1].id));
    assert_eq!(found(&[3]).await, Some(keys[2].id));
    assert_eq!(found(&[90, 91, 92, 93, 94, 95, 96, 97, 2]).await, Some(keys[1].id));
}

async fn a_use_is_written_down(fresh: Arc<Fresh>) {
    let catalog = with_grids(&fresh).await;
    let (one, other) = (key(1, Binding::Installation), key(2, tenant("shop", "web", "production")));
    create(&*catalog, &one).await;
    create(&*catalog, &other).await;
    let entries = fresh.count("audit").await;
    assert_eq!((known(&*catalog, &one, 1).await, last_used_at(&fresh, &one).await), (None, None));

    let mut first = used(&one, 1, 20);
    first.first_at = at(10);
    catalog.record_uses(&[first]).await.expect("written");
    let expected = Some((10, 20, "192.0.2.20".to_owned(), Some("agent 20".to_owned())));
    assert_eq!((known(&*catalog, &one, 1).await, last_used_at(&fresh, &one).await), (expected, Some(20)));

    let mut silent = used(&one, 1, 30);
    silent.agent = UserAgent::default();
    silent.address = "2001:db8::1".parse().expect("an address");
    catalog.record_uses(&[silent]).await.expect("written");
    let expected = Some((10, 30, "2001:db8::1".to_owned(), None));
    assert_eq!((known(&*catalog, &one, 1).await, last_used_at(&fresh, &one).await), (expected, Some(30)));

    // Nothing else of the keys is touched, and a use is no change.
    let mut written = read(&*catalog, &one).await;
    written.secrets[0].used = None;
    assert_same(&written, &one);
    assert_same(&read(&*catalog, &other).await, &other);
    assert_eq!(fresh.count("audit").await, entries);
}

async fn uses_of_several_nodes_move_forward_only(fresh: Arc<Fresh>) {
    let catalog = with_grids(&fresh).await;
    let mut key = key(1, tenant("shop", "web", "production"));
    key.secrets.insert(0, secret(2, 2));
    create(&*catalog, &key).await;
    for (version, micros) in [(1, 50), (1, 20), (2, 40), (1, 60), (2, 30), (1, 55)] {
        catalog.record_uses(&[used(&key, version, micros)]).await.expect("written");
    }
    let expected = |first, last| Some((first, last, format!("192.0.2.{last}"), Some(format!("agent {last}"))));
    assert_eq!(known(&*catalog, &key, 1).await, expected(20, 60));
    assert_eq!(known(&*catalog, &key, 2).await, expected(30, 40));
    assert_eq!(last_used_at(&fresh, &key).await, Some(60));
    assert_eq!(read(&*catalog, &key).await.last_used().map(|used| used.last_at), Some(at(60)));
    // Of one batch, too, the latest counts for the key.
    catalog.record_uses(&[used(&key, 1, 90), used(&key, 2, 70)]).await.expect("written");
    assert_eq!(last_used_at(&fresh, &key).await, Some(90));
    // Secrets and keys that are gone are passed over.
    let gone = super::key(9, Binding::Installation);
    catalog.record_uses(&[used(&key, 7, 95), used(&gone, 1, 95), used(&key, 2, 96)]).await.expect("written");
    assert_eq!(known(&*catalog, &key, 2).await, expected(30, 96));
}

async fn a_batch_of_uses_is_written_whole_or_not_at_all(fresh: Arc<Fresh>) {
    let catalog = with_grids(&fresh).await;
    let key = key(1, tenant("shop", "web", "production"));
    create(&*catalog, &key).await;
    fresh.execute("ALTER TABLE secrets RENAME COLUMN pepper TO hidden").await;
    let mut last = used(&key, 1, 60);
    let digest = |byte| Digest::from_bytes([byte; 32]);
    last.renewal = Some(Renewal { old: digest(1), new: digest(5), pepper: 2 });
    let error = catalog.record_uses(&[last]).await.expect_err("the last statement fails");
    assert!(matches!(error, CatalogError::Unavailable(_)), "{error}");
    fresh.execute("ALTER TABLE secrets RENAME COLUMN hidden TO pepper").await;
    assert_eq!((known(&*catalog, &key, 1).await, last_used_at(&fresh, &key).await), (None, None));
}

async fn a_digest_takes_the_place_of_its_old_one_alone(fresh: Arc<Fresh>) {
    let catalog = with_grids(&fresh).await;
    let digest = |byte| Digest::from_bytes([byte; 32]);
    let mut imported = key(1, tenant("shop", "web", "production"));
    imported.secrets[0].algorithm = DigestAlgorithm::Sha256;
    imported.secrets[0].format = SecretFormat::Uuid;
    create(&*catalog, &imported).await;
    let renewed = |old, new| {
        let renewal = Renewal { old: digest(old), new: digest(new), pepper: 3 };
        LastUse { renewal: Some(renewal), ..used(&imported, 1, 60) }
    };
    catalog.record_uses(&[renewed(7, 8)]).await.expect("written");
    assert_eq!(read(&*catalog, &imported).await.secrets[0].algorithm, DigestAlgorithm::Sha256);

    catalog.record_uses(&[renewed(1, 8)]).await.expect("written");
    let written = read(&*catalog, &imported).await;
    assert_eq!(written.secrets[0].algorithm, DigestAlgorithm::HmacSha256 { pepper: 3 });
    assert!(written.secrets[0].digest.matches(&digest(8)));
    assert_eq!((written.version, written.secrets[0].format), (1, SecretFormat::Uuid));
    assert_eq!(catalog.key_of_digest(&[digest(8)]).await.expect("an answer"), Some(imported.id));
    assert_eq!(catalog.key_of_digest(&[digest(1)]).await.expect("an answer"), None);

    // A replaced secret stays replaced.
    let new = NewSecret { digest: digest(9), ..new_secret() };
    catalog
        .change_key(&imported.id, &KeyChange::Regenerate(new), None, &by(70))
        .await
        .expect("an answer")
        .expect("a key");
    catalog.record_uses(&[renewed(8, 10)]).await.expect("written");
    let written = read(&*catalog, &imported).await;
    let states: Vec<_> = written.secrets.iter().map(|secret| (secret.version, secret.state(at(80)))).collect();
    assert_eq!(states, [(2, SecretState::Current), (1, SecretState::Retired)]);
    assert!(written.secrets[0].digest.matches(&digest(9)));
}

fn new_secret() -> NewSecret {
    let algorithm = DigestAlgorithm::HmacSha256 { pepper: 1 };
    NewSecret { digest: Digest::from_bytes([200; 32]), algorithm, format: SecretFormat::Token }
}

/// Rotates a key at `now` until 1000, or until its old secret is not used for 100 µs.
async fn rotate(catalog: &dyn Catalog, key: &Key, now: i64) {
    let overlap = Overlap { until: at(1000), drained_after: Some(Duration::from_micros(100)) };
    let change = KeyChange::Rotate { secret: new_secret(), overlap };
    catalog.change_key(&key.id, &change, None, &by(now)).await.expect("an answer").expect("a key");
}

async fn secrets_without_a_use_are_drained(fresh: Arc<Fresh>) {
    let catalog = with_grids(&fresh).await;
    let keys: Vec<_> = (1..=5).map(|number| key(number, tenant("shop", "web", "production"))).collect();
    for key in &keys {
        create(&*catalog, key).await;
    }
    let drained = async |unknown: Option<i64>, now, limit| {
        let found = catalog.drained_secrets(unknown.map(at), at(now), limit).await.expect("an answer");
        let number = |id: KeyId| id.bare().trim_start_matches('0').parse::<usize>().expect("a number");
        found.into_iter().map(|(id, version)| (number(id), version)).collect::<Vec<_>>()
    };
    for key in &keys[..4] {
        rotate(&*catalog, key, 300).await;
    }
    // The first is not used, the second later on, the third is disabled, the fourth revoked; the fifth does not rotate.
    catalog
        .record_uses(&[used(&keys[0], 1, 250), used(&keys[0], 2, 390), used(&keys[1], 1, 350)])
        .await
        .expect("written");
    for (key, change) in [(&keys[2], KeyChange::Disable), (&keys[3], KeyChange::Revoke)] {
        catalog.change_key(&key.id, &change, None, &by(310)).await.expect("an answer").expect("a key");
    }
    assert_eq!(drained(None, 399, 10).await, []);
    assert_eq!(drained(None, 400, 10).await, [(1, 1)]);
    assert_eq!(drained(None, 450, 10).await, [(1, 1), (2, 1)]);
    assert_eq!(drained(None, 450, 1).await, [(1, 1)]);
    assert_eq!(drained(Some(351), 450, 10).await, []);
    assert_eq!(drained(Some(350), 450, 10).await, [(1, 1), (2, 1)]);
    // From here on the overlap is over anyway.
    assert_eq!(drained(None, 1000, 10).await, []);

    let change = KeyChange::RetireDrained { version: 1 };
    let (key, changed) =
        catalog.change_key(&keys[0].id, &change, None, &by(450)).await.expect("an answer").expect("a key");
    assert_eq!((changed, key.rotation(at(450)).is_none()), (Changed::Yes, true));
    assert_eq!(drained(None, 450, 10).await, [(2, 1)]);
    // Enabled, the third has its time anew.
    catalog.change_key(&keys[2].id, &KeyChange::Enable, None, &by(500)).await.expect("an answer").expect("a key");
    assert_eq!(drained(None, 599, 10).await, [(2, 1)]);
    assert_eq!(drained(None, 600, 10).await, [(2, 1), (3, 1)]);
}

/// Another node writes a use down after this one has seen that there was none.
async fn a_use_that_is_written_in_time_keeps_a_secret(fresh: Arc<Fresh>) {
    let catalog = with_grids(&fresh).await;
    let key = key(1, tenant("shop", "web", "production"));
    create(&*catalog, &key).await;
    rotate(&*catalog, &key, 300).await;
    assert_eq!(catalog.drained_secrets(None, at(400), 10).await.expect("an answer"), [(key.id, 1)]);
    catalog.record_uses(&[used(&key, 1, 399)]).await.expect("written");
    let change = KeyChange::RetireDrained { version: 1 };
    let (key, changed) = catalog.change_key(&key.id, &change, None, &by(400)).await.expect("an answer").expect("a key");
    assert_eq!((changed, key.rotation(at(400)).is_some()), (Changed::Already, true));
}

/// Uses of several secrets are written while their key is erased, and no newer use is known of it than some of them.
async fn uses_and_erasure_do_not_wait_for_each_other(fresh: Arc<Fresh>) {
    let catalog = with_grids(&fresh).await;
    let over = 100 + i64::try_from(fresh.settings.purge_after.as_micros()).expect("a time");
    for round in 0..60 {
        let keys = [1, 2].map(|number| {
            let secrets = (1..=4).map(|version| secret(version, number)).collect();
            Key { secrets, ..key(number, tenant("shop", "web", "production")) }
        });
        for key in &keys {
            create(&*catalog, key).await;
            catalog.change_key(&key.id, &KeyChange::Revoke, None, &by(100)).await.expect("it is revoked");
        }
        let uses: Vec<_> = keys
            .iter()
            .flat_map(|key| (1..=4).map(move |version| used(key, version, 50 + i64::from(version))))
            .collect();
        catalog.record_uses(&[used(&keys[0], 1, 52)]).await.expect("a use");
        let actor = by(over);
        let (first, second, written, again) = tokio::join!(
            catalog.purge_key(&keys[0].id, &actor),
            catalog.purge_key(&keys[1].id, &actor),
            catalog.record_uses(&uses),
            catalog.record_uses(&uses),
        );
        for answer in [first.map(drop), second.map(drop), written, again] {
            answer.unwrap_or_else(|error| panic!("round {round}: {error}"));
        }
        assert_eq!(fresh.count("keys").await, 0);
    }
}
