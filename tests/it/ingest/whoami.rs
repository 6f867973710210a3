//! `GET /v1/whoami`: what a key is told of itself, and in which form it is refused.

use std::net::SocketAddr;
use std::time::Duration;

use gridgate::config::{Admitted, Prefix};
use gridgate::domain::{Permission, Permissions, Timestamp};
use http::Request;
use serde_json::{Value, json};

use super::client::{Answer, Export, Form, Raw, exchange};
use super::{Gate, Issued};
use crate::admin::START;
use crate::catalog::{slug, tenant};

async fn ask(address: SocketAddr, path: &str, token: &str) -> Answer {
    exchange(address, false, Request::get(path).header("api-key", token), "").await
}

async fn whoami(gate: &Gate, key: &Issued) -> Answer {
    ask(gate.http, "/v1/whoami", &key.token).await
}

/// The JSON of an answer that must be one.
fn told(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.headers["content-type"], "application/json");
    assert_eq!(answer.headers["cache-control"], "no-store");
    serde_json::from_slice(&answer.data).expect("JSON")
}

#[track_caller]
fn assert_refused(answer: &Answer, status: u16, start: &str) {
    let body: Value = serde_json::from_slice(&answer.data).expect("JSON");
    let message = body["message"].as_str().expect("a message");
    assert!(answer.status == status && message.starts_with(start), "{status} {start}: {answer:?}");
}

#[tokio::test]
async fn a_key_is_told_what_it_is_and_what_it_may_do_here() {
    let gate = Gate::start().await;
    let permissions = [Permission::TracesWrite, Permission::LogsWrite].into_iter().collect();
    let until = Timestamp::from_micros(START.micros() + 1_000_000);
    let key = gate.issue("checkout", tenant("shop", "web", "production"), permissions, Some(until)).await;
    let expected = json!({
        "id": key.id,
        "name": "checkout",
        "project": "shop",
        "grid": "web",
        "environment": "production",
        "role": null,
        "permissions": ["telemetry.logs.write", "telemetry.traces.write"],
        "status": "active",
        "expires_at": "2026-11-21T10:22:01.000000Z",
        "secret": {"version": 1, "state": "current", "retires_at": null},
        "signals": ["traces", "logs"],
    });
    assert_eq!(told(&whoami(&gate, &key).await), expected);
    // Any header that may carry a token, and HTTP/2.
    let request = || Request::get("/v1/whoami").header("authorization", format!("Bearer {}", key.token));
    assert_eq!(told(&exchange(gate.http, false, request(), "").await), expected);
    assert_eq!(told(&exchange(gate.http, true, request(), "").await), expected);
    let head = exchange(gate.http, false, request().method("HEAD"), "").await;
    assert_eq!((head.status, head.data.len()), (200, 0));

    // Questions are no exports.
    assert_eq!(gate.metric("gridgate_whoami_total{answer=\"ok\"}").await, 4);
    for (name, value) in gate.metrics().await {
        assert!(!name.starts_with("gridgate_exports_") || value == 0, "{name} {value}");
    }
    gate.stop().await;
}

/// The answer has the status, the body and the challenge of a refused export's in JSON.
#[tokio::test]
async fn a_refusal_is_that_of_an_export() {
    let gate = Gate::start().await;
    let expired = {
        let until = Timestamp::from_micros(START.micros() + 1);
        gate.issue("short", tenant("shop", "web", "production"), Permissions::ingest(), Some(until)).await
    };
    let [revoked, disabled] = [gate.key("shop").await, gate.key("shop").await];
    gate.change(&revoked, "revoke").await;
    gate.change(&disabled, "disable").await;
    gate.clock.advance(Duration::from_secs(1));
    let mut foreign = disabled.token.clone();
    foreign.replace_range(..3, "gga");
    for (token, label) in [
        (revoked.token.as_str(), "key_revoked"),
        (&disabled.token, "key_disabled"),
        (&expired.token, "key_expired"),
        (&gate.owner, "key_malformed"),
        (&disabled.id, "key_malformed"),
        (&foreign, "key_malformed"),
    ] {
        let asked = ask(gate.http, "/v1/whoami", token).await;
        let export = Export::traces(Form::Json, token).send(&gate).await;
        assert_refused(&asked, 401, label);
        let seen = |answer: &Answer| {
            let challenge = answer.headers["www-authenticate"].clone();
            (answer.status, answer.data.clone(), answer.phrase.clone(), challenge)
        };
        assert_eq!(seen(&asked), seen(&export));
        let counted = format!("gridgate_whoami_total{{answer=\"{label}\"}}");
        assert!(gate.metric(&counted).await > 0, "{label}");
    }
    let nobody = exchange(gate.http, false, Request::get("/v1/whoami"), "").await;
    assert_refused(&nobody, 401, "credentials_missing");
    assert_eq!(nobody.headers["www-authenticate"], "Bearer realm=\"otlp\"");
    gate.stop().await;
}

