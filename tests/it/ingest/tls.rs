//! TLS on every listener, with real clients of it.

use std::time::Duration;

use gridgate::config::{ListenerConfig, Prefix, Serves, TlsConfig};
use http::Request;
use rcgen::ExtendedKeyUsagePurpose;
use rustls::version;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::Gate;
use super::client::{Answer, Export, Form, Raw, exchange, over};
use crate::certificates::{Authority, Client, protocol};

/// A gate that speaks TLS on its three ports, with the authority of its certificate.
struct Secured {
    gate: Gate,
    authority: Authority,
    _folder: TempDir,
}

impl Secured {
    async fn start() -> Self {
        Self::with(|_, _| {}).await
    }

    /// A gate whose TLS (not the admin listener's) is changed by `adjust`, which may write files into the folder.
    async fn with(adjust: impl FnOnce(&mut TlsConfig, &std::path::Path)) -> Self {
        let (folder, authority) = (tempfile::tempdir().expect("a folder"), Authority::new());
        let admin_tls = authority.server().write(folder.path());
        let mut tls = admin_tls.clone();
        adjust(&mut tls, folder.path());
        let gate = Gate::with(|config| (config.listen.tls, config.listen.admin_tls) = (tls, admin_tls)).await;
        Self { gate, authority, _folder: folder }
    }

    fn client(&self) -> Client {
        Client::trusting(&self.authority)
    }

    /// A metric, scraped over TLS.
    async fn metric(&self, name: &str) -> u64 {
        let stream = self.client().connect(self.gate.admin).await.expect("a handshake");
        let text = over(stream, false, Request::get("/metrics"), "").await.text();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("there is no {name}")).parse().expect("a number")
    }

    /// Waits until so many handshakes have failed for `reason`.
    async fn failed(&self, reason: &str, count: u64) {
        let name = format!("gridgate_tls_handshakes_failed_total{{reason=\"{reason}\"}}");
        super::eventually(&name, async || self.metric(&name).await == count).await;
    }

    async fn send(&self, client: Client, export: &Export, two: bool) -> Answer {
        let address = if export.form == Form::Grpc { self.gate.grpc } else { self.gate.http };
        let stream = client.connect(address).await.expect("a handshake");
        over(stream, two, export.builder(), export.body.clone()).await
    }
}

#[tokio::test]
async fn both_transports_over_both_versions_of_tls() {
    let secured = Secured::start().await;
    let key = secured.gate.key("shop").await;
    for version in [&version::TLS12, &version::TLS13] {
        for (form, offered, two) in [
            (Form::Grpc, &["h2"][..], true),
            (Form::Grpc, &["h2", "http/1.1"], true),
            // Without ALPN the first bytes tell.
            (Form::Grpc, &[], true),
            (Form::Protobuf, &["h2", "http/1.1"], true),
            (Form::Protobuf, &["http/1.1"], false),
            (Form::Json, &[], false),
            (Form::Json, &[], true),
        ] {
            let client = secured.client().speaking(version).offering(offered);
            secured.send(client, &Export::traces(form, &key.token), two).await.assert_success(form);
        }
    }
    assert_eq!(secured.gate.stop().await.lake()["shop/web/production/traces"].len(), 14);
}

/// RFC 7301: what is offered, in the gate's order; without one in common there is no connection.
/// Clause T4 of docs/otlp.md.
#[tokio::test]
async fn protocols_are_agreed_on() {
    let secured = Secured::start().await;
    let (grpc, http, admin) = (secured.gate.grpc, secured.gate.http, secured.gate.admin);
    for (address, offered, expected) in [
        (grpc, &["http/1.1", "h2"][..], Some("h2")),
        // It is told there that this is the wrong port.
        (grpc, &["http/1.1"], Some("http/1.1")),
        (http, &["http/1.1", "h2"], Some("h2")),
        (http, &["http/1.1"], Some("http/1.1")),
        (admin, &["http/1.1"], Some("http/1.1")),
        (http, &[], None),
    ] {
        let stream = secured.client().offering(offered).connect(address).await.expect("a handshake");
        assert_eq!(protocol(&stream).as_deref(), expected, "{offered:?}");
    }
    for (address, offered) in [(grpc, "http/1.0"), (http, "http/1.0"), (admin, "spdy/3")] {
        assert!(secured.client().offering(&[offered]).connect(address).await.is_err(), "{offered}");
    }
    secured.failed("no_protocol", 3).await;
    secured.gate.stop().await;
}

