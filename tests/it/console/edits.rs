//! Forms change what somebody changed in them, and nothing else.

use std::time::Duration;

use gridgate::domain::{Permission, Permissions};
use serde_json::json;

use super::{Browser, Console};
use crate::admin::Server;

async fn console() -> Console {
    Console::of(Server::with_two_projects().await, "").await
}

impl Browser<'_> {
    /// Sends a form of this session's pages with these fields.
    async fn save(&self, path: &str, fields: &[(&str, &str)]) -> u16 {
        let token = self.form_token().await;
        let fields: Vec<_> = fields.iter().copied().chain([("form_token", token.as_str())]).collect();
        self.post(path, &fields).await.status.as_u16()
    }
}

#[tokio::test]
async fn a_project_whose_plan_has_ended_is_renamed() {
    let console = console().await;
    let server = &console.server;
    let plan = json!({"slug": "trial", "limits": {"project": [{"unit": "items", "per": "day", "amount": 9}]}});
    server.post("/plans", &plan).await.expect(201);
    let ends = "2026-11-21T10:22:01.000000Z";
    server.patch("/projects/shop", "*", &json!({"plan": "trial", "plan_ends_at": ends})).await.expect(200);
    server.clock.advance(Duration::from_secs(1));
    let owner = console.owner().await;
    let form = owner.get("/console/projects/shop/edit").await.text;
    let (_, rest) = form.split_once("name=\"plan_ends_at\" value=\"").unwrap_or_else(|| panic!("{form}"));
    let shown = rest.split_once('"').expect("a value").0;
    let fields = [("version", "2"), ("name", "The Shop"), ("plan", "trial"), ("plan_ends_at", shown), ("limits", "")];
    assert_eq!(owner.save("/console/projects/shop/edit", &fields).await, 303);
    let project = server.get("/projects/shop").await.expect(200);
    assert_eq!((&project["name"], &project["plan_ends_at"]), (&json!("The Shop"), &json!(ends)));
}

/// Who may change what a project is given, and not see plans, is asked for its name alone.
#[tokio::test]
async fn what_a_form_does_not_ask_for_stays() {
    let console = console().await;
    let server = &console.server;
    let given = json!({"max_active_keys": 7, "limits": [{"unit": "items", "per": "second", "amount": 3}]});
    server.patch("/projects/shop", "*", &given).await.expect(200);
    let may = [Permission::ProjectView, Permission::ProjectUpdate, Permission::QuotaUpdate];
    let admin = server.admin("blind", None, Permissions::from_iter(may)).await;
    let blind = console.signed_in(&admin).await;
    let form = blind.get("/console/projects/shop/edit").await.text;
    assert!(form.contains("name=\"name\"") && !form.contains("name=\"limits\""), "{form}");
    assert_eq!(blind.save("/console/projects/shop/edit", &[("version", "2"), ("name", "Mine")]).await, 303);
    let project = server.get("/projects/shop").await.expect(200);
    assert_eq!((&project["name"], &project["max_active_keys"]), (&json!("Mine"), &json!(7)));
    assert_eq!(project["limits"].as_array().map(Vec::len), Some(1));
}

/// Boxes are drawn for what the visitor may give. What they may not, the role has as before.
#[tokio::test]
async fn a_role_keeps_what_the_visitor_may_not_give() {
    let console = console().await;
    let server = &console.server;
    let held = json!(["customer.read", "telemetry.logs.write", "telemetry.traces.write"]);
    let role = json!({"slug": "shipper", "name": "Shipper", "kind": "ingest", "permissions": held});
    let version = server.post("/roles", &role).await.expect(201)["version"].clone();
    let admin =
        server.admin("namer", None, Permissions::from_iter([Permission::RoleView, Permission::RoleUpdate])).await;
    let namer = console.signed_in(&admin).await;
    let form = namer.get("/console/roles/shipper/edit").await.text;
    assert!(!form.contains("type=\"checkbox\""), "{form}");
    let mut fields = vec![("kind", "ingest"), ("name", "Vector"), ("others", "customer.read"), ("note", "")];
    let version = version.to_string();
    fields.push(("version", &version));
    let hidden = form.split("<input type=\"hidden\" name=\"permission\" value=\"").skip(1);
    fields.extend(hidden.map(|rest| ("permission", rest.split_once('"').expect("a value").0)));
    assert_eq!(namer.save("/console/roles/shipper/edit", &fields).await, 303);
    let role = server.get("/roles/shipper").await.expect(200);
    assert_eq!((&role["name"], &role["permissions"]), (&json!("Vector"), &held));
}

/// A role of a project is found in that project alone.
#[tokio::test]
async fn the_audit_log_leads_to_roles_of_projects() {
    let console = console().await;
    let role = json!({"slug": "ours", "kind": "ingest", "project": "shop", "permissions": ["customer.read"]});
    console.server.post("/roles", &role).await.expect(201);
    let owner = console.owner().await;
    let log = owner.get("/console/audit").await.text;
    let link = "/console/roles/ours?project=shop";
    assert!(log.contains(&format!("href=\"{link}\"")), "{log}");
    assert_eq!(owner.get(link).await.status, 200);
}

#[tokio::test]
async fn shortcuts_are_off_or_as_usual() {
    let console = Console::start().await;
    let browser = console.browser();
    for (sent, value) in [("off", "off"), ("on", ""), ("off; Domain=evil", "")] {
        let answer = browser.post("/console/shortcuts", &[("shortcuts", sent), ("next", "https://evil.example")]).await;
        assert_eq!((answer.status.as_u16(), answer.header("location")), (303, Some("/console")), "{sent}");
        let cookie = answer.header("set-cookie").expect("a cookie");
        assert!(cookie.starts_with(&format!("gridgate-shortcuts={value}; Path=/; SameSite=Strict")), "{cookie}");
    }
}
