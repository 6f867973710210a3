//! What was turned away of a key, and why.

use axum::extract::Path;
use maud::{Markup, html};
use serde::Deserialize;

use super::{At, Subject};
use crate::admin::refusals::RefusalView;
use crate::console::api::Query;
use crate::console::guard::Fault;
use crate::console::parts::chip::{self, Tone, chip};
use crate::console::parts::empty::empty;
use crate::console::parts::icon::Icon;
use crate::console::parts::list::paging;
use crate::console::parts::number::number;
use crate::console::parts::time::relative;
use crate::console::visit::{UrlQuery, Visit};
use crate::domain::Reason;

/// Which page is wanted.
#[derive(Default, Debug, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    cursor: Option<String>,
}

/// `GET /keys/{id}/refusals`
pub(super) async fn page(
    visit: Visit,
    Path(id): Path<String>,
    UrlQuery(wanted): UrlQuery<Wanted>,
) -> Result<Markup, Fault> {
    let subject = Subject::load(&visit, &id).await?;
    let query = Query::default().with("key", Some(&subject.key.id)).with("cursor", wanted.cursor.as_deref());
    let found = visit.api.list::<RefusalView>("/refusals", &query).await?;
    let content = html! {
        @if found.data.is_empty() {
            section.panel {
                (empty("Nothing was turned away", "Exports that name this key and are refused are listed here, with the reason and what to do.", &html! {}))
            }
        } @else {
            section.panel.table-panel {
                div.panel-head { h2 { "Refusals" } span.meta { "the latest first; counted in exports" } }
                div.scroll tabindex="0" role="region" aria-label="Refusals" {
                    table {
                        thead { tr {
                            th scope="col" { "Why, and what to do" }
                            th scope="col" { "From" }
                            th scope="col" { "Outcome" }
                            th.end scope="col" { "Exports" }
                            th.end scope="col" { "Last seen" }
                        } }
                        tbody { @for one in &found.data { (row(&visit, one)) } }
                    }
                }
                (paging(&visit.frame, &subject.path(At::Refusals), Query::default(), found.data.len(), found.next_cursor.as_deref()))
            }
        }
    };
    subject.page(&visit, At::Refusals, &content).await
}

fn row(visit: &Visit, one: &RefusalView) -> Markup {
    let service = one.service.as_deref();
    html! {
        tr.two {
            th.broad-cell scope="row" {
                code { (one.reason) }
                @if one.claimed_key.is_some() { " " span.tag title="The secret was wrong: anybody can write this id" { "claimed" } }
                @if let Some(detail) = &one.detail { span.meta { (detail) } }
                span.meta { (one.advice) }
            }
            td {
                @if let Some(service) = service { (service) }
                @else if let Some(likely) = &one.likely_service { (likely) " " span.pale { "likely" } }
                @else { span.pale { "Unknown service" } }
                span.meta {
                    @if let Some(address) = &one.address { code { (address) } " " } @else { "many addresses " }
                    @if let Some(agent) = &one.user_agent { (agent) }
                }
            }
            td { (outcome(one)) }
            td.end { (number(one.count)) }
            td.end { (relative(&one.last_seen, visit.now)) }
        }
    }
}

/// What OTLP prescribes for the answer.
fn outcome(one: &RefusalView) -> Markup {
    if one.kind == "warning" {
        return chip(Tone::Amber, Icon::Warning, "Accepted");
    }
    let reason = Reason::ALL.iter().find(|reason| reason.as_str() == one.reason);
    chip::refused(reason.is_some_and(|reason| reason.retry_after().is_some()))
}
