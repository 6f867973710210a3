//! A backend that speaks OTLP, over gRPC or HTTP: one record goes out as one export, once.
//!
//! What the answer means for the record is the table in `answer.rs`. Queues, pauses and repetition are not here: whoever sends
//! decides on them by the [`Sent`] that he gets.
//!
//! Of the client's request only the payload goes out. Its key and its headers do not: they are not in the record at all.

mod answer;
mod connect;
mod encode;
mod grpc;
mod headers;
mod http;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ::http::Uri;
use async_trait::async_trait;
use bytes::Bytes;

use super::{Backend, Sent};
use crate::domain::{Clock, Encoding, Signal};
use crate::storage::record::RecordMeta;
use answer::Unanswered;
use connect::Connections;
use headers::Headers;

pub use headers::HeaderFault;

/// Where and how a backend is reached.
#[derive(Clone)]
pub struct BackendSettings {
    /// `http://host:port` or `https://host:port`; over HTTP perhaps with a path, to which `/v1/traces` and the like are added.
    pub endpoint: String,
    /// What it speaks.
    pub protocol: Protocol,
    /// How payloads are compressed on the way to it.
    pub compression: Compression,
    /// Names and templates of the headers that it wants.
    pub headers: Vec<(String, String)>,
    /// From the first byte of a connection to the last of the answer.
    pub timeout: Duration,
    /// Whether resources get the tenant's names as attributes.
    pub stamp: bool,
    /// How it is trusted, and how it trusts the gate.
    pub tls: BackendTls,
}

/// The files of TLS, all in PEM.
#[derive(Clone, Default, Debug)]
pub struct BackendTls {
    /// The authorities that may have signed the backend's certificate. `None`: those that the machine trusts.
    pub ca: Option<PathBuf>,
    /// The gate's own certificate chain, for backends that want one.
    pub certificate: Option<PathBuf>,
    /// Its private key.
    pub key: Option<PathBuf>,
}

/// The transports of OTLP.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// OTLP/gRPC, over HTTP/2 always.
    Grpc,
    /// OTLP/HTTP with protobuf: HTTP/1.1, or over TLS what the backend prefers.
    Http,
}

/// How payloads are compressed on the way to a backend.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Compression {
    /// gzip as the client has sent it. Everything else plainly, because no OTLP server has to take more than these two.
    AsReceived,
    /// Not at all.
    None,
    /// gzip, which every OTLP server takes.
    Gzip,
    /// zstd. What the log has compressed, too, then goes out as it is.
    Zstd,
}

