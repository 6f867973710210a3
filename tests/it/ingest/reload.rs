//! Certificates that are replaced under a running gate. Catalogue E10: a bad one never takes the place of a good one.

use std::fs;
use std::time::Duration;

use gridgate::config::{Span, TlsConfig};
use rcgen::ExtendedKeyUsagePurpose;
use tempfile::TempDir;

use super::client::over;
use super::start::{Served, assert_told, bootstrapped, run};
use super::{Gate, eventually};
use crate::certificates::{Authority, Client, Identity, der, shown};

/// Looks at its certificate as often as it can.
struct Watching {
    gate: Gate,
    authority: Authority,
    folder: TempDir,
}

impl Watching {
    async fn start(identity: &Identity, authority: Authority) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let tls = identity.write(folder.path());
        Self::with(tls, authority, folder).await
    }

    async fn with(tls: TlsConfig, authority: Authority, folder: TempDir) -> Self {
        let gate = Gate::with(|config| {
            config.listen.tls = tls;
            config.listen.reload = Span(Duration::from_millis(1));
        })
        .await;
        Self { gate, authority, folder }
    }

    async fn is_shown(&self, identity: &Identity) -> bool {
        let stream = Client::trusting(&self.authority).connect(self.gate.http).await.expect("a handshake");
        shown(&stream) == der(identity)
    }

    /// How many changes were used or refused.
    async fn reloads(&self, result: &str) -> u64 {
        let name = format!("gridgate_tls_reloads_total{{listener=\"listen.tls\",result=\"{result}\"}}");
        self.gate.metrics().await.get(&name).copied().unwrap_or_default()
    }

    fn write(&self, name: &str, text: &str) {
        // At once, as those do who know that somebody reads it.
        let new = self.folder.path().join("new");
        fs::write(&new, text).expect("a file");
        fs::rename(new, self.folder.path().join(name)).expect("its name");
    }
}

#[tokio::test]
async fn a_new_pair_replaces_the_old_one_and_open_connections_stay() {
    let authority = Authority::new();
    let (old, new) = (authority.server(), authority.issue(ExtendedKeyUsagePurpose::ServerAuth, 2050));
    let watching = Watching::start(&old, authority).await;
    let open = Client::trusting(&watching.authority).connect(watching.gate.http).await.expect("a handshake");
    assert_eq!(shown(&open), der(&old));
    // Between both writes the pair does not match, whether or not that moment is seen.
    watching.write("key.pem", &new.key);
    watching.write("certificate.pem", &new.certificate);
    eventually("the new certificate", async || watching.is_shown(&new).await).await;
    assert_eq!(watching.reloads("used").await, 1);
    let expiry = "gridgate_tls_certificate_expiry_timestamp_seconds{listener=\"listen.tls\"}";
    assert_eq!(watching.gate.metric(expiry).await, 2_524_608_000);
    assert_eq!(over(open, false, http::Request::get("/"), "").await.status, 404);
    watching.gate.stop().await;
}

#[tokio::test]
async fn a_bad_one_is_refused_once_and_the_old_one_stays() {
    let authority = Authority::new();
    let (old, new) = (authority.server(), authority.server());
    let watching = Watching::start(&old, authority).await;
    let half = &new.certificate[..new.certificate.len() / 2];
    for (count, (file, text)) in
        [("certificate.pem", half), ("certificate.pem", &new.certificate), ("key.pem", ""), ("key.pem", "no PEM")]
            .into_iter()
            .enumerate()
    {
        watching.write(file, text);
        eventually("it is refused", async || watching.reloads("refused").await == count as u64 + 1).await;
        assert!(watching.is_shown(&old).await, "{file}: {text}");
    }
    fs::remove_file(watching.folder.path().join("key.pem")).expect("the file is removed");
    eventually("it is refused", async || watching.reloads("refused").await == 5).await;
    // The old key would do again: what counts is a pair that fits.
    watching.write("key.pem", &new.key);
    eventually("the new certificate", async || watching.is_shown(&new).await).await;
    assert_eq!((watching.reloads("used").await, watching.reloads("refused").await), (1, 5));
    watching.gate.stop().await;
}

/// One file may hold both, and is replaced at once.
#[tokio::test]
async fn an_expired_one_is_refused_by_the_gates_clock() {
    let (folder, authority) = (tempfile::tempdir().expect("a folder"), Authority::new());
    let (old, expired) = (authority.server(), authority.issue(ExtendedKeyUsagePurpose::ServerAuth, 2026));
    let both = folder.path().join("both.pem");
    let text = |identity: &Identity| format!("{}{}", identity.key, identity.certificate);
    fs::write(&both, text(&old)).expect("a file");
    let tls = TlsConfig { certificate: both.clone(), key: both, ..TlsConfig::default() };
    let watching = Watching::with(tls, authority, folder).await;
    watching.write("both.pem", &text(&expired));
    eventually("it is refused", async || watching.reloads("refused").await == 1).await;
    assert!(watching.is_shown(&old).await);
    watching.gate.stop().await;
}

