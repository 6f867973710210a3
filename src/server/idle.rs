//! A connection of HTTP/1.1 between two requests may be idle for longer than the headers of a request may take.
//!
//! hyper has one time limit for both, which begins when it is ready for the next request. Exporters send every few seconds or
//! once a minute over the same connection: closed in between, it fails them whenever the next export meets the end.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Whether anything has arrived since hyper began to wait for a request.
#[derive(Clone, Debug, Default)]
pub(super) struct Arrived(Arc<AtomicBool>);

/// A stream that notes when something arrives.
#[derive(Debug)]
pub(super) struct Noted<S> {
    stream: S,
    arrived: Arrived,
}

impl<S> Noted<S> {
    pub(super) const fn new(stream: S, arrived: Arrived) -> Self {
        Self { stream, arrived }
    }
}

/// hyper's timer for the headers of a request: it runs from the first byte on. Until that comes, the connection may be idle.
#[derive(Clone, Debug)]
pub(super) struct HeaderTimer {
    pub(super) arrived: Arrived,
    /// How long the first byte may take.
    pub(super) idle: Duration,
}

impl Timer for HeaderTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.arrived.0.store(false, Ordering::Relaxed);
        let sleep = Box::pin(tokio::time::sleep(self.idle));
        Box::pin(Patience { sleep, arrived: self.arrived.clone(), headers: Some(duration) })
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        self.sleep(deadline.saturating_duration_since(self.now()))
    }
}

/// Ends when a connection was idle or its headers were under way for too long.
struct Patience {
    sleep: Pin<Box<tokio::time::Sleep>>,
    arrived: Arrived,
    /// How long the headers may take; `None` once they have begun.
    headers: Option<Duration>,
}

impl Future for Patience {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        // hyper polls this after each read that did not complete the headers.
        if self.arrived.0.load(Ordering::Relaxed)
            && let Some(headers) = self.headers.take()
        {
            self.sleep.as_mut().reset(tokio::time::Instant::now() + headers);
        }
        self.sleep.as_mut().poll(context)
    }
}

impl Sleep for Patience {}

impl<S: AsyncRead + Unpin> AsyncRead for Noted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.arrived.0.store(true, Ordering::Relaxed);
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Noted<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
