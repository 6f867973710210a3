//! Keys: each verb works, is refused, and does not find what is not there.

use std::time::Duration;

use gridgate::domain::token::PresentedToken;
use gridgate::domain::{Permissions, TokenKind};
use serde_json::{Value, json};

use super::{START, Server, ingest, ingest_view};

#[tokio::test]
async fn an_ingest_key_is_created_and_shown() {
    let server = Server::with_two_projects().await;
    let answer = server.post("/keys", &ingest("shop", " checkout ")).await;
    let created = answer.expect(201);
    let token = created["token"].as_str().expect("a token");
    let presented = PresentedToken::parse(token).expect("it is well-formed");
    assert_eq!((presented.kind, presented.environment), (TokenKind::Ingest, Some("prd")));
    let id = json!(presented.id.to_string());
    let view = ingest_view(&server, &id, "shop", "checkout");
    assert_eq!(created, json!({"key": view, "token": token}));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("etag"), Some("\"1\""));
    assert_eq!(answer.header("location"), Some(format!("/api/v1/keys/{}", presented.id).as_str()));
    assert_eq!(server.get(&format!("/keys/{}", presented.id)).await.expect(200), view);
}

#[tokio::test]
async fn an_admin_key_is_created_and_works() {
    let server = Server::with_two_projects().await;
    let body = json!({"name": "ops", "kind": "admin", "project": "shop", "permissions": ["grid.view", "api.key.view"],
        "expires_at": "2026-11-21T11:22:01+01:00"});
    let created = server.post("/keys", &body).await.expect(201);
    let id = created["key"]["id"].as_str().expect("an id");
    let mut view = ingest_view(&server, &created["key"]["id"], "shop", "ops");
    for (field, value) in [
        ("kind", json!("admin")),
        ("grid", Value::Null),
        ("environment", Value::Null),
        ("role", Value::Null),
        ("permissions", json!(["api.key.view", "grid.view"])),
        ("masked", json!(format!("gga_{}_…", &id["key_".len()..]))),
        ("expires_at", json!("2026-11-21T10:22:01.000000Z")),
        ("attention", json!(["expiring", "expiring_soon", "expiring_now"])),
    ] {
        view[field] = value;
    }
    assert_eq!(created["key"], view);
    let token = created["token"].as_str().expect("a token");
    let by_it = || server.request(http::Method::GET, "/projects/shop/grids").header("x-api-key", token);
    server.send(by_it(), "").await.expect(200);
    server.clock.advance(Duration::from_secs(1));
    server.send(by_it(), "").await.problem(401, "credentials_expired");
}

#[tokio::test]
async fn an_admin_key_only_looks_unless_told_otherwise() {
    let server = Server::start().await;
    let created = server.post("/keys", &json!({"name": "eyes", "kind": "admin"})).await.expect(201);
    assert_eq!((&created["key"]["role"], &created["key"]["project"]), (&json!("viewer"), &Value::Null));
    let permissions = created["key"]["permissions"].as_array().expect("a list");
    assert!(
        permissions.iter().all(|name| name.as_str().is_some_and(|name| name.rsplit('.').next() == Some("view"))),
        "{permissions:?}"
    );
}

#[tokio::test]
async fn nobody_grants_what_they_lack() {
    let server = Server::with_two_projects().await;
    let permissions: Permissions = "api.key.create api.key.view".parse().expect("permissions");
    let issuer = server.admin("issuer", Some("shop"), permissions).await;
    let admin =
        |permission: &str| json!({"name": permission, "kind": "admin", "project": "shop", "permissions": [permission]});
    let post = |body: Value| {
        let (server, issuer) = (&server, &issuer);
        async move { server.call(issuer, http::Method::POST, "/keys", Some(&body)).await }
    };
    post(admin("api.key.view")).await.expect(201);
    let problem = post(admin("api.key.delete")).await.problem(403, "grant_refused");
    let detail = format!("{} lacks the permission api.key.delete and so cannot grant it", issuer.id);
    assert_eq!(problem["detail"], detail);
    // Exporting is granted by the right to create keys, a permission of the deployment's own is not.
    post(ingest("shop", "checkout")).await.expect(201);
    let mut own = ingest("shop", "reader");
    own["permissions"] = json!(["telemetry.logs.write", "customer.read"]);
    let problem = post(own.clone()).await.problem(403, "grant_refused");
    assert_eq!(problem["detail"], format!("{} lacks the permission customer.read and so cannot grant it", issuer.id));
    let created = server.post("/keys", &own).await.expect(201);
    assert_eq!(created["key"]["permissions"], json!(["customer.read", "telemetry.logs.write"]));
    post(admin("*")).await.problem(403, "grant_refused");
    let owner = server.post("/keys", &admin("*")).await.expect(201);
    assert_eq!(owner["key"]["permissions"], json!(["*"]));
}

