//! Importing keys from a file.

use std::io::Write as _;

use gridgate::cli::Exit;
use serde_json::json;

use super::Shell;
use crate::admin::Server;

const HEAD: &str = "name,project,grid,environment,tags,token,sha256";
const UUID: &str = "0f8fad5b-d9cb-469f-a165-70867728950e";
/// The SHA-256 digest of another UUID.
const DIGEST: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

fn file(rows: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    write!(file, "{HEAD}\n{rows}").expect("it is written");
    file
}

#[tokio::test]
async fn a_file_of_keys_comes_in() {
    let server = Server::with_two_projects().await;
    let shell = Shell::at(&server);
    let rows = format!("Till 1,shop,web,production,pos south,{UUID},\n\"Till, 2\",shop,web,production,,,{DIGEST}\n");
    let file = file(&rows);
    let ended = shell.run(&format!("keys import --file {} --output json", file.path().display())).await;
    assert_eq!((ended.exit, ended.err.as_str()), (Exit::Done, "imported 2 keys\n"));
    assert!(!ended.out.contains(UUID) && !ended.out.contains(DIGEST), "{}", ended.out);
    let imported: serde_json::Value = serde_json::from_str(&ended.out).expect("JSON");
    assert_eq!((&imported[0]["name"], &imported[0]["tags"]), (&json!("Till 1"), &json!(["pos", "south"])));
    assert_eq!((&imported[1]["name"], &imported[1]["secrets"][0]["format"]), (&json!("Till, 2"), &json!("uuid")));
}

#[tokio::test]
async fn one_bad_row_keeps_all_out_and_every_bad_row_is_told_by_its_line() {
    let server = Server::with_two_projects().await;
    let shell = Shell::at(&server);
    let good = format!("good,shop,web,production,,{UUID},");
    let file = file(&format!("{good}\n,shop,web,production,,,{DIGEST}\nlast,shop,web,production,,no-uuid,\n"));
    let line = format!("keys import --file {}", file.path().display());
    let ended = shell.run(&line).await;
    assert_eq!((ended.exit, ended.out.as_str()), (Exit::Refused, ""), "{}", ended.err);
    for told in ["  line 3: name: ", "  line 4: token: "] {
        assert!(ended.err.contains(told), "{told}: {}", ended.err);
    }
    assert!(!ended.err.contains("line 2"), "{}", ended.err);
    assert_eq!(shell.json("keys list --kind ingest --output json").await, json!([]));
}

#[tokio::test]
async fn rows_come_from_standard_input_too() {
    let server = Server::with_two_projects().await;
    let rows = r#"[{"name": "a", "project": "shop", "grid": "web", "environment": "staging", "token": "0F8FAD5B-D9CB-469F-A165-70867728950E"}]"#;
    let shell = Shell { answer: Some(rows), ..Shell::at(&server) };
    let imported = shell.json("keys import --file - --output json").await;
    assert_eq!(imported[0]["environment"], "staging");
    let nothing = Shell { answer: Some("[]"), ..Shell::at(&server) };
    assert_eq!(nothing.run("keys import --file -").await.exit, Exit::Usage);
    assert_eq!(nothing.run("keys import --file /nowhere.csv").await.exit, Exit::Usage);
}

/// JSON is not read into values first, of which each field has one.
#[tokio::test]
async fn a_repeated_field_is_told_by_row_and_name() {
    let server = Server::with_two_projects().await;
    let good =
        format!(r#"{{"name": "a", "project": "shop", "grid": "web", "environment": "staging", "token": "{UUID}"}}"#);
    let twice = good.replace(r#""name": "a""#, r#""name": "b", "name": "c""#).replace("token", "sha256");
    let rows: &'static str = format!("[{good}, {}]", twice.replace(UUID, DIGEST)).leak();
    let shell = Shell { answer: Some(rows), ..Shell::at(&server) };
    let ended = shell.run("keys import --file - --output json").await;
    assert_eq!((ended.exit, ended.out.as_str()), (Exit::Refused, ""), "{}", ended.err);
    assert!(ended.err.contains("/keys/1/name: duplicate field `name`"), "{}", ended.err);
    assert!(!ended.err.contains("/keys/0"), "{}", ended.err);
    assert_eq!(shell.json("keys list --kind ingest --output json").await, json!([]));
}
