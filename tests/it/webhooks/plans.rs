//! Webhooks are told of projects that are suspended, and of plans that end.

use std::time::Duration;

use serde_json::{Value, json};

use super::receiver::Receiver;
use super::{create, round};
use crate::admin::Server;

async fn told(server: &Server, receiver: &mut Receiver) -> Vec<Value> {
    server.herald().look().await.expect("a look");
    round(&mut server.courier()).await;
    std::iter::from_fn(|| receiver.arrived()).map(|message| message.json()).collect()
}

#[tokio::test]
async fn suspensions_come_from_the_audit_log() {
    let server = Server::with_two_projects().await;
    let mut receiver = Receiver::start().await;
    create(&server, &receiver.url(), &["project.suspended", "project.resumed"], Some("shop")).await;
    for project in ["bank", "shop"] {
        server.post(&format!("/projects/{project}/suspend"), &json!({"reason": "unpaid"})).await.expect(200);
        server.post(&format!("/projects/{project}/resume"), &json!({})).await.expect(200);
    }
    let told = told(&server, &mut receiver).await;
    let mut kinds: Vec<_> = told.iter().map(|event| (event["type"].clone(), event["subject"].clone())).collect();
    kinds.sort_by_key(|(kind, _)| kind.to_string());
    let shop = |kind: &str| (json!(format!("gridgate.{kind}")), json!("shop"));
    assert_eq!(kinds, [shop("project.resumed"), shop("project.suspended")]);
}

#[tokio::test]
async fn the_end_of_a_plan_is_told_once_and_anew_where_it_has_another() {
    let server = Server::with_two_projects().await;
    let mut receiver = Receiver::start().await;
    create(&server, &receiver.url(), &["project.plan_ended"], Some("shop")).await;
    server.post("/plans", &json!({"slug": "trial"})).await.expect(201);
    for project in ["shop", "bank"] {
        let trial = json!({"plan": "trial", "plan_ends_at": "2026-11-21T10:23:00Z"});
        server.patch(&format!("/projects/{project}"), "*", &trial).await.expect(200);
    }
    assert!(told(&server, &mut receiver).await.is_empty());
    server.clock.advance(Duration::from_mins(1));
    let events = told(&server, &mut receiver).await;
    assert_eq!(events.len(), 1);
    assert_eq!((&events[0]["type"], &events[0]["subject"]), (&json!("gridgate.project.plan_ended"), &json!("shop")));
    let data =
        json!({"project": "shop", "name": "shop", "plan": "trial", "plan_ends_at": "2026-11-21T10:23:00.000000Z"});
    assert_eq!(events[0]["data"], data);
    assert!(told(&server, &mut receiver).await.is_empty());
    // Whoever asks later why exports were refused finds it in the audit log, once.
    let log = server.get("/audit-events?action=plan.ended&project=shop").await.expect(200);
    let [entry] = log["data"].as_array().expect("entries").as_slice() else { panic!("{log}") };
    assert_eq!((&entry["actor"]["via"], &entry["target"]["id"]), (&json!("system"), &json!("shop")));
    assert_eq!(entry["after"], json!({"plan_ends_at": "2026-11-21T10:23:00.000000Z"}));
    // A node that finds the database gone tells of it later.
    server.patch("/projects/shop", "*", &json!({"plan_ends_at": "2026-11-21T10:24:00Z"})).await.expect(200);
    server.clock.advance(Duration::from_mins(1));
    server.take_database_away();
    server.herald().look().await.expect_err("there is no database");
    server.give_database_back();
    assert_eq!(told(&server, &mut receiver).await.len(), 1);
}
