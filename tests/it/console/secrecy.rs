//! Tickets and keys: in the browser's cookie, and nowhere else.

use std::io::Write;
use std::sync::{Arc, Mutex};

use sha2::{Digest as _, Sha256};
use sqlx::Row as _;

use super::Console;

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
async fn what_opens_a_session_is_in_no_log_page_or_table() {
    // With one dispatcher alive, what another test's thread logs first is taken to interest nobody, this thread included.
    let _second = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::default());
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_ansi(false);
    let _guard = tracing::subscriber::set_default(subscriber.with_writer(move || writer.clone()).finish());

    let console = Console::start().await;
    let owner = console.owner().await;
    let form_token = owner.form_token().await;
    let key = console.server.owner.token.clone();
    let mut told = String::new();
    for path in ["/console", "/console/audit", "/console/nowhere", "/console/sign-in"] {
        let answer = owner.get(path).await;
        told.push_str(&format!("{:?}", answer.headers));
        // The pages' forms hold what proves where they come from; they are never kept.
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        told.push_str(&answer.text.replace(&form_token, ""));
    }
    // Typed, pasted or sent into a wrong place.
    let answers = [
        owner.post("/console/sign-in", &[("key", &format!("{key}x"))]).await,
        owner.post("/console/sign-in", &[("key", &owner.ticket)]).await,
        owner.post("/console/sign-in", &[("key", &key.replace("gga_", "ggi_"))]).await,
        owner.post("/console/sign-out", &[("form_token", &owner.ticket)]).await,
        owner.get("/console/audit?cursor=x").await,
        console.server.get("/sessions").await,
        console.server.get("/audit-events").await,
        owner.submit("/console/sign-out").await,
    ];
    for answer in &answers {
        told.push_str(&format!("{:?}", answer.headers));
        told.push_str(&answer.text.replace(&form_token, ""));
    }
    let log = String::from_utf8(log.0.lock().expect("a log").clone()).expect("text");
    assert!(
        log.contains("a session of the console began") && log.contains("a session of the console was ended"),
        "{log}"
    );
    for secret in [&owner.ticket, &form_token, &key[key.len() - 38..key.len() - 6]] {
        assert!(!told.contains(secret), "{secret} is told");
        assert!(!log.contains(secret), "{secret} is logged");
    }
}

#[tokio::test]
async fn the_catalog_holds_the_digest_alone() {
    let console = Console::start().await;
    let owner = console.owner().await;
    let mut connection = console.server.raw().await;
    let row = sqlx::query("SELECT digest FROM sessions").fetch_one(&mut connection).await.expect("a row");
    assert_eq!(row.get::<Vec<u8>, _>("digest"), Sha256::digest(owner.ticket.as_bytes()).to_vec());
    let file = console.server.catalog_url().trim_start_matches("sqlite:").to_owned();
    let (ticket, mut read) = (owner.ticket.as_bytes(), 0);
    for end in ["", "-wal", "-shm"] {
        let Ok(bytes) = std::fs::read(format!("{file}{end}")) else { continue };
        assert!(!bytes.windows(ticket.len()).any(|window| window == ticket), "{end}");
        read += bytes.len();
    }
    assert!(read > 10_000, "the catalog is not where it was looked for");
}
