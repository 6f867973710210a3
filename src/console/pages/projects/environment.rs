//! A new environment, and the edit of one.

use axum::extract::Path;
use axum::response::{IntoResponse as _, Redirect, Response};
use maud::{Markup, html};
use serde_json::{Map, Value, json};

use super::segment;
use crate::admin::environments::EnvironmentView;
use crate::admin::problem::ProblemView;
use crate::console::form::Form;
use crate::console::guard::Fault;
use crate::console::parts::dialog::{Dialog, answer};
use crate::console::parts::field::Field;
use crate::console::visit::Visit;

/// What stands in the fields.
#[derive(Default)]
struct Typed {
    slug: String,
    code: String,
    name: String,
    rotation_days: String,
}

/// `GET /environments/-/new`
pub(super) async fn form(visit: Visit) -> Response {
    new_shown(&visit, &Typed { rotation_days: "90".to_owned(), ..Typed::default() }, None)
}

/// `POST /environments/-/new`
pub(super) async fn create(visit: Visit, form: Form) -> Result<Response, Fault> {
    let typed = typed(&form);
    let mut new = Map::new();
    for (field, text) in [("slug", &typed.slug), ("code", &typed.code), ("name", &typed.name)] {
        if !text.is_empty() {
            new.insert(field.to_owned(), json!(text));
        }
    }
    new.insert("rotation_days".to_owned(), days(&typed.rotation_days));
    match visit.api.post::<EnvironmentView>("/environments", &new).await {
        Ok(_) => Ok(to_list(&visit)),
        Err(fault) => Ok(new_shown(&visit, &typed, Some(&*fault.mendable()?))),
    }
}

fn new_shown(visit: &Visit, typed: &Typed, problem: Option<&ProblemView>) -> Response {
    let dialog = Dialog::new("Create environment", "/environments/-/new", "/projects", "Create environment");
    let body = html! {
        (Field::new("slug", "Slug").help("a-z, 0-9 and hyphens, such as load-test. It never changes.").wrong(problem, "slug").line(&typed.slug, true))
        (Field::new("code", "In tokens").help("2 to 8 characters of a-z and 0-9, such as load. It never changes.").wrong(problem, "code").line(&typed.code, true))
        (Field::new("name", "Name").help("For people. The slug, if you leave it empty.").wrong(problem, "name").line(&typed.name, false))
        (rotation(&typed.rotation_days, problem))
    };
    let fields = ["slug", "code", "name", "rotation_days"];
    answer(problem, visit.dialog("Create environment", &dialog.card(&visit.frame, problem, &fields, &body)))
}

/// `GET /environments/{slug}/edit`
pub(super) async fn edit_form(visit: Visit, Path(slug): Path<String>) -> Result<Response, Fault> {
    let found: EnvironmentView = visit.api.get(&format!("/environments/{}", segment(&slug))).await?;
    let rotation_days = found.rotation_days.map(|days| days.to_string()).unwrap_or_default();
    Ok(edit_shown(&visit, &slug, &Typed { name: found.name, rotation_days, ..Typed::default() }, None))
}

/// `POST /environments/{slug}/edit`
pub(super) async fn save(visit: Visit, Path(slug): Path<String>, form: Form) -> Result<Response, Fault> {
    let typed = typed(&form);
    let edit = json!({"name": typed.name, "rotation_days": days(&typed.rotation_days)});
    // An environment has no version: its two fields are set as they stand.
    match visit.api.patch_any::<EnvironmentView>(&format!("/environments/{}", segment(&slug)), &edit).await {
        Ok(_) => Ok(to_list(&visit)),
        Err(fault) => Ok(edit_shown(&visit, &slug, &typed, Some(&*fault.mendable()?))),
    }
}

fn edit_shown(visit: &Visit, slug: &str, typed: &Typed, problem: Option<&ProblemView>) -> Response {
    let path = format!("/environments/{}/edit", segment(slug));
    let title = format!("Edit {slug}");
    let dialog = Dialog::new(&title, &path, "/projects", "Save changes");
    let body = html! {
        (Field::new("name", "Name").wrong(problem, "name").line(&typed.name, true))
        (rotation(&typed.rotation_days, problem))
    };
    answer(problem, visit.dialog(&title, &dialog.card(&visit.frame, problem, &["name", "rotation_days"], &body)))
}

fn rotation(days: &str, problem: Option<&ProblemView>) -> Markup {
    let help = "After so many days, its keys are due for a new secret. Empty: never.";
    Field::new("rotation_days", "New secret due after, in days")
        .help(help)
        .wrong(problem, "rotation_days")
        .line(days, false)
}

fn typed(form: &Form) -> Typed {
    let text = |name| form.text(name).to_owned();
    Typed { slug: text("slug"), code: text("code"), name: text("name"), rotation_days: text("rotation_days") }
}

/// A number, nothing, or what is none and is the API's to refuse.
fn days(text: &str) -> Value {
    if text.is_empty() { Value::Null } else { text.parse::<u32>().map_or_else(|_| json!(text), Value::from) }
}

fn to_list(visit: &Visit) -> Response {
    Redirect::to(&visit.frame.here("/projects")).into_response()
}
