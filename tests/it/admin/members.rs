//! Members: people with an admin key, and the owner that must stay.

use std::time::Duration;

use gridgate::domain::Permissions;
use http::Method;
use serde_json::{Value, json};

use super::{Admin, Server};

fn set(text: &str) -> Permissions {
    text.parse().expect("permissions")
}

impl Server {
    /// The member that was invited, as the one who calls.
    pub(crate) fn invited(answer: &Value) -> Admin {
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        Admin { id: text(&answer["member"]["id"]), token: text(&answer["token"]) }
    }

    async fn invite(&self, by: &Admin, body: Value) -> Admin {
        Self::invited(&self.call(by, Method::POST, "/members", Some(&body)).await.expect(201))
    }
}

#[tokio::test]
async fn a_member_is_invited_changed_and_removed() {
    let server = Server::with_two_projects().await;
    let body = json!({"name": "Ada Lovelace", "role": "operator", "project": "shop", "note": "On call",
        "expires_at": "2026-11-21T12:22:00Z"});
    let answer = server.post("/members", &body).await;
    let invited = answer.expect(201);
    let ada = Server::invited(&invited);
    assert_eq!(answer.header("location"), Some(format!("/api/v1/members/{}", ada.id).as_str()));
    assert_eq!(answer.header("etag"), Some("\"1\""));
    let member = &invited["member"];
    for (field, value) in [
        ("name", json!("Ada Lovelace")),
        ("kind", json!("admin")),
        ("project", json!("shop")),
        ("status", json!("active")),
        ("created_by", json!(server.owner.id)),
        ("expires_at", json!("2026-11-21T12:22:00.000000Z")),
    ] {
        assert_eq!(member[field], value, "{field}");
    }
    let path = format!("/members/{}", ada.id);
    assert_eq!(&server.get(&path).await.expect(200), member);
    assert_eq!(&server.call(&ada, Method::GET, "/me", None).await.expect(200), member);
    assert_eq!(server.get("/members").await.expect(200)["data"], json!([member]));
    assert_eq!(server.get("/members?project=bank").await.expect(200)["data"], json!([]));
    // A role that holds less is felt at once, and an expiry can be taken away.
    server.call(&ada, Method::POST, "/projects/shop/grids", Some(&json!({"slug": "app"}))).await.expect(201);
    let edited =
        server.edit(&server.owner, &path, "\"1\"", &json!({"role": "viewer", "expires_at": null, "name": "Ada"})).await;
    assert_eq!(edited.header("etag"), Some("\"2\""));
    let edited = edited.expect(200);
    assert_eq!((edited["name"].clone(), edited["expires_at"].clone()), (json!("Ada"), Value::Null));
    let grid = json!({"slug": "late"});
    server.call(&ada, Method::POST, "/projects/shop/grids", Some(&grid)).await.problem(403, "permission_denied");
    server.clock.advance(Duration::from_hours(3));
    server.call(&ada, Method::GET, "/projects/shop/grids", None).await.expect(200);
    let late = server.edit(&server.owner, &path, "\"1\"", &json!({"role": "owner"})).await;
    assert_eq!(late.problem(412, "version_conflict")["current_version"], 2);

    assert_eq!(server.call(&server.owner, Method::DELETE, &path, None).await.expect(200)["status"], "revoked");
    assert_eq!(server.call(&server.owner, Method::DELETE, &path, None).await.expect(200)["status"], "revoked");
    server.call(&ada, Method::GET, "/me", None).await.problem(401, "credentials_revoked");
    assert_eq!(server.get("/members").await.expect(200)["data"], json!([]));
    let actions: Vec<_> = server.get(&format!("/keys/{}/events", ada.id)).await.expect(200)["data"]
        .as_array()
        .expect("entries")
        .iter()
        .map(|entry| entry["action"].clone())
        .collect();
    assert_eq!(actions, ["member.removed", "member.edited", "member.invited"]);
}

#[tokio::test]
async fn a_key_that_is_nobodys_is_no_member() {
    let server = Server::with_two_projects().await;
    let key = server.ingest_key("shop", "checkout").await["key"]["id"].as_str().expect("an id").to_owned();
    for id in [&key, &server.owner.id] {
        server.get(&format!("/members/{id}")).await.problem(404, "key_not_found");
        server.edit(&server.owner, &format!("/members/{id}"), "*", &json!({})).await.problem(404, "key_not_found");
        let removed = server.call(&server.owner, Method::DELETE, &format!("/members/{id}"), None).await;
        removed.problem(404, "key_not_found");
    }
    assert_eq!(server.get(&format!("/keys/{key}")).await.expect(200)["status"], "active");
}

