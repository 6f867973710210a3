//! A change is announced after its commit and before its answer, whatever the client or the database does meanwhile.

use std::sync::atomic::Ordering;
use std::time::Duration;

use gridgate::admin::router;
use http::{Method, Request};
use serde_json::json;
use tower::ServiceExt as _;

use super::{Admin, Server};

fn events(server: &Server) -> Vec<String> {
    server.events.lock().expect("events").clone()
}

#[tokio::test]
async fn announced_after_the_commit_and_before_the_answer() {
    let server = Server::with_two_projects().await;
    let id = server.ingest_key("shop", "checkout").await["key"]["id"].as_str().expect("an id").to_owned();
    let mut expected = vec![format!("created {id}"), format!("announced {id}")];
    assert_eq!(events(&server), expected);
    for verb in [
        "disable",
        "enable",
        "edit",
        "regenerate",
        "rotate",
        "rotation/cancel",
        "rotate",
        "rotation/complete",
        "revoke",
        "revoke",
    ] {
        match verb {
            "edit" => server.patch_key(&id, "*", &json!({"note": "a"})).await.expect(200),
            _ => server.post(&format!("/keys/{id}/{verb}"), &json!({})).await.expect(200),
        };
        expected.extend([format!("changed {id}"), format!("announced {id}")]);
        assert_eq!(events(&server), expected, "{verb}");
    }
}

/// The client leaves while the database is at work: the change is made and announced all the same.
#[tokio::test]
async fn a_client_that_leaves_does_not_stop_a_change_halfway() {
    let server = Server::with_two_projects().await;
    let id = server.ingest_key("shop", "checkout").await["key"]["id"].as_str().expect("an id").to_owned();
    server.events.lock().expect("events").clear();
    server.watched.changes.forget_permits(usize::MAX);

    let request = Request::post(format!("/api/v1/keys/{id}/revoke"))
        .header("x-api-key", &server.owner.token)
        .body(axum::body::Body::empty())
        .expect("a request");
    let handling = tokio::spawn(router(server.state.clone()).oneshot(request));
    server.watched.begun.acquire().await.expect("it is never closed").forget();
    handling.abort();
    assert!(handling.await.is_err_and(|error| error.is_cancelled()));
    assert!(events(&server).is_empty());

    server.watched.changes.add_permits(1);
    let announced = async {
        while events(&server).len() < 2 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), announced).await.expect("the change is made and announced");
    assert_eq!(events(&server), [format!("changed {id}"), format!("announced {id}")]);
    server.watched.changes.add_permits(1);
    assert_eq!(server.get(&format!("/keys/{id}")).await.expect(200)["status"], "revoked");
}

/// The role of who asks loses the permission while the request waits for the database.
#[tokio::test]
async fn a_permission_that_is_cut_meanwhile_counts() {
    let server = Server::with_two_projects().await;
    let id = server.ingest_key("shop", "checkout").await["key"]["id"].as_str().expect("an id").to_owned();
    let role = json!({"slug": "ops", "kind": "admin", "permissions": ["api.key.update", "api.key.view"]});
    server.post("/roles", &role).await.expect(201);
    let ops = server.post("/keys", &json!({"name": "ops", "kind": "admin", "role": "ops"})).await.expect(201);
    let of = |name: &str| ops[name].as_str().expect("a text").to_owned();
    let ops = Admin { id: ops["key"]["id"].as_str().expect("an id").to_owned(), token: of("token") };
    server.watched.changes.forget_permits(usize::MAX);
    server.watched.begun.forget_permits(usize::MAX);

    let path = format!("/keys/{id}/disable");
    let (answer, ()) = tokio::join!(server.call(&ops, Method::POST, &path, None), async {
        server.watched.begun.acquire().await.expect("it is never closed").forget();
        server.patch("/roles/ops", "*", &json!({"permissions": ["api.key.view"]})).await.expect(200);
        server.watched.changes.add_permits(1);
    });
    let problem = answer.problem(403, "permission_denied");
    assert_eq!(problem["detail"], format!("this needs the permission api.key.update, which {} lacks", ops.id));
    assert_eq!(server.get(&format!("/keys/{id}")).await.expect(200)["status"], "active");
}

#[tokio::test]
async fn without_the_database_everything_is_to_be_retried() {
    let server = Server::with_two_projects().await;
    server.take_database_away();
    for (method, path) in
        [(Method::GET, "/projects"), (Method::GET, "/keys"), (Method::POST, "/keys/key_000000000000/revoke")]
    {
        let answer = server.call(&server.owner, method, path, None).await;
        let problem = answer.problem(503, "catalog_unavailable");
        assert_eq!(answer.header("retry-after"), Some("5"));
        assert!(!problem.to_string().contains("5432"), "{problem}");
    }
    server.watched.down.store(false, Ordering::SeqCst);
    server.get("/projects").await.expect(200);
}

/// The database goes away between commit and answer: nobody knows whether the change was made, so it is announced.
#[tokio::test]
async fn a_change_whose_outcome_is_unknown_is_announced() {
    let server = Server::with_two_projects().await;
    let id = server.ingest_key("shop", "checkout").await["key"]["id"].as_str().expect("an id").to_owned();
    server.events.lock().expect("events").clear();
    server.watched.changes.forget_permits(usize::MAX);
    for verb in ["disable", "regenerate", "rotate", "rotation/complete", "edit"] {
        let change = async {
            match verb {
                "edit" => server.patch_key(&id, "*", &json!({"note": "a"})).await,
                _ => server.call(&server.owner, Method::POST, &format!("/keys/{id}/{verb}"), None).await,
            }
        };
        let (answer, ()) = tokio::join!(change, async {
            server.watched.begun.acquire().await.expect("it is never closed").forget();
            server.take_database_away();
            server.watched.changes.add_permits(1);
        });
        let problem = answer.problem(503, "catalog_unavailable");
        assert!(!problem.to_string().contains("ggi_"), "{problem}");
        assert_eq!(events(&server), [format!("announced {id}")], "{verb}");
        server.events.lock().expect("events").clear();
        server.watched.down.store(false, Ordering::SeqCst);
    }
}
