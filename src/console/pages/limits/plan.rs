//! A new plan, the edit of one, and its end.

use axum::extract::Path;
use axum::response::{IntoResponse as _, Redirect, Response};
use maud::{Markup, html};
use serde_json::{Map, Value, json};

use super::super::projects::segment;
use crate::admin::plans::PlanView;
use crate::admin::problem::ProblemView;
use crate::console::form::Form;
use crate::console::guard::Fault;
use crate::console::parts::dialog::{Dialog, answer, version_field};
use crate::console::parts::field::Field;
use crate::console::parts::limits::{limits_field, lines, read};
use crate::console::visit::Visit;

/// For whom a plan has limits: the field of the API, and its label.
const SCOPES: [(&str, &str); 3] =
    [("project", "Limits of the whole project"), ("tenant", "Limits of each tenant"), ("key", "Limits of each key")];

/// What stands in the fields.
#[derive(Default)]
struct Typed {
    slug: String,
    name: String,
    note: String,
    max_active_keys: String,
    /// In the order of [`SCOPES`].
    limits: [String; SCOPES.len()],
    version: u64,
}

impl Typed {
    fn of(form: &Form) -> Self {
        let text = |name: &str| form.text(name).to_owned();
        Self {
            slug: text("slug"),
            name: text("name"),
            note: text("note").replace('\r', ""),
            max_active_keys: text("max_active_keys"),
            limits: SCOPES.map(|(scope, _)| text(&field(scope))),
            version: form.number("version").unwrap_or_default(),
        }
    }

