//! Alerts, on the command line.

use gridgate::catalog::{RaisedAlert, Repeat};
use gridgate::cli::Exit;
use gridgate::domain::alert::Alert;
use gridgate::domain::webhook::EventKind;

use super::Shell;
use crate::admin::Server;
use crate::catalog::slug;

#[tokio::test]
async fn alerts_are_listed_and_inert() {
    let server = Server::with_two_projects().await;
    let shell = Shell::at(&server);
    let raised = |project, summary: &str| RaisedAlert {
        alert: Alert {
            kind: EventKind::NewSender,
            project: Some(slug(project)),
            key: None,
            cause: summary.to_owned(),
            summary: summary.to_owned(),
            data: "{}".to_owned(),
        },
        deliveries: Vec::new(),
    };
    let alerts = [raised("shop", "pay\u{202e}\u{1b}[31m\nfake line"), raised("bank", "ledger")];
    let catalog = &server.state().catalog;
    catalog.raise_alerts(&alerts, Repeat::Never, server.now()).await.expect("given");
    let ended = shell.run("alerts --project shop").await;
    assert_eq!((ended.exit, ended.err.as_str()), (Exit::Done, ""));
    let lines: Vec<_> = ended.out.lines().collect();
    assert_eq!(lines.len(), 2, "{}", ended.out);
    assert_eq!(lines[0].split_whitespace().collect::<Vec<_>>(), ["AT", "ALERT", "PROJECT", "KEY", "WHAT"]);
    assert!(lines[1].starts_with("2026-11-21T10:22:00Z  key.new_sender  shop"), "{}", lines[1]);
    assert!(lines[1].contains(r"pay\u{202e}\u{1b}[31m\nfake line"), "{}", lines[1]);
    let limited = shell.run("alerts --limit 1").await;
    assert!(limited.err.contains("these are 1; there are more"), "{}", limited.err);
    let refused = shell.run("alerts --alert key.created").await;
    assert_ne!(refused.exit, Exit::Done);
    assert!(refused.err.contains("there is no such alert"), "{}", refused.err);
}
