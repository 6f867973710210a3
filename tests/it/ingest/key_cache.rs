//! The key cache over a catalog whose answers can be held up.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use gridgate::catalog::Keys as _;
use gridgate::domain::audit::Action;
use gridgate::domain::clock::ManualClock;
use gridgate::domain::key::{DigestAlgorithm, SecretFormat};
use gridgate::domain::secret::Peppers;
use gridgate::domain::{Clock as _, Key, KeyChange, KeyId, KeyStatus, LegacyToken, Pepper, Secret, Slug};
use gridgate::ingest::key_cache::{CachedKey, KeyCache, KeyCacheSettings, LookupError};
use zeroize::Zeroizing;

use crate::admin::START;
use crate::admin::watched::Watched;
use crate::catalog::{Fresh, by, key, secret, tenant, with_grids};

const SETTINGS: KeyCacheSettings = KeyCacheSettings {
    ttl: Duration::from_secs(30),
    grace: Duration::from_mins(5),
    capacity: 1000,
    unknown_ttl: Duration::from_secs(10),
    unknown_capacity: 100,
    lookup_time: Duration::from_secs(30),
    lookups: 4,
};
const MICROSECOND: Duration = Duration::from_micros(1);
/// Longer than a catalog that failed is left alone.
const PAUSE: Duration = Duration::from_secs(1);

struct Setup {
    cache: Arc<KeyCache>,
    catalog: Arc<Watched>,
    clock: Arc<ManualClock>,
    peppers: Arc<Peppers>,
    key: Key,
    fresh: Fresh,
}

impl Setup {
    /// A catalog with one key, and a cache that has not asked for it yet.
    async fn new(settings: KeyCacheSettings) -> Self {
        let fresh = Fresh::sqlite();
        let catalog = Arc::new(Watched::new(with_grids(&fresh).await, Arc::default()));
        let clock = Arc::new(ManualClock::new(START));
        let key = key(1, tenant("shop", "web", "production"));
        catalog.create_key(&key, Action::KeyCreated, &by(START.micros())).await.expect("a key");
        let cache = Arc::new(KeyCache::new(Arc::clone(&catalog) as _, Arc::clone(&clock) as _, settings));
        let pepper = |version| Pepper::new(version, Zeroizing::new([u8::try_from(version).expect("few"); 32]));
        let peppers = Arc::new(Peppers::new(vec![pepper(1), pepper(2)]).expect("peppers"));
        Self { cache, catalog, clock, peppers, key, fresh }
    }

    async fn get(&self) -> Result<Option<Arc<CachedKey>>, LookupError> {
        self.cache.get(&self.key.id).await
    }

    /// The key's status as the cache has it.
    async fn status(&self) -> KeyStatus {
        self.get().await.expect("an answer").expect("a key").key.status(self.clock.now())
    }

    fn asked(&self) -> usize {
        self.catalog.asked.load(Ordering::SeqCst)
    }

    fn set_down(&self, down: bool) {
        self.catalog.down.store(down, Ordering::SeqCst);
    }

    async fn revoke(&self) {
        self.catalog
            .change_key(&self.key.id, &KeyChange::Revoke, None, &by(START.micros()))
            .await
            .expect("an answer")
            .expect("a key");
        self.cache.forget(&self.key.id);
    }
}

fn unknown(number: usize) -> KeyId {
    KeyId::from_bare(&format!("unknown{number:05}")).expect("an id")
}

#[tokio::test]
async fn one_of_many_callers_asks() {
    let setup = Setup::new(SETTINGS).await;
    setup.catalog.hold().await;
    let callers = (0..100).map(|_| {
        let (cache, id) = (Arc::clone(&setup.cache), setup.key.id);
        tokio::spawn(async move { cache.get(&id).await })
    });
    let callers: Vec<_> = callers.collect();
    setup.catalog.held().await;
    setup.catalog.lookups.add_permits(100);
    for caller in callers {
        assert!(caller.await.expect("no panic").expect("an answer").is_some());
    }
    assert_eq!(setup.asked(), 1);
    assert!(setup.get().await.expect("an answer").is_some());
    assert_eq!(setup.asked(), 1);
}

