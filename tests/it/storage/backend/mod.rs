//! Sending a record on over OTLP, to servers on real sockets: a genuine one by tonic, and one that answers as it is told.

mod answers;
mod connections;
mod grpc;
mod requests;
mod settings;
mod tls;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use flate2::write::GzEncoder;
use futures_util::stream;
use gridgate::domain::clock::ManualClock;
use gridgate::domain::{Encoding, KeyId, RecordId, Signal, Tenant, Timestamp};
use gridgate::storage::destination::otlp::{BackendSettings, BackendTls, Compression, OtlpBackend, Protocol};
use gridgate::storage::destination::{Backend, Sent};
use gridgate::storage::record::RecordMeta;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

/// 2026-11-21T10:00:00Z.
const NOW: Timestamp = Timestamp::from_micros(1_795_255_200_000_000);

fn settings(protocol: Protocol, address: SocketAddr) -> BackendSettings {
    BackendSettings {
        endpoint: format!("http://{address}"),
        protocol,
        compression: Compression::AsReceived,
        headers: Vec::new(),
        timeout: Duration::from_mins(1),
        stamp: false,
        tls: BackendTls::default(),
    }
}

fn backend(settings: BackendSettings) -> OtlpBackend {
    OtlpBackend::new(settings, Arc::new(ManualClock::new(NOW))).expect("a backend")
}

/// A record of `signal` with any payload.
fn meta(signal: Signal, encoding: Encoding, decompressed: usize) -> RecordMeta {
    let slug = |text: &str| text.parse().expect("a slug");
    RecordMeta {
        id: RecordId::from_bytes([7; 16]),
        tenant: Arc::new(Tenant { project: slug("shop"), grid: slug("web"), environment: slug("production") }),
        key: KeyId::from_bare("7Hq2mZxK9wPa").expect("an id"),
        secret_version: 1,
        signal,
        arrival: NOW,
        items: 1,
        encoding,
        decompressed_size: decompressed as u64,
    }
}

/// A request with one span of this name.
fn traces(name: &str) -> ExportTraceServiceRequest {
    let spans = vec![Span { name: name.to_owned(), ..Span::default() }];
    let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
    ExportTraceServiceRequest { resource_spans: vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }] }
}

/// Sends one span and says what became of it.
async fn send(backend: &OtlpBackend) -> Sent {
    let payload = Bytes::from(traces("checkout").encode_to_vec());
    backend.send(&meta(Signal::Traces, Encoding::Identity, payload.len()), &payload).await
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut encoder, bytes).expect("writing to memory");
    encoder.finish().expect("writing to memory")
}

/// What the server saw of a request.
#[derive(Clone, Debug)]
struct Seen {
    method: Method,
    path: String,
    version: Version,
    headers: HeaderMap,
    body: Bytes,
    /// The connection it came by, counted from 1.
    connection: usize,
}

/// What the server answers.
#[derive(Clone, Debug)]
enum Reply {
    Whole {
        status: StatusCode,
        headers: HeaderMap,
        body: Bytes,
        trailers: Option<HeaderMap>,
    },
    /// The headers of a success, a part of the body, and the end of the connection.
    Cut {
        headers: HeaderMap,
    },
    /// Nothing, ever.
    Silence,
    /// Nothing on the first connection, this on all others.
    SilenceAtFirst(Box<Reply>),
}

fn headers(fields: &[(&str, &str)]) -> HeaderMap {
    let field = |(name, value): &(&str, &str)| -> (HeaderName, HeaderValue) {
        (name.parse().expect("a name"), value.parse().expect("a value"))
    };
    fields.iter().map(field).collect()
}

fn reply(status: u16, fields: &[(&str, &str)], body: impl Into<Bytes>) -> Reply {
    let status = StatusCode::from_u16(status).expect("a status");
    Reply::Whole { status, headers: headers(fields), body: body.into(), trailers: None }
}

/// A message of gRPC and its trailers.
fn grpc_reply(message: &[u8], trailers: &[(&str, &str)]) -> Reply {
    let length = u32::try_from(message.len()).expect("a message").to_be_bytes();
    Reply::Whole {
        status: StatusCode::OK,
        headers: headers(&[("content-type", "application/grpc")]),
        body: [&[0], &length[..], message].concat().into(),
        trailers: Some(headers(trailers)),
    }
}

