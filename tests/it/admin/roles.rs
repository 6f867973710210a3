//! Roles over the API: how they are made, shown, edited and deleted, and what that does to keys.

use gridgate::domain::Permissions;
use http::Method;
use serde_json::{Value, json};

use super::{START_TEXT, Server, ingest};

fn set(text: &str) -> Permissions {
    text.parse().expect("permissions")
}

fn role(slug: &str, kind: &str, permissions: &[&str]) -> Value {
    json!({"slug": slug, "kind": kind, "permissions": permissions})
}

#[tokio::test]
async fn a_role_is_made_shown_edited_and_deleted() {
    let server = Server::with_two_projects().await;
    let body = json!({"slug": "reader", "name": "Readers", "note": "Of the shop\nalone", "kind": "ingest",
        "project": "shop", "permissions": ["telemetry.logs.write", "customer.read"]});
    let answer = server.post("/roles", &body).await;
    let created = answer.expect(201);
    let mut view = json!({
        "slug": "reader",
        "kind": "ingest",
        "name": "Readers",
        "note": "Of the shop\nalone",
        "project": "shop",
        "permissions": ["customer.read", "telemetry.logs.write"],
        "built_in": false,
        "version": 1,
        "created_at": START_TEXT,
        "updated_at": START_TEXT,
    });
    assert_eq!(created, view);
    assert_eq!(answer.header("location"), Some("/api/v1/roles/reader?project=shop"));
    let path = "/roles/reader?project=shop";
    let shown = server.get(path).await;
    assert_eq!((shown.header("etag"), shown.expect(200)), (Some("\"1\""), view.clone()));
    // Elsewhere there is none.
    server.get("/roles/reader").await.problem(404, "role_not_found");
    server.get("/roles/reader?project=bank").await.problem(404, "role_not_found");

    let edit = json!({"note": "", "permissions": ["telemetry.logs.write"]});
    let edited = server.edit(&server.owner, path, "\"1\"", &edit).await;
    view["note"] = json!("");
    view["permissions"] = json!(["telemetry.logs.write"]);
    view["version"] = json!(2);
    assert_eq!((edited.header("etag"), edited.expect(200)), (Some("\"2\""), view.clone()));
    let late = server.edit(&server.owner, path, "\"1\"", &edit).await;
    assert_eq!(late.header("etag"), Some("\"2\""));
    assert_eq!(late.problem(412, "version_conflict")["current_version"], 2);
    assert_eq!(server.edit(&server.owner, path, "*", &json!({})).await.expect(200), view);
    server.call(&server.owner, Method::PATCH, path, Some(&edit)).await.problem(428, "precondition_required");

    let gone = server.call(&server.owner, Method::DELETE, path, None).await;
    assert_eq!((gone.status.as_u16(), gone.text.as_str()), (204, ""));
    server.get(path).await.problem(404, "role_not_found");
    server.call(&server.owner, Method::DELETE, path, None).await.problem(404, "role_not_found");
}

#[tokio::test]
async fn built_in_roles_are_listed_and_never_change() {
    let server = Server::with_two_projects().await;
    server.post("/roles", &role("support", "admin", &["customer.read"])).await.expect(201);
    let mut local = role("local", "admin", &["customer.read"]);
    local["project"] = json!("shop");
    server.post("/roles", &local).await.expect(201);
    let slugs = |list: &Value| -> Vec<String> {
        list["data"]
            .as_array()
            .expect("rows")
            .iter()
            .map(|row| row["slug"].as_str().expect("text").to_owned())
            .collect()
    };
    let built_in = [
        "admin",
        "auditor",
        "ingest",
        "ingest-logs",
        "ingest-metrics",
        "ingest-profiles",
        "ingest-traces",
        "operator",
        "owner",
    ];
    let all = server.get("/roles").await.expect(200);
    assert_eq!(slugs(&all), [&built_in[..], &["support", "viewer"]].concat());
    let of_shop = server.get("/roles?project=shop&limit=200").await.expect(200);
    let mut expected = [&built_in[..], &["local", "support", "viewer"]].concat();
    expected.sort_unstable();
    assert_eq!(slugs(&of_shop), expected);
    let shop = server.admin("shop admin", Some("shop"), set("role.view role.update role.delete customer.read")).await;
    assert_eq!(slugs(&server.call(&shop, Method::GET, "/roles", None).await.expect(200)), expected);

    let owner = server.get("/roles/owner").await;
    assert_eq!(owner.header("etag"), None);
    let view = json!({"slug": "owner", "kind": "admin", "name": "Owner", "project": null, "permissions": ["*"],
        "note": "Everything, permissions of the deployment's own included", "built_in": true, "version": null,
        "created_at": null, "updated_at": null});
    assert_eq!(owner.expect(200), view);
    let edit = json!({"permissions": ["api.key.view"]});
    server.edit(&server.owner, "/roles/owner", "*", &edit).await.problem(409, "role_built_in");
    server.call(&server.owner, Method::DELETE, "/roles/viewer", None).await.problem(409, "role_built_in");
    server.post("/roles", &role("viewer", "admin", &["customer.read"])).await.problem(409, "role_exists");

    // Those of the installation are seen in a project, and changed by others.
    server.call(&shop, Method::GET, "/roles/support", None).await.expect(200);
    let edit = json!({"name": "Mine"});
    server.edit(&shop, "/roles/support", "*", &edit).await.problem(403, "installation_only");
    server.call(&shop, Method::DELETE, "/roles/support", None).await.problem(403, "installation_only");
    server.edit(&shop, "/roles/local", "*", &edit).await.expect(200);
}

