//! What can happen to a key: every verb from every status, what it answers and what the key is afterwards.

use std::time::Duration;

use gridgate::domain::Permissions;
use http::Method;
use serde_json::{Value, json};

use super::{Admin, Answer, START, START_TEXT, Server, ingest, ingest_view, secret_view};

const HOUR: Duration = Duration::from_hours(1);

const STATUSES: [&str; 4] = ["active", "disabled", "expired", "revoked"];

/// A key of `shop` in a status: its id.
async fn key(server: &Server, name: &str, status: &str) -> String {
    let mut body = ingest("shop", name);
    if status == "expired" {
        body["expires_at"] = json!(server.now().after(Duration::from_secs(1)).to_string());
    }
    let id = server.post("/keys", &body).await.expect(201)["key"]["id"].as_str().expect("an id").to_owned();
    match status {
        "expired" => server.clock.advance(Duration::from_secs(1)),
        "disabled" => drop(server.post(&format!("/keys/{id}/disable"), &json!({})).await.expect(200)),
        "revoked" => drop(server.post(&format!("/keys/{id}/revoke"), &json!({})).await.expect(200)),
        _ => {}
    }
    id
}

async fn call(server: &Server, id: &str, verb: &str) -> Answer {
    match verb {
        "edit" => server.patch_key(id, "*", &json!({"note": "changed"})).await,
        "renew" => server.patch_key(id, "*", &json!({"expires_at": null})).await,
        "DELETE" => server.call(&server.owner, Method::DELETE, &format!("/keys/{id}"), None).await,
        _ => server.post(&format!("/keys/{id}/{verb}"), &json!({})).await,
    }
}

/// The table of the key's life. A verb ends in a status, or in a problem and changes nothing.
#[tokio::test]
async fn every_verb_from_every_status() {
    let server = Server::with_two_projects().await;
    let stay = STATUSES.map(Ok::<_, &str>);
    for (verb, ends, changes) in [
        ("edit", [stay[0], stay[1], stay[2], Err("key_revoked")], [true, true, true, false]),
        ("renew", [stay[0], stay[1], Ok("active"), Err("key_revoked")], [false, false, true, false]),
        ("disable", [Ok("disabled"), stay[1], stay[2], Err("key_revoked")], [true, false, true, false]),
        ("enable", [stay[0], Ok("active"), Err("key_expired"), Err("key_revoked")], [false, true, false, false]),
        ("regenerate", [stay[0], stay[1], Err("key_expired"), Err("key_revoked")], [true, true, false, false]),
        ("rotate", [stay[0], Err("key_disabled"), Err("key_expired"), Err("key_revoked")], [true, false, false, false]),
        ("rotation/complete", [stay[0], stay[1], stay[2], Err("key_revoked")], [false; 4]),
        ("rotation/cancel", [stay[0], stay[1], stay[2], Err("key_revoked")], [false; 4]),
        ("revoke", [Ok("revoked"); 4], [true, true, true, false]),
        ("DELETE", [Ok("revoked"); 4], [true, true, true, false]),
    ] {
        for ((status, end), changes) in STATUSES.into_iter().zip(ends).zip(changes) {
            let id = key(&server, &format!("{verb} {status}"), status).await;
            let path = format!("/keys/{id}");
            let before = server.get(&path).await.expect(200);
            let answer = call(&server, &id, verb).await;
            let after = server.get(&path).await;
            let view = after.expect(200);
            match end {
                Ok(end) => {
                    let shown = answer.expect(200);
                    let shown = if shown["key"].is_object() { &shown["key"] } else { &shown };
                    // Who was seen with an old secret, and how much comes with it, is told in the view alone.
                    let mut told = view.clone();
                    for field in ["/rotation/old_senders", "/rotation/traffic"] {
                        if let Some(more) = told.pointer_mut(field) {
                            *more = Value::Null;
                        }
                    }
                    assert_eq!(*shown, told, "{verb} of {status}");
                    assert_eq!(answer.header("etag"), after.header("etag"), "{verb} of {status}");
                    assert_eq!(view["status"], end, "{verb} of {status}");
                }
                Err(code) => {
                    answer.problem(409, code);
                    assert_eq!(view, before, "{verb} of {status}");
                }
            }
            let version = before["version"].as_u64().expect("a version") + u64::from(changes);
            assert_eq!(view["version"], version, "{verb} of {status}");
            assert_eq!(after.header("etag"), Some(format!("\"{version}\"").as_str()));
            // What is reached already stays as it is.
            let again = call(&server, &id, verb).await;
            if end.is_ok() && !["regenerate", "rotate"].contains(&verb) {
                again.expect(200);
                assert_eq!(server.get(&path).await.expect(200), view, "{verb} twice of {status}");
            }
        }
    }
}

