//! Every route against every permission: all but the one it needs are not enough, and that one alone is.

use gridgate::domain::Permission;
use http::Method;
use serde_json::{Value, json};

use super::{Admin, Answer, Server, ingest};

#[tokio::test]
async fn each_route_needs_its_permission_and_no_other() {
    let server = Server::with_two_projects().await;
    let key = server.ingest_key("shop", "checkout").await["key"]["id"].as_str().expect("an id").to_owned();
    let role =
        |slug: &str, kind: &str, permission: &str| json!({"slug": slug, "kind": kind, "permissions": [permission]});
    for slug in ["logs", "gone"] {
        server.post("/roles", &role(slug, "ingest", "telemetry.logs.write")).await.expect(201);
    }
    // Who changes a member has to hold what the member holds.
    let mut members = Vec::new();
    for verb in ["create", "update", "delete"] {
        server.post("/roles", &role(verb, "admin", &format!("member.{verb}"))).await.expect(201);
        let invited = server.post("/members", &json!({"name": verb, "role": verb})).await.expect(201);
        members.push(invited["member"]["id"].as_str().expect("an id").to_owned());
    }
    let [_, updated, deleted] = members.try_into().expect("three");
    let environment = json!({"slug": "load", "code": "load"});
    let edit = Some(json!({"name": "Edited"}));
    let tenant = "/projects/shop/grids/web/environments/production/limits";
    let routes: [(Method, String, Option<Value>, Permission); _] = [
        (Method::POST, "/environments".to_owned(), Some(environment), Permission::EnvironmentCreate),
        (Method::PATCH, "/environments/staging".to_owned(), edit.clone(), Permission::EnvironmentUpdate),
        (Method::PATCH, "/projects/shop".to_owned(), edit.clone(), Permission::ProjectUpdate),
        (Method::GET, format!("/keys/{key}/events"), None, Permission::AuditView),
        (Method::GET, "/audit-events".to_owned(), None, Permission::AuditView),
        (Method::GET, "/audit-events/head".to_owned(), None, Permission::AuditView),
        (Method::GET, "/audit-events/verify".to_owned(), None, Permission::AuditView),
        (Method::GET, "/requests".to_owned(), None, Permission::UsageView),
        (Method::GET, "/jobs".to_owned(), None, Permission::UsageView),
        (Method::GET, "/alerts".to_owned(), None, Permission::UsageView),
        (Method::GET, "/members".to_owned(), None, Permission::MemberView),
        (Method::GET, format!("/members/{updated}"), None, Permission::MemberView),
        (Method::POST, "/members".to_owned(), Some(json!({"name": "New", "role": "create"})), Permission::MemberCreate),
        (Method::PATCH, format!("/members/{updated}"), edit.clone(), Permission::MemberUpdate),
        (Method::DELETE, format!("/members/{deleted}"), None, Permission::MemberDelete),
        (Method::POST, "/roles".to_owned(), Some(role("new", "admin", "role.create")), Permission::RoleCreate),
        (Method::GET, "/roles".to_owned(), None, Permission::RoleView),
        (Method::GET, "/roles/logs".to_owned(), None, Permission::RoleView),
        (Method::PATCH, "/roles/logs".to_owned(), edit.clone(), Permission::RoleUpdate),
        (Method::DELETE, "/roles/gone".to_owned(), None, Permission::RoleDelete),
        (Method::GET, "/environments".to_owned(), None, Permission::ProjectView),
        (Method::GET, "/environments/staging".to_owned(), None, Permission::ProjectView),
        (Method::GET, "/projects".to_owned(), None, Permission::ProjectView),
        (Method::POST, "/projects".to_owned(), Some(json!({"slug": "third"})), Permission::ProjectCreate),
        (Method::GET, "/projects/shop".to_owned(), None, Permission::ProjectView),
        (Method::PATCH, "/projects/bank".to_owned(), Some(json!({"limits": []})), Permission::QuotaUpdate),
        (Method::POST, "/projects/shop/suspend".to_owned(), Some(json!({"reason": "a"})), Permission::ProjectSuspend),
        (Method::POST, "/projects/shop/resume".to_owned(), None, Permission::ProjectSuspend),
        (Method::GET, "/projects/shop/limits".to_owned(), None, Permission::QuotaView),
        (Method::GET, tenant.to_owned(), None, Permission::QuotaView),
        (Method::PATCH, tenant.to_owned(), Some(json!({"limits": []})), Permission::QuotaUpdate),
        (Method::GET, format!("/keys/{key}/limits"), None, Permission::QuotaView),
        (Method::POST, "/plans".to_owned(), Some(json!({"slug": "free"})), Permission::QuotaUpdate),
        (Method::GET, "/plans".to_owned(), None, Permission::QuotaView),
        (Method::GET, "/plans/free".to_owned(), None, Permission::QuotaView),
        (Method::PATCH, "/plans/free".to_owned(), edit, Permission::QuotaUpdate),
        (Method::DELETE, "/plans/free".to_owned(), None, Permission::QuotaUpdate),
        (Method::GET, "/projects/shop/grids".to_owned(), None, Permission::GridView),
        (Method::GET, "/projects/shop/grids/web".to_owned(), None, Permission::GridView),
        (Method::POST, "/projects/shop/grids".to_owned(), Some(json!({"slug": "app"})), Permission::GridCreate),
        (Method::GET, "/keys".to_owned(), None, Permission::KeyView),
        (Method::POST, "/keys".to_owned(), Some(ingest("shop", "another")), Permission::KeyCreate),
        (Method::GET, format!("/keys/{key}"), None, Permission::KeyView),
        (Method::GET, format!("/keys/{key}/secrets"), None, Permission::KeyView),
        (Method::PATCH, format!("/keys/{key}"), Some(json!({"name": "checkout-2"})), Permission::KeyUpdate),
        (Method::POST, format!("/keys/{key}/disable"), None, Permission::KeyUpdate),
        (Method::POST, format!("/keys/{key}/enable"), None, Permission::KeyUpdate),
        (Method::POST, format!("/keys/{key}/revoke"), None, Permission::KeyDelete),
        (Method::DELETE, format!("/keys/{key}"), None, Permission::KeyDelete),
    ];
    for (method, path, body, needed) in routes {
        let others =
            Permission::ALL.iter().copied().filter(|one| !one.is_telemetry_write() && *one != needed).collect();
        let without = server.admin(&format!("{method} {path} without"), None, others).await;
        let problem = send(&server, &without, &method, &path, body.as_ref()).await.problem(403, "permission_denied");
        let detail = format!("this needs the permission {needed}, which {} lacks", without.id);
        assert_eq!(problem["detail"], detail, "{method} {path}");
        let with = server.admin(&format!("{method} {path} with"), None, [needed].into_iter().collect()).await;
        let answer = send(&server, &with, &method, &path, body.as_ref()).await;
        assert!(answer.status.is_success(), "{method} {path}: {}", answer.text);
    }
}

