//! The work over the catalog in the whole gate: it runs from start to end without being asked.

use http::Request;
use serde_json::{Value, json};

use super::Gate;
use super::client::exchange;
use crate::webhooks::receiver::Receiver;

#[tokio::test]
async fn a_running_gate_tells_webhooks_what_happens_and_stops_in_good_order() {
    let gate = Gate::with(|config| {
        config.webhooks.allow_http = true;
        config.webhooks.allow_networks = vec!["127.0.0.1/32".parse().expect("a network")];
    })
    .await;
    let mut receiver = Receiver::start().await;
    let request = Request::post("/api/v1/webhooks")
        .header("authorization", format!("Bearer {}", gate.owner))
        .header("content-type", "application/json");
    let body = json!({"url": receiver.url(), "events": ["key.revoked"]});
    let answer = exchange(gate.admin, false, request, body.to_string()).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    let created: Value = serde_json::from_str(&answer.text()).expect("JSON");
    let key = gate.key("shop").await;
    gate.change(&key, "revoke").await;
    let message = receiver.message().await;
    assert_eq!(message.signed_by(created["secret"].as_str().expect("a secret")), [true]);
    assert_eq!(message.json()["subject"], key.id);
    gate.until("gridgate_webhook_attempts_total{outcome=\"delivered\"}", |delivered| delivered == 1).await;
    let metrics = gate.metrics().await;
    assert_eq!(metrics.get("gridgate_keys_attention{flag=\"rotation_due\"}"), Some(&0));
    gate.stop().await;
}

/// What the configuration does not allow is refused by the whole gate, too.
#[tokio::test]
async fn without_leave_nothing_goes_to_loopback() {
    let gate = Gate::start().await;
    for url in ["http://127.0.0.1:1/", "https://127.0.0.1:1/", "https://localhost:1/"] {
        let request = Request::post("/api/v1/webhooks")
            .header("authorization", format!("Bearer {}", gate.owner))
            .header("content-type", "application/json");
        let body = json!({"url": url, "events": ["key.revoked"]});
        let answer = exchange(gate.admin, false, request, body.to_string()).await;
        assert_eq!(answer.status, 422, "{url}");
    }
    gate.stop().await;
}
