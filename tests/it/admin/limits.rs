//! How much clients may ask: each key by itself, and each address that shows no good key.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use gridgate::admin::limits::LimitSettings;
use gridgate::domain::random::SeededRandom;
use gridgate::domain::{Permissions, Token};
use http::Method;
use serde_json::json;

use super::{Answer, Server};

/// 2 requests of a key in a second, 4 at once; 3 of an address in a minute.
async fn server() -> Server {
    let count = |number| NonZeroU32::new(number).expect("a count");
    Server::start_with(LimitSettings {
        requests_per_second: count(2),
        burst: count(4),
        unauthenticated_per_minute: count(3),
    })
    .await
}

/// What the answer says of the limit: `ratelimit`, `ratelimit-policy`, `retry-after`.
fn told(answer: &Answer) -> [Option<&str>; 3] {
    ["ratelimit", "ratelimit-policy", "retry-after"].map(|name| answer.header(name))
}

#[tokio::test]
async fn a_key_has_so_many_requests_and_gets_them_back() {
    let server = server().await;
    for left in ["\"default\";r=3;t=1", "\"default\";r=2;t=1", "\"default\";r=1;t=2", "\"default\";r=0;t=2"] {
        let answer = server.get("/projects").await;
        answer.expect(200);
        assert_eq!(told(&answer), [Some(left), Some("\"default\";q=4;w=2"), None]);
    }
    let refused = server.post("/projects", &json!({"slug": "shop"})).await;
    let problem = refused.problem(429, "rate_limited");
    assert_eq!(problem["detail"], "more than 4 requests in 2 s; try again in 1 s");
    assert_eq!(told(&refused), [Some("\"default\";r=0;t=2"), Some("\"default\";q=4;w=2"), Some("1")]);

    let other = server.admin("other", None, Permissions::owner()).await;
    server.call(&other, Method::GET, "/projects", None).await.expect(200);

    server.clock.advance(Duration::from_millis(500));
    let answer = server.get("/projects").await;
    assert_eq!(answer.expect(200)["data"], json!([]), "what was refused was not done");
    server.get("/projects").await.problem(429, "rate_limited");
    server.clock.advance(Duration::from_secs(10));
    assert_eq!(told(&server.get("/projects").await)[0], Some("\"default\";r=3;t=1"), "no more than a whole bucket");
}

#[tokio::test]
async fn an_address_pays_for_what_fails() {
    let server = server().await;
    let policy = Some("\"unauthenticated\";q=3;w=60");
    let wrong = |token: &'static str| server.request(Method::GET, "/projects").header("x-api-key", token);
    let missing = server.send(server.request(Method::GET, "/projects"), "").await;
    missing.problem(401, "credentials_missing");
    assert_eq!(told(&missing), [Some("\"unauthenticated\";r=2;t=20"), policy, None]);
    server.send(wrong("gga_7Hq2mZxK9wPa_x"), "").await.problem(401, "credentials_malformed");
    server.send(server.request(Method::GET, "/nowhere"), "").await.problem(404, "path_unknown");
    let refused = server.send(wrong("nonsense"), "").await;
    refused.problem(429, "rate_limited");
    assert_eq!(told(&refused), [Some("\"unauthenticated\";r=0;t=60"), policy, Some("20")]);
    server.send(server.request(Method::GET, "/openapi.json"), "").await.problem(429, "rate_limited");
    server.get("/projects").await.problem(429, "rate_limited");

    server.clock.advance(Duration::from_secs(20));
    server.get("/projects").await.expect(200);
}

#[tokio::test]
async fn a_key_that_is_known_goes_on_where_others_fail() {
    let server = server().await;
    server.get("/projects").await.expect(200);
    for _ in 0..2 {
        server.send(server.request(Method::GET, "/projects"), "").await.problem(401, "credentials_missing");
    }
    server.send(server.request(Method::GET, "/projects"), "").await.problem(429, "rate_limited");
    server.get("/projects").await.expect(200);

    // Another secret of the key that is known: the address pays from now on.
    let (kept, wrong) = (server.owner.token.clone(), server.admin("other", None, Permissions::owner()).await);
    let id = server.owner.id.parse().expect("an id");
    let forged = Token::mint(None, id, &SeededRandom::new(99)).expect("a token").reveal().to_owned();
    let request = |token: &str| server.request(Method::GET, "/projects").header("x-api-key", token);
    server.send(request(&forged), "").await.problem(429, "rate_limited");
    server.send(request(&kept), "").await.problem(429, "rate_limited");
    server.send(request(&wrong.token), "").await.problem(429, "rate_limited");
    server.clock.advance(Duration::from_secs(20));
    server.send(request(&kept), "").await.expect(200);
}

#[tokio::test]
async fn addresses_pay_apart_and_a_network_of_ipv6_together() {
    let server = server().await;
    let from = async |address: &str| {
        let peer: IpAddr = address.parse().expect("an address");
        server.status_from(peer, server.request(Method::GET, "/projects")).await
    };
    for address in ["2001:db8::1", "2001:db8::2", "2001:db8::ffff:1"] {
        assert_eq!(from(address).await, 401);
    }
    assert_eq!(from("2001:db8::4").await, 429);
    assert_eq!(from("2001:db8:0:1::1").await, 401);
    assert_eq!(from("192.0.2.1").await, 401);
}

#[tokio::test]
async fn a_clock_that_is_set_back_locks_nobody_out() {
    let server = server().await;
    for _ in 0..4 {
        server.get("/projects").await.expect(200);
    }
    server.clock.set_back(Duration::from_hours(1));
    server.get("/projects").await.expect(200);
}
