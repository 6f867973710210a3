//! The audit log over the API: every route that changes something leaves an entry, and it is read, filtered and verified.

use gridgate::domain::Permissions;
use http::Method;
use serde_json::{Value, json};

use super::{START_TEXT, Server, ingest};

/// The newest entry.
async fn newest(server: &Server) -> Value {
    server.get("/audit-events?limit=1").await.expect(200)["data"][0].clone()
}

fn seqs(list: &Value) -> Vec<u64> {
    list["data"].as_array().expect("entries").iter().map(|entry| entry["seq"].as_u64().expect("a number")).collect()
}

/// Every route that changes something, once, in an order that works.
#[tokio::test]
async fn every_change_leaves_one_entry() {
    let server = Server::with_two_projects().await;
    let owner = &server.owner;
    let key = server.ingest_key("shop", "checkout").await["key"]["id"].as_str().expect("an id").to_owned();
    let member = server.post("/members", &json!({"name": "Ada", "role": "viewer"})).await.expect(201);
    let member = member["member"]["id"].as_str().expect("an id").to_owned();
    let role = json!({"slug": "support", "kind": "admin", "permissions": ["customer.read"]});
    let environment = json!({"slug": "load", "code": "load", "rotation_days": 30});
    let post = |path: &str, body: Value| (Method::POST, path.to_owned(), Some(body));
    let patch = |path: &str, body: Value| (Method::PATCH, path.to_owned(), Some(body));
    let verb = |path: String| (Method::POST, path, None);
    let delete = |path: &str| (Method::DELETE, path.to_owned(), None);
    let changes = [
        (post("/projects", json!({"slug": "third"})), "project.created", "third", json!("third")),
        (patch("/projects/third", json!({"name": "Third"})), "project.edited", "third", json!("third")),
        (post("/projects/third/grids", json!({"slug": "web"})), "grid.created", "third/web", json!("third")),
        (post("/environments", environment), "environment.created", "load", Value::Null),
        (patch("/environments/load", json!({"rotation_days": null})), "environment.edited", "load", Value::Null),
        (post("/keys", ingest("shop", "second")), "key.created", "", json!("shop")),
        (verb(format!("/keys/{key}/disable")), "key.disabled", &key, json!("shop")),
        (verb(format!("/keys/{key}/enable")), "key.enabled", &key, json!("shop")),
        (verb(format!("/keys/{key}/revoke")), "key.revoked", &key, json!("shop")),
        (post("/roles", role), "role.created", "support", Value::Null),
        (patch("/roles/support", json!({"name": "Support"})), "role.edited", "support", Value::Null),
        (delete("/roles/support"), "role.deleted", "support", Value::Null),
        (
            post("/members", json!({"name": "Bob", "role": "viewer", "project": "shop"})),
            "member.invited",
            "",
            json!("shop"),
        ),
        (patch(&format!("/members/{member}"), json!({"note": "Hello"})), "member.edited", &member, Value::Null),
        (delete(&format!("/members/{member}")), "member.removed", &member, Value::Null),
    ];
    let mut seq = newest(&server).await["seq"].as_u64().expect("a number");
    let mut answers = Vec::new();
    for ((method, path, body), action, target, project) in changes {
        let request = server
            .request(method.clone(), &path)
            .header("authorization", format!("Bearer {}", owner.token))
            .header("user-agent", "tests/1")
            .header("if-match", "*");
        let request = if body.is_some() { request.header("content-type", "application/json") } else { request };
        let answer = server.send(request, body.map(|body| body.to_string()).unwrap_or_default()).await;
        assert!(answer.status.is_success(), "{method} {path}: {}", answer.text);
        let entry = newest(&server).await;
        seq += 1;
        assert_eq!(entry["seq"], seq, "{method} {path}");
        assert_eq!(entry["action"], action, "{method} {path}");
        assert_eq!(entry["at"], START_TEXT);
        assert_eq!(entry["actor"], json!({"key": owner.id, "name": "owner", "via": "api"}));
        assert_eq!(entry["request_id"].as_str(), answer.header("x-request-id"), "{method} {path}");
        assert_eq!(entry["user_agent"], "tests/1");
        assert_eq!(entry["project"], project, "{method} {path}");
        if target.is_empty() {
            assert!(answer.text.contains(entry["target"]["id"].as_str().expect("an id")), "{method} {path}");
        } else {
            assert_eq!(entry["target"]["id"], target, "{method} {path}");
        }
        assert!(entry["before"].is_object() || entry["after"].is_object(), "{entry}");
        answers.push(answer.text);
    }
    // No token that was shown is in any entry, nor its secret part.
    let log = server.get("/audit-events?limit=200").await.text;
    for answer in answers {
        let answer: Value = serde_json::from_str(&answer).unwrap_or_default();
        if let Some(token) = answer["token"].as_str() {
            let (_, secret) = token.rsplit_once('_').expect("a secret");
            assert!(!log.contains(secret), "{log}");
        }
    }
    let verified = server.get("/audit-events/verify").await.expect(200);
    assert_eq!((&verified["intact"], &verified["entries"]), (&json!(true), &json!(seq)));
}

