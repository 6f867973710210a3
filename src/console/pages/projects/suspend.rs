//! Suspending a project, and taking its exports again.

use axum::extract::Path;
use axum::response::{IntoResponse as _, Redirect, Response};
use maud::html;

use super::segment;
use crate::admin::problem::ProblemView;
use crate::admin::projects::ProjectView;
use crate::admin::projects::suspend::Why;
use crate::console::form::Form;
use crate::console::guard::Fault;
use crate::console::parts::dialog::{Dialog, answer};
use crate::console::parts::field::Field;
use crate::console::parts::note::{Severity, note};
use crate::console::visit::Visit;

/// `GET /projects/{project}/suspend`
pub(super) async fn form(visit: Visit, Path(slug): Path<String>) -> Result<Response, Fault> {
    let project: ProjectView = visit.api.get(&format!("/projects/{}", segment(&slug))).await?;
    Ok(shown(&visit, &project.slug, "", None))
}

/// `POST /projects/{project}/suspend`
pub(super) async fn suspend(visit: Visit, Path(slug): Path<String>, form: Form) -> Result<Response, Fault> {
    let reason = form.text("reason");
    let why = Why { reason: Some(reason.to_owned()) };
    match visit.api.post::<ProjectView>(&format!("/projects/{}/suspend", segment(&slug)), &why).await {
        Ok(project) => Ok(to_project(&visit, &project.slug)),
        Err(fault) => Ok(shown(&visit, &slug, reason, Some(&*fault.mendable()?))),
    }
}

fn shown(visit: &Visit, slug: &str, reason: &str, problem: Option<&ProblemView>) -> Response {
    let (path, back) = (format!("/projects/{slug}/suspend"), format!("/projects/{slug}"));
    let title = format!("Suspend {slug}?");
    let body = html! {
        (note(Severity::Danger, &html! {
            strong { "Every export of " (slug) " is refused until you resume it. " }
            "Exporters do not send it again: that telemetry is lost. Stored data stays, and admin keys go on working."
        }))
        (Field::new("reason", "Reason").help("For people who see the project. Senders are not told.").wrong(problem, "reason").line(reason, true))
    };
    let dialog = Dialog::new(&title, &path, &back, "Suspend project").dangerous("Keep it running");
    answer(problem, visit.dialog(&title, &dialog.card(&visit.frame, problem, &["reason"], &body)))
}

/// `GET /projects/{project}/resume`
pub(super) async fn resume_form(visit: Visit, Path(slug): Path<String>) -> Result<Response, Fault> {
    let project: ProjectView = visit.api.get(&format!("/projects/{}", segment(&slug))).await?;
    Ok(resume_shown(&visit, &project.slug, None))
}

/// `POST /projects/{project}/resume`
pub(super) async fn resume(visit: Visit, Path(slug): Path<String>, _: Form) -> Result<Response, Fault> {
    match visit.api.command::<ProjectView>(&format!("/projects/{}/resume", segment(&slug))).await {
        Ok(project) => Ok(to_project(&visit, &project.slug)),
        Err(fault) => Ok(resume_shown(&visit, &slug, Some(&*fault.mendable()?))),
    }
}

fn resume_shown(visit: &Visit, slug: &str, problem: Option<&ProblemView>) -> Response {
    let (path, back) = (format!("/projects/{slug}/resume"), format!("/projects/{slug}"));
    let title = format!("Resume {slug}?");
    let body = html! { p { "Exports of " (slug) " are taken again from now on." } };
    let dialog = Dialog { keep: "Keep it suspended", ..Dialog::new(&title, &path, &back, "Resume project") };
    answer(problem, visit.dialog(&title, &dialog.card(&visit.frame, problem, &[], &body)))
}

fn to_project(visit: &Visit, slug: &str) -> Response {
    Redirect::to(&visit.frame.href(&format!("/projects/{slug}"))).into_response()
}
