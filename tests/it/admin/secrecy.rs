//! A token is in one answer, once, and in no log.

use std::io::Write;
use std::sync::{Arc, Mutex};

use http::Method;
use serde_json::json;

use super::Server;

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
    let created = server.ingest_key("shop", "checkout").await;
    let token = created["token"].as_str().expect("a token");
    let id = created["key"]["id"].as_str().expect("an id");
    let secrets = [token, &server.owner.token].map(|token| token[token.len() - 38..].to_owned());

    let mut answers = Vec::new();
    for path in ["/keys", "/keys?status=all", "/projects", &format!("/keys/{id}")] {
        answers.push(server.get(path).await);
    }
    for verb in ["disable", "enable", "revoke"] {
        answers.push(server.post(&format!("/keys/{id}/{verb}"), &json!({})).await);
    }
    // Pasted by mistake where it does not belong.
    answers.push(server.get(&format!("/keys/{token}")).await);
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
