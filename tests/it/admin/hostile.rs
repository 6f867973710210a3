//! What people and attackers put into fields: it is kept exactly, or refused with its place.

use http::Method;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Answer, Server, ingest};

/// A body as it is, past what a JSON library would write.
async fn raw(server: &Server, method: Method, path: &str, body: impl Into<bytes::Bytes>) -> Answer {
    let request = server.request(method, path).header("x-api-key", &server.owner.token).header("if-match", "*");
    server.send(request.header("content-type", "application/json"), body).await
}

async fn key(server: &Server) -> String {
    server.ingest_key("shop", "checkout").await["key"]["id"].as_str().expect("an id").to_owned()
}

fn places(problem: &Value) -> Vec<&str> {
    let errors = problem["errors"].as_array().expect("errors");
    errors.iter().map(|error| error["pointer"].as_str().expect("a pointer")).collect()
}

/// Text that shows as something else than it is, or as nothing, is text: who shows it has to escape it.
#[tokio::test]
async fn strange_names_are_kept_exactly() {
    let server = Server::with_two_projects().await;
    let flood = format!("a{}", "\u{301}".repeat(99));
    let widest = "\u{10ffff}".repeat(100);
    for name in [
        "\u{202e}gnp.exe\u{202c}",
        "\u{2066}x\u{2069}\u{200f}",
        "zero\u{200b}width\u{200d}\u{feff}",
        &flood,
        &widest,
        "👩\u{200d}👩\u{200d}👧",
        "Ⅷ ﬁ Å Å İ ß",
        "\u{fffd}\u{fffe}\u{e000}",
        "'; DROP TABLE keys; --",
        "<script>alert(1)</script> %s ${x} {{x}} \\0 \\u0000 \"quoted\"",
        "../../etc/passwd",
    ] {
        let mut body = ingest("shop", name);
        body["owner"] = json!(name);
        body["note"] = json!(format!("{name}\n{name}"));
        let created = server.post("/keys", &body).await.expect(201);
        let id = created["key"]["id"].as_str().expect("an id");
        let view = server.get(&format!("/keys/{id}")).await.expect(200);
        assert_eq!((&view["name"], &view["owner"], &view["note"]), (&body["name"], &body["owner"], &body["note"]));
        let edited = server.patch_key(id, "*", &json!({"name": format!("{name:.98}.")})).await;
        edited.expect(200);
        let events = server.get(&format!("/keys/{id}/events")).await.expect(200);
        assert_eq!(events["data"][0]["before"]["name"], body["name"]);
    }
}

/// Control characters and separators of lines are in no name; NUL is in nothing.
#[tokio::test]
async fn control_characters_are_refused() {
    let server = Server::with_two_projects().await;
    let id = key(&server).await;
    for bad in ["a\0b", "a\nb", "a\rb", "a\tb", "a\u{1b}[31mb", "a\u{7f}b", "a\u{85}b", "a\u{2028}b", "a\u{2029}b"] {
        let mut body = ingest("shop", bad);
        body["owner"] = json!(bad);
        let problem = server.post("/keys", &body).await.problem(422, "invalid");
        assert_eq!(places(&problem), ["/name", "/owner"], "{bad:?}");
        assert_eq!(problem["errors"][0]["detail"], "character 2 of the name is a control character");
        let problem = server.patch_key(&id, "*", &json!({"name": bad, "owner": bad})).await.problem(422, "invalid");
        assert_eq!(places(&problem), ["/name", "/owner"], "{bad:?}");
    }
    for bad in ["a\0b", "a\rb", "a\tb", "a\u{1b}b", "a\u{85}b"] {
        let problem = server.patch_key(&id, "*", &json!({"note": bad})).await.problem(422, "invalid");
        assert_eq!(places(&problem), ["/note"], "{bad:?}");
    }
    for (field, bad) in [("tags", "a\0"), ("allowed_addresses", "192.0.2.1\0"), ("permissions", "customer.read\0")] {
        let problem = server.patch_key(&id, "*", &json!({field: [bad]})).await.problem(422, "invalid");
        assert_eq!(places(&problem), [format!("/{field}/0")]);
    }
    for (field, bad) in [("role", "ingest\0"), ("expires_at", "2036-11-21T10:22:00Z\0")] {
        let problem = server.patch_key(&id, "*", &json!({field: bad})).await.problem(422, "invalid");
        assert_eq!(places(&problem), [format!("/{field}")]);
    }
    assert_eq!(server.get(&format!("/keys/{id}")).await.expect(200)["version"], 1);
}

