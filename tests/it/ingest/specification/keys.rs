//! Keys and tenants: beyond what the specification says of them, «Authentication» of its exporters.

use std::sync::Arc;
use std::time::Duration;

use gridgate::config::Span;
use gridgate::domain::Signal;
use serde_json::json;

use crate::ingest::client::{Export, Form, Raw};
use crate::ingest::told::told;
use crate::ingest::{Gate, files, serve};

/// A wrong key comes before a wrong content type.
#[tokio::test]
async fn t64_a_bad_key_is_401_whatever_the_content_type() {
    let gate = Gate::start().await;
    for content_type in ["text/plain", "", "application/octet-stream"] {
        for form in Form::ALL {
            let export = Export::traces(form, "nonsense").with("content-type", content_type);
            told("key_malformed").check(&export.send(&gate).await, Form::Json);
            told("credentials_missing").check(&export.without("api-key").send(&gate).await, Form::Json);
        }
    }
    gate.stop().await;
}

/// HTTP, «Field Names» and «Authentication Scheme»: neither depends on case.
#[tokio::test]
async fn t65_names_of_headers_and_schemes_in_any_case() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    let export = Export::new(Form::Protobuf, Signal::Traces, "marker");
    let mut raw = Raw::connect(gate.http).await;
    let token = &key.token;
    let lines =
        ["X-API-KEY: ", "x-api-key: ", "X-Api-Key:", "API-KEY: ", "Authorization: Bearer ", "AUTHORIZATION: bearer "];
    let lines: Vec<_> = lines.into_iter().map(|line| format!("{line}{token}")).collect();
    for line in &lines {
        raw.head(&export, &format!("{line}\r\ncontent-length: {}\r\n", export.body.len())).await;
        raw.write(&export.body).await;
        let (head, _) = raw.read_answer().await;
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{line}: {head}");
    }
    drop(raw);
    for form in Form::ALL {
        for scheme in ["Bearer", "bearer", "BEARER"] {
            let export = Export::new(form, Signal::Traces, "marker");
            export.with("authorization", format!("{scheme} {token}")).send(&gate).await.assert_success(form);
        }
    }
    assert_eq!(gate.stop().await.lake()["shop/web/production/traces"].len(), lines.len() + 9);
}

/// Digests are all that is kept of a token: it is in no file of catalog, log or lake.
#[tokio::test]
async fn t68_no_file_holds_a_token() {
    let gate = Gate::start().await;
    let key = gate.created(&crate::ingest::new_key("one")).await;
    for form in Form::ALL {
        Export::traces(form, &key.token).send(&gate).await.assert_success(form);
    }
    let secrets = [&key.token[key.token.len() - 38..key.token.len() - 6], &gate.owner[gate.owner.len() - 38..]];
    let secrets = secrets.map(str::to_owned);
    let stopped = gate.stop().await;
    let files = files(stopped.folder.path());
    assert!(files.len() > 3, "{files:?}");
    for file in files {
        let bytes = std::fs::read(&file).expect("a file");
        for secret in &secrets {
            assert!(memchr::memmem::find(&bytes, secret.as_bytes()).is_none(), "{}", file.display());
        }
    }
}

/// Whose an export is its key alone decides, whatever its headers and attributes say, and however long it waits for its delivery.
#[tokio::test]
async fn t69_what_a_client_says_of_its_tenant_counts_for_nothing() {
    let gate = Gate::with(|config| {
        config.lake.interval = Span(Duration::from_hours(1));
        config.shutdown.grace = Span(Duration::ZERO);
    })
    .await;
    let keys = [("shop", gate.key("shop").await), ("bank", gate.key("bank").await)];
    let attributes = ["project", "grid", "environment", "tenant", "deployment.environment.name", "gridgate.project"];
    for round in 0..3 {
        for (project, key) in &keys {
            let other = if *project == "shop" { "bank" } else { "shop" };
            let attributes = attributes.map(|name| json!({"key": name, "value": {"stringValue": other}}));
            let name = json!({"key": "service.name", "value": {"stringValue": format!("{project} {round}")}});
            let resource = json!({"attributes": ([&attributes[..], &[name]].concat())});
            let body = json!({"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": [{}]}]}]});
            let mut export = Export::new(Form::Json, Signal::Logs, "").key(&key.token).message(body.to_string());
            for header in ["x-scope-orgid", "x-tenant", "x-project", "x-gridgate-project", "tenant-id", "baggage"] {
                export = export.and(header, other);
            }
            export.send(&gate).await.assert_success(Form::Json);
        }
    }
    // It waits in the log until the next start.
    let clock = Arc::clone(&gate.clock);
    let mut stopped = gate.stop().await;
    stopped.config.shutdown.grace = Span(Duration::from_secs(25));
    let (server, stop) = serve(&stopped.config, &clock).await;
    stop.cancel();
    server.run().await.expect("it stops in good order");
    let lake = stopped.lake();
    let of = |project: &str| [0, 1, 2].map(|round| format!("{project} {round}")).to_vec();
    assert_eq!(lake.len(), 2, "{lake:?}");
    assert_eq!(lake["shop/web/production/logs"], of("shop"));
    assert_eq!(lake["bank/web/production/logs"], of("bank"));
}

