//! `GET /keys/counts`, and the lists that it counts.

use gridgate::domain::{Permission, Permissions};
use http::Method;
use serde_json::{Value, json};
use std::time::Duration;

use super::{Admin, START, Server, ingest};

fn text(days: u64) -> String {
    START.after(Duration::from_hours(days * 24)).to_string()
}

/// The number of each view, in the order of the answer.
async fn counts(server: &Server, admin: &Admin, query: &str) -> Vec<(String, u64)> {
    let answer = server.call(admin, Method::GET, &format!("/keys/counts{query}"), None).await.expect(200);
    let rows = answer["data"].as_array().expect("a list").iter();
    rows.map(|row| {
        assert_eq!(row["more"], json!(false));
        (row["view"].as_str().expect("a view").to_owned(), row["count"].as_u64().expect("a number"))
    })
    .collect()
}

async fn named(server: &Server, query: &str) -> Vec<String> {
    let page = server.get(&format!("/keys?sort=name&{query}")).await.expect(200);
    let names = page["data"].as_array().expect("a list").iter().map(|key| key["name"].as_str().expect("a name"));
    names.map(str::to_owned).collect()
}

#[tokio::test]
async fn each_view_is_counted_within_what_the_caller_sees() {
    let server = Server::with_two_projects().await;
    let shop = server.admin("shop", Some("shop"), Permissions::from_iter([Permission::KeyView])).await;
    let mut ids: Vec<Value> = Vec::new();
    for (project, name) in [("shop", "one"), ("shop", "two"), ("shop", "three"), ("bank", "four"), ("bank", "five")] {
        ids.push(server.ingest_key(project, name).await["key"]["id"].clone());
    }
    let body = |name: &str, days: u64| {
        let mut body = ingest("shop", name);
        body["expires_at"] = json!(text(days));
        body
    };
    server.post("/keys", &body("soon", 6)).await.expect(201);
    server.post("/keys", &body("later", 20)).await.expect(201);
    let verb = |number: usize, verb: &str| format!("/keys/{}/{verb}", ids[number].as_str().expect("an id"));
    server.post(&verb(0, "rotate"), &json!({})).await.expect(200);
    server.post(&verb(3, "rotate"), &json!({})).await.expect(200);
    server.post(&verb(4, "revoke"), &json!({})).await.expect(200);

    let views = ["not_revoked", "attention", "rotating", "expiring_soon", "unused_45", "revoked"];
    let expected = |numbers: [u64; 6]| views.map(str::to_owned).into_iter().zip(numbers).collect::<Vec<_>>();
    // The owner and the admin of shop are keys, too.
    assert_eq!(counts(&server, &server.owner, "").await, expected([8, 2, 2, 1, 0, 1]));
    assert_eq!(counts(&server, &server.owner, "?project=shop").await, expected([6, 2, 1, 1, 0, 0]));
    assert_eq!(counts(&server, &server.owner, "?project=bank").await, expected([1, 0, 1, 0, 0, 1]));
    assert_eq!(counts(&server, &shop, "").await, expected([6, 2, 1, 1, 0, 0]));
    let few = counts(&server, &shop, "?view=revoked,not_revoked").await;
    assert_eq!(few, [("revoked".to_owned(), 0), ("not_revoked".to_owned(), 6)]);

    assert_eq!(named(&server, "rotating=true").await, ["four", "one"]);
    assert_eq!(named(&server, "rotating=false&project=shop&kind=ingest").await, ["later", "soon", "three", "two"]);
    assert_eq!(named(&server, "attention=any").await, ["later", "soon"]);
    // After 46 days what was used least has been unused for too long, and one has expired.
    server.clock.advance(Duration::from_hours(46 * 24));
    assert_eq!(counts(&server, &server.owner, "?project=bank").await, expected([1, 1, 0, 0, 1, 1]));
    assert_eq!(named(&server, "attention=any&project=bank").await, ["four"]);
}

#[tokio::test]
async fn what_cannot_be_counted_is_refused() {
    let server = Server::with_two_projects().await;
    let shop = server.admin("shop", Some("shop"), Permissions::from_iter([Permission::KeyView])).await;
    let blind = server.admin("blind", None, Permissions::from_iter([Permission::UsageView])).await;
    server.call(&shop, Method::GET, "/keys/counts?project=bank", None).await.problem(404, "project_not_found");
    server.call(&blind, Method::GET, "/keys/counts", None).await.problem(403, "permission_denied");
    for query in ["view=all", "view=", "view=revoked,revoked", "project=A", "limit=1", "view=revoked&view=revoked"] {
        let problem = server.get(&format!("/keys/counts?{query}")).await.problem(422, "invalid");
        assert_eq!(problem["errors"].as_array().map(Vec::len), Some(1), "{query}");
    }
    for query in ["attention=some", "rotating=1"] {
        server.get(&format!("/keys?{query}")).await.problem(422, "invalid");
    }
}
