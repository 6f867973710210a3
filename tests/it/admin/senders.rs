//! Who uses which key, and changes that would cut them off.

use std::sync::Arc;
use std::time::Duration;

use gridgate::domain::uses::Used;
use gridgate::domain::{KeyId, Origin, Permission, Permissions, Tenant, Transport};
use gridgate::metering::{Decided, Identified, Outcome};
use http::Method;
use serde_json::{Value, json};

use super::{Answer, Server};
use crate::catalog::slug;

/// An accepted export of `service` with the key `id` of `project`, now.
pub(crate) fn sends(server: &Server, id: &str, project: &str, service: &str) {
    let key: KeyId = id.parse().expect("an id");
    let tenant = Tenant { project: slug(project), grid: slug("web"), environment: slug("production") };
    let identified = Identified { key, secret_version: 1, rotating: false, tenant: Arc::new(tenant) };
    let origin = Origin { service: Some(Origin::text(service)), ..Origin::default() };
    let (at, address, agent) = (server.now(), [192, 0, 2, 7].into(), &b"agent/1.0"[..]);
    server.state().uses.record(&Used { key, version: 1, at, address, agent }, || None);
    server.state().books.decided(&Decided {
        at,
        took: Duration::ZERO,
        transport: Transport::Http,
        signal: None,
        address,
        agent,
        claimed: Some(key),
        identified: Some(&identified),
        measured: None,
        origin: Some(&origin),
        would_refuse: false,
        outcome: Outcome::Accepted,
    });
}

/// Writes down who was seen.
async fn flush(server: &Server) {
    let unwritten = server.state().books.senders.take(server.now());
    server.state().catalog.record_senders(&unwritten.senders, &unwritten.others).await.expect("written");
}

fn id_of(made: &Value) -> String {
    made["key"]["id"].as_str().expect("an id").to_owned()
}

fn services(page: &Value) -> Vec<&str> {
    page["data"].as_array().expect("rows").iter().map(|row| row["service"].as_str().expect("a service")).collect()
}

#[tokio::test]
async fn senders_are_shown_to_who_may_see_them() {
    let server = Server::with_two_projects().await;
    let (shop, bank) = (id_of(&server.ingest_key("shop", "a").await), id_of(&server.ingest_key("bank", "b").await));
    sends(&server, &shop, "shop", "checkout");
    sends(&server, &bank, "bank", "ledger");
    flush(&server).await;
    sends(&server, &shop, "shop", "cart");

    let view = json!({
        "key": shop, "key_name": "a", "project": "shop", "secret_version": 1, "service": "checkout", "host": null,
        "sdk": null, "user_agent": "agent/1.0", "address": "192.0.2.7", "first_seen_at": super::START_TEXT,
        "last_seen_at": super::START_TEXT, "last_accepted_at": super::START_TEXT, "exports": 1, "refused": 0,
        "shared": false,
    });
    let listed = server.get("/senders?project=shop").await.expect(200);
    assert_eq!(listed, json!({"data": [view], "next_cursor": null, "has_more": false}));
    let of_key = server.get(&format!("/keys/{shop}/senders")).await.expect(200);
    let mut both = services(&of_key);
    both.sort_unstable();
    assert_eq!((both, &of_key["shared"]), (vec!["cart", "checkout"], &json!(true)));

    // A project's admin sees its own alone, and who lacks the permission nothing.
    let admin = server.admin("bank's", Some("bank"), Permissions::owner()).await;
    let seen = server.call(&admin, Method::GET, "/senders", None).await.expect(200);
    assert_eq!(services(&seen), ["ledger"]);
    server.call(&admin, Method::GET, "/senders?project=shop", None).await.problem(404, "project_not_found");
    server.call(&admin, Method::GET, &format!("/keys/{shop}/senders"), None).await.problem(404, "key_not_found");
    let blind = server.admin("blind", None, [Permission::KeyView].into_iter().collect()).await;
    for path in ["/senders".to_owned(), format!("/keys/{shop}/senders")] {
        server.call(&blind, Method::GET, &path, None).await.problem(403, "permission_denied");
    }
    server.post(&format!("/keys/{shop}/rotate"), &json!({})).await.expect(200);
    for (who, is_shown) in [(&blind, false), (&server.owner, true)] {
        let shown = server.call(who, Method::GET, &format!("/keys/{shop}"), None).await.expect(200);
        for field in ["old_senders", "traffic"] {
            assert_eq!(shown["rotation"][field].is_null(), !is_shown, "{field}");
        }
    }
}

