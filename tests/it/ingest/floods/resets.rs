//! Streams that are given up at once.

use std::collections::BTreeSet;

use super::{A_WHILE, assert_served};
use crate::ingest::client::{Export, Form, Raw, frame as message};
use crate::ingest::frames::{
    CANCEL, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, Frame, HEADERS, RST_STREAM, WINDOW_UPDATE, Wire, block,
    frame, numbered, stream,
};
use crate::ingest::observed::sum;
use crate::ingest::{Gate, eventually};

/// Rapid Reset, with a good key, with a bad one, and without any.
/// Clause T58 of docs/otlp.md.
#[tokio::test]
async fn requests_that_are_reset_at_once() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    for export in [
        Export::traces(Form::Grpc, &key.token),
        Export::traces(Form::Grpc, "nonsense"),
        Export::traces(Form::Grpc, "").without("api-key").to("/grpc.health.v1.Health/Watch"),
    ] {
        let block = block(&export);
        let wire = Wire::connect(gate.grpc, &[]).await;
        let code = wire.flood(10_000, move |number| {
            // Many in one write, so that they are there before any of them is looked at.
            (0..100).fold(Vec::new(), |mut bytes, more| {
                let stream = stream(number * 100 + more);
                bytes.extend(frame(HEADERS, END_HEADERS, stream, &block));
                bytes.extend(numbered(RST_STREAM, stream, CANCEL));
                bytes
            })
        });
        assert_eq!(code.await, Some(ENHANCE_YOUR_CALM), "{}", export.path);
        assert_served(&gate, &key).await;
    }
    gate.until("gridgate_connections", |count| count == 0).await;
    gate.stop().await;
}

/// The same by way of mistakes for which the gate has to reset the stream (CVE-2025-8671).
/// Clause T58 of docs/otlp.md.
#[tokio::test]
async fn requests_that_the_gate_is_made_to_reset() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    let block = block(&Export::traces(Form::Grpc, &key.token));
    let wire = Wire::connect(gate.grpc, &[]).await;
    let code = wire.flood(10_000, move |number| {
        let stream = stream(number);
        // A window over the largest is an error of the stream (RFC 9113 section 6.9.1).
        [frame(HEADERS, END_HEADERS, stream, &block), numbered(WINDOW_UPDATE, stream, (1 << 31) - 1)].concat()
    });
    assert_eq!(code.await, Some(ENHANCE_YOUR_CALM));
    assert_served(&gate, &key).await;
    gate.stop().await;
}

/// Exports that are given up when some of their body is there leave nothing behind, neither memory nor a count that does not add up.
#[tokio::test]
async fn exports_that_are_cancelled_half_way() {
    const ROUNDS: u32 = 10;
    const AT_ONCE: u32 = 100;
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    let export = Export::traces(Form::Grpc, &key.token);
    let mut wire = Wire::connect(gate.grpc, &[]).await;
    let half = &export.body[..export.body.len() / 2];
    for round in 0..ROUNDS {
        let streams = (0..AT_ONCE).map(|number| stream(round * AT_ONCE + number));
        for stream in streams.clone() {
            wire.write(&frame(HEADERS, END_HEADERS, stream, &block(&export))).await;
            wire.write(&frame(DATA, 0, stream, half)).await;
        }
        let held = u64::from(AT_ONCE) * half.len() as u64;
        gate.until("gridgate_body_memory_bytes", |bytes| bytes == held).await;
        for stream in streams {
            wire.write(&numbered(RST_STREAM, stream, CANCEL)).await;
        }
        gate.until("gridgate_body_memory_bytes", |bytes| bytes == 0).await;
    }
    let gone = "gridgate_exports_gone_total{transport=\"grpc\",signal=\"traces\"}";
    assert_eq!(gate.metric(gone).await, u64::from(ROUNDS * AT_ONCE));
    // The connection is as good as before.
    let last = stream(ROUNDS * AT_ONCE);
    wire.write(&frame(HEADERS, END_HEADERS, last, &block(&export))).await;
    wire.write(&frame(DATA, END_STREAM, last, &export.body)).await;
    let answer = wire.until(|frame| frame.stream == last && frame.ends_stream()).await;
    assert!(answer.is_some());
    drop(wire);
    gate.until("gridgate_connections", |count| count == 0).await;
    assert_eq!(gate.metric("gridgate_connection_memory_bytes").await, 0);
    assert_eq!(gate.stop().await.lake()["shop/web/production/traces"], ["marker"]);
}

