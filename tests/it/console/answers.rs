//! What every answer has, and what no page has.

use http::Method;

use super::Console;

const ALWAYS: [(&str, &str); 6] = [
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cache-control", "no-store"),
];

#[tokio::test]
async fn every_answer_has_the_headers_that_browsers_go_by() {
    let console = Console::start().await;
    let (stranger, owner) = (console.browser(), console.owner().await);
    let mut answers = Vec::new();
    for path in ["/", "/console/", "/console", "/console/sign-in", "/console/nowhere", "/console/assets/nothing.js"] {
        answers.push((path, stranger.get(path).await));
    }
    for path in ["/console", "/console/audit", "/console/nowhere", "/console/audit?cursor=nonsense"] {
        answers.push((path, owner.get(path).await));
    }
    for method in [Method::HEAD, Method::DELETE, Method::OPTIONS, Method::PUT] {
        answers.push(("/console/audit", console.send(owner.request(method, "/console/audit"), "").await));
    }
    answers.push(("a wrong key", stranger.post("/console/sign-in", &[("key", "gga_wrong")]).await));
    answers.push(("a form of nobody's", owner.post("/console/sign-out", &[]).await));
    answers.push(("a theme", stranger.post("/console/theme", &[("theme", "dark")]).await));
    for (what, answer) in &answers {
        for (name, value) in ALWAYS {
            assert_eq!(answer.header(name), Some(value), "{what}: {name}");
        }
        let policy = answer.header("content-security-policy").expect("a policy");
        for part in
            ["default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"]
        {
            assert!(policy.split("; ").any(|one| one == part), "{what}: {policy}");
        }
        assert!(!policy.contains("unsafe") && !policy.contains('*') && policy.contains("require-trusted-types-for"));
    }
}

/// The policy would stop it; but what works by being stopped does not work.
#[tokio::test]
async fn no_page_has_script_or_style_of_its_own() {
    let console = Console::start().await;
    let owner = console.owner().await;
    for path in ["/console/sign-in", "/console", "/console/audit", "/console/nowhere"] {
        let page = owner.get(path).await.text;
        assert!(page.starts_with("<!DOCTYPE html>"), "{path}");
        assert_eq!(page.matches("<script").count(), page.matches("<script src=\"/console/assets/").count(), "{path}");
        for inline in
            ["<style", " style=\"", " onclick", " onload", " onerror", "javascript:", "src=\"http", "href=\"http"]
        {
            assert!(!page.contains(inline), "{path}: {inline}");
        }
    }
}

#[tokio::test]
async fn style_and_script_are_kept_under_names_of_their_own() {
    let console = Console::start().await;
    let page = console.browser().get("/console/sign-in").await.text;
    for (start, kind) in [("<script src=\"", "text/javascript"), ("<link rel=\"stylesheet\" href=\"", "text/css")] {
        let (_, rest) = page.split_once(start).expect("a link");
        let (path, _) = rest.split_once('"').expect("a path");
        let plain = console.browser().get(path).await;
        assert_eq!(plain.status, 200, "{path}");
        assert!(plain.header("content-type").expect("a type").starts_with(kind));
        assert_eq!(plain.header("cache-control"), Some("public, max-age=31536000, immutable"));
        assert_eq!(plain.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(console.browser().get(&path.replace("console.", "other.")).await.status, 404);
    }
}
