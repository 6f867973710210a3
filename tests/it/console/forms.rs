//! Forms that a page of another site, or of another session, sends in a visitor's name.

use http::Method;

use super::{Console, form};

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

#[tokio::test]
async fn a_form_of_no_page_of_this_session_changes_nothing() {
    let console = Console::start().await;
    let (owner, other) = (console.owner().await, console.owner().await);
    let (ours, theirs) = (owner.form_token().await, other.form_token().await);
    assert_ne!(ours, theirs);
    let cut = &ours[..63];
    let upper = ours.to_uppercase();
    for path in ["/console/sign-out", "/console/sign-out-everywhere"] {
        for wrong in ["", "x", &theirs, cut, &upper, &owner.ticket] {
            let answer = owner.post(path, &[("form_token", wrong)]).await;
            assert_eq!(answer.status, 403, "{path} {wrong}");
            assert!(answer.text.contains("It does not come from a page of this session."));
        }
        assert_eq!(owner.post(path, &[]).await.status, 403, "{path}");
        // A link, or an image that is none.
        assert_eq!(owner.get(&format!("{path}?form_token={ours}")).await.status, 404, "{path}");
    }
    assert!(owner.is_in().await && other.is_in().await);
    assert_eq!(owner.submit("/console/sign-out").await.status, 303);
    assert!(!owner.is_in().await && other.is_in().await);
}

/// Even one that has found out what stands in the forms: browsers say where a form comes from.
#[tokio::test]
async fn a_form_of_another_site_changes_nothing() {
    let console = Console::start().await;
    let owner = console.owner().await;
    let body = form(&[("form_token", &owner.form_token().await)]);
    let cookie = format!("__Host-gridgate={}", owner.ticket);
    let host = console.address.to_string();
    let (same, port) = (format!("http://{host}"), format!("http://{}:1", console.address.ip()));
    for headers in [
        vec![("sec-fetch-site", "cross-site")],
        vec![("sec-fetch-site", "same-site"), ("origin", &same)],
        vec![("sec-fetch-site", "nonsense")],
        vec![("origin", "https://evil.example")],
        vec![("origin", "null")],
        vec![("origin", &port)],
    ] {
        let request = console.request(Method::POST, "/console/sign-out").header(FORM.0, FORM.1);
        let request = request.header("cookie", &cookie);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let answer = console.send(request, &body).await;
        assert_eq!(answer.status, 403, "{headers:?}");
        assert!(owner.is_in().await, "{headers:?}");
    }
    // What a form of another site can declare without asking first.
    for declared in ["text/plain", "multipart/form-data; boundary=x", "application/json", ""] {
        let request = owner.request(Method::POST, "/console/sign-out").header("content-type", declared);
        assert_eq!(console.send(request, &body).await.status, 400, "{declared}");
    }
    assert!(owner.is_in().await);
    // A browser over plain HTTP says the origin only.
    let request = console.request(Method::POST, "/console/sign-out").header(FORM.0, FORM.1);
    let answer = console.send(request.header("cookie", &cookie).header("origin", same), &body).await;
    assert_eq!(answer.status, 303);
    assert!(!owner.is_in().await);
}

/// Otherwise a visitor would work as somebody else, who reads what they do.
#[tokio::test]
async fn another_site_signs_nobody_in() {
    let console = Console::start().await;
    for (name, value) in [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")] {
        let request = console.request(Method::POST, "/console/sign-in").header(FORM.0, FORM.1).header(name, value);
        let answer = console.send(request, &form(&[("key", &console.server.owner.token)])).await;
        assert_eq!((answer.status.as_u16(), answer.header("set-cookie")), (403, None), "{name}");
    }
    assert_eq!(console.server.count("sessions").await, 0);
}

#[tokio::test]
async fn the_theme_is_one_of_two_and_nothing_else() {
    let console = Console::start().await;
    let browser = console.browser();
    for (theme, value) in
        [("dark", "dark"), ("light", "light"), ("system", ""), ("dark; Domain=evil", ""), ("x\r\ny: z", "")]
    {
        let answer = browser.post("/console/theme", &[("theme", theme), ("next", "https://evil.example")]).await;
        assert_eq!((answer.status.as_u16(), answer.header("location")), (303, Some("/console")), "{theme}");
        let cookie = answer.header("set-cookie").expect("a cookie");
        assert!(cookie.starts_with(&format!("gridgate-theme={value}; Path=/; SameSite=Strict")), "{cookie}");
        assert!(!cookie.contains("evil"), "{cookie}");
    }
    let request = browser.request(Method::GET, "/console/sign-in").header("cookie", "gridgate-theme=\"><script>");
    assert!(!console.send(request, "").await.text.contains("data-theme"));
}

/// Who is nobody yet does not make the server hold much.
#[tokio::test]
async fn a_stranger_sends_little() {
    let console = Console::start().await;
    for path in ["/console/sign-in", "/console/theme"] {
        let answer = console.browser().post(path, &[("key", &"x".repeat(20_000))]).await;
        assert_eq!(answer.status, 400, "{path}");
        assert!(answer.text.contains("too large"), "{}", answer.text);
    }
}
