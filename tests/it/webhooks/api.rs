//! The verbs of webhooks in the admin API.

use gridgate::domain::Permissions;
use http::Method;
use serde_json::json;

use super::receiver::{Receiver, Reply};
use super::{create, deliveries, path};
use crate::admin::{START_TEXT, Server};

#[tokio::test]
async fn a_webhook_is_created_shown_changed_and_deleted() {
    let server = Server::with_two_projects().await;
    server.names.set("hooks.example", &["8.8.8.8"]);
    let body = json!({
        "url": "https://hooks.example/a", "events": ["key.revoked", "key.created"], "project": "shop", "note": "pager",
    });
    let answer = server.post("/webhooks", &body).await;
    let created = answer.expect(201);
    let id = created["webhook"]["id"].as_str().expect("an id");
    assert_eq!(answer.header("location"), Some(&*format!("/api/v1/webhooks/{id}")));
    assert_eq!(answer.header("etag"), Some("\"1\""));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let secret = created["secret"].as_str().expect("a secret");
    assert!(secret.starts_with("whsec_") && secret.len() == 50, "{secret}");
    let view = json!({
        "id": id,
        "project": "shop",
        "url": "https://hooks.example/a",
        "note": "pager",
        "events": ["key.created", "key.revoked"],
        "status": "active",
        "disabled_at": null,
        "disabled_because": null,
        "failing_since": null,
        "secret_version": 1,
        "previous_secret_until": null,
        "version": 1,
        "created_at": START_TEXT,
        "created_by": server.owner.id,
        "updated_at": START_TEXT,
    });
    assert_eq!(created["webhook"], view);
    let shown = server.get(&path(&created)).await;
    assert_eq!((shown.header("etag"), shown.expect(200)), (Some("\"1\""), view.clone()));
    assert!(!server.get("/webhooks").await.text.contains(secret), "a list shows a secret");

    let edit = json!({"note": null, "events": ["key.exposed"], "disabled": true});
    let edited = server.patch(&path(&created), "\"1\"", &edit).await;
    assert_eq!(edited.header("etag"), Some("\"2\""));
    let edited = edited.expect(200);
    assert_eq!((&edited["note"], &edited["events"]), (&json!(""), &json!(["key.exposed"])));
    assert_eq!((&edited["status"], &edited["disabled_because"]), (&json!("disabled"), &json!("asked")));
    assert_eq!(edited["url"], view["url"]);

    let deleted = server.call(&server.owner, Method::DELETE, &path(&created), None).await;
    assert_eq!((deleted.status.as_u16(), &*deleted.text), (204, ""));
    server.get(&path(&created)).await.problem(404, "webhook_not_found");
    server.call(&server.owner, Method::DELETE, &path(&created), None).await.problem(404, "webhook_not_found");
    let log = server.state().catalog.happened_after(0, 1000).await.expect("the log");
    let actions: Vec<_> = log.iter().filter(|entry| entry.target == id).map(|entry| &*entry.action).collect();
    assert_eq!(actions, ["webhook.created", "webhook.edited", "webhook.deleted"]);
    assert!(log.iter().all(|entry| !format!("{entry:?}").contains("whsec_")), "the audit log holds a secret");
}

#[tokio::test]
async fn an_edit_names_the_version_that_it_is_meant_for() {
    let server = Server::with_two_projects().await;
    server.names.set("hooks.example", &["8.8.8.8"]);
    let webhook = create(&server, "https://hooks.example/", &["key.created"], None).await;
    let body = json!({"note": "mine"});
    server.call(&server.owner, Method::PATCH, &path(&webhook), Some(&body)).await.problem(428, "precondition_required");
    server.patch(&path(&webhook), "\"1\"", &body).await.expect(200);
    server.patch(&path(&webhook), "\"1\"", &json!({"note": "yours"})).await.problem(412, "version_conflict");
    for named in ["\"x\"", "W/\"2\"", "\"1\", \"3\""] {
        server.patch(&path(&webhook), named, &body).await.problem(412, "version_conflict");
    }
    server.patch(&path(&webhook), "1", &body).await.problem(422, "invalid");
    assert_eq!(server.get(&path(&webhook)).await.expect(200)["note"], "mine");
    server.patch(&path(&webhook), "*", &json!({"note": "ours"})).await.expect(200);
}

