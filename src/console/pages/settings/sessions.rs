//! Who is signed in with the visitor's key, the theme, and where senders send to.

use axum::extract::Path;
use axum::response::Redirect;
use maud::{Markup, html};

use super::{Part, show};
use crate::admin::sessions::{SessionView, SessionsView};
use crate::console::form::Form;
use crate::console::guard::Fault;
use crate::console::pages::create::snippets::base;
use crate::console::parts::chip::{Tone, chip};
use crate::console::parts::copy::copyable;
use crate::console::parts::icon::Icon;
use crate::console::parts::time::relative;
use crate::console::visit::Visit;
use crate::domain::session::SessionId;

/// `GET /settings`
pub(super) async fn page(visit: Visit) -> Result<Markup, Fault> {
    let sessions: SessionsView = visit.api.get("/sessions").await?;
    let settings = visit.settings();
    let (grpc, http) = (base(&settings.grpc, &visit.frame.host), base(&settings.http, &visit.frame.host));
    let content = html! {
        div.stack.settings {
            section.panel aria-labelledby="sessions" {
                div.panel-head {
                    h2 #sessions { "Sessions" }
                    span.meta { "of " (visit.me.name) }
                    form.push method="post" action=(visit.frame.href("/sign-out-everywhere")) {
                        (visit.frame.form_fields())
                        button.small.danger-button type="submit" { "Sign out everywhere" }
                    }
                }
                div.scroll tabindex="0" role="region" aria-label="Sessions of this key" {
                    table {
                        thead { tr {
                            th scope="col" { "Browser" }
                            th scope="col" { "Began" }
                            th scope="col" { "Last used" }
                            th scope="col" { "Ends" }
                            th scope="col" { span.visually-hidden { "Action" } }
                        } }
                        tbody { @for session in &sessions.data { (row(&visit, session)) } }
                    }
                }
            }
            section.panel aria-labelledby="theme" {
                div.panel-head { h2 #theme { "Theme" } }
                form.panel-body.theme-form method="post" action=(visit.frame.href("/theme")) {
                    input type="hidden" name="next" value=(visit.frame.href("/settings"));
                    button type="submit" name="theme" value="system" { "As the system" }
                    button type="submit" name="theme" value="light" { "Light" }
                    button type="submit" name="theme" value="dark" { "Dark" }
                }
            }
            section.panel aria-labelledby="shortcuts" {
                div.panel-head { h2 #shortcuts { "Shortcuts" } span.meta { "/ goes to the search, n creates a key" } }
                form.panel-body.theme-form method="post" action=(visit.frame.href("/shortcuts")) {
                    input type="hidden" name="next" value=(visit.frame.href("/settings"));
                    @if visit.frame.has_shortcuts { button type="submit" name="shortcuts" value="off" { "Switch shortcuts off" } }
                    @else { button type="submit" name="shortcuts" value="on" { "Switch shortcuts on" } }
                }
            }
            section.panel aria-labelledby="endpoints" {
                div.panel-head { h2 #endpoints { "Endpoints" } span.meta { "what senders are told" } }
                dl.facts {
                    div { dt { "OTLP/gRPC" } dd { (copyable(&grpc, "the endpoint of OTLP/gRPC")) } }
                    div { dt { "OTLP/HTTP" } dd { (copyable(&http, "the endpoint of OTLP/HTTP")) } }
                }
            }
        }
    };
    show(&visit, Part::Sessions, &content).await
}

fn row(visit: &Visit, session: &SessionView) -> Markup {
    let browser = session.user_agent.as_deref().map_or("Unknown browser", browser);
    html! {
        tr.two {
            th scope="row" {
                span title=[session.user_agent.as_deref()] { (browser) }
                span.meta { (session.address.as_deref().unwrap_or("unknown address")) }
            }
            td { (relative(&session.created_at, visit.now)) }
            td { (relative(&session.last_used_at, visit.now)) }
            td { (relative(&session.expires_at, visit.now)) }
            td.end {
                @if session.current {
                    (chip(Tone::Accent, Icon::Active, "This session"))
                } @else {
                    form method="post" action=(visit.frame.href(&format!("/settings/sessions/{}/end", session.id))) {
                        (visit.frame.form_fields())
                        button.small type="submit" { "End session" }
                    }
                }
            }
        }
    }
}

/// The browser that a `User-Agent` header speaks of; where none of the usual ones, its first word.
fn browser(agent: &str) -> &str {
    const KNOWN: [(&str, &str); 5] =
        [("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari")];
    let found = KNOWN.iter().find(|(mark, _)| agent.contains(mark)).map(|(_, name)| *name);
    found.or_else(|| agent.split([' ', '/']).find(|word| !word.is_empty())).unwrap_or("Unknown browser")
}

/// `POST /settings/sessions/{id}/end`
pub(super) async fn end(visit: Visit, Path(id): Path<String>, _form: Form) -> Result<Redirect, Fault> {
    let id: SessionId = id.parse().map_err(|_| Fault::NotFound)?;
    visit.api.delete::<()>(&format!("/sessions/{id}"), None).await?;
    Ok(Redirect::to(&visit.frame.href("/settings")))
}

#[cfg(test)]
mod tests {
    use super::browser;

    #[test]
    fn browsers_are_told_apart() {
        let chrome =
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0 Safari/537.36";
        assert_eq!(browser(chrome), "Chrome");
        assert_eq!(browser(&format!("{chrome} Edg/131.0")), "Edge");
        assert_eq!(browser("curl/8.5"), "curl");
        assert_eq!(browser(""), "Unknown browser");
    }
}
