//! Limits through the whole gate: what is over them is refused, on both transports, and nobody else is.

use std::sync::Arc;
use std::time::Duration;

use gridgate::config::Span;
use gridgate::domain::{Clock, Signal, Timestamp, Transport};
use http::Request;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceResponse;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceResponse;
use opentelemetry_proto::tonic::collector::profiles::v1development::ExportProfilesServiceResponse;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message as _;
use serde_json::{Value, json};

use super::client::{Answer, Export, Form, Raw, exchange};
use super::told::told;
use super::{Gate, Issued, eventually, new_key, serve};

const SECOND: Duration = Duration::from_secs(1);

const DAY_MICROS: i64 = 86_400_000_000;

/// `PATCH` of a project, or of a tenant's limits, through the admin API.
async fn limit(gate: &Gate, path: &str, limits: Value) {
    let request = Request::patch(format!("/api/v1/projects/{path}"))
        .header("authorization", format!("Bearer {}", gate.owner))
        .header("content-type", "application/merge-patch+json")
        .header("if-match", "*");
    let answer = exchange(gate.admin, false, request, json!({"limits": limits}).to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

const TENANT: &str = "shop/grids/web/environments/production/limits";

/// A key of `shop/web/production` with limits of its own.
async fn limited(gate: &Gate, limits: Value) -> Issued {
    named(gate, "limited", limits).await
}

/// The same with a name.
async fn named(gate: &Gate, name: &str, limits: Value) -> Issued {
    let mut new = new_key(name);
    new["limits"] = limits;
    gate.created(&new).await
}

/// What a success is where a rate holds: HTTP says how it stands.
fn assert_success(mut answer: Answer, form: Form) {
    for name in ["ratelimit", "ratelimit-policy"] {
        assert_eq!(answer.headers.remove(name).is_some(), form != Form::Grpc, "{name}: {answer:?}");
    }
    answer.assert_success(form);
}

fn rate(unit: &str, amount: u64) -> Value {
    json!([{"unit": unit, "per": "second", "amount": amount}])
}

#[tokio::test]
async fn key_tenant_and_project_are_limited_on_both_transports() {
    for scope in ["key", "tenant", "project"] {
        let gate = Gate::start().await;
        let key = limited(&gate, if scope == "key" { rate("requests", 2) } else { json!([]) }).await;
        let (whose, others) = match scope {
            "key" => (key.id.clone(), gate.key("shop").await),
            "tenant" => {
                limit(&gate, TENANT, rate("requests", 2)).await;
                ("shop/web/production".to_owned(), gate.key_of("shop", "staging").await)
            }
            _ => {
                limit(&gate, "shop", rate("requests", 2)).await;
                ("shop".to_owned(), gate.key("bank").await)
            }
        };
        let refused = told("rate_limited")
            .key(&key.id)
            .over(scope, &whose, "2 requests/second")
            .rate(&format!("\"{scope}-requests\";q=2;w=1"), &format!("\"{scope}-requests\";r=0;t=1"));
        for form in Form::ALL {
            for _ in 0..2 {
                assert_success(Export::traces(form, &key.token).send(&gate).await, form);
            }
            for _ in 0..3 {
                refused.check(&Export::traces(form, &key.token).send(&gate).await, form);
                Export::traces(form, &others.token).send(&gate).await.assert_success(form);
            }
            gate.clock.advance(SECOND);
        }
        gate.stop().await;
    }
}

/// Changed limits hold for the next export, with what is used already.
#[tokio::test]
async fn a_changed_limit_holds_at_once() {
    let gate = Gate::start().await;
    let key = limited(&gate, rate("items", 2)).await;
    let export = Export::new(Form::Protobuf, Signal::Logs, "marker").key(&key.token);
    for _ in 0..2 {
        assert_success(export.send(&gate).await, Form::Protobuf);
    }
    assert_eq!(export.send(&gate).await.status, 429);
    gate.edit(&key, &json!({"limits": rate("items", 3)}).to_string()).await;
    assert_success(export.send(&gate).await, Form::Protobuf);
    assert_eq!(export.send(&gate).await.status, 429);
    gate.edit(&key, r#"{"limits": []}"#).await;
    export.send(&gate).await.assert_success(Form::Protobuf);
    gate.stop().await;
}

/// Who is in debt is told so without having sent one byte of the body.
/// What holds when the last byte of a body has arrived is what it is charged to.
#[tokio::test]
async fn an_export_counts_for_limits_that_were_set_while_its_body_arrived() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    let export = Export::traces(Form::Protobuf, &key.token);
    let (head, tail) = export.body.split_at(export.body.len() / 2);
    let mut arriving = Raw::connect(gate.http).await;
    let lines = format!("expect: 100-continue\r\ncontent-length: {}\r\n", export.body.len());
    arriving.head(&export, &lines).await;
    assert_eq!(arriving.read_head().await, "HTTP/1.1 100 Continue\r\n\r\n");
    arriving.write(head).await;
    gate.until("gridgate_body_memory_bytes", |bytes| bytes >= head.len() as u64).await;
    limit(&gate, TENANT, json!([{"unit": "items", "per": "day", "amount": 1}])).await;
    arriving.write(tail).await;
    let (status, _) = arriving.read_answer().await;
    assert!(status.starts_with("HTTP/1.1 200 OK"), "{status}");
    let refused = told("quota_exhausted").key(&key.id).over("tenant", "shop/web/production", "1 items/day");
    let refused = refused.resets_at("2026-11-22T00:00:00.000000Z");
    refused.check(&export.send(&gate).await, Form::Protobuf);
    gate.stop().await;
}

#[tokio::test]
async fn debt_is_refused_before_the_body() {
    let gate = Gate::start().await;
    let key = limited(&gate, rate("bytes", 1)).await;
    let export = Export::traces(Form::Json, &key.token);
    assert_success(export.send(&gate).await, Form::Json);
    let mut client = Raw::connect(gate.http).await;
    client.head(&export, "content-length: 1000\r\n").await;
    let (head, _) = client.read_answer().await;
    assert!(head.starts_with("HTTP/1.1 429 ") && head.contains("\r\nretry-after: 5\r\n"), "{head}");
    gate.clock.advance(Duration::from_hours(1));
    assert_success(export.send(&gate).await, Form::Json);
    gate.stop().await;
}

#[tokio::test]
async fn a_quota_is_crossed_once_and_opens_on_the_next_day() {
    let gate = Gate::start().await;
    limit(&gate, TENANT, json!([{"unit": "items", "per": "day", "amount": 3, "signal": "traces"}])).await;
    let key = gate.key("shop").await;
    let refused = |end: &str| {
        told("quota_exhausted").key(&key.id).over("tenant", "shop/web/production", "traces 3 items/day").resets_at(end)
    };
    let end = || Timestamp::from_micros((gate.clock.now().micros() / DAY_MICROS + 1) * DAY_MICROS).to_string();
    for _ in 0..2 {
        for form in Form::ALL {
            Export::traces(form, &key.token).send(&gate).await.assert_success(form);
        }
        for form in Form::ALL {
            refused(&end()).check(&Export::traces(form, &key.token).send(&gate).await, form);
            Export::new(form, Signal::Logs, "marker").key(&key.token).send(&gate).await.assert_success(form);
        }
        gate.clock.advance(Duration::from_hours(24));
    }
    // And a step back into a day that is used up does not open it.
    gate.clock.set_back(Duration::from_hours(24));
    refused(&end()).check(&Export::traces(Form::Json, &key.token).send(&gate).await, Form::Json);
    gate.stop().await;
}

/// What was used of a quota is used after a restart, too: neither forgotten nor counted twice, whichever scope it is of.
#[tokio::test]
async fn a_quota_goes_on_where_it_stopped() {
    for (scope, id, path) in [("tenant", "shop/web/production", TENANT), ("project", "shop", "shop")] {
        for (per, end) in [("day", "2026-11-22T00:00:00.000000Z"), ("month", "2026-12-01T00:00:00.000000Z")] {
            let gate = Gate::start().await;
            limit(&gate, path, json!([{"unit": "items", "per": per, "amount": 4}])).await;
            let key = gate.key("shop").await;
            let export = Export::traces(Form::Json, &key.token);
            export.send(&gate).await.assert_success(Form::Json);
            export.send(&gate).await.assert_success(Form::Json);
            let clock = Arc::clone(&gate.clock);
            let stopped = gate.stop().await;
            for used in [2, 4] {
                let (server, stop) = serve(&stopped.config, &clock).await;
                let http = server.ingest_address(Transport::Http).expect("an address");
                let running = tokio::spawn(server.run());
                for _ in used..4 {
                    export.send_to(http).await.assert_success(Form::Json);
                }
                let refused = told("quota_exhausted").key(&key.id).over(scope, id, &format!("4 items/{per}"));
                refused.resets_at(end).check(&export.send_to(http).await, Form::Json);
                stop.cancel();
                running.await.expect("no panic").expect("a good end");
            }
        }
    }
}

/// What is only observed refuses nothing.
#[tokio::test]
async fn an_observed_limit_lets_everything_in() {
    let gate = Gate::start().await;
    let observed = json!([{"unit": "requests", "per": "second", "amount": 1, "mode": "observe"}]);
    let key = limited(&gate, observed).await;
    for form in Form::ALL.into_iter().cycle().take(9) {
        Export::traces(form, &key.token).send(&gate).await.assert_success(form);
    }
    gate.stop().await;
}

/// Over a limit that warns everything is accepted, and its sender is told so, whatever it sends and however.
#[tokio::test]
async fn who_is_over_a_limit_that_warns_is_told_in_the_success() {
    let gate = Gate::start().await;
    for (limit, text, until) in [
        (json!({"unit": "requests", "per": "second", "amount": 1, "mode": "warn"}), "1 requests/second warn", None),
        (json!({"unit": "items", "per": "day", "amount": 1, "mode": "warn"}), "1 items/day warn", Some(())),
    ] {
        let key = named(&gate, limit["unit"].as_str().expect("a unit"), json!([limit])).await;
        Export::traces(Form::Grpc, &key.token).send(&gate).await.assert_success(Form::Grpc);
        let end = Timestamp::from_micros((gate.clock.now().micros() / DAY_MICROS + 1) * DAY_MICROS);
        let more = match until {
            Some(()) => format!("it is used up until {end}"),
            None => "it has something left in 1 s".to_owned(),
        };
        let expected = format!("accepted, but over a limit: the limit of key {} is {text}; {more}", key.id);
        for (signal, form) in Signal::ALL.into_iter().flat_map(|signal| Form::ALL.map(|form| (signal, form))) {
            let answer = Export::new(form, signal, "marker").key(&key.token).send(&gate).await;
            let grpc_status = answer.trailers.as_ref().map(|trailers| trailers["grpc-status"].as_bytes());
            assert_eq!((answer.status, grpc_status), (200, (form == Form::Grpc).then_some(&b"0"[..])), "{answer:?}");
            // Nothing is rejected, and nothing is enforced.
            assert_eq!(answer.headers(), [("content-type".to_owned(), form.content_type().to_owned())]);
            if form == Form::Json {
                let told: Value = serde_json::from_slice(&answer.data).expect("JSON");
                assert_eq!(told, json!({"partialSuccess": {"errorMessage": expected}}));
                continue;
            }
            let mut message = &*answer.data;
            if form == Form::Grpc {
                let length = u32::try_from(message.len() - 5).expect("a length").to_be_bytes();
                assert_eq!((message[0], &message[1..5]), (0, &length[..]));
                message = &message[5..];
            }
            assert_eq!(warned(signal, message), (0, expected.clone()), "{signal}");
        }
    }
    gate.stop().await;
}

/// What a response of `signal` says: how many were rejected, and why.
fn warned(signal: Signal, message: &[u8]) -> (i64, String) {
    match signal {
        Signal::Traces => {
            let response = ExportTraceServiceResponse::decode(message).expect("a response");
            let partial = response.partial_success.expect("a partial success");
            (partial.rejected_spans, partial.error_message)
        }
        Signal::Metrics => {
            let response = ExportMetricsServiceResponse::decode(message).expect("a response");
            let partial = response.partial_success.expect("a partial success");
            (partial.rejected_data_points, partial.error_message)
        }
        Signal::Logs => {
            let response = ExportLogsServiceResponse::decode(message).expect("a response");
            let partial = response.partial_success.expect("a partial success");
            (partial.rejected_log_records, partial.error_message)
        }
        Signal::Profiles => {
            let response = ExportProfilesServiceResponse::decode(message).expect("a response");
            let partial = response.partial_success.expect("a partial success");
            (partial.rejected_profiles, partial.error_message)
        }
    }
}

/// Over HTTP the answer says how the rate stands that is used the most, whichever it is.
#[tokio::test]
async fn http_tells_how_the_most_used_rate_stands() {
    let gate = Gate::start().await;
    limit(&gate, TENANT, rate("requests", 100)).await;
    let limits = json!([
        {"unit": "items", "per": "second", "amount": 2, "burst": 5, "signal": "traces"},
        {"unit": "bytes", "per": "second", "amount": 1, "mode": "observe"},
    ]);
    let key = limited(&gate, limits).await;
    let told = |answer: &Answer| ["ratelimit-policy", "ratelimit"].map(|name| answer.headers.get(name).cloned());
    let values = |policy: &str, standing: &str| [policy, standing].map(|text| Some(text.parse().expect("a value")));
    let traces = Export::traces(Form::Json, &key.token).send(&gate).await;
    let policy = "\"key-items-traces\";q=5;w=3;qu=\"items\"";
    assert_eq!(told(&traces), values(policy, "\"key-items-traces\";r=4;t=1"), "{traces:?}");
    let logs = Export::new(Form::Protobuf, Signal::Logs, "marker").key(&key.token).send(&gate).await;
    assert_eq!(told(&logs), values("\"tenant-requests\";q=100;w=1", "\"tenant-requests\";r=98;t=1"), "{logs:?}");
    let grpc = Export::traces(Form::Grpc, &key.token).send(&gate).await;
    grpc.assert_success(Form::Grpc);
    gate.stop().await;
}

/// What the admin API answers to the owner.
async fn asked(gate: &Gate, request: http::request::Builder, body: String) -> Value {
    let request = request.header("authorization", format!("Bearer {}", gate.owner));
    let answer = exchange(gate.admin, false, request.header("content-type", "application/json"), body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    serde_json::from_slice(&answer.data).expect("JSON")
}

#[tokio::test]
async fn the_admin_api_shows_how_limits_stand() {
    let gate = Gate::with(|config| config.usage.flush_interval = Span(Duration::from_millis(10))).await;
    limit(&gate, TENANT, json!([{"unit": "items", "per": "day", "amount": 3, "mode": "observe"}])).await;
    let key = limited(&gate, rate("requests", 4)).await;
    let diagnosed = async || {
        let body = json!({"token": key.token, "signal": "logs"}).to_string();
        asked(&gate, Request::post("/api/v1/keys/diagnose"), body).await["findings"].clone()
    };
    let shown = async || {
        let request = Request::get(format!("/api/v1/keys/{}/limits", key.id));
        let effective = asked(&gate, request, String::new()).await["effective"].clone();
        let fields = ["scope", "used", "remaining", "resets_at", "would_have_refused"];
        json!(
            effective
                .as_array()
                .expect("a list")
                .iter()
                .map(|limit| fields.map(|field| limit[field].clone()))
                .collect::<Vec<_>>()
        )
    };
    assert_eq!(diagnosed().await, json!([]));
    for form in Form::ALL.into_iter().cycle().take(4) {
        assert_success(Export::traces(form, &key.token).send(&gate).await, form);
    }
    let now = gate.clock.now();
    let midnight = Timestamp::from_micros((now.micros() / DAY_MICROS + 1) * DAY_MICROS);
    let full = now.after(SECOND).to_string();
    let expected = json!([["key", 4, 0, full, null], ["tenant", 3, 0, midnight.to_string(), null]]);
    assert_eq!(shown().await, expected);
    let found = diagnosed().await;
    assert_eq!((&found[0]["code"], found.as_array().map(Vec::len)), (&json!("rate_limited"), Some(1)), "{found}");
    let detail = format!("nothing is left: the limit of key {} is 4 requests/second", key.id);
    assert_eq!(found[0]["detail"], json!(detail));

    gate.clock.advance(Duration::from_hours(24));
    let next = midnight.after(Duration::from_hours(24)).to_string();
    // One of four found nothing left.
    let expected = json!([["key", 0, 4, gate.clock.now().to_string(), null], ["tenant", 0, 3, next, 0.25]]);
    eventually("yesterday is written down", async || shown().await == expected).await;
    assert_eq!(diagnosed().await, json!([]));
    gate.stop().await;
}

/// One tenant sends ten times what it may: every export of the others is accepted.
#[tokio::test]
async fn a_noisy_tenant_costs_the_others_nothing() {
    let gate = Gate::start().await;
    limit(&gate, TENANT, rate("requests", 20)).await;
    let (noisy, quiet) = (gate.key("shop").await, gate.key("bank").await);
    let send = async |key: &Issued, count: usize| {
        let mut accepted = 0;
        for number in 0..count {
            let form = Form::ALL[number % Form::ALL.len()];
            let answer = Export::traces(form, &key.token).send(&gate).await;
            let refused = answer.headers.contains_key("grpc-status") || answer.status != 200;
            accepted += usize::from(!refused);
        }
        accepted
    };
    let (a, b, c) = tokio::join!(send(&noisy, 100), send(&noisy, 100), send(&quiet, 40));
    // The clock stands still: exactly its burst.
    assert_eq!((a + b, c), (20, 40));
    let lake = gate.stop().await.lake();
    assert_eq!(lake["shop/web/production/traces"].len(), 20);
    assert_eq!(lake["bank/web/production/traces"].len(), 40);
}
