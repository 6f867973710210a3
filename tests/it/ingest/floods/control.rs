//! Frames that carry nothing.

use super::{A_WHILE, assert_served};
use crate::ingest::Gate;
use crate::ingest::client::{Export, Form};
use crate::ingest::frames::{
    CONTINUATION, DATA, END_HEADERS, ENHANCE_YOUR_CALM, FLOW_CONTROL_ERROR, Frame, HEADERS, NO_ERROR, PING, RST_STREAM,
    SETTINGS, WINDOW_UPDATE, Wire, block, frame, numbered, stream,
};

/// RUSTSEC-2026-0258: frames of DATA without data are free of flow control.
/// Clause T58 of docs/otlp.md.
#[tokio::test]
async fn data_without_data() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    let block = block(&Export::traces(Form::Grpc, &key.token));
    let mut wire = Wire::connect(gate.grpc, &[]).await;
    wire.write(&frame(HEADERS, END_HEADERS, stream(0), &block)).await;
    let code = wire.flood(20_000, |_| frame(DATA, 0, stream(0), b"").repeat(100));
    assert_eq!(code.await, Some(ENHANCE_YOUR_CALM));
    gate.until("gridgate_body_memory_bytes", |bytes| bytes == 0).await;
    assert_served(&gate, &key).await;
    gate.stop().await;
}

/// Each has to be answered. Who does not read the answers is not read from either, and his connection ends.
/// Clause T58 of docs/otlp.md.
#[tokio::test]
async fn pings_and_settings_whose_answers_nobody_reads() {
    let gate = Gate::with(|config| config.limits.answer_time = A_WHILE).await;
    let key = gate.key("shop").await;
    for piece in [frame(PING, 0, 0, b"pingpong"), frame(SETTINGS, 0, 0, b"")] {
        let mut wire = Wire::connect(gate.grpc, &[]).await;
        let many = piece.repeat(10_000);
        let mut written = 0;
        while wire.try_write(&many).await {
            written += many.len();
            assert!(written < 1 << 30, "nothing stops a client which does not read");
        }
        assert_served(&gate, &key).await;
    }
    gate.until("gridgate_connections", |count| count == 0).await;
    gate.stop().await;
}

/// A client which reads what it asks for is served for as long as it likes: gRPC channels ping every ten seconds.
/// Clause T57 of docs/otlp.md.
#[tokio::test]
async fn pings_are_answered() {
    let gate = Gate::start().await;
    let mut wire = Wire::connect(gate.grpc, &[]).await;
    for number in 0..1000_u64 {
        wire.write(&frame(PING, 0, 0, &number.to_be_bytes())).await;
        let pong = wire.until(|frame| frame.kind == PING).await.expect("an answer");
        assert_eq!(pong, Frame { kind: PING, flags: 1, stream: 0, payload: number.to_be_bytes().into() });
    }
    drop(wire);
    gate.stop().await;
}

#[tokio::test]
async fn frames_that_make_no_sense() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    let head = frame(HEADERS, END_HEADERS, stream(0), &block(&Export::traces(Form::Grpc, &key.token)));
    for bytes in [
        // Windows that grow by nothing, and one over the largest (section 6.9).
        numbered(WINDOW_UPDATE, 0, 0),
        [&head[..], &numbered(WINDOW_UPDATE, stream(0), 0)].concat(),
        numbered(WINDOW_UPDATE, 0, (1 << 31) - 1),
        // DATA before HEADERS, a stream of the server's, wrong lengths, a continuation of nothing.
        frame(DATA, 0, stream(0), b"data"),
        frame(HEADERS, END_HEADERS, 2, b""),
        frame(PING, 0, 0, b"short"),
        frame(SETTINGS, 0, 0, b"odd"),
        frame(CONTINUATION, END_HEADERS, stream(0), b""),
        // A frame that is larger than the gate has allowed.
        frame(DATA, 0, stream(0), &vec![0; 17_000]),
        // A field of the table that does not exist (RFC 7541 section 6.1).
        frame(HEADERS, END_HEADERS, stream(0), &[0x80]),
    ] {
        let wire = Wire::connect(gate.grpc, &[]).await;
        let case = format!("{:?}", &bytes[..12.min(bytes.len())]);
        let code = wire.flood(1, move |_| bytes.clone()).await;
        assert!(code.is_some_and(|code| code != NO_ERROR), "{case}: {code:?}");
    }
    // On a stream it is the stream that ends, and nobody else's.
    let mut wire = Wire::connect(gate.grpc, &[]).await;
    wire.write(&[&head[..], &numbered(WINDOW_UPDATE, stream(0), (1 << 31) - 1)].concat()).await;
    let reset = wire.until(|frame| frame.kind == RST_STREAM).await.expect("a reset");
    assert_eq!((reset.stream, reset.number(0)), (stream(0), FLOW_CONTROL_ERROR));
    assert_eq!(wire.ended().await, []);
    drop(wire);
    assert_served(&gate, &key).await;
    gate.until("gridgate_connections", |count| count == 0).await;
    gate.stop().await;
}
