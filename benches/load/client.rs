//! The client: as light as it can be while it checks every answer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use gridgate::domain::Transport;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::case::{Case, Requests};
use super::child::{Child, cpu_time};

/// How hard a server is driven.
pub(crate) struct Load {
    /// Before anything counts.
    pub(crate) warm_up: Duration,
    /// What counts.
    pub(crate) window: Duration,
    /// Requests in flight at any time.
    pub(crate) in_flight: usize,
    /// How many of them share a connection over gRPC.
    pub(crate) streams: usize,
}

/// What came of it within the window.
pub(crate) struct Driven {
    /// Of each request that was answered, sorted, in microseconds.
    pub(crate) latencies: Vec<u32>,
    /// The length of the window as it was.
    pub(crate) elapsed: Duration,
    /// What the server took of the processors.
    pub(crate) server: Duration,
    /// What the client took.
    pub(crate) client: Duration,
}

impl Load {
    /// Drives `child`. The first answer that is not a success ends it all.
    pub(crate) async fn drive(&self, child: &Child, case: Case, requests: &Requests) -> Result<Driven> {
        let requests = prepared(child, child.token.as_deref(), case, requests)?;
        let begin = Instant::now() + self.warm_up;
        let end = begin + self.window;
        let mut workers = JoinSet::new();
        while workers.len() < self.in_flight {
            let streams = self.streams.clamp(1, self.in_flight - workers.len());
            for sender in connect(child.address(case.transport), case.transport, streams).await? {
                workers.spawn(work(sender, Arc::clone(&requests), workers.len(), begin, end));
            }
        }
        let usage = || Ok::<_, anyhow::Error>((Instant::now(), child.cpu_time()?, cpu_time(std::process::id())?));
        tokio::time::sleep_until(begin.into()).await;
        let before = usage()?;
        tokio::time::sleep_until(end.into()).await;
        let after = usage()?;
        let mut latencies = Vec::new();
        while let Some(worker) = workers.join_next().await {
            latencies.extend(worker??);
        }
        ensure!(!latencies.is_empty(), "not one request was answered");
        latencies.sort_unstable();
        Ok(Driven {
            latencies,
            elapsed: after.0 - before.0,
            server: after.1.saturating_sub(before.1),
            client: after.2.saturating_sub(before.2),
        })
    }
}

/// The requests of `case`, complete with headers: sending one is a clone that shares the body.
pub(crate) fn prepared(
    child: &Child,
    token: Option<&str>,
    case: Case,
    requests: &Requests,
) -> Result<Arc<[Request<Full<Bytes>>]>> {
    let address = child.address(case.transport);
    let one = |body: &Bytes| {
        let request = Request::post(match case.transport {
            Transport::Http => case.path().to_owned(),
            Transport::Grpc => format!("http://{address}{}", case.path()),
        });
        let mut request = match case.transport {
            Transport::Http => {
                request.header(header::HOST, address.to_string()).header(header::CONTENT_TYPE, "application/x-protobuf")
            }
            Transport::Grpc => request.header(header::CONTENT_TYPE, "application/grpc").header(header::TE, "trailers"),
        };
        if case.gzip {
            let name = match case.transport {
                Transport::Http => header::CONTENT_ENCODING,
                Transport::Grpc => HeaderName::from_static("grpc-encoding"),
            };
            request = request.header(name, "gzip");
        }
        if let Some(token) = token {
            request = request.header("api-key", token);
        }
        Ok(request.body(Full::new(body.clone()))?)
    };
    requests.bodies.iter().map(one).collect()
}

/// Sends one request after the other.
pub(crate) enum Sender {
    One(http1::SendRequest<Full<Bytes>>),
    Two(http2::SendRequest<Full<Bytes>>),
}

impl Sender {
    /// Whether the request was accepted, once it is answered: `false` where it was too much. Everything else is an error.
    pub(crate) async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<bool> {
        let (response, grpc) = match self {
            Self::One(sender) => {
                sender.ready().await?;
                (sender.send_request(request).await?, false)
            }
            Self::Two(sender) => {
                sender.ready().await?;
                (sender.send_request(request).await?, true)
            }
        };
        accepted(response, grpc).await
    }
}

/// A new connection: over HTTP/1.1 one sender, over gRPC `streams` that share it.
pub(crate) async fn connect(address: SocketAddr, transport: Transport, streams: usize) -> Result<Vec<Sender>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let stream = TokioIo::new(stream);
    match transport {
        Transport::Http => {
            let (sender, connection) = http1::handshake(stream).await?;
            tokio::spawn(connection);
            Ok(vec![Sender::One(sender)])
        }
        Transport::Grpc => {
            let (sender, connection) = http2::handshake(TokioExecutor::new(), stream).await?;
            tokio::spawn(connection);
            Ok((0..streams).map(|_| Sender::Two(sender.clone())).collect())
        }
    }
}

/// One request after the other until `end`, and how long each took that was answered within the window, in microseconds.
async fn work(
    mut sender: Sender,
    requests: Arc<[Request<Full<Bytes>>]>,
    first: usize,
    begin: Instant,
    end: Instant,
) -> Result<Vec<u32>> {
    let mut latencies = Vec::new();
    let mut sent = Instant::now();
    for request in requests.iter().cycle().skip(first) {
        ensure!(sender.send(request.clone()).await?, "an export without a limit was too much");
        let answered = Instant::now();
        if answered >= end {
            break;
        }
        if answered >= begin {
            latencies.push(u32::try_from((answered - sent).as_micros()).unwrap_or(u32::MAX));
        }
        sent = answered;
    }
    Ok(latencies)
}

/// Reads the answer to its end.
async fn accepted(response: Response<Incoming>, grpc: bool) -> Result<bool> {
    let (head, body) = response.into_parts();
    let body = body.collect().await.context("the answer broke off")?;
    if !grpc && head.status == StatusCode::TOO_MANY_REQUESTS {
        return Ok(false);
    }
    ensure!(head.status == StatusCode::OK, "the answer was {}: {:?}", head.status, body.to_bytes());
    if grpc {
        let trailers = body.trailers().unwrap_or(&head.headers);
        let status = trailers.get("grpc-status").map(HeaderValue::as_bytes);
        if status == Some(RESOURCE_EXHAUSTED) {
            return Ok(false);
        }
        ensure!(status == Some(b"0"), "the answer was {trailers:?}");
    }
    Ok(true)
}

/// The status of gRPC, as it stands in `grpc-status`.
const RESOURCE_EXHAUSTED: &[u8] = b"8";
