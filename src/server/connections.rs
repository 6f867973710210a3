//! Connections: accepted within limits, served until they are done, and asked to finish when the process stops.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::server::conn::{http1, http2};
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::idle::{Arrived, HeaderTimer, Noted};
use super::opening::{Begins, Opening};
use super::refused::Refused;
use super::slots::Slots;
use super::stalled::Impatient;
use crate::domain::Budget;
use crate::observe::metrics::Crowded;

/// What a connection may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct ConnectionLimits {
    /// From the first byte of a request to the end of its headers.
    pub(super) header_time: Duration,
    /// How long a connection of HTTP/1.1 may be without a request.
    pub(super) idle_time: Duration,
    /// How long a client may let an answer wait, reading nothing, or one of HTTP/2 a ping; how long one of HTTP/2 may say nothing
    /// before it is sent one.
    pub(super) answer_time: Duration,
    /// From the headers of an HTTP/2 request to the end of its answer.
    pub(super) stream_time: Duration,
    /// Header fields of one HTTP/2 request together, in bytes; a request with more is answered below OTLP.
    pub(super) header_bytes: u32,
    /// The number of header fields that a request may have.
    pub(super) header_fields: usize,
    /// Streams of one HTTP/2 connection.
    pub(super) streams: u32,
    /// The HTTP/2 flow-control window of one stream, in bytes.
    pub(super) stream_window: u32,
    /// The HTTP/2 flow-control window of one connection, in bytes; every connection reserves it from the memory budget.
    pub(super) connection_window: u32,
}

/// Everything that the listeners of a process share.
#[derive(Clone, Debug)]
pub(super) struct Connections {
    limits: ConnectionLimits,
    /// Connections that are still free.
    slots: Slots,
    refused: Refused,
    /// What is left for bodies and connections.
    memory: Budget,
    /// Cancelled when connections should finish.
    stop: CancellationToken,
    open: TaskTracker,
}

/// A bound listener.
#[derive(Debug)]
pub(super) struct Port {
    pub(super) listener: TcpListener,
    pub(super) opening: Opening,
}

/// An HTTP/1.1 connection reads up to this much at once; measured, 128 to 400 KiB are best.
const READ_BUFFER: usize = 256 << 10;

/// Header fields of HTTP/1.1 that hyper parses without allocating anything. A request with more of them is answered below OTLP.
const PARSED_FIELDS: usize = 100;

/// What one HTTP/2 stream may hold of its answer before it is sent. Ours are small, except those of reflection.
const SEND_BUFFER: usize = 64 << 10;

/// Requests that a client may reset before they are looked at, and errors of its own making for which a stream is reset, before its
/// connection is closed (CVE-2023-44487, RUSTSEC-2024-0003).
const EARLY_RESETS: usize = 20;
const FAULTY_STREAMS: usize = 1024;

impl Connections {
    /// Connections within `limits`, for which there are `slots`, which reserve memory from `memory` and finish when `stop` is
    /// cancelled.
    #[must_use]
    pub(super) fn new(
        limits: ConnectionLimits,
        slots: Slots,
        refused: Refused,
        memory: Budget,
        stop: CancellationToken,
    ) -> Self {
        Self { limits, slots, refused, memory, stop, open: TaskTracker::new() }
    }

    /// Accepts connections until the process stops, and serves each with what `service` makes for its client.
    pub(super) async fn accept<S, B>(self, port: Port, service: impl Fn(IpAddr) -> S)
    where
        S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
        S::Future: Send,
        S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        loop {
            let accepted = tokio::select! {
                accepted = port.listener.accept() => accepted,
                () = self.stop.cancelled() => return,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                // Its client left in the queue.
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => continue,
                Err(error) => {
                    // Out of file descriptors, perhaps: they come back.
                    self.refused.connection(Crowded::NotAccepted, &error);
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            self.open(stream, peer, &port, service(peer.ip()));
        }
    }

    /// Waits until every connection is closed.
    pub(super) async fn closed(&self) {
        self.open.close();
        self.open.wait().await;
    }

    /// The number of open connections.
    #[must_use]
    pub(super) fn count(&self) -> usize {
        self.open.len()
    }

    fn open<S, B>(&self, stream: TcpStream, peer: SocketAddr, port: &Port, service: S)
    where
        S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
        S::Future: Send,
        S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let window = u64::from(self.limits.connection_window);
        let held = self.slots.take(peer.ip()).and_then(|slot| {
            let memory = self.memory.reserve(window).map_err(|_| Crowded::Memory)?;
            Ok((slot, memory))
        });
        let held = match held {
            Ok(held) => held,
            Err(reason) => return self.refused.connection(reason, &peer),
        };
        let (limits, stop) = (self.limits, self.stop.clone());
        let opening = port.opening.clone();
        self.open.spawn(async move {
            let _held = held;
            if let Err(error) = serve(stream, &opening, service, limits, stop).await {
                tracing::debug!(%peer, error, "a connection ended early");
            }
        });
    }
}

