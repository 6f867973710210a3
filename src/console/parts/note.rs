//! Notes: something that has to be read, where it matters.

use maud::{Markup, html};

use super::icon::{Icon, icon};

/// How grave something is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(in crate::console) enum Severity {
    Danger,
    Warning,
    Info,
    Fine,
}

impl Severity {
    const fn class(self) -> &'static str {
        match self {
            Self::Danger => "danger",
            Self::Warning => "warning",
            Self::Info => "info",
            Self::Fine => "fine",
        }
    }

    const fn icon(self) -> Icon {
        match self {
            Self::Danger => Icon::Danger,
            Self::Warning => Icon::Warning,
            Self::Info => Icon::Info,
            Self::Fine => Icon::Active,
        }
    }
}

/// The mark of a severity, with its word for who listens.
pub(in crate::console) fn mark(severity: Severity) -> Markup {
    html! { span class={ "sign " (severity.class()) } { (icon(severity.icon())) span.visually-hidden { (severity.class()) ": " } } }
}

/// A note of `text`.
pub(in crate::console) fn note(severity: Severity, text: &Markup) -> Markup {
    html! { div class={ "note " (severity.class()) } { (icon(severity.icon())) div { (text) } } }
}
