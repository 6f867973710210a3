//! `Idempotency-Key`: a lost answer is given again, and nothing is done twice.

use std::sync::atomic::Ordering;
use std::time::Duration;

use gridgate::admin::router;
use gridgate::domain::Permissions;
use http::{Method, Request, request};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::{Admin, Answer, Server, ingest};

const KEY: &str = "8e03978e-40d5-43dd-bc93-6894a57f9324";

fn creating(server: &Server, admin: &Admin, key: &str) -> request::Builder {
    let request = server.request(Method::POST, "/keys").header("x-api-key", &admin.token);
    request.header("content-type", "application/json").header("idempotency-key", key)
}

/// Creates a key by the owner.
async fn create(server: &Server, key: &str, body: &Value) -> Answer {
    server.send(creating(server, &server.owner, key), body.to_string()).await
}

/// The number of keys that are called `name`.
async fn called(server: &Server, name: &str) -> usize {
    let keys = server.get("/keys?limit=200&status=all").await.expect(200);
    keys["data"].as_array().expect("rows").iter().filter(|key| key["name"] == name).count()
}

#[tokio::test]
async fn a_lost_answer_is_given_again() {
    let server = Server::with_two_projects().await;
    let body = ingest("shop", "checkout");
    let first = create(&server, KEY, &body).await;
    first.expect(201);
    assert_eq!(first.header("idempotency-replayed"), None);
    server.clock.advance(Duration::from_secs(15 * 60 - 1));
    let again = create(&server, KEY, &body).await;
    assert_eq!(again.expect(201), first.json());
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    for name in ["location", "content-type", "cache-control"] {
        assert_eq!(again.header(name), first.header(name), "{name}");
    }
    assert_ne!(again.header("x-request-id"), first.header("x-request-id"));
    assert_eq!(called(&server, "checkout").await, 1);

    server.clock.advance(Duration::from_secs(1));
    create(&server, KEY, &body).await.problem(409, "key_exists");
}

/// Spaces and the order of fields do not matter, what they say does; and so do the route and the caller.
#[tokio::test]
async fn another_request_is_refused() {
    let server = Server::with_two_projects().await;
    let first = create(&server, KEY, &ingest("shop", "checkout")).await.expect(201);
    let same = r#"{ "environment":"production", "grid":"web", "project":"shop", "name":"checkout" }"#;
    assert_eq!(server.send(creating(&server, &server.owner, KEY), same).await.expect(201), first);
    create(&server, KEY, &ingest("shop", "other")).await.problem(422, "idempotency_mismatch");
    assert_eq!(called(&server, "other").await, 0);

    let other = server.admin("other", None, Permissions::owner()).await;
    let body = ingest("shop", "checkout").to_string();
    server.send(creating(&server, &other, KEY), body).await.problem(409, "key_exists");
}

/// What a request is meant for is part of it.
#[tokio::test]
async fn another_version_makes_another_request() {
    let server = Server::with_two_projects().await;
    let id = server.ingest_key("shop", "checkout").await["key"]["id"].as_str().expect("an id").to_owned();
    let regenerate = async |if_match: Option<&str>| {
        let request = server.request(Method::POST, &format!("/keys/{id}/regenerate"));
        let request = request.header("x-api-key", &server.owner.token).header("idempotency-key", KEY);
        let request = if_match.into_iter().fold(request, |request, tag| request.header("if-match", tag));
        server.send(request, "").await
    };
    let first = regenerate(Some("\"1\"")).await.expect(200);
    for other in [None, Some("*"), Some("\"2\"")] {
        regenerate(other).await.problem(422, "idempotency_mismatch");
    }
    assert_eq!(regenerate(Some("\"1\"")).await.expect(200), first);
}

#[tokio::test]
async fn a_key_that_can_be_guessed_is_refused() {
    let server = Server::with_two_projects().await;
    let long = "x".repeat(256);
    for key in ["", "0123456789-123456789-", long.as_str(), "a key with white space in it"] {
        let problem = create(&server, key, &ingest("shop", "checkout")).await.problem(422, "invalid");
        assert_eq!(problem["errors"][0]["header"], "idempotency-key", "{key}");
    }
    let twice = creating(&server, &server.owner, KEY).header("idempotency-key", KEY);
    server.send(twice, ingest("shop", "checkout").to_string()).await.problem(422, "invalid");
    assert_eq!(called(&server, "checkout").await, 0);
    create(&server, &"x".repeat(255), &ingest("shop", "checkout")).await.expect(201);
}

