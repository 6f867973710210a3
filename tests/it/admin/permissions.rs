//! Every route against every permission: all but the one it needs are not enough, and that one alone is.

use gridgate::domain::Permission;
use http::Method;
use serde_json::{Value, json};

use super::{Server, ingest};

#[tokio::test]
async fn each_route_needs_its_permission_and_no_other() {
    let server = Server::with_two_projects().await;
    let key = server.ingest_key("shop", "checkout").await["key"]["id"].as_str().expect("an id").to_owned();
    let routes: [(Method, String, Option<Value>, Permission); 12] = [
        (Method::GET, "/environments".to_owned(), None, Permission::ProjectView),
        (Method::GET, "/projects".to_owned(), None, Permission::ProjectView),
        (Method::POST, "/projects".to_owned(), Some(json!({"slug": "third"})), Permission::ProjectCreate),
        (Method::GET, "/projects/shop".to_owned(), None, Permission::ProjectView),
        (Method::GET, "/projects/shop/grids".to_owned(), None, Permission::GridView),
        (Method::POST, "/projects/shop/grids".to_owned(), Some(json!({"slug": "app"})), Permission::GridCreate),
        (Method::GET, "/keys".to_owned(), None, Permission::KeyView),
        (Method::POST, "/keys".to_owned(), Some(ingest("shop", "another")), Permission::KeyCreate),
        (Method::GET, format!("/keys/{key}"), None, Permission::KeyView),
        (Method::POST, format!("/keys/{key}/disable"), None, Permission::KeyUpdate),
        (Method::POST, format!("/keys/{key}/enable"), None, Permission::KeyUpdate),
        (Method::POST, format!("/keys/{key}/revoke"), None, Permission::KeyDelete),
    ];
    for (method, path, body, needed) in routes {
        let others =
            Permission::ALL.iter().copied().filter(|one| !one.is_telemetry_write() && *one != needed).collect();
        let without = server.admin(&format!("{method} {path} without"), None, others).await;
        let problem =
            server.call(&without, method.clone(), &path, body.as_ref()).await.problem(403, "permission_denied");
        let detail = format!("this needs the permission {needed}, which {} lacks", without.id);
        assert_eq!(problem["detail"], detail, "{method} {path}");
        let with = server.admin(&format!("{method} {path} with"), None, [needed].into_iter().collect()).await;
        let answer = server.call(&with, method.clone(), &path, body.as_ref()).await;
        assert!(answer.status.is_success(), "{method} {path}: {}", answer.text);
    }
}
