//! Editing a key: only what was changed in the form is changed, and only if the key is still at the version that the form shows.

use axum::extract::Path;
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use maud::{Markup, html};
use serde::Deserialize;

use super::{At, Subject};
use crate::admin::keys::KeyView;
use crate::admin::keys::edit::KeyPatch;
use crate::admin::page::PageView;
use crate::admin::problem::ProblemView;
use crate::admin::roles::RoleView;
use crate::console::api::{Api, Query};
use crate::console::form::Form;
use crate::console::guard::Fault;
use crate::console::parts::field::{Field, rest_of};
use crate::console::parts::limits;
use crate::console::parts::note::{Severity, note};
use crate::console::visit::{UrlQuery, Visit};

/// Whether the form comes back after it was saved.
#[derive(Default, Debug, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    saved: bool,
}

/// `GET /keys/{id}/settings`
pub(super) async fn page(
    visit: Visit,
    Path(id): Path<String>,
    UrlQuery(wanted): UrlQuery<Wanted>,
) -> Result<Response, Fault> {
    let subject = Subject::load(&visit, &id).await?;
    if subject.is_revoked() || !visit.may("api.key.update") {
        return Ok(Redirect::to(&visit.frame.href(&subject.path(At::Overview))).into_response());
    }
    let above = if wanted.saved {
        note(Severity::Fine, &html! { span role="status" { "Saved" } })
    } else {
        html! {}
    };
    let typed = Typed::of_key(&subject.key);
    Ok(form(&visit, &subject, &typed, None, &above).await?.into_response())
}

/// `POST /keys/{id}/settings`
pub(super) async fn save(visit: Visit, Path(id): Path<String>, sent: Form) -> Result<Response, Fault> {
    let subject = Subject::load(&visit, &id).await?;
    let mut typed = Typed::of_form(&sent);
    if !may_limit(&visit, &subject) {
        typed.limits = limits::lines(&subject.key.limits);
    }
    let saved = match typed.patch(&subject.key) {
        Err(problem) => Err(problem),
        Ok(None) => Ok(()),
        Ok(Some(patch)) => {
            let version = sent.number("version").unwrap_or_default();
            let changed = visit.api.patch::<KeyView>(&format!("/keys/{}", subject.key.id), &patch, version).await;
            match changed {
                Ok(_) => Ok(()),
                Err(fault) => Err(fault.mendable()?),
            }
        }
    };
    let Err(problem) = saved else {
        let to = format!("{}?saved=true", subject.path(At::Settings));
        return Ok(Redirect::to(&visit.frame.href(&to)).into_response());
    };
    let above = if problem.code == "version_conflict" {
        meanwhile(&typed.differs(&Typed::of_key(&subject.key)))
    } else {
        rest_of(Some(&problem), SHOWN)
    };
    let page = form(&visit, &subject, &typed, Some(&problem), &above).await?;
    Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
}

/// The fields that say themselves what is wrong with them.
const SHOWN: &[&str] =
    &["name", "note", "owner", "tags", "role", "permissions", "allowed_addresses", "expires_at", "limits/*"];

/// The form's fields, as texts.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Typed {
    name: String,
    note: String,
    owner: String,
    tags: String,
    /// Empty: permissions of its own.
    role: String,
    permissions: String,
    addresses: String,
    /// A date and time in UTC to the minute, as browsers send it; empty: never.
    expires: String,
    limits: String,
}

impl Typed {
    fn of_key(key: &KeyView) -> Self {
        Self {
            name: key.name.clone(),
            note: key.note.trim().to_owned(),
            owner: key.owner.clone().unwrap_or_default(),
            tags: key.tags.join(" "),
            role: key.role.clone().unwrap_or_default(),
            permissions: if key.role.is_none() { key.permissions.join("\n") } else { String::new() },
            addresses: key.allowed_addresses.join("\n"),
            expires: key.expires_at.as_deref().and_then(|at| at.get(..16)).unwrap_or_default().to_owned(),
            limits: limits::lines(&key.limits),
        }
    }

    fn of_form(form: &Form) -> Self {
        let lines = |name: &str| form.text(name).replace("\r\n", "\n");
        Self {
            name: form.text("name").to_owned(),
            note: lines("note"),
            owner: form.text("owner").to_owned(),
            tags: form.words("tags").join(" "),
            role: form.text("role").to_owned(),
            permissions: form.words("permissions").join("\n"),
            addresses: form.words("allowed_addresses").join("\n"),
            expires: form.text("expires_at").to_owned(),
            limits: lines("limits"),
        }
    }

    /// What turns `key` into this; `None` where it is this already.
    fn patch(&self, key: &KeyView) -> Result<Option<KeyPatch>, Box<ProblemView>> {
        let old = Self::of_key(key);
        let text = |new: &str, old: &str| (new != old).then(|| Some(new.to_owned()).filter(|new| !new.is_empty()));
        let words = |new: &str, old: &str| {
            (new != old).then(|| Some(new.split_ascii_whitespace().map(str::to_owned).collect::<Vec<_>>()))
        };
        let own = self.role.is_empty() && (!old.role.is_empty() || self.permissions != old.permissions);
        // Browsers leave out seconds that are zero.
        let instant = |typed: &str| if typed.len() == 16 { format!("{typed}:00Z") } else { format!("{typed}Z") };
        let patch = KeyPatch {
            name: (self.name != old.name).then(|| self.name.clone()),
            note: text(&self.note, &old.note),
            owner: text(&self.owner, &old.owner),
            tags: words(&self.tags, &old.tags),
            role: (!self.role.is_empty() && self.role != old.role).then(|| Some(self.role.clone())),
            permissions: own.then(|| Some(self.permissions.split_ascii_whitespace().map(str::to_owned).collect())),
            allowed_addresses: words(&self.addresses, &old.addresses),
            limits: if self.limits == old.limits { None } else { Some(Some(limits::read("limits", &self.limits)?)) },
            expires_at: text(&self.expires, &old.expires).map(|at| at.map(|at| instant(&at))),
        };
        let is_empty =
            serde_json::to_value(&patch).is_ok_and(|patch| patch.as_object().is_some_and(serde_json::Map::is_empty));
        Ok((!is_empty).then_some(patch))
    }

