//! Importing and purging keys, and finding them again.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use super::{Server, ingest};

const UUID: &str = "6f1f7ffd-cd42-4f03-8a35-9ee3e5a04d42";
/// Any 64 digits do.
const SHA_256: &str = "521678d7df3462c4c588d50bb459d2fc8454183d5d5e0bfc36b58bb0bd5797d4";

fn row(name: &str, secret: (&str, &str)) -> Value {
    let mut row = ingest("shop", name);
    row[secret.0] = json!(secret.1);
    row
}

#[tokio::test]
async fn keys_are_imported_whole_and_no_token_is_shown() {
    let server = Server::with_two_projects().await;
    let mut full = row("one", ("token", &UUID.to_uppercase()));
    full["tags"] = json!(["blue"]);
    full["disabled"] = json!(true);
    let answer = server.post("/keys/import", &json!({"keys": [full, row("two", ("sha256", SHA_256))]})).await;
    let imported = answer.expect(201);
    assert!(!answer.text.to_lowercase().contains(UUID) && !answer.text.contains(SHA_256));
    let summary: Vec<_> =
        imported["data"].as_array().expect("keys").iter().map(|key| json!([key["name"], key["status"]])).collect();
    assert_eq!(json!(summary), json!([["one", "disabled"], ["two", "active"]]));
    assert_eq!(imported["data"][0]["secrets"][0]["format"], "uuid");
    for key in imported["data"].as_array().expect("keys") {
        let id = key["id"].as_str().expect("an id");
        assert_eq!(server.get(&format!("/keys/{id}")).await.expect(200)["name"], key["name"]);
        let events = server.events.lock().expect("events").join(", ");
        assert!(events.contains(&format!("imported {id}")) && events.contains(&format!("announced {id}")), "{events}");
    }
    // The same tokens again, in another case or form.
    let again = json!({"keys": [row("three", ("token", &UUID.replace('-', ""))), row("four", ("sha256", SHA_256))]});
    let problem = server.post("/keys/import", &again).await.problem(422, "invalid");
    let pointers: Vec<_> =
        problem["errors"].as_array().expect("errors").iter().map(|error| &error["pointer"]).collect();
    assert_eq!(json!(pointers), json!(["/keys/0/token", "/keys/1/sha256"]));
}

#[tokio::test]
async fn every_bad_row_is_told_and_nothing_is_imported() {
    let server = Server::with_two_projects().await;
    server.ingest_key("shop", "taken").await;
    let both = {
        let mut both = row("four", ("token", UUID));
        both["sha256"] = json!(SHA_256);
        both
    };
    let keys = json!({"keys": [
        row("one", ("token", "no UUID")),
        row("", ("sha256", SHA_256)),
        ingest("shop", "three"),
        both,
        row("five", ("sha256", SHA_256)),
        {"name": "six", "kind": "admin", "token": "c232ab00-9414-41ec-b3c8-9f6bdeced846"},
        row("seven", ("nonsense", "x")),
    ]});
    let problem = server.post("/keys/import", &keys).await.problem(422, "invalid");
    let pointers: std::collections::BTreeSet<_> =
        problem["errors"].as_array().expect("errors").iter().map(|error| error["pointer"].to_string()).collect();
    let expected = [
        "/keys/0/token",
        "/keys/1/name",
        "/keys/2/token",
        "/keys/3/token",
        "/keys/4/sha256",
        "/keys/5/kind",
        "/keys/6/nonsense",
        "/keys/6/token",
    ];
    assert_eq!(pointers, expected.iter().map(|pointer| format!("\"{pointer}\"")).collect());
    // What only the catalog knows is told in the same way.
    let taken = json!({"keys": [row("taken", ("token", UUID)), row("good", ("sha256", SHA_256))]});
    let problem = server.post("/keys/import", &taken).await.problem(422, "invalid");
    assert_eq!(problem["errors"][0]["pointer"], "/keys/0/name");
    assert_eq!(server.get("/keys?project=shop&status=all").await.expect(200)["data"].as_array().map(Vec::len), Some(1));
}

fn pointers(problem: &Value) -> Vec<&str> {
    let errors = problem["errors"].as_array().expect("errors").iter();
    errors.map(|error| error["pointer"].as_str().expect("a pointer")).collect()
}

