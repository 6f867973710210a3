//! When keys were last used, and what follows where they are not.

use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gridgate::catalog::{Catalog, CatalogError, Keys as _};
use gridgate::config::Span;
use gridgate::domain::audit::Action;
use gridgate::domain::clock::ManualClock;
use gridgate::domain::key::{DigestAlgorithm, NewSecret, Overlap, SecretFormat, SecretUse};
use gridgate::domain::uses::{Used, Uses};
use gridgate::domain::{Clock as _, Digest, Key, KeyChange, KeyId, Permission, SecretState};
use gridgate::upkeep::uses::UseKeeper;
use http::Request;

use super::client::{Export, Form, exchange};
use super::told::told;
use super::{Gate, Issued, eventually};
use crate::admin::START;
use crate::admin::watched::Watched;
use crate::catalog::{Fresh, by, key, tenant, with_grids};

const MINUTE: Duration = Duration::from_mins(1);

/// What the catalog has of the newest secret of a key.
async fn used(catalog: &dyn Catalog, id: &str) -> Option<SecretUse> {
    let key = catalog.key(&id.parse().expect("an id")).await.expect("an answer").expect("the key");
    key.secrets[0].used.clone()
}

async fn quick() -> Gate {
    Gate::with(|config| config.keys.last_used_interval = Span(Duration::from_millis(5))).await
}

#[tokio::test]
async fn an_export_leaves_when_from_where_and_by_what() {
    let gate = quick().await;
    for form in Form::ALL {
        let key = gate.key("shop").await;
        let agent = b"OTel-\xe2\x80\xae\tExporter/1.0";
        Export::traces(form, &key.token).with("user-agent", agent).send(&gate).await.assert_success(form);
        eventually("a use", async || used(&*gate.catalog, &key.id).await.is_some()).await;
        let first = used(&*gate.catalog, &key.id).await.expect("a use");
        let here: IpAddr = "127.0.0.1".parse().expect("an address");
        let expected = SecretUse {
            first_at: gate.clock.now(),
            last_at: gate.clock.now(),
            address: Some(here),
            agent: Some("OTel-\\xe2\\x80\\xae\\tExporter/1.0".to_owned()),
        };
        assert_eq!(first, expected, "{form:?}");
        gate.clock.advance(MINUTE);
        Export::traces(form, &key.token).without("user-agent").send(&gate).await.assert_success(form);
        eventually("the next", async || used(&*gate.catalog, &key.id).await != Some(first.clone())).await;
        let expected = SecretUse { last_at: gate.clock.now(), agent: None, ..expected };
        assert_eq!(used(&*gate.catalog, &key.id).await, Some(expected), "{form:?}");
    }
    gate.stop().await;
}

/// Only a good key is used. What becomes of the export after that makes no difference.
#[tokio::test]
async fn a_refused_key_is_not_used_and_a_refused_body_is() {
    let gate = quick().await;
    let disabled = gate.key("shop").await;
    gate.change(&disabled, "disable").await;
    let permissions = [Permission::LogsWrite].into_iter().collect();
    let other_signal = gate.issue("logs", tenant("shop", "web", "production"), permissions, None).await;
    let (good, last) = (gate.key("shop").await, gate.key("shop").await);
    told("key_disabled")
        .key(&disabled.id)
        .check(&Export::traces(Form::Json, &disabled.token).send(&gate).await, Form::Json);
    let answer = Export::traces(Form::Json, &other_signal.token).send(&gate).await;
    told("permission_denied").key(&other_signal.id).detail("the key lacks").check(&answer, Form::Json);
    let answer = Export::traces(Form::Json, &good.token).message("no JSON").send(&gate).await;
    assert_eq!(answer.status, 400);
    Export::traces(Form::Json, &last.token).send(&gate).await.assert_success(Form::Json);
    for key in [&good, &last] {
        eventually("a use", async || used(&*gate.catalog, &key.id).await.is_some()).await;
    }
    for key in [&disabled, &other_signal] {
        assert_eq!(used(&*gate.catalog, &key.id).await, None);
    }
    gate.stop().await;
}

#[tokio::test]
async fn an_admin_key_is_used_by_requests() {
    let gate = quick().await;
    let owner = format!("key_{}", &gate.owner[4..16]);
    let request = Request::get("/api/v1/projects")
        .header("authorization", format!("Bearer {}", gate.owner))
        .header("user-agent", "gridgate/0.1");
    assert_eq!(exchange(gate.admin, false, request, "").await.status, 200);
    eventually("a use", async || used(&*gate.catalog, &owner).await.is_some()).await;
    let used = used(&*gate.catalog, &owner).await.expect("a use");
    assert_eq!((used.last_at, used.agent.as_deref()), (START, Some("gridgate/0.1")));
    assert_eq!(used.address, Some(IpAddr::from([127, 0, 0, 1])));
    gate.stop().await;
}