#[tokio::test]
async fn an_edited_role_holds_in_the_admin_api_at_once() {
    let server = Server::with_two_projects().await;
    server.post("/roles", &role("support", "admin", &["project.view"])).await.expect(201);
    let invited = server.post("/members", &json!({"name": "Ada", "role": "support"})).await.expect(201);
    let ada = Server::invited(&invited);
    server.call(&ada, Method::GET, "/projects", None).await.expect(200);
    server.call(&ada, Method::GET, "/keys", None).await.problem(403, "permission_denied");
    let edit = json!({"permissions": ["api.key.view"]});
    server.events.lock().expect("events").clear();
    server.edit(&server.owner, "/roles/support", "*", &edit).await.expect(200);
    assert_eq!(*server.events.lock().expect("events"), ["changed role support", "announced all"]);
    server.call(&ada, Method::GET, "/projects", None).await.problem(403, "permission_denied");
    server.call(&ada, Method::GET, "/keys", None).await.expect(200);

    server.call(&server.owner, Method::DELETE, "/roles/support", None).await.problem(409, "role_in_use");
    server.call(&server.owner, Method::DELETE, &format!("/members/{}", ada.id), None).await.expect(200);
    server.call(&server.owner, Method::DELETE, "/roles/support", None).await;
    server.get("/roles/support").await.problem(404, "role_not_found");
    let left = server.get(&format!("/members/{}", ada.id)).await.expect(200);
    assert_eq!((left["status"].clone(), left["permissions"].clone()), (json!("revoked"), json!([])));
}

#[tokio::test]
async fn nobody_makes_or_edits_a_role_with_what_they_lack() {
    let server = Server::with_two_projects().await;
    let lead = server.admin("lead", None, set("role.create role.update role.view customer.read")).await;
    let post = |body: Value| {
        let (server, lead) = (&server, &lead);
        async move { server.call(lead, Method::POST, "/roles", Some(&body)).await }
    };
    let problem = post(role("high", "admin", &["customer.read", "license.manage"])).await.problem(403, "grant_refused");
    assert_eq!(problem["detail"], format!("{} lacks the permission license.manage and so cannot grant it", lead.id));
    post(role("exporter", "ingest", &["telemetry.logs.write"])).await.problem(403, "grant_refused");
    post(role("low", "admin", &["customer.read"])).await.expect(201);
    server.post("/roles", &role("high", "admin", &["license.manage"])).await.expect(201);
    let patch = |path: &'static str, permissions: Value| {
        let (server, lead) = (&server, &lead);
        async move { server.edit(lead, path, "*", &json!({"permissions": permissions})).await }
    };
    patch("/roles/low", json!(["customer.read", "license.manage"])).await.problem(403, "grant_refused");
    let problem = patch("/roles/high", json!(["customer.read"])).await.problem(403, "grant_refused");
    let detail =
        format!("{} lacks the permission license.manage, which the role holds, and so cannot change it", lead.id);
    assert_eq!(problem["detail"], detail);
    patch("/roles/low", json!(["*"])).await.problem(403, "grant_refused");
    assert_eq!(server.get("/roles/low").await.expect(200)["version"], 1);
    // Who may create keys may let them export, by a role as well.
    let maker = server.admin("maker", None, set("role.create api.key.create")).await;
    let exporter = role("exporter", "ingest", &["telemetry.logs.write"]);
    server.call(&maker, Method::POST, "/roles", Some(&exporter)).await.expect(201);
}

#[tokio::test]
async fn fields_of_a_role_are_all_told_at_once() {
    let server = Server::with_two_projects().await;
    let pointers = |problem: &Value| -> Vec<String> {
        problem["errors"]
            .as_array()
            .expect("errors")
            .iter()
            .map(|error| error["pointer"].as_str().expect("text").to_owned())
            .collect()
    };
    for (body, expected) in [
        (json!({}), vec!["/slug", "/kind", "/permissions"]),
        (
            json!({"slug": "A", "name": "", "note": "\u{7}", "kind": "root", "project": "", "permissions": []}),
            vec!["/slug", "/name", "/note", "/kind", "/project"],
        ),
        (
            json!({"slug": "a", "kind": "ingest", "permissions": ["*", "api.key.view", "x"]}),
            vec!["/permissions/0", "/permissions/1", "/permissions/2"],
        ),
        (
            json!({"slug": "a", "kind": "admin", "permissions": ["telemetry.logs.write", "telemetry.read"]}),
            vec!["/permissions/0", "/permissions/1"],
        ),
        (json!({"slug": "a", "kind": "admin", "permissions": vec!["a.b"; 101]}), vec!["/permissions"]),
    ] {
        let problem = server.post("/roles", &body).await.problem(422, "invalid");
        assert_eq!(pointers(&problem), expected, "{body}");
    }
    let mut unknown = role("a", "admin", &["a.b"]);
    unknown["project"] = json!("nowhere");
    assert_eq!(pointers(&server.post("/roles", &unknown).await.problem(404, "project_not_found")), ["/project"]);
    server.post("/roles", &role("support", "admin", &["a.b"])).await.expect(201);
    for body in [json!({"name": null}), json!({"slug": "other"}), json!({"kind": "ingest"}), json!({"permissions": []})]
    {
        server.edit(&server.owner, "/roles/support", "*", &body).await.problem(422, "invalid");
    }
    server.get("/roles?projects=shop").await.problem(422, "invalid");
    server.get("/roles/NO").await.problem(404, "role_not_found");
    server.ingest_key("shop", "checkout").await;
    server.post("/keys", &ingest("shop", "another")).await.expect(201);
}
