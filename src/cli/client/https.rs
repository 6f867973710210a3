//! TLS towards the admin API.

use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::sign::SingleCertAndKey;
use rustls::{AlertDescription, ClientConfig, RootCertStore, version};

use crate::cli::{Exit, Failure};
use crate::server::pem::{PemError, read_authorities, read_identity};
use crate::server::tls::provider;

/// Whom to trust and as whom to appear where the admin API speaks TLS.
#[derive(Debug, Args)]
pub(in crate::cli) struct Trust {
    /// A PEM file with the authorities to trust for an https URL, in place of the system's.
    #[arg(long, global = true, env = "GRIDGATE_ADMIN_CA", value_name = "FILE")]
    admin_ca: Option<PathBuf>,
    /// A PEM file with a certificate and its private key, where the server wants one of its clients (`client_ca`).
    #[arg(long, global = true, env = "GRIDGATE_ADMIN_IDENTITY", value_name = "FILE")]
    admin_identity: Option<PathBuf>,
}

impl Trust {
    /// What connects to http and to https URLs.
    pub(super) fn connector(&self, https: bool) -> Result<HttpsConnector<HttpConnector>, Failure> {
        let wrong = |option: &str, error: PemError| Failure::new(Exit::Usage, format!("{option}: {error}"));
        let config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&version::TLS13, &version::TLS12])
            .map_err(|error| Failure::new(Exit::Failed, format!("TLS cannot be set up: {error}")))?;
        let config = match &self.admin_ca {
            // They are not needed, and not to be had everywhere.
            _ if !https => config.with_root_certificates(RootCertStore::empty()),
            Some(path) => {
                let authorities = read_authorities(path).map_err(|error| wrong("--admin-ca", error))?;
                config.with_root_certificates(authorities)
            }
            None => config.with_native_roots().map_err(|error| {
                Failure::new(Exit::Usage, format!("the system has no authorities to trust: {error}"))
                    .hint("give those of the server with --admin-ca")
            })?,
        };
        let config = match &self.admin_identity {
            Some(path) if https => {
                let identity = read_identity(path).map_err(|error| wrong("--admin-identity", error))?;
                config.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(identity)))
            }
            _ => config.with_no_client_auth(),
        };
        Ok(HttpsConnectorBuilder::new().with_tls_config(config).https_or_http().enable_http1().build())
    }
}

/// What to do where a handshake failed for want of an option.
pub(super) fn hint(error: &(dyn Error + 'static)) -> Option<&'static str> {
    let mut causes = std::iter::successors(Some(error), |&error| cause(error));
    match causes.find_map(|error| error.downcast_ref::<rustls::Error>())? {
        rustls::Error::InvalidCertificate(_) => {
            Some("give the authorities of the server's certificate with --admin-ca")
        }
        rustls::Error::AlertReceived(AlertDescription::CertificateRequired) => {
            Some("give a certificate with its private key with --admin-identity")
        }
        _ => None,
    }
}

/// What is inside an error of I/O is not its source, but takes its place.
fn cause<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error.downcast_ref::<io::Error>() {
        Some(error) => error.get_ref().map(|inner| inner as _),
        None => error.source(),
    }
}
