//! Editing keys: merge patches, meant for a version.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use super::{Answer, START, Server, ingest};

/// The id of a new key of `shop`.
async fn key(server: &Server) -> String {
    server.ingest_key("shop", "checkout").await["key"]["id"].as_str().expect("an id").to_owned()
}

async fn patch(server: &Server, id: &str, tags: &[&str], body: &Value) -> Answer {
    let mut request = server.request(Method::PATCH, &format!("/keys/{id}")).header("x-api-key", &server.owner.token);
    for tag in tags {
        request = request.header("if-match", *tag);
    }
    server.send(request.header("content-type", "application/json"), body.to_string()).await
}

#[tokio::test]
async fn fields_are_set_and_removed() {
    let server = Server::with_two_projects().await;
    let id = key(&server).await;
    let mut view = server.get(&format!("/keys/{id}")).await.expect(200);
    let mut version = 1;
    for (body, changed) in [
        (json!({"name": " basket "}), json!({"name": "basket"})),
        (json!({"note": "line\nline"}), json!({"note": "line\nline"})),
        (json!({"tags": ["b", "a"], "owner": "ACME"}), json!({"tags": ["a", "b"], "owner": "ACME"})),
        (json!({"role": "ingest-traces"}), json!({"role": "ingest-traces", "permissions": ["telemetry.traces.write"]})),
        (json!({"permissions": ["customer.read"]}), json!({"role": null, "permissions": ["customer.read"]})),
        (
            json!({"permissions": null, "role": "ingest-logs"}),
            json!({"role": "ingest-logs", "permissions": ["telemetry.logs.write"]}),
        ),
        (
            json!({"role": null, "permissions": ["telemetry.logs.write"]}),
            json!({"role": null, "permissions": ["telemetry.logs.write"]}),
        ),
        (json!({"allowed_addresses": ["192.0.2.1"]}), json!({"allowed_addresses": ["192.0.2.1/32"]})),
        (json!({"expires_at": "2027-01-01T00:00:00Z"}), json!({"expires_at": "2027-01-01T00:00:00.000000Z"})),
        (
            json!({"note": null, "tags": null, "owner": null, "allowed_addresses": null, "expires_at": null}),
            json!({"note": "", "tags": [], "owner": null, "allowed_addresses": [], "expires_at": null}),
        ),
    ] {
        server.clock.advance(Duration::from_secs(1));
        let answer = server.patch_key(&id, &format!("\"{version}\""), &body).await;
        version += 1;
        for (field, value) in changed.as_object().expect("fields") {
            view[field] = value.clone();
        }
        view["version"] = json!(version);
        view["updated_at"] = json!(server.now().to_string());
        assert_eq!(answer.expect(200), view, "{body}");
        assert_eq!(answer.header("etag"), Some(format!("\"{version}\"").as_str()));
    }
    // Nothing new is nothing.
    for body in [json!({}), json!({"name": "basket", "owner": null}), json!({"role": null})] {
        assert_eq!(server.patch_key(&id, &format!("\"{version}\""), &body).await.expect(200), view, "{body}");
    }
}

#[tokio::test]
async fn a_change_is_meant_for_a_version() {
    let server = Server::with_two_projects().await;
    let id = key(&server).await;
    let name = |name: &str| json!({"name": name});
    patch(&server, &id, &[], &name("a")).await.problem(428, "precondition_required");
    patch(&server, &id, &["\"1\""], &name("b")).await.expect(200);
    for tags in [&["\"1\""][..], &["W/\"2\""], &["\"1\", \"3\""], &["\"02\""], &["\"b7\""], &["\"\""]] {
        let answer = patch(&server, &id, tags, &name("c")).await;
        let problem = answer.problem(412, "version_conflict");
        assert_eq!(problem["current_version"], 2, "{tags:?}");
        assert_eq!(problem["detail"], "it was changed meanwhile and is at version 2");
        assert_eq!(answer.header("etag"), Some("\"2\""));
    }
    for (tags, version) in [(&["\"1\", \"2\""][..], 3), (&["\"9\"", "W/\"3\",\"3\""], 4), (&["*"], 5)] {
        let changed = patch(&server, &id, tags, &name(&format!("at {version}"))).await.expect(200);
        assert_eq!(changed["version"], version, "{tags:?}");
    }
    for tags in [&["5"][..], &["\"5"], &["*, \"5\""], &[""], &["\"5\" \"6\""], &["*", "*"]] {
        let problem = patch(&server, &id, tags, &name("d")).await.problem(422, "invalid");
        assert_eq!(problem["errors"][0]["header"], "if-match", "{tags:?}");
    }
    assert_eq!(server.get(&format!("/keys/{id}")).await.expect(200)["name"], "at 5");
    // What does not exist has no version.
    patch(&server, "key_000000000000", &["*"], &name("e")).await.problem(404, "key_not_found");
    patch(&server, "key_000000000000", &[], &name("e")).await.problem(404, "key_not_found");
}

