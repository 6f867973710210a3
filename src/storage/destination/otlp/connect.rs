//! Connections to a backend: a pool of them, over TLS or not.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::buf::Chain;
use bytes::{Buf, Bytes};
use http::uri::Scheme;
use http::{Request, Uri};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use super::answer::{Answer, Unanswered, Unread};
use super::{BackendError, BackendSettings, BackendTls, Protocol};

/// The body of a request: the five bytes of gRPC or nothing, then the payload, which is not copied.
pub(super) type Body = Full<Chain<Bytes, Bytes>>;

type Pool = Client<HttpsConnector<HttpConnector>, Body>;

/// More of an answer is not read, nor inflated (OTLP specification, «OTLP/gRPC Response», «OTLP/HTTP Response»).
pub(super) const MAX_ANSWER: usize = 4 << 20;

/// After so long without traffic the kernel begins to ask whether the peer is still there.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// A body of `head` and `payload`.
pub(super) fn body(head: Bytes, payload: Bytes) -> Body {
    Full::new(head.chain(payload))
}

/// All connections to one backend.
///
/// There are no pings over HTTP/2: servers of gRPC count those that come more often than every five minutes as an attack, and
/// shut the connection. [`Connections::renew`] and the kernel's keep-alive do their work.
pub(super) struct Connections {
    connector: HttpsConnector<HttpConnector>,
    protocol: Protocol,
    pool: Mutex<Pool>,
}

impl Connections {
    pub(super) fn new(settings: &BackendSettings, uri: &Uri) -> Result<Self, BackendError> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(KEEP_ALIVE));
        tcp.set_keepalive_interval(Some(KEEP_ALIVE));
        tcp.set_connect_timeout(Some(settings.timeout));
        let is_secure = uri.scheme() == Some(&Scheme::HTTPS);
        let builder = HttpsConnectorBuilder::new().with_tls_config(tls(&settings.tls, is_secure)?).https_or_http();
        let connector = match settings.protocol {
            Protocol::Grpc => builder.enable_http2().wrap_connector(tcp),
            Protocol::Http => builder.enable_all_versions().wrap_connector(tcp),
        };
        let pool = Mutex::new(pool(&connector, settings.protocol));
        Ok(Self { connector, protocol: settings.protocol, pool })
    }

    /// The connections that the next request goes by.
    pub(super) fn current(&self) -> Pool {
        self.pool().clone()
    }

    /// Leaves the present connections to the requests that are on them: the next ones get new ones.
    pub(super) fn renew(&self) {
        *self.pool() = pool(&self.connector, self.protocol);
    }

    fn pool(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn pool(connector: &HttpsConnector<HttpConnector>, protocol: Protocol) -> Pool {
    Client::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .http2_only(protocol == Protocol::Grpc)
        .build(connector.clone())
}

/// Sends `request` and reads the answer to its end, or as far as an answer may go.
pub(super) async fn exchange(pool: &Pool, request: Request<Body>) -> Result<Answer, Unanswered> {
    let response = pool.request(request).await.map_err(|failed| Unanswered(causes(&failed)))?;
    let (parts, body) = response.into_parts();
    let mut answer = Answer {
        status: parts.status,
        headers: parts.headers,
        body: Ok(Bytes::new()),
        trailers: http::HeaderMap::new(),
    };
    match Limited::new(body, MAX_ANSWER).collect().await {
        Ok(collected) => {
            answer.trailers = collected.trailers().cloned().unwrap_or_default();
            answer.body = Ok(collected.to_bytes());
        }
        Err(failed) if failed.is::<LengthLimitError>() => answer.body = Err(Unread::TooLarge),
        Err(failed) => answer.body = Err(Unread::Broken(causes(&*failed))),
    }
    Ok(answer)
}

/// An error and what caused it, each once.
fn causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

fn tls(files: &BackendTls, is_secure: bool) -> Result<ClientConfig, BackendError> {
    let BackendTls { ca, certificate, key } = files;
    if !is_secure && (ca.is_some() || certificate.is_some() || key.is_some()) {
        return Err(BackendError::TlsUnused);
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let builder = match ca {
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for authority in certificates(path)? {
                roots.add(authority)?;
            }
            builder.with_root_certificates(roots)
        }
        None if is_secure => builder.with_native_roots().map_err(BackendError::Roots)?,
        None => builder.with_root_certificates(RootCertStore::empty()),
    };
    match (certificate, key) {
        (Some(certificate), Some(path)) => {
            let key = PrivateKeyDer::from_pem_slice(&read(path)?)
                .map_err(|source| BackendError::Pem { path: path.clone(), source })?;
            Ok(builder.with_client_auth_cert(certificates(certificate)?, key)?)
        }
        (None, None) => Ok(builder.with_no_client_auth()),
        _ => Err(BackendError::TlsPair),
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, BackendError> {
    let pem = read(path)?;
    let certificates = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>();
    let certificates = certificates.map_err(|source| BackendError::Pem { path: path.to_owned(), source })?;
    if certificates.is_empty() { Err(BackendError::PemEmpty { path: path.to_owned() }) } else { Ok(certificates) }
}

fn read(path: &Path) -> Result<Vec<u8>, BackendError> {
    let error = |source| BackendError::Pem { path: path.to_owned(), source: rustls::pki_types::pem::Error::Io(source) };
    fs::read(path).map_err(error)
}
