//! Two projects: an admin key of one sees nothing of the other. What exists there and what exists nowhere look the same.

use gridgate::domain::Permissions;
use http::Method;
use serde_json::{Value, json};

use super::{Admin, Server, ingest};

struct Two {
    server: Server,
    shop: Admin,
    /// Ids of an ingest key and an admin key of the other project, and of an admin key of the installation.
    foreign: [String; 3],
}

async fn two() -> Two {
    let server = Server::with_two_projects().await;
    let shop = server.admin("shop admin", Some("shop"), Permissions::owner()).await;
    let bank = server.admin("bank admin", Some("bank"), Permissions::owner()).await;
    let ingest = server.ingest_key("bank", "ledger").await["key"]["id"].as_str().expect("an id").to_owned();
    let local = json!({"slug": "local", "kind": "admin", "permissions": ["a.b"], "project": "bank"});
    server.post("/roles", &local).await.expect(201);
    let installation = server.owner.id.clone();
    Two { server, shop, foreign: [ingest, bank.id, installation] }
}

#[tokio::test]
async fn the_other_project_looks_as_if_it_did_not_exist() {
    let Two { server, shop, .. } = two().await;
    let requests = |project: &str| {
        [
            (Method::GET, format!("/projects/{project}"), None),
            (Method::GET, format!("/projects/{project}/grids"), None),
            (Method::GET, format!("/projects/{project}/grids/web"), None),
            (Method::POST, format!("/projects/{project}/grids"), Some(json!({"slug": "web"}))),
            (Method::GET, format!("/keys?project={project}"), None),
            (Method::POST, "/keys".to_owned(), Some(ingest(project, "spy"))),
            (Method::POST, "/keys".to_owned(), Some(json!({"name": "spy", "kind": "admin", "project": project}))),
            (Method::PATCH, format!("/projects/{project}"), Some(json!({"name": "Mine"}))),
            (Method::GET, format!("/members?project={project}"), None),
            (Method::POST, "/members".to_owned(), Some(json!({"name": "spy", "role": "viewer", "project": project}))),
            (Method::GET, format!("/roles?project={project}"), None),
            (Method::GET, format!("/roles/local?project={project}"), None),
            (Method::DELETE, format!("/roles/local?project={project}"), None),
            (
                Method::POST,
                "/roles".to_owned(),
                Some(json!({"slug": "spy", "kind": "admin", "permissions": ["a.b"], "project": project})),
            ),
            (Method::GET, format!("/audit-events?project={project}"), None),
            (Method::GET, format!("/requests?project={project}"), None),
            (Method::GET, format!("/requests/live?project={project}"), None),
        ]
    };
    for ((method, path, body), (_, twin_path, twin_body)) in requests("bank").into_iter().zip(requests("nowhere")) {
        let problem = server.call(&shop, method.clone(), &path, body.as_ref()).await.problem(404, "project_not_found");
        let twin = server.call(&shop, method.clone(), &twin_path, twin_body.as_ref()).await;
        assert_eq!(problem, twin.problem(404, "project_not_found"), "{method} {path}");
    }
    let edit = json!({"name": "Mine"});
    let problem = server.edit(&shop, "/roles/local?project=bank", "*", &edit).await.problem(404, "project_not_found");
    let twin = server.edit(&shop, "/roles/local?project=nowhere", "*", &edit).await;
    assert_eq!(problem, twin.problem(404, "project_not_found"));
    assert_eq!(server.get("/projects/bank/grids").await.expect(200)["data"].as_array().map(Vec::len), Some(1));
    assert_eq!(server.get("/projects/bank").await.expect(200)["name"], "bank");
    server.get("/roles/local?project=bank").await.expect(200);
    server.call(&shop, Method::GET, "/roles/local", None).await.problem(404, "role_not_found");
}

