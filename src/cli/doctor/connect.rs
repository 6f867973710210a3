//! From a name to a connection: name, TCP, TLS.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hyper_rustls::ConfigBuilderExt;
use rustls::pki_types::ServerName;
use rustls::sign::SingleCertAndKey;
use rustls::{AlertDescription, CertificateError, ClientConfig, version};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::endpoint::Endpoint;
use super::report::{Stage, Stop, Trail};
use crate::cli::{Exit, Failure};
use crate::domain::Transport;
use crate::server::pem::{PemError, read_authorities, read_identity};
use crate::server::tls::provider;

/// A connection, in plain text or not.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Duplex for S {}

/// What connections are made with.
pub(super) struct Dialer {
    tls: ClientConfig,
    /// How long each step may take.
    pub(super) patience: Duration,
}

impl Dialer {
    /// Trusts the authorities in `ca`, or the system's, and appears as `identity` where that is asked for.
    pub(super) fn new(ca: Option<&Path>, identity: Option<&Path>, patience: Duration) -> Result<Self, Failure> {
        let wrong = |option: &str, error: PemError| Failure::new(Exit::Usage, format!("{option}: {error}"));
        let config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&version::TLS13, &version::TLS12])
            .map_err(|error| Failure::new(Exit::Failed, format!("TLS cannot be set up: {error}")))?;
        let config = match ca {
            Some(path) => config.with_root_certificates(read_authorities(path).map_err(|error| wrong("--ca", error))?),
            // Where the system has none, no certificate is trusted, which is then found.
            None => match config.clone().with_native_roots() {
                Ok(config) => config,
                Err(_) => config.with_root_certificates(rustls::RootCertStore::empty()),
            },
        };
        let tls = match identity {
            Some(path) => {
                let identity = read_identity(path).map_err(|error| wrong("--identity", error))?;
                config.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(identity)))
            }
            None => config.with_no_client_auth(),
        };
        Ok(Self { tls, patience })
    }

    /// A connection to `endpoint`; `trail` notes each step.
    pub(super) async fn open(
        &self,
        endpoint: &Endpoint,
        transport: Transport,
        trail: &mut Trail,
    ) -> Result<Box<dyn Duplex>, Stop> {
        let addresses = self.addresses(endpoint).await?;
        let shown: Vec<_> = addresses.iter().map(|address| address.ip().to_string()).collect();
        trail.passed(Stage::Name, format!("{} is {}", endpoint.host, shown.join(", ")));
        let stream = self.connect(&addresses).await?;
        let peer = stream.peer_addr().map_or_else(|_| endpoint.authority.to_string(), |peer| peer.to_string());
        trail.passed(Stage::Connect, peer);
        if !endpoint.is_tls {
            trail.passed(Stage::Tls, "plain text, as http:// says");
            return Ok(Box::new(stream));
        }
        let stream = self
            .shake_hands(stream, endpoint, transport)
            .await
            .map_err(|error| explain(&error, endpoint, transport))?;
        let version = stream.get_ref().1.protocol_version().and_then(|version| version.as_str()).unwrap_or("TLS");
        trail.passed(Stage::Tls, format!("{version}, and the certificate is good for {}", endpoint.host));
        Ok(Box::new(stream))
    }

    /// Whether TLS is what is spoken there.
    pub(super) async fn finds_tls(&self, endpoint: &Endpoint, transport: Transport) -> bool {
        let Ok(addresses) = self.addresses(endpoint).await else { return false };
        let Ok(stream) = self.connect(&addresses).await else { return false };
        match self.shake_hands(stream, endpoint, transport).await {
            Ok(_) => true,
            Err(error) => {
                matches!(cause(&error), Some(rustls::Error::InvalidCertificate(_) | rustls::Error::AlertReceived(_)))
            }
        }
    }

    async fn addresses(&self, endpoint: &Endpoint) -> Result<Vec<SocketAddr>, Stop> {
        let advice = "check the host in the endpoint, and the DNS of this machine";
        let stop = |why: &str| {
            let detail = format!("{} has no address: {why}", endpoint.host);
            Stop::new(Stage::Name, Exit::Unreachable, detail, advice)
        };
        let found = timeout(self.patience, lookup_host((endpoint.host.as_str(), endpoint.port))).await;
        let found = found.map_err(|_| stop("no answer in time"))?.map_err(|error| stop(&error.to_string()))?;
        let all: Vec<_> = found.collect();
        if all.is_empty() { Err(stop("the answer is empty")) } else { Ok(all) }
    }

    async fn connect(&self, addresses: &[SocketAddr]) -> Result<TcpStream, Stop> {
        let mut why = (String::new(), "");
        for address in addresses {
            why = match timeout(self.patience, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    let advice = "check the port, and that the gate runs and listens on more than loopback (listen.grpc, listen.http)";
                    (format!("nothing listens on {address}"), advice)
                }
                Ok(Err(error)) => (format!("{address}: {error}"), "check the network between here and there"),
                Err(_) => {
                    let detail = format!("{address} did not answer within {} s", self.patience.as_secs());
                    (detail, "a firewall or a security group probably drops the packets; check host and port")
                }
            };
        }
        let (detail, advice) = why;
        Err(Stop::new(Stage::Connect, Exit::Unreachable, detail, advice))
    }

    async fn shake_hands(
        &self,
        stream: TcpStream,
        endpoint: &Endpoint,
        transport: Transport,
    ) -> io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
        let name = ServerName::try_from(endpoint.host.clone()).map_err(io::Error::other)?;
        let mut config = self.tls.clone();
        config.alpn_protocols = match transport {
            Transport::Grpc => vec![b"h2".to_vec()],
            Transport::Http => vec![b"http/1.1".to_vec()],
        };
        let shaken = timeout(self.patience, TlsConnector::from(Arc::new(config)).connect(name, stream)).await;
        shaken.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut)))
    }
}

