//! The beginning of a connection: what the client speaks, and the TLS below it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

use super::tls::Tls;
use crate::observe::metrics::Metrics;
use crate::observe::tls::HandshakeFailure;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// How connections to one listener begin.
#[derive(Clone, Debug)]
pub(super) struct Opening {
    /// Its TLS; `None`: plain text.
    pub(super) tls: Option<Arc<Tls>>,
    pub(super) metrics: Arc<Metrics>,
}

/// What a client begins with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Begins {
    /// A TLS handshake.
    Tls,
    /// The preface of HTTP/2.
    Two,
    /// Something else: HTTP/1.1, if it is good for anything.
    Other,
    /// Nothing: it has left.
    Nothing,
}

/// How every HTTP/2 connection begins (RFC 9113 section 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The type of the first record of TLS (RFC 8446 section 5.1). No method of HTTP begins with it.
const HANDSHAKE: u8 = 0x16;

/// How long a client that was told what is wrong may take to close.
const LINGER: Duration = Duration::from_secs(1);

impl Opening {
    /// Waits for the client to begin, for at most `time`, and for each of TLS and what is above it on their own. What comes out is
    /// readable from its first byte on.
    ///
    /// # Errors
    /// Where the connection came to nothing.
    pub(super) async fn open(&self, stream: TcpStream, time: Duration) -> Result<(Stream, Begins), Error> {
        let deadline = Instant::now() + time;
        let mut stream = Stream::new(stream);
        let begins = timeout_at(deadline, stream.begins()).await??;
        let tls = match (&self.tls, begins) {
            (Some(tls), Begins::Tls) => tls,
            // Nothing: a load balancer's look whether the port is open.
            (None, Begins::Two | Begins::Other) | (_, Begins::Nothing) => return Ok((stream, begins)),
            (None, Begins::Tls) | (Some(_), Begins::Two | Begins::Other) => {
                let plain = self.tls.is_none();
                let failure = if plain { HandshakeFailure::TlsOnPlainPort } else { HandshakeFailure::PlainText };
                let failed = self.failed(failure);
                let _ = timeout(LINGER, explain(&mut stream, begins)).await;
                return failed;
            }
        };
        let mut stream = match timeout_at(deadline, tls.accept(stream)).await {
            Ok(Ok(stream)) => Stream::new(stream),
            Ok(Err((failure, mut stream))) => {
                let failed = self.failed(failure);
                let _ = timeout(LINGER, linger(&mut stream)).await;
                return failed;
            }
            Err(_) => return self.failed(HandshakeFailure::Timeout),
        };
        // Also where ALPN said what comes: hyper waits for the preface without end.
        let begins = timeout_at(Instant::now() + time, stream.begins()).await??;
        Ok((stream, begins))
    }

    fn failed<T>(&self, failure: HandshakeFailure) -> Result<T, Error> {
        self.metrics.tls.failed(failure);
        Err(failure.into())
    }
}

const USE_HTTPS: &str = "this port speaks TLS: use https://";
const USE_HTTP: &str = "this port speaks plain HTTP: use http://";

/// The frames SETTINGS, empty, and GOAWAY with the error `INADEQUATE_SECURITY` for no stream (RFC 9113 sections 6.5, 6.8 and 7),
/// up to the text of the latter.
const GO_AWAY: &[u8] = b"\0\0\0\x04\0\0\0\0\0\0\0\x2a\x07\0\0\0\0\0\0\0\0\0\0\0\0\x0c";

/// Tells a client what is wrong: one of plain HTTP in its own version of it. Clients of TLS know an answer of HTTP/1.1 when they see
/// it, and tell their users.
async fn explain(stream: &mut Stream, begins: Begins) -> io::Result<()> {
    if begins == Begins::Two {
        stream.write_all(&[GO_AWAY, USE_HTTPS.as_bytes()].concat()).await?;
    } else {
        let text = if begins == Begins::Tls { USE_HTTP } else { USE_HTTPS };
        // In the reason phrase, too, because some clients show nothing else.
        let head = format!("HTTP/1.1 400 {text}\r\nconnection: close\r\ncontent-type: text/plain");
        let length = text.len() + 1;
        stream.write_all(format!("{head}\r\ncontent-length: {length}\r\n\r\n{text}\n").as_bytes()).await?;
    }
    linger(stream).await
}

/// Waits until the client has closed, too. A connection that is closed with something unread is reset, and what was sent last is
/// perhaps never read.
async fn linger(stream: &mut Stream) -> io::Result<()> {
    stream.shutdown().await?;
    let mut unread = [0; 1 << 10];
    while stream.read(&mut unread).await? > 0 {}
    Ok(())
}

/// A stream whose beginning was looked at. All of it is still to be read.
pub(super) struct Stream {
    inner: Box<dyn Duplex>,
    /// The beginning, as far as it was looked at, and how much of it is taken.
    seen: [u8; PREFACE.len()],
    filled: usize,
    taken: usize,
}

/// TCP, or TLS.
trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Duplex for S {}

impl Stream {
    fn new(inner: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Self {
        Self { inner: Box::new(inner), seen: [0; PREFACE.len()], filled: 0, taken: 0 }
    }

    /// Reads as little as tells what the client speaks.
    async fn begins(&mut self) -> io::Result<Begins> {
        while self.filled < PREFACE.len() {
            let count = self.inner.read(&mut self.seen[self.filled..]).await?;
            self.filled += count;
            let seen = &self.seen[..self.filled];
            match seen.first() {
                None => return Ok(Begins::Nothing),
                Some(&HANDSHAKE) => return Ok(Begins::Tls),
                Some(_) if count == 0 || *seen != PREFACE[..seen.len()] => return Ok(Begins::Other),
                Some(_) => {}
            }
        }
        Ok(Begins::Two)
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.taken == self.filled {
            return Pin::new(&mut self.inner).poll_read(context, buffer);
        }
        let count = buffer.remaining().min(self.filled - self.taken);
        buffer.put_slice(&self.seen[self.taken..self.taken + count]);
        self.taken += count;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// However the beginning arrives, it is recognised, and read again in full.
    #[tokio::test]
    async fn the_first_bytes_tell_and_stay() {
        for (sent, expected) in [
            (&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"[..], Begins::Two),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Begins::Two),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\rX", Begins::Other),
            (b"PRI * HTTP/2.0\r\n", Begins::Other),
            (b"POST /v1/traces HTTP/1.1\r\n", Begins::Other),
            (b"P", Begins::Other),
            (b"\x16\x03\x01\x02\x00\x01", Begins::Tls),
            (b"", Begins::Nothing),
        ] {
            for split in 0..=sent.len() {
                let (mut client, server) = tokio::io::duplex(64);
                let mut stream = Stream::new(server);
                let send = async {
                    client.write_all(&sent[..split]).await.expect("the first part");
                    tokio::task::yield_now().await;
                    client.write_all(&sent[split..]).await.expect("the second part");
                    drop(client);
                };
                let (begins, ()) = tokio::join!(stream.begins(), send);
                assert_eq!(begins.expect("no error"), expected, "{sent:?} {split}");
                let mut read = Vec::new();
                // One byte at a time at first: what was looked at is given out in parts, too.
                read.extend(stream.read_u8().await.ok());
                stream.read_to_end(&mut read).await.expect("the rest");
                assert_eq!(read, sent, "{split}");
            }
        }
    }
}