    /// The body that both requests have; what is wrong with limits of any scope is told at once.
    fn body(&self) -> Result<Map<String, Value>, Box<ProblemView>> {
        let mut limits = Map::new();
        let mut wrong: Option<Box<ProblemView>> = None;
        for ((scope, _), text) in SCOPES.iter().zip(&self.limits) {
            match read(&field(scope), text) {
                Ok(list) => drop(limits.insert((*scope).to_owned(), json!(list))),
                Err(problem) => match &mut wrong {
                    Some(first) => first.errors.extend(problem.errors),
                    None => wrong = Some(problem),
                },
            }
        }
        if let Some(problem) = wrong {
            return Err(problem);
        }
        let most = &self.max_active_keys;
        let number = most.parse::<u64>().map_or_else(|_| json!(most), Value::from);
        let most = if most.is_empty() { Value::Null } else { number };
        let fields = [("note", json!(self.note)), ("limits", Value::Object(limits)), ("max_active_keys", most)];
        Ok(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }
}

fn field(scope: &str) -> String {
    format!("limits/{scope}")
}

/// `GET /plans/-/new`
pub(super) async fn form(visit: Visit) -> Response {
    new_shown(&visit, &Typed::default(), None)
}

/// `POST /plans/-/new`
pub(super) async fn create(visit: Visit, form: Form) -> Result<Response, Fault> {
    let typed = Typed::of(&form);
    let mut new = match typed.body() {
        Ok(new) => new,
        Err(problem) => return Ok(new_shown(&visit, &typed, Some(&*problem))),
    };
    for (name, text) in [("slug", &typed.slug), ("name", &typed.name)] {
        if !text.is_empty() {
            new.insert(name.to_owned(), json!(text));
        }
    }
    match visit.api.post::<PlanView>("/plans", &new).await {
        Ok(_) => Ok(to_list(&visit)),
        Err(fault) => Ok(new_shown(&visit, &typed, Some(&*fault.mendable()?))),
    }
}

fn new_shown(visit: &Visit, typed: &Typed, problem: Option<&ProblemView>) -> Response {
    let body = html! {
        (Field::new("slug", "Slug").help("a-z, 0-9 and hyphens, such as trial. It never changes.").wrong(problem, "slug").line(&typed.slug, true))
        (Field::new("name", "Name").help("For people. The slug, if you leave it empty.").wrong(problem, "name").line(&typed.name, false))
        (fields(typed, problem))
    };
    let dialog = Dialog::new("Create plan", "/plans/-/new", "/limits", "Create plan");
    answer(problem, visit.dialog("Create plan", &dialog.card(&visit.frame, problem, FIELDS, &body)))
}

/// `GET /plans/{slug}/edit`
pub(super) async fn edit_form(visit: Visit, Path(slug): Path<String>) -> Result<Response, Fault> {
    let plan: PlanView = visit.api.get(&format!("/plans/{}", segment(&slug))).await?;
    let typed = Typed {
        max_active_keys: plan.max_active_keys.map(|most| most.to_string()).unwrap_or_default(),
        limits: [&plan.limits.project, &plan.limits.tenant, &plan.limits.key].map(|list| lines(list)),
        slug: plan.slug,
        name: plan.name,
        note: plan.note,
        version: plan.version,
    };
    Ok(edit_shown(&visit, &slug, &typed, None))
}

/// `POST /plans/{slug}/edit`
pub(super) async fn save(visit: Visit, Path(slug): Path<String>, form: Form) -> Result<Response, Fault> {
    let typed = Typed::of(&form);
    let mut edit = match typed.body() {
        Ok(edit) => edit,
        Err(problem) => return Ok(edit_shown(&visit, &slug, &typed, Some(&*problem))),
    };
    edit.insert("name".to_owned(), json!(typed.name));
    match visit.api.patch::<PlanView>(&format!("/plans/{}", segment(&slug)), &edit, typed.version).await {
        Ok(_) => Ok(to_list(&visit)),
        Err(fault) => Ok(edit_shown(&visit, &slug, &typed, Some(&*fault.mendable()?))),
    }
}

fn edit_shown(visit: &Visit, slug: &str, typed: &Typed, problem: Option<&ProblemView>) -> Response {
    let (title, path) = (format!("Edit plan {slug}"), format!("/plans/{}/edit", segment(slug)));
    let body = html! {
        (version_field(typed.version, problem))
        p { "A change holds at once for every project that has this plan." }
        (Field::new("name", "Name").wrong(problem, "name").line(&typed.name, true))
        (fields(typed, problem))
    };
    let dialog = Dialog::new(&title, &path, "/limits", "Save changes");
    answer(problem, visit.dialog(&title, &dialog.card(&visit.frame, problem, FIELDS, &body)))
}

/// What both forms show.
const FIELDS: &[&str] =
    &["slug", "name", "note", "max_active_keys", "limits/project/*", "limits/tenant/*", "limits/key/*"];

fn fields(typed: &Typed, problem: Option<&ProblemView>) -> Markup {
    html! {
        @for ((scope, label), text) in SCOPES.iter().zip(&typed.limits) {
            (limits_field(Field::new(&field(scope), label).help("One on each line. Empty: none."), text, problem))
        }
        (Field::new("max_active_keys", "Active keys at most").help("For each grid and environment. Empty: as the configuration says.")
            .wrong(problem, "max_active_keys").line(&typed.max_active_keys, false))
        (Field::new("note", "Note").help("For people, such as what it costs.").wrong(problem, "note").lines(&typed.note, 2))
    }
}

/// `GET /plans/{slug}/delete`
pub(super) async fn delete_form(visit: Visit, Path(slug): Path<String>) -> Result<Response, Fault> {
    let plan: PlanView = visit.api.get(&format!("/plans/{}", segment(&slug))).await?;
    Ok(delete_shown(&visit, &slug, plan.version, None))
}

/// `POST /plans/{slug}/delete`
pub(super) async fn delete(visit: Visit, Path(slug): Path<String>, form: Form) -> Result<Response, Fault> {
    let version = form.number("version").unwrap_or_default();
    match visit.api.delete::<()>(&format!("/plans/{}", segment(&slug)), Some(version)).await {
        Ok(()) => Ok(to_list(&visit)),
        Err(fault) => Ok(delete_shown(&visit, &slug, version, Some(&*fault.mendable()?))),
    }
}

fn delete_shown(visit: &Visit, slug: &str, version: u64, problem: Option<&ProblemView>) -> Response {
    let (title, path) = (format!("Delete plan {slug}?"), format!("/plans/{}/delete", segment(slug)));
    let body = html! {
        (version_field(version, problem))
        p { "Only a plan that no project has can be deleted. The audit log keeps what it was." }
    };
    let dialog = Dialog::new(&title, &path, "/limits", "Delete plan").dangerous("Keep plan");
    answer(problem, visit.dialog(&title, &dialog.card(&visit.frame, problem, &[], &body)))
}

fn to_list(visit: &Visit) -> Response {
    Redirect::to(&visit.frame.here("/limits")).into_response()
}
