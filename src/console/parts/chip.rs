//! Chips: a status, an outcome, an environment, in words with an icon and a colour.

use maud::{Markup, html};

use super::icon::{Icon, icon};

/// How much a chip stands out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::console) enum Tone {
    Quiet,
    Green,
    Grey,
    Amber,
    Red,
    Accent,
}

impl Tone {
    const fn class(self) -> &'static str {
        match self {
            Self::Quiet => "quiet",
            Self::Green => "green",
            Self::Grey => "grey",
            Self::Amber => "amber",
            Self::Red => "red",
            Self::Accent => "accent",
        }
    }
}

/// A chip.
pub(in crate::console) fn chip(tone: Tone, sign: Icon, word: &str) -> Markup {
    html! { span class={ "chip " (tone.class()) } { (icon(sign)) (word) } }
}

/// The status of a key, as the API names it. In tables what is active is quiet.
pub(in crate::console) fn status(status: &str, in_table: bool) -> Markup {
    match status {
        "active" => chip(if in_table { Tone::Quiet } else { Tone::Green }, Icon::Active, "Active"),
        "disabled" => chip(Tone::Grey, Icon::Inactive, "Inactive"),
        "expired" => chip(Tone::Amber, Icon::Expired, "Expired"),
        _ => chip(Tone::Red, Icon::Revoked, "Revoked"),
    }
}

/// What a client does with an export that is refused: it sends it again, or drops it.
pub(in crate::console) fn refused(is_retryable: bool) -> Markup {
    if is_retryable {
        chip(Tone::Accent, Icon::Rotating, "Retryable")
    } else {
        chip(Tone::Red, Icon::Revoked, "Dropped")
    }
}

/// An environment: its code, with its name for who points at it.
pub(in crate::console) fn environment(code: &str, name: &str) -> Markup {
    html! { abbr.tag title=(name) { (code) } }
}

/// `project / grid`, and the environment as [`environment`] draws it.
pub(in crate::console) fn tenant(project: &str, grid: &str, environment: &Markup) -> Markup {
    html! {
        span.tenant { (project) span.slash { " / " } (grid) }
        " "
        (environment)
    }
}
