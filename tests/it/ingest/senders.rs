//! Who uses which key, through the whole gate.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use gridgate::catalog::{self, SenderFilter};
use gridgate::config::{Admitted, ListenerConfig, Prefix, Serves, Span, TlsConfig};
use gridgate::domain::{Clock as _, Signal};
use gridgate::server::catalog_settings;
use http::{Method, Request};
use serde_json::{Value, json};

use super::client::{Answer, Export, Form, exchange};
use super::told::told;
use super::{Gate, Issued, eventually, serve};
use crate::catalog::slug;

const MINUTE: Duration = Duration::from_mins(1);

/// A request of the owner to the admin API.
async fn ask(gate: &Gate, method: Method, path: &str, body: &Value) -> Answer {
    ask_at(gate.admin, &gate.owner, method, path, body).await
}

async fn ask_at(address: SocketAddr, owner: &str, method: Method, path: &str, body: &Value) -> Answer {
    let request = Request::builder()
        .method(method)
        .uri(format!("/api/v1{path}"))
        .header("authorization", format!("Bearer {owner}"))
        .header("content-type", "application/json");
    let body = if body.is_null() { String::new() } else { body.to_string() };
    exchange(address, false, request, body).await
}

fn json_of(answer: &Answer, status: u16) -> Value {
    assert_eq!(answer.status, status, "{}", answer.text());
    serde_json::from_str(&answer.text()).expect("JSON")
}

async fn senders(gate: &Gate, key: &Issued, query: &str) -> Value {
    json_of(&ask(gate, Method::GET, &format!("/keys/{}/senders{query}", key.id), &Value::Null).await, 200)
}

/// A span of each of these resources.
fn spans(resources: &[Value]) -> Vec<u8> {
    let span = json!({"traceId": "0102030405060708090a0b0c0d0e0f10", "spanId": "0102030405060708", "name": "x"});
    let spans = resources.iter().map(|attributes| {
        let attributes: Vec<_> = attributes.as_object().expect("attributes").iter().collect();
        let attributes = attributes.iter().map(|(key, value)| json!({"key": key, "value": {"stringValue": value}}));
        let attributes: Vec<_> = attributes.collect();
        json!({"resource": {"attributes": attributes}, "scopeSpans": [{"spans": [span.clone()]}]})
    });
    json!({"resourceSpans": spans.collect::<Vec<_>>()}).to_string().into()
}

/// The texts of some columns, a row for each sender, sorted.
fn columns(found: &Value, names: &[&str]) -> Vec<Vec<String>> {
    let rows = found["data"].as_array().expect("rows").iter();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut rows: Vec<Vec<_>> = rows.map(|row| names.iter().map(|name| text(&row[*name])).collect()).collect();
    rows.sort();
    rows
}