#[tokio::test]
async fn authorities_of_clients_are_replaced_too() {
    let (folder, authority) = (tempfile::tempdir().expect("a folder"), Authority::new());
    let (before, after) = (Authority::new(), Authority::new());
    let mut tls = authority.server().write(folder.path());
    tls.client_ca = folder.path().join("clients.pem");
    fs::write(&tls.client_ca, &before.pem).expect("a file");
    let watching = Watching::with(tls, authority, folder).await;
    let admits = async |identity: &Identity| {
        // With TLS 1.2 a client knows at the end of the handshake.
        let client = Client::trusting(&watching.authority).speaking(&rustls::version::TLS12).with(identity);
        client.connect(watching.gate.http).await.is_ok()
    };
    assert!(admits(&before.client()).await && !admits(&after.client()).await);
    watching.write("clients.pem", &after.pem);
    eventually("the new authority", async || watching.reloads("used").await == 1).await;
    assert!(!admits(&before.client()).await && admits(&after.client()).await);
    watching.gate.stop().await;
}

#[tokio::test]
async fn quickstart_prints_https_and_sighup_reloads() {
    let (folder, authority) = (tempfile::tempdir().expect("a folder"), Authority::new());
    let (old, new) = (authority.server(), authority.server());
    let tls = old.write(folder.path());
    let (certificate, key) = (tls.certificate.display().to_string(), tls.key.display().to_string());
    let options = [
        ("GRIDGATE_LISTEN__RELOAD", "365d"),
        ("GRIDGATE_LISTEN__PREFIX", "otlp"),
        ("GRIDGATE_LISTEN__TLS__CERTIFICATE", &*certificate),
        ("GRIDGATE_LISTEN__TLS__KEY", &key),
        ("GRIDGATE_LISTEN__ADMIN_TLS__CERTIFICATE", &certificate),
        ("GRIDGATE_LISTEN__ADMIN_TLS__KEY", &key),
    ];
    let served = Served::with(&["quickstart"], &folder.path().join("data"), &options, 5);
    assert!(served.printed[0].1.starts_with("https://127.0.0.1:"), "{:?}", served.printed[0]);
    let grpc = served.printed[2].1.strip_prefix("https://").expect("https").parse().expect("an address");
    let http = served.said.lines().find_map(|line| line.strip_prefix("OTLP/HTTP   https://")).expect("HTTP");
    assert!(http.split_whitespace().next().is_some_and(|url| url.ends_with("/otlp")), "{http}");
    let client = Client::trusting(&authority).offering(&["h2"]);
    assert_eq!(shown(&client.connect(grpc).await.expect("a handshake")), der(&old));
    new.write(folder.path());
    served.signal("-HUP");
    eventually("the new certificate", async || shown(&client.connect(grpc).await.expect("a handshake")) == der(&new))
        .await;
    let said = served.stop();
    assert!(said.contains("a new certificate is in use") && said.contains("listen.admin_tls"), "{said}");
}

#[test]
fn a_bad_file_ends_the_start_by_its_name() {
    let (data, _) = bootstrapped();
    let (authority, folder) = (Authority::new(), tempfile::tempdir().expect("a folder"));
    let identity = authority.server();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).expect("a file");
        path.display().to_string()
    };
    let (good, key) = (write("certificate.pem", &identity.certificate), write("key.pem", &identity.key));
    let other = write("other.pem", &authority.server().key);
    let half = write("half.pem", &identity.certificate[..100]);
    let empty = write("empty.pem", "");
    let garbage = write("garbage.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let sealed = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let sealed = write("sealed.pem", sealed);
    for (certificate, key, client_ca, told) in [
        ("/nowhere.pem", &*key, "", "/nowhere.pem: No such file or directory".to_owned()),
        (&good, "/nowhere.pem", "", "/nowhere.pem: No such file or directory".to_owned()),
        (&empty, &key, "", format!("{empty}: there is no certificate in it")),
        (&key, &key, "", format!("{key}: there is no certificate in it")),
        (&half, &key, "", format!("{half} is no whole PEM file: it ends inside of a section")),
        (&garbage, &key, "", format!("{garbage}: the certificate cannot be used: ")),
        (&good, &good, "", format!("{good}: there is no private key in it")),
        (&good, &other, "", format!("{other}: the private key is not that of the certificate in {good}")),
        (&good, &sealed, "", format!("{sealed}: the private key is encrypted; take its passphrase off with ")),
        (&good, &key, &empty, format!("{empty}: there is no certificate in it")),
        (&good, &key, &garbage, format!("{garbage}: the certificate cannot be used: ")),
    ] {
        let options = [
            ("GRIDGATE_LISTEN__TLS__CERTIFICATE", certificate),
            ("GRIDGATE_LISTEN__TLS__KEY", key),
            ("GRIDGATE_LISTEN__TLS__CLIENT_CA", client_ca),
        ];
        assert_told(&run(&["serve"], data.path(), &options), 4, &format!("listen.tls: {told}"));
    }
    let half_set = run(&["serve"], data.path(), &[("GRIDGATE_LISTEN__TLS__KEY", &key)]);
    assert_told(&half_set, 2, "listen.tls.key (set by GRIDGATE_LISTEN__TLS__KEY): it needs listen.tls.certificate, ");
    let origins = run(&["serve"], data.path(), &[("GRIDGATE_CORS__ORIGINS", "[\"https://a.at/\"]")]);
    assert_told(&origins, 4, "cors.origins: \"https://a.at/\" is no origin: ");
    let headers = run(&["serve"], data.path(), &[("GRIDGATE_CORS__HEADERS", "[\"a b\"]")]);
    assert_told(&headers, 4, "cors.headers: \"a b\" is not a header's name");
}
