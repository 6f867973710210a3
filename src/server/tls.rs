//! TLS of listeners: the handshake, and certificates that are replaced while connections come in.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;
use std::{fmt, io};

use rustls::crypto::CryptoProvider;
use rustls::pki_types::UnixTime;
use rustls::server::{NoServerSessionStorage, VerifierBuilderError, WebPkiClientVerifier};
use rustls::sign::SingleCertAndKey;
use rustls::time_provider::TimeProvider;
use rustls::{AlertDescription, ServerConfig, version};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::signal::unix::Signal;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::expiry::not_after;
use super::pem::{Files, PemError};
use crate::config::TlsConfig;
use crate::domain::{Clock, Timestamp};
use crate::observe::jobs::Job;
use crate::observe::metrics::Metrics;
use crate::observe::tls::HandshakeFailure;

/// What handshakes are computed with. It is passed on explicitly: nothing here depends on state of the process.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Why a listener cannot speak TLS.
#[derive(Debug, thiserror::Error)]
pub(super) enum TlsError {
    /// A file is not good.
    #[error(transparent)]
    Pem(#[from] PemError),
    /// What is in the files does not make a server.
    #[error("TLS cannot be set up: {0}")]
    Setup(#[from] rustls::Error),
    /// The authorities of clients cannot be used.
    #[error("client_ca cannot be used: {0}")]
    ClientAuthorities(#[from] VerifierBuilderError),
    /// No client would accept the certificate any more.
    #[error("{path}: the certificate has expired, on {at}")]
    Expired {
        /// The file.
        path: PathBuf,
        /// When.
        at: Timestamp,
    },
}

/// TLS from the files of one option, for the listeners that share them.
#[derive(Debug)]
pub(super) struct Tls {
    /// The option that holds the files: `listen.tls`.
    option: String,
    paths: TlsConfig,
    time: Arc<Time>,
    metrics: Arc<Metrics>,
    /// What the next handshake uses.
    current: RwLock<Arc<ServerConfig>>,
    /// The digest of the files, or of the reason why they could not be read, when they were last looked at.
    seen: Mutex<Vec<u8>>,
}

/// What is offered above TLS (RFC 7301, «ALPN»), the best first. Every port speaks both: who speaks the wrong transport on one has
/// to be told.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// What looking at the files led to.
#[derive(Debug)]
pub(super) enum Looked {
    /// They are as they were.
    Unchanged,
    /// They are used from now on.
    Replaced,
    /// They are not good, and what was in use before still is.
    Refused(TlsError),
}

impl Tls {
    /// TLS by the files of `paths`, which `option` names.
    ///
    /// # Errors
    /// Where the files are not good.
    pub(super) fn open(
        option: String,
        paths: TlsConfig,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
    ) -> Result<Self, TlsError> {
        let time = Arc::new(Time(clock));
        let files = Files::read(&paths)?;
        let (current, expiry) = config(&files, &time)?;
        let seen = Mutex::new(files.digest().to_vec());
        drop(files);
        let tls = Self { option, paths, time, metrics, current: RwLock::new(current), seen };
        // Nothing better is there: whoever connects is told by their own side, and a new one can still take its place.
        if let Err(error) = tls.check_expiry(expiry) {
            tracing::warn!(option = tls.option, %error, "a certificate is of no use any more");
        }
        tls.note_expiry(expiry);
        Ok(tls)
    }

    /// Looks at the files, and uses them where they have changed and are good. Blocks while it reads them.
    pub(super) fn look(&self) -> Looked {
        let files = Files::read(&self.paths);
        let digest = match &files {
            Ok(files) => files.digest().to_vec(),
            Err(error) => error.to_string().into_bytes(),
        };
        let mut seen = self.seen();
        if *seen == digest {
            return Looked::Unchanged;
        }
        *seen = digest;
        let changed = files.map_err(TlsError::from).and_then(|files| config(&files, &self.time)).and_then(|new| {
            self.check_expiry(new.1)?;
            Ok(new)
        });
        self.metrics.tls.reloaded(&self.option, changed.is_ok());
        match changed {
            Ok((config, expiry)) => {
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = config;
                self.note_expiry(expiry);
                Looked::Replaced
            }
            Err(error) => Looked::Refused(error),
        }
    }

    /// The option that holds the files.
    pub(super) fn option(&self) -> &str {
        &self.option
    }

    /// The server's side of a handshake on `stream`.
    ///
    /// # Errors
    /// Why it came to nothing, and the stream.
    pub(super) async fn accept<S>(&self, stream: S) -> Result<TlsStream<S>, (HandshakeFailure, S)>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let acceptor = TlsAcceptor::from(Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner)));
        acceptor.accept(stream).into_fallible().await.map_err(|(error, stream)| (failure(&error), stream))
    }

