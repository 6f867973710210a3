//! Who guesses, who brings what is no session, and who comes over plain HTTP.

use std::num::NonZeroU32;
use std::time::Duration;

use gridgate::admin::limits::LimitSettings;
use gridgate::domain::OsRandom;
use gridgate::domain::session::Ticket;
use http::Method;

use super::{COOKIE, Console, form};
use crate::admin::Server;

/// Three requests of an address in a minute without good credentials.
async fn strict() -> Console {
    let count = |number| NonZeroU32::new(number).expect("a count");
    let limits =
        LimitSettings { requests_per_second: count(100), burst: count(100), unauthenticated_per_minute: count(3) };
    Console::of(Server::start_with(limits).await, "").await
}

#[tokio::test]
async fn guessing_keys_is_slow() {
    let console = strict().await;
    let browser = console.browser();
    for wrong in ["gga_wrong", "", "gga_7Hq2mZxK9wPa_EXAMPLEexampleEXAMPLEexample00004SVKRe"] {
        let answer = browser.post("/console/sign-in", &[("key", wrong)]).await;
        assert_eq!(answer.status, 401, "{}", answer.text);
    }
    let token = console.server.owner.token.clone();
    let answer = browser.post("/console/sign-in", &[("key", &token)]).await;
    assert_eq!(answer.status, 429);
    assert!(answer.text.contains("More than 3 requests in 60 s; try again in 20 s."), "{}", answer.text);
    assert!(!answer.text.contains(&token) && answer.header("set-cookie").is_none());
    // Elsewhere nothing is known of it, and here it is over after a while.
    console.comes_from("192.0.2.7");
    assert_eq!(browser.post("/console/sign-in", &[("key", &token)]).await.status, 303);
    console.comes_from("127.0.0.1");
    console.server.clock.advance(Duration::from_secs(20));
    assert_eq!(browser.post("/console/sign-in", &[("key", &token)]).await.status, 303);
}

#[tokio::test]
async fn guessing_tickets_is_slow_and_asks_the_catalog_for_nothing_then() {
    let console = strict().await;
    let owner = console.owner().await;
    assert!(owner.is_in().await);
    let mut guess = console.browser();
    let mut asked = async || {
        guess.ticket = Ticket::mint(&OsRandom).expect("randomness").reveal().to_owned();
        guess.get("/console/audit").await
    };
    assert_eq!(asked().await.status, 303, "the last that this address has left");
    console.server.take_database_away();
    let answer = asked().await;
    assert_eq!(answer.status, 429, "{}", answer.text);
    assert!(answer.text.contains("try again in 20 s"), "{}", answer.text);
    console.server.give_database_back();
    assert!(owner.is_in().await, "a session that is known here goes on");
}

/// What is no ticket costs nothing at all.
#[tokio::test]
async fn what_cannot_be_a_ticket_is_not_looked_up() {
    let console = strict().await;
    console.server.take_database_away();
    let mut browser = console.browser();
    for wrong in ["x", &"a".repeat(31), &"a".repeat(4000), "gga_7Hq2mZxK9wPa", "' OR 1=1 --", "🗝"] {
        browser.ticket = wrong.to_owned();
        assert_eq!(browser.get("/console/audit").await.status, 303, "{wrong}");
    }
}

#[tokio::test]
async fn of_several_cookies_none_is_taken_and_others_do_not_matter() {
    let console = Console::start().await;
    let owner = console.owner().await;
    let ours = format!("{COOKIE}={}", owner.ticket);
    let other = format!("{COOKIE}={}", Ticket::mint(&OsRandom).expect("randomness").reveal());
    let ask = async |cookies: &[&[u8]]| {
        let request = console.request(Method::GET, "/console/audit");
        let request = cookies.iter().fold(request, |request, cookie| request.header("cookie", *cookie));
        console.send(request, "").await.status.as_u16()
    };
    assert_eq!(ask(&[ours.as_bytes()]).await, 200);
    assert_eq!(ask(&[format!("a=b; {ours}; c=d;; e").as_bytes()]).await, 200);
    assert_eq!(ask(&[b"of-another=\xff\xfe", ours.as_bytes()]).await, 200, "bytes of another site of this host");
    assert_eq!(ask(&[&[b"of-another=\xff; ", ours.as_bytes()].concat()]).await, 200);
    for several in [format!("{ours}; {other}"), format!("{other}; {ours}"), format!("{ours}; {ours}")] {
        assert_eq!(ask(&[several.as_bytes()]).await, 303, "{several}");
    }
    assert_eq!(ask(&[ours.as_bytes(), other.as_bytes()]).await, 303);
    for wrong in [ours.to_lowercase(), format!("x{ours}"), ours.replace("__Host-", ""), format!("{ours}x")] {
        assert_eq!(ask(&[wrong.as_bytes()]).await, 303, "{wrong}");
    }
}