#[tokio::test]
async fn a_key_is_created_with_everything() {
    let server = Server::with_two_projects().await;
    let mut body = ingest("shop", "checkout");
    for (field, value) in [
        ("note", json!("first line\nsecond: ünïcödé")),
        ("tags", json!(["team:payments", "eu", "eu"])),
        ("owner", json!(" ACME Ltd. ")),
        ("permissions", json!(["telemetry.logs.write", "customer.read"])),
        ("allowed_addresses", json!(["192.0.2.0/24", "2001:db8::1", "::ffff:198.51.100.7"])),
        ("expires_at", json!("2027-01-01T00:00:00Z")),
        ("disabled", json!(true)),
        ("format", json!("uuid")),
    ] {
        body[field] = value;
    }
    let created = server.post("/keys", &body).await.expect(201);
    let mut view = ingest_view(&server, &created["key"]["id"], "shop", "checkout");
    for (field, value) in [
        ("note", json!("first line\nsecond: ünïcödé")),
        ("tags", json!(["eu", "team:payments"])),
        ("owner", json!("ACME Ltd.")),
        ("role", Value::Null),
        ("permissions", json!(["customer.read", "telemetry.logs.write"])),
        ("allowed_addresses", json!(["192.0.2.0/24", "2001:db8::1/128", "198.51.100.7/32"])),
        ("expires_at", json!("2027-01-01T00:00:00.000000Z")),
        ("status", json!("disabled")),
        ("disabled_at", json!(START_TEXT)),
        ("masked", json!("…")),
    ] {
        view[field] = value;
    }
    view["secrets"][0]["format"] = json!("uuid");
    assert_eq!(created["key"], view);
    let token = created["token"].as_str().expect("a token");
    assert_eq!((token.len(), &token[14..15]), (36, "4"), "a UUID of version 4");
    // Its next secret is Gridgate's own.
    let id = created["key"]["id"].as_str().expect("an id");
    let renewed = server.post(&format!("/keys/{id}/regenerate"), &json!({})).await.expect(200);
    assert!(renewed["token"].as_str().is_some_and(|token| token.starts_with("ggi_prd_")), "{renewed}");
    assert_eq!(renewed["key"]["masked"], format!("ggi_prd_{}_…", &id["key_".len()..]));
    assert_eq!(renewed["key"]["secrets"][0]["format"], "token");
}

#[tokio::test]
async fn roles_are_those_of_the_kind_and_place() {
    let server = Server::with_two_projects().await;
    let with = |role: &str, more: Value| {
        let mut body = ingest("shop", role);
        body["role"] = json!(role);
        for (field, value) in more.as_object().expect("fields") {
            body[field] = value.clone();
        }
        body
    };
    let created = server.post("/keys", &with("ingest-logs", json!({}))).await.expect(201);
    assert_eq!(created["key"]["role"], "ingest-logs");
    assert_eq!(created["key"]["permissions"], json!(["telemetry.logs.write"]));
    for role in ["owner", "nobody", "reader"] {
        let problem = server.post("/keys", &with(role, json!({}))).await.problem(404, "role_not_found");
        assert_eq!(problem["errors"][0]["pointer"], "/role", "{role}");
    }
    let both = with("ingest", json!({"permissions": ["telemetry.logs.write"]}));
    let problem = server.post("/keys", &both).await.problem(422, "invalid");
    assert_eq!(problem["errors"][0]["pointer"], "/permissions");

    let role = json!({"slug": "reader", "kind": "ingest", "project": "shop",
        "permissions": ["customer.read", "telemetry.logs.write"]});
    server.post("/roles", &role).await.expect(201);
    let created = server.post("/keys", &with("reader", json!({}))).await.expect(201);
    assert_eq!(created["key"]["permissions"], json!(["customer.read", "telemetry.logs.write"]));
    let elsewhere = with("reader", json!({"project": "bank"}));
    server.post("/keys", &elsewhere).await.problem(404, "role_not_found");
}