#[tokio::test]
async fn what_a_key_refers_to_must_exist() {
    let server = Server::with_two_projects().await;
    for (field, code) in
        [("project", "project_not_found"), ("grid", "grid_not_found"), ("environment", "environment_not_found")]
    {
        let mut body = ingest("shop", "checkout");
        body[field] = json!("nowhere");
        let problem = server.post("/keys", &body).await.problem(404, code);
        assert_eq!(problem["errors"][0]["pointer"], format!("/{field}"));
    }
    let body = json!({"name": "ops", "kind": "admin", "project": "nowhere"});
    server.post("/keys", &body).await.problem(404, "project_not_found");
}

#[tokio::test]
async fn a_name_is_taken_until_its_key_is_revoked() {
    let server = Server::with_two_projects().await;
    let first = server.ingest_key("shop", "checkout").await;
    let problem = server.post("/keys", &ingest("shop", "checkout")).await.problem(409, "key_exists");
    assert_eq!(problem["errors"][0]["pointer"], "/name");
    server.ingest_key("bank", "checkout").await;
    let id = first["key"]["id"].as_str().expect("an id");
    server.post(&format!("/keys/{id}/revoke"), &json!({})).await.expect(200);
    server.ingest_key("shop", "checkout").await;
}

#[tokio::test]
async fn a_key_is_disabled_enabled_and_revoked() {
    let server = Server::with_two_projects().await;
    let id = server.ingest_key("shop", "checkout").await["key"]["id"].clone();
    let mut view = ingest_view(&server, &id, "shop", "checkout");
    let path = |verb: &str| format!("/keys/{}/{verb}", id.as_str().expect("an id"));

    assert_eq!(server.post(&path("enable"), &json!({})).await.expect(200), view, "it is enabled already");
    server.clock.advance(Duration::from_secs(1));
    view["status"] = json!("disabled");
    view["disabled_at"] = json!("2026-11-21T10:22:01.000000Z");
    view["updated_at"] = view["disabled_at"].clone();
    view["version"] = json!(2);
    assert_eq!(server.post(&path("disable"), &json!({})).await.expect(200), view);
    server.clock.advance(Duration::from_secs(1));
    assert_eq!(server.post(&path("disable"), &json!({})).await.expect(200), view, "repeating changes nothing");

    view["status"] = json!("active");
    view["disabled_at"] = Value::Null;
    view["updated_at"] = json!("2026-11-21T10:22:02.000000Z");
    view["version"] = json!(3);
    assert_eq!(server.post(&path("enable"), &json!({})).await.expect(200), view);

    view["status"] = json!("revoked");
    view["revoked_at"] = json!("2026-11-21T10:22:02.000000Z");
    view["version"] = json!(4);
    assert_eq!(server.post(&path("revoke"), &json!({})).await.expect(200), view);
    server.clock.advance(Duration::from_secs(1));
    assert_eq!(server.post(&path("revoke"), &json!({})).await.expect(200), view, "repeating changes nothing");
    for verb in ["disable", "enable"] {
        let problem = server.post(&path(verb), &json!({})).await.problem(409, "key_revoked");
        assert_eq!(problem["detail"], "the key is revoked, which is permanent; create a new key");
    }
    assert_eq!(server.get(path("").trim_end_matches('/')).await.expect(200), view);
}