/// What is wrong with the form of some rows hides nothing of what only the catalog knows of others, or of the same.
#[tokio::test]
async fn faults_of_form_and_of_the_catalog_are_told_together() {
    let server = Server::with_two_projects().await;
    server.ingest_key("shop", "taken").await;
    server.patch("/projects/shop", "*", &json!({"max_active_keys": 2})).await.expect(200);
    let rows = [
        row("taken", ("token", UUID)).to_string(),
        // Its name is taken as well.
        row("taken", ("token", "no UUID")).to_string(),
        row("four", ("sha256", SHA_256)).to_string(),
        row("four", ("sha256", SHA_256)).to_string(),
        r#"{"name": "\ud800", "project": 5}"#.to_owned(),
        r#"{"name": "a", "name": "b", "project": "shop", "grid": "none", "environment": "production", "tags": "x"}"#.to_owned(),
        "[]".to_owned(),
        json!({"name": "x", "project": "none", "grid": "web", "environment": "staging", "token": UUID.replace('6', "7")}).to_string(),
        row("nine", ("token", &UUID.replace('6', "8"))).to_string(),
    ];
    let request = server.request(Method::POST, "/keys/import").header("x-api-key", &server.owner.token);
    let request = request.header("content-type", "application/json");
    let text = format!("{{\"more\": 1, \"keys\": [{}]}}", rows.join(", "));
    let problem = server.send(request, text).await.problem(422, "invalid");
    assert_eq!(
        pointers(&problem),
        [
            "/more",
            "/keys/0/name",
            "/keys/1/token",
            "/keys/1/name",
            "/keys/3/sha256",
            "/keys/3/name",
            "/keys/4/name",
            "/keys/5/name",
            "/keys/5/tags",
            "/keys/5/token",
            "/keys/5/grid",
            "/keys/6",
            "/keys/7/project",
            "/keys/8",
        ],
        "{problem}"
    );
    for error in problem["errors"].as_array().expect("errors") {
        assert!(error["detail"].as_str().is_some_and(|text| !text.is_empty()), "{error}");
        assert!(error["fix"].as_str().is_some_and(|text| !text.is_empty()), "{error}");
    }
    assert_eq!(problem["errors"][4]["detail"], "the key 2 of this import has the same");
    assert_eq!(problem["errors"][7]["detail"], "duplicate field `name`");
    let full = problem["errors"][13]["detail"].as_str().expect("a detail");
    assert!(full.starts_with("the most active keys here are 2, and there are: key_"), "{full}");
    assert_eq!(server.get("/keys?project=shop&status=all").await.expect(200)["data"].as_array().map(Vec::len), Some(1));
}

/// A row with faults asks the catalog nothing about what its sender may not see.
#[tokio::test]
async fn names_of_other_projects_are_not_told() {
    let server = Server::with_two_projects().await;
    server.ingest_key("bank", "secret").await;
    let admin = server.admin("shop's", Some("shop"), "api.key.create".parse().expect("permissions")).await;
    let mut body = ingest("bank", "secret");
    body["token"] = json!("no UUID");
    let answer = server.call(&admin, Method::POST, "/keys/import", Some(&json!({"keys": [body]}))).await;
    assert_eq!(pointers(&answer.problem(422, "invalid")), ["/keys/0/token"]);
}

#[tokio::test]
async fn of_ten_thousand_bad_rows_every_one_is_told() {
    let server = Server::with_two_projects().await;
    let bad = |number: usize| match number % 4 {
        // A fault of form, one of a value with others beside it, one of the catalog, and one in the file itself.
        0 => json!({"name": number, "token": UUID}),
        1 => json!({"name": "", "tags": ["A", "B"], "allowed_addresses": ["x", "y", "z"], "nonsense": 0}),
        2 => json!({"name": format!("key {number}"), "project": "none", "grid": "web", "environment": "staging",
            "token": format!("6f1f7ffd-cd42-4f03-8a35-{number:012}")}),
        _ => row("same", ("sha256", SHA_256)),
    };
    let keys: Vec<_> = (0..10_000).map(bad).collect();
    server.ingest_key("shop", "same").await;
    let answer = server.post("/keys/import", &json!({"keys": keys})).await;
    let problem = answer.problem(422, "invalid");
    let mut rows: Vec<usize> = pointers(&problem)
        .iter()
        .map(|pointer| pointer.split('/').nth(2).expect("a row").parse().expect("a number"))
        .collect();
    assert!(rows.is_sorted());
    rows.dedup();
    assert_eq!(rows, (0..10_000).collect::<Vec<_>>());
    // Of the four kinds of rows 5, 11, 1 and 2, but the first of two kinds repeats no token.
    let told = problem["errors"].as_array().map_or(0, Vec::len);
    let detail = format!("47498 fields or parameters are not as they must be; {told} of them are told");
    assert!(problem["detail"].as_str().expect("a detail").starts_with(&detail), "{}", problem["detail"]);
    assert!(answer.text.len() < 4 << 20, "{}", answer.text.len());
}

#[tokio::test]
async fn an_import_that_takes_too_long_may_be_sent_again() {
    let server = Server::with_two_projects().await;
    let body = json!({"keys": [row("one", ("token", UUID))]}).to_string();
    let import = async || {
        let request = server.request(Method::POST, "/keys/import").header("x-api-key", &server.owner.token);
        let request = request.header("content-type", "application/json").header("idempotency-key", UUID);
        server.send(request, body.clone()).await
    };
    server.slow_down(true);
    let late = import().await;
    let problem = late.problem(503, "import_timeout");
    assert!(problem["detail"].as_str().expect("a detail").contains("nothing was imported"), "{problem}");
    assert_eq!(late.header("retry-after"), Some("5"));
    server.slow_down(false);
    assert_eq!(import().await.expect(201)["data"][0]["name"], "one");
}