#[tokio::test]
async fn everybody_who_sends_is_told_apart() {
    let gate = Gate::with(|config| {
        config.senders.flush_interval = Span(Duration::from_millis(5));
        config.listen.more = vec![ListenerConfig {
            address: "[::]:0".parse().expect("an address"),
            transport: Serves::Any,
            environment: Admitted(None),
            prefix: Prefix::default(),
            tls: TlsConfig::default(),
        }];
    })
    .await;
    let (key, other) = (gate.key("shop").await, gate.key("bank").await);
    let six = SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], gate.more[0].port()));
    let sdk = json!({
        "service.name": "checkout", "host.name": "web-7", "telemetry.sdk.language": "python",
        "telemetry.sdk.name": "opentelemetry", "telemetry.sdk.version": "1.44.0",
    });
    let export =
        |form, agent: &str| Export::new(form, Signal::Traces, "cart").key(&key.token).with("user-agent", agent);
    let several =
        export(Form::Json, "collector/1").message(spans(&[sdk.clone(), json!({"service.name": "cart"}), sdk]));
    several.send(&gate).await.assert_success(Form::Json);
    gate.clock.advance(MINUTE);
    export(Form::Protobuf, "collector/1").send(&gate).await.assert_success(Form::Protobuf);
    export(Form::Grpc, "grpc/2").send(&gate).await.assert_success(Form::Grpc);
    export(Form::Json, "collector/1").send_to(six).await.assert_success(Form::Json);
    Export::traces(Form::Json, &other.token).send(&gate).await.assert_success(Form::Json);

    let found = senders(&gate, &key, "").await;
    let expected = [
        ["cart", "null", "null", "collector/1", "127.0.0.1", "2"],
        ["cart", "null", "null", "collector/1", "::1", "1"],
        ["cart", "null", "null", "grpc/2", "127.0.0.1", "1"],
        ["checkout", "web-7", "python opentelemetry 1.44.0", "collector/1", "127.0.0.1", "1"],
    ];
    assert_eq!(columns(&found, &["service", "host", "sdk", "user_agent", "address", "exports"]), expected);
    assert_eq!(found["shared"], true);
    assert_eq!(found["others"], json!({"senders": 0, "exports": 0, "refused": 0, "last_seen_at": null}));
    let last = found["data"].as_array().expect("rows").last().expect("a row");
    let instants = ["first_seen_at", "last_seen_at", "last_accepted_at"].map(|name| last[name].as_str().expect("one"));
    assert_eq!(instants, ["2026-11-21T10:22:00.000000Z"; 3]);
    let recent = senders(&gate, &key, "?since=2026-11-21T10:23:00Z&service=cart&secret=1").await;
    assert_eq!(recent["data"].as_array().expect("rows").len(), 3);

    // And what is written down says the same of all keys.
    let written = async |project: Option<&str>| {
        let filter = SenderFilter { project: project.map(slug), ..SenderFilter::default() };
        let all = catalog::Paging { limit: 50, after: None };
        gate.catalog.senders(&filter, &all).await.expect("a page").items.len()
    };
    eventually("five senders", async || written(None).await == 5).await;
    assert_eq!(written(Some("shop")).await, 4);
    let listed = json_of(&ask(&gate, Method::GET, "/senders", &Value::Null).await, 200);
    assert_eq!(columns(&listed, &["project", "service", "shared"]).len(), 5);
    assert!(
        columns(&listed, &["project", "service", "shared"])
            .contains(&["bank", "marker", "false"].map(String::from).into())
    );
    gate.stop().await;
}

/// Names that would harm a database, a terminal or the memory.
#[tokio::test]
async fn hostile_names_are_bounded_and_change_nothing() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    let names = ["\u{202e}\u{1b}[31m\0'; DROP TABLE senders; --", &"\u{1f600}".repeat(100_000), "\u{feff}\u{2028}"];
    for name in names {
        let resource = json!({"service.name": name, "host.name": name, "telemetry.sdk.name": name});
        let export = Export::traces(Form::Json, &key.token).message(spans(&[resource]));
        let export = export.with("user-agent", [&b"\x9b2J\xff"[..], &[b'a'; 5000]].concat());
        export.send(&gate).await.assert_success(Form::Json);
    }
    let many: Vec<_> = (0..30).map(|number| json!({"service.name": format!("s{number}")})).collect();
    for some in many.chunks(3) {
        let rest = (0..8).map(|number| json!({"host.name": format!("{}-{number}", some[0])}));
        let resources: Vec<_> = rest.collect();
        let export = Export::traces(Form::Json, &key.token).message(spans(&resources));
        export.send(&gate).await.assert_success(Form::Json);
    }
    let check = |found: &Value| {
        let rows = found["data"].as_array().expect("rows");
        assert_eq!(rows.len(), 50, "a key has room for so many");
        assert_eq!(found["others"]["senders"], 80 + 3 - 50);
        for row in rows {
            for name in ["service", "host", "sdk", "user_agent"] {
                let text = row[name].as_str().unwrap_or_default();
                assert!(text.len() <= 200 && !text.contains('\0'), "{name}: {text:?}");
            }
        }
    };
    check(&senders(&gate, &key, "").await);
    let stopped = gate.stop().await;
    let catalog = catalog::connect(&catalog_settings(&stopped.config)).await.expect("a catalog");
    let (written, others) = catalog.senders_of(&key.id.parse().expect("an id")).await.expect("an answer");
    assert_eq!((written.len(), others.senders), (50, 33));
}

