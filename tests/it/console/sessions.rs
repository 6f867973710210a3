//! How long a session goes on, and what ends it.

use std::time::Duration;

use gridgate::domain::{Permission, Permissions};
use http::Method;
use serde_json::{Value, json};

use super::{Browser, Console, ticket};
use crate::admin::Admin;

const MINUTE: Duration = Duration::from_mins(1);

#[tokio::test]
async fn a_session_that_nobody_uses_is_over() {
    let console = Console::start().await;
    let owner = console.owner().await;
    for _ in 0..4 {
        console.server.clock.advance(29 * MINUTE);
        assert!(owner.is_in().await, "each use begins the time anew");
    }
    console.server.clock.advance(30 * MINUTE);
    assert!(!owner.is_in().await);
    console.server.clock.advance(MINUTE);
    assert!(!owner.is_in().await, "what is over stays over");
}

/// A page that is left open asks for what is new by itself.
#[tokio::test]
async fn what_a_page_asks_for_by_itself_is_no_use() {
    let console = Console::start().await;
    let owner = console.owner().await;
    let by_itself = async || {
        let request = owner.request(Method::GET, "/console/audit").header("x-gridgate-fresh", "1");
        console.send(request, "").await.status.as_u16()
    };
    for _ in 0..2 {
        console.server.clock.advance(14 * MINUTE);
        assert_eq!(by_itself().await, 200);
    }
    // The feed of the live page cannot say so in a header.
    let feed = owner.get("/console/live/feed?project=none").await;
    assert_eq!(feed.status, 200);
    console.server.clock.advance(2 * MINUTE);
    assert_eq!(by_itself().await, 303);
}

#[tokio::test]
async fn a_session_in_use_ends_after_its_time() {
    let console = Console::start().await;
    let owner = console.owner().await;
    for _ in 0..47 {
        console.server.clock.advance(15 * MINUTE);
        assert!(owner.is_in().await);
    }
    console.server.clock.advance(15 * MINUTE);
    assert!(!owner.is_in().await, "twelve hours are over");
}

/// A page of a minute's reading is one write, not one for each of its requests.
#[tokio::test]
async fn a_use_is_written_down_once_in_a_minute() {
    let console = Console::start().await;
    let owner = console.owner().await;
    let last_used = async || sessions(&console, &console.server.owner).await[0]["last_used_at"].clone();
    let began = last_used().await;
    console.server.clock.advance(Duration::from_secs(59));
    assert!(owner.is_in().await);
    assert_eq!(last_used().await, began);
    console.server.clock.advance(Duration::from_secs(1));
    assert!(owner.is_in().await);
    assert_ne!(last_used().await, began);
}

#[tokio::test]
async fn a_session_is_over_with_its_key() {
    let console = Console::start().await;
    for verb in ["disable", "revoke", "regenerate"] {
        let admin = console.server.admin(verb, None, Permissions::owner()).await;
        let browser = console.signed_in(&admin).await;
        assert!(browser.is_in().await);
        console.server.post(&format!("/keys/{}/{verb}", admin.id), &json!({"force": true})).await.expect(200);
        assert!(!browser.is_in().await, "{verb}");
    }
    let admin = console.server.admin("rotated", None, Permissions::owner()).await;
    let browser = console.signed_in(&admin).await;
    let path = format!("/keys/{}", admin.id);
    console.server.post(&format!("{path}/rotate"), &json!({})).await.expect(200);
    assert!(browser.is_in().await, "both secrets are good");
    console.server.post(&format!("{path}/rotation/complete"), &json!({"force": true})).await.expect(200);
    assert!(!browser.is_in().await, "its secret is not");

    let admin = console.server.admin("expiring", None, Permissions::owner()).await;
    let browser = console.signed_in(&admin).await;
    let path = format!("/keys/{}", admin.id);
    console.server.patch(&path, "\"1\"", &json!({"expires_at": "2026-11-21T10:23:00Z"})).await.expect(200);
    assert!(browser.is_in().await);
    console.server.clock.advance(MINUTE);
    assert!(!browser.is_in().await, "the key has expired");
}

/// What a key may do is asked anew each time.
#[tokio::test]
async fn a_session_may_do_what_its_key_may_do_now() {
    let console = Console::start().await;
    let may = [Permission::AuditView].into_iter().collect();
    let admin = console.server.admin("auditor", None, may).await;
    let browser = console.signed_in(&admin).await;
    assert!(browser.is_in().await);
    let body = json!({"permissions": ["api.key.view"]});
    console.server.patch(&format!("/keys/{}", admin.id), "\"1\"", &body).await.expect(200);
    let answer = browser.get("/console/audit").await;
    assert_eq!(answer.status, 403);
    assert!(answer.text.contains("audit.view"), "{}", answer.text);
}

#[tokio::test]
async fn a_session_is_used_from_where_its_key_may_be_used() {
    let console = Console::start().await;
    let owner = console.owner().await;
    console.comes_from("192.0.2.7");
    assert!(owner.is_in().await, "the key may be used from anywhere");
    let path = format!("/keys/{}", console.server.owner.id);
    console.server.patch(&path, "\"1\"", &json!({"allowed_addresses": ["127.0.0.0/8"]})).await.expect(200);
    let answer = owner.get("/console/audit").await;
    assert_eq!(answer.status, 403);
    assert!(answer.text.contains("may not be used from 192.0.2.7"), "{}", answer.text);
    let answer = owner.post("/console/sign-in", &[("key", &console.server.owner.token)]).await;
    assert_eq!((answer.status.as_u16(), answer.header("set-cookie")), (403, None));
    console.comes_from("127.0.0.1");
    assert!(owner.is_in().await);
}

