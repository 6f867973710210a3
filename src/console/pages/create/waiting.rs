//! Waiting for the first export with a new secret: a line that turns green by itself.

use axum::extract::Path;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde::Deserialize;

use super::super::projects::segment;
use super::snippets::base;
use crate::admin::keys::KeyView;
use crate::admin::senders::SenderView;
use crate::admin::senders::of_key::SendersView;
use crate::console::api::{Api, Query};
use crate::console::guard::Fault;
use crate::console::parts::icon::{Icon, icon};
use crate::console::parts::time::exact;
use crate::console::visit::{UrlQuery, Visit};
use crate::domain::Timestamp;

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    /// Whether the line asks for itself.
    line: bool,
}

/// `GET /keys/{id}/waiting`: what remains of the card once the secret is copied. Where the export is there already, the key's page.
pub(super) async fn page(
    visit: Visit,
    Path(id): Path<String>,
    UrlQuery(wanted): UrlQuery<Wanted>,
) -> Result<Response, Fault> {
    let key: KeyView = visit.api.get(&format!("/keys/{}", segment(&id))).await?;
    let arrival = Arrival::of(&visit, &key).await?;
    let here = format!("/keys/{}", key.id);
    let (told, host) = (visit.settings(), &visit.frame.host);
    // Asked for by the line itself, this page is only where its next state is taken from.
    if matches!(arrival, Some(Arrival::Accepted { .. })) && !wanted.line {
        return Ok(Redirect::to(&visit.frame.href(&here)).into_response());
    }
    let content = html! {
        div.card-head {
            h1 { (key.name) " is ready" }
            a.button.icon-button href=(visit.frame.href(&here)) data-close aria-label="Close" { (icon(Icon::Close)) }
        }
        p { "Start what sends with it. Its first export shows here within seconds." }
        div.dialog-body {
            (line(&visit, &key, arrival.as_ref()))
            div {
                h2 { "If nothing arrives" }
                ul.arrival-checks {
                    li { "The endpoint: " code { (base(&told.http, host)) } " for HTTP, " code { (base(&told.grpc, host)) } " for gRPC." }
                    li { "The header: " code { "api-key" } ", in lower case, with the whole secret and nothing around it." }
                    li { "The exporter: it is on, and the program runs long enough to send what it collected." }
                }
            }
        }
        div.dialog-foot {
            a.button href=(visit.frame.href(&format!("/keys/{}/snippets", key.id))) data-dialog { "Snippets" }
            a.button.primary href=(visit.frame.href(&here)) { "Open key" }
        }
    };
    Ok(visit.dialog("Waiting for first export", &content).into_response())
}

/// The line. Until an export is accepted it asks for itself again.
pub(super) fn line(visit: &Visit, key: &KeyView, arrival: Option<&Arrival>) -> Markup {
    let from = visit.frame.href(&format!("/keys/{}/waiting?line=true", key.id));
    let open = visit.frame.href(&format!("/keys/{}", key.id));
    match arrival {
        Some(Arrival::Accepted { at, from }) => html! {
            div #first-export .waiting.received data-state="received" data-say="The first export has arrived" {
                (icon(Icon::Active))
                div { strong { "First export received" } p.meta { @if let Some(from) = from { "From " (from) ", " } (exact(at)) } }
                a.push href=(open) { "Open key" }
            }
        },
        Some(Arrival::Refused { exports }) => html! {
            div #first-export .waiting.refused data-state="refused" data-fresh="2" data-fresh-from=(from) data-say="Exports are refused" {
                (icon(Icon::Danger))
                div {
                    strong { "Exports arrive and are refused" }
                    p.meta { (exports) " so far. Waiting for the first one that is accepted." }
                }
                a.push href=(visit.frame.href(&format!("/keys/{}/refusals", key.id))) { "See why" }
            }
        },
        None => html! {
            div #first-export .waiting data-state="waiting" data-fresh="2" data-fresh-from=(from) {
                span.pulse aria-hidden="true" {}
                div {
                    strong { "Waiting for first export…" }
                    p.meta { "Turns green by itself. Nothing after a minute? Check port, header name, and that the exporter is on." }
                }
                span.meta.push title="Since the secret was made" { (since(key, visit.now)) }
            }
        },
    }
}

/// What arrived with the newest secret of a key.
pub(super) enum Arrival {
    /// An export was accepted.
    Accepted {
        /// When, the last time.
        at: String,
        /// Who sent it, as it says of itself.
        from: Option<String>,
    },
    /// Exports were refused, and none was accepted.
    Refused {
        /// How many.
        exports: u64,
    },
}

impl Arrival {
    /// What is known of it; nothing: none.
    pub(super) async fn of(visit: &Visit, key: &KeyView) -> Result<Option<Self>, Fault> {
        let Some(newest) = key.secrets.first() else { return Ok(None) };
        let query = Query::default().with("secret", Some(newest.version));
        let path = format!("/keys/{}/senders{}", key.id, query.as_str());
        let Some(seen) = Api::if_allowed(visit.api.get::<SendersView>(&path)).await? else {
            // Whoever may not see senders sees that the secret was let in.
            let accepted = |at: &String| Self::Accepted { at: at.clone(), from: None };
            return Ok(newest.first_used_at.as_ref().map(accepted));
        };
        let accepted =
            seen.data.iter().filter_map(|one| Some((one.last_accepted_at.clone()?, one))).max_by(|a, b| a.0.cmp(&b.0));
        if let Some((at, sender)) = accepted {
            return Ok(Some(Self::Accepted { at, from: Some(name(sender)) }));
        }
        let exports = seen.data.iter().map(|one| one.refused).sum();
        Ok((exports > 0).then_some(Self::Refused { exports }))
    }
}

/// A sender as it says of itself, and its address.
fn name(sender: &SenderView) -> String {
    match (&sender.service, &sender.host) {
        (Some(service), Some(host)) => format!("{service} on {host}"),
        (Some(service), None) => format!("{service} at {}", sender.address),
        _ => sender.address.clone(),
    }
}

/// How long ago the newest secret was made: `0:42`.
fn since(key: &KeyView, now: Timestamp) -> String {
    let made = key.secrets.first().and_then(|secret| secret.created_at.parse::<Timestamp>().ok());
    let seconds = made.map_or(0, |made| now.since(made).as_secs());
    format!("{}:{:02}", seconds / 60, seconds % 60)
}
