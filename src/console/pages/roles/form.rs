//! A new role, and the edit of one.

use axum::extract::Path;
use axum::response::{IntoResponse as _, Redirect, Response};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::json;

use super::permissions::{groups, others};
use super::{is_of_installation, path};
use crate::admin::problem::ProblemView;
use crate::admin::roles::RoleView;
use crate::admin::roles::create::NewRole;
use crate::console::form::Form;
use crate::console::guard::{Fault, is_of};
use crate::console::parts::dialog::{Dialog, answer, version_field};
use crate::console::parts::field::Field;
use crate::console::parts::icon::{Icon, icon};
use crate::console::visit::{UrlQuery, Visit};

/// What stands in the fields.
#[derive(Default)]
struct Typed {
    slug: String,
    name: String,
    note: String,
    kind: String,
    permissions: Vec<String>,
    version: u64,
}

impl Typed {
    fn of(form: &Form) -> Self {
        let text = |name: &str| form.text(name).to_owned();
        let ticked = form.all("permission").into_iter().chain(form.words("others"));
        Self {
            slug: text("slug"),
            name: text("name"),
            note: text("note").replace('\r', ""),
            kind: text("kind"),
            permissions: ticked.map(str::to_owned).collect(),
            version: form.number("version").unwrap_or_default(),
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    kind: String,
}

/// `GET /roles/-/new`
pub(super) async fn new_form(visit: Visit, UrlQuery(wanted): UrlQuery<Wanted>) -> Response {
    let kind = if wanted.kind == "admin" { "admin" } else { "ingest" };
    new_shown(&visit, &Typed { kind: kind.to_owned(), ..Typed::default() }, None)
}

/// `POST /roles/-/new`
pub(super) async fn create(visit: Visit, form: Form) -> Result<Response, Fault> {
    let typed = Typed::of(&form);
    if form.text("shown_kind") != typed.kind {
        return Ok(new_shown(&visit, &typed, None));
    }
    let filled = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let project = filled(form.text("of_project")).or_else(|| visit.me.project.clone());
    let new = NewRole {
        slug: filled(&typed.slug),
        name: filled(&typed.name),
        note: filled(&typed.note),
        kind: filled(&typed.kind),
        project,
        permissions: Some(typed.permissions.clone()),
    };
    match visit.api.post::<RoleView>("/roles", &new).await {
        Ok(role) => Ok(to_role(&visit, &role.slug)),
        Err(fault) => Ok(new_shown(&visit, &typed, Some(&*fault.mendable()?))),
    }
}

fn new_shown(visit: &Visit, typed: &Typed, problem: Option<&ProblemView>) -> Response {
    let project = &visit.frame.project;
    let body = html! {
        // Another kind has other permissions: the form is shown anew, with what was typed.
        input type="hidden" name="shown_kind" value=(typed.kind);
        fieldset.field {
            legend { "For whom" }
            div.segments {
                @for (kind, words) in [("ingest", "For senders"), ("admin", "For people and scripts")] {
                    label { input type="radio" name="kind" value=(kind) checked[typed.kind == kind] data-submit data-unfinished; span { (words) } }
                }
            }
        }
        (Field::new("slug", "Slug").help("a-z, 0-9 and hyphens. It never changes.").wrong(problem, "slug").line(&typed.slug, true))
        (Field::new("name", "Name").help("For people. The slug, if you leave it empty.").wrong(problem, "name").line(&typed.name, false))
        @if is_of_installation(visit) && !project.is_empty() {
            @let places = [(String::new(), "Every project".to_owned()), (project.clone(), format!("Only {project}"))];
            (Field::new("of_project", "Keys of").wrong(problem, "project").select(&places, project))
        }
        (permissions(visit, typed, problem))
        (Field::new("note", "Note").wrong(problem, "note").lines(&typed.note, 2))
    };
    let dialog = Dialog::new("Create role", "/roles/-/new", "/roles", "Create role");
    answer(problem, visit.dialog("Create role", &dialog.card(&visit.frame, problem, FIELDS, &body)))
}

/// `GET /roles/{slug}/edit`
pub(super) async fn edit_form(visit: Visit, Path(slug): Path<String>) -> Result<Response, Fault> {
    let role: RoleView = visit.api.get(&path(&visit, &slug)).await?;
    let RoleView { slug, name, note, kind, permissions, version, .. } = role;
    let typed = Typed { slug, name, note, kind, permissions, version: version.unwrap_or_default() };
    Ok(edit_shown(&visit, &typed, None))
}

/// `POST /roles/{slug}/edit`
pub(super) async fn save(visit: Visit, Path(slug): Path<String>, form: Form) -> Result<Response, Fault> {
    let typed = Typed { slug: slug.clone(), ..Typed::of(&form) };
    let edit = json!({"name": typed.name, "note": typed.note, "permissions": typed.permissions});
    match visit.api.patch::<RoleView>(&path(&visit, &slug), &edit, typed.version).await {
        Ok(role) => Ok(to_role(&visit, &role.slug)),
        Err(fault) => Ok(edit_shown(&visit, &typed, Some(&*fault.mendable()?))),
    }
}

fn edit_shown(visit: &Visit, typed: &Typed, problem: Option<&ProblemView>) -> Response {
    let (title, path) = (format!("Edit role {}", typed.slug), format!("/roles/{}/edit", typed.slug));
    let back = format!("/roles/{}", typed.slug);
    let body = html! {
        (version_field(typed.version, problem))
        input type="hidden" name="kind" value=(typed.kind);
        p { "A change holds at once for every key that has this role." }
        (Field::new("name", "Name").wrong(problem, "name").line(&typed.name, true))
        (permissions(visit, typed, problem))
        (Field::new("note", "Note").wrong(problem, "note").lines(&typed.note, 2))
    };
    let dialog = Dialog::new(&title, &path, &back, "Save changes");
    answer(problem, visit.dialog(&title, &dialog.card(&visit.frame, problem, FIELDS, &body)))
}

/// What both forms show.
const FIELDS: &[&str] = &["slug", "name", "note", "project", "permissions/*"];

/// Boxes for what the visitor may give, a field for names of the deployment's own, and everything that is wrong with them.
fn permissions(visit: &Visit, typed: &Typed, problem: Option<&ProblemView>) -> Markup {
    // Whoever may create keys may let them export.
    let may_give = |name: &str| visit.may(name) || (typed.kind == "ingest" && visit.may("api.key.create"));
    let ticked = |name: &str| typed.permissions.iter().any(|one| one == name);
    let errors = problem.map(|problem| problem.errors.as_slice()).unwrap_or_default();
    let all = groups(&typed.kind).iter().flat_map(|group| group.permissions).map(|(one, _)| one.as_str());
    let others = others(&typed.kind, &typed.permissions).join("\n");
    html! {
        // What the role has and the visitor may not give stays.
        @for held in all.filter(|one| ticked(one) && !may_give(one)) { input type="hidden" name="permission" value=(held); }
        div.permission-groups {
            @for group in groups(&typed.kind) {
                @let offered: Vec<_> = group.permissions.iter().filter(|(one, _)| may_give(one.as_str())).collect();
                @if !offered.is_empty() {
                    fieldset.field {
                        legend { (group.name) }
                        @for (permission, words) in offered {
                            div.tick {
                                label title=(permission) {
                                    input type="checkbox" name="permission" value=(permission) checked[ticked(permission.as_str())];
                                    span { (words) }
                                }
                            }
                        }
                    }
                }
            }
        }
        @for error in errors.iter().filter(|error| is_of(error, "permissions")) {
            p.field-error { (icon(Icon::Danger)) span { (error.detail) ". Allowed: " (error.fix) } }
        }
        (Field::new("others", "Permissions of your own").help("Names such as customer.read, one on each line, for your services to ask about.").lines(&others, 2))
    }
}

fn to_role(visit: &Visit, slug: &str) -> Response {
    Redirect::to(&visit.frame.here(&format!("/roles/{slug}"))).into_response()
}
