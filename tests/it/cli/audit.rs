//! `gridgate audit`: by the API, and in the database itself.

use gridgate::cli::Exit;
use serde_json::{Value, json};

use super::{Ended, Shell};
use crate::admin::{START_TEXT, Server};
use crate::catalog::execute_at;

/// A configuration file of the server's installation, beside its catalog, as `--config` takes it.
fn config(server: &Server) -> String {
    let url = server.catalog_url();
    let path = url.replace("catalog.db", "gridgate.toml").strip_prefix("sqlite:").expect("a path").to_owned();
    std::fs::write(&path, format!("[catalog]\nurl = \"{url}\"\n")).expect("the file is written");
    path
}

#[tokio::test]
async fn entries_are_listed() {
    let server = Server::with_two_projects().await;
    let shell = Shell::at(&server);
    let key = server.ingest_key("shop", "checkout").await["key"]["id"].as_str().expect("an id").to_owned();
    server.post(&format!("/keys/{key}/disable"), &json!({})).await.expect(200);
    for place in [String::new(), format!(" --config {}", config(&server))] {
        let entries = shell.json(&format!("audit list --target {key} --output json{place}")).await;
        let actions: Vec<_> = entries.as_array().expect("entries").iter().map(|entry| &entry["action"]).collect();
        assert_eq!(actions, ["key.disabled", "key.created"]);
        let filters =
            "--project shop --action grid.created --since 2026-11-21T10:22:00Z --until 2026-11-21T11:22:01+01:00";
        let table = shell.data(&format!("audit list {filters}{place}")).await;
        let lines: Vec<_> = table.lines().collect();
        assert_eq!(lines.len(), 2, "{table}");
        assert!(lines[0].starts_with("SEQ  AT"), "{table}");
        assert!(lines[1].contains("grid shop/web") && lines[1].contains("owner"), "{table}");
        let newest = shell.json(&format!("audit list --limit 1 --output json{place}")).await;
        assert_eq!((newest.as_array().map(Vec::len), &newest[0]["at"]), (Some(1), &json!(START_TEXT)));
    }
    let foreign = server.admin("auditor", Some("bank"), "audit.view".parse().expect("permissions")).await;
    let entries = Shell::of(&server, &foreign).json("audit list --output json").await;
    assert!(entries.as_array().expect("entries").iter().all(|entry| entry["project"] == "bank"), "{entries}");
}

#[tokio::test]
async fn tampering_is_told_and_ends_in_an_exit_code() {
    let server = Server::with_two_projects().await;
    let shell = Shell::at(&server);
    let noted = shell.data("audit head").await.trim_end().to_owned();
    let (seq, _) = noted.split_once(':').expect("a number and a hash");
    let directly = format!(" --config {}", config(&server));
    assert_eq!(shell.data(&format!("audit head{directly}")).await.trim_end(), noted);
    server.post("/projects", &json!({"slug": "third"})).await.expect(201);
    for place in ["", &directly] {
        let intact = shell.data(&format!("audit verify --expect {noted}{place}")).await;
        assert!(intact.starts_with("intact: ") && intact.contains(" entries, up to "), "{intact}");
        let verified = shell.json(&format!("audit verify --output json{place}")).await;
        assert_eq!((&verified["intact"], &verified["broken_at"]), (&json!(true), &Value::Null));
    }
    execute_at(
        server.catalog_url(),
        "DROP TRIGGER audit_no_update; UPDATE audit SET actor_name = 'nobody' WHERE seq = 3",
    )
    .await;
    for place in ["", &directly] {
        let Ended { exit, out, err } = shell.run(&format!("audit verify{place}")).await;
        assert_eq!((exit, out.as_str()), (Exit::Refused, ""));
        let expected = "error: the audit log is broken at entry 3: the entry's hash does not fit the entry and the one before\n  \
            the 2 entries before it are as they were written\n";
        assert_eq!(err, expected);
        let ended = shell.run(&format!("audit verify --output json{place}")).await;
        let verified: Value = serde_json::from_str(&ended.out).expect("JSON");
        assert_eq!((ended.exit, &verified["broken_at"]), (Exit::Refused, &json!(3)));
    }
    let other = format!("{}:{}", seq, "0".repeat(64));
    execute_at(server.catalog_url(), "UPDATE audit SET actor_name = 'owner' WHERE seq = 3").await;
    let ended = shell.run(&format!("audit verify --expect {other}")).await;
    assert_eq!(ended.exit, Exit::Refused);
    assert!(ended.err.contains("has another hash than the one that was noted"), "{}", ended.err);
}