    /// The fields in which `now` is another, with what they are there.
    fn differs<'n>(&self, now: &'n Self) -> Vec<(&'static str, &'n str)> {
        let pairs = [
            ("Name", &self.name, &now.name),
            ("Note", &self.note, &now.note),
            ("Owner", &self.owner, &now.owner),
            ("Tags", &self.tags, &now.tags),
            ("Role", &self.role, &now.role),
            ("Permissions", &self.permissions, &now.permissions),
            ("Allowed addresses", &self.addresses, &now.addresses),
            ("Expires", &self.expires, &now.expires),
            ("Limits", &self.limits, &now.limits),
        ];
        pairs.into_iter().filter(|(_, own, now)| own != now).map(|(name, _, now)| (name, now.as_str())).collect()
    }
}

/// Somebody else changed the key while the form was open.
fn meanwhile(differs: &[(&str, &str)]) -> Markup {
    html! {
        div role="alert" {
            (note(Severity::Warning, &html! {
                strong { "The key was changed meanwhile. " }
                "What you typed is kept below, and is not saved. Saving it now puts it in the place of what is there:"
                ul {
                    @for (name, now) in differs {
                        li { (name) ": " @if now.is_empty() { "empty" } @else { code { (now) } } }
                    }
                }
            }))
        }
    }
}

async fn form(
    visit: &Visit,
    subject: &Subject,
    typed: &Typed,
    problem: Option<&ProblemView>,
    above: &Markup,
) -> Result<Markup, Fault> {
    let key = &subject.key;
    let roles = roles(visit, key).await?;
    let field = |name, label| Field::new(name, label).wrong(problem, name);
    let content = html! {
        div.stack.narrow {
            (above)
            form.panel method="post" action=(visit.frame.href(&subject.path(At::Settings))) {
                (visit.frame.form_fields())
                input type="hidden" name="version" value=(key.version);
                div.panel-head { h2 { "Settings" } span.meta { "Project, grid and environment of a key never change." } }
                div.panel-body.form {
                    (field("name", "Name").line(&typed.name, true))
                    (field("owner", "Owner").help("The customer or owner that it is for.").line(&typed.owner, false))
                    (field("tags", "Tags").help("Words such as team:checkout, with spaces between them.").line(&typed.tags, false))
                    (field("note", "Note").lines(&typed.note, 3))
                    (field("role", "Role").select(&roles, &typed.role))
                    (field("permissions", "Permissions of its own")
                        .help("One on each line. They hold only where the role is “Permissions of its own”.")
                        .lines(&typed.permissions, 2))
                    (field("allowed_addresses", "Allowed addresses")
                        .help("Addresses and ranges such as 10.4.0.0/16, one on each line. Without one it may be used from anywhere.")
                        .lines(&typed.addresses, 2))
                    (expiry(field("expires_at", "Expires (UTC)").help("Empty: never. From then on exports are refused."), &typed.expires))
                    @if may_limit(visit, subject) { (limits::limits_editor("limits", &typed.limits, problem)) }
                }
                div.panel-foot {
                    button.primary type="submit" { "Save changes" }
                    a.button href=(visit.frame.href(&subject.path(At::Overview))) { "Keep as it is" }
                }
            }
        }
    };
    subject.page(visit, At::Settings, &content).await
}

/// Whether the form has limits.
fn may_limit(visit: &Visit, subject: &Subject) -> bool {
    subject.is_ingest() && visit.may("quota.update")
}

/// A date and time, which browsers have a field of their own for.
fn expiry(field: Field<'_>, value: &str) -> Markup {
    field.around(&html! {
        input #(field.name) type="datetime-local" name=(field.name) value=(value) max="9999-12-31T23:59"
            aria-describedby=[field.described()] aria-invalid=[field.wrong.map(|_| "true")];
    })
}

/// The roles that the key can have, with its own permissions in the place of one.
async fn roles(visit: &Visit, key: &KeyView) -> Result<Vec<(String, String)>, Fault> {
    let query = Query::default().with("project", key.project.as_deref()).with("limit", Some(200));
    let found: Option<PageView<RoleView>> = Api::if_allowed(visit.api.list("/roles", &query)).await?;
    let found = found.map(|page| page.data).unwrap_or_default().into_iter().filter(|role| role.kind == key.kind);
    let mut options: Vec<_> = found.map(|role| (role.slug.clone(), named(&role))).collect();
    if let Some(own) = key.role.as_ref().filter(|own| !options.iter().any(|(slug, _)| slug == *own)) {
        options.insert(0, (own.clone(), own.clone()));
    }
    options.push((String::new(), "Permissions of its own".to_owned()));
    Ok(options)
}

fn named(role: &RoleView) -> String {
    if role.name == role.slug { role.slug.clone() } else { format!("{} ({})", role.name, role.slug) }
}
