//! The limits of a project's and of a tenant's own.

use axum::extract::Path;
use axum::response::{IntoResponse as _, Redirect, Response};
use maud::html;
use serde_json::json;

use super::super::projects::segment;
use crate::admin::problem::ProblemView;
use crate::admin::projects::ProjectView;
use crate::admin::terms::LimitsView;
use crate::console::api::Query;
use crate::console::form::Form;
use crate::console::guard::Fault;
use crate::console::parts::dialog::{Dialog, answer, version_field};
use crate::console::parts::limits::{limits_editor, lines, read};
use crate::console::visit::Visit;

/// Whose limits are edited.
struct Owner {
    /// What it is called.
    name: String,
    /// Where its limits are edited, in the console.
    path: String,
    /// Where they are changed, in the API.
    api: String,
    /// Where they are shown.
    back: String,
}

/// The path of a tenant's limits, in the API and in the console.
pub(super) fn tenant_path(project: &str, grid: &str, environment: &str) -> String {
    format!("/projects/{}/grids/{}/environments/{}/limits", segment(project), segment(grid), segment(environment))
}

impl Owner {
    fn project(slug: &str) -> Self {
        let api = format!("/projects/{}", segment(slug));
        let query = Query::default().with("project", Some(slug));
        Self { name: slug.to_owned(), path: format!("{api}/limits"), api, back: format!("/limits{}", query.as_str()) }
    }

    fn tenant(project: &str, grid: &str, environment: &str) -> Self {
        let path = tenant_path(project, grid, environment);
        let query = Query::default().with("project", Some(project)).with("grid", Some(grid));
        let query = query.with("environment", Some(environment));
        let back = format!("/limits{}", query.as_str());
        Self { name: format!("{project} / {grid} / {environment}"), api: path.clone(), path, back }
    }

    fn shown(&self, visit: &Visit, text: &str, version: u64, problem: Option<&ProblemView>) -> Response {
        let title = format!("Limits of {}", self.name);
        let dialog = Dialog::new(&title, &self.path, &self.back, "Save limits");
        let body = html! { (version_field(version, problem)) (limits_editor("limits", text, problem)) };
        answer(problem, visit.dialog(&title, &dialog.card(&visit.frame, problem, &["limits/*"], &body)))
    }

    async fn save<T: serde::de::DeserializeOwned>(&self, visit: &Visit, form: &Form) -> Result<Response, Fault> {
        let (text, version) = (form.text("limits"), form.number("version").unwrap_or_default());
        let limits = match read("limits", text) {
            Ok(limits) => limits,
            Err(problem) => return Ok(self.shown(visit, text, version, Some(&*problem))),
        };
        match visit.api.patch::<T>(&self.api, &json!({ "limits": limits }), version).await {
            Ok(_) => Ok(Redirect::to(&visit.frame.href(&self.back)).into_response()),
            Err(fault) => Ok(self.shown(visit, text, version, Some(&*fault.mendable()?))),
        }
    }
}

/// `GET /projects/{project}/limits`
pub(super) async fn of_project_form(visit: Visit, Path(slug): Path<String>) -> Result<Response, Fault> {
    let owner = Owner::project(&slug);
    let project: ProjectView = visit.api.get(&owner.api).await?;
    Ok(owner.shown(&visit, &lines(&project.limits), project.version, None))
}

/// `POST /projects/{project}/limits`
pub(super) async fn of_project(visit: Visit, Path(slug): Path<String>, form: Form) -> Result<Response, Fault> {
    Owner::project(&slug).save::<ProjectView>(&visit, &form).await
}

/// `GET /projects/{project}/grids/{grid}/environments/{environment}/limits`
pub(super) async fn of_tenant_form(
    visit: Visit,
    Path((project, grid, environment)): Path<(String, String, String)>,
) -> Result<Response, Fault> {
    let owner = Owner::tenant(&project, &grid, &environment);
    let (limits, version) = visit.api.get_versioned::<LimitsView>(&owner.api).await?;
    Ok(owner.shown(&visit, &lines(&limits.limits), version, None))
}

/// `POST /projects/{project}/grids/{grid}/environments/{environment}/limits`
pub(super) async fn of_tenant(
    visit: Visit,
    Path((project, grid, environment)): Path<(String, String, String)>,
    form: Form,
) -> Result<Response, Fault> {
    Owner::tenant(&project, &grid, &environment).save::<LimitsView>(&visit, &form).await
}