#[tokio::test]
async fn plain_http_on_a_port_of_tls_is_told_so() {
    let secured = Secured::start().await;
    for (count, address) in [secured.gate.http, secured.gate.grpc, secured.gate.admin].into_iter().enumerate() {
        let answer = exchange(address, false, Request::post("/v1/traces"), "x".repeat(100_000)).await;
        assert_eq!((answer.status, &*answer.text()), (400, "this port speaks TLS: use https://\n"));
        let mut raw = Raw::connect(address).await;
        raw.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await;
        // SETTINGS, then GOAWAY with INADEQUATE_SECURITY (RFC 9113 sections 6.5, 6.8 and 7).
        let text = b"this port speaks TLS: use https://";
        let length = u8::try_from(8 + text.len()).expect("a short text");
        let go_away = [&[0, 0, length, 7, 0, 0, 0, 0, 0], &[0; 4][..], &[0, 0, 0, 12], text].concat();
        assert_eq!(raw.read_some(9 + go_away.len()).await, [&[0, 0, 0, 4, 0, 0, 0, 0, 0][..], &go_away].concat());
        drop(raw);
        secured.failed("plain_text", 2 * (count as u64 + 1)).await;
    }
    // A load balancer that looks whether the port is open is no failure.
    let mut looking = TcpStream::connect(secured.gate.http).await.expect("a connection");
    looking.shutdown().await.expect("the end");
    assert_eq!(looking.read(&mut [0; 1]).await.expect("the other end"), 0);
    secured.failed("plain_text", 6).await;
    secured.gate.stop().await;
}