/// The interval is a minute, which the test does not wait for.
#[tokio::test]
async fn the_end_of_the_process_writes_everything_down() {
    let gate = Gate::start().await;
    let keys = [gate.key("shop").await, gate.key("bank").await];
    for key in &keys {
        Export::traces(Form::Grpc, &key.token).send(&gate).await.assert_success(Form::Grpc);
        assert_eq!(used(&*gate.catalog, &key.id).await, None);
    }
    assert_eq!(gate.metric("gridgate_unwritten_uses").await, 2);
    let catalog = Arc::clone(&gate.catalog);
    gate.stop().await;
    for key in &keys {
        assert_eq!(used(&*catalog, &key.id).await.expect("a use").last_at, START);
    }
}

/// What a keeper works with, without a gate around it.
struct Setup {
    keeper: UseKeeper,
    catalog: Arc<Watched>,
    clock: Arc<ManualClock>,
    /// The keys that the gate was told of.
    told: Arc<Mutex<Vec<KeyId>>>,
    fresh: Fresh,
}

impl Setup {
    async fn new(capacity: usize) -> Self {
        let fresh = Fresh::sqlite();
        let catalog = Arc::new(Watched::new(with_grids(&fresh).await, Arc::default()));
        let clock = Arc::new(ManualClock::new(START));
        let told = Arc::new(Mutex::new(Vec::new()));
        let announced = Arc::clone(&told);
        let keeper = UseKeeper {
            uses: Arc::new(Uses::new(capacity)),
            catalog: Arc::clone(&catalog) as _,
            clock: Arc::clone(&clock) as _,
            key_changed: Arc::new(move |id| announced.lock().expect("the keys").push(id)),
            interval: MINUTE,
        };
        Self { keeper, catalog, clock, told, fresh }
    }

    async fn key(&self, number: u8) -> Key {
        let key = key(number, tenant("shop", "web", "production"));
        let at = self.clock.now().micros();
        self.catalog.create_key(&key, Action::KeyCreated, &by(at)).await.expect("a key");
        key
    }

    fn use_now(&self, key: &Key, version: u32) {
        let (at, address) = (self.clock.now(), IpAddr::from([192, 0, 2, 1]));
        self.keeper.uses.record(&Used { key: key.id, version, at, address, agent: b"agent" }, || None);
    }

    /// Rotates a key for a day, or until its old secret was not used for five minutes.
    async fn rotate(&self, key: &Key) {
        let secret = NewSecret {
            digest: Digest::from_bytes([99; 32]),
            algorithm: DigestAlgorithm::HmacSha256 { pepper: 1 },
            format: SecretFormat::Token,
        };
        let now = self.clock.now();
        let overlap = Overlap { until: now.after(24 * 60 * MINUTE), drained_after: Some(5 * MINUTE) };
        let change = KeyChange::Rotate { secret, overlap };
        self.catalog.change_key(&key.id, &change, None, &by(now.micros())).await.expect("an answer").expect("a key");
    }

    /// What the keeper does once a minute, and the state of the secrets of `key` after it.
    async fn turn(&self, key: &Key) -> Vec<SecretState> {
        self.keeper.flush().await.expect("a flush");
        self.keeper.retire_drained().await.expect("an answer");
        let key = self.catalog.key(&key.id).await.expect("an answer").expect("the key");
        key.secrets.iter().map(|secret| secret.state(self.clock.now())).collect()
    }
}

#[tokio::test]
async fn what_could_not_be_written_down_is_written_later() {
    let setup = Setup::new(1000).await;
    let keys = {
        let mut keys = Vec::new();
        // More than one batch.
        for number in 0..=250 {
            keys.push(setup.key(number).await);
        }
        keys
    };
    for key in &keys {
        setup.use_now(key, 1);
    }
    setup.catalog.down.store(true, Ordering::SeqCst);
    assert!(matches!(setup.keeper.flush().await, Err(CatalogError::Unavailable(_))));
    assert_eq!(setup.keeper.uses.len(), keys.len());
    setup.clock.advance(MINUTE);
    setup.use_now(&keys[0], 1);
    setup.catalog.down.store(false, Ordering::SeqCst);
    setup.keeper.flush().await.expect("a flush");
    assert!(setup.keeper.uses.is_empty());
    for (number, key) in keys.iter().enumerate() {
        let used = used(&*setup.catalog, &key.id.to_string()).await.expect("a use");
        let last = if number == 0 { START.after(MINUTE) } else { START };
        assert_eq!((used.first_at, used.last_at), (START, last), "{number}");
    }
    // A use changes nothing that the gate has to know.
    assert!(setup.told.lock().expect("the keys").is_empty());
}