fn admin_of(issued: &Value) -> Admin {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    Admin { id: text(&issued["key"]["id"]), token: text(&issued["token"]) }
}

/// An owner of `shop`, who can use its own token.
async fn owner_of_shop(server: &Server) -> Admin {
    let body = json!({"name": "shop owner", "kind": "admin", "project": "shop", "role": "owner"});
    admin_of(&server.post("/keys", &body).await.expect(201))
}

async fn own(server: &Server, admin: &Admin, verb: &str, body: Value) -> Answer {
    server.call(admin, Method::POST, &format!("/keys/{}/{verb}", admin.id), Some(&body)).await
}

async fn is_good(server: &Server, admin: &Admin) -> bool {
    let answer = server.call(admin, Method::GET, &format!("/keys/{}", admin.id), None).await;
    if answer.status == 401 {
        answer.problem(401, "credentials_retired");
        return false;
    }
    answer.expect(200);
    true
}

/// The caller's own key gets a new secret, and the caller learns it.
#[tokio::test]
async fn an_own_secret_is_regenerated() {
    let server = Server::with_two_projects().await;
    let old = owner_of_shop(&server).await;
    server.clock.advance(HOUR);
    let issued = own(&server, &old, "regenerate", json!({})).await.expect(200);
    let new = admin_of(&issued);
    let later = START.after(HOUR).to_string();
    let secrets =
        json!([secret_view(2, "current", &later, &Value::Null), secret_view(1, "retired", START_TEXT, &json!(later))]);
    assert_eq!(issued["key"]["secrets"], secrets);
    assert_eq!(issued["key"]["rotation"], Value::Null);
    assert!(!is_good(&server, &old).await && is_good(&server, &new).await);
    let listed = server.call(&new, Method::GET, &format!("/keys/{}/secrets", new.id), None).await;
    assert_eq!(listed.expect(200), json!({"data": secrets}));
}

#[tokio::test]
async fn a_rotation_ends_at_its_time() {
    let server = Server::with_two_projects().await;
    let old = owner_of_shop(&server).await;
    let day = 24 * HOUR;
    for (body, overlap, drained) in [
        (json!({}), day, Value::Null),
        (json!({"overlap_seconds": 7200, "drained_after_seconds": 300}), 2 * HOUR, json!(300)),
    ] {
        let key = json!({"name": format!("rotated {body}"), "kind": "admin", "project": "shop", "role": "owner"});
        let old = admin_of(&server.call(&old, Method::POST, "/keys", Some(&key)).await.expect(201));
        let issued = own(&server, &old, "rotate", body).await.expect(200);
        let until = server.now().after(overlap).to_string();
        let rotation = json!({"old_version": 1, "new_version": 2, "until": until, "drained_after_seconds": drained,
                              "old_last_used_at": null, "old_senders": null, "traffic": null});
        assert_eq!(issued["key"]["rotation"], rotation);
        assert_eq!(issued["key"]["secrets"][1]["state"], "retiring");
        let new = admin_of(&issued);
        server.clock.advance(overlap.checked_sub(Duration::from_micros(1)).unwrap());
        assert!(is_good(&server, &old).await && is_good(&server, &new).await);
        server.clock.advance(Duration::from_micros(1));
        assert!(!is_good(&server, &old).await && is_good(&server, &new).await);
        let view = server.get(&format!("/keys/{}", new.id)).await.expect(200);
        assert_eq!((&view["rotation"], &view["secrets"][1]["state"]), (&Value::Null, &json!("retired")));
    }
}

#[tokio::test]
async fn a_rotation_never_outlives_the_key() {
    let server = Server::with_two_projects().await;
    let mut body = ingest("shop", "checkout");
    let end = START.after(HOUR).to_string();
    body["expires_at"] = json!(end);
    let id = server.post("/keys", &body).await.expect(201)["key"]["id"].as_str().expect("an id").to_owned();
    let until = json!({"until": START.after(2 * HOUR).to_string()});
    let issued = server.post(&format!("/keys/{id}/rotate"), &until).await.expect(200);
    assert_eq!(issued["key"]["rotation"]["until"], json!(end));
    assert_eq!(issued["key"]["expires_at"], json!(end));
}

