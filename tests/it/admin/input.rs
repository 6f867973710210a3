//! Bad input: each fault is told with its place and with what is allowed there.

use std::time::Duration;

use gridgate::admin::{AdminState, router};
use gridgate::domain::Permission;
use http::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::{Server, serve};

const SLUG: &str = "1 to 40 characters of a-z, 0-9 and single '-' between them";
const NAME: &str = "1 to 100 characters without control characters";

fn errors(rows: &[(&str, &str, &str)]) -> Value {
    rows.iter().map(|(pointer, detail, fix)| json!({"pointer": pointer, "detail": detail, "fix": fix})).collect()
}

#[tokio::test]
async fn fields_of_a_project() {
    let server = Server::start().await;
    let (long, many) = ("a".repeat(41), "é".repeat(101));
    let unknown = "unknown field `slog`";
    for (body, expected) in [
        (json!({}), errors(&[("/slug", "it is missing", "it is required")])),
        (json!({"slug": null}), errors(&[("/slug", "it is missing", "it is required")])),
        (
            json!({"slug": "Shop"}),
            errors(&[(
                "/slug",
                "a slug has only the characters a-z, 0-9 and '-'; character 1 of this one is 'S'",
                SLUG,
            )]),
        ),
        (
            json!({"slug": "../etc"}),
            errors(&[(
                "/slug",
                "a slug has only the characters a-z, 0-9 and '-'; character 1 of this one is '.'",
                SLUG,
            )]),
        ),
        (json!({"slug": long}), errors(&[("/slug", "a slug has at most 40 characters; this one is longer", SLUG)])),
        (
            json!({"slug": "a-", "name": " \t"}),
            errors(&[
                ("/slug", "in a slug every '-' stands between two of a-z, 0-9; the one at character 2 does not", SLUG),
                ("/name", "the name is empty", NAME),
            ]),
        ),
        (json!({"slug": "a", "name": many}), errors(&[("/name", "the name has more than 100 characters", NAME)])),
        (
            json!({"slug": "a", "name": "a\u{1b}[31m"}),
            errors(&[("/name", "character 2 of the name is a control character", NAME)]),
        ),
        (json!({"slog": "a"}), errors(&[("/slog", unknown, "send one of `slug`, `name`, `plan`")])),
        (json!({"slug": 7}), errors(&[("/slug", "invalid type: integer `7`", "send a string")])),
        (json!(["a"]), errors(&[("", "the body is not a JSON object", "send an object")])),
    ] {
        let problem = server.post("/projects", &body).await.problem(422, "invalid");
        assert_eq!(problem["errors"], expected, "{body}");
    }
    assert_eq!(server.get("/projects").await.expect(200)["data"], json!([]));
}

