//! Deleting a role that no key has.

use axum::extract::Path;
use axum::response::{IntoResponse as _, Redirect, Response};
use maud::html;

use super::path;
use crate::admin::problem::ProblemView;
use crate::admin::roles::RoleView;
use crate::console::form::Form as Sent;
use crate::console::guard::Fault;
use crate::console::parts::dialog::{Dialog, answer, version_field};
use crate::console::visit::Visit;

/// `GET /roles/{slug}/delete`
pub(super) async fn form(visit: Visit, Path(slug): Path<String>) -> Result<Response, Fault> {
    let role: RoleView = visit.api.get(&path(&visit, &slug)).await?;
    Ok(shown(&visit, &role.slug, role.version.unwrap_or_default(), None))
}

/// `POST /roles/{slug}/delete`
pub(super) async fn delete(visit: Visit, Path(slug): Path<String>, form: Sent) -> Result<Response, Fault> {
    let version = form.number("version").unwrap_or_default();
    match visit.api.delete::<()>(&path(&visit, &slug), Some(version)).await {
        Ok(()) => Ok(Redirect::to(&visit.frame.here("/roles")).into_response()),
        Err(fault) => Ok(shown(&visit, &slug, version, Some(&*fault.mendable()?))),
    }
}

fn shown(visit: &Visit, slug: &str, version: u64, problem: Option<&ProblemView>) -> Response {
    let (title, path) = (format!("Delete role {slug}?"), format!("/roles/{slug}/delete"));
    let back = format!("/roles/{slug}");
    let body = html! {
        (version_field(version, problem))
        p { "Only a role that no key has can be deleted. The audit log keeps what it held." }
    };
    let dialog = Dialog::new(&title, &path, &back, "Delete role").dangerous("Keep role");
    answer(problem, visit.dialog(&title, &dialog.card(&visit.frame, problem, &[], &body)))
}