#[tokio::test]
async fn a_refused_request_can_be_mended_under_its_key() {
    let server = Server::with_two_projects().await;
    create(&server, KEY, &json!({"name": "checkout"})).await.problem(422, "invalid");
    create(&server, KEY, &ingest("nowhere", "checkout")).await.problem(404, "project_not_found");
    create(&server, KEY, &ingest("shop", "checkout")).await.expect(201);
}

/// The client leaves while the database is at work. The key is made, and its token can still be had.
#[tokio::test]
async fn a_client_that_leaves_gets_its_answer_later() {
    let server = Server::with_two_projects().await;
    let body = ingest("shop", "checkout").to_string();
    server.watched.creations.forget_permits(usize::MAX);
    let request = Request::post("/api/v1/keys")
        .header("x-api-key", &server.owner.token)
        .header("content-type", "application/json")
        .header("idempotency-key", KEY)
        .body(axum::body::Body::from(body.clone()))
        .expect("a request");
    let handling = tokio::spawn(router(server.state.clone()).oneshot(request));
    server.watched.creating.acquire().await.expect("it is never closed").forget();
    let meanwhile = server.send(creating(&server, &server.owner, KEY), body.clone()).await;
    meanwhile.problem(409, "idempotency_in_flight");
    handling.abort();
    assert!(handling.await.is_err_and(|error| error.is_cancelled()));

    server.watched.creations.add_permits(1);
    let kept = async {
        while server.events.lock().expect("events").last().is_none_or(|event| event != "kept") {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), kept).await.expect("the answer is kept");
    let answer = server.send(creating(&server, &server.owner, KEY), body).await;
    let token = answer.expect(201)["token"].as_str().expect("a token").to_owned();
    assert!(token.starts_with("ggi_prd_"));
    assert_eq!(answer.header("idempotency-replayed"), Some("true"));
    assert_eq!(called(&server, "checkout").await, 1);
}

/// The process dies after the change and before its answer is kept, which is therefore lost. No second key is made.
#[tokio::test]
async fn a_change_whose_answer_is_lost_is_not_made_twice() {
    let server = Server::with_two_projects().await;
    let body = ingest("shop", "checkout");
    server.watched.forgetful.store(true, Ordering::SeqCst);
    create(&server, KEY, &body).await.expect(201);
    server.watched.forgetful.store(false, Ordering::SeqCst);
    let problem = create(&server, KEY, &body).await.problem(409, "idempotency_in_flight");
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("look whether its change was made")));
    server.clock.advance(Duration::from_secs(15 * 60 - 1));
    create(&server, KEY, &body).await.problem(409, "idempotency_in_flight");
    assert_eq!(called(&server, "checkout").await, 1);
}

/// Nobody knows whether a change was made whose database went away, so its request stays reserved.
#[tokio::test]
async fn a_change_whose_outcome_is_unknown_is_not_made_again() {
    let server = Server::with_two_projects().await;
    let body = ingest("shop", "checkout");
    server.watched.creations.forget_permits(usize::MAX);
    let (answer, ()) = tokio::join!(create(&server, KEY, &body), async {
        server.watched.creating.acquire().await.expect("it is never closed").forget();
        server.take_database_away();
        server.watched.creations.add_permits(1);
    });
    answer.problem(503, "catalog_unavailable");
    server.watched.down.store(false, Ordering::SeqCst);
    create(&server, KEY, &body).await.problem(409, "idempotency_in_flight");
}

#[tokio::test]
async fn nothing_of_it_is_in_the_clear() {
    let server = Server::with_two_projects().await;
    let answer = create(&server, KEY, &ingest("shop", "checkout")).await.expect(201);
    let token = answer["token"].as_str().expect("a token");
    let database = std::fs::read(server.fresh.settings.url.trim_start_matches("sqlite:")).expect("the database");
    let mut log =
        std::fs::read(format!("{}-wal", server.fresh.settings.url.trim_start_matches("sqlite:"))).unwrap_or_default();
    log.extend(database);
    let holds = |text: &str| log.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds("checkout"), "the test looks where the catalog writes");
    assert!(!holds(KEY) && !holds(token));
}
