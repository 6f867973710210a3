//! Certificates that are replaced under a running gate. Catalogue E10: a bad one never takes the place of a good one.

use std::fs;
use std::time::Duration;

use gridgate::config::Span;

use super::client::over;
use super::{Gate, eventually};
use crate::certificates::{Authority, Client, Identity, der, shown};

/// Looks at its certificate as often as it can.
struct Watching {
    gate: Gate,
    authority: Authority,
    folder: tempfile::TempDir,
}

impl Watching {
    async fn start(identity: &Identity, authority: Authority) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let tls = identity.write(folder.path());
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
    let (old, new) = (authority.server(), authority.issue(rcgen::ExtendedKeyUsagePurpose::ServerAuth, 2050));
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
