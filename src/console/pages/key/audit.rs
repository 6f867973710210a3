//! What was done to a key, newest first.

use axum::extract::Path;
use maud::{Markup, html};
use serde::Deserialize;

use super::{At, Subject};
use crate::admin::audit::AuditView;
use crate::console::api::Query;
use crate::console::guard::Fault;
use crate::console::pages::audit::change;
use crate::console::parts::list::paging;
use crate::console::parts::time::relative;
use crate::console::visit::{UrlQuery, Visit};

/// Which page is wanted.
#[derive(Default, Debug, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    cursor: Option<String>,
}

/// `GET /keys/{id}/audit`
pub(super) async fn page(
    visit: Visit,
    Path(id): Path<String>,
    UrlQuery(wanted): UrlQuery<Wanted>,
) -> Result<Markup, Fault> {
    let subject = Subject::load(&visit, &id).await?;
    let query = Query::default().with("cursor", wanted.cursor.as_deref());
    let entries = visit.api.list::<AuditView>(&format!("/keys/{}/events", subject.key.id), &query).await?;
    let content = html! {
        section.panel.table-panel {
            div.panel-head { h2 { "Audit" } span.meta { "what was done to this key" } }
            div.scroll tabindex="0" role="region" aria-label="Audit" {
                table {
                    thead { tr {
                        th scope="col" { "What" }
                        th scope="col" { "Who" }
                        th scope="col" { "Change" }
                        th.end scope="col" { "When" }
                    } }
                    tbody { @for entry in &entries.data { (row(&visit, entry)) } }
                }
            }
            (paging(&visit.frame, &subject.path(At::Audit), Query::default(), entries.data.len(), entries.next_cursor.as_deref()))
        }
    };
    subject.page(&visit, At::Audit, &content).await
}

fn row(visit: &Visit, entry: &AuditView) -> Markup {
    html! {
        tr.two {
            th scope="row" { code { (entry.action) } }
            td {
                (entry.actor.name)
                span.meta {
                    @if entry.actor.via == "api" {
                        @if let Some(address) = &entry.address { code { (address) } }
                    } @else { (entry.actor.via) }
                }
            }
            td.broad-cell { (change::shown(entry)) }
            td.end { (relative(&entry.at, visit.now)) }
        }
    }
}