    fn check_expiry(&self, expiry: Option<Timestamp>) -> Result<(), TlsError> {
        match expiry {
            Some(at) if at <= self.time.0.now() => Err(TlsError::Expired { path: self.paths.certificate.clone(), at }),
            _ => Ok(()),
        }
    }

    fn note_expiry(&self, expiry: Option<Timestamp>) {
        if let Some(at) = expiry {
            self.metrics.tls.expires(&self.option, at);
        }
    }

    fn seen(&self) -> MutexGuard<'_, Vec<u8>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks at the files of every listener, after each `pause` and at each of `hangups`, without end.
pub(super) async fn reload(all: Vec<Arc<Tls>>, pause: Duration, mut hangups: Signal, job: &Job) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = hangups.recv() => tracing::info!("SIGHUP: looking at certificates"),
        }
        let all = all.clone();
        let look = move || all.iter().filter_map(|tls| tell(&tls.option, &tls.look())).collect::<Vec<_>>();
        let run = job.begin();
        match tokio::task::spawn_blocking(look).await {
            Ok(refused) if refused.is_empty() => run.succeed(),
            Ok(refused) => run.fail(refused.join("; ")),
            // A panic of one look must not end all further ones.
            Err(error) => run.fail(error.to_string()),
        }
    }
}

/// Says what came of a look, and returns what is wrong.
fn tell(option: &str, looked: &Looked) -> Option<String> {
    match looked {
        Looked::Unchanged => None,
        Looked::Replaced => {
            tracing::info!(option, "a new certificate is in use");
            None
        }
        Looked::Refused(error) => {
            tracing::warn!(option, %error, "the new certificate is not good; the old one stays in use");
            Some(format!("{option}: {error}"))
        }
    }
}

/// How the server's side behaves, and when its certificate expires, where that can be read.
fn config(files: &Files<'_>, time: &Arc<Time>) -> Result<(Arc<ServerConfig>, Option<Timestamp>), TlsError> {
    let identity = files.identity()?;
    let expiry = identity.cert.first().and_then(|certificate| not_after(certificate));
    let config = ServerConfig::builder_with_details(provider(), Arc::clone(time) as _)
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])?;
    let authorities = files.client_authorities()?;
    let clients_are_verified = authorities.is_some();
    let config = match authorities {
        None => config.with_no_client_auth(),
        Some(authorities) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(authorities), provider());
            config.with_client_cert_verifier(verifier.build()?)
        }
    };
    let mut config = config.with_cert_resolver(Arc::new(SingleCertAndKey::from(identity)));
    if clients_are_verified {
        // A session that is resumed would let in a certificate that has expired meanwhile.
        config.session_storage = Arc::new(NoServerSessionStorage {});
    }
    config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
    Ok((Arc::new(config), expiry))
}

/// The gate's clock, by which clients' certificates expire.
struct Time(Arc<dyn Clock>);

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Time").field(&self.0.now()).finish()
    }
}

impl TimeProvider for Time {
    fn current_time(&self) -> Option<UnixTime> {
        let micros = u64::try_from(self.0.now().micros()).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_micros(micros)))
    }
}

fn failure(error: &io::Error) -> HandshakeFailure {
    use rustls::Error;
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        None => HandshakeFailure::Left,
        Some(Error::AlertReceived(AlertDescription::CloseNotify | AlertDescription::UserCanceled)) => {
            HandshakeFailure::Left
        }
        Some(Error::AlertReceived(_)) => HandshakeFailure::RefusedByClient,
        Some(Error::NoApplicationProtocol) => HandshakeFailure::NoProtocol,
        Some(Error::PeerIncompatible(_)) => HandshakeFailure::NothingInCommon,
        Some(Error::NoCertificatesPresented) => HandshakeFailure::ClientCertificateMissing,
        Some(Error::InvalidCertificate(_)) => HandshakeFailure::ClientCertificateInvalid,
        Some(_) => HandshakeFailure::Malformed,
    }
}