/// A refusal is whole: over a limit in its middle, an export leaves nothing behind, and the next one is accepted.
#[tokio::test]
async fn t72_what_is_over_a_limit_is_refused_whole() {
    let gate = Gate::with(|config| config.limits.items = 100).await;
    let key = gate.key("shop").await;
    let spans = |count| json!({"resourceSpans": [{"scopeSpans": [{"spans": vec![json!({}); count]}]}]}).to_string();
    let export = Export::traces(Form::Json, &key.token);
    let refused = export.clone().message(spans(150)).send(&gate).await;
    told("too_many_items").key(&key.id).check(&refused, Form::Json);
    export.message(spans(50)).send(&gate).await.assert_success(Form::Json);
    assert_eq!(super::rows(&gate.stop().await).len(), 50);
}

/// HTTP, «431 Request Header Fields Too Large»: what is too large gets an answer of OTLP, what is much too large one of HTTP, and the
/// next request is served. The key comes first.
#[tokio::test]
async fn t73_headers_that_are_too_large_are_431() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    for form in Form::ALL {
        let large = Export::traces(form, &key.token).with("x-large", "x".repeat(20 << 10));
        told("headers_too_large").key(&key.id).check(&large.send(&gate).await, form);
        told("key_malformed").check(&large.key("nonsense").send(&gate).await, form);
        if form == Form::Grpc {
            // A client keeps to the limit that the gate announces.
            continue;
        }
        let huge = Export::traces(form, &key.token).with("x-huge", "x".repeat(300 << 10));
        let mut raw = Raw::connect(gate.http).await;
        raw.head(&huge, "content-length: 0\r\n").await;
        let head = raw.read_head().await;
        assert!(head.starts_with("HTTP/1.1 431 "), "{head}");
        Export::traces(form, &key.token).send(&gate).await.assert_success(form);
    }
    gate.stop().await;
}

/// A key in the query string opens nothing: it would stand in the logs of every proxy.
#[tokio::test]
async fn t74_a_key_in_the_query_string_is_no_key() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    for (form, name) in
        Form::ALL.into_iter().flat_map(|form| ["api-key", "x-api-key", "key", "token"].map(|name| (form, name)))
    {
        let export = Export::new(form, Signal::Traces, "marker");
        let path = format!("{}?{name}={}", export.path, key.token);
        told("credentials_missing").check(&export.clone().to(&path).send(&gate).await, form);
        // Beside a key that is good it changes nothing.
        export.key(&key.token).to(&path).send(&gate).await.assert_success(form);
    }
    gate.stop().await;
}

/// What a client makes up is no label of a metric.
/// Clause T67 of docs/otlp.md.
#[tokio::test]
async fn t75_clients_make_up_no_metrics() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    // A background job shows when it first went well.
    let names = async || {
        let names = gate.metrics().await.into_keys();
        names.filter(|name| !name.starts_with("gridgate_job_last_success_seconds")).collect::<Vec<_>>()
    };
    let before = names().await;
    for form in Form::ALL {
        for number in 0..20 {
            let export = Export::traces(form, &key.token).with("user-agent", format!("agent {number}"));
            export.send(&gate).await.assert_success(form);
            let odd = Export { method: "PURGE", ..export.clone() };
            told("method_not_allowed").check(&odd.send(&gate).await, form);
            told("path_unknown").check(&export.clone().to(&format!("/v1/{number}")).send(&gate).await, form);
            told("key_malformed").check(&export.key(&format!("key {number}")).send(&gate).await, form);
        }
    }
    let after = names().await;
    assert_eq!(after, before);
    gate.stop().await;
}
