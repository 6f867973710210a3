//! One attempt to send one message: over a connection of its own to an address that was checked.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_util::task::AbortOnDropHandle;

use super::retry_after;
use super::sign::{Signer, seconds};
use super::target::{Policy, Resolver, Target, TargetError};
use crate::domain::secret::Peppers;
use crate::domain::webhook::{Attempt, EventId, Webhook};
use crate::domain::{Clock, Timestamp};

/// Sends messages.
pub struct Sender {
    /// Where they may go.
    pub policy: Policy,
    /// Finds the addresses of names.
    pub resolver: Arc<dyn Resolver>,
    /// Whose certificates are believed.
    pub tls: Arc<ClientConfig>,
    /// How long one attempt may take, from the name to the end of the answer.
    pub timeout: Duration,
    /// Signing secrets are derived from these.
    pub peppers: Arc<Peppers>,
    /// The present instant.
    pub clock: Arc<dyn Clock>,
}

/// What came of sending a message once.
pub struct Sent {
    /// What is written down of it.
    pub attempt: Attempt,
    /// How long the receiver wants not to be called (`Retry-After`), if it said so together with a failure.
    pub asked: Option<Duration>,
}

/// Why a message did not arrive.
#[derive(Debug, thiserror::Error)]
enum SendError {
    #[error(transparent)]
    Target(#[from] TargetError),
    #[error("no connection: {0}")]
    Connect(std::io::Error),
    #[error("no TLS: {0}")]
    Tls(std::io::Error),
    #[error("no answer of HTTP: {0}")]
    Http(#[from] hyper::Error),
    #[error("the answer was {0}; redirects are not followed")]
    Redirect(StatusCode),
    #[error("the answer was {0}")]
    Status(StatusCode, Option<HeaderValue>),
    #[error("no answer in {} s", .0.as_secs_f64())]
    Timeout(Duration),
    #[error("the signing secret cannot be derived, because pepper {0} is missing; rotate the secret")]
    Pepper(u32),
    #[error("the message cannot be put into a request")]
    Request,
}

/// Of an answer no more is read. Nothing of it is kept: it may come from a place that the webhook's owner cannot read.
const MAX_ANSWER: usize = 64 << 10;

/// The largest head of an answer, in bytes.
const MAX_HEAD: usize = 32 << 10;

impl Sender {
    /// Whether messages can be sent to `url`, as far as that can be told without sending one.
    ///
    /// # Errors
    /// Where it is no URL for messages, or its host has an address that may not be called.
    pub async fn check(&self, url: &str) -> Result<(), TargetError> {
        let target = Target::parse(url, &self.policy)?;
        let resolved = tokio::time::timeout(self.timeout, target.addresses(&*self.resolver, &self.policy));
        resolved.await.unwrap_or(Err(TargetError::Unresolved)).map(|_| ())
    }

    /// Sends a message once and says what came of it. Only an answer of 2xx is a success.
    pub async fn attempt(&self, webhook: &Webhook, event: EventId, payload: &str) -> Sent {
        let at = self.clock.now();
        let started = Instant::now();
        let sent = tokio::time::timeout(self.timeout, self.send(webhook, event, payload, at)).await;
        let sent = sent.unwrap_or(Err(SendError::Timeout(self.timeout)));
        let (status, asked) = match &sent {
            Ok(status) | Err(SendError::Redirect(status)) => (Some(status.as_u16()), None),
            Err(SendError::Status(status, retry_after)) => {
                let text = retry_after.as_ref().and_then(|value| value.to_str().ok());
                (Some(status.as_u16()), text.and_then(|text| retry_after::wait(text, self.clock.now())))
            }
            Err(_) => (None, None),
        };
        let error = sent.err().map(|error| error.to_string().chars().take(Attempt::MAX_ERROR).collect());
        Sent { attempt: Attempt { at, took: started.elapsed(), status, error }, asked }
    }

    async fn send(
        &self,
        webhook: &Webhook,
        event: EventId,
        payload: &str,
        at: Timestamp,
    ) -> Result<StatusCode, SendError> {
        let target = Target::parse(&webhook.url, &self.policy)?;
        let request = self.request(webhook, &target, event, payload, at)?;
        let addresses = target.addresses(&*self.resolver, &self.policy).await?;
        let stream = connect(&addresses).await.map_err(SendError::Connect)?;
        let (status, retry_after) = if target.is_secure {
            let name = ServerName::try_from(target.host).map_err(|_| TargetError::Form)?;
            let connector = TlsConnector::from(Arc::clone(&self.tls));
            exchange(connector.connect(name, stream).await.map_err(SendError::Tls)?, request).await?
        } else {
            exchange(stream, request).await?
        };
        match status {
            _ if status.is_success() => Ok(status),
            _ if status.is_redirection() => Err(SendError::Redirect(status)),
            _ => Err(SendError::Status(status, retry_after)),
        }
    }

    fn request(
        &self,
        webhook: &Webhook,
        target: &Target,
        event: EventId,
        payload: &str,
        at: Timestamp,
    ) -> Result<Request<Full<Bytes>>, SendError> {
        let id = event.to_string();
        let signatures = webhook.signed_with(at).map(|secret| {
            let signer = Signer::new(webhook.id, secret, &self.peppers).ok_or(SendError::Pepper(secret.pepper))?;
            Ok(signer.sign(&id, at, payload))
        });
        let signatures = signatures.collect::<Result<Vec<_>, SendError>>()?.join(" ");
        let value = |text: &str| HeaderValue::from_str(text).map_err(|_| SendError::Request);
        let mut request = Request::new(Full::from(payload.to_owned()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = Uri::from(target.path.clone());
        let headers = request.headers_mut();
        headers.insert(header::HOST, value(target.authority.as_str())?);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/cloudevents+json"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static(concat!("Gridgate/", env!("CARGO_PKG_VERSION"))));
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        headers.insert("webhook-id", value(&id)?);
        headers.insert("webhook-timestamp", HeaderValue::from(seconds(at)));
        headers.insert("webhook-signature", value(&signatures)?);
        Ok(request)
    }
}

impl std::fmt::Debug for Sender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sender").field("policy", &self.policy).finish_non_exhaustive()
    }
}

/// The first connection that can be had.
async fn connect(addresses: &[SocketAddr]) -> std::io::Result<TcpStream> {
    let mut last = std::io::Error::from(std::io::ErrorKind::AddrNotAvailable);
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Sends the request over `stream` and reads the answer to its end, or as far as an answer may go. Its status is what counts, and when
/// to come again.
async fn exchange<S>(stream: S, request: Request<Full<Bytes>>) -> Result<(StatusCode, Option<HeaderValue>), SendError>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let mut builder = http1::Builder::new();
    let (mut requests, connection) = builder.max_buf_size(MAX_HEAD).handshake(TokioIo::new(stream)).await?;
    // How it ends shows in the answer.
    let _connection = AbortOnDropHandle::new(tokio::spawn(async move { drop(connection.await) }));
    let answer = requests.send_request(request).await?;
    let told = (answer.status(), answer.headers().get(header::RETRY_AFTER).cloned());
    // The receiver has decided; what it says besides is read so that it is not cut off, and thrown away.
    drop(Limited::new(answer.into_body(), MAX_ANSWER).collect().await);
    Ok(told)
}
