//! The end of the process, and what may not begin beside it.

use std::sync::Arc;
use std::time::Duration;

use gridgate::config::Span;
use tokio::net::TcpStream;

use super::client::{Export, Form, Raw};
use super::unread::Call;
use super::{Gate, eventually};

/// Clause T54 of docs/otlp.md.
#[tokio::test]
async fn what_is_in_flight_finishes_and_nothing_new_begins() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    let export = Export::traces(Form::Protobuf, &key.token);
    let (head, tail) = export.body.split_at(export.body.len() / 2);
    let mut http = Raw::connect(gate.http).await;
    http.head(&export, &format!("expect: 100-continue\r\ncontent-length: {}\r\n", export.body.len())).await;
    assert_eq!(http.read_head().await, "HTTP/1.1 100 Continue\r\n\r\n");
    http.write(head).await;
    let call = Export::traces(Form::Grpc, &key.token);
    let (first, last) = call.body.split_at(call.body.len() / 2);
    let grpc = Call::begin(&gate, &call).await;
    grpc.send(first);
    let both = (head.len() + first.len()) as u64;
    let mut idle = Raw::connect(gate.http).await;
    gate.until("gridgate_body_memory_bytes", |bytes| bytes >= both).await;

    gate.stop.cancel();
    for address in [gate.http, gate.grpc] {
        eventually("it listens no more", async || TcpStream::connect(address).await.is_err()).await;
    }
    assert!(idle.is_closed().await);
    let answer = gate.get("/readyz").await;
    assert_eq!((answer.status, &*answer.text()), (503, "not ready: the process is stopping\n"));
    assert_eq!(gate.get("/healthz").await.status, 200);

    http.write(tail).await;
    let (status, _) = http.read_answer().await;
    assert!(status.starts_with("HTTP/1.1 200 OK\r\n"), "{status}");
    assert!(http.is_closed().await);
    grpc.send(last);
    grpc.answer().await.assert_success(Form::Grpc);
    assert_eq!(gate.stop().await.lake()["shop/web/production/traces"], ["marker"; 2]);
}

#[tokio::test]
async fn a_second_process_waits_until_the_first_is_gone() {
    let gate = Gate::start().await;
    let refused = gridgate::server::lock(&gate.config, &*gate.clock).expect_err("the first has the folder");
    let told = format!("{refused:#}");
    assert!(told.starts_with("data.folder: the folder "), "{told}");
    assert!(told.contains(&format!("process {}, started 2026-11-21T10:22:00", std::process::id())), "{told}");
    let clock = Arc::clone(&gate.clock);
    let stopped = gate.stop().await;
    let (server, stop) = super::serve(&stopped.config, &clock).await;
    stop.cancel();
    server.run().await.expect("it stops in good order");
    drop(stopped.folder);
}

/// The end comes when the grace period is over. What is acknowledged and not yet delivered is delivered by the next start.
/// Clause T54 of docs/otlp.md.
#[tokio::test]
async fn who_never_finishes_does_not_hold_up_the_end() {
    let gate = Gate::with(|config| config.shutdown.grace = Span(Duration::from_millis(50))).await;
    let key = gate.key("shop").await;
    let export = Export::traces(Form::Protobuf, &key.token);
    let mut http = Raw::connect(gate.http).await;
    http.head(&export, "expect: 100-continue\r\ncontent-length: 100\r\n").await;
    assert_eq!(http.read_head().await, "HTTP/1.1 100 Continue\r\n\r\n");
    export.send(&gate).await.assert_success(Form::Protobuf);
    let clock = Arc::clone(&gate.clock);
    let mut stopped = gate.stop().await;
    stopped.config.shutdown.grace = Span(Duration::from_secs(25));
    let (server, stop) = super::serve(&stopped.config, &clock).await;
    stop.cancel();
    server.run().await.expect("it stops in good order");
    assert_eq!(stopped.lake()["shop/web/production/traces"], ["marker"]);
}

#[tokio::test]
async fn too_many_connections_are_closed_and_the_admin_listener_answers() {
    let gate = Gate::with(|config| config.limits.connections = 2).await;
    let key = gate.key("shop").await;
    let held = [Raw::connect(gate.http).await, Raw::connect(gate.grpc).await];
    gate.until("gridgate_connections", |count| count == 2).await;
    for address in [gate.http, gate.grpc] {
        assert!(Raw::connect(address).await.is_closed().await);
    }
    assert_eq!(gate.get("/readyz").await.status, 200);
    drop(held);
    gate.until("gridgate_connections", |count| count == 0).await;
    Export::traces(Form::Protobuf, &key.token).send(&gate).await.assert_success(Form::Protobuf);
    gate.stop().await;
}
