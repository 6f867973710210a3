//! The table of answers (DESIGN, «Decisions» 7) for what is wrong with a request apart from its key.

use gridgate::domain::Signal;
use http::Request;

use super::Gate;
use super::client::{Export, Form, Raw, exchange, frame, gzip, http_path, protobuf_of};
use super::told::told;

#[tokio::test]
async fn paths_and_methods() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    let export = |form| Export::traces(form, &key.token);
    for path in ["/", "/v1/traces/", "//v1/traces", "/V1/traces", "/v1/spans", "/v1/%74races", "/otlp/v1/traces"] {
        for form in [Form::Protobuf, Form::Json] {
            told("path_unknown").check(&export(form).to(path).send(&gate).await, form);
        }
    }
    for path in [
        "/opentelemetry.proto.collector.trace.v1.TraceService/Import",
        "/opentelemetry.proto.collector.trace.v1.TraceService/Export/",
        "/opentelemetry.proto.collector.nothing.v1.NothingService/Export",
        "/v1/traces",
        "/",
    ] {
        told("path_unknown").check(&export(Form::Grpc).to(path).send(&gate).await, Form::Grpc);
    }
    for method in ["GET", "PUT", "DELETE", "OPTIONS", "PATCH"] {
        for form in Form::ALL {
            let wrong = Export { method, ..export(form) };
            told("method_not_allowed").check(&wrong.send(&gate).await, form);
        }
    }
    // Neither of both needs a key, and the path comes first.
    let stranger = |form| Export { method: "GET", ..export(form).without("api-key") };
    for form in Form::ALL {
        told("path_unknown").check(&stranger(form).to("/nowhere").send(&gate).await, form);
        told("method_not_allowed").check(&stranger(form).send(&gate).await, form);
    }
    // Without a content type the answer is JSON, which a person can read.
    let browser = exchange(gate.http, false, Request::get(http_path(Signal::Logs)), "").await;
    told("method_not_allowed").check(&browser, Form::Json);
    gate.stop().await;
}

#[tokio::test]
async fn content_types_and_encodings() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    for content_type in ["text/plain", "application/jsonx", "application/grpc", "application/x-www-form-urlencoded", ""]
    {
        let export = Export::traces(Form::Json, &key.token);
        let export = export.with("content-type", content_type);
        told("content_type_unsupported").key(&key.id).check(&export.send(&gate).await, Form::Json);
        // The key comes first.
        told("key_malformed").check(&export.clone().key("nonsense").send(&gate).await, Form::Json);
        told("credentials_missing").check(&export.without("api-key").send(&gate).await, Form::Json);
    }
    let without = Export::traces(Form::Json, &key.token).without("content-type");
    told("content_type_unsupported").key(&key.id).check(&without.send(&gate).await, Form::Json);
    for content_type in ["application/grpc+json", "application/grpc-web"] {
        let export = Export::traces(Form::Grpc, &key.token).with("content-type", content_type);
        told("content_type_unsupported").key(&key.id).check(&export.send(&gate).await, Form::Grpc);
    }
    for form in Form::ALL {
        let name = if form == Form::Grpc { "grpc-encoding" } else { "content-encoding" };
        for encoding in ["br", "snappy", "gzip, gzip", "gzip,zstd", "x"] {
            let export = Export::traces(form, &key.token).with(name, encoding);
            let unsupported =
                told("compression_unsupported").key(&key.id).detail("supported are identity,gzip,deflate,zstd; ");
            unsupported.check(&export.send(&gate).await, form);
            told("key_malformed").check(&export.key("nonsense").send(&gate).await, form);
        }
        let stacked = Export::traces(form, &key.token).and(name, "gzip").and(name, "gzip");
        told("compression_unsupported").key(&key.id).check(&stacked.send(&gate).await, form);
    }
    gate.stop().await;
}