#[tokio::test]
async fn what_changes_nothing_or_is_refused_leaves_no_entry() {
    let server = Server::with_two_projects().await;
    let key = server.ingest_key("shop", "checkout").await["key"]["id"].as_str().expect("an id").to_owned();
    let before = newest(&server).await;
    server.post(&format!("/keys/{key}/enable"), &json!({})).await.expect(200);
    server.edit(&server.owner, "/projects/shop", "*", &json!({"name": "shop"})).await.expect(200);
    server.edit(&server.owner, "/environments/staging", "*", &json!({})).await.expect(200);
    server.post("/projects", &json!({"slug": "shop"})).await.problem(409, "project_exists");
    server
        .post("/roles", &json!({"slug": "owner", "kind": "admin", "permissions": ["a.b"]}))
        .await
        .problem(409, "role_exists");
    server.post(&format!("/keys/{}/revoke", server.owner.id), &json!({})).await.problem(409, "last_owner");
    assert_eq!(newest(&server).await, before);
}

#[tokio::test]
async fn entries_are_filtered_and_come_in_pages() {
    let server = Server::with_two_projects().await;
    let key = server.ingest_key("shop", "checkout").await["key"]["id"].as_str().expect("an id").to_owned();
    server.post(&format!("/keys/{key}/disable"), &json!({})).await.expect(200);
    let last = newest(&server).await["seq"].as_u64().expect("a number");
    for (query, expected) in [
        (format!("target={key}"), vec![last, last - 1]),
        (format!("target=key:{key}&action=key.disabled"), vec![last]),
        ("target=grid:shop/web".to_owned(), vec![last - 4]),
        ("project=bank".to_owned(), vec![last - 2, last - 3]),
        (format!("actor={}&project=bank&action=grid.created", server.owner.id), vec![last - 2]),
        ("since=2026-11-21T10:22:00.000001Z".to_owned(), vec![]),
        ("until=2026-11-21T10:22:00Z".to_owned(), vec![]),
        ("action=key.disabled&since=2026-11-21T10:22:00Z&until=2026-11-21T10:22:01Z".to_owned(), vec![last]),
    ] {
        assert_eq!(seqs(&server.get(&format!("/audit-events?{query}")).await.expect(200)), expected, "{query}");
    }
    let (mut path, mut found) = ("/audit-events?limit=2".to_owned(), Vec::new());
    loop {
        let page = server.get(&path).await.expect(200);
        found.extend(seqs(&page));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/audit-events?limit=2&cursor={cursor}");
    }
    assert_eq!(found, (1..=last).rev().collect::<Vec<_>>());
    for query in ["target=shop", "target=keys:x", "action=key", "actor=me", "since=now", "seq=1", "cursor=x"] {
        server.get(&format!("/audit-events?{query}")).await.problem(422, "invalid");
    }
}

#[tokio::test]
async fn a_projects_auditor_sees_what_is_its_own() {
    let server = Server::with_two_projects().await;
    let foreign = server.ingest_key("bank", "vault").await["key"]["id"].as_str().expect("an id").to_owned();
    let own = server.ingest_key("shop", "checkout").await["key"]["id"].as_str().expect("an id").to_owned();
    let auditor: Permissions = "audit.view".parse().expect("permissions");
    let shop = server.admin("auditor", Some("shop"), auditor).await;
    let get = |path: String| {
        let (server, shop) = (&server, &shop);
        async move { server.call(shop, Method::GET, &path, None).await }
    };
    for query in ["", "?project=shop"] {
        let list = get(format!("/audit-events{query}")).await.expect(200);
        let projects: Vec<_> =
            list["data"].as_array().expect("entries").iter().map(|entry| &entry["project"]).collect();
        assert_eq!(projects, vec!["shop"; 4]);
    }
    assert_eq!(seqs(&get(format!("/audit-events?target={foreign}")).await.expect(200)), [0_u64; 0]);
    get("/audit-events?project=bank".to_owned()).await.problem(404, "project_not_found");
    get(format!("/keys/{foreign}/events")).await.problem(404, "key_not_found");
    assert_eq!(get(format!("/keys/{own}/events")).await.expect(200)["data"].as_array().map(Vec::len), Some(1));
    get("/audit-events/verify".to_owned()).await.problem(403, "installation_only");
    get("/audit-events/head".to_owned()).await.problem(403, "installation_only");
}

#[tokio::test]
async fn a_noted_end_is_expected_again() {
    let server = Server::with_two_projects().await;
    let head = server.get("/audit-events/head").await.expect(200);
    let (seq, hash) = (head["seq"].as_u64().expect("a number"), head["hash"].as_str().expect("text"));
    assert_eq!(newest(&server).await["hash"], hash);
    server.post("/projects", &json!({"slug": "third"})).await.expect(201);
    let verify = |expect: String| {
        let server = &server;
        async move { server.get(&format!("/audit-events/verify?expect={expect}")).await }
    };
    let verified = verify(format!("{seq}:{hash}")).await.expect(200);
    assert_eq!(verified["intact"], true);
    assert_eq!(verified["head"]["seq"], seq + 1);
    let other = verify(format!("{}:{hash}", seq - 1)).await.expect(200);
    assert_eq!((&other["intact"], &other["broken_at"]), (&json!(false), &json!(seq - 1)));
    assert_eq!(other["reason"], "the entry has another hash than the one that was noted");
    let beyond = verify(format!("{}:{hash}", seq + 9)).await.expect(200);
    assert_eq!((&beyond["intact"], &beyond["broken_at"]), (&json!(false), &json!(seq + 2)));
    for bad in ["5", "5:", "x:00", "5:zz"] {
        verify(bad.to_owned()).await.problem(422, "invalid");
    }
}
