//! A project's name, plan, limits and number of keys.

use axum::extract::Path;
use axum::response::{IntoResponse as _, Redirect, Response};
use maud::html;
use serde_json::{Map, Value, json};

use super::{is_of_installation, plans, segment};
use crate::admin::problem::ProblemView;
use crate::admin::projects::ProjectView;
use crate::console::form::Form;
use crate::console::guard::Fault;
use crate::console::parts::dialog::{Dialog, answer, version_field};
use crate::console::parts::field::Field;
use crate::console::parts::limits::{limits_field, lines, read};
use crate::console::parts::time::{from_typed, to_type};
use crate::console::visit::Visit;

/// What stands in the fields.
struct Typed {
    name: String,
    plan: String,
    plan_ends_at: String,
    max_active_keys: String,
    limits: String,
    version: u64,
}

/// `GET /projects/{project}/edit`
pub(super) async fn form(visit: Visit, Path(slug): Path<String>) -> Result<Response, Fault> {
    let typed = Typed::of_project(find(&visit, &slug).await?);
    shown(&visit, &slug, &typed, None).await
}

async fn find(visit: &Visit, slug: &str) -> Result<ProjectView, Fault> {
    visit.api.get(&format!("/projects/{}", segment(slug))).await
}

impl Typed {
    fn of_project(project: ProjectView) -> Self {
        Self {
            plan_ends_at: project.plan_ends_at.as_deref().map(to_type).unwrap_or_default(),
            max_active_keys: project.max_active_keys.map(|most| most.to_string()).unwrap_or_default(),
            limits: lines(&project.limits),
            plan: project.plan.unwrap_or_default(),
            name: project.name,
            version: project.version,
        }
    }

    /// What is in `form`, and for what that does not ask, what `now` has.
    fn of_form(form: &Form, now: &Self) -> Self {
        let text = |name: &str, now: &str| if form.has(name) { form.text(name).to_owned() } else { now.to_owned() };
        Self {
            name: text("name", &now.name),
            plan: text("plan", &now.plan),
            plan_ends_at: text("plan_ends_at", &now.plan_ends_at),
            max_active_keys: text("max_active_keys", &now.max_active_keys),
            limits: text("limits", &now.limits).replace('\r', ""),
            version: form.number("version").unwrap_or_default(),
        }
    }
}

/// `POST /projects/{project}/edit`
pub(super) async fn save(visit: Visit, Path(slug): Path<String>, form: Form) -> Result<Response, Fault> {
    let now = Typed::of_project(find(&visit, &slug).await?);
    let typed = Typed::of_form(&form, &now);
    let patch = match patch(&typed, &now) {
        Ok(patch) => patch,
        Err(problem) => return shown(&visit, &slug, &typed, Some(&*problem)).await,
    };
    let target = format!("/projects/{}", segment(&slug));
    match visit.api.patch::<ProjectView>(&target, &patch, typed.version).await {
        Ok(project) => Ok(Redirect::to(&visit.frame.href(&format!("/projects/{}", project.slug))).into_response()),
        Err(fault) => shown(&visit, &slug, &typed, Some(&*fault.mendable()?)).await,
    }
}

/// Whether the visitor may change what a project is given.
pub(super) fn may_change_terms(visit: &Visit) -> bool {
    is_of_installation(visit) && visit.may("quota.update")
}

/// What differs from `now`: an end of the plan that is over is not sent again as if it were new.
fn patch(typed: &Typed, now: &Typed) -> Result<Map<String, Value>, Box<ProblemView>> {
    let or_null = |text: &str| if text.is_empty() { Value::Null } else { json!(text) };
    let mut patch = Map::new();
    let mut put = |name: &str, value: Value| patch.insert(name.to_owned(), value);
    if typed.name != now.name {
        put("name", json!(typed.name));
    }
    if typed.plan != now.plan {
        put("plan", or_null(&typed.plan));
    }
    // Without a plan there is nothing that could end.
    let ends = if typed.plan.is_empty() { "" } else { &typed.plan_ends_at };
    if ends != now.plan_ends_at {
        put("plan_ends_at", or_null(&from_typed(ends)));
    }
    if typed.max_active_keys != now.max_active_keys {
        let number = typed.max_active_keys.parse::<u64>();
        put("max_active_keys", number.map_or_else(|_| or_null(&typed.max_active_keys), Value::from));
    }
    if typed.limits != now.limits {
        put("limits", json!(read("limits", &typed.limits)?));
    }
    Ok(patch)
}

async fn shown(visit: &Visit, slug: &str, typed: &Typed, problem: Option<&ProblemView>) -> Result<Response, Fault> {
    let plans = if may_change_terms(visit) { plans(visit).await? } else { None };
    let (path, back) = (format!("/projects/{slug}/edit"), format!("/projects/{slug}"));
    let title = format!("Edit {slug}");
    let dialog = Dialog::new(&title, &path, &back, "Save changes");
    let body = html! {
        (version_field(typed.version, problem))
        @if visit.may("project.update") {
            (Field::new("name", "Name").wrong(problem, "name").line(&typed.name, true))
        }
        @if let Some(plans) = &plans {
            (Field::new("plan", "Plan").wrong(problem, "plan").select(plans, &typed.plan))
            (Field::new("plan_ends_at", "Plan ends").help("A day such as 2027-04-30, or an instant, in UTC. From then on the project is suspended. Empty: never.")
                .wrong(problem, "plan_ends_at").line(&typed.plan_ends_at, false))
            (Field::new("max_active_keys", "Active keys at most").help("For each grid and environment. Empty: as the plan or the configuration says.")
                .wrong(problem, "max_active_keys").line(&typed.max_active_keys, false))
            (limits_field(
                Field::new("limits", "Limits of its own").help("For the whole project, one on each line. They come before those of its plan."),
                &typed.limits, problem,
            ))
        }
    };
    let fields = ["name", "plan", "plan_ends_at", "max_active_keys", "limits/*"];
    let card = dialog.card(&visit.frame, problem, &fields, &body);
    Ok(answer(problem, visit.dialog(&title, &card)))
}
