//! A new grid.

use axum::extract::Path;
use axum::response::{IntoResponse as _, Redirect, Response};
use maud::html;

use super::segment;
use crate::admin::grids::GridView;
use crate::admin::grids::create::NewGrid;
use crate::admin::problem::ProblemView;
use crate::console::form::Form;
use crate::console::guard::Fault;
use crate::console::parts::dialog::{Dialog, answer};
use crate::console::parts::field::Field;
use crate::console::visit::Visit;

/// `GET /projects/{project}/grids/-/new`
pub(super) async fn form(visit: Visit, Path(project): Path<String>) -> Response {
    shown(&visit, &project, &NewGrid::default(), None)
}

/// `POST /projects/{project}/grids/-/new`
pub(super) async fn create(visit: Visit, Path(project): Path<String>, form: Form) -> Result<Response, Fault> {
    let text = |name| form.optional(name).map(str::to_owned);
    let new = NewGrid { slug: text("slug"), name: text("name") };
    match visit.api.post::<GridView>(&format!("/projects/{}/grids", segment(&project)), &new).await {
        Ok(grid) => Ok(Redirect::to(&visit.frame.href(&format!("/projects/{}", grid.project))).into_response()),
        Err(fault) => Ok(shown(&visit, &project, &new, Some(&*fault.mendable()?))),
    }
}

fn shown(visit: &Visit, project: &str, new: &NewGrid, problem: Option<&ProblemView>) -> Response {
    let (path, back) =
        (format!("/projects/{}/grids/-/new", segment(project)), format!("/projects/{}", segment(project)));
    let dialog = Dialog::new("Create grid", &path, &back, "Create grid");
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let body = html! {
        p { "A grid is one application of " (project) ". It is stored apart in each environment." }
        (Field::new("slug", "Slug").help("a-z, 0-9 and hyphens. It stands in paths and in storage, and never changes.")
            .wrong(problem, "slug").line(&text(&new.slug), true))
        (Field::new("name", "Name").help("For people. The slug, if you leave it empty.").wrong(problem, "name").line(&text(&new.name), false))
    };
    answer(problem, visit.dialog("Create grid", &dialog.card(&visit.frame, problem, &["slug", "name"], &body)))
}