/// What the keys of one project share concerns nobody else.
#[tokio::test]
async fn a_change_of_a_project_is_no_reason_to_ask_about_keys_of_another() {
    let setup = Setup::new(SETTINGS).await;
    setup.get().await.expect("an answer").expect("a key");
    let [own, other] = ["shop", "bank"].map(|slug| slug.parse::<Slug>().expect("a slug"));
    setup.cache.forget_project(&other);
    let before = setup.get().await.expect("an answer").expect("a key");
    assert_eq!(setup.asked(), 1);
    setup.cache.forget_project(&own);
    assert!(!setup.cache.is_current(&before));
    setup.get().await.expect("an answer").expect("a key");
    assert_eq!(setup.asked(), 2);
    // Not even while the catalog does not answer.
    setup.cache.forget_project(&own);
    setup.set_down(true);
    assert_eq!(setup.get().await.expect_err("nobody knows"), LookupError);
}

/// A look-up that has read the old row ends after the change is announced: nobody uses what it found from then on.
#[tokio::test]
async fn a_look_up_that_a_revocation_overtook_leaves_nothing_behind() {
    let setup = Setup::new(SETTINGS).await;
    setup.catalog.hold().await;
    let (cache, id) = (Arc::clone(&setup.cache), setup.key.id);
    let overtaken = tokio::spawn(async move { cache.get(&id).await });
    setup.catalog.held().await;
    setup.revoke().await;
    setup.catalog.lookups.add_permits(100);
    let overtaken = overtaken.await.expect("no panic").expect("an answer").expect("a key");
    assert!(!setup.cache.is_current(&overtaken));
    assert_eq!(setup.status().await, KeyStatus::Revoked);
    assert_eq!(setup.asked(), 2);
    let current = setup.get().await.expect("an answer").expect("a key");
    assert!(setup.cache.is_current(&current));
    assert_eq!(setup.asked(), 2);
}

/// The same where the cache had the key already, and others wait for the look-up.
#[tokio::test]
async fn a_revocation_is_seen_by_everybody_who_asks_after_it() {
    let setup = Setup::new(SETTINGS).await;
    assert_eq!(setup.status().await, KeyStatus::Active);
    setup.clock.advance(SETTINGS.ttl);
    setup.catalog.hold().await;
    let ask = || {
        let (cache, id) = (Arc::clone(&setup.cache), setup.key.id);
        tokio::spawn(async move { cache.get(&id).await })
    };
    let before = ask();
    setup.catalog.held().await;
    setup.revoke().await;
    let after: Vec<_> = (0..10).map(|_| ask()).collect();
    setup.catalog.lookups.add_permits(100);
    before.await.expect("no panic").expect("an answer");
    for caller in after {
        let found = caller.await.expect("no panic").expect("an answer").expect("a key");
        assert_eq!(found.key.status(START), KeyStatus::Revoked);
    }
}

#[tokio::test]
async fn a_key_is_asked_for_again_when_its_time_is_over() {
    let setup = Setup::new(SETTINGS).await;
    assert_eq!((setup.status().await, setup.asked()), (KeyStatus::Active, 1));
    // Changed by another node: nothing is announced here.
    setup.catalog.change_key(&setup.key.id, &KeyChange::Disable, None, &by(START.micros())).await.expect("an answer");
    setup.clock.advance(SETTINGS.ttl.saturating_sub(MICROSECOND));
    assert_eq!((setup.status().await, setup.asked()), (KeyStatus::Active, 1));
    setup.clock.advance(MICROSECOND);
    assert_eq!((setup.status().await, setup.asked()), (KeyStatus::Disabled, 2));
}

#[tokio::test]
async fn an_unknown_id_is_remembered_for_a_while_and_until_its_key_is_made() {
    let setup = Setup::new(SETTINGS).await;
    let new = key(2, tenant("shop", "web", "production"));
    let is_known = async || setup.cache.get(&new.id).await.expect("an answer").is_some();
    assert!(!is_known().await && !is_known().await);
    assert_eq!(setup.asked(), 1);
    setup.clock.advance(SETTINGS.unknown_ttl);
    assert!(!is_known().await && !is_known().await);
    assert_eq!(setup.asked(), 2);
    setup.catalog.create_key(&new, Action::KeyCreated, &by(START.micros())).await.expect("a key");
    setup.cache.forget(&new.id);
    assert!(is_known().await && is_known().await);
    assert_eq!(setup.asked(), 3);
}

/// Of a thousand made-up ids not many more than a hundred are remembered.
#[tokio::test]
async fn made_up_ids_take_no_more_than_their_room() {
    let setup = Setup::new(SETTINGS).await;
    for _ in 0..2 {
        for number in 0..1000 {
            assert!(setup.cache.get(&unknown(number)).await.expect("an answer").is_none());
        }
    }
    assert!(setup.asked() > 1500, "{} look-ups", setup.asked());
    assert_eq!(setup.cache.len(), 0);
}