#[tokio::test]
async fn a_secret_that_is_no_longer_used_is_retired() {
    let setup = Setup::new(1000).await;
    let (rotating, other) = (setup.key(1).await, setup.key(2).await);
    setup.rotate(&rotating).await;
    let until = START.after(24 * 60 * MINUTE);
    let both = [SecretState::Current, SecretState::Retiring { until }];
    for _ in 0..4 {
        setup.clock.advance(MINUTE);
        setup.use_now(&rotating, 2);
        assert_eq!(setup.turn(&rotating).await, both);
    }
    // Used in the last minute, and the time begins anew.
    setup.use_now(&rotating, 1);
    for _ in 0..4 {
        setup.clock.advance(MINUTE);
        assert_eq!(setup.turn(&rotating).await, both);
    }
    assert!(setup.told.lock().expect("the keys").is_empty());
    setup.clock.advance(MINUTE);
    assert_eq!(setup.turn(&rotating).await, [SecretState::Current, SecretState::Retired]);
    assert_eq!(*setup.told.lock().expect("the keys"), [rotating.id]);
    assert_eq!(setup.turn(&other).await, [SecretState::Current]);
    assert_eq!(setup.told.lock().expect("the keys").len(), 1);
    let sql = "SELECT action || ' ' || actor_name || ' ' || via FROM audit ORDER BY seq DESC LIMIT 1";
    let entry: String = sqlx::query_scalar(sql).fetch_one(&mut setup.fresh.raw().await).await.expect("an entry");
    assert_eq!(entry, "key.secret_drained drain system");
}

/// A use that is not written down yet counts, too.
#[tokio::test]
async fn a_use_that_is_only_remembered_keeps_a_secret() {
    let setup = Setup::new(1000).await;
    let key = setup.key(1).await;
    setup.rotate(&key).await;
    setup.clock.advance(5 * MINUTE);
    setup.use_now(&key, 1);
    setup.keeper.retire_drained().await.expect("an answer");
    assert!(setup.told.lock().expect("the keys").is_empty());
    assert_eq!(setup.turn(&key).await.len(), 2);
    assert!(setup.told.lock().expect("the keys").is_empty());
}

/// Where there was no room to remember uses, any secret may have been used.
#[tokio::test]
async fn nothing_is_retired_where_uses_were_lost() {
    let setup = Setup::new(1).await;
    let key = setup.key(1).await;
    setup.rotate(&key).await;
    setup.clock.advance(4 * MINUTE);
    for version in 1..10 {
        setup.use_now(&key, version);
    }
    assert_eq!(setup.keeper.uses.len(), 1);
    assert_eq!(setup.keeper.uses.take().len(), 1);
    setup.clock.advance((5 * MINUTE).saturating_sub(Duration::from_micros(1)));
    assert!(matches!(setup.turn(&key).await[..], [SecretState::Current, SecretState::Retiring { .. }]));
    setup.clock.advance(Duration::from_micros(1));
    assert_eq!(setup.turn(&key).await, [SecretState::Current, SecretState::Retired]);
}

#[tokio::test]
async fn a_drained_secret_is_refused_by_the_gate() {
    let gate = quick().await;
    let key = gate.key("shop").await;
    let id: KeyId = key.id.parse().expect("an id");
    let old = Issued { id: key.id.clone(), token: key.token.clone() };
    Export::traces(Form::Json, &old.token).send(&gate).await.assert_success(Form::Json);
    let secret = NewSecret {
        digest: Digest::from_bytes([99; 32]),
        algorithm: DigestAlgorithm::HmacSha256 { pepper: 1 },
        format: SecretFormat::Token,
    };
    let now = gate.clock.now();
    let overlap = Overlap { until: now.after(24 * 60 * MINUTE), drained_after: Some(5 * MINUTE) };
    let change = KeyChange::Rotate { secret, overlap };
    gate.catalog.change_key(&id, &change, None, &by(now.micros())).await.expect("an answer").expect("a key");
    gate.clock.advance(4 * MINUTE);
    Export::traces(Form::Json, &old.token).send(&gate).await.assert_success(Form::Json);
    let version = async || gate.catalog.key(&id).await.expect("an answer").expect("the key").version;
    assert_eq!(version().await, 2);
    gate.clock.advance(5 * MINUTE);
    let export = async || Export::traces(Form::Json, &old.token).send(&gate).await;
    eventually("it is retired", async || version().await == 3).await;
    eventually("the gate knows", async || export().await.status != 200).await;
    for form in Form::ALL {
        let refused = told("secret_retired").key(&old.id);
        refused.check(&Export::traces(form, &old.token).send(&gate).await, form);
    }
    gate.stop().await;
}
