//! A member's name, role, expiry and note.

use axum::extract::Path;
use axum::response::{IntoResponse as _, Redirect, Response};
use maud::html;
use serde_json::{Map, Value, json};

use super::super::projects::segment;
use super::roles;
use crate::admin::keys::KeyView;
use crate::admin::problem::ProblemView;
use crate::console::form::Form;
use crate::console::guard::Fault;
use crate::console::parts::dialog::{Dialog, answer, version_field};
use crate::console::parts::field::Field;
use crate::console::parts::time::{from_typed, to_type};
use crate::console::visit::Visit;

/// What stands in the fields.
struct Typed {
    name: String,
    role: String,
    expires_at: String,
    note: String,
    version: u64,
}

/// `GET /members/{id}/edit`
pub(super) async fn form(visit: Visit, Path(id): Path<String>) -> Result<Response, Fault> {
    let member = find(&visit, &id).await?;
    let typed = Typed {
        name: member.name.clone(),
        role: member.role.clone().unwrap_or_default(),
        expires_at: member.expires_at.as_deref().map(to_type).unwrap_or_default(),
        note: member.note.clone(),
        version: member.version,
    };
    shown(&visit, &member, &typed, None).await
}

/// `POST /members/{id}/edit`
pub(super) async fn save(visit: Visit, Path(id): Path<String>, form: Form) -> Result<Response, Fault> {
    let text = |name| form.text(name).to_owned();
    let typed = Typed {
        name: text("name"),
        role: text("role"),
        expires_at: text("expires_at"),
        note: text("note").replace('\r', ""),
        version: form.number("version").unwrap_or_default(),
    };
    let member = find(&visit, &id).await?;
    match visit.api.patch::<KeyView>(&path(&id), &patch(&member, &typed), typed.version).await {
        Ok(_) => Ok(Redirect::to(&visit.frame.here("/members")).into_response()),
        Err(fault) => shown(&visit, &member, &typed, Some(&*fault.mendable()?)).await,
    }
}

pub(super) async fn find(visit: &Visit, id: &str) -> Result<KeyView, Fault> {
    visit.api.get(&path(id)).await
}

/// The member's path in the API.
pub(super) fn path(id: &str) -> String {
    format!("/members/{}", segment(id))
}

/// What differs from `member`: an expiry that is over is not sent again as if it were new.
fn patch(member: &KeyView, typed: &Typed) -> Map<String, Value> {
    let was = member.expires_at.as_deref().map(to_type).unwrap_or_default();
    let expires_at = if typed.expires_at.is_empty() { Value::Null } else { json!(from_typed(&typed.expires_at)) };
    let fields = [
        ("name", typed.name != member.name, json!(typed.name)),
        ("role", typed.role != member.role.as_deref().unwrap_or_default(), json!(typed.role)),
        ("note", typed.note != member.note, json!(typed.note)),
        ("expires_at", typed.expires_at != was, expires_at),
    ];
    fields.into_iter().filter(|(_, changed, _)| *changed).map(|(name, _, value)| (name.to_owned(), value)).collect()
}

async fn shown(
    visit: &Visit,
    member: &KeyView,
    typed: &Typed,
    problem: Option<&ProblemView>,
) -> Result<Response, Fault> {
    let mut roles = roles(visit, member.project.as_deref().unwrap_or_default()).await?;
    if let Some(roles) = &mut roles
        && !roles.iter().any(|(slug, _)| *slug == typed.role)
    {
        let words = if typed.role.is_empty() { "Own permissions" } else { &typed.role };
        roles.insert(0, (typed.role.clone(), words.to_owned()));
    }
    let path = format!("/members/{}/edit", member.id);
    let title = format!("Edit {}", member.name);
    let body = html! {
        (version_field(typed.version, problem))
        (Field::new("name", "Name").wrong(problem, "name").line(&typed.name, true))
        @let field = Field::new("role", "Role").help("It holds from the next request on.").wrong(problem, "role");
        @if let Some(roles) = &roles { (field.select(roles, &typed.role)) } @else { (field.line(&typed.role, true)) }
        (Field::new("expires_at", "Expires").help("A day such as 2027-04-30, or an instant, in UTC. Empty: never.").wrong(problem, "expires_at").line(&typed.expires_at, false))
        (Field::new("note", "Note").wrong(problem, "note").lines(&typed.note, 2))
    };
    let dialog = Dialog::new(&title, &path, "/members", "Save changes");
    let fields = ["name", "role", "expires_at", "note"];
    Ok(answer(problem, visit.dialog(&title, &dialog.card(&visit.frame, problem, &fields, &body))))
}
