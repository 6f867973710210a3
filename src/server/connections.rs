//! Connections: accepted within limits, served until they are done, and asked to finish when the process stops.

use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::Service;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::idle::{Arrived, HeaderTimer, Noted};
use super::opening::{Begins, Opening};
use crate::domain::Budget;

/// What a connection may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct ConnectionLimits {
    /// From the first byte of a request to the end of its headers.
    pub(super) header_time: Duration,
    /// How long a connection of HTTP/1.1 may be without a request.
    pub(super) idle_time: Duration,
    /// Header fields of one HTTP/2 request together, in bytes; a request with more is answered below OTLP.
    pub(super) header_bytes: u32,
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
    slots: Arc<Semaphore>,
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
    pub(super) versions: Versions,
    pub(super) opening: Opening,
}

/// Which versions of HTTP a listener speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Versions {
    /// HTTP/2 with prior knowledge, as gRPC does.
    Two,
    /// HTTP/1.1, or HTTP/2 where the client begins with its preface.
    OneOrTwo,
}

impl Versions {
    /// The names under which TLS offers them (RFC 7301, «ALPN»), the best first.
    #[must_use]
    pub(super) const fn protocols(self) -> &'static [&'static str] {
        match self {
            Self::Two => &["h2"],
            Self::OneOrTwo => &["h2", "http/1.1"],
        }
    }
}

/// An HTTP/1.1 connection reads up to this much at once; measured, 128 to 400 KiB are best.
const READ_BUFFER: usize = 256 << 10;

/// A connection of HTTP/2 without traffic is asked after this time whether it is still there.
const PING_INTERVAL: Duration = Duration::from_mins(1);
const PING_TIME: Duration = Duration::from_secs(20);

impl Connections {
    /// Connections within `limits`, at most `most` of them, which reserve memory from `memory` and finish when `stop` is
    /// cancelled.
    #[must_use]
    pub(super) fn new(limits: ConnectionLimits, most: usize, memory: Budget, stop: CancellationToken) -> Self {
        Self { limits, slots: Arc::new(Semaphore::new(most)), memory, stop, open: TaskTracker::new() }
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
                Err(error) => {
                    // Out of file descriptors, or a client that left in the queue: the loop must survive both.
                    tracing::warn!(%error, "a connection could not be accepted");
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
        let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned() else {
            tracing::warn!(%peer, "a connection was refused: there are too many (limits.connections)");
            return;
        };
        let window = u64::from(self.limits.connection_window);
        let Ok(memory) = self.memory.reserve(window) else {
            tracing::warn!(%peer, "a connection was refused: connections take too much memory (limits.memory)");
            return;
        };
        let (limits, stop) = (self.limits, self.stop.clone());
        let (versions, opening) = (port.versions, port.opening.clone());
        self.open.spawn(async move {
            let _held = (slot, memory);
            if let Err(error) = serve(stream, versions, &opening, service, limits, stop).await {
                tracing::debug!(%peer, error, "a connection ended early");
            }
        });
    }
}

async fn serve<S, B>(
    stream: TcpStream,
    versions: Versions,
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
        opened = opening.open(stream, versions, limits.header_time) => opened?,
        () = stop.cancelled() => return Ok(()),
    };
    if begins == Begins::Two || versions == Versions::Two {
        let connection = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .initial_stream_window_size(limits.stream_window)
            .initial_connection_window_size(limits.connection_window)
            .max_concurrent_streams(limits.streams)
            .max_header_list_size(limits.header_bytes)
            .keep_alive_interval(PING_INTERVAL)
            .keep_alive_timeout(PING_TIME)
            .serve_connection(TokioIo::new(stream), service);
        Ok(finish(connection, http2::Connection::graceful_shutdown, &stop).await?)
    } else {
        let arrived = Arrived::default();
        let connection = http1::Builder::new()
            .timer(HeaderTimer { arrived: arrived.clone(), idle: limits.idle_time })
            .header_read_timeout(limits.header_time)
            .max_buf_size(READ_BUFFER)
            .serve_connection(TokioIo::new(Noted::new(stream, arrived)), service);
        Ok(finish(connection, http1::Connection::graceful_shutdown, &stop).await?)
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
    use tokio::io::AsyncReadExt as _;

    /// Catalogue B1: whoever connects and says nothing takes a place that others need.
    #[tokio::test]
    async fn a_silent_connection_is_closed_whatever_version_is_expected() {
        let limits = ConnectionLimits {
            header_time: Duration::from_millis(1),
            idle_time: Duration::from_mins(3),
            header_bytes: 16 << 10,
            streams: 8,
            stream_window: 1 << 16,
            connection_window: 1 << 16,
        };
        for versions in [Versions::Two, Versions::OneOrTwo] {
            let connections = Connections::new(limits, 1, Budget::new(1 << 20), CancellationToken::new());
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let address = listener.local_addr().expect("an address");
            let service = |_| service_fn(async |_| Ok::<_, std::convert::Infallible>(Response::new(String::new())));
            let opening = Opening { tls: None, metrics: Arc::new(Metrics::new()) };
            let serving = tokio::spawn(connections.clone().accept(Port { listener, versions, opening }, service));
            let mut silent = TcpStream::connect(address).await.expect("a connection");
            let mut received = Vec::new();
            let closed = tokio::time::timeout(Duration::from_mins(1), silent.read_to_end(&mut received)).await;
            assert!(closed.is_ok(), "{versions:?}");
            connections.stop.cancel();
            serving.await.expect("the listener ends");
            connections.closed().await;
        }
    }
}