#[tokio::test]
async fn what_would_cut_somebody_off_needs_force() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    let export = Export::new(Form::Json, Signal::Logs, "checkout").key(&key.token).with("user-agent", "agent/1");
    let post =
        async |verb: &str, body: Value| ask(&gate, Method::POST, &format!("/keys/{}/{verb}", key.id), &body).await;
    // A key that nobody uses is not held up.
    json_of(&post("disable", Value::Null).await, 200);
    json_of(&post("enable", Value::Null).await, 200);
    export.send(&gate).await.assert_success(Form::Json);
    for (verb, body) in [("disable", json!(null)), ("regenerate", json!({})), ("revoke", json!({"force": false}))] {
        let problem = json_of(&post(verb, body).await, 409);
        assert_eq!((&problem["code"], &problem["senders"][0]["service"]), (&json!("key_in_use"), &json!("checkout")));
        assert_eq!(problem["senders"].as_array().expect("senders").len(), 1);
        assert!(!problem["detail"].as_str().expect("text").contains("checkout"), "names stay in their fields");
    }
    let delete = format!("/keys/{}", key.id);
    assert_eq!(ask(&gate, Method::DELETE, &delete, &Value::Null).await.status, 409);
    assert_eq!(ask(&gate, Method::DELETE, &format!("{delete}?force=yes"), &Value::Null).await.status, 422);
    export.send(&gate).await.assert_success(Form::Json);

    // Of a rotation each end cuts off those on one of the secrets.
    let rotated = json_of(&post("rotate", json!(null)).await, 200);
    let new = rotated["token"].as_str().expect("a token").to_owned();
    assert_eq!(post("rotation/complete", json!(null)).await.status, 409);
    json_of(&post("rotation/cancel", json!(null)).await, 200);
    let rotated = json_of(&post("rotate", json!(null)).await, 200);
    let newer = rotated["token"].as_str().expect("a token").to_owned();
    export.clone().with("api-key", &newer).send(&gate).await.assert_success(Form::Json);
    assert_eq!(post("rotation/cancel", json!(null)).await.status, 409);
    assert_ne!(new, newer);
    gate.clock.advance(10 * MINUTE);
    export.clone().with("api-key", &newer).send(&gate).await.assert_success(Form::Json);
    json_of(&post("rotation/complete", json!(null)).await, 200);

    // With force it is refused from the answer on.
    json_of(&post("revoke", json!({"force": true})).await, 200);
    let refused = export.clone().with("api-key", &newer).send(&gate).await;
    told("key_revoked").key(&key.id).check(&refused, Form::Json);
    json_of(&post("revoke", json!(null)).await, 200);
    gate.stop().await;
}

/// A revoked key that is still being sent: its senders are those from before.
#[tokio::test]
async fn what_is_refused_counts_for_who_sent_before() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    let export = Export::new(Form::Json, Signal::Logs, "checkout").key(&key.token).with("user-agent", "agent/1");
    export.send(&gate).await.assert_success(Form::Json);
    gate.change(&key, "revoke").await;
    for _ in 0..3 {
        assert_eq!(export.send(&gate).await.status, 401);
    }
    assert_eq!(export.clone().with("user-agent", "other").send(&gate).await.status, 401);
    // Who proves nothing is no sender.
    let (start, end) = key.token.split_at(key.token.len() - 1);
    let wrong = format!("{start}{}", if end == "a" { "b" } else { "a" });
    assert_eq!(export.clone().with("api-key", wrong).send(&gate).await.status, 401);
    let found = senders(&gate, &key, "").await;
    let expected = [["checkout", "agent/1", "4", "3"], ["null", "other", "1", "1"]];
    assert_eq!(columns(&found, &["service", "user_agent", "exports", "refused"]), expected);
    gate.stop().await;
}

/// A restart forgets nothing, and what was written down before it holds a key, too.
#[tokio::test]
async fn senders_survive_a_restart() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    Export::traces(Form::Json, &key.token).send(&gate).await.assert_success(Form::Json);
    let (clock, owner) = (Arc::clone(&gate.clock), gate.owner.clone());
    let stopped = gate.stop().await;
    clock.advance(MINUTE);
    let (server, stop) = serve(&stopped.config, &clock).await;
    let (admin, http) = (server.admin_address(), server.ingest_address(gridgate::domain::Transport::Http));
    let (admin, http) = (admin.expect("an address"), http.expect("an address"));
    let running = tokio::spawn(server.run());
    let path = format!("/keys/{}", key.id);
    let problem = json_of(&ask_at(admin, &owner, Method::POST, &format!("{path}/revoke"), &json!(null)).await, 409);
    assert_eq!(problem["senders"][0]["service"], "marker");
    Export::traces(Form::Json, &key.token).send_to(http).await.assert_success(Form::Json);
    let found = json_of(&ask_at(admin, &owner, Method::GET, &format!("{path}/senders"), &json!(null)).await, 200);
    assert_eq!(columns(&found, &["service", "exports"]), [["marker", "2"]]);
    assert_ne!(found["data"][0]["first_seen_at"], found["data"][0]["last_seen_at"]);
    stop.cancel();
    running.await.expect("no panic").expect("a good end");
}

