//! CORS: what a browser asks, and what it may read (Fetch standard, «CORS protocol»).

use gridgate::config::{Bytes, Config};
use http::{HeaderMap, Request};

use super::Gate;
use super::client::{Answer, Export, Form, exchange};
use super::told::told;

const PAGE: &str = "https://app.example.com";

fn origins(origins: &[&str]) -> impl FnOnce(&mut Config) {
    let origins = origins.iter().map(|&origin| origin.to_owned()).collect();
    |config| config.cors.origins = origins
}

async fn preflight(gate: &Gate, origin: &str, path: &str) -> Answer {
    let request = Request::options(path)
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "api-key,content-type");
    exchange(gate.http, false, request, "").await
}

/// The headers of an answer that concern CORS.
fn cors(headers: &HeaderMap) -> Vec<(&str, &str)> {
    let ours = |name: &str| name.starts_with("access-control-") || name == "vary";
    let text = |value: &'_ http::HeaderValue| -> String { value.to_str().expect("text").to_owned() };
    let mut all: Vec<_> = headers
        .iter()
        .filter(|(name, _)| ours(name.as_str()))
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap_or_else(|_| panic!("{}", text(value)))))
        .collect();
    all.sort_unstable();
    all
}

/// Clause T55 of docs/otlp.md.
#[tokio::test]
async fn a_preflight_is_answered_without_a_key_and_is_no_export() {
    let gate = Gate::with(|config| {
        origins(&[PAGE, "https://*.example.org"])(config);
        config.cors.headers.push("X-Trace".to_owned());
    })
    .await;
    let headers = "content-type, content-encoding, authorization, api-key, x-api-key, user-agent, traceparent, tracestate, \
                   baggage, x-trace";
    for page in [PAGE, "https://shop.example.org"] {
        // What is wrong with a path is told to the export.
        for path in ["/v1/traces", "/v1/logs", "/nowhere"] {
            let answer = preflight(&gate, page, path).await;
            assert_eq!((answer.status, &*answer.data), (204, &b""[..]));
            let expected = [
                ("access-control-allow-headers", headers),
                ("access-control-allow-methods", "POST"),
                ("access-control-allow-origin", page),
                ("access-control-max-age", "7200"),
                ("vary", "origin"),
            ];
            assert_eq!(cors(&answer.headers), expected);
        }
    }
    for page in ["https://evil.net", "http://app.example.com", "https://example.org", "null"] {
        let answer = preflight(&gate, page, "/v1/traces").await;
        assert_eq!((answer.status, cors(&answer.headers)), (204, vec![("vary", "origin")]), "{page}");
    }
    for (name, value) in gate.metrics().await {
        assert!(!name.starts_with("gridgate_exports_received_total") || value == 0, "{name} {value}");
    }
    // Not a preflight.
    let plain = exchange(gate.http, false, Request::options("/v1/traces").header("origin", PAGE), "").await;
    assert_eq!((plain.status, plain.headers["allow"].to_str().ok()), (405, Some("POST")));
    gate.stop().await;
}

/// Clause T56 of docs/otlp.md.
#[tokio::test]
async fn a_page_may_read_successes_and_refusals() {
    let gate = Gate::with(|config| {
        origins(&[PAGE])(config);
        config.limits.wire_body = Bytes(4096);
    })
    .await;
    let key = gate.key("shop").await;
    let readable = [
        ("access-control-allow-origin", PAGE),
        ("access-control-expose-headers", "ratelimit, ratelimit-policy, retry-after, www-authenticate"),
        ("vary", "origin"),
    ];
    let export = Export::traces(Form::Json, &key.token).with("origin", PAGE);
    for (export, status) in [
        (export.clone(), 200),
        (export.clone().without("api-key"), 401),
        (export.clone().key("nonsense"), 401),
        (export.clone().to("/nowhere"), 404),
        (Export { method: "GET", ..export.clone() }, 405),
        (export.clone().message(vec![b' '; 8192]), 413),
        (export.clone().with("content-type", "text/plain"), 415),
        (export.clone().message("{"), 400),
    ] {
        let answer = export.send(&gate).await;
        assert_eq!((answer.status, cors(&answer.headers)), (status, readable.to_vec()), "{}", answer.text());
        // The page of another origin is judged the same, and cannot read it.
        let answer = export.with("origin", "https://evil.net").send(&gate).await;
        assert_eq!((answer.status, cors(&answer.headers)), (status, vec![("vary", "origin")]), "{}", answer.text());
    }
    let service = export.without("origin").send(&gate).await;
    assert_eq!((service.status, cors(&service.headers)), (200, vec![("vary", "origin")]));
    gate.stop().await;
}

/// Clause T56 of docs/otlp.md.
#[tokio::test]
async fn retryable_refusals_can_be_read_with_their_hint() {
    let gate = Gate::with(|config| {
        origins(&["*"])(config);
        config.log.backlog = Bytes(1);
        config.lake.interval = gridgate::config::Span(std::time::Duration::from_hours(1));
    })
    .await;
    let key = gate.key("shop").await;
    let export = Export::traces(Form::Json, &key.token);
    export.send(&gate).await;
    let answer = export.with("origin", "null").send(&gate).await;
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert_eq!(answer.headers["access-control-allow-origin"], "null");
    assert!(answer.headers.contains_key("retry-after"));
    gate.stop().await;
}

/// Clause T55 of docs/otlp.md.
#[tokio::test]
async fn without_origins_there_is_no_cors() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    let answer = preflight(&gate, PAGE, "/v1/traces").await;
    told("method_not_allowed").check(&answer, Form::Json);
    assert_eq!(cors(&answer.headers), []);
    let export = Export::traces(Form::Json, &key.token).with("origin", PAGE);
    export.send(&gate).await.assert_success(Form::Json);
    gate.stop().await;
}
