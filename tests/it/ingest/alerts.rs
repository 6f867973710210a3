//! Alerts, through the whole gate.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use gridgate::catalog::{self, AlertFilter, Catalog, Paging};
use gridgate::config::{Config, Span};
use gridgate::domain::alert::GivenAlert;
use gridgate::domain::webhook::EventKind;
use gridgate::domain::{Clock as _, Signal};
use gridgate::metering::limiter::Limiter;
use gridgate::observe::metrics::Metrics;
use gridgate::server::catalog_settings;
use gridgate::upkeep::alerts::Alerter;
use http::Request;
use serde_json::{Value, json};

use super::client::{Export, Form, exchange};
use super::{Gate, eventually};

fn quick(config: &mut Config) {
    config.senders.flush_interval = Span(Duration::from_millis(5));
    config.refusals.flush_interval = Span(Duration::from_millis(5));
    config.usage.flush_interval = Span(Duration::from_millis(5));
}

/// A look of the job at what the gate has written down; the gate's own looks every half minute.
fn alerter(gate: &Gate) -> Alerter {
    Alerter {
        catalog: Arc::clone(&gate.catalog),
        clock: Arc::clone(&gate.clock) as _,
        random: Arc::clone(&gate.random) as _,
        limiter: Arc::new(Limiter::new(1)),
        metrics: Metrics::new().alerts.clone(),
        unwritten: Mutex::default(),
    }
}

async fn all(catalog: &dyn Catalog) -> Vec<GivenAlert> {
    catalog.alerts(&AlertFilter::default(), &Paging { limit: 200, after: None }).await.expect("a page").items
}

/// Looks until there are so many alerts, and gives their kinds and summaries.
async fn looked(gate: &Gate, expected: usize) -> Vec<GivenAlert> {
    let alerter = alerter(gate);
    eventually("alerts", async || {
        alerter.look().await.expect("a look");
        all(&*gate.catalog).await.len() >= expected
    })
    .await;
    all(&*gate.catalog).await
}

#[tokio::test]
async fn what_happens_with_keys_is_told_once() {
    let gate = Gate::with(quick).await;
    let (key, ordinary) = (gate.key("shop").await, gate.key("bank").await);
    let export = |service: &str| Export::new(Form::Json, Signal::Traces, service).key(&key.token);
    export("cart").send(&gate).await.assert_success(Form::Json);
    Export::new(Form::Json, Signal::Traces, "ledger").key(&ordinary.token).send(&gate).await.assert_success(Form::Json);
    eventually("two senders", async || {
        let all = Paging { limit: 50, after: None };
        gate.catalog.senders(&catalog::SenderFilter::default(), &all).await.expect("a page").items.len() == 2
    })
    .await;
    alerter(&gate).look().await.expect("a look");
    assert_eq!(all(&*gate.catalog).await, [], "nothing is out of the ordinary");

    gate.clock.advance(Duration::from_hours(25));
    export("cart").send(&gate).await.assert_success(Form::Json);
    Export::new(Form::Json, Signal::Traces, "ledger").key(&ordinary.token).send(&gate).await.assert_success(Form::Json);
    let hostile = "pay\u{202e}\u{1b}[31m\"}, {";
    let body = json!({"resourceSpans": [{
        "resource": {"attributes": [
            {"key": "service.name", "value": {"stringValue": hostile}},
            {"key": "deployment.environment.name", "value": {"stringValue": "staging"}},
        ]},
        "scopeSpans": [{"spans": [{
            "traceId": "0102030405060708090a0b0c0d0e0f10", "spanId": "0102030405060708", "name": "x",
        }]}],
    }]});
    export("x").message(body.to_string()).send(&gate).await.assert_success(Form::Json);
    let found = looked(&gate, 3).await;
    let mut kinds: Vec<_> = found.iter().map(|one| (one.kind, one.key.map(|key| key.to_string()))).collect();
    kinds.sort();
    let of_key = |kind| (kind, Some(key.id.clone()));
    let expected = [EventKind::NewSender, EventKind::Shared, EventKind::EnvironmentDrift].map(of_key);
    assert_eq!(kinds, expected);
    let quoted = format!("{hostile:?}");
    let new = found.iter().find(|one| one.kind == EventKind::NewSender).expect("a new sender");
    assert_eq!(new.summary, format!("{} is used by {quoted} for the first time, from 127.0.0.1", key.id));
    let data: Value = serde_json::from_str(&new.data).expect("JSON");
    assert_eq!((&data["senders"][0]["service"], &data["project"]), (&json!(hostile), &json!("shop")));

    gate.change(&key, "revoke").await;
    gate.clock.advance(Duration::from_secs(1));
    assert_eq!(export("cart").send(&gate).await.status, 401);
    let found = looked(&gate, 4).await;
    let revoked = &found[0];
    assert_eq!((revoked.kind, found.len()), (EventKind::UsedAfterRevoke, 4));
    assert!(revoked.summary.contains("still sent by"), "{}", revoked.summary);

    // By the API, to whom it concerns.
    let request =
        Request::get("/api/v1/alerts?alert=key.shared").header("authorization", format!("Bearer {}", gate.owner));
    let answer = exchange(gate.admin, false, request, "").await;
    let listed: Value = serde_json::from_str(&answer.text()).expect("JSON");
    assert_eq!((listed["data"][0]["key"].as_str(), listed["data"][1].is_null()), (Some(key.id.as_str()), true));
    gate.stop().await;
}

