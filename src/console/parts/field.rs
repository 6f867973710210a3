//! Fields of forms: a label above, help below, and in the place of help what is wrong.

use maud::{Markup, html};

use super::icon::{Icon, icon};
use crate::admin::problem::{FieldError, ProblemView};
use crate::console::guard::{is_of, of_field};

/// The name of the field with the idempotency key, in forms that are carried out once.
pub(in crate::console) const ONCE: &str = "once";

/// A field of a form.
#[derive(Clone, Copy)]
pub(in crate::console) struct Field<'a> {
    /// Its name in the form; also its `id`.
    pub(in crate::console) name: &'a str,
    /// What stands above it.
    pub(in crate::console) label: &'a str,
    /// What stands below it; empty: nothing.
    pub(in crate::console) help: &'a str,
    /// What is wrong with it.
    pub(in crate::console) wrong: Option<&'a FieldError>,
}

impl<'a> Field<'a> {
    /// A field without help.
    pub(in crate::console) const fn new(name: &'a str, label: &'a str) -> Self {
        Self { name, label, help: "", wrong: None }
    }

    /// With `help` below.
    pub(in crate::console) const fn help(self, help: &'a str) -> Self {
        Self { help, ..self }
    }

    /// With what `problem` says of the API's field `of`.
    pub(in crate::console) fn wrong(self, problem: Option<&'a ProblemView>, of: &str) -> Self {
        Self { wrong: of_field(problem, of), ..self }
    }

    /// A line of text. `attributes` belong to its `input`.
    pub(in crate::console) fn line(self, value: &str, required: bool) -> Markup {
        self.around(&html! {
            input #(self.name) type="text" name=(self.name) value=(value) required[required] autocomplete="off"
                aria-describedby=[self.described()] aria-invalid=[self.wrong.map(|_| "true")];
        })
    }

    /// Several lines of text.
    pub(in crate::console) fn lines(self, value: &str, rows: u8) -> Markup {
        self.around(&html! {
            textarea #(self.name) name=(self.name) rows=(rows) autocomplete="off"
                aria-describedby=[self.described()] aria-invalid=[self.wrong.map(|_| "true")] { (value) }
        })
    }

    /// One of several `(value, words)`.
    pub(in crate::console) fn select(self, options: &[(String, String)], chosen: &str) -> Markup {
        self.around(&html! {
            select #(self.name) name=(self.name) aria-describedby=[self.described()] aria-invalid=[self.wrong.map(|_| "true")] {
                @for (value, words) in options {
                    option value=(value) selected[value == chosen] { (words) }
                }
            }
        })
    }

    /// One of two to seven `(value, words)`, all of them in sight.
    pub(in crate::console) fn radios(self, options: &[(&str, &str)], chosen: &str) -> Markup {
        html! {
            fieldset.field {
                legend { (self.label) }
                div.segments {
                    @for (value, words) in options {
                        label { input type="radio" name=(self.name) value=(value) checked[*value == chosen]; span { (words) } }
                    }
                }
                (self.below())
            }
        }
    }

    /// A box to tick.
    pub(in crate::console) fn tick(self, value: &str, ticked: bool) -> Markup {
        html! {
            div.field.tick {
                label { input type="checkbox" name=(self.name) value=(value) checked[ticked]; span { (self.label) } }
                (self.below())
            }
        }
    }

    pub(in crate::console) fn described(self) -> Option<String> {
        (self.wrong.is_some() || !self.help.is_empty()).then(|| format!("{}-help", self.name))
    }

    pub(in crate::console) fn around(self, control: &Markup) -> Markup {
        html! {
            div.field {
                label for=(self.name) { (self.label) }
                (control)
                (self.below())
            }
        }
    }

    fn below(self) -> Markup {
        let id = format!("{}-help", self.name);
        html! {
            @if let Some(wrong) = self.wrong {
                p.field-error id=(id) { (icon(Icon::Danger)) (wrong.detail) ". Allowed: " (wrong.fix) }
            } @else if !self.help.is_empty() {
                p.help id=(id) { (self.help) }
            }
        }
    }
}

/// What a problem says that belongs to no field of those `shown`; nothing where all of it does. Of `name/*` everything is shown, of a plain
/// `name` the first thing that is wrong.
pub(in crate::console) fn rest_of(problem: Option<&ProblemView>, shown: &[&str]) -> Markup {
    let Some(problem) = problem else { return html! {} };
    let is_shown = |error: &FieldError| {
        shown.iter().any(|name| match name.strip_suffix("/*") {
            Some(name) => is_of(error, name),
            None => of_field(Some(problem), name).is_some_and(|one| one == error),
        })
    };
    let others: Vec<_> = problem.errors.iter().filter(|error| !is_shown(error)).collect();
    html! {
        @if problem.errors.is_empty() || !others.is_empty() {
            div.note.danger role="alert" {
                (icon(Icon::Danger))
                div {
                    strong { (problem.title) ". " } (problem.detail)
                    @for error in others {
                        p { code { (error.place) } ": " (error.detail) ". Allowed: " (error.fix) }
                    }
                }
            }
        }
    }
}
