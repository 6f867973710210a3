//! What stands below a list: the way to its next page.

use maud::{Markup, html};

use crate::console::api::Query;
use crate::console::layout::Frame;

/// `shown` rows stand above; `next` is the cursor of the next page. `query` is that of this page, without its cursor.
pub(in crate::console) fn paging(frame: &Frame, path: &str, query: Query, shown: usize, next: Option<&str>) -> Markup {
    let rows = if shown == 1 { "row" } else { "rows" };
    let here = if is_first(frame) { "" } else { " on this page" };
    paging_of(frame, path, query, &format!("{shown} {rows}{here}"), next)
}

/// The same where `shown` says in words which rows stand above.
pub(in crate::console) fn paging_of(
    frame: &Frame,
    path: &str,
    query: Query,
    shown: &str,
    next: Option<&str>,
) -> Markup {
    let first = is_first(frame);
    html! {
        div.paging {
            span.meta { (shown) }
            @if !first {
                a.button.small href={ (frame.href(path)) (query.as_str()) } { "First page" }
            }
            @if let Some(next) = next {
                a.button.small rel="next" href={ (frame.href(path)) (query.with("cursor", Some(next)).as_str()) } { "Next" }
            }
        }
    }
}

fn is_first(frame: &Frame) -> bool {
    !frame.path.contains("cursor=")
}
