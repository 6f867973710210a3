//! Where messages may go: no way into the network around the gate.

use std::sync::Arc;
use std::time::Duration;

use gridgate::domain::secret::Peppers;
use gridgate::domain::webhook::{EventId, SigningSecret, Webhook};
use gridgate::domain::{KeyId, OsRandom, Pepper, SystemClock};
use gridgate::upkeep::webhooks::send::Sender;
use gridgate::upkeep::webhooks::target::Policy;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use serde_json::json;
use tokio_rustls::TlsAcceptor;

use super::receiver::Receiver;
use super::{Names, create, deliveries, path, round, sender};
use crate::admin::{START, Server};
use crate::certificates::Authority;

#[tokio::test]
async fn internal_addresses_are_refused_when_a_webhook_is_made_or_changed() {
    let server = Server::with_two_projects().await;
    server.names.set("intranet.example", &["10.1.2.3"]);
    server.names.set("half.example", &["8.8.8.8", "fd00::1"]);
    server.names.set("mapped.example", &["::ffff:169.254.169.254"]);
    server.names.set("hooks.example", &["8.8.8.8", "2606:4700::1111"]);
    let webhook = create(&server, "https://hooks.example/", &["key.created"], None).await;
    for (url, range) in [
        ("https://10.1.2.3/", "private"),
        ("https://127.0.0.2/", "loopback"),
        ("https://[::1]:8443/", "loopback"),
        ("https://169.254.169.254/latest/meta-data", "link-local"),
        ("https://100.64.0.1/", "carrier-grade NAT"),
        ("https://0.0.0.0/", "this network"),
        ("https://[fd00::1]/", "unique local"),
        ("https://[::ffff:10.0.0.1]/", "private"),
        ("https://[64:ff9b::10.0.0.1]/", "private"),
        ("https://224.0.0.1/", "multicast"),
        ("https://intranet.example/", "private"),
        ("https://half.example/", "unique local"),
        ("https://mapped.example/", "link-local"),
    ] {
        let body = json!({"url": url, "events": ["key.created"]});
        let refused = server.post("/webhooks", &body).await.problem(422, "invalid");
        let detail = refused["errors"][0]["detail"].as_str().expect("a detail");
        assert_eq!(refused["errors"][0]["pointer"], "/url", "{url}");
        assert!(detail.contains(&format!("({range})")), "{url}: {detail}");
        assert!(!detail.contains("10.1.2.3"), "an address inside is told: {detail}");
        server.patch(&path(&webhook), "*", &json!({"url": url})).await.problem(422, "invalid");
    }
    let unknown = json!({"url": "https://unknown.example/", "events": ["key.created"]});
    let refused = server.post("/webhooks", &unknown).await.problem(422, "invalid");
    assert_eq!(refused["errors"][0]["detail"], "the host's name cannot be resolved");
}

/// The name pointed elsewhere when the webhook was made (DNS rebinding).
#[tokio::test]
async fn a_name_that_moves_inside_is_refused_when_a_message_is_sent() {
    let server = Server::with_two_projects().await;
    let mut receiver = Receiver::start().await;
    server.names.set("hooks.example", &["8.8.8.8"]);
    let url = format!("http://hooks.example:{}/", receiver.address.port());
    let webhook = create(&server, &url, &["key.created"], None).await;
    // One good address does not make the other one good.
    server.names.set("hooks.example", &["127.0.0.1", "127.0.0.2"]);
    server.ingest_key("shop", "checkout").await;
    round(&mut server.courier()).await;
    let delivery = &deliveries(&server, &webhook).await[0];
    let error = delivery["error"].as_str().expect("an error");
    assert!(error.contains("not public (loopback)"), "{error}");
    assert_eq!(delivery["status"], json!(null));
    assert!(receiver.arrived().is_none(), "a message went inside");
}