#[tokio::test]
async fn a_large_body_is_for_imports_alone() {
    let server = Server::with_two_projects().await;
    let note = "x".repeat(1_000);
    let keys: Vec<_> = (0..100)
        .map(|number| {
            let mut row = row(&format!("key {number}"), ("token", &format!("6f1f7ffd-cd42-4f03-8a35-{number:012}")));
            row["note"] = json!(note);
            row
        })
        .collect();
    let body = json!({"keys": keys});
    assert!(body.to_string().len() > gridgate::admin::MAX_BODY_BYTES);
    server.post("/keys", &body).await.problem(413, "body_too_large");
    assert_eq!(server.post("/keys/import", &body).await.expect(201)["data"].as_array().map(Vec::len), Some(100));
    let huge = json!({"keys": [], "pad": "x".repeat(8 << 20)});
    server.post("/keys/import", &huge).await.problem(413, "body_too_large");
}

#[tokio::test]
async fn a_purged_key_is_gone() {
    let server = Server::with_two_projects().await;
    let created = server.ingest_key("shop", "one").await;
    let id = created["key"]["id"].as_str().expect("an id").to_owned();
    let purge = format!("/keys/{id}/purge");
    server.post(&purge, &json!({})).await.problem(409, "key_not_revoked");
    server.post(&format!("/keys/{id}/revoke"), &json!({})).await.expect(200);
    let problem = server.post(&purge, &json!({})).await.problem(409, "retention_not_over");
    assert!(problem["detail"].as_str().expect("a detail").contains("2026-11-21T10:22:30.000000Z"), "{problem}");
    server.clock.advance(Duration::from_secs(30));
    assert_eq!(server.post(&purge, &json!({})).await.status.as_u16(), 204);
    server.get(&format!("/keys/{id}")).await.problem(404, "key_not_found");
    server.post(&purge, &json!({})).await.problem(404, "key_not_found");
    assert!(server.events.lock().expect("events").contains(&format!("announced {id}")));
}

#[tokio::test]
async fn lists_are_filtered_searched_and_ordered() {
    let server = Server::with_two_projects().await;
    for (name, tag, expiry) in [
        ("Web", "blue", "2027-01-01T00:00:00Z"),
        ("webber", "red", "2026-12-01T00:00:00Z"),
        ("app", "blue", "2028-01-01T00:00:00Z"),
    ] {
        let mut body = ingest("shop", name);
        body["tags"] = json!([tag]);
        body["owner"] = json!("Acme");
        body["expires_at"] = json!(expiry);
        server.post("/keys", &body).await.expect(201);
        server.clock.advance(Duration::from_secs(1));
    }
    for (query, expected) in [
        ("project=shop", json!(["app", "webber", "Web"])),
        ("project=shop&sort=created_at", json!(["Web", "webber", "app"])),
        ("project=shop&sort=-name", json!(["webber", "Web", "app"])),
        ("project=shop&sort=expires_at", json!(["webber", "Web", "app"])),
        ("q=WEB", json!(["Web", "webber"])),
        ("q=WEB&sort=-created_at", json!(["webber", "Web"])),
        ("tag=blue&owner=Acme&role=ingest&kind=ingest&member=false", json!(["app", "Web"])),
        ("owner=acme", json!([])),
        ("project=shop&expires_before=2027-06-01T00:00:00Z", json!(["webber", "Web"])),
        ("attention=expiring", json!(["webber"])),
        ("attention=weak", json!([])),
        ("project=shop&last_used_before=2026-01-01T00:00:00Z", json!(["app", "webber", "Web"])),
    ] {
        let list = server.get(&format!("/keys?{query}")).await.expect(200);
        let names: Vec<_> = list["data"].as_array().expect("keys").iter().map(|key| &key["name"]).collect();
        assert_eq!(json!(names), expected, "{query}");
    }
    let id = server.owner.id.clone();
    assert_eq!(server.get(&format!("/keys?q={id}")).await.expect(200)["data"][0]["id"], id);
    let page = server.get("/keys?project=shop&sort=name&limit=1").await.expect(200);
    let cursor = page["next_cursor"].as_str().expect("a cursor");
    let next = server.get(&format!("/keys?project=shop&sort=name&limit=1&cursor={cursor}")).await.expect(200);
    assert_eq!(next["data"][0]["name"], "Web");
    server.get(&format!("/keys?project=shop&sort=-name&limit=1&cursor={cursor}")).await.problem(422, "invalid");
    for bad in [
        "sort=size",
        "tag=A",
        "owner=",
        "q=%00",
        "member=1",
        "role=A",
        "expires_before=soon",
        "last_used_before=",
        "attention=none",
    ] {
        let problem = server.get(&format!("/keys?{bad}")).await.problem(422, "invalid");
        assert_eq!(problem["errors"][0]["parameter"], bad.split('=').next().expect("a name"), "{bad}");
    }
}
