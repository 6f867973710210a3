//! One test span over either transport, and the question of whoami: requests and their whole answers.

use std::error::Error;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::time::timeout;

use super::connect::{Dialer, Duplex};
use super::endpoint::Endpoint;
use super::report::{Stage, Stop, name};
use crate::cli::Exit;
use crate::cli::client::chain;
use crate::domain::Signal;
use crate::domain::Transport;

/// More of an answer is not read. Those of a gate are far smaller.
const MAX_ANSWER: usize = 64 << 10;

/// A whole answer.
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) trailers: HeaderMap,
}

/// Sends `message`, an `ExportTraceServiceRequest`, by `stream`.
pub(super) async fn export(
    dialer: &Dialer,
    stream: Box<dyn Duplex>,
    endpoint: &Endpoint,
    transport: Transport,
    headers: &HeaderMap,
    message: &[u8],
) -> Result<Reply, Stop> {
    let (path, body, content_type) = match transport {
        Transport::Grpc => (Signal::Traces.grpc_path(), framed(message), "application/grpc"),
        Transport::Http => (&*endpoint.traces, message.to_vec(), "application/x-protobuf"),
    };
    let mut all = headers.clone();
    all.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    if transport == Transport::Grpc {
        all.insert(header::TE, HeaderValue::from_static("trailers"));
    }
    match exchange(dialer, stream, endpoint, transport, (Method::POST, path), all, body).await {
        // Many servers of TLS know plain HTTP when they see it, and say so in plain HTTP.
        Ok(reply) if reply.is_plain_refusal() => wants_tls(dialer, endpoint, transport).await.map_or(Ok(reply), Err),
        Ok(reply) => Ok(reply),
        Err(why) => Err(silent(dialer, endpoint, transport, &why).await),
    }
}

impl Reply {
    fn is_plain_refusal(&self) -> bool {
        let content_type = self.headers.get(header::CONTENT_TYPE).map_or(&b""[..], |value| value.as_bytes());
        self.status == StatusCode::BAD_REQUEST && !content_type.starts_with(b"application/")
    }
}

/// What the gate knows of the key, over a connection of its own; `None` where it does not say.
pub(super) async fn whoami(
    dialer: &Dialer,
    stream: Box<dyn Duplex>,
    endpoint: &Endpoint,
    headers: &HeaderMap,
) -> Option<serde_json::Value> {
    let path = format!("{}/v1/whoami", endpoint.prefix);
    let request = (Method::GET, &*path);
    let asked = exchange(dialer, stream, endpoint, Transport::Http, request, headers.clone(), Vec::new()).await;
    let reply = asked.ok().filter(|reply| reply.status == StatusCode::OK)?;
    serde_json::from_slice(&reply.body).ok()
}

/// One request and its answer; the error is in words.
async fn exchange(
    dialer: &Dialer,
    stream: Box<dyn Duplex>,
    endpoint: &Endpoint,
    transport: Transport,
    (method, path): (Method, &str),
    headers: HeaderMap,
    body: Vec<u8>,
) -> Result<Reply, String> {
    let is_grpc = transport == Transport::Grpc;
    let uri = if is_grpc { format!("{}{path}", endpoint.origin()) } else { path.to_owned() };
    let mut request = Request::builder().method(method).uri(uri);
    if !is_grpc {
        request = request.header(header::HOST, endpoint.authority.as_str());
    }
    let mut request = request.body(Full::new(Bytes::from(body))).map_err(|error| error.to_string())?;
    request.headers_mut().extend(headers);
    let agent = HeaderValue::from_static(concat!("gridgate-doctor/", env!("CARGO_PKG_VERSION")));
    request.headers_mut().insert(header::USER_AGENT, agent);
    let exchanged = timeout(dialer.patience, async {
        let stream = TokioIo::new(stream);
        let response = if is_grpc {
            let (mut sender, connection) = http2::handshake(TokioExecutor::new(), stream).await?;
            // It ends when its sender is dropped.
            tokio::spawn(connection);
            sender.send_request(request).await?
        } else {
            let (mut sender, connection) = http1::handshake(stream).await?;
            tokio::spawn(connection);
            sender.send_request(request).await?
        };
        collect(response).await
    });
    match exchanged.await {
        Ok(Ok(reply)) => Ok(reply),
        Ok(Err(error)) => Err(chain(&*error)),
        Err(_) => Err(format!("no answer within {} s", dialer.patience.as_secs())),
    }
}

async fn collect(response: Response<Incoming>) -> Result<Reply, Box<dyn Error + Send + Sync>> {
    let (parts, body) = response.into_parts();
    let collected = Limited::new(body, MAX_ANSWER).collect().await?;
    let trailers = collected.trailers().cloned().unwrap_or_default();
    Ok(Reply { status: parts.status, headers: parts.headers, body: collected.to_bytes(), trailers })
}

/// A message with gRPC's frame around it.
fn framed(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    [&[0][..], &length.to_be_bytes(), message].concat()
}

/// What it means that there was no answer of HTTP.
async fn silent(dialer: &Dialer, endpoint: &Endpoint, transport: Transport, why: &str) -> Stop {
    if let Some(stop) = wants_tls(dialer, endpoint, transport).await {
        return stop;
    }
    let other = match transport {
        Transport::Grpc => Transport::Http,
        Transport::Http => Transport::Grpc,
    };
    let detail = format!("the port gives no answer of {}: {why}", name(transport));
    let advice = format!(
        "it is perhaps one of {}, usually {} for OTLP/gRPC and {} for OTLP/HTTP, or a proxy that does not let HTTP/2 through",
        name(other),
        4317,
        4318
    );
    Stop::new(Stage::Port, Exit::Unreachable, detail, advice)
}

/// The end where plain text was sent to a port of TLS.
async fn wants_tls(dialer: &Dialer, endpoint: &Endpoint, transport: Transport) -> Option<Stop> {
    let mixed_up = !endpoint.is_tls && dialer.finds_tls(endpoint, transport).await;
    let detail = "the port speaks TLS, and the endpoint is http://";
    mixed_up.then(|| Stop::new(Stage::Tls, Exit::Refused, detail, "use https://"))
}