#[tokio::test]
async fn tls_on_a_plain_port_is_told_so() {
    let gate = Gate::start().await;
    let client = Client::trusting(&Authority::new());
    assert!(client.connect(gate.grpc).await.is_err());
    // The beginning of a ClientHello. Some clients of TLS show what comes back.
    let mut raw = Raw::connect(gate.http).await;
    raw.write(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03").await;
    let (head, body) = raw.read_answer().await;
    assert!(head.starts_with("HTTP/1.1 400 this port speaks plain HTTP: use http://\r\n"), "{head}");
    assert_eq!(body, b"this port speaks plain HTTP: use http://\n");
    assert!(raw.is_closed().await);
    gate.until("gridgate_tls_handshakes_failed_total{reason=\"tls_on_plain_port\"}", |count| count == 2).await;
    gate.stop().await;
}

#[tokio::test]
async fn handshakes_that_come_to_nothing_are_counted_and_free_their_slot() {
    let secured = Secured::start().await;
    let stranger = Client::trusting(&Authority::new());
    assert!(stranger.connect(secured.gate.http).await.is_err());
    secured.failed("refused_by_client", 1).await;
    let mut raw = Raw::connect(secured.gate.http).await;
    raw.write(b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00").await;
    raw.read_to_end().await;
    secured.failed("malformed", 1).await;
    let mut raw = Raw::connect(secured.gate.http).await;
    raw.write(b"\x16\x03\x01").await;
    drop(raw);
    secured.failed("left", 1).await;
    let name = "gridgate_connections";
    super::eventually(name, async || secured.metric(name).await == 0).await;
    secured.gate.stop().await;
}

/// Catalogue B1: a handshake that is never finished is cut, as slow headers are.
#[tokio::test]
async fn a_stuck_handshake_is_cut() {
    let (folder, authority) = (tempfile::tempdir().expect("a folder"), Authority::new());
    let tls = authority.server().write(folder.path());
    let gate = Gate::with(|config| {
        config.listen.tls = tls;
        config.limits.header_time = gridgate::config::Span(Duration::from_millis(20));
    })
    .await;
    let mut raw = Raw::connect(gate.http).await;
    raw.write(b"\x16\x03\x01\x02\x00\x01").await;
    assert!(raw.is_closed().await);
    gate.until("gridgate_tls_handshakes_failed_total{reason=\"timeout\"}", |count| count == 1).await;
    gate.until("gridgate_connections", |count| count == 0).await;
    gate.stop().await;
}

/// Catalogue B1: a handshake under way counts as a connection.
#[tokio::test]
async fn handshakes_under_way_are_bounded() {
    let (folder, authority) = (tempfile::tempdir().expect("a folder"), Authority::new());
    let tls = authority.server().write(folder.path());
    let gate = Gate::with(|config| {
        config.listen.tls = tls;
        config.limits.connections = 1;
    })
    .await;
    let mut held = Raw::connect(gate.http).await;
    held.write(b"\x16\x03\x01\x02\x00\x01").await;
    gate.until("gridgate_connections", |count| count == 1).await;
    let client = Client::trusting(&authority);
    assert!(client.connect(gate.http).await.is_err());
    drop(held);
    gate.until("gridgate_connections", |count| count == 0).await;
    assert!(client.connect(gate.http).await.is_ok());
    gate.stop().await;
}

#[tokio::test]
async fn clients_need_a_certificate_where_client_ca_is_set() {
    let clients = Authority::new();
    let secured = Secured::with(|tls, folder| {
        tls.client_ca = folder.join("clients.pem");
        std::fs::write(&tls.client_ca, &clients.pem).expect("a file");
    })
    .await;
    let key = secured.gate.key("shop").await;
    for form in Form::ALL {
        let client = || secured.client().with(&clients.client());
        let export = Export::traces(form, &key.token);
        secured.send(client(), &export, form == Form::Grpc).await.assert_success(form);
        // It is no key.
        let answer = secured.send(client(), &export.without("api-key"), form == Form::Grpc).await;
        super::told::told("credentials_missing").check(&answer, form);
    }
    // 2026 has begun: the gate's clock, not the machine's, tells.
    let expired = clients.issue(ExtendedKeyUsagePurpose::ClientAuth, 2026);
    let (other, server) = (Authority::new().client(), clients.server());
    let mut counts = (0, 0);
    for identity in [None, Some(other), Some(expired), Some(server)] {
        let reason = if identity.is_none() { "client_certificate_missing" } else { "client_certificate_invalid" };
        let count = if identity.is_none() { &mut counts.0 } else { &mut counts.1 };
        *count += 1;
        let client = identity.iter().fold(secured.client(), Client::with);
        // With TLS 1.3 a client is done before the gate has seen its certificate.
        if let Ok(mut stream) = client.connect(secured.gate.http).await {
            assert!(stream.read(&mut [0; 1]).await.is_err());
        }
        secured.failed(reason, *count).await;
    }
    secured.gate.stop().await;
}

/// A session that is resumed is not verified again.
#[tokio::test]
async fn a_certificate_that_expires_is_no_use_to_who_comes_back() {
    let clients = Authority::new();
    let secured = Secured::with(|tls, folder| {
        tls.client_ca = folder.join("clients.pem");
        std::fs::write(&tls.client_ca, &clients.pem).expect("a file");
    })
    .await;
    let identity = clients.issue(ExtendedKeyUsagePurpose::ClientAuth, 2027);
    for version in [&version::TLS12, &version::TLS13] {
        let client = secured.client().speaking(version).with(&identity);
        let meet = async || {
            let stream = client.connect(secured.gate.http).await.expect("a handshake");
            over(stream, false, Request::get("/"), "").await.status
        };
        assert_eq!((meet().await, meet().await), (404, 404));
        let two_months = Duration::from_hours(60 * 24);
        secured.gate.clock.advance(two_months);
        if let Ok(mut stream) = client.connect(secured.gate.http).await {
            stream.write_all(b"GET / HTTP/1.1\r\nhost: gate\r\n\r\n").await.expect("it is written");
            assert!(stream.read(&mut [0; 1]).await.is_err());
        }
        secured.gate.clock.set_back(two_months);
    }
    secured.failed("client_certificate_invalid", 2).await;
    secured.gate.stop().await;
}

#[tokio::test]
async fn each_listener_has_its_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let authority = Authority::new();
    let tls = authority.server().write(folder.path());
    let gate = Gate::with(|config| {
        let environment = config.listen.environment.clone();
        let address = ([127, 0, 0, 1], 0).into();
        let prefix = Prefix::default();
        config.listen.more = vec![ListenerConfig { address, transport: Serves::Any, environment, prefix, tls }];
    })
    .await;
    let key = gate.key("shop").await;
    for form in Form::ALL {
        let export = Export::traces(form, &key.token);
        export.send(&gate).await.assert_success(form);
        let stream = Client::trusting(&authority).offering(&["h2"]).connect(gate.more[0]).await.expect("a handshake");
        over(stream, true, export.builder(), export.body.clone()).await.assert_success(form);
    }
    let expiry = "gridgate_tls_certificate_expiry_timestamp_seconds{listener=\"listen.more[0].tls\"}";
    assert_eq!(gate.metric(expiry).await, 2_240_611_200);
    gate.stop().await;
}