#[tokio::test]
async fn every_field_that_is_wrong_is_told_at_once() {
    let server = Server::with_two_projects().await;
    let body = json!({"url": "ftp://x", "events": ["key.created", "key.*", "key.created"], "note": "a\u{7}"});
    let refused = server.post("/webhooks", &body).await.problem(422, "invalid");
    let pointers: Vec<_> = refused["errors"].as_array().expect("errors").iter().map(|one| &one["pointer"]).collect();
    assert_eq!(pointers, ["/events/1", "/events/2", "/note", "/url"]);
    let refused = server.post("/webhooks", &json!({})).await.problem(422, "invalid");
    assert_eq!(refused["errors"].as_array().expect("errors").len(), 2);
    for (body, pointer) in [
        (json!({"url": "https://8.8.8.8/", "events": []}), "/events"),
        (json!({"url": "https://8.8.8.8/", "events": ["key.created"], "secret": "mine"}), "/secret"),
        (json!({"url": 1, "events": ["key.created"]}), "/url"),
        (json!({"url": "https://8.8.8.8/", "events": ["key.created"], "note": "a".repeat(1001)}), "/note"),
        (json!({"url": "https://8.8.8.8/", "events": ["key.created"], "project": "No"}), "/project"),
    ] {
        let refused = server.post("/webhooks", &body).await.problem(422, "invalid");
        assert_eq!(refused["errors"][0]["pointer"], pointer, "{body}");
    }
    let unknown = json!({"url": "https://8.8.8.8/", "events": ["key.created"], "project": "none"});
    server.post("/webhooks", &unknown).await.problem(404, "project_not_found");
    let webhook = create(&server, "https://8.8.8.8/", &["key.created"], None).await;
    for (body, pointer) in [
        (json!({"url": null}), "/url"),
        (json!({"events": null}), "/events"),
        (json!({"disabled": null}), "/disabled"),
        (json!({"project": "shop"}), "/project"),
        (json!({"events": ["x"]}), "/events/0"),
    ] {
        let refused = server.patch(&path(&webhook), "*", &body).await.problem(422, "invalid");
        assert_eq!(refused["errors"][0]["pointer"], pointer, "{body}");
    }
    for query in ["?projct=shop", "?project=S", "?limit=0"] {
        server.get(&format!("/webhooks{query}")).await.problem(422, "invalid");
    }
    server.get("/webhooks?cursor=x").await.problem(422, "invalid");
}

#[tokio::test]
async fn an_admin_of_a_project_sees_and_makes_its_webhooks_only() {
    let server = Server::with_two_projects().await;
    let shop = server.admin("shop's", Some("shop"), Permissions::owner()).await;
    let [own, other, all] = [
        create(&server, "https://8.8.8.8/", &["key.created"], Some("shop")).await,
        create(&server, "https://8.8.8.8/", &["key.created"], Some("bank")).await,
        create(&server, "https://8.8.8.8/", &["key.created"], None).await,
    ];
    let list = server.call(&shop, Method::GET, "/webhooks", None).await.expect(200);
    assert_eq!(list["data"], json!([own["webhook"]]));
    server.call(&shop, Method::GET, &path(&own), None).await.expect(200);
    for hidden in [&other, &all] {
        server.call(&shop, Method::GET, &path(hidden), None).await.problem(404, "webhook_not_found");
        for (method, verb) in [
            (Method::DELETE, ""),
            (Method::POST, "/rotate-secret"),
            (Method::POST, "/test"),
            (Method::GET, "/deliveries"),
        ] {
            let answer = server.call(&shop, method, &format!("{}{verb}", path(hidden)), None).await;
            answer.problem(404, "webhook_not_found");
        }
    }
    let make = |project: &str| json!({"url": "https://8.8.8.8/", "events": ["key.created"], "project": project});
    server.call(&shop, Method::POST, "/webhooks", Some(&make("shop"))).await.expect(201);
    server.call(&shop, Method::POST, "/webhooks", Some(&make("bank"))).await.problem(404, "project_not_found");
    let everything = json!({"url": "https://8.8.8.8/", "events": ["key.created"]});
    server.call(&shop, Method::POST, "/webhooks", Some(&everything)).await.problem(403, "installation_only");
}