#[tokio::test]
async fn fields_of_a_member() {
    let server = Server::with_two_projects().await;
    let pointers = |problem: &Value| -> Vec<String> {
        problem["errors"]
            .as_array()
            .expect("errors")
            .iter()
            .map(|error| error["pointer"].as_str().expect("text").to_owned())
            .collect()
    };
    let bad =
        json!({"name": "", "role": "Owner", "project": "-", "expires_at": "2020-01-01T00:00:00Z", "note": "\u{0}"});
    let problem = server.post("/members", &bad).await.problem(422, "invalid");
    assert_eq!(pointers(&problem), ["/name", "/role", "/project", "/expires_at", "/note"]);
    assert_eq!(pointers(&server.post("/members", &json!({})).await.problem(422, "invalid")), ["/name", "/role"]);
    // A role that there is not, and one for ingest keys.
    for role in ["nothing", "ingest"] {
        let problem =
            server.post("/members", &json!({"name": "Ada", "role": role})).await.problem(404, "role_not_found");
        assert_eq!(pointers(&problem), ["/role"]);
    }
    let nowhere = json!({"name": "Ada", "role": "viewer", "project": "nowhere"});
    assert_eq!(pointers(&server.post("/members", &nowhere).await.problem(404, "project_not_found")), ["/project"]);
    let ada = server.invite(&server.owner, json!({"name": "Ada", "role": "viewer"})).await;
    let again = server.post("/members", &json!({"name": "Ada", "role": "viewer"})).await.problem(409, "key_exists");
    assert_eq!(pointers(&again), ["/name"]);
    let path = format!("/members/{}", ada.id);
    for body in [json!({"project": "shop"}), json!({"role": null}), json!({"name": null}), json!({"role": "ingest?"})] {
        server.edit(&server.owner, &path, "*", &body).await.problem(422, "invalid");
    }
    server.edit(&server.owner, &path, "*", &json!({"role": "ingest"})).await.problem(404, "role_not_found");
    server.call(&server.owner, Method::PATCH, &path, Some(&json!({}))).await.problem(428, "precondition_required");
}

#[tokio::test]
async fn nobody_raises_themselves_nor_touches_who_holds_more() {
    let server = Server::with_two_projects().await;
    let admin = server.invite(&server.owner, json!({"name": "Admin", "role": "admin"})).await;
    let owner = server.invite(&server.owner, json!({"name": "Owner", "role": "owner"})).await;
    let (own, other) = (format!("/members/{}", admin.id), format!("/members/{}", owner.id));
    server.edit(&admin, &own, "*", &json!({"role": "owner"})).await.problem(403, "grant_refused");
    for body in [json!({"role": "viewer"}), json!({"name": "Nobody"}), json!({"expires_at": "2027-01-01T00:00:00Z"})] {
        server.edit(&admin, &other, "*", &body).await.problem(403, "grant_refused");
    }
    server.call(&admin, Method::DELETE, &other, None).await.problem(403, "grant_refused");
    for verb in ["disable", "revoke"] {
        let path = format!("/keys/{}/{verb}", owner.id);
        server.call(&admin, Method::POST, &path, None).await.problem(403, "grant_refused");
    }
    let more = json!({"name": "More", "role": "owner"});
    server.call(&admin, Method::POST, "/members", Some(&more)).await.problem(403, "grant_refused");
    let peer = server.invite(&admin, json!({"name": "Peer", "role": "admin"})).await;
    server.edit(&admin, &format!("/members/{}", peer.id), "*", &json!({"role": "viewer"})).await.expect(200);
    assert_eq!(server.get(&other).await.expect(200)["status"], "active");
    // A permission of the deployment's own is one that an admin lacks.
    let role = json!({"slug": "support", "kind": "admin", "permissions": ["customer.read"]});
    server.post("/roles", &role).await.expect(201);
    let support = json!({"name": "Support", "role": "support"});
    server.call(&admin, Method::POST, "/members", Some(&support)).await.problem(403, "grant_refused");
    server.invite(&owner, support).await;
}

#[tokio::test]
async fn the_last_owner_stays_by_every_verb() {
    let server = Server::with_two_projects().await;
    let id = server.owner.id.clone();
    let takes =
        |id: &str| [(Method::POST, format!("/keys/{id}/disable")), (Method::POST, format!("/keys/{id}/revoke"))];
    for (method, path) in takes(&id) {
        server.call(&server.owner, method, &path, None).await.problem(409, "last_owner");
    }
    let ada = server.invite(&server.owner, json!({"name": "Ada", "role": "owner"})).await;
    server.call(&ada, Method::POST, &format!("/keys/{id}/revoke"), None).await.expect(200);
    for (method, path) in takes(&ada.id) {
        server.call(&ada, method, &path, None).await.problem(409, "last_owner");
    }
    let path = format!("/members/{}", ada.id);
    server.call(&ada, Method::DELETE, &path, None).await.problem(409, "last_owner");
    for body in [json!({"role": "admin"}), json!({"expires_at": "2027-01-01T00:00:00Z"})] {
        server.edit(&ada, &path, "*", &body).await.problem(409, "last_owner");
    }
    server.edit(&ada, &path, "*", &json!({"name": "Ada Lovelace"})).await.expect(200);
    // Of a project: for its own callers, not for those of the installation.
    let shop = server.invite(&ada, json!({"name": "Shop", "role": "owner", "project": "shop"})).await;
    let path = format!("/members/{}", shop.id);
    server.call(&shop, Method::DELETE, &path, None).await.problem(409, "last_owner");
    server.call(&ada, Method::DELETE, &path, None).await.expect(200);
}

#[tokio::test]
async fn everybody_sees_their_own_key() {
    let server = Server::with_two_projects().await;
    let nobody = server.admin("nobody", Some("shop"), set("")).await;
    let me = server.call(&nobody, Method::GET, "/me", None).await.expect(200);
    assert_eq!((me["id"].clone(), me["permissions"].clone()), (json!(nobody.id), json!([])));
    server.call(&nobody, Method::GET, &format!("/keys/{}", nobody.id), None).await.problem(403, "permission_denied");
}
