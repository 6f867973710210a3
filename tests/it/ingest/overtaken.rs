//! A change of a key overtakes the exports that are under way.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use tonic::Code;

use super::client::{Export, Form, Raw};
use super::told::told;
use super::unread::Call;
use super::{Gate, new_key};

/// Changes made between the halves of a body, and what its sender is then told.
const CHANGES: [(&[&str], Option<&str>); 3] =
    [(&["revoke"], Some("key_revoked")), (&["disable"], Some("key_disabled")), (&["disable", "enable"], None)];

/// Clause T70 of docs/otlp.md.
#[tokio::test]
async fn a_key_changed_while_the_body_arrives() {
    let gate = Gate::start().await;
    for (changes, reason) in CHANGES {
        let key = gate.created(&new_key(&changes.concat())).await;
        let export = Export::traces(Form::Protobuf, &key.token);
        let (head, tail) = export.body.split_at(export.body.len() / 2);

        let mut http = Raw::connect(gate.http).await;
        let lines = format!("expect: 100-continue\r\ncontent-length: {}\r\n", export.body.len());
        http.head(&export, &lines).await;
        // It is asked for its body: the key was good.
        assert_eq!(http.read_head().await, "HTTP/1.1 100 Continue\r\n\r\n");
        http.write(head).await;

        let call = Export::traces(Form::Grpc, &key.token);
        let (first, last) = call.body.split_at(call.body.len() / 2);
        let grpc = Call::begin(&gate, &call).await;
        grpc.send(first);
        let both = (head.len() + first.len()) as u64;
        gate.until("gridgate_body_memory_bytes", |bytes| bytes >= both).await;

        for change in changes {
            gate.change(&key, change).await;
        }
        http.write(tail).await;
        grpc.send(last);
        let (status, _) = http.read_answer().await;
        let answer = grpc.answer().await;
        if let Some(reason) = reason {
            assert!(status.starts_with(&format!("HTTP/1.1 401 {reason} (")), "{status}");
            told(reason).key(&key.id).check(&answer, Form::Grpc);
        } else {
            assert!(status.starts_with("HTTP/1.1 200 OK\r\n"), "{status}");
            answer.assert_success(Form::Grpc);
        }
    }
    assert_eq!(gate.stop().await.lake()["shop/web/production/traces"], ["marker"; 2]);
}

/// Clauses T70 and T71 of docs/otlp.md.
#[tokio::test]
async fn a_revoked_key_is_refused_on_an_open_channel() {
    let gate = Gate::start().await;
    let key = gate.created(&new_key("one")).await;
    let other = gate.created(&new_key("two")).await;
    let channel = tonic::transport::Channel::from_shared(format!("http://{}", gate.grpc)).expect("a url");
    let mut client = LogsServiceClient::new(channel.connect().await.expect("a connection"));
    let mut export = async |token: &str| {
        let mut request = tonic::Request::new(ExportLogsServiceRequest::default());
        request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().expect("a header"));
        client.export(request).await
    };
    for _ in 0..3 {
        export(&key.token).await.expect("the key is good");
    }
    gate.change(&key, "revoke").await;
    for _ in 0..3 {
        let refused = export(&key.token).await.expect_err("the key is revoked");
        assert_eq!(refused.code(), Code::Unauthenticated);
        assert!(refused.message().starts_with(&format!("key_revoked ({}): ", key.id)), "{}", refused.message());
        // Nobody else is concerned, on the same connection.
        export(&other.token).await.expect("the key is good");
    }
    drop(client);
    gate.stop().await;
}

/// The same on a connection of HTTP/1.1 that is kept alive.
/// Clause T70 of docs/otlp.md.
#[tokio::test]
async fn a_revoked_key_is_refused_on_a_kept_connection() {
    let gate = Gate::start().await;
    let key = gate.created(&new_key("one")).await;
    let export = Export::traces(Form::Json, &key.token);
    let mut raw = Raw::connect(gate.http).await;
    let mut send = async || {
        raw.head(&export, &format!("content-length: {}\r\n", export.body.len())).await;
        raw.write(&export.body).await;
        raw.read_answer().await.0
    };
    assert!(send().await.starts_with("HTTP/1.1 200 OK\r\n"));
    gate.change(&key, "revoke").await;
    assert!(send().await.starts_with("HTTP/1.1 401 key_revoked ("));
    gate.stop().await;
}
