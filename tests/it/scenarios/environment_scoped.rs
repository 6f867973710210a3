//! A key of one environment, with permissions and a status. The page: an admin makes a key for a customer in an environment, with
//! what it may do; the list shows its permissions and whether it is active. «Revoke» refuses it for the time being and can be undone,
//! and what happened stays to be looked up.

use gridgate::cli::Exit;
use gridgate::domain::Signal;
use serde_json::json;

use super::Product;
use crate::ingest::client::{Export, Form};
use crate::ingest::told::told;

#[tokio::test]
async fn a_customers_key_is_disabled_and_enabled_and_its_history_kept() {
    let product = Product::start().await;
    let create = "keys create --name acme-agent --owner ACME --project shop --grid web --environment staging \
        --permission telemetry.traces.write --permission telemetry.logs.write --tag customer --expires-in 90d";
    let key = product.key(create).await;
    assert!(key.token.starts_with("ggi_stg_"), "the environment shows in the token");

    // What it may do it does, and nothing else.
    product.accepts(&key.token, "agent").await;
    for form in Form::ALL {
        let answer = Export::new(form, Signal::Metrics, "agent").key(&key.token).send(&product.gate).await;
        told("permission_denied").key(&key.id).detail("the key lacks telemetry.metrics.write").check(&answer, form);
    }

    // Found by its customer; the status is a column.
    let status = async || product.json("keys list --owner ACME").await[0]["status"].clone();
    assert_eq!(status().await, "active");
    let listed = product.json("keys list --owner ACME").await;
    assert_eq!(listed[0]["permissions"], json!(["telemetry.logs.write", "telemetry.traces.write"]));
    assert_eq!(listed[0]["expires_at"], "2027-02-19T10:22:00.000000Z");

    // The button says «Revoke», and means that it can be undone.
    product.run(&format!("keys revoke {} --temporary --force", key.id)).await;
    assert_eq!(status().await, "disabled");
    product.refuses(&key, "key_disabled").await;
    product.run(&format!("keys enable {}", key.id)).await;
    assert_eq!(status().await, "active");
    product.accepts(&key.token, "agent").await;

    // The rest can be changed without the token changing.
    product.run(&format!("keys edit {} --name acme-agent-2 --permission telemetry.metrics.write", key.id)).await;
    for form in Form::ALL {
        Export::new(form, Signal::Metrics, "agent").key(&key.token).send(&product.gate).await.assert_success(form);
    }

    let events = product.json(&format!("keys events {}", key.id)).await;
    let actions: Vec<_> = events.as_array().expect("rows").iter().map(|event| event["action"].clone()).collect();
    assert_eq!(actions, ["key.edited", "key.enabled", "key.disabled", "key.created"]);
    assert!(!events.to_string().contains(&key.token));

    // A key that was revoked for good is history, too.
    product.run(&format!("keys revoke {} --yes --force", key.id)).await;
    product.refused(&format!("keys enable {}", key.id), Exit::Conflict, "key_revoked").await;
    assert_eq!(product.json("keys list --owner ACME --status revoked").await[0]["id"], key.id);
    assert_eq!(product.json(&format!("keys events {}", key.id)).await[0]["action"], "key.revoked");
}