#[tokio::test]
async fn fields_of_a_key_are_all_told_at_once() {
    let server = Server::with_two_projects().await;
    let ingest = "one or more of telemetry.traces.write, telemetry.metrics.write, telemetry.logs.write, \
        telemetry.profiles.write, or names of your own such as customer.read";
    let of_admins = Permission::ALL.iter().filter(|one| !one.is_telemetry_write()).map(|one| one.as_str());
    let admin = format!(
        "one or more of *, {}, or names of your own such as customer.read",
        of_admins.collect::<Vec<_>>().join(", ")
    );
    let form = "a permission has 2 to 8 parts with dots between them, each a letter of a-z and then a-z, 0-9, _ or -, and at \
        most 64 characters in all";
    let instant = "an RFC 3339 instant in the future, for example 2036-11-21T10:22:00Z, or leave it out";
    let unread = "an instant is written as RFC 3339 says, for example 2026-11-21T10:22:00Z or \
        2026-11-21T11:22:00.5+01:00";
    let unknown = "send one of `name`, `note`, `tags`, `owner`, `kind`, `project`, `grid`, `environment`, `role`, \
        `permissions`, `allowed_addresses`, `limits`, `expires_at`, `disabled`, `format`";
    for (body, expected) in [
        (
            json!({}),
            errors(&[
                ("/name", "it is missing", "it is required"),
                ("/project", "it is missing", "it is required"),
                ("/grid", "it is missing", "it is required"),
                ("/environment", "it is missing", "it is required"),
            ]),
        ),
        (
            json!({"name": "k", "project": "shop", "grid": "web", "environment": "production", "expires_at": "tomorrow",
                "permissions": ["telemetry.logs.write", "api.key.view", "everything", "telemetry.read", "customer.read"]}),
            errors(&[
                ("/permissions/1", "ingest keys have no such permission", ingest),
                ("/permissions/2", form, ingest),
                ("/permissions/3", "Gridgate has no permission of this name", ingest),
                ("/expires_at", unread, instant),
            ]),
        ),
        (
            json!({"name": "k", "project": "shop", "grid": "web", "environment": "production", "permissions": [],
                "expires_at": "2026-11-21T10:22:00Z"}),
            errors(&[
                ("/permissions", "the list is empty", ingest),
                ("/expires_at", "the instant is not in the future", instant),
            ]),
        ),
        (
            json!({"name": "k", "kind": "admin", "grid": "web", "environment": "production",
                "permissions": ["telemetry.logs.write"]}),
            errors(&[
                ("/grid", "an admin key has none", "leave it out, or create an ingest key"),
                ("/environment", "an admin key has none", "leave it out, or create an ingest key"),
                ("/permissions/0", "admin keys have no such permission", &admin),
            ]),
        ),
        (json!({"name": "k", "kind": "root"}), errors(&[("/kind", "there is no such kind of key", "ingest or admin")])),
        (
            json!({"name": 7, "kind": "admin", "permissions": ["a", 5], "disabled": "yes", "owner": "", "slug": "x"}),
            errors(&[
                ("/disabled", "invalid type: string", "send a boolean"),
                ("/name", "invalid type: integer `7`", "send a string"),
                ("/permissions/1", "invalid type: integer `5`", "send a string"),
                ("/slug", "unknown field `slug`", unknown),
                ("/owner", "the owner is empty", NAME),
            ]),
        ),
    ] {
        let problem = server.post("/keys", &body).await.problem(422, "invalid");
        assert_eq!(problem["errors"], expected, "{body}");
    }
}

#[tokio::test]
async fn parameters_of_lists() {
    let server = Server::with_two_projects().await;
    let limit = json!({"parameter": "limit", "detail": "it is out of range", "fix": "a whole number from 1 to 200"});
    let known = "each of project, grid, environment, kind, status, role, tag, owner, member, attention, rotating, q, last_used_before, \
        expires_before, sort, limit, cursor at most once";
    for (query, expected) in [
        ("limit=0", limit.clone()),
        ("limit=201", limit.clone()),
        ("limit=ten", limit),
        (
            "cursor=../x",
            json!({"parameter": "cursor", "detail": "the cursor is none that a list gave out",
            "fix": "pass the next_cursor of the page before, unchanged, or leave it out"}),
        ),
        ("kind=root", json!({"parameter": "kind", "detail": "there is no such kind", "fix": "ingest or admin"})),
        (
            "status=gone",
            json!({"parameter": "status", "detail": "there is no such status",
            "fix": "all, or one or more of revoked, expired, disabled, active"}),
        ),
        (
            "grid=A",
            json!({"parameter": "grid",
            "detail": "a slug has only the characters a-z, 0-9 and '-'; character 1 of this one is 'A'", "fix": SLUG}),
        ),
        ("order=name", json!({"parameter": "order", "detail": "there is no such parameter", "fix": known})),
        ("limit=1&limit=2", json!({"parameter": "limit", "detail": "it is there twice", "fix": known})),
    ] {
        let problem = server.get(&format!("/keys?{query}")).await.problem(422, "invalid");
        assert_eq!(problem["errors"], json!([expected]), "{query}");
    }
    server.get("/environments?limit=1").await.problem(422, "invalid");
    server.get("/projects?q=%ff").await.problem(422, "invalid");
}

