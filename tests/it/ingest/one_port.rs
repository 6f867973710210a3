//! gRPC and HTTP on one port (OTLP specification, «OTLP/HTTP Default Port»).

use std::net::{SocketAddr, TcpListener};

use gridgate::config::{Admitted, ListenerConfig, Prefix, Serves, TlsConfig};
use http::Request;

use super::Gate;
use super::client::{Export, Form, exchange};
use super::told::told;
use crate::catalog::slug;

/// A gate whose first of `listen.more` serves both, with a prefix for HTTP.
async fn start(prefix: &str) -> (Gate, SocketAddr) {
    let prefix = Prefix::try_from(prefix.to_owned()).expect("a prefix");
    let gate = Gate::with(|config| {
        config.listen.more = vec![ListenerConfig {
            address: ([127, 0, 0, 1], 0).into(),
            transport: Serves::Any,
            environment: Admitted(Some(slug("staging"))),
            prefix,
            tls: TlsConfig::default(),
        }];
    })
    .await;
    let port = gate.more[0];
    (gate, port)
}

/// Clause T5 of docs/otlp.md.
#[tokio::test]
async fn each_transport_is_answered_in_its_form() {
    let (gate, port) = start("").await;
    let key = gate.key_of("shop", "staging").await;
    for form in Form::ALL {
        let export = Export::traces(form, &key.token);
        export.send_to(port).await.assert_success(form);
        told("credentials_missing").check(&export.clone().without("api-key").send_to(port).await, form);
        told("path_unknown").check(&export.clone().to("/nowhere").send_to(port).await, form);
        told("method_not_allowed").check(&Export { method: "GET", ..export }.send_to(port).await, form);
        let wrong = Export::traces(form, &gate.key("shop").await.token);
        assert!(told_reason(&wrong.send_to(port).await).contains("environment_mismatch"), "{form:?}");
    }
    // HTTP over HTTP/2 is still HTTP.
    for form in [Form::Protobuf, Form::Json] {
        let export = Export::traces(form, &key.token);
        exchange(port, true, export.builder(), export.body.clone()).await.assert_success(form);
    }
    assert_eq!(gate.metric("gridgate_exports_accepted_total{transport=\"grpc\",signal=\"traces\"}").await, 1);
    assert_eq!(gate.metric("gridgate_exports_accepted_total{transport=\"http\",signal=\"traces\"}").await, 4);
    gate.stop().await;
}

#[tokio::test]
async fn path_or_content_type_make_it_grpc_and_only_over_http_2() {
    let (gate, port) = start("").await;
    let key = gate.key_of("shop", "staging").await;
    let call = Export::traces(Form::Grpc, &key.token);
    // Its path alone: it is an export over gRPC, of a client that does not speak it.
    let without = call.clone().with("content-type", "text/plain").send_to(port).await;
    told("content_type_unsupported").key(&key.id).check(&without, Form::Json);
    // Its content type alone.
    told("path_unknown").check(&call.clone().to("/v1/traces").send_to(port).await, Form::Grpc);
    let health = Request::post("/grpc.health.v1.Health/Check").header("content-type", "application/grpc");
    let health = exchange(port, true, health, vec![0; 5]).await;
    assert_eq!(health.data.last(), Some(&1), "SERVING: {health:?}");
    // HTTP/1.1 has no place for the status of gRPC.
    let downgraded = exchange(port, false, call.builder(), call.body.clone()).await;
    told("path_unknown").check(&downgraded, Form::Json);
    assert!(gate.stop().await.lake().is_empty());
}

/// Clause T6 of docs/otlp.md.
#[tokio::test]
async fn grpc_has_no_prefix() {
    let (gate, port) = start("/otlp").await;
    let key = gate.key_of("shop", "staging").await;
    Export::traces(Form::Grpc, &key.token).send_to(port).await.assert_success(Form::Grpc);
    let export = Export::traces(Form::Json, &key.token);
    export.clone().to("/otlp/v1/traces").send_to(port).await.assert_success(Form::Json);
    told("path_unknown").check(&export.send_to(port).await, Form::Json);
    gate.stop().await;
}

/// Clause T5 of docs/otlp.md.
#[tokio::test]
async fn the_same_address_twice_is_one_port() {
    // The port is free again for the gate; no other test uses this address.
    let free = TcpListener::bind("127.0.0.2:0").and_then(|listener| listener.local_addr()).expect("a port");
    let gate = Gate::with(|config| (config.listen.grpc, config.listen.http) = (free, free)).await;
    assert_eq!((gate.grpc, gate.http), (free, free));
    let key = gate.key("shop").await;
    for form in Form::ALL {
        Export::traces(form, &key.token).send(&gate).await.assert_success(form);
    }
    gate.stop().await;
}

/// The text of a refusal in whatever form.
fn told_reason(answer: &super::client::Answer) -> String {
    let message =
        answer.headers.get("grpc-message").map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    message.unwrap_or_else(|| answer.text())
}