async fn send(server: &Server, admin: &Admin, method: &Method, path: &str, body: Option<&Value>) -> Answer {
    match body {
        Some(body) if method == Method::PATCH => server.edit(admin, path, "*", body).await,
        body => server.call(admin, method.clone(), path, body).await,
    }
}

/// Who gives a key a new secret gets hold of the key: that needs the right to make one, too.
#[tokio::test]
async fn secrets_are_made_by_those_who_may_create_and_update() {
    let server = Server::with_two_projects().await;
    let key = server.ingest_key("shop", "checkout").await["key"]["id"].as_str().expect("an id").to_owned();
    let (update, create) = (Permission::KeyUpdate, Permission::KeyCreate);
    for verb in ["regenerate", "rotate", "rotation/complete", "rotation/cancel"] {
        let path = format!("/keys/{key}/{verb}");
        for (held, lacking) in [(update, Some(create)), (create, Some(update)), (update, None)] {
            let also = lacking.is_none().then_some(create);
            let permissions = [Some(held), also].into_iter().flatten().collect();
            let admin = server.admin(&format!("{verb} {held} {lacking:?}"), None, permissions).await;
            let answer = server.call(&admin, Method::POST, &path, None).await;
            match lacking {
                None => drop(answer.expect(200)),
                Some(lacking) => {
                    let problem = answer.problem(403, "permission_denied");
                    let detail = format!("this needs the permission {lacking}, which {} lacks", admin.id);
                    assert_eq!(problem["detail"], detail, "{verb}");
                }
            }
        }
    }
}