async fn serve<S, B>(
    stream: TcpStream,
    opening: &Opening,
    service: S,
    limits: ConnectionLimits,
    stop: CancellationToken,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>>
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    stream.set_nodelay(true)?;
    let (stream, begins) = tokio::select! {
        opened = opening.open(stream, limits.header_time) => opened?,
        () = stop.cancelled() => return Ok(()),
    };
    if begins == Begins::Two {
        let connection = http2::Builder::new(Streams { most: limits.stream_time })
            .timer(TokioTimer::new())
            .initial_stream_window_size(limits.stream_window)
            .initial_connection_window_size(limits.connection_window)
            .max_concurrent_streams(limits.streams)
            .max_header_list_size(limits.header_bytes)
            .max_pending_accept_reset_streams(EARLY_RESETS)
            .max_local_error_reset_streams(FAULTY_STREAMS)
            .max_send_buf_size(SEND_BUFFER)
            .keep_alive_interval(limits.answer_time)
            .keep_alive_timeout(limits.answer_time)
            .serve_connection(TokioIo::new(Impatient::new(stream, limits.answer_time)), service);
        Ok(finish(connection, http2::Connection::graceful_shutdown, &stop).await?)
    } else {
        let arrived = Arrived::default();
        let mut builder = http1::Builder::new();
        if limits.header_fields > PARSED_FIELDS {
            builder.max_headers(limits.header_fields);
        }
        let stream = Noted::new(Impatient::new(stream, limits.answer_time), arrived.clone());
        let connection = builder
            .timer(HeaderTimer { arrived, idle: limits.idle_time })
            .header_read_timeout(limits.header_time)
            .max_buf_size(READ_BUFFER)
            .serve_connection(TokioIo::new(stream), service);
        Ok(finish(connection, http1::Connection::graceful_shutdown, &stop).await?)
    }
}

/// Runs the streams of one HTTP/2 connection. A client that takes no answer (with a window of zero), or asks for one without end,
/// would otherwise hold its streams for ever.
#[derive(Clone, Copy, Debug)]
struct Streams {
    /// How long one may last.
    most: Duration,
}

impl<F: Future + Send + 'static> Executor<F> for Streams {
    fn execute(&self, stream: F) {
        let most = self.most;
        tokio::spawn(async move {
            let _ = tokio::time::timeout(most, stream).await;
        });
    }
}

/// Drives a connection to its end, and asks it to finish when `stop` is cancelled.
async fn finish<C: Future>(connection: C, ask: impl FnOnce(Pin<&mut C>), stop: &CancellationToken) -> C::Output {
    let mut connection = pin!(connection);
    tokio::select! {
        done = connection.as_mut() => return done,
        () = stop.cancelled() => ask(connection.as_mut()),
    }
    connection.await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::metrics::Metrics;
    use hyper::service::service_fn;
    use std::sync::Arc;
    use tokio::io::AsyncReadExt as _;

    /// Catalogue B1: whoever connects and says nothing takes a place that others need.
    #[tokio::test]
    async fn a_silent_connection_is_closed() {
        let limits = ConnectionLimits {
            header_time: Duration::from_millis(1),
            idle_time: Duration::from_mins(3),
            answer_time: Duration::from_mins(3),
            stream_time: Duration::from_mins(3),
            header_fields: 64,
            header_bytes: 16 << 10,
            streams: 8,
            stream_window: 1 << 16,
            connection_window: 1 << 16,
        };
        let refused = Refused::new(Arc::new(Metrics::new()));
        let memory = Budget::new(1 << 20);
        let connections = Connections::new(limits, Slots::new(1, 1), refused, memory, CancellationToken::new());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let service = |_| service_fn(async |_| Ok::<_, std::convert::Infallible>(Response::new(String::new())));
        let opening = Opening { tls: None, metrics: Arc::new(Metrics::new()) };
        let serving = tokio::spawn(connections.clone().accept(Port { listener, opening }, service));
        let mut silent = TcpStream::connect(address).await.expect("a connection");
        let mut received = Vec::new();
        let closed = tokio::time::timeout(Duration::from_mins(1), silent.read_to_end(&mut received)).await;
        assert!(closed.is_ok());
        connections.stop.cancel();
        serving.await.expect("the listener ends");
        connections.closed().await;
    }
}
