//! Revoking a key: for a while, which is disabling it, or for ever.

use axum::extract::Path;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde_json::json;

use super::card::{Card, NAMED, obstacle};
use super::subject::{Cut, Subject, warning};
use crate::admin::keys::KeyView;
use crate::admin::problem::ProblemView;
use crate::console::form::Form;
use crate::console::guard::Fault;
use crate::console::parts::icon::{Icon, icon};
use crate::console::visit::Visit;

/// The field with the choice, and its values.
const HOW: (&str, &str, &str) = ("how", "disable", "revoke");

/// The field with the key's name.
const TYPED: &str = "typed_name";

/// `GET /keys/{id}/revoke`
pub(super) async fn show(visit: Visit, Path(id): Path<String>) -> Result<Response, Fault> {
    let subject = Subject::load(&visit, &id).await?;
    Ok(card(&visit, &subject, &Tried::default()))
}

/// `POST /keys/{id}/revoke`
pub(super) async fn revoke(visit: Visit, Path(id): Path<String>, form: Form) -> Result<Response, Fault> {
    let subject = Subject::load(&visit, &id).await?;
    let key = &subject.key;
    let (field, disable, _) = HOW;
    let for_ever = form.text(field) != disable;
    let typed = form.text(TYPED);
    let mut tried = Tried { temporary: Some(!for_ever), typed, wrong: false, problem: None };
    if for_ever && subject.was_used_lately(visit.now) && !is_same(typed, &key.name) && key.status != "revoked" {
        tried.wrong = true;
        return Ok(card(&visit, &subject, &tried));
    }
    let verb = if for_ever { "revoke" } else { "disable" };
    let body = json!({ "force": form.text(NAMED) == "yes" });
    match visit.api.post::<KeyView>(&format!("/keys/{}/{verb}", key.id), &body).await {
        Ok(_) => Ok(Redirect::to(&visit.frame.href(&format!("/keys/{}", key.id))).into_response()),
        Err(fault) => {
            let problem = fault.mendable()?;
            let subject = Subject::load(&visit, &id).await?;
            tried.problem = Some(&problem);
            Ok(card(&visit, &subject, &tried))
        }
    }
}

/// What was sent before, and what was wrong with it.
#[derive(Default)]
struct Tried<'a> {
    temporary: Option<bool>,
    typed: &'a str,
    /// Whether what was typed is not the key's name.
    wrong: bool,
    problem: Option<&'a ProblemView>,
}

fn card(visit: &Visit, subject: &Subject, tried: &Tried<'_>) -> Response {
    let key = &subject.key;
    let title = format!("Revoke {}?", key.name);
    if let Some(answer) = obstacle(visit, key, "revoke", &title) {
        return answer;
    }
    let consequence = subject.consequence(Cut::All, visit.now);
    let is_named = consequence.is_some() || tried.problem.is_some_and(|problem| problem.code == "key_in_use");
    let (can_disable, can_revoke) =
        (visit.may("api.key.update") && key.status == "active", visit.may("api.key.delete"));
    let temporary = tried.temporary.unwrap_or(can_disable);
    let body = html! {
        (warning(consequence.as_ref()))
        (choice(key, can_disable, can_revoke || !can_disable, temporary))
        @if subject.was_used_lately(visit.now) { (name(key, tried)) }
    };
    let confirm = html! {
        button.danger-fill type="submit" data-confirm {
            @if can_disable { span.when.when-disable { "Disable key" } }
            @if can_revoke || !can_disable { span.when.when-revoke { "Revoke key" } }
        }
    };
    Card {
        key,
        verb: "revoke",
        title: &title,
        class: "verb",
        body: &body,
        hidden: if is_named { &[(NAMED, "yes")] } else { &[] },
        problem: tried.problem,
        shown: &[],
        keep: "Keep key",
        confirm: &confirm,
    }
    .answer(visit)
}

/// Both ways, as far as the visitor may go them.
fn choice(key: &KeyView, can_disable: bool, can_revoke: bool, temporary: bool) -> Markup {
    let (field, disable, revoke) = HOW;
    let refused = if key.kind == "ingest" { "Exports are refused" } else { "Whoever uses it is refused" };
    let stops =
        if key.kind == "ingest" { "Applications using this key stop working." } else { "Whoever uses it is refused." };
    html! {
        fieldset.choices {
            legend.visually-hidden { "How" }
            @if can_disable {
                label {
                    input type="radio" name=(field) value=(disable) checked[temporary];
                    span { strong { "Disable temporarily" } span.meta { (refused) " until you enable it again." } }
                }
            }
            @if can_revoke {
                label {
                    input type="radio" name=(field) value=(revoke) checked[!temporary || !can_disable];
                    span { strong { "Revoke permanently" } span.meta { (stops) " This cannot be undone." } }
                }
            }
        }
    }
}

/// The field that the key's name is typed into.
fn name(key: &KeyView, tried: &Tried<'_>) -> Markup {
    let help = tried.wrong.then_some("typed-help");
    html! {
        div.field.when.when-revoke {
            label for=(TYPED) { "Type " strong { (key.name) } " to confirm" }
            input #(TYPED) type="text" name=(TYPED) value=(tried.typed) autocomplete="off" spellcheck="false" data-expect=(key.name)
                aria-describedby=[help] aria-invalid=[help.map(|_| "true")];
            @if let Some(id) = help {
                p.field-error id=(id) { (icon(Icon::Danger)) "It is not the name of this key. Nothing was revoked." }
            }
        }
    }
}

/// Whether `typed` is `name`, as far as a page shows the difference.
fn is_same(typed: &str, name: &str) -> bool {
    typed.split_whitespace().eq(name.split_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_typed_as_it_is_shown() {
        for (typed, name, same) in [
            ("checkout", "checkout", true),
            (" two  words", "two words", true),
            ("two words", "two  words", true),
            ("checkou", "checkout", false),
            ("Checkout", "checkout", false),
            ("twowords", "two words", false),
            ("", "checkout", false),
        ] {
            assert_eq!(is_same(typed, name), same, "{typed:?} for {name:?}");
        }
    }
}