#[tokio::test]
async fn each_verb_needs_its_permission() {
    let server = Server::with_two_projects().await;
    let webhook = create(&server, "https://8.8.8.8/", &["key.created"], None).await;
    let nobody = server.admin("nobody", None, "api.key.view".parse().expect("permissions")).await;
    let new = json!({"url": "https://8.8.8.8/", "events": ["key.created"]});
    for (method, path, body) in [
        (Method::GET, "/webhooks".to_owned(), None),
        (Method::POST, "/webhooks".to_owned(), Some(&new)),
        (Method::GET, path(&webhook), None),
        (Method::DELETE, path(&webhook), None),
        (Method::GET, format!("{}/deliveries", path(&webhook)), None),
        (Method::POST, format!("{}/test", path(&webhook)), None),
        (Method::POST, format!("{}/rotate-secret", path(&webhook)), None),
    ] {
        server.call(&nobody, method, &path, body).await.problem(403, "permission_denied");
    }
}

#[tokio::test]
async fn a_test_says_what_came_of_it() {
    let server = Server::with_two_projects().await;
    let mut receiver = Receiver::start().await;
    let webhook = create(&server, &receiver.url(), &["key.created"], None).await;
    let test = format!("{}/test", path(&webhook));
    let good = server.post(&test, &json!({})).await.expect(200);
    assert_eq!((&good["state"], &good["status"], &good["error"]), (&json!("delivered"), &json!(204), &json!(null)));
    let message = receiver.arrived().expect("a message");
    assert_eq!(message.json()["type"], "gridgate.webhook.test");
    assert_eq!(message.signed_by(webhook["secret"].as_str().expect("a secret")), [true]);
    assert_eq!(good["event"], message.header("webhook-id"));
    receiver.reply([Reply::Status(404)]);
    let bad = server.post(&test, &json!({})).await.expect(200);
    assert_eq!((&bad["state"], &bad["status"]), (&json!("failed"), &json!(404)));
    let kinds: Vec<_> = deliveries(&server, &webhook).await.iter().map(|one| one["state"].clone()).collect();
    assert_eq!(kinds.len(), 2);
    let failing = &server.get(&path(&webhook)).await.expect(200)["failing_since"];
    assert_eq!(*failing, json!(null), "a test counts as a failure of the webhook");
}

#[tokio::test]
async fn there_are_fifty_at_the_most() {
    let server = Server::with_two_projects().await;
    for _ in 0..50 {
        create(&server, "https://8.8.8.8/", &["key.created"], Some("shop")).await;
    }
    let body = json!({"url": "https://8.8.8.8/", "events": ["key.created"], "project": "shop"});
    server.post("/webhooks", &body).await.problem(409, "webhook_limit_reached");
    create(&server, "https://8.8.8.8/", &["key.created"], Some("bank")).await;
    let first = server.get("/webhooks?limit=30").await.expect(200);
    let cursor = first["next_cursor"].as_str().expect("a cursor");
    let second = server.get(&format!("/webhooks?limit=30&cursor={cursor}")).await.expect(200);
    assert_eq!(first["data"].as_array().expect("rows").len() + second["data"].as_array().expect("rows").len(), 51);
}