/// Exports whose clients leave at any moment, some while they are being written: each counts as what became of it.
#[tokio::test]
async fn exports_that_are_given_up_at_any_moment() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    let http = Export::traces(Form::Protobuf, &key.token);
    let grpc = Export::traces(Form::Grpc, &key.token);
    for round in 0..50 {
        let mut wire = Wire::connect(gate.grpc, &[]).await;
        for number in 0..10 {
            let mut raw = Raw::connect(gate.http).await;
            raw.head(&http, &format!("content-length: {}\r\n", http.body.len())).await;
            raw.write(&http.body).await;
            wire.write(&frame(HEADERS, END_HEADERS, stream(number), &block(&grpc))).await;
            wire.write(&frame(DATA, END_STREAM, stream(number), &grpc.body)).await;
            // Some are waited for a little, so that they come as far as the log.
            for _ in 0..(round + number) % 10 {
                tokio::task::yield_now().await;
            }
            wire.write(&numbered(RST_STREAM, stream(number), CANCEL)).await;
        }
    }
    gate.until("gridgate_connections", |count| count == 0).await;
    let mut accepted = 0;
    eventually("they add up", async || {
        let metrics = gate.metrics().await;
        let of = |outcome: &str| sum(&metrics, &format!("gridgate_exports_{outcome}_total"), "signal=\"traces\"");
        accepted = of("accepted");
        of("received") == of("accepted") + of("refused") + of("gone")
    })
    .await;
    gate.until("gridgate_body_memory_bytes", |bytes| bytes == 0).await;
    assert_eq!(gate.metric("gridgate_connection_memory_bytes").await, 0);
    assert_served(&gate, &key).await;
    let stored = gate.stop().await.lake()["shop/web/production/traces"].len() as u64;
    assert_eq!(stored, accepted + 3);
}

/// A length that is claimed costs nothing: not the memory for it, and no place once it is given up.
#[tokio::test]
async fn lengths_that_are_claimed_and_never_sent() {
    let gate = Gate::with(|config| config.limits.body_time = A_WHILE).await;
    let key = gate.key("shop").await;
    let export = Export::traces(Form::Grpc, &key.token);
    let claim = &message(0, &vec![0; 64 << 20])[..5];
    let mut wires = Vec::new();
    for _ in 0..4 {
        let mut wire = Wire::connect(gate.grpc, &[]).await;
        for number in 0..100 {
            wire.write(&frame(HEADERS, END_HEADERS, stream(number), &block(&export))).await;
            wire.write(&frame(DATA, 0, stream(number), claim)).await;
        }
        wires.push(wire);
    }
    assert!(gate.metric("gridgate_body_memory_bytes").await <= 4 * 100 * 5);
    for mut wire in wires {
        let mut answered = BTreeSet::new();
        while answered.len() < 100 {
            let frame = wire.until(Frame::ends_stream).await.expect("an answer");
            answered.insert(frame.stream);
        }
    }
    gate.until("gridgate_body_memory_bytes", |bytes| bytes == 0).await;
    let timed_out = "gridgate_exports_refused_total{transport=\"grpc\",signal=\"traces\",reason=\"request_timeout\"}";
    assert_eq!(gate.metric(timed_out).await, 400);
    assert_served(&gate, &key).await;
    gate.stop().await;
}