#[tokio::test]
async fn without_its_catalog_it_serves_what_it_knows_for_a_while() {
    let setup = Setup::new(SETTINGS).await;
    assert_eq!(setup.status().await, KeyStatus::Active);
    setup.set_down(true);
    setup.clock.advance(SETTINGS.ttl);
    assert_eq!(setup.status().await, KeyStatus::Active);
    assert!(matches!(setup.cache.get(&unknown(1)).await, Err(LookupError)));
    setup.clock.advance(SETTINGS.grace.saturating_sub(MICROSECOND));
    assert_eq!(setup.status().await, KeyStatus::Active);
    setup.clock.advance(MICROSECOND);
    assert!(matches!(setup.get().await, Err(LookupError)));
    setup.set_down(false);
    setup.clock.advance(PAUSE);
    assert_eq!(setup.status().await, KeyStatus::Active);
    assert!(setup.cache.get(&unknown(1)).await.expect("an answer").is_none());
}

/// A catalog that fails is left alone for a second, instead of being asked by every export.
#[tokio::test]
async fn a_failing_catalog_is_not_pressed() {
    let setup = Setup::new(SETTINGS).await;
    setup.set_down(true);
    for number in 0..100 {
        assert!(matches!(setup.cache.get(&unknown(number)).await, Err(LookupError)));
    }
    assert_eq!(setup.asked(), 1);
}

/// A change that was announced is never undone by a catalog that fails afterwards.
#[tokio::test]
async fn a_revoked_key_is_not_served_in_the_grace_period() {
    let setup = Setup::new(SETTINGS).await;
    assert_eq!(setup.status().await, KeyStatus::Active);
    setup.revoke().await;
    setup.set_down(true);
    assert!(matches!(setup.get().await, Err(LookupError)));
}

#[tokio::test]
async fn a_look_up_that_takes_too_long_is_given_up() {
    let setup = Setup::new(KeyCacheSettings { lookup_time: Duration::from_millis(20), ..SETTINGS }).await;
    setup.catalog.hold().await;
    assert!(matches!(setup.get().await, Err(LookupError)));
    setup.catalog.lookups.add_permits(100);
    setup.clock.advance(PAUSE);
    assert_eq!(setup.status().await, KeyStatus::Active);
}

const UUID: &str = "6f1f7ffd-cd42-4f03-8a35-9ee3e5a04d42";

impl Setup {
    /// A key with `uuid` as its token, its digest under the pepper `version`; not announced yet.
    async fn legacy(&self, number: u8, uuid: &str, version: u32) -> KeyId {
        let digest = self.peppers.get(version).expect("a pepper").digest(uuid);
        let secret = Secret {
            digest,
            algorithm: DigestAlgorithm::HmacSha256 { pepper: version },
            format: SecretFormat::Uuid,
            ..secret(1, 0)
        };
        let key = Key { secrets: vec![secret], ..key(number, tenant("shop", "web", "production")) };
        self.catalog.create_key(&key, Action::KeyImported, &by(START.micros())).await.expect("a key");
        key.id
    }

    fn finding(&self, uuid: &str) -> impl Future<Output = Result<Option<KeyId>, LookupError>> + Send + use<> {
        let (cache, peppers) = (Arc::clone(&self.cache), Arc::clone(&self.peppers));
        let token = LegacyToken::parse(uuid).expect("a UUID");
        async move { Ok(cache.find(&token, &peppers).await?.map(|cached| cached.key.id)) }
    }

    /// Whose `uuid` is, as the cache has it.
    async fn find(&self, uuid: &str) -> Option<KeyId> {
        self.finding(uuid).await.expect("an answer")
    }
}

/// The digest is looked up once, the key like any other.
#[tokio::test]
async fn a_uuid_is_found_under_any_pepper_and_remembered() {
    let setup = Setup::new(SETTINGS).await;
    let (old, new) = (setup.legacy(2, UUID, 1).await, setup.legacy(3, &UUID.replace("a0", "a1"), 2).await);
    assert_eq!((setup.find(UUID).await, setup.asked()), (Some(old), 2));
    assert_eq!((setup.find(&UUID.to_uppercase()).await, setup.asked()), (Some(old), 2));
    assert_eq!((setup.find(&UUID.replace("a0", "a1")).await, setup.asked()), (Some(new), 4));
    setup.clock.advance(SETTINGS.ttl);
    assert_eq!((setup.find(UUID).await, setup.asked()), (Some(old), 5));
}

