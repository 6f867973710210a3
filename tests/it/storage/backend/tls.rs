//! Backends behind TLS: whom we trust, who we are, and which HTTP is spoken.

use std::fs;
use std::path::PathBuf;

use gridgate::storage::destination::otlp::BackendError;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use tempfile::TempDir;

use super::*;

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::new(Vec::new()).expect("parameters");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a certificate")
}

/// A certificate for `name` and its key.
fn certificate(name: &str, authority: &Authority) -> (rcgen::Certificate, KeyPair) {
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec![name.to_owned()]).expect("parameters");
    (params.signed_by(&key, authority).expect("a certificate"), key)
}

/// What a server shows, and of whose clients it wants to see a certificate.
fn acceptor(name: &str, authority: &Authority, clients: Option<&Authority>, protocols: &[&str]) -> TlsAcceptor {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder.with_safe_default_protocol_versions().expect("versions");
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(clients) => {
            let mut roots = RootCertStore::empty();
            roots.add(clients.der().clone()).expect("a root");
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().expect("a verifier"))
        }
    };
    let (certificate, key) = certificate(name, authority);
    let chain: Vec<CertificateDer<'static>> = vec![certificate.der().clone()];
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    let mut config = builder.with_single_cert(chain, key).expect("a certificate");
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    TlsAcceptor::from(Arc::new(config))
}

struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, text).expect("a file");
        path
    }
}

async fn start(protocol: Protocol, tls: TlsAcceptor) -> (Server, BackendSettings) {
    let reply = match protocol {
        Protocol::Http => reply(200, &[], ""),
        Protocol::Grpc => grpc_reply(b"", &[("grpc-status", "0")]),
    };
    let server = Server::start_at("127.0.0.1:0".parse().expect("an address"), Some(tls), [reply]).await;
    let endpoint = format!("https://localhost:{}", server.address.port());
    let settings = BackendSettings { endpoint, ..settings(protocol, server.address) };
    (server, settings)
}

#[tokio::test]
async fn the_version_of_http_is_agreed_on() {
    let (files, ours) = (Files::new(), authority("ours"));
    let ca = Some(files.write("ca.pem", &ours.pem()));
    for (protocol, offered, expected) in [
        (Protocol::Http, &["http/1.1"][..], Version::HTTP_11),
        (Protocol::Http, &["h2", "http/1.1"], Version::HTTP_2),
        (Protocol::Http, &[], Version::HTTP_11),
        (Protocol::Grpc, &["h2"], Version::HTTP_2),
        (Protocol::Grpc, &["http/1.1", "h2"], Version::HTTP_2),
        (Protocol::Grpc, &[], Version::HTTP_2),
    ] {
        let (server, mut settings) = start(protocol, acceptor("localhost", &ours, None, offered)).await;
        settings.tls.ca.clone_from(&ca);
        assert_eq!(send(&backend(settings)).await, delivered(), "{protocol:?} {offered:?}");
        assert_eq!(server.seen()[0].version, expected, "{protocol:?} {offered:?}");
    }
}

#[tokio::test]
async fn only_who_is_trusted_gets_anything() {
    let (files, ours, other) = (Files::new(), authority("ours"), authority("other"));
    let (ours_file, other_file) = (files.write("ours.pem", &ours.pem()), files.write("other.pem", &other.pem()));
    for (name, ca, is_trusted) in [
        ("localhost", Some(&ours_file), true),
        ("localhost", Some(&other_file), false),
        // The machine's own authorities do not know it.
        ("localhost", None, false),
        ("elsewhere.example", Some(&ours_file), false),
    ] {
        let (server, mut settings) = start(Protocol::Http, acceptor(name, &ours, None, &["http/1.1"])).await;
        settings.tls.ca = ca.cloned();
        let backend = match OtlpBackend::new(settings, Arc::new(ManualClock::new(NOW))) {
            Ok(backend) => backend,
            // A machine without any authorities trusts nobody either.
            Err(BackendError::Roots(_)) if ca.is_none() => continue,
            Err(other) => panic!("{other}"),
        };
        let sent = send(&backend).await;
        if is_trusted {
            assert_eq!(sent, delivered());
        } else {
            let (_, why) = later(sent);
            assert!(why.contains("certificate"), "{why}");
            assert!(server.seen().is_empty());
        }
    }
}

#[tokio::test]
async fn the_gate_has_a_certificate_too() {
    let (files, ours, clients) = (Files::new(), authority("ours"), authority("clients"));
    let (certificate, key) = certificate("gate.example", &clients);
    for protocol in [Protocol::Http, Protocol::Grpc] {
        let offered = if protocol == Protocol::Grpc { "h2" } else { "http/1.1" };
        let acceptor = acceptor("localhost", &ours, Some(&clients), &[offered]);
        let (server, mut settings) = start(protocol, acceptor).await;
        settings.tls.ca = Some(files.write("ca.pem", &ours.pem()));
        assert_eq!(later(send(&backend(settings.clone())).await).0, None);
        assert!(server.seen().is_empty());
        settings.tls.certificate = Some(files.write("gate.pem", &certificate.pem()));
        settings.tls.key = Some(files.write("gate.key", &key.serialize_pem()));
        assert_eq!(send(&backend(settings)).await, delivered());
    }
}

#[test]
fn files_that_cannot_be_used() {
    let (files, ours) = (Files::new(), authority("ours"));
    let (first, key) = certificate("a.example", &ours);
    let (_, other_key) = certificate("b.example", &ours);
    let pem = files.write("a.pem", &first.pem());
    let (key, other_key) =
        (files.write("a.key", &key.serialize_pem()), files.write("b.key", &other_key.serialize_pem()));
    let empty = files.write("empty.pem", "");
    let garbage = files.write("garbage.pem", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n");
    let absent = PathBuf::from("/nowhere/ca.pem");
    let refused = |endpoint: &str, ca: Option<&PathBuf>, certificate: Option<&PathBuf>, key: Option<&PathBuf>| {
        let tls = BackendTls { ca: ca.cloned(), certificate: certificate.cloned(), key: key.cloned() };
        let address = "127.0.0.1:1".parse().expect("an address");
        let settings = BackendSettings { endpoint: endpoint.to_owned(), tls, ..settings(Protocol::Http, address) };
        OtlpBackend::new(settings, Arc::new(ManualClock::new(NOW))).expect_err("it is refused")
    };
    let https = "https://localhost";
    for file in [&absent, &garbage] {
        let named = matches!(refused(https, Some(file), None, None), BackendError::Pem { path, .. } if path == *file);
        assert!(named, "{}", file.display());
    }
    for file in [&empty, &key] {
        let error = refused(https, Some(file), None, None);
        assert!(matches!(error, BackendError::PemEmpty { path } if path == *file), "{}", file.display());
    }
    let error = refused(https, Some(&pem), Some(&pem), Some(&empty));
    assert!(matches!(error, BackendError::Pem { path, .. } if path == empty));
    assert!(matches!(refused(https, Some(&pem), Some(&pem), None), BackendError::TlsPair));
    assert!(matches!(refused(https, Some(&pem), None, Some(&key)), BackendError::TlsPair));
    assert!(matches!(refused(https, Some(&pem), Some(&pem), Some(&other_key)), BackendError::Tls(_)));
    assert!(matches!(refused("http://localhost", Some(&pem), None, None), BackendError::TlsUnused));
    assert!(matches!(refused("http://localhost", None, Some(&pem), Some(&key)), BackendError::TlsUnused));
}