#[tokio::test]
async fn an_expired_key_is_not_enabled() {
    let server = Server::with_two_projects().await;
    let mut body = ingest("shop", "checkout");
    body["expires_at"] = json!(START.after(Duration::from_secs(1)).to_string());
    let id = server.post("/keys", &body).await.expect(201)["key"]["id"].clone();
    server.clock.advance(Duration::from_secs(1));
    let path = format!("/keys/{}", id.as_str().expect("an id"));
    assert_eq!(server.get(&path).await.expect(200)["status"], "expired");
    server.post(&format!("{path}/enable"), &json!({})).await.problem(409, "key_expired");
    assert_eq!(server.post(&format!("{path}/disable"), &json!({})).await.expect(200)["status"], "expired");
}

#[tokio::test]
async fn an_unknown_key_is_not_found() {
    let server = Server::start().await;
    for id in ["key_000000000000", "key_short", "000000000000", "%ff"] {
        server.get(&format!("/keys/{id}")).await.problem(404, "key_not_found");
        for verb in ["disable", "enable", "revoke"] {
            server.post(&format!("/keys/{id}/{verb}"), &json!({})).await.problem(404, "key_not_found");
        }
    }
}

#[tokio::test]
async fn keys_are_listed_newest_first_and_filtered() {
    let server = Server::with_two_projects().await;
    server.post("/projects/shop/grids", &json!({"slug": "app"})).await.expect(201);
    let mut ids = std::collections::HashMap::new();
    for (name, project, grid, environment) in [
        ("one", "shop", "web", "production"),
        ("two", "shop", "app", "staging"),
        ("three", "bank", "web", "production"),
        ("four", "bank", "web", "development"),
    ] {
        server.clock.advance(Duration::from_secs(1));
        let body = json!({"name": name, "project": project, "grid": grid, "environment": environment,
            "expires_at": if name == "four" { json!("2026-11-21T10:22:06Z") } else { Value::Null }});
        let id = server.post("/keys", &body).await.expect(201)["key"]["id"].as_str().expect("an id").to_owned();
        ids.insert(name, id);
    }
    server.clock.advance(Duration::from_secs(1));
    server.post("/keys", &json!({"name": "ops", "kind": "admin", "project": "shop"})).await.expect(201);
    server.post(&format!("/keys/{}/revoke", ids["one"]), &json!({})).await.expect(200);
    server.post(&format!("/keys/{}/disable", ids["three"]), &json!({})).await.expect(200);
    server.clock.advance(Duration::from_secs(1));

    for (query, expected) in [
        ("", json!(["ops", "four", "three", "two", "owner"])),
        ("?status=all", json!(["ops", "four", "three", "two", "one", "owner"])),
        ("?status=revoked", json!(["one"])),
        ("?status=disabled,expired", json!(["four", "three"])),
        ("?status=active", json!(["ops", "two", "owner"])),
        ("?project=shop", json!(["ops", "two"])),
        ("?project=shop&status=all", json!(["ops", "two", "one"])),
        ("?project=bank&environment=production", json!(["three"])),
        ("?grid=web", json!(["four", "three"])),
        ("?kind=admin", json!(["ops", "owner"])),
        ("?kind=ingest&limit=200", json!(["four", "three", "two"])),
        ("?environment=nowhere", json!([])),
    ] {
        let page = server.get(&format!("/keys{query}")).await.expect(200);
        let names: Vec<_> = page["data"].as_array().expect("rows").iter().map(|row| &row["name"]).collect();
        assert_eq!(json!(names), expected, "{query}");
    }

    let first = server.get("/keys?limit=2&status=all").await.expect(200);
    assert_eq!((&first["data"][1]["name"], &first["has_more"]), (&json!("four"), &json!(true)));
    let cursor = first["next_cursor"].as_str().expect("a cursor");
    let second = server.get(&format!("/keys?limit=200&status=all&cursor={cursor}")).await.expect(200);
    assert_eq!(second["data"].as_array().map(Vec::len), Some(4));
    assert_eq!((&second["data"][0]["name"], &second["has_more"]), (&json!("three"), &json!(false)));
}