#[tokio::test]
async fn keys_of_others_look_as_if_they_did_not_exist() {
    let Two { server, shop, foreign } = two().await;
    for id in &foreign {
        for (method, verb) in [
            (Method::GET, ""),
            (Method::GET, "/events"),
            (Method::POST, "/disable"),
            (Method::POST, "/enable"),
            (Method::POST, "/revoke"),
            (Method::GET, "/secrets"),
            (Method::POST, "/regenerate"),
            (Method::POST, "/rotate"),
            (Method::POST, "/rotation/complete"),
            (Method::POST, "/rotation/cancel"),
            (Method::DELETE, ""),
        ] {
            let problem = server.call(&shop, method.clone(), &format!("/keys/{id}{verb}"), None).await;
            let twin = server.call(&shop, method.clone(), &format!("/keys/key_000000000000{verb}"), None).await;
            let problem = problem.problem(404, "key_not_found");
            assert_eq!(problem, twin.problem(404, "key_not_found"), "{method} {id}{verb}");
        }
        let edit = json!({"name": "Mine"});
        let problem = server.edit(&shop, &format!("/keys/{id}"), "\"1\"", &edit).await.problem(404, "key_not_found");
        let twin = server.edit(&shop, "/keys/key_000000000000", "\"1\"", &edit).await;
        assert_eq!(problem, twin.problem(404, "key_not_found"));
        let view = server.get(&format!("/keys/{id}")).await.expect(200);
        assert_eq!((&view["status"], &view["version"]), (&json!("active"), &json!(1)));
    }
    // Nor are the members of others any: of another project, and of the installation.
    for project in [json!("bank"), Value::Null] {
        let member = json!({"name": "Ada", "role": "viewer", "project": project});
        let member = Server::invited(&server.post("/members", &member).await.expect(201)).id;
        for id in [&member, "key_000000000000"] {
            let path = format!("/members/{id}");
            for method in [Method::GET, Method::DELETE] {
                server.call(&shop, method, &path, None).await.problem(404, "key_not_found");
            }
            server.edit(&shop, &path, "*", &json!({"name": "Mine"})).await.problem(404, "key_not_found");
        }
    }
    assert_eq!(server.call(&shop, Method::GET, "/members", None).await.expect(200)["data"], json!([]));
    let events = server.events.lock().expect("events");
    assert!(!events.iter().any(|event| event.starts_with("changed")), "{events:?}");
}

#[tokio::test]
async fn lists_hold_only_what_is_its_own() {
    let Two { server, shop, .. } = two().await;
    server.ingest_key("shop", "checkout").await;
    let names = |list: Value| -> Vec<Value> {
        list["data"].as_array().expect("rows").iter().map(|row| row["name"].clone()).collect()
    };
    let projects = server.call(&shop, Method::GET, "/projects", None).await.expect(200);
    assert_eq!(projects["data"].as_array().map(Vec::len), Some(1));
    assert_eq!(projects["data"][0]["slug"], "shop");
    for query in ["", "?project=shop", "?status=all"] {
        let mut listed = names(server.call(&shop, Method::GET, &format!("/keys{query}"), None).await.expect(200));
        listed.sort_by_key(Value::to_string);
        assert_eq!(listed, [json!("checkout"), json!("shop admin")], "{query}");
    }
    server.call(&shop, Method::GET, "/projects?cursor=shop", None).await.problem(422, "invalid");
}

#[tokio::test]
async fn what_belongs_to_the_installation_is_forbidden() {
    let Two { server, shop, .. } = two().await;
    let project = json!({"slug": "third"});
    server.call(&shop, Method::POST, "/projects", Some(&project)).await.problem(403, "installation_only");
    let key = json!({"name": "spy", "kind": "admin"});
    server.call(&shop, Method::POST, "/keys", Some(&key)).await.problem(403, "installation_only");
    let member = json!({"name": "spy", "role": "viewer"});
    server.call(&shop, Method::POST, "/members", Some(&member)).await.problem(403, "installation_only");
    let role = json!({"slug": "spy", "kind": "admin", "permissions": ["a.b"]});
    server.call(&shop, Method::POST, "/roles", Some(&role)).await.problem(403, "installation_only");
    let environment = json!({"slug": "load", "code": "load"});
    server.call(&shop, Method::POST, "/environments", Some(&environment)).await.problem(403, "installation_only");
    let edit = json!({"name": "Mine"});
    server.edit(&shop, "/environments/staging", "*", &edit).await.problem(403, "installation_only");
    let limit = json!({"max_active_keys": 9});
    server.edit(&shop, "/projects/shop", "*", &limit).await.problem(403, "installation_only");
}

#[tokio::test]
async fn its_own_project_is_open() {
    let Two { server, shop, .. } = two().await;
    server.call(&shop, Method::GET, "/projects/shop", None).await.expect(200);
    server.call(&shop, Method::GET, "/environments", None).await.expect(200);
    server.call(&shop, Method::POST, "/projects/shop/grids", Some(&json!({"slug": "app"}))).await.expect(201);
    let key = server.call(&shop, Method::POST, "/keys", Some(&ingest("shop", "checkout"))).await.expect(201);
    let path = format!("/keys/{}/revoke", key["key"]["id"].as_str().expect("an id"));
    assert_eq!(server.call(&shop, Method::POST, &path, None).await.expect(200)["status"], "revoked");
}
