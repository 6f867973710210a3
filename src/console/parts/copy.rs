//! Text that is copied by a button.

use maud::{Markup, html};

use super::icon::{Icon, icon};

/// `text` with a button that copies it; `what` names it for who listens.
pub(in crate::console) fn copyable(text: &str, what: &str) -> Markup {
    html! {
        span.copyable { code { (text) } (copy_button(text, what)) }
    }
}

/// The button alone.
pub(in crate::console) fn copy_button(text: &str, what: &str) -> Markup {
    html! {
        button.icon-button.small type="button" data-copy=(text) aria-label={ "Copy " (what) } { (icon(Icon::Copy)) }
    }
}