/// A service of the deployment asks on behalf of who sent it a token.
#[tokio::test]
async fn a_permission_can_be_asked_for() {
    let gate = Gate::start().await;
    let permissions = [Permission::TracesWrite, Permission::LogsWrite].into_iter().collect();
    let key = gate.issue("checkout", tenant("shop", "web", "production"), permissions, None).await;
    let asked = async |query: &str| ask(gate.http, &format!("/v1/whoami{query}"), &key.token).await;
    for query in
        ["?", "?permission=telemetry.logs.write", "?permission=telemetry.logs.write&permission=telemetry.traces.write"]
    {
        told(&asked(query).await);
    }
    for query in ["?permission=customer.read", "?permission=telemetry.logs.write&permission=customer.read"] {
        let start = format!("permission_denied ({}): the key lacks customer.read; ", key.id);
        assert_refused(&asked(query).await, 403, &start);
    }
    // A slip must not be a yes.
    for query in [
        "?permissions=customer.read",
        "?permission",
        "?permission=",
        "?permission=Customer.Read",
        "?permission=a%20b",
        "?permission=%ff",
        "?permission=customer.read&x=y",
    ] {
        assert_refused(&asked(query).await, 400, "query_invalid");
    }
    // Who has no key learns nothing of it.
    let answer = ask(gate.http, "/v1/whoami?permissions=x", "nonsense").await;
    assert_refused(&answer, 401, "key_malformed");
    gate.stop().await;
}

#[tokio::test]
async fn the_listener_is_honoured() {
    let prefix = Prefix::try_from("otlp/".to_owned()).expect("a prefix");
    let gate = Gate::with(|config| {
        config.listen.prefix = prefix;
        config.listen.environment = Admitted(Some(slug("staging")));
        config.cors.origins = vec!["https://app.example.com".to_owned()];
    })
    .await;
    let (staging, production) = (gate.key_of("shop", "staging").await, gate.key("shop").await);
    told(&ask(gate.http, "/otlp/v1/whoami", &staging.token).await);
    let elsewhere = format!("environment_mismatch ({}): this endpoint is for staging", production.id);
    assert_refused(&ask(gate.http, "/otlp/v1/whoami", &production.token).await, 401, &elsewhere);
    for path in ["/v1/whoami", "/otlp/v1/whoami/", "/otlp/v1/Whoami"] {
        let answer = ask(gate.http, path, &staging.token).await;
        assert_refused(&answer, 404, "path_unknown: every path here begins with /otlp");
    }
    let page = Request::get("/otlp/v1/whoami").header("api-key", &staging.token);
    let answer = exchange(gate.http, false, page.header("origin", "https://app.example.com"), "").await;
    told(&answer);
    assert_eq!(answer.headers["access-control-allow-origin"], "https://app.example.com");
    // The other transport's port says which one it is.
    assert_refused(&ask(gate.grpc, "/otlp/v1/whoami", &staging.token).await, 404, "wrong_port");
    gate.stop().await;
}

/// It costs headers only: not one byte of a body is waited for.
#[tokio::test]
async fn only_get_is_answered_and_no_body_is_read() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    for (method, status) in [("POST", "405"), ("GET", "200")] {
        let mut raw = Raw::connect(gate.http).await;
        let head = format!("{method} /v1/whoami HTTP/1.1\r\nhost: gate\r\napi-key: {}\r\n", key.token);
        raw.write(format!("{head}content-length: 1000000\r\n\r\n").as_bytes()).await;
        let (head, body) = raw.read_answer().await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
        assert!(head.contains("connection: close\r\n") && !body.is_empty(), "{head}");
        assert!(status == "200" || head.contains("allow: GET, HEAD\r\n"), "{head}");
    }
    let many = Request::get("/v1/whoami").header("api-key", &key.token).header("x-long", "x".repeat(20 << 10));
    assert_refused(&exchange(gate.http, false, many, "").await, 431, "headers_too_large");
    gate.stop().await;
}