#[tokio::test]
async fn damaged_compression() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    let message = protobuf_of(Signal::Traces, "marker");
    let packed = gzip(&message);
    let mut flipped = packed.clone();
    let crc = flipped.len() - 8;
    flipped[crc] ^= 1;
    let damaged: [&[u8]; 5] =
        [b"", b"not gzip", &packed[..packed.len() - 1], &flipped, &[&packed[..], b"trailing bytes"].concat()];
    for (form, body) in Form::ALL.into_iter().flat_map(|form| damaged.map(|body| (form, body))) {
        let export = Export::traces(form, &key.token).gzip(b"");
        let export = export.raw(if form == Form::Grpc { frame(1, body) } else { body.to_vec() });
        told("compression_invalid").key(&key.id).check(&export.send(&gate).await, form);
    }
    // gRPC, «compression.md»: a compressed message without a declared encoding is an internal error.
    let undeclared = Export::traces(Form::Grpc, &key.token).raw(frame(1, &packed));
    told("compression_undeclared").key(&key.id).check(&undeclared.send(&gate).await, Form::Grpc);
    // Declared, and yet not compressed: allowed.
    let plain = Export::traces(Form::Grpc, &key.token).with("grpc-encoding", "gzip").raw(frame(0, &message));
    plain.send(&gate).await.assert_success(Form::Grpc);
    gate.stop().await;
}

#[tokio::test]
async fn undecodable_bodies() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    let good = protobuf_of(Signal::Traces, "marker");
    let undecodable = |detail: &str| told("body_undecodable").key(&key.id).detail(detail);
    let cut_off = good[..good.len() - 1].to_vec();
    for body in [cut_off, b"\xff\xff\xff\xff".to_vec(), vec![0x0a, 0x7f], vec![0x0b], vec![0x09; 8]] {
        for form in [Form::Grpc, Form::Protobuf] {
            let export = Export::traces(form, &key.token);
            undecodable("").check(&export.clone().message(body.clone()).send(&gate).await, form);
            undecodable("").check(&export.gzip(&body).send(&gate).await, form);
        }
    }
    for body in [
        "",
        "{",
        "[]",
        "null",
        "\"\"",
        "{\"resourceSpans\": 1}",
        "{}{}",
        "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"traceId\":\"xyz\"}]}]}]}",
    ] {
        let answer = Export::traces(Form::Json, &key.token).message(body).send(&gate).await;
        undecodable("").check(&answer, Form::Json);
    }
    // JSON where protobuf is declared, and the other way round.
    let swapped = Export::traces(Form::Json, &key.token).with("content-type", "application/x-protobuf");
    undecodable("").check(&swapped.send(&gate).await, Form::Protobuf);
    let swapped = Export::traces(Form::Protobuf, &key.token).with("content-type", "application/json");
    undecodable("").check(&swapped.send(&gate).await, Form::Json);
    for (raw, detail) in [
        (Vec::new(), "the gRPC message is cut off before its length"),
        (vec![0, 0, 0, 0], "the gRPC message is cut off before its length"),
        (frame(2, &good), "the gRPC message has unknown flags"),
        (frame(0, &good)[..20].to_vec(), "the gRPC message is shorter than its length says"),
        ([frame(0, &good), frame(0, &good)].concat(), "an export has exactly one gRPC message"),
    ] {
        let export = Export::traces(Form::Grpc, &key.token).raw(raw);
        undecodable(detail).check(&export.send(&gate).await, Form::Grpc);
    }
    assert!(gate.stop().await.lake().is_empty());
}

/// What the protocol below does not let through, and what it does: an answer each, and the next request is served.
#[tokio::test]
async fn headers_that_are_too_large() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    for form in Form::ALL {
        let large = Export::traces(form, &key.token).with("x-large", "x".repeat(20 << 10));
        told("headers_too_large").key(&key.id).check(&large.send(&gate).await, form);
        told("key_malformed").check(&large.key("nonsense").send(&gate).await, form);
        let huge = Export::traces(form, &key.token).with("x-huge", "x".repeat(300 << 10));
        if form == Form::Grpc {
            // A client keeps to the limit that the gate announces.
            continue;
        }
        let mut raw = Raw::connect(gate.http).await;
        raw.head(&huge, "content-length: 0\r\n").await;
        let head = raw.read_head().await;
        assert!(head.starts_with("HTTP/1.1 431 "), "{head}");
        Export::traces(form, &key.token).send(&gate).await.assert_success(form);
    }
    gate.stop().await;
}
