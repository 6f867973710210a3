//! Inviting a member: an admin key, whose token is shown once.

use axum::response::{IntoResponse as _, Response};
use maud::html;

use super::super::create::secret::secret_card;
use super::{is_of_installation, roles};
use crate::admin::keys::create::IssuedKey;
use crate::admin::members::create::{InvitedMember, NewMember};
use crate::admin::problem::ProblemView;
use crate::admin::projects::ProjectView;
use crate::console::api::{Api, Query};
use crate::console::form::Form;
use crate::console::guard::Fault;
use crate::console::parts::dialog::{Dialog, answer};
use crate::console::parts::field::{Field, ONCE};
use crate::console::parts::time::from_typed;
use crate::console::visit::Visit;

/// `GET /members/new`
pub(super) async fn form(visit: Visit) -> Result<Response, Fault> {
    let project = Some(visit.frame.project.clone()).filter(|project| !project.is_empty());
    let new = NewMember { project: project.or_else(|| visit.me.project.clone()), ..NewMember::default() };
    shown(&visit, &new, "", &visit.once_key()?, None).await
}

/// `POST /members/new`
pub(super) async fn invite(visit: Visit, form: Form) -> Result<Response, Fault> {
    let text = |name| form.optional(name).map(str::to_owned);
    let expires = form.text("expires_at");
    let new = NewMember {
        name: text("name"),
        role: text("role"),
        project: text("project"),
        expires_at: Some(from_typed(expires)).filter(|text| !text.is_empty()),
        note: text("note").map(|note| note.replace('\r', "")),
    };
    match visit.api.post_once::<InvitedMember>("/members", Some(&new), form.text(ONCE)).await {
        Ok(InvitedMember { member, token }) => {
            let what_happened =
                format!("{} signs in with it. Hand it over in a safe way, not by mail or chat.", member.name);
            Ok(secret_card(&visit, &IssuedKey { key: member, token }, &what_happened).into_response())
        }
        Err(fault) => {
            let problem = fault.mendable()?;
            // What was refused may be sent again, mended, under a key of its own.
            shown(&visit, &new, expires, &visit.once_key()?, Some(&*problem)).await
        }
    }
}

async fn shown(
    visit: &Visit,
    new: &NewMember,
    expires: &str,
    once: &str,
    problem: Option<&ProblemView>,
) -> Result<Response, Fault> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let project = text(&new.project);
    let places = places(visit).await?;
    let roles = roles(visit, &project).await?;
    let role = new.role.as_deref().unwrap_or("viewer");
    let body = html! {
        input type="hidden" name=(ONCE) value=(once);
        (Field::new("name", "Name").help("The person's name. It stands in the audit log.").wrong(problem, "name").line(&text(&new.name), true))
        @if let Some(places) = &places {
            (Field::new("project", "Sees").help("For life.").wrong(problem, "project").select(places, &project))
        } @else {
            input type="hidden" name="project" value=(project);
        }
        @let field = Field::new("role", "Role").help("Only roles with what your own key holds.").wrong(problem, "role");
        @if let Some(roles) = &roles { (field.select(roles, role)) } @else { (field.line(role, true)) }
        (Field::new("expires_at", "Expires").help("A day such as 2027-04-30, or an instant, in UTC. Empty: never.").wrong(problem, "expires_at").line(expires, false))
        (Field::new("note", "Note").wrong(problem, "note").lines(&text(&new.note), 2))
    };
    let dialog = Dialog::new("Invite member", "/members/new", "/members", "Invite member");
    let fields = ["name", "project", "role", "expires_at", "note"];
    Ok(answer(problem, visit.dialog("Invite member", &dialog.card(&visit.frame, problem, &fields, &body))))
}

/// What a member may see, where there is a choice.
async fn places(visit: &Visit) -> Result<Option<Vec<(String, String)>>, Fault> {
    if !is_of_installation(visit) {
        return Ok(None);
    }
    let query = Query::default().with("limit", Some(200));
    let projects = Api::if_allowed(visit.api.list::<ProjectView>("/projects", &query)).await?;
    let all = (String::new(), "Whole installation".to_owned());
    let named = |project: ProjectView| (project.slug, format!("Project {}", project.name));
    Ok(projects.map(|page| std::iter::once(all).chain(page.data.into_iter().map(named)).collect()))
}