#[tokio::test]
async fn strangers_in_number_are_told_of_without_their_tokens() {
    let gate = Gate::with(quick).await;
    let token = "ggi_prd_0123456789ab_secretsecretsecretsecretsecretse";
    for _ in 0..99 {
        assert_eq!(Export::traces(Form::Json, token).send(&gate).await.status, 401);
    }
    alerter(&gate).look().await.expect("a look");
    assert_eq!(all(&*gate.catalog).await, []);
    assert_eq!(Export::traces(Form::Json, token).send(&gate).await.status, 401);
    let found = looked(&gate, 1).await;
    let [alert] = &found[..] else { panic!("one alert: {found:?}") };
    assert_eq!((alert.kind, alert.project.as_ref(), alert.key), (EventKind::AuthenticationFailing, None, None));
    let data: Value = serde_json::from_str(&alert.data).expect("JSON");
    assert_eq!((&data["exports"], &data["addresses"]), (&json!(100), &json!(["127.0.0.1"])));
    assert!(!format!("{alert:?}").contains("secretsecret"), "{alert:?}");
    gate.stop().await;
}

/// Also what was crossed just before the end.
#[tokio::test]
async fn a_quota_is_warned_of_once_in_its_period() {
    let gate = Gate::with(quick).await;
    let body = json!({
        "name": "limited", "project": "shop", "grid": "web", "environment": "production",
        "limits": [{"unit": "items", "per": "day", "amount": 10}],
    });
    let key = gate.created(&body).await;
    for _ in 0..8 {
        Export::traces(Form::Json, &key.token).send(&gate).await.assert_success(Form::Json);
    }
    let at = gate.clock.now();
    let stopped = gate.stop().await;
    let catalog = catalog::connect(&catalog_settings(&stopped.config)).await.expect("a catalog");
    let found = all(&*catalog).await;
    let [warning] = &found[..] else { panic!("one warning: {found:?}") };
    assert_eq!((warning.kind, warning.at), (EventKind::QuotaWarning, at));
    let data: Value = serde_json::from_str(&warning.data).expect("JSON");
    assert_eq!(
        data,
        json!({
            "scope": "key", "id": key.id, "project": "shop", "limit": "10 items/day", "percent": 80, "used": 8,
            "amount": 10, "period": "2026-11-21T00:00:00.000000Z", "crossed_at": at.to_string(),
        })
    );
}
