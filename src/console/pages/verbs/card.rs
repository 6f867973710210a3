//! What the dialogs of all verbs have in common.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use maud::{Markup, html};

use crate::admin::keys::KeyView;
use crate::admin::problem::ProblemView;
use crate::console::parts::field::rest_of;
use crate::console::parts::note::{Severity, note};
use crate::console::parts::time::minute;
use crate::console::visit::Visit;

/// The field of a form that has named who is cut off.
pub(super) const NAMED: &str = "named";

/// A dialog that does something to a key.
pub(super) struct Card<'a> {
    /// The key.
    pub(super) key: &'a KeyView,
    /// The last segment of its path.
    pub(super) verb: &'a str,
    /// Its heading.
    pub(super) title: &'a str,
    /// Class of the form.
    pub(super) class: &'a str,
    /// What follows, and what there is to choose.
    pub(super) body: &'a Markup,
    /// Fields that are not seen.
    pub(super) hidden: &'a [(&'a str, &'a str)],
    /// What the API said to the last try, unless the body does.
    pub(super) problem: Option<&'a ProblemView>,
    /// Fields of the API that the body shows.
    pub(super) shown: &'a [&'a str],
    /// The button that changes nothing.
    pub(super) keep: &'a str,
    /// The button that does it.
    pub(super) confirm: &'a Markup,
}

impl Card<'_> {
    /// The card; after a try that failed with its status.
    pub(super) fn answer(&self, visit: &Visit) -> Response {
        let status = if self.problem.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
        let content = html! {
            h1 { (self.title) }
            form class=(self.class) method="post" action=(visit.frame.href(&format!("/keys/{}/{}", self.key.id, self.verb))) {
                (visit.frame.form_fields())
                @for (name, value) in self.hidden { input type="hidden" name=(name) value=(value); }
                div.dialog-body { (rest_of(self.problem, self.shown)) (self.body) }
                div.dialog-foot {
                    a.button href=(visit.frame.href(&format!("/keys/{}", self.key.id))) data-close { (self.keep) }
                    (self.confirm)
                }
            }
        };
        (status, visit.dialog(self.title, &content)).into_response()
    }
}

/// A button that confirms.
pub(super) fn button(class: &str, words: &str) -> Markup {
    html! { button class=(class) type="submit" { (words) } }
}

/// Why the verb cannot be carried out as the key stands, as a card with the way on; `None` where it can.
pub(super) fn obstacle(visit: &Visit, key: &KeyView, verb: &str, title: &str) -> Option<Response> {
    let status = key.status.as_str();
    let renews = matches!(verb, "rotate" | "regenerate" | "enable");
    let (text, way): (Markup, Option<(&str, &str)>) = match (verb, status, &key.rotation) {
        ("purge", "revoked", _) => return None,
        ("purge", ..) => (html! { "Only the record of a revoked key can be erased." }, Some(("revoke", "Revoke…"))),
        (_, "revoked", _) => (html! { "This key is revoked. Nothing of it changes any more." }, None),
        (_, "expired", _) if renews => {
            (html! { "This key has expired. Renew it first; its secrets work again then." }, Some(("renew", "Renew…")))
        }
        ("rotate", "disabled", _) => {
            (html! { "This key is disabled. Enable it before it is rotated." }, Some(("enable", "Enable…")))
        }
        ("rotate", _, Some(rotation)) => {
            let text = html! {
                "v" (rotation.new_version) " is taking the place of v" (rotation.old_version) ": both work until "
                (minute(&rotation.until)) ". Complete or cancel that rotation first."
            };
            (text, Some(("complete", "Complete rotation…")))
        }
        ("complete" | "cancel", _, None) => (html! { "There is no rotation. One secret works." }, None),
        _ => return None,
    };
    let path = |verb: &str| visit.frame.href(&format!("/keys/{}{verb}", key.id));
    let content = html! {
        h1 { (title) }
        div.dialog-body { (note(Severity::Info, &text)) }
        div.dialog-foot {
            a.button href=(path("")) data-close { "Close" }
            @if let Some((verb, words)) = way { a.button href=(path(&format!("/{verb}"))) data-dialog { (words) } }
        }
    };
    Some(visit.dialog(title, &content).into_response())
}
