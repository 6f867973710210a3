//! Requests whose end, path or fields two parties could read differently: each has one reading here, or none.

use super::Gate;
use super::client::{Export, Form, Raw, protobuf_of};
use super::frames::{DATA, END_HEADERS, END_STREAM, HEADERS, RST_STREAM, Wire, block, field, frame, stream};
use gridgate::domain::Signal;

/// An export of HTTP/1.1 whose head has these lines instead of a length.
fn with(lines: &str, token: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST /v1/traces HTTP/1.1\r\nhost: gate\r\napi-key: {token}\r\ncontent-type: application/x-protobuf\r\n{lines}\r\n"
    );
    [head.as_bytes(), body].concat()
}

fn chunked(message: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", message.len()).as_bytes(), message, b"\r\n0\r\n\r\n"].concat()
}

/// RFC 9112 sections 5.1, 5.2, 6.1 and 6.3: such a request is not understood at all, and nothing after it is.
#[tokio::test]
async fn heads_that_are_malformed() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    let message = protobuf_of(Signal::Traces, "marker");
    let length = message.len();
    for lines in [
        format!("content-length: {length}\r\ncontent-length: {}\r\n", length + 1),
        format!("content-length: {length}, {length}\r\n"),
        format!("content-length: +{length}\r\n"),
        format!("content-length: {length}\r\nx: a\r\n b\r\n"),
        format!("content-length : {length}\r\n"),
        format!("content-length: {length}\r\nx: a\rb\r\n"),
        format!("content-length: {length}\r\nx: a\0b\r\n"),
        "content-length: 18446744073709551616\r\n".to_owned(),
        "transfer-encoding: identity\r\n".to_owned(),
        "transfer-encoding: chunked, gzip\r\n".to_owned(),
        "transfer-encoding: xchunked\r\n".to_owned(),
    ] {
        let mut raw = Raw::connect(gate.http).await;
        raw.try_write(&with(&lines, &key.token, &message)).await;
        let head = raw.read_head().await;
        assert!(head.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{lines}: {head}");
        assert!(raw.is_closed().await, "{lines}");
    }
    let mut raw = Raw::connect(gate.http).await;
    let old = String::from_utf8_lossy(&with("transfer-encoding: chunked\r\n", &key.token, b"")).replace("/1.1", "/1.0");
    raw.write(old.as_bytes()).await;
    assert!(raw.read_head().await.contains(" 400 Bad Request\r\n"));
    assert_eq!(gate.metric("gridgate_exports_received_total{transport=\"http\",signal=\"traces\"}").await, 0);
    gate.stop().await;
}

/// RFC 9112 section 6.1: with both, the chunks count, and the connection ends, so that nothing which follows is taken for a request.
#[tokio::test]
async fn a_length_beside_chunks() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    let message = protobuf_of(Signal::Traces, "marker");
    let hidden = with(&format!("content-length: {}\r\n", message.len()), &key.token, &message);
    for lines in
        ["content-length: 5\r\ntransfer-encoding: chunked\r\n", "transfer-encoding: chunked\r\ncontent-length: 5\r\n"]
    {
        let mut raw = Raw::connect(gate.http).await;
        raw.write(&[with(lines, &key.token, &chunked(&message)), hidden.clone()].concat()).await;
        let (head, _) = raw.read_answer().await;
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.contains("\r\nconnection: close\r\n"), "{head}");
        assert!(raw.is_closed().await);
    }
    assert_eq!(gate.stop().await.lake()["shop/web/production/traces"], ["marker"; 2]);
}

/// The client is still there, and has to know that its export was not stored.
/// Clause T43 of docs/otlp.md.
#[tokio::test]
async fn chunks_that_are_damaged() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    for chunks in ["x\r\n", "-1\r\n", "5\r\nabcdefgh\r\n", "ffffffffffffffffff\r\n", "5;a\rb\r\n"] {
        let mut raw = Raw::connect(gate.http).await;
        raw.write(&with("transfer-encoding: chunked\r\n", &key.token, chunks.as_bytes())).await;
        let (head, body) = raw.read_answer().await;
        assert!(head.starts_with("HTTP/1.1 400 body_undecodable ("), "{chunks:?}: {head}");
        assert!(String::from_utf8_lossy(&body).contains("the chunks of the body are damaged"));
        assert!(raw.is_closed().await);
    }
    let refused = "gridgate_exports_refused_total{transport=\"http\",signal=\"traces\",reason=\"body_undecodable\"}";
    assert_eq!(gate.metric(refused).await, 5);
    gate.until("gridgate_body_memory_bytes", |bytes| bytes == 0).await;
    gate.stop().await;
}

/// RFC 9112 section 3.2: of the four forms of a target two can name a path.
#[tokio::test]
async fn forms_of_targets() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    let message = protobuf_of(Signal::Traces, "marker");
    for (target, expected) in [
        ("http://elsewhere.example/v1/traces", "200 OK\r\n"),
        ("/v1/traces?a=b", "200 OK\r\n"),
        ("http://elsewhere.example//v1/traces", "404 path_unknown: "),
        ("*", "404 path_unknown: "),
        ("gate:4318", "404 path_unknown: "),
        ("/v1%2Ftraces", "404 path_unknown: "),
        ("/v1/../v1/traces", "404 path_unknown: "),
        ("/v1/traces;a", "404 path_unknown: "),
    ] {
        let mut raw = Raw::connect(gate.http).await;
        let request = with(&format!("content-length: {}\r\n", message.len()), &key.token, &message);
        let end = request.windows(2).position(|pair| pair == b"\r\n").expect("a first line");
        raw.write(&[format!("POST {target} HTTP/1.1").as_bytes(), &request[end..]].concat()).await;
        let (head, _) = raw.read_answer().await;
        assert!(head.starts_with(&format!("HTTP/1.1 {expected}")), "{target}: {head}");
    }
    gate.stop().await;
}

/// The same on HTTP/2, whose paths and fields are bytes (RFC 9113 sections 8.2 and 8.3).
#[tokio::test]
async fn requests_of_http_2_that_are_malformed() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    let export = Export::traces(Form::Grpc, &key.token);
    let path = export.path.clone();
    let strange = ["", "*", "//x", "x", &path[1..], &format!("/{path}"), &path.replace('/', "%2F")[..], "gate:4317"];
    let blocks = strange.into_iter().map(|path| block(&export.clone().to(path)));
    let fields = [
        field("transfer-encoding", b"chunked"),
        field("connection", b"close"),
        field("Upper-Case", b"x"),
        field(":path", path.as_bytes()),
        field("x", b"a\r\nb"),
        field("content-length", b"1"),
    ];
    let blocks = blocks.chain(fields.into_iter().map(|field| [block(&export), field].concat()));
    for block in blocks {
        let mut wire = Wire::connect(gate.grpc, &[]).await;
        wire.write(&frame(HEADERS, END_HEADERS, stream(0), &block)).await;
        wire.write(&frame(DATA, END_STREAM, stream(0), &export.body)).await;
        // A refusal, a reset, or the end of the connection.
        wire.until(|frame| frame.ends_stream() || frame.kind == RST_STREAM).await;
    }
    assert_eq!(gate.metric("gridgate_exports_accepted_total{transport=\"grpc\",signal=\"traces\"}").await, 0);
    gate.until("gridgate_body_memory_bytes", |bytes| bytes == 0).await;
    assert!(gate.stop().await.lake().is_empty());
}
