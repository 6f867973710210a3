//! A new project.

use axum::response::{IntoResponse as _, Redirect, Response};
use maud::html;

use super::plans;
use crate::admin::problem::ProblemView;
use crate::admin::projects::ProjectView;
use crate::admin::projects::create::NewProject;
use crate::console::form::Form;
use crate::console::guard::Fault;
use crate::console::parts::dialog::{Dialog, answer};
use crate::console::parts::field::Field;
use crate::console::visit::Visit;

/// `GET /projects/-/new`
pub(super) async fn form(visit: Visit) -> Result<Response, Fault> {
    shown(&visit, &NewProject::default(), None).await
}

/// `POST /projects/-/new`
pub(super) async fn create(visit: Visit, form: Form) -> Result<Response, Fault> {
    let text = |name| form.optional(name).map(str::to_owned);
    let new = NewProject { slug: text("slug"), name: text("name"), plan: text("plan") };
    match visit.api.post::<ProjectView>("/projects", &new).await {
        Ok(project) => Ok(Redirect::to(&visit.frame.href(&format!("/projects/{}", project.slug))).into_response()),
        Err(fault) => shown(&visit, &new, Some(&*fault.mendable()?)).await,
    }
}

async fn shown(visit: &Visit, new: &NewProject, problem: Option<&ProblemView>) -> Result<Response, Fault> {
    let plans = if visit.may("quota.update") { plans(visit).await? } else { None };
    let dialog = Dialog::new("Create project", "/projects/-/new", "/projects", "Create project");
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let body = html! {
        (Field::new("slug", "Slug").help("a-z, 0-9 and hyphens. It stands in paths and in storage, and never changes.")
            .wrong(problem, "slug").line(&text(&new.slug), true))
        (Field::new("name", "Name").help("For people. The slug, if you leave it empty.").wrong(problem, "name").line(&text(&new.name), false))
        @if let Some(plans) = &plans {
            (Field::new("plan", "Plan").help("What it may send. You can change it later.").wrong(problem, "plan").select(plans, &text(&new.plan)))
        }
    };
    let card = dialog.card(&visit.frame, problem, &["slug", "name", "plan"], &body);
    Ok(answer(problem, visit.dialog("Create project", &card)))
}
