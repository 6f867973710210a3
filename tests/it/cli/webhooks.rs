//! Webhooks and the review of keys from the command line.

use gridgate::cli::Exit;
use serde_json::json;
use tokio::net::TcpListener;

use super::Shell;
use crate::admin::Server;

#[tokio::test]
async fn a_webhook_is_created_changed_tested_and_deleted() {
    let server = Server::with_two_projects().await;
    let shell = Shell::at(&server);
    // Nobody listens there.
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    drop(listener);

    let made = shell.run(&format!("webhooks create --url {url} --event key.revoked --event key.created")).await;
    assert_eq!(made.exit, Exit::Done, "{}", made.err);
    assert!(made.out.starts_with("whsec_") && made.out.lines().count() == 1, "{}", made.out);
    let list = shell.data("webhooks list").await;
    assert!(list.contains(&url) && !list.contains(made.out.trim_end()), "{list}");
    let listed = shell.json("webhooks list --output json").await;
    let id = listed[0]["id"].as_str().expect("an id");

    let edited = shell.json(&format!("webhooks edit {id} --note pager --disable --output json")).await;
    assert_eq!((&edited["note"], &edited["status"]), (&json!("pager"), &json!("disabled")));
    let late = shell.run(&format!("webhooks edit {id} --note late --if-version 1")).await;
    assert_eq!(late.exit, Exit::Conflict, "{}", late.err);
    let again = shell.data(&format!("webhooks rotate-secret {id}")).await;
    assert!(again.starts_with("whsec_") && again != made.out);

    let tested = shell.run(&format!("webhooks test {id}")).await;
    assert_eq!(tested.exit, Exit::Refused, "{}", tested.out);
    assert!(tested.err.contains("the message was not delivered"), "{}", tested.err);
    let deliveries = shell.json(&format!("webhooks deliveries {id} --limit 1 --output json")).await;
    assert_eq!(deliveries[0]["state"], "failed");

    assert_eq!(shell.run(&format!("webhooks delete {id}")).await.exit, Exit::Usage);
    assert_eq!(shell.run(&format!("webhooks delete {id} --yes")).await.exit, Exit::Done);
    assert_eq!(shell.run(&format!("webhooks show {id}")).await.exit, Exit::Missing);
}

#[tokio::test]
async fn keys_are_reviewed() {
    let server = Server::with_two_projects().await;
    let shell = Shell::at(&server);
    let id = server.ingest_key("shop", "checkout").await["key"]["id"].as_str().expect("an id").to_owned();
    let before = shell.run("keys review --project shop").await;
    assert_eq!((before.exit, before.err.as_str()), (Exit::Done, "1 of 1 are still to be reviewed\n"));
    assert!(before.out.contains(&id), "{}", before.out);
    shell.data(&format!("keys review {id}")).await;
    let after = shell.run("keys review --project shop --quarter 2026-Q4").await;
    assert_eq!((after.exit, after.err.as_str()), (Exit::Done, "0 of 1 are still to be reviewed\n"));
    assert_eq!(shell.run("keys review --quarter 2027-Q1").await.exit, Exit::Refused);
}
