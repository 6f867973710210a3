//! A token is in one answer, once, and in no log.

use std::io::Write;
use std::sync::{Arc, Mutex};

use http::Method;
use serde_json::json;

use super::{Server, ingest};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("a log").write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// One thread, so that the subscriber of this thread sees what the server logs.
#[tokio::test(flavor = "current_thread")]
async fn a_token_is_shown_once_and_never_logged() {
    // With one dispatcher alive, what another test's thread logs first is taken to interest nobody, this thread included.
    let _second = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::default());
    let log = Log::default();
    let writer = log.clone();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone());
    let _guard = tracing::subscriber::set_default(subscriber.with_ansi(false).finish());

    let server = Server::with_two_projects().await;
    let mut shown = Vec::new();
    let created = server.ingest_key("shop", "checkout").await;
    let token = created["token"].as_str().expect("a token");
    let id = created["key"]["id"].as_str().expect("an id");
    let mut legacy = ingest("shop", "legacy");
    legacy["format"] = json!("uuid");
    shown.push(server.post("/keys", &legacy).await);
    shown.push(server.post("/members", &json!({"name": "Ada", "role": "viewer"})).await);
    for verb in ["rotate", "regenerate", "rotate"] {
        shown.push(server.post(&format!("/keys/{id}/{verb}"), &json!({})).await);
    }
    let mut secrets = vec![secret(token), secret(&server.owner.token)];
    for answer in &shown {
        let issued = answer.json();
        let token = issued["token"].as_str().expect("a token");
        assert_eq!((answer.text.matches(token).count(), answer.header("cache-control")), (1, Some("no-store")));
        secrets.push(secret(token));
    }
    secrets.sort();
    secrets.dedup();
    assert_eq!(secrets.len(), 7, "each is another one");

    let mut answers = Vec::new();
    for (method, path) in operations() {
        // Those that show a token are above.
        if method == Method::GET {
            answers.push(server.get(&path.replace("{id}", id)).await);
        }
        // Pasted by mistake into the path, and into a body that has no such field.
        let path = path.replace("{id}", token);
        let request = server.request(method.clone(), &path).header("x-api-key", &server.owner.token);
        let request = request.header("content-type", "application/json").header("if-match", "*");
        answers
            .push(server.send(request, json!({"pasted": token, "note": [token], "disabled": token}).to_string()).await);
    }
    for path in ["/keys?status=all", "/members", "/audit-events?limit=200", &format!("/keys/{id}/events")] {
        answers.push(server.get(path).await);
    }
    for verb in ["disable", "enable", "rotation/cancel", "rotation/complete", "revoke"] {
        answers.push(server.post(&format!("/keys/{id}/{verb}"), &json!({})).await);
    }
    // Pasted by mistake where no route is, or as somebody's own.
    answers.push(server.get(&format!("/{token}")).await);
    answers.push(server.send(server.request(Method::GET, "/keys").header("x-api-key", token), "").await);
    answers.push(server.send(server.request(Method::GET, "/keys").header("x-api-key", &token[..40]), "").await);
    answers
        .push(server.send(server.request(Method::GET, "/keys").header("x-api-key", format!("\"{token}\"")), "").await);
    server.take_database_away();
    answers.push(server.get("/keys").await);

    for answer in &answers {
        for secret in &secrets {
            assert!(!answer.text.contains(secret.as_str()), "{}", answer.text);
        }
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert!(!answer.text.contains("digest"), "{}", answer.text);
    }
    let log = String::from_utf8(log.0.lock().expect("a log").clone()).expect("text");
    for secret in &secrets {
        assert!(!log.contains(&secret[..20]), "{log}");
    }
    // Each problem is logged, once, under the id that its answer has; the database's message is there and nowhere else.
    for answer in answers.iter().filter(|answer| !answer.status.is_success()) {
        let request_id = answer.header("x-request-id").expect("an id");
        assert_eq!(log.matches(request_id).count(), 1, "{log}");
    }
    assert_eq!(log.matches("db.internal:5432").count(), 1, "{log}");
}

/// What is secret of a token: all of a UUID.
fn secret(token: &str) -> String {
    token[token.len().saturating_sub(38)..].to_owned()
}

/// Every operation of the API, by its description: method, and path with the key's id left open.
fn operations() -> Vec<(Method, String)> {
    let document = gridgate::admin::openapi::document();
    let paths = document["paths"].as_object().expect("paths");
    let mut all = Vec::new();
    // The live feed has no end; its rows are those of the list.
    for (path, item) in paths.iter().filter(|(path, _)| !path.ends_with("/live")) {
        let path = path.replace("{project}", "shop").replace("{slug}", "production");
        for method in item.as_object().expect("operations").keys() {
            all.push((method.to_uppercase().parse().expect("a method"), path.clone()));
        }
    }
    assert!(all.len() > 15);
    all
}
