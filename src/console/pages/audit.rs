//! The audit log: who did what, newest first.

use axum::Router;
use axum::extract::Query as UrlQuery;
use axum::routing::get;
use maud::{Markup, html};
use serde::Deserialize;

use crate::admin::audit::AuditView;
use crate::console::Console;
use crate::console::api::Query;
use crate::console::guard::Fault;
use crate::console::layout::{Section, Shell};
use crate::console::parts::list::paging;
use crate::console::parts::time::relative;
use crate::console::visit::Visit;

pub(super) fn routes() -> Router<Console> {
    Router::new().route("/audit", get(page))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Wanted {
    project: Option<String>,
    actor: Option<String>,
    action: Option<String>,
    target: Option<String>,
    cursor: Option<String>,
}

/// `GET /audit`
async fn page(visit: Visit, UrlQuery(wanted): UrlQuery<Wanted>) -> Result<Markup, Fault> {
    let query = || {
        Query::default()
            .with("project", wanted.project.as_deref())
            .with("actor", wanted.actor.as_deref())
            .with("action", wanted.action.as_deref())
            .with("target", wanted.target.as_deref())
    };
    let asked = query().with("cursor", wanted.cursor.as_deref());
    let entries = visit.api.list::<AuditView>("/audit-events", &asked).await?;
    let content = html! {
        div.page-head {
            div { h1 { "Audit log" } p { "Who changed what, when and from where. Nothing is ever taken out of it." } }
        }
        div.panel.table-panel {
            div.scroll tabindex="0" role="region" aria-label="Audit log" {
                table {
                    thead { tr {
                        th scope="col" { "When" }
                        th scope="col" { "Who" }
                        th scope="col" { "What" }
                        th scope="col" { "Target" }
                    } }
                    tbody {
                        @for entry in &entries.data {
                            tr {
                                td { (relative(&entry.at, visit.now)) }
                                td { (entry.actor.name) }
                                td { code { (entry.action) } }
                                td { code { (entry.target.id) } }
                            }
                        }
                    }
                }
            }
            (paging(&visit.frame, "/audit", query(), entries.data.len(), entries.next_cursor.as_deref()))
        }
    };
    visit.page(Shell { title: "Audit log", section: Section::Audit }, &content).await
}