#[tokio::test]
async fn bodies_that_are_not_json() {
    let server = Server::start().await;
    let deep = "[".repeat(60_000);
    for (content_type, body, status, code, detail) in [
        (Some("application/json"), "", 400, "body_malformed", "line 1 column 0"),
        (Some("application/json"), "{\n \"slug\": \"a\",,", 400, "body_malformed", "line 2 column 14"),
        (Some("application/json"), "{\"slug\":\"a\"} x", 400, "body_malformed", "line 1 column 14"),
        (Some("application/json"), "{\"slug\":\"a\",\"slug\":\"b\"}", 422, "invalid", "duplicate field `slug`"),
        (Some("application/json"), "null", 422, "invalid", "the body: the body is not a JSON object"),
        (Some("application/json"), deep.as_str(), 400, "body_malformed", "line 1"),
        (Some("text/plain"), "{}", 415, "content_type_unsupported", "application/json"),
        (Some("application/x-www-form-urlencoded"), "slug=a", 415, "content_type_unsupported", "application/json"),
        (None, "{}", 415, "content_type_unsupported", "application/json"),
    ] {
        let request = server.request(Method::POST, "/projects").header("x-api-key", &server.owner.token);
        let request = content_type.map_or(request, |declared| {
            server
                .request(Method::POST, "/projects")
                .header("x-api-key", &server.owner.token)
                .header("content-type", declared)
        });
        let problem = server.send(request, body.to_owned()).await.problem(status, code);
        assert!(problem["detail"].as_str().is_some_and(|text| text.contains(detail)), "{problem}");
    }
}

#[tokio::test]
async fn a_body_has_a_limit() {
    let server = Server::start().await;
    let object = "{\"slug\":\"shop\"}";
    let body = |length: usize| object.to_owned() + &" ".repeat(length - object.len());
    for (length, status) in [(65_536, 201), (65_537, 413)] {
        let request = server.request(Method::POST, "/projects").header("x-api-key", &server.owner.token);
        let answer = server.send(request.header("content-type", "application/json; charset=utf-8"), body(length)).await;
        assert_eq!(answer.status.as_u16(), status, "{}", answer.text);
        if status == 413 {
            answer.problem(413, "body_too_large");
        }
    }
}

/// The client sends a part of its body, and then nothing.
#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let server = Server::start().await;
    let state = AdminState { body_time: Duration::from_millis(50), ..server.state().clone() };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(serve(listener, router(state)));
    for (path, framing, part) in [
        ("/projects", "content-length: 30", "{\"slug\":"),
        ("/projects", "transfer-encoding: chunked", "3\r\n{\"s\r\n"),
        ("/keys/key_000000000000/revoke", "content-length: 2", "{"),
    ] {
        let mut socket = TcpStream::connect(address).await.expect("a connection");
        let token = &server.owner.token;
        let request = format!(
            "POST /api/v1{path} HTTP/1.1\r\nhost: gate\r\nx-api-key: {token}\r\ncontent-type: application/json\r\n{framing}\r\n\r\n{part}"
        );
        socket.write_all(request.as_bytes()).await.expect("it is sent");
        // The connection ends with the answer: what is still to come of the body is no request.
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        assert!(head.starts_with("HTTP/1.1 408 "), "{answer}");
        assert!(head.contains("content-type: application/problem+json"), "{head}");
        let problem: Value = serde_json::from_str(body).expect("JSON");
        assert_eq!((&problem["code"], &problem["status"]), (&json!("body_timeout"), &json!(408)), "{problem}");
    }
    assert_eq!(server.get("/projects").await.expect(200)["data"], json!([]));
}