/// A server that gives one reply after the other, the last one for ever.
struct Server {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    running: JoinHandle<()>,
}

impl Server {
    async fn start(replies: impl IntoIterator<Item = Reply>) -> Self {
        Self::start_at("127.0.0.1:0".parse().expect("an address"), None, replies).await
    }

    async fn start_at(address: SocketAddr, tls: Option<TlsAcceptor>, replies: impl IntoIterator<Item = Reply>) -> Self {
        let listener = TcpListener::bind(address).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let seen = Arc::default();
        let running = tokio::spawn(serve(listener, tls, replies.into_iter().collect(), Arc::clone(&seen)));
        Self { address, seen, running }
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("no panic").clone()
    }

    /// Ends the server and all of its connections.
    async fn stop(self) {
        self.running.abort();
        self.running.await.expect_err("it was aborted");
    }
}

async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, replies: VecDeque<Reply>, seen: Arc<Mutex<Vec<Seen>>>) {
    let replies = Arc::new(Mutex::new(replies));
    let count = AtomicUsize::new(0);
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let connection = count.fetch_add(1, Ordering::Relaxed) + 1;
        let (tls, replies, seen) = (tls.clone(), Arc::clone(&replies), Arc::clone(&seen));
        connections.spawn(async move {
            match tls {
                None => serve_connection(stream, connection, replies, seen).await,
                Some(tls) => {
                    // A client that does not trust us ends here.
                    if let Ok(stream) = tls.accept(stream).await {
                        serve_connection(stream, connection, replies, seen).await;
                    }
                }
            }
        });
    }
}

async fn serve_connection<S>(
    stream: S,
    connection: usize,
    replies: Arc<Mutex<VecDeque<Reply>>>,
    seen: Arc<Mutex<Vec<Seen>>>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request: Request<Incoming>| {
        let (replies, seen) = (Arc::clone(&replies), Arc::clone(&seen));
        async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await.expect("a body").to_bytes();
            seen.lock().expect("no panic").push(Seen {
                method: parts.method,
                path: parts.uri.path().to_owned(),
                version: parts.version,
                headers: parts.headers,
                body,
                connection,
            });
            let reply = {
                let mut replies = replies.lock().expect("no panic");
                if replies.len() > 1 { replies.pop_front() } else { replies.front().cloned() }
            };
            let reply = match reply.expect("a reply") {
                Reply::SilenceAtFirst(_) if connection == 1 => Reply::Silence,
                Reply::SilenceAtFirst(later) => *later,
                other => other,
            };
            Ok::<_, Infallible>(response(reply).await)
        }
    });
    // It fails when the client goes, or when a reply is cut on purpose.
    drop(auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await);
}

type Frames = Vec<Result<Frame<Bytes>, std::io::Error>>;

async fn response(
    reply: Reply,
) -> Response<StreamBody<stream::Iter<std::vec::IntoIter<<Frames as IntoIterator>::Item>>>> {
    let (status, headers, frames): (_, _, Frames) = match reply {
        Reply::Whole { status, headers, body, trailers } => {
            let data = (!body.is_empty()).then(|| Frame::data(body));
            let frames = data.into_iter().chain(trailers.map(Frame::trailers)).map(Ok).collect();
            (status, headers, frames)
        }
        Reply::Cut { headers } => {
            let cut = Err(std::io::Error::other("cut"));
            (StatusCode::OK, headers, vec![Ok(Frame::data(Bytes::from_static(&[0]))), cut])
        }
        Reply::Silence | Reply::SilenceAtFirst(_) => std::future::pending().await,
    };
    let mut response = Response::new(StreamBody::new(stream::iter(frames)));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// A pause and the reason, of what may be sent again.
#[track_caller]
fn later(sent: Sent) -> (Option<Duration>, String) {
    match sent {
        Sent::Later { after, why } => (after, why),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn never(sent: Sent) -> String {
    match sent {
        Sent::Never { why } => why,
        other => panic!("{other:?}"),
    }
}

fn delivered() -> Sent {
    Sent::Delivered { rejected: 0, message: String::new() }
}
