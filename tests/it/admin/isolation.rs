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
            (Method::POST, format!("/projects/{project}/grids"), Some(json!({"slug": "web"}))),
            (Method::GET, format!("/keys?project={project}"), None),
            (Method::POST, "/keys".to_owned(), Some(ingest(project, "spy"))),
            (Method::POST, "/keys".to_owned(), Some(json!({"name": "spy", "kind": "admin", "project": project}))),
        ]
    };
    for ((method, path, body), (_, twin_path, twin_body)) in requests("bank").into_iter().zip(requests("nowhere")) {
        let problem = server.call(&shop, method.clone(), &path, body.as_ref()).await.problem(404, "project_not_found");
        let twin = server.call(&shop, method.clone(), &twin_path, twin_body.as_ref()).await;
        assert_eq!(problem, twin.problem(404, "project_not_found"), "{method} {path}");
    }
    assert_eq!(server.get("/projects/bank/grids").await.expect(200)["data"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn keys_of_others_look_as_if_they_did_not_exist() {
    let Two { server, shop, foreign } = two().await;
    for id in &foreign {
        for (method, verb) in
            [(Method::GET, ""), (Method::POST, "/disable"), (Method::POST, "/enable"), (Method::POST, "/revoke")]
        {
            let problem = server.call(&shop, method.clone(), &format!("/keys/{id}{verb}"), None).await;
            let twin = server.call(&shop, method.clone(), &format!("/keys/key_000000000000{verb}"), None).await;
            let problem = problem.problem(404, "key_not_found");
            assert_eq!(problem, twin.problem(404, "key_not_found"), "{method} {id}{verb}");
        }
        assert_eq!(server.get(&format!("/keys/{id}")).await.expect(200)["status"], "active");
    }
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
