//! A refusal does not wait for the body, and its client can read it.

use std::io;

use bytes::Bytes;
use futures_util::stream;
use gridgate::domain::Signal;
use http_body::Frame;
use http_body_util::StreamBody;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::Gate;
use super::client::{Answer, Export, Form, Raw, frame, protobuf_of};
use super::told::told;

/// A call over gRPC whose body is sent piece by piece.
pub(super) struct Call {
    /// Dropped, the body is complete.
    body: mpsc::UnboundedSender<io::Result<Bytes>>,
    answer: tokio::task::JoinHandle<Option<Answer>>,
}

impl Call {
    pub(super) async fn begin(gate: &Gate, export: &Export) -> Self {
        let stream = TokioIo::new(TcpStream::connect(gate.grpc).await.expect("a connection"));
        let (body, pieces) = mpsc::unbounded_channel();
        let pieces = stream::unfold(pieces, async |mut pieces| {
            let piece: io::Result<Bytes> = pieces.recv().await?;
            Some((piece.map(Frame::data), pieces))
        });
        let handshake = http2::handshake(TokioExecutor::new(), stream).await;
        let (mut sender, connection) = handshake.expect("HTTP/2");
        tokio::spawn(connection);
        let request = export.builder().uri(format!("http://{}{}", gate.grpc, export.path));
        let request = request.body(StreamBody::new(Box::pin(pieces))).expect("a request");
        let answer = tokio::spawn(async move {
            let response = sender.send_request(request).await.ok()?;
            Some(Answer::of(response).await)
        });
        Self { body, answer }
    }

    pub(super) fn send(&self, bytes: &[u8]) {
        self.body.send(Ok(Bytes::copy_from_slice(bytes))).expect("the call is under way");
    }

    pub(super) async fn answer(self) -> Answer {
        let Self { body, answer } = self;
        drop(body);
        answer.await.expect("no panic").expect("an answer")
    }

    /// The answer, while the body is still incomplete.
    pub(super) async fn early_answer(self) -> Answer {
        self.answer.await.expect("no panic").expect("an answer")
    }

    /// Gives the call up.
    pub(super) async fn abandon(self) {
        self.body.send(Err(io::ErrorKind::BrokenPipe.into())).expect("the call is under way");
        assert!(self.answer.await.expect("no panic").is_none());
    }
}

const HUGE: &str = "content-length: 67108864\r\n";

/// Clause T63 of docs/otlp.md.
#[tokio::test]
async fn a_bad_key_is_refused_before_the_body() {
    let gate = Gate::start().await;
    let key = gate.created(&super::new_key("one")).await;
    gate.change(&key, "revoke").await;
    for (token, phrase) in [("nonsense", "key_malformed"), (&key.token, "key_revoked")] {
        for form in [Form::Protobuf, Form::Json] {
            for more in ["", "transfer-encoding: chunked\r\n"] {
                let mut raw = Raw::connect(gate.http).await;
                raw.head(&Export::traces(form, token), if more.is_empty() { HUGE } else { more }).await;
                let (head, body) = raw.read_answer().await;
                assert!(head.starts_with(&format!("HTTP/1.1 401 {phrase}")), "{head}");
                assert!(!body.is_empty());
            }
        }
        let call = Call::begin(&gate, &Export::traces(Form::Grpc, token)).await;
        let id = (phrase == "key_revoked").then_some(&key.id);
        let told = id.map_or(told(phrase), |id| told(phrase).key(id));
        told.check(&call.early_answer().await, Form::Grpc);
        // The same where a part of the body has arrived.
        let call = Call::begin(&gate, &Export::traces(Form::Grpc, token)).await;
        call.send(&frame(0, &vec![0; 100_000])[..50_000]);
        told.check(&call.early_answer().await, Form::Grpc);
    }
    gate.stop().await;
}

/// RFC 9110 section 10.1.1: whoever asks first is told first. The body may or may not follow, so the connection ends.
/// Clause T60 of docs/otlp.md.
#[tokio::test]
async fn who_asks_before_sending_is_told() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    let expect = format!("expect: 100-continue\r\n{HUGE}");
    let mut raw = Raw::connect(gate.http).await;
    raw.head(&Export::traces(Form::Protobuf, "nonsense"), &expect).await;
    let (head, _) = raw.read_answer().await;
    assert!(head.starts_with("HTTP/1.1 401 key_malformed: "), "{head}");
    assert!(head.contains("\r\nconnection: close\r\n"), "{head}");
    assert!(raw.is_closed().await);

    let message = protobuf_of(Signal::Traces, "marker");
    let mut raw = Raw::connect(gate.http).await;
    let expect = format!("expect: 100-continue\r\ncontent-length: {}\r\n", message.len());
    raw.head(&Export::traces(Form::Protobuf, &key.token), &expect).await;
    assert_eq!(raw.read_head().await, "HTTP/1.1 100 Continue\r\n\r\n");
    raw.write(&message).await;
    assert!(raw.read_answer().await.0.starts_with("HTTP/1.1 200 OK\r\n"));
    gate.stop().await;
}

/// Clients like Python's send everything before they read anything.
/// Clause T60 of docs/otlp.md.
#[tokio::test]
async fn who_sends_everything_first_can_read_the_refusal_and_go_on() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    let body = vec![0; 64 << 20];
    let mut raw = Raw::connect(gate.http).await;
    for _ in 0..2 {
        raw.head(&Export::traces(Form::Protobuf, "nonsense"), &format!("content-length: {}\r\n", body.len())).await;
        raw.write(&body).await;
        let (head, _) = raw.read_answer().await;
        assert!(head.starts_with("HTTP/1.1 401 key_malformed: "), "{head}");
        let message = protobuf_of(Signal::Traces, "marker");
        raw.head(&Export::traces(Form::Protobuf, &key.token), &format!("content-length: {}\r\n", message.len())).await;
        raw.write(&message).await;
        assert!(raw.read_answer().await.0.starts_with("HTTP/1.1 200 OK\r\n"));
    }
    // The next request may already be there, right behind the body that nobody wants.
    let bad = Export::traces(Form::Protobuf, "nonsense");
    let good = Export::traces(Form::Protobuf, &key.token);
    for export in [&bad, &good, &bad, &good] {
        raw.head(export, &format!("content-length: {}\r\n", export.body.len())).await;
        raw.write(&export.body).await;
    }
    for expected in ["401 key_malformed: ", "200 OK\r\n", "401 key_malformed: ", "200 OK\r\n"] {
        let (head, _) = raw.read_answer().await;
        assert!(head.starts_with(&format!("HTTP/1.1 {expected}")), "{head}");
    }
    let refused = Export::traces(Form::Grpc, "nonsense").raw(frame(0, &body)).send(&gate).await;
    told("key_malformed").check(&refused, Form::Grpc);
    gate.stop().await;
}
