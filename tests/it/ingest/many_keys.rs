//! The gate's memory grows with the keys that send, not with those that there are.

use gridgate::domain::{Clock as _, KeyId};

use super::client::{Export, Form};
use super::{Gate, eventually};
use crate::catalog::execute_at;

/// As many keys as that exist beside those of the tests, and each has a token that nobody has.
const MANY: usize = 20_000;

async fn with_many_keys(gate: &Gate) {
    let now = gate.clock.now().micros();
    // The tenant is there since the first key was made.
    let sql = format!(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {MANY})
         INSERT INTO keys (id, kind, project, grid, environment, name, permissions, created_at, updated_at)
         SELECT printf('key_many%08d', i), 'ingest', 'shop', 'web', 'production', printf('many %d', i),
                'telemetry.traces.write', {now}, {now}
         FROM n;
         INSERT INTO secrets (key_id, version, digest, pepper, created_at)
         SELECT id, 1, randomblob(32), 1, {now} FROM keys WHERE id LIKE 'key_many%'"
    );
    execute_at(&gate.config.catalog_url(), &sql).await;
}

#[tokio::test]
async fn keys_that_do_not_send_take_no_memory() {
    let gate = Gate::start().await;
    let keys = [gate.key("shop").await, gate.key("shop").await, gate.key("shop").await];
    with_many_keys(&gate).await;
    let many: KeyId = format!("key_many{MANY:08}").parse().expect("an id");
    assert!(gate.catalog.key(&many).await.expect("an answer").is_some());
    for _ in 0..3 {
        for key in &keys {
            for form in Form::ALL {
                Export::traces(form, &key.token).send(&gate).await.assert_success(form);
            }
        }
    }
    gate.until("gridgate_cached_keys", |keys| keys == 3).await;
    assert_eq!(gate.metric("gridgate_unwritten_uses").await, 3);
    gate.stop().await;
}

#[tokio::test]
async fn more_keys_send_than_there_is_room_for() {
    let gate = Gate::with(|config| {
        config.keys.cache_keys = 10;
        config.keys.last_used_entries = 16;
    })
    .await;
    let mut keys = Vec::new();
    for _ in 0..60 {
        keys.push(gate.key("shop").await);
    }
    for _ in 0..2 {
        for key in &keys {
            Export::traces(Form::Json, &key.token).send(&gate).await.assert_success(Form::Json);
        }
    }
    assert!((1..=16).contains(&gate.metric("gridgate_unwritten_uses").await));
    eventually("the cache is bounded", async || {
        // The bound is enforced as the cache is used.
        Export::traces(Form::Json, &keys[0].token).send(&gate).await.assert_success(Form::Json);
        gate.metric("gridgate_cached_keys").await <= 10
    })
    .await;
    gate.stop().await;
}