#[tokio::test]
async fn a_rotation_is_completed_cancelled_or_cut_short() {
    let server = Server::with_two_projects().await;
    // The verb, and which of the two secrets is good after it.
    for (verb, old_is_good, new_is_good) in
        [("rotation/complete", false, true), ("rotation/cancel", true, false), ("regenerate", false, false)]
    {
        let key = json!({"name": verb, "kind": "admin", "project": "shop", "role": "owner"});
        let old = admin_of(&server.post("/keys", &key).await.expect(201));
        let new = admin_of(&own(&server, &old, "rotate", json!({})).await.expect(200));
        own(&server, &old, "rotate", json!({})).await.problem(409, "rotation_in_progress");
        assert!(is_good(&server, &old).await && is_good(&server, &new).await, "{verb}");
        let path = format!("/keys/{}/{verb}", new.id);
        let ended = server.post(&path, &json!({})).await.expect(200);
        let view = if verb == "regenerate" { &ended["key"] } else { &ended };
        assert_eq!(view["rotation"], Value::Null, "{verb}");
        assert_eq!(is_good(&server, &old).await, old_is_good, "{verb}");
        assert_eq!(is_good(&server, &new).await, new_is_good, "{verb}");
        if verb != "regenerate" {
            assert_eq!(server.post(&path, &json!({})).await.expect(200), *view, "it is ended already");
        }
    }
}

/// What two admins of the same key and its own rights allow: nobody gets hold of more than they have.
#[tokio::test]
async fn nobody_changes_a_key_that_holds_more_than_their_own() {
    let server = Server::with_two_projects().await;
    let keys: Permissions = "api.key.create api.key.update api.key.delete api.key.view".parse().expect("permissions");
    let admin = server.admin("keeper", Some("shop"), keys).await;
    let above = owner_of_shop(&server).await;
    let before = server.get(&format!("/keys/{}", above.id)).await.expect(200);
    for (method, verb, body) in [
        (Method::POST, "/regenerate", json!({})),
        (Method::POST, "/rotate", json!({})),
        (Method::POST, "/rotation/complete", json!({})),
        (Method::POST, "/rotation/cancel", json!({})),
        (Method::POST, "/disable", json!({})),
        (Method::POST, "/enable", json!({})),
        (Method::POST, "/revoke", json!({})),
        (Method::DELETE, "", json!({})),
        (Method::PATCH, "", json!({"allowed_addresses": ["192.0.2.1"]})),
        (Method::PATCH, "", json!({"role": "viewer"})),
    ] {
        let path = format!("/keys/{}{verb}", above.id);
        let request = server.request(method.clone(), &path).header("x-api-key", &admin.token);
        let request = request.header("content-type", "application/json").header("if-match", "*");
        let problem = server.send(request, body.to_string()).await.problem(403, "grant_refused");
        assert!(
            problem["detail"].as_str().is_some_and(|text| text.contains(" * ") || text.contains(" *,")),
            "{problem}"
        );
        assert_eq!(server.get(&format!("/keys/{}", above.id)).await.expect(200), before, "{method} {verb}");
    }
    // Nor does anybody raise themselves.
    for body in [json!({"role": "owner"}), json!({"permissions": ["api.key.update", "role.create"]})] {
        let request = server.request(Method::PATCH, &format!("/keys/{}", admin.id));
        let request = request.header("x-api-key", &admin.token).header("if-match", "*");
        let answer = server.send(request.header("content-type", "application/json"), body.to_string()).await;
        answer.problem(403, "grant_refused");
    }
    // A secret of an ingest key gives away what the key may do.
    let mut body = ingest("shop", "reader");
    body["permissions"] = json!(["customer.read"]);
    let reader = server.post("/keys", &body).await.expect(201)["key"]["id"].as_str().expect("an id").to_owned();
    for verb in ["regenerate", "rotate"] {
        let answer = server.call(&admin, Method::POST, &format!("/keys/{reader}/{verb}"), None).await;
        answer.problem(403, "grant_refused");
    }
    server.call(&admin, Method::POST, &format!("/keys/{reader}/disable"), None).await.expect(200);
}
