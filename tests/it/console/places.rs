//! Where the console leads, whatever it is asked: never to another site, and never past a proxy's prefix.

use http::Method;

use super::{Browser, Console, form, ticket};
use crate::admin::Server;

#[tokio::test]
async fn signing_in_leads_to_a_page_of_the_console() {
    let console = Console::start().await;
    let owner = console.owner().await;
    for (next, place) in [
        ("/console/audit", "/console/audit"),
        ("/console/audit?actor=x&action=key.created", "/console/audit?actor=x&action=key.created"),
        ("/console", "/console"),
        ("", "/console"),
        ("https://evil.example", "/console"),
        ("//evil.example", "/console"),
        ("/\\evil.example", "/console"),
        ("/console\\@evil.example", "/console"),
        ("/console.evil.example", "/console"),
        ("/console@evil.example", "/console"),
        ("/console/\r\nset-cookie: a=b", "/console"),
        ("/console/\t/evil", "/console"),
        ("javascript:alert(1)", "/console"),
        ("/api/v1/me", "/console"),
    ] {
        let fields = form(&[("next", next)]);
        let answer = owner.get(&format!("/console/signed-in?{fields}")).await;
        assert_eq!((answer.status.as_u16(), answer.header("location")), (303, Some(place)), "{next}");
        let answer = owner.post("/console/theme", &[("next", next)]).await;
        assert_eq!(answer.header("location"), Some(place), "{next}");
        // On the way there it is a value, and nothing more.
        let answer = owner.post("/console/sign-in", &[("key", &console.server.owner.token), ("next", next)]).await;
        let through = answer.header("location").expect("a place");
        assert!(through.starts_with("/console/signed-in"), "{through}");
        let page = owner.get(&format!("/console/sign-in?{fields}")).await.text;
        assert!(page.contains(" name=\"next\" value=\""), "{next}");
    }
    let hostile = form(&[("next", "\"><script>alert(1)</script>")]);
    assert!(!owner.get(&format!("/console/sign-in?{hostile}")).await.text.contains("<script>"));
}

/// What cannot be read is a page that says so, with what every page has.
#[tokio::test]
async fn a_query_that_cannot_be_read_is_told() {
    let console = Console::start().await;
    let owner = console.owner().await;
    let answer = owner.get("/console/audit?actor=a&actor=b").await;
    assert_eq!(answer.status, 400);
    assert!(answer.text.contains("Request not readable"), "{}", answer.text);
    assert!(answer.header("content-security-policy").is_some());
    // A value of a query stays one on its way into the API.
    let answer = owner.get("/console/live?project=shop/limits%23").await;
    assert!(!answer.status.is_server_error(), "{}", answer.text);
}

#[tokio::test]
async fn who_has_no_session_is_led_back_to_what_was_asked_for() {
    let console = Console::start().await;
    let answer = console.browser().get("/console/audit?target=project:shop&x=/console/y").await;
    let back = form(&[("next", "/console/audit?target=project:shop&x=/console/y")]);
    assert_eq!(answer.header("location"), Some(format!("/console/sign-in?{back}").as_str()));
    // What was sent is not sent again.
    let answer = console.browser().post("/console/sign-out", &[]).await;
    assert_eq!((answer.status.as_u16(), answer.header("location")), (303, Some("/console/sign-in")));
}

/// A link from another site comes without the cookie, which is strictly for this one; what the console's own page asks for has it.
#[tokio::test]
async fn a_link_from_elsewhere_is_followed_once_more_from_here() {
    let console = Console::start().await;
    let request = console.request(Method::GET, "/console/audit").header("sec-fetch-site", "cross-site");
    let answer = console.send(request, "").await;
    assert_eq!(answer.status, 200);
    assert!(answer.text.contains("http-equiv=\"refresh\" content=\"0\""), "{}", answer.text);
}

#[tokio::test]
async fn behind_a_prefix_nothing_leads_out_of_it() {
    let console = Console::of(Server::start().await, "/gridgate").await;
    let mut browser = Browser { console: &console, ticket: String::new() };
    // A proxy may take the prefix off, or leave it.
    for start in ["", "/gridgate"] {
        let answer = browser.get(&format!("{start}/")).await;
        assert_eq!(answer.header("location"), Some("/gridgate/console"));
        let answer = browser.get(&format!("{start}/console/audit?x=1")).await;
        assert_eq!(
            answer.header("location"),
            Some("/gridgate/console/sign-in?next=%2Fgridgate%2Fconsole%2Faudit%3Fx%3D1")
        );
        let answer = browser.get(&format!("{start}/console/signed-in")).await;
        assert_eq!(answer.status, 400, "there is no cookie");
        let token = console.server.owner.token.clone();
        let fields = [("key", &*token), ("next", "/gridgate/console/audit")];
        let answer = browser.post(&format!("{start}/console/sign-in"), &fields).await;
        assert_eq!(answer.header("location"), Some("/gridgate/console/signed-in?next=%2Fgridgate%2Fconsole%2Faudit"));
        browser.ticket = ticket(&answer);
        let page = browser.get(&format!("{start}/console/audit")).await;
        assert_eq!(page.status, 200);
        for mark in ["href=\"", "src=\"", "action=\""] {
            for (_, rest) in page.text.match_indices(mark).map(|(at, _)| page.text.split_at(at + mark.len())) {
                assert!(rest.starts_with("/gridgate/console") || rest.starts_with('#'), "{}", &rest[..40]);
            }
        }
        browser.ticket.clear();
    }
}

/// What a path names goes into calls of the API: it must not lead them to something else.
#[tokio::test]
async fn nothing_is_smuggled_through_a_path() {
    let console = Console::start().await;
    let owner = console.owner().await;
    for path in
        ["/keys/..%2Fme", "/keys/key_0%2Frevoke%3F", "/keys/%00", "/keys/a%20b", "/%2e%2e/api/v1/me", "/keys/%252e"]
    {
        let answer = owner.get(&format!("/console{path}")).await;
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.text.contains("Page not found"), "{path}");
    }
}
