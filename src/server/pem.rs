//! Certificates and private keys in PEM files.

use std::io;
use std::path::{Path, PathBuf};

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{InconsistentKeys, RootCertStore};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::tls::provider;
use crate::config::TlsConfig;

/// What is wrong with a file. Each names it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PemError {
    /// It cannot be read.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// It is not PEM.
    #[error("{path} is not a whole PEM file: {source}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: pem::Error,
    },
    /// What is looked for is not there.
    #[error("{path}: there is no {what} in it")]
    Lacks {
        /// The file.
        path: PathBuf,
        /// What is looked for.
        what: &'static str,
    },
    /// The private key needs a passphrase.
    #[error("{path}: the private key is encrypted; take its passphrase off with openssl pkey -in <it> -out <new>")]
    Encrypted {
        /// The file.
        path: PathBuf,
    },
    /// The content of a section makes no sense.
    #[error("{path}: the {what} cannot be used: {source}")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What it holds.
        what: &'static str,
        /// What is wrong.
        source: rustls::Error,
    },
    /// Each for itself is good.
    #[error("{key}: the private key is not that of the certificate in {certificate}")]
    Mismatch {
        /// The file with the certificate.
        certificate: PathBuf,
        /// The file with the private key.
        key: PathBuf,
    },
}

const CERTIFICATE: &str = "certificate";
const KEY: &str = "private key";

/// The files of one listener as they were at one moment.
pub(super) struct Files<'a> {
    paths: &'a TlsConfig,
    certificate: Vec<u8>,
    key: Zeroizing<Vec<u8>>,
    client_ca: Vec<u8>,
}

impl<'a> Files<'a> {
    pub(super) fn read(paths: &'a TlsConfig) -> Result<Self, PemError> {
        let client_ca = if paths.client_ca.as_os_str().is_empty() { Vec::new() } else { read(&paths.client_ca)? };
        Ok(Self { paths, certificate: read(&paths.certificate)?, key: Zeroizing::new(read(&paths.key)?), client_ca })
    }

    /// Differs where any of the files does.
    pub(super) fn digest(&self) -> [u8; 32] {
        let parts = [&self.certificate, &*self.key, &self.client_ca];
        let all = parts.into_iter().fold(Sha256::new(), |all, part| all.chain_update(Sha256::digest(part)));
        all.finalize().into()
    }

    /// The certificate with its private key.
    pub(super) fn identity(&self) -> Result<CertifiedKey, PemError> {
        identity((&self.paths.certificate, &self.certificate), (&self.paths.key, &self.key))
    }

    /// The authorities of clients' certificates, where clients need one.
    pub(super) fn client_authorities(&self) -> Result<Option<RootCertStore>, PemError> {
        let path = &self.paths.client_ca;
        if path.as_os_str().is_empty() { Ok(None) } else { authorities(path, &self.client_ca).map(Some) }
    }
}

/// The authorities in a file.
///
/// # Errors
/// [`PemError`], which names the file.
pub(crate) fn read_authorities(path: &Path) -> Result<RootCertStore, PemError> {
    authorities(path, &read(path)?)
}

/// The certificate and the private key that are in one file.
///
/// # Errors
/// [`PemError`], which names the file.
pub(crate) fn read_identity(path: &Path) -> Result<CertifiedKey, PemError> {
    let text = Zeroizing::new(read(path)?);
    identity((path, &text), (path, &text))
}

fn read(path: &Path) -> Result<Vec<u8>, PemError> {
    std::fs::read(path).map_err(|source| PemError::File { path: path.to_owned(), source })
}

fn identity(certificate: (&Path, &[u8]), key: (&Path, &[u8])) -> Result<CertifiedKey, PemError> {
    let chain = certificates(certificate.0, certificate.1)?;
    let found = private_key(key.0, key.1)?;
    CertifiedKey::from_der(chain, found, &provider()).map_err(|source| match source {
        rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            PemError::Mismatch { certificate: certificate.0.to_owned(), key: key.0.to_owned() }
        }
        rustls::Error::InvalidCertificate(_) => {
            PemError::Unusable { path: certificate.0.to_owned(), what: CERTIFICATE, source }
        }
        _ => PemError::Unusable { path: key.0.to_owned(), what: KEY, source },
    })
}

fn authorities(path: &Path, text: &[u8]) -> Result<RootCertStore, PemError> {
    let mut store = RootCertStore::empty();
    for certificate in certificates(path, text)? {
        store.add(certificate).map_err(|source| PemError::Unusable {
            path: path.to_owned(),
            what: CERTIFICATE,
            source,
        })?;
    }
    Ok(store)
}

fn certificates(path: &Path, text: &[u8]) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let found = CertificateDer::pem_slice_iter(text).collect::<Result<Vec<_>, _>>();
    match found {
        Ok(found) if found.is_empty() => Err(PemError::Lacks { path: path.to_owned(), what: CERTIFICATE }),
        Ok(found) => Ok(found),
        Err(source) => Err(PemError::Syntax { path: path.to_owned(), source }),
    }
}

fn private_key(path: &Path, text: &[u8]) -> Result<PrivateKeyDer<'static>, PemError> {
    let path = path.to_owned();
    // PKCS #8 says so in the label of the section, older forms in its first line.
    if memchr::memmem::find(text, b"ENCRYPTED").is_some() {
        return Err(PemError::Encrypted { path });
    }
    match PrivateKeyDer::from_pem_slice(text) {
        Ok(key) => Ok(key),
        Err(pem::Error::NoItemsFound) => Err(PemError::Lacks { path, what: KEY }),
        Err(source) => Err(PemError::Syntax { path, source }),
    }
}
