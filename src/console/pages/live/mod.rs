//! Live arrivals, and the search of the request log.

mod feed;
mod filter;
mod rows;
mod search;

use axum::Router;
use axum::routing::get;
use maud::{Markup, html};

use crate::admin::requests::RequestView;
use crate::console::Console;
use crate::console::guard::Fault;
use crate::console::layout::{Section, Shell};
use crate::console::parts::icon::{Icon, icon};
use crate::console::parts::tabs::{Tab, tabs};
use crate::console::visit::{UrlQuery, Visit};
use crate::domain::Reason;
use filter::Wanted;
pub(super) use rows::{Columns, exports_table, not_logged};

pub(super) fn routes() -> Router<Console> {
    Router::new().route("/live", get(page)).merge(feed::routes()).merge(search::routes())
}

/// Rows of the log that the page begins with.
const FIRST: u32 = 40;

/// `GET /live`: the latest exports of the log, to which the script adds those that end from now on.
async fn page(visit: Visit, UrlQuery(wanted): UrlQuery<Wanted>) -> Result<Markup, Fault> {
    let asked = wanted.query().with("limit", Some(FIRST));
    let found = filter::log(&visit, &asked).await?;
    let content = html! {
        (head(&visit, &wanted, "Live", "Each export as it is decided, of all that your key may see."))
        (filter::form(&visit, &wanted, "/live", false).await?)
        @match &found {
            Ok(found) => (arrivals(&visit, &wanted, &found.data)),
            Err(wrong) => (wrong),
        }
    };
    visit.page(Shell { title: "Live", section: Section::Live }, &content).await
}

/// The table that moves.
fn arrivals(visit: &Visit, wanted: &Wanted, exports: &[RequestView]) -> Markup {
    let feed = visit.frame.href(&format!("/live/feed{}", wanted.query().as_str()));
    let retryable: Vec<_> =
        Reason::ALL.iter().filter(|one| one.retry_after().is_some()).map(|one| one.as_str()).collect();
    let codes: Vec<_> = visit.environments.iter().map(|one| format!("{}={}", one.slug, one.code)).collect();
    html! {
        div.panel data-live=(feed) data-retryable=(retryable.join(" ")) data-codes=(codes.join(" ")) {
            div.panel-head.live-head {
                span.live-state data-live-state="waiting" {
                    span.live-dot {}
                    span data-live-words role="status" { "From the log; without script this page does not move." }
                }
                span.meta data-live-missed hidden {}
                button.small.push type="button" data-live-new hidden {}
                button.small type="button" data-live-pause aria-pressed="false" hidden {
                    span.when-going { (icon(Icon::Pause)) } span.when-paused { (icon(Icon::Play)) }
                    span data-live-pause-words { "Pause" }
                }
            }
            (exports_table(visit, exports, "Live arrivals", Columns::All))
            @if exports.is_empty() {
                p.live-none data-live-none { "No export yet. The next one appears here by itself." }
            }
            template data-live-row { (rows::template(visit)) }
            div.panel-foot {
                span.meta { "Accepted exports from before this page was opened are a sample; live, every one is shown. The latest 200 stay here." }
                a.button.small.push href={ (visit.frame.href("/requests")) (wanted.query().as_str()) } { "Search the log" }
            }
        }
    }
}

/// The head of both pages.
fn head(visit: &Visit, wanted: &Wanted, title: &str, what: &str) -> Markup {
    let path = visit.frame.path.split('?').next().unwrap_or_default();
    let tab = |path_of: &str, name| {
        let href = visit.frame.href(path_of);
        Tab { is_here: href == path, href: format!("{href}{}", wanted.query().as_str()), name, count: None }
    };
    html! {
        div.page-head { div { h1 { (title) } p { (what) } } }
        (tabs("Live and log", &[tab("/live", "Live"), tab("/requests", "Request log")]))
    }
}