#[tokio::test]
async fn filters_are_taken_or_refused_by_name() {
    let server = Server::with_two_projects().await;
    let key = id_of(&server.ingest_key("shop", "a").await);
    for service in ["a", "b", "c"] {
        sends(&server, &key, "shop", service);
        server.clock.advance(Duration::from_mins(1));
    }
    flush(&server).await;
    let first = server.get("/senders?limit=2").await.expect(200);
    assert_eq!(services(&first), ["c", "b"]);
    let cursor = first["next_cursor"].as_str().expect("a cursor");
    assert_eq!(services(&server.get(&format!("/senders?limit=2&cursor={cursor}")).await.expect(200)), ["a"]);
    for list in ["/senders".to_owned(), format!("/keys/{key}/senders")] {
        for (query, expected) in [
            ("service=b", vec!["b"]),
            ("secret=1&since=2026-11-21T10:23:00Z", vec!["c", "b"]),
            ("secret=2", vec![]),
            ("service=%27%20OR%201%3D1", vec![]),
        ] {
            let found = server.get(&format!("{list}?{query}")).await.expect(200);
            assert_eq!(services(&found), expected, "{list}?{query}");
        }
        for (query, parameter) in [
            ("secret=0", "secret"),
            ("secret=x", "secret"),
            ("service=", "service"),
            ("service=a%00b", "service"),
            ("since=yesterday", "since"),
            ("host=a", "host"),
            ("secret=1&secret=1", "secret"),
        ] {
            let problem = server.get(&format!("{list}?{query}")).await.problem(422, "invalid");
            assert_eq!(problem["errors"][0]["parameter"], parameter, "{list}?{query}");
        }
    }
    server.get("/senders?cursor=x").await.problem(422, "invalid");
    server.get(&format!("/keys/{key}/senders?limit=1")).await.problem(422, "invalid");
}

#[tokio::test]
async fn a_key_in_use_is_cut_off_by_force_alone() {
    let server = Server::with_two_projects().await;
    let key = id_of(&server.ingest_key("shop", "a").await);
    sends(&server, &key, "shop", "checkout");
    server.clock.advance(Duration::from_secs(599));
    let verb = async |verb: &str, body: Value| -> Answer { server.post(&format!("/keys/{key}/{verb}"), &body).await };
    for name in ["revoke", "disable", "regenerate"] {
        let problem = verb(name, json!({})).await.problem(409, "key_in_use");
        assert_eq!(problem["senders"][0]["service"], "checkout");
        let detail = problem["detail"].as_str().expect("text");
        assert!(detail.starts_with(&format!("{key} was last used at 2026-11-21T10:22:00")), "{detail}");
    }
    // Nothing was changed, and what is wrong with the body comes first.
    assert_eq!(server.get(&format!("/keys/{key}")).await.expect(200)["version"], 1);
    let problem = verb("revoke", json!({"force": "yes", "why": 1})).await.problem(422, "invalid");
    let mut places: Vec<_> = problem["errors"].as_array().expect("errors").iter().map(|one| &one["pointer"]).collect();
    places.sort_by_key(ToString::to_string);
    assert_eq!(places, ["/force", "/why"]);
    // Who may not see senders is not told their names.
    let few = [Permission::KeyDelete, Permission::KeyView].into_iter().collect();
    let blind = server.admin("blind", None, few).await;
    let problem = server.call(&blind, Method::DELETE, &format!("/keys/{key}"), None).await.problem(409, "key_in_use");
    assert!(problem.get("senders").is_none(), "{problem}");

    let disabled = verb("disable", json!({"force": true})).await.expect(200);
    assert_eq!(disabled["status"], "disabled");
    // It is cut off already.
    sends(&server, &key, "shop", "checkout");
    verb("revoke", json!({})).await.expect(200);
}

#[tokio::test]
async fn a_key_that_was_not_used_lately_is_not_held_up() {
    let server = Server::with_two_projects().await;
    let key = id_of(&server.ingest_key("shop", "a").await);
    sends(&server, &key, "shop", "checkout");
    server.clock.advance(Duration::from_mins(10));
    server.post(&format!("/keys/{key}/revoke"), &json!({})).await.expect(200);
    // Admin keys are not meant.
    let admin = server.admin("ada", None, Permissions::owner()).await;
    server.call(&admin, Method::GET, "/me", None).await.expect(200);
    server.post(&format!("/keys/{}/revoke", admin.id), &json!({})).await.expect(200);
}

/// Every fault is told before the key's use is, and a repetition is answered as before.
#[tokio::test]
async fn force_goes_with_versions_and_repetitions() {
    let server = Server::with_two_projects().await;
    let key = id_of(&server.ingest_key("shop", "a").await);
    sends(&server, &key, "shop", "checkout");
    let path = format!("/keys/{key}/regenerate");
    let ask = async |body: &str, extra: (&'static str, &'static str)| {
        let request = server.request(Method::POST, &path).header("content-type", "application/json");
        let request = request.header("authorization", format!("Bearer {}", server.owner.token));
        server.send(request.header(extra.0, extra.1), body.to_owned()).await
    };
    ask("{}", ("if-match", "\"7\"")).await.problem(412, "version_conflict");
    let once = ("idempotency-key", "0123456789abcdef0123456789");
    ask("{}", once).await.problem(409, "key_in_use");
    let issued = ask("{\"force\": true}", once).await.expect(200);
    assert_eq!(ask("{\"force\": true}", once).await.expect(200), issued);
    ask("{}", once).await.problem(422, "idempotency_mismatch");
}
