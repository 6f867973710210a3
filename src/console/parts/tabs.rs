//! Tabs: links to pages that stand beside each other.

use maud::{Markup, html};

/// A tab.
pub(in crate::console) struct Tab {
    /// Where it leads.
    pub(in crate::console) href: String,
    /// What it says.
    pub(in crate::console) name: &'static str,
    /// How many things are behind it, where that is known.
    pub(in crate::console) count: Option<String>,
    /// Whether it is the page that is shown.
    pub(in crate::console) is_here: bool,
}

/// Tabs in a row, called `label` for who listens. The arrow keys go along them.
pub(in crate::console) fn tabs(label: &str, tabs: &[Tab]) -> Markup {
    html! {
        nav.tabs aria-label=(label) data-arrows {
            @for tab in tabs {
                a href=(tab.href) aria-current=[tab.is_here.then_some("page")] {
                    (tab.name)
                    @if let Some(count) = &tab.count { " " span.count { (count) } }
                }
            }
        }
    }
}