#[tokio::test]
async fn one_of_many_callers_with_one_uuid_asks() {
    let setup = Setup::new(SETTINGS).await;
    let id = setup.legacy(2, UUID, 2).await;
    setup.catalog.hold().await;
    let callers: Vec<_> = (0..100).map(|_| tokio::spawn(setup.finding(UUID))).collect();
    setup.catalog.held().await;
    setup.catalog.lookups.add_permits(200);
    for caller in callers {
        assert_eq!(caller.await.expect("no panic"), Ok(Some(id)));
    }
    assert_eq!(setup.asked(), 2);
}

#[tokio::test]
async fn an_unknown_uuid_is_remembered_for_a_while_and_until_it_is_imported() {
    let setup = Setup::new(SETTINGS).await;
    assert_eq!((setup.find(UUID).await, setup.find(UUID).await), (None, None));
    assert_eq!(setup.asked(), 1);
    setup.clock.advance(SETTINGS.unknown_ttl);
    assert_eq!((setup.find(UUID).await, setup.find(UUID).await), (None, None));
    assert_eq!(setup.asked(), 2);
    let id = setup.legacy(2, UUID, 2).await;
    setup.cache.forget(&id);
    assert_eq!(setup.find(UUID).await, Some(id));
}

/// A look-up that has seen no such key ends after the import is announced: nobody believes it from then on.
#[tokio::test]
async fn a_look_up_that_an_import_overtook_leaves_nothing_behind() {
    let setup = Setup::new(SETTINGS).await;
    setup.catalog.hold().await;
    let before = tokio::spawn(setup.finding(UUID));
    setup.catalog.held().await;
    let id = setup.legacy(2, UUID, 2).await;
    setup.cache.forget(&id);
    let after: Vec<_> = (0..10).map(|_| tokio::spawn(setup.finding(UUID))).collect();
    setup.catalog.lookups.add_permits(100);
    assert_eq!(before.await.expect("no panic"), Ok(None));
    for caller in after {
        assert_eq!(caller.await.expect("no panic"), Ok(Some(id)));
    }
    assert_eq!(setup.find(UUID).await, Some(id));
}

/// A revoked key is found all the same, so that its senders are told; a purged one is gone, and its UUID can come back.
#[tokio::test]
async fn a_uuid_follows_its_key() {
    let setup = Setup::new(SETTINGS).await;
    let first = setup.legacy(2, UUID, 2).await;
    assert_eq!(setup.find(UUID).await, Some(first));
    setup.catalog.change_key(&first, &KeyChange::Revoke, None, &by(START.micros())).await.expect("an answer");
    setup.cache.forget(&first);
    assert_eq!(setup.find(UUID).await, Some(first));
    setup
        .fresh
        .execute(&format!("DELETE FROM secrets WHERE key_id = '{first}'; DELETE FROM keys WHERE id = '{first}'"))
        .await;
    setup.cache.forget(&first);
    assert_eq!(setup.find(UUID).await, None);
    let second = setup.legacy(3, UUID, 1).await;
    setup.cache.forget(&second);
    assert_eq!(setup.find(UUID).await, Some(second));
}

#[tokio::test]
async fn made_up_uuids_take_no_more_than_their_room() {
    let setup = Setup::new(SETTINGS).await;
    for _ in 0..2 {
        for number in 0..1000 {
            assert_eq!(setup.find(&format!("00000000-0000-4000-8000-{number:012}")).await, None);
        }
    }
    assert!(setup.asked() > 1500, "{} look-ups", setup.asked());
    assert_eq!(setup.cache.len(), 0);
}

#[tokio::test]
async fn without_its_catalog_a_known_uuid_is_served_for_a_while() {
    let setup = Setup::new(SETTINGS).await;
    let id = setup.legacy(2, UUID, 2).await;
    assert_eq!(setup.find(UUID).await, Some(id));
    setup.set_down(true);
    setup.clock.advance(SETTINGS.ttl);
    assert_eq!(setup.find(UUID).await, Some(id));
    assert_eq!(setup.finding(&UUID.replace("a0", "a1")).await, Err(LookupError));
    setup.clock.advance(SETTINGS.grace);
    assert_eq!(setup.finding(UUID).await, Err(LookupError));
}