#[tokio::test]
async fn the_address_that_was_checked_is_the_one_that_is_called() {
    let names = Arc::new(Names::default());
    let mut receiver = Receiver::start().await;
    names.set("hooks.example", &["127.0.0.1"]);
    let url = format!("http://hooks.example:{}/", receiver.address.port());
    let attempt = attempt(&plain(&names), &url).await;
    assert_eq!((attempt.status, attempt.error), (Some(204), None));
    assert_eq!(receiver.arrived().expect("a message").header("host"), url["http://".len()..].trim_end_matches('/'));
    assert_eq!(names.asked(), ["hooks.example"], "the name was resolved again after it was checked");
}

#[tokio::test]
async fn only_https_unless_the_installation_says_otherwise() {
    let names = Arc::new(Names::default());
    let mut receiver = Receiver::start().await;
    let strict = Sender { policy: Policy { allow_http: false, ..plain(&names).policy.clone() }, ..plain(&names) };
    assert!(strict.check(&receiver.url()).await.is_err());
    let attempt = attempt(&strict, &receiver.url()).await;
    assert_eq!(attempt.error.as_deref(), Some("only https is allowed here (webhooks.allow_http)"));
    assert!(receiver.arrived().is_none());
}

#[tokio::test]
async fn a_receiver_proves_over_tls_who_it_is() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let names = Arc::new(Names::default());
    for name in ["localhost", "elsewhere.example"] {
        names.set(name, &["127.0.0.1"]);
    }
    let mut receiver = Receiver::with_tls(acceptor(&authority)).await;
    let port = receiver.address.port();
    let trusting = |authority: &Authority| Sender { tls: Arc::new(believing(authority)), ..plain(&names) };
    let good = attempt(&trusting(&authority), &format!("https://localhost:{port}/")).await;
    assert_eq!((good.status, good.error), (Some(204), None));
    assert_eq!(receiver.arrived().expect("a message").header("host"), format!("localhost:{port}"));
    for (authority, name) in [(&authority, "elsewhere.example"), (&stranger, "localhost")] {
        let refused = attempt(&trusting(authority), &format!("https://{name}:{port}/")).await;
        assert!(refused.error.is_some_and(|error| error.starts_with("no TLS: invalid peer certificate")));
    }
    assert!(receiver.arrived().is_none());
}

#[tokio::test]
async fn who_is_silent_is_left() {
    let names = Arc::new(Names::default());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    let hasty = Sender { timeout: Duration::from_millis(20), ..plain(&names) };
    let attempt = attempt(&hasty, &url).await;
    assert_eq!((attempt.status, attempt.error.as_deref()), (None, Some("no answer in 0.02 s")));
}

fn plain(names: &Arc<Names>) -> Sender {
    let pepper = Pepper::random(1, &OsRandom).expect("a pepper");
    sender(names, &Arc::new(Peppers::new(vec![pepper]).expect("a ring")), Arc::new(SystemClock))
}

async fn attempt(sender: &Sender, url: &str) -> gridgate::domain::webhook::Attempt {
    let webhook = Webhook {
        id: "whk_7Hq2mZxK9wPa".parse().expect("an id"),
        project: None,
        url: url.to_owned(),
        note: String::new(),
        events: [gridgate::domain::webhook::EventKind::Created].into(),
        secret: SigningSecret { version: 1, pepper: 1 },
        previous: None,
        version: 1,
        created_at: START,
        created_by: KeyId::from_bare("7Hq2mZxK9wPa").expect("an id"),
        updated_at: START,
        disabled: None,
        failing_since: None,
    };
    let event = EventId::new(START, &OsRandom).expect("an id");
    sender.attempt(&webhook, event, "{}").await.attempt
}

fn believing(authority: &Authority) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem.as_bytes()).expect("PEM")).expect("a certificate");
    ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth()
}

fn acceptor(authority: &Authority) -> TlsAcceptor {
    let identity = authority.server();
    let chain = CertificateDer::pem_slice_iter(identity.certificate.as_bytes()).collect::<Result<_, _>>();
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(chain.expect("certificates"), key);
    TlsAcceptor::from(Arc::new(config.expect("an identity")))
}
