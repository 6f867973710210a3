//! Who is let in, and what the others are told.

use http::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::Server;
use gridgate::domain::Permissions;

#[tokio::test]
async fn each_header_is_accepted() {
    let server = Server::start().await;
    let token = &server.owner.token;
    for headers in [
        vec![("authorization", format!("Bearer {token}"))],
        vec![("authorization", format!("bearer   {token} "))],
        vec![("authorization", token.clone())],
        vec![("x-api-key", token.clone())],
        vec![("api-key", format!(" {token}"))],
        vec![("api-key", token.clone()), ("x-api-key", token.clone()), ("authorization", format!("Bearer {token}"))],
    ] {
        let request = server.request(Method::GET, "/projects");
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, value));
        server.send(request, "").await.expect(200);
    }
}

#[tokio::test]
async fn everything_else_is_refused() {
    let server = Server::with_two_projects().await;
    let token = server.owner.token.clone();
    let other = server.admin("other", None, Permissions::owner()).await.token;
    let ingest = server.ingest_key("shop", "checkout").await["token"].as_str().expect("a token").to_owned();
    let challenge = Some("Bearer realm=\"gridgate-admin\", error=\"invalid_token\"");
    for (headers, status, code, expected) in [
        (vec![], 401, "credentials_missing", Some("Bearer realm=\"gridgate-admin\"")),
        (vec![("authorization", "")], 401, "credentials_malformed", challenge),
        (vec![("authorization", "Basic b3duZXI6")], 401, "credentials_malformed", challenge),
        (vec![("x-api-key", "key_000000000000")], 401, "credentials_malformed", challenge),
        (vec![("x-api-key", &token[..50])], 401, "credentials_malformed", challenge),
        (vec![("x-api-key", "schlüssel")], 401, "credentials_malformed", challenge),
        (vec![("x-api-key", &ingest)], 401, "credentials_ingest", challenge),
        (
            vec![("x-api-key", "gga_7Hq2mZxK9wPa_EXAMPLEexampleEXAMPLEexample00004SVKRe")],
            401,
            "credentials_invalid",
            challenge,
        ),
        (vec![("x-api-key", &token), ("api-key", &other)], 400, "credentials_ambiguous", None),
        (vec![("x-api-key", &token), ("x-api-key", &other)], 400, "credentials_ambiguous", None),
    ] {
        let request = server.request(Method::GET, "/projects");
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let answer = server.send(request, "").await;
        let problem = answer.problem(status, code);
        assert_eq!(answer.header("www-authenticate"), expected, "{problem}");
    }
    // Never the query string.
    let answer = server.send(server.request(Method::GET, &format!("/projects?api-key={token}")), "").await;
    answer.problem(401, "credentials_missing");
}

/// A wrong secret of a key that exists, and a key that does not: the same answer.
#[tokio::test]
async fn ids_cannot_be_probed() {
    let server = Server::start().await;
    let id = server.owner.id.parse().expect("an id");
    let random = gridgate::domain::random::SeededRandom::new(99);
    let forged = gridgate::domain::Token::mint(None, id, &random).expect("a token");
    let unknown = "gga_7Hq2mZxK9wPa_EXAMPLEexampleEXAMPLEexample00004SVKRe";
    let mut problems = Vec::new();
    for token in [forged.reveal(), unknown] {
        let request = server.request(Method::GET, "/projects").header("x-api-key", token);
        problems.push(server.send(request, "").await.problem(401, "credentials_invalid"));
    }
    assert_eq!(problems[0], problems[1]);
}

#[tokio::test]
async fn a_key_that_is_not_active_is_told_why() {
    let server = Server::start().await;
    let admin = server.admin("ops", None, Permissions::owner()).await;
    for (verb, code) in [("disable", "credentials_disabled"), ("revoke", "credentials_revoked")] {
        server.call(&admin, Method::GET, "/projects", None).await.expect(200);
        server.post(&format!("/keys/{}/{verb}", admin.id), &json!({})).await.expect(200);
        server.call(&admin, Method::GET, "/projects", None).await.problem(401, code);
        if verb == "disable" {
            server.post(&format!("/keys/{}/enable", admin.id), &json!({})).await.expect(200);
        }
    }
}

#[tokio::test]
async fn paths_and_methods_come_before_the_key() {
    let server = Server::start().await;
    for path in ["", "/", "/nothing", "/keys/", "/keys/key_000000000000/spin"] {
        let answer = server.send(server.request(Method::GET, path), "").await;
        assert!(!answer.text.is_empty(), "{path:?}");
        answer.problem(404, "path_unknown");
    }
    for (method, path, allow) in
        [(Method::DELETE, "/keys", "GET,HEAD,POST"), (Method::GET, "/keys/key_000000000000/revoke", "POST")]
    {
        let answer = server.send(server.request(method, path), "").await;
        answer.problem(405, "method_not_allowed");
        assert_eq!(answer.header("allow"), Some(allow));
    }
}

/// The body is announced and never sent; the answer comes all the same.
#[tokio::test]
async fn the_key_is_checked_before_the_body_is_read() {
    let server = Server::start().await;
    let mut socket = TcpStream::connect(server.address).await.expect("a connection");
    let head = "POST /api/v1/keys HTTP/1.1\r\nhost: gridgate\r\ncontent-type: application/json\r\ncontent-length: 60000\r\n\r\n";
    socket.write_all(head.as_bytes()).await.expect("the head is sent");
    let mut answer = [0; 12];
    socket.read_exact(&mut answer).await.expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 401");
}