#[tokio::test]
async fn json_that_says_two_things_or_none_is_refused() {
    let server = Server::with_two_projects().await;
    let id = key(&server).await;
    let path = format!("/keys/{id}");
    let deep = format!("{{\"note\":{}1{}}}", "[".repeat(5_000), "]".repeat(5_000));
    for (body, expected) in [
        (r#"{"name":"a","name":"b"}"#, vec!["/name"]),
        (r#"{"name":"a","n\u0061me":"b","owner":"x","owner":"y"}"#, vec!["/name", "/owner"]),
        (r#"{"name":"\ud800"}"#, vec!["/name"]),
        (r#"{"tags":["a","\udfff\ud800"]}"#, vec!["/tags/1"]),
        (r#"{"name":1e999}"#, vec!["/name"]),
        (r#"{"name":{"a":1},"tags":"a","owner":[],"expires_at":5}"#, vec!["/expires_at", "/name", "/owner", "/tags"]),
        (r#"{"name":true,"note":false,"permissions":{"0":"a"}}"#, vec!["/name", "/note", "/permissions"]),
        (deep.as_str(), vec!["/note/0/0/0/0/0/0/0"]),
    ] {
        let problem = raw(&server, Method::PATCH, &path, body.to_owned()).await.problem(422, "invalid");
        let mut found = places(&problem);
        found.sort_unstable();
        assert_eq!(found, expected, "{body:.80}");
    }
    let problem = raw(&server, Method::PATCH, &path, &b"{\"name\":\"\xff\"}"[..]).await.problem(422, "invalid");
    assert_eq!(places(&problem), ["/name"]);
    for body in
        ["{\"name\":\"a\"", "{\"name\":\"a\u{0}\"}", "{name:\"a\"}", "{\"name\":'a'}", "{\"name\":01}", "\u{feff}{}"]
    {
        raw(&server, Method::PATCH, &path, body).await.problem(400, "body_malformed");
    }
    let large = format!("{{\"note\":\"{}\"}}", "a".repeat(65_536));
    raw(&server, Method::PATCH, &path, large).await.problem(413, "body_too_large");
    assert_eq!(server.get(&path).await.expect(200)["version"], 1);
}

#[tokio::test]
async fn sizes_have_limits_and_all_faults_are_told() {
    let server = Server::with_two_projects().await;
    let id = key(&server).await;
    let long = "é".repeat(101);
    let many = |one: &str, number: usize| (0..number).map(|index| format!("{one}{index}")).collect::<Vec<_>>();
    let addresses = (0..51).map(|number| format!("192.0.2.{number}")).collect::<Vec<_>>();
    for (body, expected) in [
        (json!({"name": long, "owner": long, "note": "é".repeat(1001)}), vec!["/name", "/note", "/owner"]),
        (json!({"tags": many("t", 21)}), vec!["/tags"]),
        (json!({"tags": ["ok", "Not", "-", &"a".repeat(41), ""]}), vec!["/tags/1", "/tags/2", "/tags/3", "/tags/4"]),
        (json!({"allowed_addresses": addresses}), vec!["/allowed_addresses/50"]),
        (
            json!({"allowed_addresses": ["192.0.2.1/24", "here", "::/0", "fe80::1%eth0", "192.0.2.0/33"]}),
            vec!["/allowed_addresses/0", "/allowed_addresses/1", "/allowed_addresses/3", "/allowed_addresses/4"],
        ),
        (json!({"permissions": many("a.b", 101)}), vec!["/permissions"]),
        (json!({"permissions": ["customer.read", "x", "project.view"]}), vec!["/permissions/1", "/permissions/2"]),
        (json!({"expires_at": "2026-02-30T00:00:00Z", "role": "No"}), vec!["/expires_at", "/role"]),
    ] {
        let problem = server.patch_key(&id, "*", &body).await.problem(422, "invalid");
        let mut found = places(&problem);
        found.sort_unstable();
        assert_eq!(found, expected, "{body}");
        for error in problem["errors"].as_array().expect("errors") {
            assert!(!error["fix"].as_str().expect("a fix").is_empty());
        }
    }
    let limits = json!({"name": "é".repeat(100), "owner": "é".repeat(100), "note": "é".repeat(1000),
        "tags": many("t", 20), "allowed_addresses": addresses[..50], "permissions": many("a.b", 100)});
    server.patch_key(&id, "*", &limits).await.expect(200);
}

#[tokio::test]
async fn rotations_have_bounds() {
    let server = Server::with_two_projects().await;
    let id = key(&server).await;
    for (body, expected) in [
        (json!({"overlap_seconds": 0}), "/overlap_seconds"),
        (json!({"overlap_seconds": 2_592_001}), "/overlap_seconds"),
        (json!({"overlap_seconds": -1}), "/overlap_seconds"),
        (json!({"overlap_seconds": 1.5}), "/overlap_seconds"),
        (json!({"overlap_seconds": "60"}), "/overlap_seconds"),
        (json!({"overlap_seconds": u64::MAX}), "/overlap_seconds"),
        (json!({"until": "2026-11-21T10:22:00Z"}), "/until"),
        (json!({"until": "2026-12-21T10:22:00.000001Z"}), "/until"),
        (json!({"until": "9999-12-31T23:59:59Z"}), "/until"),
        (json!({"until": "tomorrow"}), "/until"),
        (json!({"until": "2026-11-22T10:22:00Z", "overlap_seconds": 60}), "/overlap_seconds"),
        (json!({"drained_after_seconds": 299}), "/drained_after_seconds"),
        (json!({"drained_after_seconds": 86_401}), "/drained_after_seconds"),
        (json!({"drained_after_seconds": 300, "drain": true}), "/drain"),
    ] {
        let problem = server.post(&format!("/keys/{id}/rotate"), &body).await.problem(422, "invalid");
        assert_eq!(places(&problem), [expected], "{body}");
    }
    let longest = json!({"until": "2026-12-21T10:22:00Z", "drained_after_seconds": 2_592_000});
    let issued = server.post(&format!("/keys/{id}/rotate"), &longest).await.expect(200);
    assert_eq!(issued["key"]["rotation"]["until"], "2026-12-21T10:22:00.000000Z");
    // Verbs without fields have none.
    for verb in ["disable", "enable", "revoke", "regenerate", "rotation/complete", "rotation/cancel"] {
        let path = format!("/keys/{id}/{verb}");
        let problem = server.post(&path, &json!({"reason": "x"})).await.problem(422, "invalid");
        assert_eq!(places(&problem), ["/reason"], "{verb}");
        raw(&server, Method::POST, &path, "[]").await.problem(422, "invalid");
    }
    let problem = server.call(&server.owner, Method::DELETE, &format!("/keys/{id}"), Some(&json!({"a": 1}))).await;
    assert_eq!(places(&problem.problem(422, "invalid")), ["/a"]);
    assert_eq!(server.get(&format!("/keys/{id}")).await.expect(200)["version"], 2);
}

/// Whatever is in a name: it is refused with its place, or comes back as it is, trimmed.
#[test]
fn any_name_is_kept_or_refused() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (server, id) = runtime.block_on(async {
        let server = Server::with_two_projects().await;
        let id = key(&server).await;
        (server, id)
    });
    proptest!(ProptestConfig::with_cases(64), |(name in "\\PC{0,120}|[\\x00-\\x20\u{80}-\u{a0}\u{2020}-\u{202f}a-c]{0,8}")| {
        let answer = runtime.block_on(server.patch_key(&id, "*", &json!({"name": name})));
        let trimmed = name.trim();
        let bad = trimmed.chars().any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}'));
        if trimmed.is_empty() || trimmed.chars().count() > 100 || bad {
            let problem = answer.problem(422, "invalid");
            prop_assert_eq!(places(&problem), ["/name"]);
        } else {
            prop_assert_eq!(&answer.expect(200)["name"], trimmed);
        }
    });
}
