//! Clients that take their time.

use std::time::Duration;

use gridgate::config::Span;

use super::Gate;
use super::client::{Export, Form, Raw};
use super::told::told;
use super::unread::Call;

const SHORT: Span = Span(Duration::from_millis(100));

/// Clause T59 of docs/otlp.md.
#[tokio::test]
async fn a_body_that_does_not_arrive_in_time() {
    let gate = Gate::with(|config| config.limits.body_time = SHORT).await;
    let key = gate.key("shop").await;
    let mut raw = Raw::connect(gate.http).await;
    raw.head(&Export::traces(Form::Protobuf, &key.token), "content-length: 100\r\n").await;
    raw.write(&[1, 2, 3]).await;
    let (head, _) = raw.read_answer().await;
    assert!(head.starts_with("HTTP/1.1 503 request_timeout (") && head.contains("\r\nretry-after: 1\r\n"), "{head}");
    let export = Export::traces(Form::Grpc, &key.token);
    let call = Call::begin(&gate, &export).await;
    call.send(&export.body[..50]);
    told("request_timeout").key(&key.id).check(&call.early_answer().await, Form::Grpc);
    gate.until("gridgate_body_memory_bytes", |bytes| bytes == 0).await;
    gate.stop().await;
}

/// From the first byte of a request on its headers have to come in time, on a new connection and on a used one.
/// Clause T59 of docs/otlp.md.
#[tokio::test]
async fn headers_that_do_not_arrive_in_time() {
    let gate = Gate::with(|config| config.limits.header_time = SHORT).await;
    let key = gate.key("shop").await;
    for (used, begun) in [(false, ""), (false, "POST /v1"), (true, "POST /v1")] {
        let mut raw = Raw::connect(gate.http).await;
        if used {
            export(&mut raw, &key.token).await;
        }
        raw.write(begun.as_bytes()).await;
        assert!(raw.is_closed().await);
    }
    // Nothing is under way here: the next export finds its connection open.
    let mut raw = Raw::connect(gate.http).await;
    for _ in 0..3 {
        export(&mut raw, &key.token).await;
        assert!(tokio::time::timeout(SHORT.0 * 3, raw.is_closed()).await.is_err());
    }
    gate.stop().await;
}

/// Something arrives all the time, and yet it does not become a request.
/// Clause T59 of docs/otlp.md.
#[tokio::test]
async fn headers_and_bodies_that_come_byte_by_byte() {
    let pace = Duration::from_millis(5);
    let gate = Gate::with(|config| (config.limits.header_time, config.limits.body_time) = (SHORT, SHORT)).await;
    let key = gate.key("shop").await;
    let mut raw = Raw::connect(gate.http).await;
    raw.write(b"POST /v1/traces HTTP/1.1\r\nx: ").await;
    while raw.try_write(b"y").await {
        tokio::time::sleep(pace).await;
    }
    for form in [Form::Protobuf, Form::Json] {
        let mut raw = Raw::connect(gate.http).await;
        raw.head(&Export::traces(form, &key.token), "content-length: 1000000\r\n").await;
        let refused = "gridgate_exports_refused_total{transport=\"http\",signal=\"traces\",reason=\"request_timeout\"}";
        let before = gate.metric(refused).await;
        while gate.metric(refused).await == before {
            raw.write(b"\n").await;
            tokio::time::sleep(pace).await;
        }
        let (head, _) = raw.read_answer().await;
        assert!(head.starts_with("HTTP/1.1 503 request_timeout ("), "{head}");
    }
    gate.until("gridgate_body_memory_bytes", |bytes| bytes == 0).await;
    gate.stop().await;
}

#[tokio::test]
async fn an_idle_connection_is_closed_in_the_end() {
    let gate = Gate::with(|config| config.limits.idle_time = SHORT).await;
    let key = gate.key("shop").await;
    let mut raw = Raw::connect(gate.http).await;
    export(&mut raw, &key.token).await;
    assert!(raw.is_closed().await);
    gate.stop().await;
}

async fn export(raw: &mut Raw, token: &str) {
    let export = Export::traces(Form::Protobuf, token);
    raw.head(&export, &format!("content-length: {}\r\n", export.body.len())).await;
    raw.write(&export.body).await;
    let (head, _) = raw.read_answer().await;
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
}