/// The error of TLS inside of one of I/O.
fn cause(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref().and_then(|inner| inner.downcast_ref())
}

const MORE_TRUST: &str = "give the authorities that signed it with --ca; exporters take OTEL_EXPORTER_OTLP_CERTIFICATE";

/// What a failed handshake means.
fn explain(error: &io::Error, endpoint: &Endpoint, transport: Transport) -> Stop {
    let host = &endpoint.host;
    let stop = |detail: String, advice: &str| Stop::new(Stage::Tls, Exit::Unreachable, detail, advice);
    let Some(cause) = cause(error) else {
        if error.kind() == io::ErrorKind::TimedOut {
            return stop("the handshake was not answered in time".to_owned(), "check that the port speaks TLS");
        }
        return stop(
            format!("the connection was closed during the handshake: {error}"),
            "check that the port speaks TLS, or use http://",
        );
    };
    match cause {
        rustls::Error::InvalidMessage(_) => {
            stop("the port does not speak TLS".to_owned(), "use http:// in the endpoint, or the port that has TLS")
        }
        rustls::Error::InvalidCertificate(what) => match what {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => stop(
                format!("the certificate of {host} has expired"),
                "have it renewed; nothing will connect until then",
            ),
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                stop(format!("the certificate of {host} is not valid yet"), "check the clock of this machine")
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => stop(
                format!("the certificate is for another name than {host}"),
                "use a name that the certificate has, or have this one added to it",
            ),
            // The latter: an authority of the same name, with another key.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => stop(
                format!("the certificate of {host} is signed by an authority that is not trusted here"),
                MORE_TRUST,
            ),
            CertificateError::Revoked => {
                stop(format!("the certificate of {host} is revoked"), "have a new one installed")
            }
            other => stop(format!("the certificate of {host} cannot be trusted: {other:?}"), MORE_TRUST),
        },
        rustls::Error::AlertReceived(AlertDescription::CertificateRequired) => stop(
            "the server wants a certificate of its clients (client_ca)".to_owned(),
            "give one with its private key with --identity; exporters take OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and _CLIENT_KEY",
        ),
        rustls::Error::AlertReceived(AlertDescription::NoApplicationProtocol) if transport == Transport::Grpc => stop(
            "the server speaks no HTTP/2 behind its TLS, which OTLP/gRPC needs".to_owned(),
            "use OTLP/HTTP, or the port of OTLP/gRPC",
        ),
        rustls::Error::AlertReceived(alert) => {
            stop(format!("the server refused the handshake: {alert:?}"), "check which versions of TLS it takes")
        }
        other => stop(format!("the handshake failed: {other}"), "check that the port speaks TLS 1.2 or 1.3"),
    }
}
