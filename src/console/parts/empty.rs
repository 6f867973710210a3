//! What stands where there is nothing yet: what would be here, and what to do.

use maud::{Markup, html};

/// `title` says what is not there, `text` what it is good for; `action` is the way to the first one.
pub(in crate::console) fn empty(title: &str, text: &str, action: &Markup) -> Markup {
    html! {
        div.empty {
            svg.empty-picture viewBox="0 0 96 48" width="96" height="48" aria-hidden="true" focusable="false" {
                path d="M0 40h96" {}
                path d="M8 40V30h8v10M24 40V22h8v18M40 40V28h8v12M56 40V14h8v26M72 40V24h8v16" {}
            }
            h2 { (title) }
            p { (text) }
            (action)
        }
    }
}
