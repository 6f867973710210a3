//! The quarterly review.

use std::time::Duration;

use gridgate::domain::Permissions;
use http::Method;
use serde_json::{Value, json};

use crate::admin::{START_TEXT, Server};

/// The list of a quarter, by name.
async fn list(server: &Server, query: &str) -> Vec<(String, Value)> {
    let page = server.get(&format!("/keys/review{query}")).await.expect(200);
    let rows = page["data"].as_array().expect("rows").iter();
    let mut rows: Vec<_> = rows.map(|row| (row["name"].as_str().expect("a name").to_owned(), row.clone())).collect();
    rows.sort_by(|left, right| left.0.cmp(&right.0));
    rows
}

#[tokio::test]
async fn a_key_is_reviewed_once_a_quarter() {
    let server = Server::with_two_projects().await;
    let key = server.ingest_key("shop", "checkout").await["key"].clone();
    let revoked = server.ingest_key("shop", "revoked").await["key"].clone();
    server.post(&format!("/keys/{}/revoke", revoked["id"].as_str().expect("an id")), &json!({})).await.expect(200);
    server.clock.advance(Duration::from_hours(24 * 2 + 1));
    let rows = list(&server, "?project=shop").await;
    assert_eq!(rows.len(), 1);
    assert_eq!(
        rows[0].1,
        json!({
            "id": key["id"],
            "kind": "ingest",
            "name": "checkout",
            "owner": null,
            "project": "shop",
            "grid": "web",
            "environment": "production",
            "status": "active",
            "created_at": START_TEXT,
            "age_days": 2,
            "secret_age_days": 2,
            "last_used_at": null,
            "attention": ["never_used"],
            "quarter": "2026-Q4",
            "reviewed_at": null,
            "reviewed_by": null,
        })
    );
    server.post(&format!("/keys/{}/review", key["id"].as_str().expect("an id")), &json!({})).await.expect(200);
    let reviewed = &list(&server, "?project=shop").await[0].1;
    assert_eq!(reviewed["reviewed_at"], "2026-11-23T11:22:00.000000Z");
    assert_eq!(reviewed["reviewed_by"], json!(server.owner.id));
    // The next quarter begins anew, and forgets nothing.
    server.clock.advance(Duration::from_hours(24 * 60));
    let next = &list(&server, "?project=shop").await[0].1;
    assert_eq!((&next["quarter"], &next["reviewed_at"]), (&json!("2027-Q1"), &json!(null)));
    let last = &list(&server, "?project=shop&quarter=2026-Q4").await[0].1;
    assert_eq!(last["reviewed_at"], reviewed["reviewed_at"]);
}

#[tokio::test]
async fn the_list_has_pages_and_every_key_once() {
    let server = Server::with_two_projects().await;
    for index in 0..7 {
        server.ingest_key(if index % 2 == 0 { "shop" } else { "bank" }, &format!("key {index}")).await;
    }
    let (mut names, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = server.get(&format!("/keys/review?limit=3{cursor}")).await.expect(200);
        names.extend(page["data"].as_array().expect("rows").iter().map(|row| row["name"].to_string()));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 8, "seven keys and the owner's: {names:?}");
}

#[tokio::test]
async fn who_may_not_see_a_key_does_not_review_it() {
    let server = Server::with_two_projects().await;
    let other = server.ingest_key("bank", "theirs").await["key"]["id"].as_str().expect("an id").to_owned();
    server.ingest_key("shop", "ours").await;
    let shop = server.admin("shop's", Some("shop"), Permissions::owner()).await;
    let page = server.call(&shop, Method::GET, "/keys/review", None).await.expect(200);
    let names: Vec<_> = page["data"].as_array().expect("rows").iter().map(|row| row["name"].to_string()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(!names.contains(&"\"theirs\"".to_owned()));
    server.call(&shop, Method::GET, "/keys/review?project=bank", None).await.problem(404, "project_not_found");
    let review = format!("/keys/{other}/review");
    server.call(&shop, Method::POST, &review, None).await.problem(404, "key_not_found");
    let viewer = server.admin("viewer", None, "api.key.view".parse().expect("permissions")).await;
    server.call(&viewer, Method::GET, "/keys/review", None).await.expect(200);
    server.call(&viewer, Method::POST, &review, None).await.problem(403, "permission_denied");
}

#[tokio::test]
async fn what_is_no_quarter_is_refused() {
    let server = Server::start().await;
    for query in ["?quarter=2026", "?quarter=2026-Q5", "?quarter=2027-Q1", "?quarter=", "?year=2026", "?limit=201"] {
        server.get(&format!("/keys/review{query}")).await.problem(422, "invalid");
    }
    server.get("/keys/review?cursor=x").await.problem(422, "invalid");
}
