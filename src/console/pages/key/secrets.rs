//! The secrets of a key: which are good, since when, and who last used them. None is ever shown again.

use axum::extract::Path;
use maud::{Markup, html};

use super::{At, Subject};
use crate::admin::keys::SecretView;
use crate::console::guard::Fault;
use crate::console::parts::chip::{Tone, chip};
use crate::console::parts::icon::Icon;
use crate::console::parts::note::{Severity, note};
use crate::console::parts::time::{date, relative, relative_or};
use crate::console::visit::Visit;

/// `GET /keys/{id}/secrets`
pub(super) async fn page(visit: Visit, Path(id): Path<String>) -> Result<Markup, Fault> {
    let subject = Subject::load(&visit, &id).await?;
    let content = html! { div.stack { (lost(&visit, &subject)) (panel(&visit, &subject)) } };
    subject.page(&visit, At::Secrets, &content).await
}

/// What to do without the secret.
fn lost(visit: &Visit, subject: &Subject) -> Markup {
    let href = |verb: &str| visit.frame.href(&format!("/keys/{}/{verb}", subject.key.id));
    let renews = visit.may("api.key.update") && visit.may("api.key.create");
    let status = subject.key.status.as_str();
    let text = html! {
        strong { "A secret is shown once, when it is made. " }
        "Gridgate keeps only a digest of it, so nobody can show it again. "
        @if renews && matches!(status, "active" | "disabled") {
            "Is it lost? "
            @if status == "active" && subject.key.rotation.is_none() {
                a data-dialog href=(href("rotate")) { "Rotate" } " gives a new one while the old one still works; "
            }
            a data-dialog href=(href("regenerate")) { "Regenerate" } " gives a new one and stops the old one now."
        }
    };
    note(Severity::Info, &text)
}

/// The table.
pub(super) fn panel(visit: &Visit, subject: &Subject) -> Markup {
    html! {
        section.panel.table-panel {
            div.panel-head {
                h2 { "Secrets" }
                code.meta { (subject.key.masked) }
            }
            div.scroll tabindex="0" role="region" aria-label="Secrets" {
                table {
                    thead { tr {
                        th scope="col" { "Version" }
                        th scope="col" { "State" }
                        th scope="col" { "Form" }
                        th scope="col" { "Made" }
                        th scope="col" { "First used" }
                        th scope="col" { "Last used" }
                    } }
                    tbody { @for secret in &subject.key.secrets { (row(visit, subject, secret)) } }
                }
            }
        }
    }
}

fn row(visit: &Visit, subject: &Subject, secret: &SecretView) -> Markup {
    let retires = secret.retires_at.as_deref();
    html! {
        tr.two {
            th scope="row" { span.name { "v" (secret.version) } }
            td {
                @match &*secret.state {
                    // Of a key that is refused no secret is let in.
                    _ if subject.is_revoked() => (chip(Tone::Red, Icon::Revoked, "Revoked")),
                    "current" => (chip(Tone::Green, Icon::Active, "Current")),
                    "retiring" => {
                        (chip(Tone::Amber, Icon::Rotating, "Retiring"))
                        @if let Some(at) = retires { span.meta { "until then: " (relative(at, visit.now)) } }
                    }
                    _ => {
                        (chip(Tone::Grey, Icon::Inactive, "Retired"))
                        @if let Some(at) = retires { span.meta { (relative(at, visit.now)) } }
                    }
                }
            }
            td { @if secret.format == "uuid" { "UUID" } @else { "Token" } }
            td { (date(&secret.created_at)) span.meta { (relative(&secret.created_at, visit.now)) } }
            td { (relative_or(secret.first_used_at.as_deref(), visit.now, "Never")) }
            td {
                (relative_or(secret.last_used_at.as_deref(), visit.now, "Never"))
                span.meta {
                    @if let Some(address) = &secret.last_used_address { code { (address) } }
                    @if let Some(agent) = &secret.last_used_user_agent { " " (agent) }
                }
            }
        }
    }
}
