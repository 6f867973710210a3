//! Headers without end, and more of them than anybody needs.

use super::assert_served;
use crate::ingest::Gate;
use crate::ingest::client::{Export, Form, Raw};
use crate::ingest::frames::{
    CONTINUATION, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, Frame, HEADERS, Wire, block, field, frame, indexed,
    stream,
};
use crate::ingest::told::told;

/// CVE-2024-27316: a block of headers that never ends, with fields in it and without.
/// Clause T58 of docs/otlp.md.
#[tokio::test]
async fn continuations_without_end() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    for piece in [Vec::new(), field("x", b"y"), field("x", &[b'y'; 16_000])] {
        let mut wire = Wire::connect(gate.grpc, &[]).await;
        wire.write(&frame(HEADERS, END_STREAM, stream(0), &block(&Export::traces(Form::Grpc, &key.token)))).await;
        let continuation = frame(CONTINUATION, 0, stream(0), &piece);
        let code = wire.flood(100_000, move |_| continuation.clone()).await;
        assert_eq!(code, Some(ENHANCE_YOUR_CALM), "{} bytes", piece.len());
        assert_served(&gate, &key).await;
    }
    gate.stop().await;
}

/// One entry of the table named again and again: a byte becomes 4 KiB (CVE-2016-6581).
#[tokio::test]
async fn a_block_that_becomes_large() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    let export = Export::traces(Form::Grpc, &key.token);
    // The dynamic table begins at 62 (RFC 7541 sections 2.3.3 and 6.1).
    let bomb = |times| [block(&export), indexed("x", &[b'y'; 4000]), vec![0x80 + 62; times]].concat();
    let mut wire = Wire::connect(gate.grpc, &[]).await;
    for number in 0..100 {
        wire.write(&frame(HEADERS, END_HEADERS | END_STREAM, stream(number), &bomb(30))).await;
        let answer = wire.until(|frame| frame.stream == stream(number) && frame.ends_stream()).await;
        assert!(answer.is_some());
    }
    let large = bomb(10_000);
    let code = wire.flood(1, move |_| frame(HEADERS, END_HEADERS | END_STREAM, stream(100), &large)).await;
    assert_eq!(code, Some(ENHANCE_YOUR_CALM));
    // None of them has become an export.
    assert_eq!(gate.metric("gridgate_exports_received_total{transport=\"grpc\",signal=\"traces\"}").await, 0);
    assert_served(&gate, &key).await;
    gate.stop().await;
}

/// Clause T73 of docs/otlp.md.
#[tokio::test]
async fn header_fields_are_counted() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    for form in Form::ALL {
        // `host`, `content-length` and the like are the client's own.
        let own = if form == Form::Grpc { 1 } else { 2 };
        let export = Export::traces(form, &key.token);
        let with = |count: usize| {
            let more = count - export.headers.len() - own;
            (0..more).fold(export.clone(), |export, number| export.and(&format!("x-{number}"), "y"))
        };
        with(64).send(&gate).await.assert_success(form);
        told("headers_too_large").key(&key.id).check(&with(65).send(&gate).await, form);
        let long = export.with("x", "y".repeat(16 << 10));
        told("headers_too_large").key(&key.id).check(&long.send(&gate).await, form);
    }
    gate.stop().await;
}

/// The limit is the configured one, also beyond what hyper parses by itself.
#[tokio::test]
async fn more_header_fields_may_be_allowed() {
    let gate = Gate::with(|config| config.limits.header_fields = 200).await;
    let key = gate.key("shop").await;
    for form in Form::ALL {
        let export = Export::traces(form, &key.token);
        let with = |more: u32| (0..more).fold(export.clone(), |export, number| export.and(&format!("x-{number}"), "y"));
        with(150).send(&gate).await.assert_success(form);
        let answer = with(250).send(&gate).await;
        // On HTTP/1.1 this is the protocol's own answer: who sends so many is not told about OTLP.
        if form == Form::Grpc {
            told("headers_too_large").key(&key.id).check(&answer, form);
        } else {
            assert_eq!((answer.status, answer.data.len()), (431, 0));
        }
    }
    gate.stop().await;
}

/// Far beyond what is allowed the protocol itself answers, and nothing is kept of them.
/// Clause T73 of docs/otlp.md.
#[tokio::test]
async fn a_hundred_thousand_header_fields() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    for count in [1000, 100_000] {
        let lines = (0..count).map(|number| format!("x-{number}: y\r\n")).collect::<Vec<_>>().concat();
        let mut raw = Raw::connect(gate.http).await;
        raw.try_write(format!("POST /v1/traces HTTP/1.1\r\nhost: gate\r\n{lines}\r\n").as_bytes()).await;
        let head = raw.read_head().await;
        assert!(head.starts_with("HTTP/1.1 431 Request Header Fields Too Large\r\n"), "{head}");
        assert!(raw.is_closed().await);
        let fields: Vec<u8> = (0..count).flat_map(|number| field(&format!("x-{number}"), b"y")).collect();
        let block = [block(&Export::traces(Form::Grpc, &key.token)), fields].concat();
        let mut wire = Wire::connect(gate.grpc, &[]).await;
        let mut pieces = block.chunks(16_000);
        let first = pieces.next().expect("a piece");
        let last = pieces.len();
        let flags = if last == 0 { END_HEADERS } else { 0 };
        wire.write(&frame(HEADERS, flags | END_STREAM, stream(0), first)).await;
        for (number, piece) in pieces.enumerate() {
            let flags = if number + 1 == last { END_HEADERS } else { 0 };
            wire.write(&frame(CONTINUATION, flags, stream(0), piece)).await;
        }
        // An answer, or the end of the connection.
        let ended = wire.until(Frame::ends_stream).await;
        assert_eq!(ended.is_some(), count == 1000);
    }
    assert_served(&gate, &key).await;
    gate.stop().await;
}
