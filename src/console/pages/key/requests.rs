//! The latest exports of a key, each for itself.

use axum::extract::Path;
use maud::{Markup, html};
use serde::Deserialize;

use super::{At, Subject};
use crate::admin::requests::RequestsView;
use crate::console::api::Query;
use crate::console::guard::Fault;
use crate::console::pages::live::{Columns, exports_table, not_logged};
use crate::console::parts::empty::empty;
use crate::console::parts::list::paging;
use crate::console::visit::{UrlQuery, Visit};

/// Which page is wanted.
#[derive(Default, Debug, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    cursor: Option<String>,
}

/// `GET /keys/{id}/requests`
pub(super) async fn page(
    visit: Visit,
    Path(id): Path<String>,
    UrlQuery(wanted): UrlQuery<Wanted>,
) -> Result<Markup, Fault> {
    let subject = Subject::load(&visit, &id).await?;
    let of_key = || Query::default().with("key", Some(&subject.key.id));
    let query = of_key().with("cursor", wanted.cursor.as_deref());
    let found: RequestsView = visit.api.get(&format!("/requests{}", query.as_str())).await?;
    let to = |path: &str| format!("{}{}", visit.frame.href(path), of_key().as_str());
    let links = html! {
        a.button.small href=(to("/live")) { "Watch live" }
        a.button.small href=(to("/requests")) { "Search" }
    };
    let content = html! {
        section.panel.table-panel {
            @if found.data.is_empty() {
                (empty("No export in the log", "Exports that are refused are kept for a while, and a sample of those accepted.", &links))
            } @else {
                div.panel-head {
                    h2 { "Requests" }
                    span.meta { "the latest first; of accepted exports a sample" }
                    div.push.actions { (links) }
                }
                (exports_table(&visit, &found.data, "Requests", Columns::OfOneKey))
                (not_logged(found.not_logged))
                (paging(&visit.frame, &subject.path(At::Requests), Query::default(), found.data.len(), found.next_cursor.as_deref()))
            }
        }
    };
    subject.page(&visit, At::Requests, &content).await
}
