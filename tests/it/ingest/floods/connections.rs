//! Many connections, and those whose clients read nothing.

use super::{A_WHILE, assert_served};
use crate::ingest::Gate;
use crate::ingest::client::{Export, Form, Raw};
use crate::ingest::frames::{ACK, DATA, END_HEADERS, END_STREAM, Frame, HEADERS, PING, Wire, block, frame, stream};

/// One address has so many, whoever else there is.
#[tokio::test]
async fn too_many_from_one_address() {
    let gate = Gate::with(|config| config.limits.connections_per_address = 3).await;
    let key = gate.key("shop").await;
    let mut held = Vec::new();
    for address in [gate.http, gate.grpc, gate.http] {
        held.push(Raw::connect(address).await);
    }
    gate.until("gridgate_connections", |count| count == 3).await;
    for _ in 0..100 {
        assert!(Raw::connect(gate.http).await.is_closed().await);
    }
    assert_eq!(gate.metric("gridgate_connections_refused_total{reason=\"address\"}").await, 100);
    // Loopback is a network: from another address of it there is room.
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket.bind(([127, 0, 0, 2], 0).into()).expect("an address of this machine");
    let mut other = Raw::of(socket.connect(gate.http).await.expect("a connection"));
    let export = Export::traces(Form::Protobuf, &key.token);
    other.head(&export, &format!("content-length: {}\r\n", export.body.len())).await;
    other.write(&export.body).await;
    assert!(other.read_answer().await.0.starts_with("HTTP/1.1 200 OK\r\n"));
    drop(held);
    gate.until("gridgate_connections", |count| count == 1).await;
    assert_served(&gate, &key).await;
    gate.stop().await;
}

/// A frame that never becomes whole, from its first byte on or from the middle of its payload.
#[tokio::test]
async fn frames_that_are_not_finished() {
    let gate = Gate::with(|config| config.limits.answer_time = A_WHILE).await;
    let key = gate.key("shop").await;
    let head = frame(HEADERS, END_HEADERS, stream(0), &block(&Export::traces(Form::Grpc, &key.token)));
    for part in [1, head.len() - 1] {
        let mut wire = Wire::connect(gate.grpc, &[]).await;
        wire.write(&head[..part]).await;
        assert_eq!(wire.until(|_| false).await, None);
    }
    // Who answers pings may say nothing else for as long as he likes, and then export.
    let mut wire = Wire::connect(gate.grpc, &[]).await;
    for _ in 0..3 {
        let ping = wire.until(|frame| frame.kind == PING).await.expect("a ping");
        wire.write(&frame(PING, ACK, 0, &ping.payload)).await;
    }
    wire.write(&head).await;
    wire.write(&frame(DATA, END_STREAM, stream(0), &Export::traces(Form::Grpc, "").body)).await;
    let answer = wire.until(Frame::ends_stream).await.expect("an answer");
    assert_eq!((answer.kind, answer.stream), (HEADERS, stream(0)));
    drop(wire);
    gate.until("gridgate_connections", |count| count == 0).await;
    gate.stop().await;
}

/// Requests one after the other, and no answer is read.
#[tokio::test]
async fn answers_that_nobody_reads() {
    let gate = Gate::with(|config| config.limits.answer_time = A_WHILE).await;
    let key = gate.key("shop").await;
    let mut raw = Raw::connect(gate.http).await;
    let many = "GET / HTTP/1.1\r\nhost: gate\r\n\r\n".repeat(1000);
    let mut written = 0;
    while raw.try_write(many.as_bytes()).await {
        written += many.len();
        assert!(written < 1 << 30, "nothing stops a client which does not read");
    }
    gate.until("gridgate_connections", |count| count == 0).await;
    assert_served(&gate, &key).await;
    gate.stop().await;
}