#[tokio::test]
async fn signing_out_ends_the_session_and_not_only_the_cookie() {
    let console = Console::start().await;
    let (here, there) = (console.owner().await, console.owner().await);
    let stranger = console.server.admin("other", None, Permissions::owner()).await;
    let other = console.signed_in(&stranger).await;
    let answer = here.submit("/console/sign-out").await;
    assert_eq!((answer.status.as_u16(), answer.header("location")), (303, Some("/console/sign-in")));
    let cookie = answer.header("set-cookie").expect("a cookie");
    assert!(cookie.starts_with("__Host-gridgate=; ") && cookie.ends_with("Max-Age=0"), "{cookie}");
    assert!(!here.is_in().await && there.is_in().await);

    let again = console.owner().await;
    assert_eq!(again.submit("/console/sign-out-everywhere").await.status, 303);
    assert!(!again.is_in().await && !there.is_in().await && other.is_in().await);
}

/// Who plants a cookie, or has seen an old one, has nothing by it.
#[tokio::test]
async fn signing_in_makes_a_new_ticket() {
    let console = Console::start().await;
    let owner = console.owner().await;
    let mut planted = Browser { console: &console, ticket: "x".repeat(32) };
    let answer = planted.post("/console/sign-in", &[("key", &console.server.owner.token)]).await;
    let given = ticket(&answer);
    assert!(given != planted.ticket && given != owner.ticket);
    assert!(!planted.is_in().await);
    planted.ticket = given;
    assert!(planted.is_in().await);
}

#[tokio::test]
async fn a_key_sees_and_ends_its_own_sessions_by_the_api() {
    let console = Console::start().await;
    let (first, second) = (console.owner().await, console.owner().await);
    let may = [Permission::AuditView].into_iter().collect();
    let other = console.server.admin("other", None, may).await;
    let theirs = console.signed_in(&other).await;
    let list = sessions(&console, &console.server.owner).await;
    assert_eq!(list.len(), 2);
    let one = &list[0];
    assert_eq!((&one["current"], &one["address"]), (&json!(false), &json!("127.0.0.1")));
    assert_eq!(one["expires_at"], "2026-11-21T22:22:00.000000Z");
    let path = format!("/sessions/{}", one["id"].as_str().expect("an id"));
    let call = async |admin: &Admin, method, path: &str| console.server.call(admin, method, path, None).await;
    call(&other, Method::DELETE, &path).await.problem(404, "session_not_found");
    for wrong in ["/sessions/ses_000000000000", "/sessions/x"] {
        call(&console.server.owner, Method::DELETE, wrong).await.problem(404, "session_not_found");
    }
    assert!(first.is_in().await && second.is_in().await);
    assert_eq!(call(&console.server.owner, Method::DELETE, &path).await.status, 204);
    assert_ne!(first.is_in().await, second.is_in().await, "one of them");
    assert_eq!(call(&console.server.owner, Method::DELETE, "/sessions").await.expect(200), json!({"ended": 1}));
    assert!(!first.is_in().await && !second.is_in().await && theirs.is_in().await);
    assert_eq!(sessions(&console, &other).await.len(), 1, "whatever the key may do besides");
}

#[tokio::test]
async fn with_one_session_too_many_the_oldest_ends() {
    let console = Console::start().await;
    let first = console.owner().await;
    for _ in 0..20 {
        console.server.clock.advance(Duration::from_secs(1));
        assert!(console.owner().await.is_in().await);
    }
    assert!(!first.is_in().await);
    assert_eq!(sessions(&console, &console.server.owner).await.len(), 20);
}

#[tokio::test]
async fn signing_in_and_out_is_in_the_audit_log() {
    let console = Console::start().await;
    let owner = console.owner().await;
    owner.submit("/console/sign-out").await;
    let entries = console.server.get("/audit-events?limit=2").await.expect(200);
    let [ended, began] = [&entries["data"][0], &entries["data"][1]];
    for (entry, action) in [(ended, "session.ended"), (began, "session.began")] {
        assert_eq!(entry["action"], action);
        assert_eq!(entry["target"]["kind"], "session");
        assert_eq!(entry["actor"]["key"], console.server.owner.id);
        assert_eq!(entry["actor"]["via"], "console");
        assert_eq!(entry["address"], "127.0.0.1");
    }
    assert_eq!(ended["target"]["id"], began["target"]["id"]);
    assert_eq!(began["after"]["key"], console.server.owner.id);
    assert_eq!(began["after"]["secret_version"], 1);
    // Who is refused leaves nothing behind.
    console.browser().post("/console/sign-in", &[("key", "gga_wrong")]).await;
    assert_eq!(console.server.get("/audit-events?limit=1").await.expect(200)["data"][0]["action"], "session.ended");
}

/// The sessions of `admin`, as the API lists them.
async fn sessions(console: &Console, admin: &Admin) -> Vec<Value> {
    let list = console.server.call(admin, Method::GET, "/sessions", None).await.expect(200);
    list["data"].as_array().expect("rows").clone()
}
