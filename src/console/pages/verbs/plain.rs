//! The verbs that ask for nothing but to be confirmed.

use axum::Router;
use axum::extract::Path;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use maud::{Markup, html};
use serde::de::IgnoredAny;
use serde_json::json;

use super::card::{Card, NAMED, button, obstacle};
use super::subject::{Cut, Subject, warning};
use crate::admin::keys::KeyView;
use crate::admin::problem::ProblemView;
use crate::console::Console;
use crate::console::form::Form;
use crate::console::guard::Fault;
use crate::console::pages::rotation::{SILENT, is_silent};
use crate::console::visit::Visit;

/// One verb.
pub(super) struct Plain {
    /// The last segment of its path.
    verb: &'static str,
    /// What of the API's path comes after the key.
    path: &'static str,
    /// What stands before and behind the key's name in the heading.
    title: (&'static str, &'static str),
    /// Whom it cuts off.
    cut: Cut,
    /// What happens.
    text: fn(&KeyView) -> Markup,
    /// The buttons: what changes nothing, and what does it.
    buttons: (&'static str, &'static str),
    /// The class of the second.
    class: &'static str,
}

/// Every one of them.
pub(super) const ALL: [&Plain; 5] = [&COMPLETE, &CANCEL, &DISABLE, &ENABLE, &PURGE];

const COMPLETE: Plain = Plain {
    verb: "complete",
    path: "rotation/complete",
    title: ("Complete the rotation of ", "?"),
    cut: Cut::Old,
    text: |key| {
        let old = key.rotation.as_ref().map_or(1, |rotation| rotation.old_version);
        html! { p { "v" (old) " stops working now. The new secret stays." } }
    },
    buttons: ("Keep both secrets", "Complete rotation"),
    class: "danger-fill",
};

const CANCEL: Plain = Plain {
    verb: "cancel",
    path: "rotation/cancel",
    title: ("Cancel the rotation of ", "?"),
    cut: Cut::New,
    text: |key| {
        let (old, new) = key.rotation.as_ref().map_or((1, 2), |rotation| (rotation.old_version, rotation.new_version));
        html! { p { "v" (new) " stops working now, and v" (old) " goes on working as before." } }
    },
    buttons: ("Keep rotating", "Cancel rotation"),
    class: "danger-fill",
};

const DISABLE: Plain = Plain {
    verb: "disable",
    path: "disable",
    title: ("Disable ", "?"),
    cut: Cut::All,
    text: |key| {
        if key.kind == "ingest" {
            html! { p { "Exports are refused until you enable it again. Its secrets are kept." } }
        } else {
            html! { p { "Whoever uses it is refused until you enable it again. Sessions that it began end now." } }
        }
    },
    buttons: ("Keep key", "Disable key"),
    class: "danger-fill",
};

const ENABLE: Plain = Plain {
    verb: "enable",
    path: "enable",
    title: ("Enable ", "?"),
    cut: Cut::Nothing,
    text: |_| html! { p { "Its secrets work again, from now on." } },
    buttons: ("Keep it disabled", "Enable key"),
    class: "primary",
};

const PURGE: Plain = Plain {
    verb: "purge",
    path: "purge",
    title: ("Erase the record of ", "?"),
    cut: Cut::Nothing,
    text: |_| {
        html! {
            p { "Its name, note, tags, secrets and senders are erased. The audit log keeps what was done to it, without what people wrote." }
            p { "This cannot be undone." }
        }
    },
    buttons: ("Keep record", "Erase record"),
    class: "danger-fill",
};

/// `routes` with those of `plain`.
pub(super) fn with(routes: Router<Console>, plain: &'static Plain) -> Router<Console> {
    let ask = get(move |visit: Visit, Path(id): Path<String>| async move { show(&visit, &id, plain).await });
    let path = format!("/keys/{{id}}/{}", plain.verb);
    routes.route(
        &path,
        ask.post(move |visit: Visit, Path(id): Path<String>, form: Form| async move {
            act(&visit, &id, &form, plain).await
        }),
    )
}

async fn show(visit: &Visit, id: &str, plain: &Plain) -> Result<Response, Fault> {
    let subject = Subject::load(visit, id).await?;
    Ok(card(visit, &subject, plain, None))
}

async fn act(visit: &Visit, id: &str, form: &Form, plain: &Plain) -> Result<Response, Fault> {
    let subject = Subject::load(visit, id).await?;
    // Who completes a rotation whose old secret is silent cuts nobody off, although it may have been used some minutes ago.
    let is_silent = form.text(SILENT) == "yes" && plain.verb == COMPLETE.verb && is_silent(&subject, visit.now);
    let force = form.text(NAMED) == "yes" || is_silent;
    let path = format!("/keys/{}/{}", subject.key.id, plain.path);
    let body = json!({ "force": force });
    let done: Result<IgnoredAny, Fault> =
        if plain.cut == Cut::Nothing { visit.api.command(&path).await } else { visit.api.post(&path, &body).await };
    match done {
        Ok(_) if plain.verb == PURGE.verb => Ok(Redirect::to(&visit.frame.here("/keys")).into_response()),
        Ok(_) => Ok(Redirect::to(&visit.frame.href(&format!("/keys/{}", subject.key.id))).into_response()),
        Err(fault) => {
            let problem = fault.mendable()?;
            let subject = Subject::load(visit, id).await?;
            Ok(card(visit, &subject, plain, Some(&problem)))
        }
    }
}

fn card(visit: &Visit, subject: &Subject, plain: &Plain, problem: Option<&ProblemView>) -> Response {
    let key = &subject.key;
    let title = format!("{}{}{}", plain.title.0, key.name, plain.title.1);
    if let Some(answer) = obstacle(visit, key, plain.verb, &title) {
        return answer;
    }
    let consequence = subject.consequence(plain.cut, visit.now);
    let is_named = consequence.is_some() || problem.is_some_and(|problem| problem.code == "key_in_use");
    let body = html! { (warning(consequence.as_ref())) ((plain.text)(key)) };
    Card {
        key,
        verb: plain.verb,
        title: &title,
        class: "verb",
        body: &body,
        hidden: if is_named { &[(NAMED, "yes")] } else { &[] },
        problem,
        shown: &[],
        keep: plain.buttons.0,
        confirm: &button(plain.class, plain.buttons.1),
    }
    .answer(visit)
}
