//! Forms of a dialog: what is asked, the way out, and the one button that does it.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use maud::{Markup, html};

use super::field::rest_of;
use super::note::{Severity, note};
use crate::admin::problem::ProblemView;
use crate::console::layout::Frame;

/// A dialog with a form.
pub(in crate::console) struct Dialog<'a> {
    /// Its heading.
    pub(in crate::console) title: &'a str,
    /// The path of the console that its form is sent to; there it is shown, too.
    pub(in crate::console) path: &'a str,
    /// The path of the console that it was opened from.
    pub(in crate::console) back: &'a str,
    /// The way out, which names the safe result.
    pub(in crate::console) keep: &'a str,
    /// What the form does.
    pub(in crate::console) confirm: &'a str,
    /// Whether something ends by it.
    pub(in crate::console) is_dangerous: bool,
}

impl<'a> Dialog<'a> {
    /// One whose way out is "Cancel", and by which nothing ends.
    pub(in crate::console) const fn new(title: &'a str, path: &'a str, back: &'a str, confirm: &'a str) -> Self {
        Self { title, path, back, keep: "Cancel", confirm, is_dangerous: false }
    }

    /// One by which something ends.
    pub(in crate::console) const fn dangerous(self, keep: &'a str) -> Self {
        Self { keep, is_dangerous: true, ..self }
    }

    /// The card: `body` between heading and buttons, and above it what `problem` says of none of the fields `shown`.
    pub(in crate::console) fn card(
        &self,
        frame: &Frame,
        problem: Option<&ProblemView>,
        shown: &[&str],
        body: &Markup,
    ) -> Markup {
        let action = frame.here(self.path);
        let back = if self.back.contains('?') { frame.href(self.back) } else { frame.here(self.back) };
        html! {
            h1 { (self.title) }
            form method="post" action=(action) {
                (frame.form_fields())
                div.dialog-body {
                    @if problem.is_some_and(|problem| problem.code == "version_conflict") {
                        div role="alert" {
                            (note(Severity::Warning, &html! {
                                strong { "Changed meanwhile. " }
                                "Somebody else has saved a change. " (self.confirm) " again to put yours in its place, or "
                                a href=(action) data-dialog { "load what is there now" } "."
                            }))
                        }
                    } @else {
                        (rest_of(problem, shown))
                    }
                    (body)
                }
                div.dialog-foot {
                    a.button href=(back) data-close { (self.keep) }
                    button.danger-fill[self.is_dangerous].primary[!self.is_dangerous] type="submit" { (self.confirm) }
                }
            }
        }
    }
}

/// The field with the version that a form was rendered from. After a conflict it is the one that the visitor was told of.
pub(in crate::console) fn version_field(version: u64, problem: Option<&ProblemView>) -> Markup {
    let version = problem.and_then(|problem| problem.current_version).unwrap_or(version);
    html! { input type="hidden" name="version" value=(version); }
}

/// The answer with a dialog: that its form was not taken, where there is a problem.
pub(in crate::console) fn answer(problem: Option<&ProblemView>, page: Markup) -> Response {
    let status = if problem.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    (status, page).into_response()
}