/// What is wrong with the settings of a backend. No message has a header's value or a file's contents.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    /// Not a URL with `http` or `https`, a host, and perhaps a port.
    #[error("the endpoint has to be http://host:port or https://host:port")]
    Endpoint,
    /// A user or a password before the host.
    #[error("the endpoint has a user or a password before its host: credentials belong into headers")]
    EndpointCredentials,
    /// Something behind the path.
    #[error("the endpoint has a query or a fragment")]
    EndpointQuery,
    /// gRPC's paths are fixed.
    #[error("the endpoint has a path, which gRPC does not know")]
    EndpointPath,
    /// The path of one signal.
    #[error("the endpoint ends in {0}: leave that out, it is added for each signal")]
    EndpointSignal(&'static str),
    /// A header cannot be sent.
    #[error("the header {name:?} {fault}")]
    Header {
        /// Its name.
        name: String,
        /// What is wrong with it.
        fault: HeaderFault,
    },
    /// Files for TLS, and no TLS.
    #[error("ca, certificate and key need an endpoint with https://")]
    TlsUnused,
    /// One half of a pair.
    #[error("certificate and key are set together or not at all")]
    TlsPair,
    /// A PEM file cannot be read.
    #[error("the file {path} cannot be read as PEM: {source}")]
    Pem {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: rustls::pki_types::pem::Error,
    },
    /// A PEM file without what it is for.
    #[error("the file {path} has no certificate in it")]
    PemEmpty {
        /// The file.
        path: PathBuf,
    },
    /// Certificate and key are of no use, or not of each other's.
    #[error("the certificates cannot be used: {0}")]
    Tls(#[from] rustls::Error),
    /// The machine trusts nobody.
    #[error("the machine's trusted certificates cannot be read, set ca: {0}")]
    Roots(std::io::Error),
}

/// An OTLP server, reached by gRPC or HTTP.
pub struct OtlpBackend {
    settings: BackendSettings,
    uris: [Uri; Signal::ALL.len()],
    headers: Headers,
    connections: Connections,
    clock: Arc<dyn Clock>,
}

impl OtlpBackend {
    /// A backend as `settings` say. It is connected to by the first record that is sent. `clock` is for the answers that name
    /// an instant.
    ///
    /// # Errors
    /// [`BackendError`] says what is wrong with the settings.
    pub fn new(settings: BackendSettings, clock: Arc<dyn Clock>) -> Result<Self, BackendError> {
        let uris = uris(&settings)?;
        let headers = Headers::new(&settings.headers)?;
        let connections = Connections::new(&settings, &uris[0])?;
        Ok(Self { settings, uris, headers, connections, clock })
    }

    /// One request and its answer.
    async fn call(&self, meta: &RecordMeta, encoding: Encoding, payload: Bytes) -> Sent {
        let uri = self.uris[meta.signal.index()].clone();
        let request = match self.settings.protocol {
            Protocol::Grpc => grpc::request(uri, encoding, payload, self.settings.timeout),
            Protocol::Http => Ok(http::request(uri, encoding, payload)),
        };
        let request = request.and_then(|mut request| {
            self.headers.write(request.headers_mut(), &meta.tenant, meta.signal).map(|()| request)
        });
        let request = match request {
            Ok(request) => request,
            Err(unsendable) => return Sent::Never { why: unsendable.to_string() },
        };
        match connect::exchange(&self.connections.current(), request).await {
            Ok(answer) => match self.settings.protocol {
                Protocol::Grpc => grpc::sent(answer, self.clock.now()),
                Protocol::Http => http::sent(answer, self.clock.now()),
            },
            Err(Unanswered(why)) => Sent::Later { after: None, why },
        }
    }
}

#[async_trait]
impl Backend for OtlpBackend {
    async fn send(&self, meta: &RecordMeta, payload: &Bytes) -> Sent {
        let BackendSettings { compression, stamp, timeout, .. } = self.settings;
        let sent = match encode::encode(compression, stamp, meta, payload).await {
            Ok((encoding, payload)) => {
                let answered = tokio::time::timeout(timeout, self.call(meta, encoding, payload)).await;
                answered.unwrap_or_else(|_| {
                    // The peer may be gone without a word, which nothing but the missing answer shows.
                    self.connections.renew();
                    let timeout = humantime::format_duration(timeout);
                    Sent::Later { after: None, why: format!("no answer within {timeout}") }
                })
            }
            Err(unsendable) => Sent::Never { why: unsendable.to_string() },
        };
        answer::cleaned(sent, |text| self.headers.conceal(text))
    }
}

/// Never shows the values of headers: they are secrets.
impl fmt::Debug for OtlpBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OtlpBackend").field(&self.settings).finish()
    }
}

/// Never shows the values of headers: they are secrets.
impl fmt::Debug for BackendSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { endpoint, protocol, compression, headers, timeout, stamp, tls } = self;
        let headers: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("BackendSettings")
            .field("endpoint", endpoint)
            .field("protocol", protocol)
            .field("compression", compression)
            .field("headers", &headers)
            .field("timeout", timeout)
            .field("stamp", stamp)
            .field("tls", tls)
            .finish()
    }
}

/// Where the exports of each signal go.
fn uris(settings: &BackendSettings) -> Result<[Uri; Signal::ALL.len()], BackendError> {
    let endpoint = settings.endpoint.as_str();
    if endpoint.contains(['?', '#']) {
        return Err(BackendError::EndpointQuery);
    }
    let uri: Uri = endpoint.parse().map_err(|_| BackendError::Endpoint)?;
    let (Some("http" | "https"), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err(BackendError::Endpoint);
    };
    if authority.as_str().contains('@') {
        return Err(BackendError::EndpointCredentials);
    }
    // The port of an authority is any text. One that is none would silently be the scheme's.
    let port = authority.as_str().strip_prefix(authority.host());
    if authority.host().is_empty() || (port != Some("") && authority.port_u16().is_none_or(|port| port == 0)) {
        return Err(BackendError::Endpoint);
    }
    let prefix = uri.path().trim_end_matches('/');
    match settings.protocol {
        Protocol::Grpc if !prefix.is_empty() => return Err(BackendError::EndpointPath),
        Protocol::Grpc => {}
        Protocol::Http => {
            if let Some(signal) = Signal::ALL.into_iter().find(|signal| prefix.ends_with(signal.http_path())) {
                return Err(BackendError::EndpointSignal(signal.http_path()));
            }
        }
    }
    let base = endpoint.trim_end_matches('/');
    let uri = |signal: Signal| match settings.protocol {
        Protocol::Grpc => format!("{base}{}", signal.grpc_path()).parse(),
        Protocol::Http => format!("{base}{}", signal.http_path()).parse(),
    };
    let [traces, metrics, logs, profiles] = Signal::ALL.map(uri);
    let invalid = |_| BackendError::Endpoint;
    Ok([traces.map_err(invalid)?, metrics.map_err(invalid)?, logs.map_err(invalid)?, profiles.map_err(invalid)?])
}
