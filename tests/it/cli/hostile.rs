//! Names that would fool who reads them: tables and sentences show them inert, JSON as they are.

use serde_json::json;

use super::Shell;
use crate::admin::{Server, ingest};

/// Reorders, hides and has no width. The API takes it, because nobody can list what must not be in a name.
const HOSTILE: &str = "pay\u{202e}tuo\u{200b}\u{2066}k\u{feff}";
const INERT: &str = r"pay\u{202e}tuo\u{200b}\u{2066}k\u{feff}";

#[tokio::test]
async fn hostile_names_are_shown_inert() {
    let server = Server::with_two_projects().await;
    let shell = Shell::at(&server);
    let made = server.post("/keys", &ingest("shop", HOSTILE)).await.expect(201);
    let id = made["key"]["id"].as_str().expect("an id");
    server.post("/projects", &json!({"slug": "mall", "name": HOSTILE})).await.expect(201);

    let disabled = shell.run(&format!("keys disable {id}")).await;
    let list = shell.data("keys list").await;
    let show = shell.data(&format!("keys show {id}")).await;
    let projects = shell.data("projects list").await;
    for text in [&disabled.out, &disabled.err, &list, &show, &projects] {
        assert!(text.contains(INERT), "{text}");
        assert!(
            text.chars().all(|c| c == '\n' || !c.is_control()) && !text.contains(['\u{202e}', '\u{200b}']),
            "{text:?}"
        );
    }
    assert_eq!(shell.json(&format!("keys show {id} --output json")).await["name"], HOSTILE);
}
