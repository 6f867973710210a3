//! What was turned away over the API: who sees what of it, how it is filtered, and what it looks like.

use std::net::IpAddr;

use gridgate::domain::trouble::{Cause, Group, Seen, Signals, Source, Transports, Trouble};
use gridgate::domain::{KeyId, Permission, Permissions, Reason, Signal, Timestamp, Transport};
use http::Method;
use serde_json::{Value, json};

use super::{Admin, START, START_TEXT, Server};
use crate::catalog::slug;

fn trouble(project: Option<&str>, key: Option<&str>, reason: Reason, seconds: i64) -> Trouble {
    let at = Timestamp::from_micros(START.micros() - seconds * 1_000_000);
    let source = Source { address: IpAddr::from([192, 0, 2, 7]), agent: Some("sdk/1".into()), service: None };
    Trouble {
        group: Group {
            project: project.map(slug),
            key: key.map(|id| id.parse::<KeyId>().expect("an id")),
            cause: Cause::Refused(reason),
            source: Some(source),
        },
        seen: Seen {
            first_at: at,
            last_at: at,
            exports: 3,
            detail: Some("it is so".into()),
            signals: Signals::of(Some(Signal::Traces)),
            transports: Transports::of(Transport::Http),
        },
    }
}

/// Ids of a key of `shop` and of one of `bank`; each was proved once and claimed once, and something names no key.
async fn with_troubles(server: &Server) -> [String; 2] {
    let id = async |project| {
        let made = server.ingest_key(project, "checkout").await;
        made["key"]["id"].as_str().expect("an id").to_owned()
    };
    let (shop, bank) = (id("shop").await, id("bank").await);
    let troubles = [
        trouble(Some("shop"), Some(&shop), Reason::KeyDisabled, 1),
        trouble(None, Some(&shop), Reason::KeyInvalid, 2),
        trouble(Some("bank"), Some(&bank), Reason::KeyDisabled, 3),
        trouble(None, Some(&bank), Reason::KeyInvalid, 4),
        trouble(None, Some("key_000000000000"), Reason::KeyInvalid, 5),
        trouble(None, None, Reason::CredentialsMissing, 6),
    ];
    server.state().catalog.record_refusals(&troubles, 100).await.expect("it is written");
    [shop, bank]
}

/// Reason and key, proved or claimed, of each row.
async fn listed(server: &Server, admin: &Admin, query: &str) -> Vec<(String, Value)> {
    let page = server.call(admin, Method::GET, &format!("/refusals{query}"), None).await.expect(200);
    let row = |row: &Value| {
        let key = if row["key"].is_null() { &row["claimed_key"] } else { &row["key"] };
        (row["reason"].as_str().expect("a reason").to_owned(), key.clone())
    };
    page["data"].as_array().expect("rows").iter().map(row).collect()
}

#[tokio::test]
async fn a_group_says_what_who_how_often_and_what_to_do() {
    let server = Server::with_two_projects().await;
    let [shop, _] = with_troubles(&server).await;
    let page = server.get("/refusals?limit=2").await.expect(200);
    let rows = page["data"].as_array().expect("rows");
    assert_eq!((rows.len(), &page["has_more"]), (2, &json!(true)));
    let at = "2026-11-21T10:21:59.000000Z";
    let expected = json!({
        "id": rows[0]["id"],
        "kind": "refusal",
        "reason": "key_disabled",
        "detail": "it is so",
        "advice": Reason::KeyDisabled.advice(),
        "first_seen": at,
        "last_seen": at,
        "count": 3,
        "project": "shop",
        "grid": "web",
        "environment": "production",
        "key": shop,
        "claimed_key": null,
        "key_name": "checkout",
        "address": "192.0.2.7",
        "user_agent": "sdk/1",
        "service": null,
        "likely_service": null,
        "signals": ["traces"],
        "transports": ["http"],
        "http_status": 401,
        "grpc_status": "UNAUTHENTICATED",
    });
    assert_eq!(rows[0], expected);
    let claim = (&rows[1]["key"], &rows[1]["claimed_key"], &rows[1]["project"], &rows[1]["key_name"]);
    assert_eq!(claim, (&json!(null), &json!(shop), &json!("shop"), &json!("checkout")));
}

#[tokio::test]
async fn a_projects_admin_sees_what_is_of_the_project_and_nothing_else() {
    let server = Server::with_two_projects().await;
    let [shop, bank] = with_troubles(&server).await;
    let own = server.admin("shop's", Some("shop"), [Permission::UsageView].into_iter().collect()).await;
    let of_shop = [("key_disabled".to_owned(), json!(shop)), ("key_invalid".to_owned(), json!(shop))];
    assert_eq!(listed(&server, &own, "").await, of_shop);
    assert_eq!(listed(&server, &own, "?project=shop").await, of_shop);
    assert_eq!(listed(&server, &own, &format!("?key={bank}")).await, []);
    assert_eq!(listed(&server, &own, "?reason=credentials_missing").await, []);
    server.call(&own, Method::GET, "/refusals?project=bank", None).await.problem(404, "project_not_found");
    server.call(&own, Method::GET, "/refusals?project=nowhere", None).await.problem(404, "project_not_found");
    let owner = &server.owner;
    assert_eq!(listed(&server, owner, "").await.len(), 6);
    assert_eq!(listed(&server, owner, "?project=shop").await, of_shop);
    assert_eq!(listed(&server, owner, &format!("?key={bank}&reason=key_invalid")).await.len(), 1);
    assert_eq!(listed(&server, owner, &format!("?to={START_TEXT}&q=CHECKout")).await.len(), 4);
    assert_eq!(listed(&server, owner, &format!("?from={START_TEXT}")).await, []);
    assert_eq!(listed(&server, owner, "?address=192.0.2.7&limit=200").await.len(), 6);
    assert_eq!(listed(&server, owner, "?address=192.0.2.8").await, []);
    let blind = server.admin("blind", None, "api.key.view".parse::<Permissions>().expect("permissions")).await;
    server.call(&blind, Method::GET, "/refusals", None).await.problem(403, "permission_denied");
}

#[tokio::test]
async fn what_is_wrong_with_a_question_is_told_at_once() {
    let server = Server::start().await;
    let asked = "?project=A&key=x&reason=bad_luck&address=here&q=&from=now&to=then&limit=0&sort=count";
    let problem = server.get(&format!("/refusals{asked}")).await.problem(422, "invalid");
    let mut wrong: Vec<_> = problem["errors"].as_array().expect("errors").iter().collect();
    wrong.sort_by_key(|error| error["parameter"].as_str());
    let wrong: Vec<_> = wrong.into_iter().map(|error| error["parameter"].clone()).collect();
    assert_eq!(json!(wrong), json!(["address", "from", "key", "limit", "project", "q", "reason", "sort", "to"]));
    let long = "x".repeat(101);
    for query in [format!("?q={long}"), "?q=a%00b".to_owned(), "?q=a&q=b".to_owned(), "?cursor=x".to_owned()] {
        server.get(&format!("/refusals{query}")).await.problem(422, "invalid");
    }
    server.take_database_away();
    server.get("/refusals").await.problem(503, "catalog_unavailable");
}

#[tokio::test]
async fn pages_end() {
    let server = Server::with_two_projects().await;
    with_troubles(&server).await;
    let (mut ids, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = server.get(&format!("/refusals?limit=4{cursor}")).await.expect(200);
        ids.extend(page["data"].as_array().expect("rows").iter().map(|row| row["id"].to_string()));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 6);
}
