//! Creating a key, showing its secret once, and waiting for its first export.

mod choices;
mod dialog;
pub(in crate::console) mod secret;
pub(in crate::console) mod snippets;
mod typed;
mod waiting;

use axum::Router;
use axum::extract::Path;
use axum::routing::get;
use maud::{Markup, html};

use super::projects::segment;
use crate::admin::keys::KeyView;
use crate::console::Console;
use crate::console::guard::Fault;
use crate::console::parts::icon::{Icon, icon};
use crate::console::parts::note::{Severity, note};
use crate::console::visit::Visit;

pub(super) fn routes() -> Router<Console> {
    Router::new()
        .route("/keys/new", get(dialog::page).post(dialog::create))
        .route("/keys/{id}/waiting", get(waiting::page))
        .route("/keys/{id}/snippets", get(known_snippets))
}

/// `GET /keys/{id}/snippets`: how a key is used whose secret somebody has, or has lost.
async fn known_snippets(visit: Visit, Path(id): Path<String>) -> Result<Markup, Fault> {
    let key: KeyView = visit.api.get(&format!("/keys/{}", segment(&id))).await?;
    let here = format!("/keys/{}", key.id);
    let renews = visit.may("api.key.update")
        && visit.may("api.key.create")
        && key.status != "revoked"
        && key.status != "expired";
    let content = html! {
        div.card-head {
            h1 { "Use " (key.name) }
            a.button.icon-button href=(visit.frame.href(&here)) data-close aria-label="Close" { (icon(Icon::Close)) }
        }
        p { "Put the secret in place of " code { (key.masked) } "." }
        div.dialog-body {
            (note(Severity::Info, &html! {
                strong { "The secret cannot be shown again." }
                " Gridgate keeps only a digest of it."
                @if renews { " Who has lost it makes a new one: regenerate stops the old one now, rotate lets both work for a while." }
            }))
            (secret::snippets(&visit, &key, None))
        }
        div.dialog-foot {
            @if renews {
                a.button href=(visit.frame.href(&format!("{here}/regenerate"))) data-dialog { "Regenerate…" }
                @if key.rotation.is_none() && key.status == "active" {
                    a.button href=(visit.frame.href(&format!("{here}/rotate"))) data-dialog { "Rotate…" }
                }
            }
            a.button.primary href=(visit.frame.href(&here)) data-close { "Done" }
        }
    };
    Ok(visit.broad_dialog("Snippets", &content))
}
