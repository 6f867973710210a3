//! The first tab of a key: what needs attention, its rotation, its usage, who uses it, and what it is.

use axum::extract::Path;
use maud::{Markup, html};
use serde::Deserialize;

use super::{At, Subject, facts, secrets, senders, usage, warnings};
use crate::console::guard::Fault;
use crate::console::pages::rotation::rotation_panel;
use crate::console::visit::{UrlQuery, Visit};

/// What of usage and senders is wanted.
#[derive(Default, Debug, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    /// The range of the chart.
    pub(super) range: Option<String>,
    /// The signal; none: all.
    pub(super) signal: Option<String>,
    /// What is counted: `exports`, `items` or `bytes`.
    pub(super) unit: Option<String>,
    /// The version of a secret: only senders with this one.
    pub(super) secret: Option<u32>,
}

/// `GET /keys/{id}`
pub(super) async fn page(
    visit: Visit,
    Path(id): Path<String>,
    UrlQuery(wanted): UrlQuery<Wanted>,
) -> Result<Markup, Fault> {
    let subject = Subject::load(&visit, &id).await?;
    let notes = warnings::notes(&visit, &subject).await?;
    let rotation = rotation_panel(&visit, &subject.key).await?;
    let has_something_above = !notes.0.is_empty() || rotation.is_some();
    let main = html! {
        @if let Some(rotation) = &rotation { (rotation) }
        (notes)
        @if subject.day.is_some() { (usage::panel(&visit, &subject, &wanted, has_something_above).await?) }
        (senders::panel(&visit, &subject, wanted.secret))
        @if !subject.is_ingest() {
            (permissions(&subject.key.permissions))
            (secrets::panel(&visit, &subject))
        }
    };
    let content = html! {
        div.with-rail {
            div.stack { (main) }
            (facts::rail(&visit, &subject).await?)
        }
    };
    subject.page(&visit, At::Overview, &content).await
}

/// What an admin key may do.
fn permissions(held: &[String]) -> Markup {
    html! {
        section.panel {
            div.panel-head { h2 { "Permissions" } span.meta { (held.len()) } }
            ul.panel-body.words {
                @for name in held {
                    li { code { (name) } @if name == "*" { " everything" } }
                }
            }
        }
    }
}
