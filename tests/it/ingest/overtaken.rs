//! A change of a key overtakes the exports that are under way.

use std::sync::Arc;
use std::time::Duration;

use gridgate::catalog::Keys as _;
use gridgate::domain::key::{DigestAlgorithm, Grant, KeyEdit, NewSecret, Overlap, SecretFormat};
use gridgate::domain::{Changed, Clock as _, Digest, KeyChange, Permission};
use http::Request;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use serde_json::{Value, json};
use tonic::Code;

use super::bare::{Bare, answer};
use super::client::{Answer, Export, Form, Raw, exchange};
use super::told::told;
use super::unread::Call;
use super::{Gate, Issued, new_key};
use crate::admin::watched::Watched;
use crate::catalog::by;

/// What an admin does to a key between the halves of a body.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// `POST /keys/{id}/…`
    Post(&'static str),
    /// `PATCH /keys/{id}`
    Edit(&'static str),
    /// Nothing, for a second.
    Wait,
}

use Step::{Edit, Post, Wait};

/// What a sender is told: reason, HTTP status and the beginning of the detail.
type Refused = (&'static str, u16, &'static str);

/// What is done, and what the sender is then told.
const CHANGES: [(&[Step], Option<Refused>); 14] = [
    (&[Post("revoke")], Some(("key_revoked", 401, ""))),
    (&[Post("disable")], Some(("key_disabled", 401, ""))),
    (&[Post("disable"), Post("enable")], None),
    (&[Post("regenerate")], Some(("secret_retired", 401, ""))),
    (&[Post("rotate")], None),
    (&[Post("rotate"), Post("rotation/complete")], Some(("secret_retired", 401, ""))),
    (&[Post("rotate"), Post("rotation/cancel")], None),
    (&[Edit(r#"{"permissions": ["telemetry.logs.write"]}"#)], Some(("permission_denied", 403, "the key lacks"))),
    (&[Edit(r#"{"role": "ingest-logs"}"#)], Some(("permission_denied", 403, "the key lacks"))),
    (&[Edit(r#"{"allowed_addresses": ["192.0.2.0/24"]}"#)], Some(("ip_not_allowed", 403, "it came from"))),
    (&[Edit(r#"{"allowed_addresses": ["127.0.0.1"]}"#)], None),
    (&[Edit(r#"{"expires_at": "2026-11-21T10:22:01Z"}"#), Wait], Some(("key_expired", 401, ""))),
    (&[Edit(r#"{"expires_at": "2036-11-21T10:22:01Z"}"#), Wait], None),
    (&[Edit(r#"{"name": "another"}"#)], None),
];

impl Step {
    async fn take(self, gate: &Gate, key: &Issued) {
        match self {
            Post(change) => gate.change(key, change).await,
            Edit(fields) => gate.edit(key, fields).await,
            Wait => gate.clock.advance(Duration::from_secs(1)),
        }
    }
}

/// An export over HTTP and one over gRPC, of whose bodies the gate has one half.
struct Halves {
    http: Raw,
    http_rest: Vec<u8>,
    grpc: Call,
    grpc_rest: Vec<u8>,
}

impl Halves {
    async fn send(gate: &Gate, key: &Issued) -> Self {
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
        let grpc = Call::begin(gate, &call).await;
        grpc.send(first);
        let both = (head.len() + first.len()) as u64;
        gate.until("gridgate_body_memory_bytes", |bytes| bytes >= both).await;
        Self { http, http_rest: tail.to_vec(), grpc, grpc_rest: last.to_vec() }
    }

    /// Sends the rest, and checks what is answered.
    async fn finish(mut self, key: &Issued, expected: Option<Refused>) {
        self.http.write(&self.http_rest).await;
        self.grpc.send(&self.grpc_rest);
        let (status, _) = self.http.read_answer().await;
        let answer = self.grpc.answer().await;
        if let Some((reason, code, detail)) = expected {
            assert!(status.starts_with(&format!("HTTP/1.1 {code} {reason} (")), "{status}");
            told(reason).key(&key.id).detail(detail).check(&answer, Form::Grpc);
        } else {
            assert!(status.starts_with("HTTP/1.1 200 OK\r\n"), "{status}");
            answer.assert_success(Form::Grpc);
        }
    }
}

/// Clause T70 of docs/otlp.md.
#[tokio::test]
async fn a_key_changed_while_the_body_arrives() {
    for (steps, expected) in CHANGES {
        let gate = Gate::start().await;
        let key = gate.created(&new_key("one")).await;
        let halves = Halves::send(&gate, &key).await;
        for step in steps {
            step.take(&gate, &key).await;
        }
        halves.finish(&key, expected).await;
        let stored = if expected.is_none() { 2 } else { 0 };
        let lake = gate.stop().await.lake();
        assert_eq!(lake.get("shop/web/production/traces").map_or(0, Vec::len), stored, "{steps:?}");
    }
}

/// A change of what a role holds is one of every key that has it.
/// Clause T70 of docs/otlp.md.
#[tokio::test]
async fn a_role_changed_while_the_body_arrives() {
    let gate = Gate::start().await;
    let call = async |request: http::request::Builder, body: Value| {
        let request = request
            .header("authorization", format!("Bearer {}", gate.owner))
            .header("content-type", "application/json");
        let answer = exchange(gate.admin, false, request, body.to_string()).await;
        assert!(answer.status < 300, "{}", answer.text());
    };
    let role = json!({"slug": "sender", "kind": "ingest", "permissions": ["telemetry.traces.write"]});
    call(Request::post("/api/v1/roles"), role).await;
    let mut new = new_key("one");
    new["role"] = "sender".into();
    let key = gate.created(&new).await;
    let halves = Halves::send(&gate, &key).await;
    let edit = json!({"permissions": ["telemetry.logs.write"]});
    call(Request::patch("/api/v1/roles/sender").header("if-match", "*"), edit).await;
    halves.finish(&key, Some(("permission_denied", 403, "the key lacks"))).await;
    assert!(gate.stop().await.lake().is_empty());
}

/// The next export on an open connection, of either transport, after the change is answered.
/// Clauses T70 and T71 of docs/otlp.md.
#[tokio::test]
async fn a_changed_key_is_judged_anew_on_open_connections() {
    for (steps, expected) in CHANGES {
        let gate = Gate::start().await;
        let key = gate.created(&new_key("one")).await;
        let export = Export::traces(Form::Json, &key.token);
        let mut http = Raw::connect(gate.http).await;
        let mut over_http = async || {
            http.head(&export, &format!("content-length: {}\r\n", export.body.len())).await;
            http.write(&export.body).await;
            http.read_answer().await.0
        };
        let channel = tonic::transport::Channel::from_shared(format!("http://{}", gate.grpc)).expect("a url");
        let mut client = TraceServiceClient::new(channel.connect().await.expect("a connection"));
        let mut over_grpc = async || {
            let mut request = tonic::Request::new(ExportTraceServiceRequest::default());
            request.metadata_mut().insert("api-key", key.token.parse().expect("a header"));
            client.export(request).await
        };
        assert!(over_http().await.starts_with("HTTP/1.1 200 OK\r\n"), "{steps:?}");
        over_grpc().await.expect("the key is good");
        for step in steps {
            step.take(&gate, &key).await;
        }
        let (status, answer) = (over_http().await, over_grpc().await);
        if let Some((reason, code, _)) = expected {
            assert!(status.starts_with(&format!("HTTP/1.1 {code} {reason} (")), "{steps:?}: {status}");
            let refused = answer.expect_err("the key is no longer good");
            assert!(refused.message().starts_with(&format!("{reason} ({}): ", key.id)), "{}", refused.message());
        } else {
            assert!(status.starts_with("HTTP/1.1 200 OK\r\n"), "{steps:?}: {status}");
            answer.expect("the key is good");
        }
        gate.stop().await;
    }
}

/// A look-up of the key has its old row when the change is committed and announced: neither the export that waits for it gets
/// through, nor one that comes later and waits for the same look-up.
#[tokio::test]
async fn a_key_changed_while_it_is_looked_up() {
    let server = Gate::start().await;
    let (now, later) = (server.clock.now(), server.clock.now().after(Duration::from_hours(1)));
    let secret = || NewSecret {
        digest: Digest::from_bytes([7; 32]),
        algorithm: DigestAlgorithm::HmacSha256 { pepper: 1 },
        format: SecretFormat::Token,
    };
    let edit = |edit| KeyChange::Edit(Box::new(edit));
    let logs = [Permission::LogsWrite].into_iter().collect();
    let elsewhere = "192.0.2.0/24".parse().expect("ranges");
    let overlap = Overlap { until: later, drained_after: None };
    for (changes, reason) in [
        (vec![KeyChange::Disable], "key_disabled"),
        (vec![KeyChange::Revoke], "key_revoked"),
        (vec![KeyChange::Regenerate(secret())], "secret_retired"),
        (vec![KeyChange::Rotate { secret: secret(), overlap }, KeyChange::CompleteRotation], "secret_retired"),
        (
            vec![edit(KeyEdit { grant: Some(Grant { role: None, permissions: logs }), ..KeyEdit::default() })],
            "permission_denied",
        ),
        (vec![edit(KeyEdit { allowed: Some(elsewhere), ..KeyEdit::default() })], "ip_not_allowed"),
        (vec![edit(KeyEdit { expires_at: Some(Some(now)), ..KeyEdit::default() })], "key_expired"),
    ] {
        let key = server.key("shop").await;
        let id = key.id.parse().expect("an id");
        let watched = Arc::new(Watched::new(Arc::clone(&server.catalog), Arc::default()));
        let Bare { gate, committer: _committer } = Bare::over(&server, Arc::clone(&watched) as _).await;
        let gate = Arc::new(gate);
        let send = || {
            let (gate, export) = (Arc::clone(&gate), Export::traces(Form::Protobuf, &key.token));
            tokio::spawn(async move { Answer::of(answer(&gate, &export, &Arc::default()).await).await })
        };
        watched.hold().await;
        let before = send();
        watched.held().await;
        for change in &changes {
            let made = watched.change_key(&id, change, None, &by(now.micros())).await;
            assert_eq!(made.expect("an answer").expect("a key").1, Changed::Yes, "{change:?}");
            gate.keys.forget(&id);
        }
        let after = send();
        watched.lookups.add_permits(100);
        for answer in [before, after] {
            let answer = answer.await.expect("no panic");
            assert!(answer.text().contains(&format!("{reason} ({})", key.id)), "{reason}: {}", answer.text());
        }
    }
    server.stop().await;
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
