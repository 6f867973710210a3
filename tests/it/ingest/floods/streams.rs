//! Many requests at once on one connection.

use std::collections::BTreeSet;

use super::{A_WHILE, assert_served};
use crate::ingest::Gate;
use crate::ingest::client::{Export, Form, frame as message};
use crate::ingest::frames::{
    DATA, END_HEADERS, END_STREAM, Frame, HEADERS, NO_ERROR, REFUSED_STREAM, RST_STREAM, WINDOW_UPDATE, Wire, block,
    frame, numbered, stream,
};

/// The setting for the window of new streams (RFC 9113 section 6.5.2).
const INITIAL_WINDOW_SIZE: u16 = 4;

/// T9: OTLP clients may have many exports under way on one connection.
/// Clause T9 of docs/otlp.md.
#[tokio::test]
async fn a_hundred_exports_at_once() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    let export = Export::traces(Form::Grpc, &key.token);
    let mut wire = Wire::connect(gate.grpc, &[]).await;
    for number in 0..100 {
        wire.write(&frame(HEADERS, END_HEADERS, stream(number), &block(&export))).await;
    }
    for number in (0..100).rev() {
        wire.write(&frame(DATA, END_STREAM, stream(number), &export.body)).await;
    }
    let mut answered = BTreeSet::new();
    while answered.len() < 100 {
        answered.insert(wire.until(Frame::ends_stream).await.expect("an answer").stream);
    }
    assert_eq!(gate.metric("gridgate_exports_accepted_total{transport=\"grpc\",signal=\"traces\"}").await, 100);
    drop(wire);
    assert_eq!(gate.stop().await.lake()["shop/web/production/traces"].len(), 100);
}

/// Those over the limit are refused in a way that says they may be sent again.
#[tokio::test]
async fn more_streams_than_allowed() {
    let gate = Gate::with(|config| config.limits.streams = 8).await;
    let key = gate.key("shop").await;
    let export = Export::traces(Form::Grpc, &key.token);
    let mut wire = Wire::connect(gate.grpc, &[]).await;
    for number in 0..1000 {
        wire.write(&frame(HEADERS, END_HEADERS, stream(number), &block(&export))).await;
    }
    let refused = wire.ended().await;
    assert_eq!(refused.len(), 992);
    assert!(refused.iter().all(|frame| frame.kind == RST_STREAM && frame.number(0) == REFUSED_STREAM));
    for number in 0..8 {
        wire.write(&frame(DATA, END_STREAM, stream(number), &export.body)).await;
        let answer = wire.until(|frame| frame.stream == stream(number) && frame.ends_stream()).await;
        assert_eq!(answer.expect("an answer").kind, HEADERS);
    }
    assert_served(&gate, &key).await;
    drop(wire);
    gate.stop().await;
}

/// A window of zero keeps the answer back. It is not kept for ever, and the places come back.
#[tokio::test]
async fn answers_that_nobody_takes() {
    let gate = Gate::with(|config| {
        config.limits.stream_time = A_WHILE;
        config.limits.streams = 8;
    })
    .await;
    let key = gate.key("shop").await;
    let export = Export::traces(Form::Grpc, &key.token);
    let mut wire = Wire::connect(gate.grpc, &[(INITIAL_WINDOW_SIZE, 0)]).await;
    for round in 0..3 {
        for number in round * 8..(round + 1) * 8 {
            wire.write(&frame(HEADERS, END_HEADERS, stream(number), &block(&export))).await;
            wire.write(&frame(DATA, END_STREAM, stream(number), &export.body)).await;
        }
        let mut reset = BTreeSet::new();
        while reset.len() < 8 {
            let frame = wire.until(|frame| frame.kind == RST_STREAM).await.expect("a reset");
            assert_ne!(frame.number(0), REFUSED_STREAM);
            reset.insert(frame.stream);
        }
    }
    // Who takes its answer has it.
    let last = stream(24);
    wire.write(&frame(HEADERS, END_HEADERS, last, &block(&export))).await;
    wire.write(&numbered(WINDOW_UPDATE, last, 1000)).await;
    wire.write(&frame(DATA, END_STREAM, last, &export.body)).await;
    let answer = wire.until(|frame| frame.stream == last && (frame.ends_stream() || frame.kind == RST_STREAM)).await;
    assert_eq!(answer.expect("an answer").kind, HEADERS);
    drop(wire);
    gate.stop().await;
}

/// Nobody watches for ever: the place is needed.
#[tokio::test]
async fn a_watch_ends() {
    let gate = Gate::with(|config| config.limits.stream_time = A_WHILE).await;
    let watch = Export::new(Form::Grpc, gridgate::domain::Signal::Logs, "").to("/grpc.health.v1.Health/Watch");
    let mut wire = Wire::connect(gate.grpc, &[]).await;
    wire.write(&frame(HEADERS, END_HEADERS, stream(0), &block(&watch))).await;
    wire.write(&frame(DATA, END_STREAM, stream(0), &message(0, b""))).await;
    let status = wire.until(|frame| frame.kind == DATA).await.expect("the status");
    assert_eq!(status.payload, message(0, &[8, 1]));
    assert!(wire.until(|frame| frame.kind == RST_STREAM).await.is_some());
    drop(wire);
    gate.stop().await;
}

/// Refused by its headers: the answer is whole, and the client is told that the rest of the body is not wanted (RFC 9113 section 8.1).
#[tokio::test]
async fn a_body_that_is_not_wanted() {
    let gate = Gate::start().await;
    let mut wire = Wire::connect(gate.grpc, &[]).await;
    for number in 0..3 {
        let head = block(&Export::traces(Form::Grpc, "nonsense"));
        wire.write(&frame(HEADERS, END_HEADERS, stream(number), &head)).await;
        let answer = wire.until(Frame::ends_stream).await.expect("an answer");
        assert_eq!((answer.kind, answer.stream), (HEADERS, stream(number)));
        let reset = wire.until(|frame| frame.kind == RST_STREAM).await.expect("a reset");
        assert_eq!((reset.stream, reset.number(0)), (stream(number), NO_ERROR));
        // What was already on its way does no harm.
        wire.write(&frame(DATA, 0, stream(number), &[0; 1000])).await;
    }
    assert_eq!(wire.ended().await, []);
    drop(wire);
    gate.stop().await;
}
