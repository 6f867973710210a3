//! The command line against an admin listener that speaks TLS.

use std::path::{Path, PathBuf};

use gridgate::cli::Exit;

use super::Gate;
use crate::certificates::Authority;
use crate::cli::{Ended, Shell};

/// `projects list` at the gate's https URL with further arguments: how it ended, and what it wrote.
async fn list(gate: &Gate, arguments: &[&str]) -> (Exit, String, String) {
    let url = format!("https://{}", gate.admin);
    let shell = Shell { url, admin_key: Some(gate.owner.clone()), answer: None };
    let Ended { exit, out, err } = shell.run(&format!("projects list {}", arguments.join(" "))).await;
    (exit, out, err)
}

fn write(folder: &Path, name: &str, text: &str) -> String {
    let path: PathBuf = folder.join(name);
    std::fs::write(&path, text).expect("a file");
    path.display().to_string()
}

#[tokio::test]
async fn the_servers_authority_is_given_by_a_file() {
    let (folder, authority) = (tempfile::tempdir().expect("a folder"), Authority::new());
    let tls = authority.server().write(folder.path());
    let gate = Gate::with(|config| config.listen.admin_tls = tls).await;
    let trusted = write(folder.path(), "authority.pem", &authority.pem);
    let (exit, out, err) = list(&gate, &["--admin-ca", &trusted]).await;
    assert_eq!((exit, &*err), (Exit::Done, ""));
    assert!(out.contains("shop") && out.contains("bank"), "{out}");

    let stranger = write(folder.path(), "stranger.pem", &Authority::new().pem);
    let (exit, out, err) = list(&gate, &["--admin-ca", &stranger]).await;
    assert_eq!((exit, &*out), (Exit::Unreachable, ""), "{err}");
    assert!(err.contains("give the authorities of the server's certificate with --admin-ca"), "{err}");

    let (exit, out, err) = list(&gate, &["--admin-ca", "/nowhere.pem"]).await;
    assert_eq!((exit, &*out), (Exit::Usage, ""), "{err}");
    assert!(err.starts_with("error: --admin-ca: /nowhere.pem: No such file"), "{err}");
    gate.stop().await;
}

#[tokio::test]
async fn a_certificate_of_ones_own_is_given_by_a_file() {
    let (folder, authority, clients) = (tempfile::tempdir().expect("a folder"), Authority::new(), Authority::new());
    let mut tls = authority.server().write(folder.path());
    tls.client_ca = write(folder.path(), "clients.pem", &clients.pem).into();
    let gate = Gate::with(|config| config.listen.admin_tls = tls).await;
    let trusted = write(folder.path(), "authority.pem", &authority.pem);
    let identity = clients.client();
    let identity = write(folder.path(), "identity.pem", &format!("{}{}", identity.certificate, identity.key));
    let (exit, _, err) = list(&gate, &["--admin-ca", &trusted, "--admin-identity", &identity]).await;
    assert_eq!((exit, &*err), (Exit::Done, ""));

    let (exit, out, err) = list(&gate, &["--admin-ca", &trusted]).await;
    assert_eq!((exit, &*out), (Exit::Unreachable, ""), "{err}");
    assert!(err.contains("give a certificate with its private key with --admin-identity"), "{err}");

    let (exit, _, err) = list(&gate, &["--admin-ca", &trusted, "--admin-identity", &trusted]).await;
    assert_eq!(exit, Exit::Usage, "{err}");
    assert!(err.contains(&format!("--admin-identity: {trusted}: there is no private key in it")), "{err}");
    gate.stop().await;
}