/// Every verb takes the version that it is meant for, and needs none.
#[tokio::test]
async fn verbs_can_be_meant_for_a_version() {
    let server = Server::with_two_projects().await;
    let id = key(&server).await;
    let mut version = 1;
    for verb in
        ["rotate", "rotation/cancel", "rotate", "rotation/complete", "regenerate", "disable", "enable", "revoke"]
    {
        let call = |tag: String| {
            let request = server.request(Method::POST, &format!("/keys/{id}/{verb}"));
            server.send(request.header("x-api-key", &server.owner.token).header("if-match", tag), "")
        };
        let stale = call(format!("\"{}\"", version + 1)).await.problem(412, "version_conflict");
        assert_eq!(stale["current_version"], version, "{verb}");
        let changed = call(format!("\"{version}\"")).await;
        version += 1;
        changed.expect(200);
        assert_eq!(changed.header("etag"), Some(format!("\"{version}\"").as_str()), "{verb}");
    }
    let request = server.request(Method::DELETE, &format!("/keys/{id}")).header("x-api-key", &server.owner.token);
    server.send(request.header("if-match", "\"1\""), "").await.problem(412, "version_conflict");
}

#[tokio::test]
async fn what_is_fixed_is_told_to_be() {
    let server = Server::with_two_projects().await;
    let id = key(&server).await;
    let view = server.get(&format!("/keys/{id}")).await.expect(200);
    let editable =
        ["name", "note", "tags", "owner", "role", "permissions", "allowed_addresses", "limits", "expires_at"];
    for (field, value) in view.as_object().expect("fields") {
        let answer = server.patch_key(&id, "*", &json!({field: value})).await;
        if editable.contains(&field.as_str()) {
            // The role's permissions are not the key's own, and what is not there is removed.
            answer.expect(200);
            server.patch_key(&id, "*", &json!({"role": view["role"]})).await.expect(200);
            continue;
        }
        let problem = answer.problem(422, "invalid");
        assert_eq!(problem["errors"][0]["pointer"], format!("/{field}"));
        assert!(problem["errors"][0]["fix"].as_str().is_some_and(|fix| fix.starts_with("leave it out")), "{problem}");
    }
    let body =
        json!({"id": "key_000000000000", "project": "bank", "nme": "x", "name": "\u{2028}x\u{2029}y", "tags": 5});
    let problem = server.patch_key(&id, "*", &body).await.problem(422, "invalid");
    let mut places: Vec<_> = problem["errors"].as_array().expect("errors").iter().map(|one| &one["pointer"]).collect();
    places.sort_by_key(ToString::to_string);
    assert_eq!(places, ["/id", "/name", "/nme", "/project", "/tags"]);
}

#[tokio::test]
async fn what_cannot_be_is_refused() {
    let server = Server::with_two_projects().await;
    let id = key(&server).await;
    server.ingest_key("shop", "basket").await;
    for (body, place) in [
        (json!({"name": null}), "/name"),
        (json!({"name": "  "}), "/name"),
        (json!({"role": null}), "/role"),
        (json!({"role": "ingest", "permissions": ["customer.read"]}), "/permissions"),
        (json!({"permissions": []}), "/permissions"),
        (json!({"permissions": ["api.key.view"]}), "/permissions/0"),
        (json!({"expires_at": START.to_string()}), "/expires_at"),
        (json!({"owner": ""}), "/owner"),
    ] {
        let problem = server.patch_key(&id, "*", &body).await.problem(422, "invalid");
        assert_eq!(problem["errors"][0]["pointer"], place, "{body}");
    }
    server.patch_key(&id, "*", &json!({"permissions": ["customer.read"]})).await.expect(200);
    let problem = server.patch_key(&id, "*", &json!({"permissions": null})).await.problem(422, "invalid");
    assert_eq!(problem["errors"][0]["pointer"], "/permissions");
    let problem = server.patch_key(&id, "*", &json!({"name": "basket"})).await.problem(409, "key_exists");
    assert_eq!(problem["errors"][0]["pointer"], "/name");
    let problem = server.patch_key(&id, "*", &json!({"role": "viewer"})).await.problem(404, "role_not_found");
    assert_eq!(problem["errors"][0]["pointer"], "/role");
    let request = server.request(Method::PATCH, &format!("/keys/{id}")).header("x-api-key", &server.owner.token);
    let request = request.header("if-match", "*").header("content-type", "application/json-patch+json");
    server.send(request, "[]").await.problem(415, "content_type_unsupported");
}

/// An expired key gives its name free, and takes it again only where it still is.
#[tokio::test]
async fn an_expired_key_is_renewed() {
    let server = Server::with_two_projects().await;
    let mut body = ingest("shop", "checkout");
    body["expires_at"] = json!(START.after(Duration::from_secs(1)).to_string());
    let id = server.post("/keys", &body).await.expect(201)["key"]["id"].as_str().expect("an id").to_owned();
    server.clock.advance(Duration::from_secs(1));
    let other = server.ingest_key("shop", "checkout").await["key"]["id"].as_str().expect("an id").to_owned();
    server.patch_key(&id, "*", &json!({"expires_at": null})).await.problem(409, "key_exists");
    server.post(&format!("/keys/{other}/revoke"), &json!({})).await.expect(200);
    assert_eq!(server.patch_key(&id, "*", &json!({"expires_at": null})).await.expect(200)["status"], "active");
    let events = server.get(&format!("/keys/{id}/events")).await.expect(200);
    assert_eq!(events["data"][0]["action"], "key.renewed");
}