/// A session is for the console, a token for the API, and nothing that is sent makes one of the other.
#[tokio::test]
async fn neither_stands_for_the_other() {
    let console = Console::start().await;
    let owner = console.owner().await;
    let api = async |name: &str, value: String| {
        let answer = console.send(console.request(Method::GET, "/api/v1/me").header(name, value), "").await;
        answer.status.as_u16()
    };
    assert_eq!(api("cookie", format!("{COOKIE}={}", owner.ticket)).await, 401);
    assert_eq!(api("authorization", format!("Bearer {}", owner.ticket)).await, 401);
    for name in ["signedin", "x-signed-in", "x-session", "session"] {
        assert_eq!(api(name, console.server.owner.id.clone()).await, 401, "{name}");
    }
    assert_eq!(api("x-api-key", console.server.owner.token.clone()).await, 200);
    let request = console.request(Method::GET, "/console/audit").header("x-api-key", &console.server.owner.token);
    assert_eq!(console.send(request, "").await.status, 303, "the console takes no token but on the page to sign in");
    // There it is the field that counts, whatever headers come along.
    let request = console.request(Method::POST, "/console/sign-in").header("x-api-key", &console.server.owner.token);
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    let answer = console.send(request, &form(&[("key", "gga_wrong")])).await;
    assert_eq!((answer.status.as_u16(), answer.header("set-cookie")), (401, None));
}

#[tokio::test]
async fn over_plain_http_nobody_is_signed_in_and_everybody_is_told_why() {
    let console = Console::start().await;
    let body = form(&[("key", &console.server.owner.token)]);
    let come = async |headers: &[(&str, &str)]| {
        let ask = |method| {
            let request = console.request(method, "/console/sign-in");
            let request = request.header("content-type", "application/x-www-form-urlencoded");
            headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))
        };
        (console.send(ask(Method::GET), "").await, console.send(ask(Method::POST), &body).await)
    };
    for host in
        ["gate.example:4319", "192.0.2.7", "[2001:db8::1]:4319", "localhost.evil.example", "127.0.0.1.evil.example"]
    {
        let (page, answer) = come(&[("host", host), ("origin", &format!("http://{host}"))]).await;
        assert!(
            page.text.contains("This page came as plain text.") && page.text.contains("[listen.admin_tls]"),
            "{host}"
        );
        assert_eq!((answer.status.as_u16(), answer.header("set-cookie")), (400, None), "{host}");
        assert!(answer.text.contains("Nobody was signed in: this page did not come over TLS."), "{host}");
        assert!(!answer.text.contains(&console.server.owner.token));
    }
    assert_eq!(console.server.count("sessions").await, 0);
    for safe in [
        vec![("host", "localhost:4319")],
        vec![("host", "127.0.0.1:4319")],
        vec![("host", "[::1]:4319")],
        vec![("host", "gate.example"), ("origin", "https://gate.example")],
        vec![("host", "gate.example"), ("x-forwarded-proto", "https")],
        vec![("host", "gate.example"), ("sec-fetch-site", "same-origin")],
    ] {
        let (_, answer) = come(&safe).await;
        assert_eq!(answer.status, 303, "{safe:?}");
    }
    // Where the cookie was not kept all the same, that is said.
    let answer = console.browser().get("/console/signed-in").await;
    assert_eq!(answer.status, 400);
    assert!(answer.text.contains("Your browser did not keep the session"));
}
