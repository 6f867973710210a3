//! What cannot be undone: the questions before it, and what it leaves.

use std::time::Duration;

use gridgate::cli::Exit;

use super::Shell;
use crate::admin::Server;

/// Whoever cannot be asked sends nothing; whoever says no changes nothing; the question names the key and the consequences.
#[tokio::test]
async fn everything_that_cannot_be_undone_is_asked_about() {
    let server = Server::with_two_projects().await;
    let shell = Shell::at(&server);
    let id = server.ingest_key("shop", "checkout").await["key"]["id"].as_str().expect("an id").to_owned();
    shell.data(&format!("keys rotate {id}")).await;
    let before = shell.json(&format!("keys show {id} --output json")).await;
    let key = format!("{id} (\"checkout\", ingest key of shop/web/production)");
    for (line, consequence, question) in [
        ("revoke", "Applications using this key will stop working. This cannot be undone.", "Revoke "),
        (
            "regenerate",
            "The present secret stops working now: what still sends with it loses its telemetry.",
            "Regenerate ",
        ),
        (
            "complete-rotation",
            "The old secret stops working now: what still sends with it loses its telemetry.",
            "Complete the rotation of ",
        ),
        (
            "cancel-rotation",
            "The new secret stops working now and for ever; the old one stays.",
            "Cancel the rotation of ",
        ),
        ("purge", "All that is known about this key goes, save the audit log. This cannot be undone.", "Purge "),
    ] {
        let line = format!("keys {line} {id}");
        let script = shell.run(&line).await;
        assert_eq!((script.exit, script.out.as_str()), (Exit::Usage, ""), "{line}");
        assert!(script.err.contains("give --yes"), "{line}: {}", script.err);
        let no = Shell { answer: Some("n\n"), ..Shell::at(&server) }.run(&line).await;
        assert_eq!((no.exit, no.out.as_str()), (Exit::Refused, ""), "{line}");
        assert!(no.err.starts_with(consequence), "{line}: {}", no.err);
        assert!(no.err.contains(&format!("{question}{key}? [y/N] ")), "{line}: {}", no.err);
    }
    assert_eq!(shell.json(&format!("keys show {id} --output json")).await, before);
}

#[tokio::test]
async fn a_key_is_purged_once_it_is_revoked_for_long_enough() {
    let server = Server::with_two_projects().await;
    let shell = Shell::at(&server);
    let id = server.ingest_key("shop", "checkout").await["key"]["id"].as_str().expect("an id").to_owned();
    let purge = format!("keys purge {id} --yes");
    let early = shell.run(&purge).await;
    assert_eq!(early.exit, Exit::Conflict);
    assert!(early.err.contains("(key_not_revoked)\n  `gridgate keys revoke` comes first"), "{}", early.err);
    shell.data(&format!("keys revoke {id} --yes")).await;
    let early = shell.run(&purge).await;
    assert!(early.exit == Exit::Conflict && early.err.contains("(retention_not_over)"), "{}", early.err);
    server.clock.advance(Duration::from_hours(31 * 24));
    let purged = shell.run(&purge).await;
    assert_eq!((purged.exit, purged.err), (Exit::Done, format!("{id} is purged\n")));
    assert_eq!(shell.run(&format!("keys show {id}")).await.exit, Exit::Missing);
}
