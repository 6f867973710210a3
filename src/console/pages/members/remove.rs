//! Removing a member.

use axum::extract::Path;
use axum::response::{IntoResponse as _, Redirect, Response};
use maud::html;

use super::edit::{find, path};
use crate::admin::keys::KeyView;
use crate::admin::problem::ProblemView;
use crate::console::form::Form;
use crate::console::guard::Fault;
use crate::console::parts::dialog::{Dialog, answer, version_field};
use crate::console::parts::note::{Severity, note};
use crate::console::visit::Visit;

/// `GET /members/{id}/remove`
pub(super) async fn form(visit: Visit, Path(id): Path<String>) -> Result<Response, Fault> {
    let member = find(&visit, &id).await?;
    Ok(shown(&visit, &member, None))
}

/// `POST /members/{id}/remove`
pub(super) async fn remove(visit: Visit, Path(id): Path<String>, form: Form) -> Result<Response, Fault> {
    match visit.api.delete::<KeyView>(&path(&id), form.number("version")).await {
        Ok(_) => Ok(Redirect::to(&visit.frame.here("/members")).into_response()),
        Err(fault) => {
            let problem = fault.mendable()?;
            Ok(shown(&visit, &find(&visit, &id).await?, Some(&*problem)))
        }
    }
}

fn shown(visit: &Visit, member: &KeyView, problem: Option<&ProblemView>) -> Response {
    let (title, path) = (format!("Remove {}?", member.name), format!("/members/{}/remove", member.id));
    let is_me = member.id == visit.me.id;
    let body = html! {
        (version_field(member.version, problem))
        (note(Severity::Danger, &html! {
            strong {
                @if is_me { "This is your own key: you are signed out at once." }
                @else { (member.name) " is signed out everywhere at once, and the key stops working." }
            }
            " This cannot be undone. What " @if is_me { "you" } @else { (member.name) } " did stays in the audit log."
        }))
    };
    let dialog = Dialog::new(&title, &path, "/members", "Remove member").dangerous("Keep member");
    answer(problem, visit.dialog(&title, &dialog.card(&visit.frame, problem, &[], &body)))
}