/// While a key is rotated, its view says who is still on the old secret; once nobody is, it retires.
#[tokio::test]
async fn a_rotation_shows_who_is_left_behind() {
    let gate = Gate::with(|config| {
        config.keys.last_used_interval = Span(Duration::from_millis(5));
        config.senders.flush_interval = Span(Duration::from_millis(5));
    })
    .await;
    let key = gate.key("shop").await;
    let of = |service: &str, token: &str| Export::new(Form::Json, Signal::Traces, service).key(token);
    let path = format!("/keys/{}", key.id);
    let show = async || json_of(&ask(&gate, Method::GET, &path, &Value::Null).await, 200);
    of("moves", &key.token).send(&gate).await.assert_success(Form::Json);
    assert_eq!(show().await["rotation"], Value::Null);
    let body = json!({"drained_after_seconds": 300});
    let rotated = json_of(&ask(&gate, Method::POST, &format!("{path}/rotate"), &body).await, 200);
    assert_eq!(rotated["key"]["rotation"]["old_senders"], Value::Null, "not told here");
    let new = rotated["token"].as_str().expect("a token").to_owned();
    gate.clock.advance(MINUTE);
    of("moves", &new).send(&gate).await.assert_success(Form::Json);
    of("stays", &key.token).send(&gate).await.assert_success(Form::Json);
    let now = gate.clock.now().to_string();
    eventually("the last use", async || show().await["rotation"]["old_last_used_at"] == now).await;
    // Those that were seen last first. Who is being written down at the moment is left out of lists.
    let old = async || {
        let rotation = show().await["rotation"].clone();
        let senders = rotation["old_senders"].as_array().expect("senders").clone();
        senders.iter().map(|one| one["service"].clone()).collect::<Vec<_>>()
    };
    eventually("both", async || old().await == ["stays", "moves"]).await;
    let on_old = senders(&gate, &key, "?secret=1").await;
    assert_eq!(columns(&on_old, &["service"]), [["moves"], ["stays"]]);

    gate.clock.advance(5 * MINUTE);
    of("moves", &new).send(&gate).await.assert_success(Form::Json);
    eventually("the old secret to retire", async || show().await["rotation"].is_null()).await;
    assert_eq!(of("stays", &key.token).send(&gate).await.status, 401);
    of("moves", &new).send(&gate).await.assert_success(Form::Json);
    gate.stop().await;
}

/// How much comes with each of two secrets is seen at once, and by the minute.
#[tokio::test]
async fn a_rotation_shows_how_much_comes_with_each_secret() {
    let gate = Gate::with(|config| config.usage.flush_interval = Span(Duration::from_millis(5))).await;
    let key = gate.key("shop").await;
    let path = format!("/keys/{}", key.id);
    let send = async |token: &str| {
        let export = Export::new(Form::Json, Signal::Logs, "checkout").key(token);
        export.send(&gate).await.assert_success(Form::Json);
    };
    send(&key.token).await;
    let rotated = json_of(&ask(&gate, Method::POST, &format!("{path}/rotate"), &json!({})).await, 200);
    let new = rotated["token"].as_str().expect("a token").to_owned();
    let begin = gate.clock.now();
    let from = begin.before(Duration::from_micros(begin.micros().rem_euclid(60_000_000).unsigned_abs()));
    send(&key.token).await;
    send(&key.token).await;
    send(&new).await;
    let mut refused = Export::new(Form::Json, Signal::Logs, "checkout").key(&key.token);
    refused.body = "{".into();
    assert_eq!(refused.send(&gate).await.status, 400);
    let traffic = |old: &[u64], new: &[u64], now: [u64; 2]| {
        json!({
            "from": from.to_string(), "step_seconds": 60,
            "old": {"per_minute": now[0], "exports": old}, "new": {"per_minute": now[1], "exports": new},
        })
    };
    let shown = async |expected: Value| {
        let what = format!("{expected}");
        eventually(&what, async || {
            let view = json_of(&ask(&gate, Method::GET, &path, &Value::Null).await, 200);
            view["rotation"]["traffic"] == expected
        })
        .await;
    };
    shown(traffic(&[3], &[1], [3, 1])).await;
    gate.clock.advance(2 * MINUTE);
    send(&new).await;
    shown(traffic(&[3, 0, 0], &[1, 0, 1], [0, 1])).await;
    let done = ask(&gate, Method::POST, &format!("{path}/rotation/complete"), &json!({"force": true})).await;
    assert_eq!(json_of(&done, 200)["rotation"], Value::Null);
    gate.stop().await;
}
