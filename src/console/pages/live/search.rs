//! The request log: what became of single exports.

use axum::Router;
use axum::routing::get;
use maud::{Markup, html};

use super::filter::{self, Wanted};
use super::{Columns, exports_table, head, not_logged};
use crate::console::Console;
use crate::console::guard::Fault;
use crate::console::layout::{Section, Shell};
use crate::console::parts::empty::empty;
use crate::console::parts::list::paging;
use crate::console::visit::{UrlQuery, Visit};

pub(super) fn routes() -> Router<Console> {
    Router::new().route("/requests", get(page))
}

/// `GET /requests`
async fn page(visit: Visit, UrlQuery(wanted): UrlQuery<Wanted>) -> Result<Markup, Fault> {
    let query = || wanted.query_of_log(visit.now);
    let asked = query().with("cursor", wanted.cursor.as_deref());
    let found = filter::log(&visit, &asked).await?;
    let content = html! {
        (head(&visit, &wanted, "Request log", "Single exports: every one that was refused, and a sample of those accepted."))
        (filter::form(&visit, &wanted, "/requests", true).await?)
        @match &found {
            Err(wrong) => (wrong),
            Ok(found) => {
            div.panel.table-panel {
                @if found.data.is_empty() { (empty("No export found", "None in the log fits these filters. The log keeps a sample of accepted exports.", &html! {})) }
                @else { (exports_table(&visit, &found.data, "Request log", Columns::All)) }
                (paging(&visit.frame, "/requests", query(), found.data.len(), found.next_cursor.as_deref()))
                (not_logged(found.not_logged))
            }
            },
        }
    };
    visit.page(Shell { title: "Request log", section: Section::Live }, &content).await
}
