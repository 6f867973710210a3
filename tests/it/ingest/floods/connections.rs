//! Many connections, and those whose clients read nothing.

use super::assert_served;
use crate::ingest::Gate;
use crate::ingest::client::{Export, Form, Raw};
use crate::ingest::slow::SHORT;

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

/// Requests one after the other, and no answer is read.
#[tokio::test]
async fn answers_that_nobody_reads() {
    let gate = Gate::with(|config| config.limits.answer_time = SHORT).await;
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
