//! Members: people, each with an admin key of their own.

mod edit;
mod invite;
mod remove;

use axum::Router;
use axum::routing::get;
use maud::{Markup, html};
use serde::Deserialize;

use super::projects::is_of_installation;
use crate::admin::keys::KeyView;
use crate::admin::roles::RoleView;
use crate::console::Console;
use crate::console::api::{Api, Query};
use crate::console::guard::Fault;
use crate::console::layout::{Section, Shell};
use crate::console::parts::chip::status;
use crate::console::parts::copy::copyable;
use crate::console::parts::empty::empty;
use crate::console::parts::icon::{Icon, icon};
use crate::console::parts::list::paging;
use crate::console::parts::time::relative_or;
use crate::console::visit::{UrlQuery, Visit};

pub(super) fn routes() -> Router<Console> {
    Router::new()
        .route("/members", get(page))
        .route("/members/new", get(invite::form).post(invite::invite))
        .route("/members/{id}/edit", get(edit::form).post(edit::save))
        .route("/members/{id}/remove", get(remove::form).post(remove::remove))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Wanted {
    cursor: Option<String>,
}

/// `GET /members`
async fn page(visit: Visit, UrlQuery(wanted): UrlQuery<Wanted>) -> Result<Markup, Fault> {
    let query = || Query::default().with("project", Some(&visit.frame.project));
    let members = visit.api.list::<KeyView>("/members", &query().with("cursor", wanted.cursor.as_deref())).await?;
    let invite = html! {
        @if visit.may("member.create") {
            a.button.primary href=(visit.frame.here("/members/new")) data-dialog data-new { (icon(Icon::Plus)) "Invite member" }
        }
    };
    let content = html! {
        div.page-head {
            div { h1 { "Members" } p { "People who may use this console, the command line and the API. Each has an admin key of their own." } }
            @if !members.data.is_empty() { div.actions { (invite) } }
        }
        div.panel.table-panel {
            @if members.data.is_empty() {
                (empty("No member yet", "Invite each person by name, so that the audit log says who did what and one can go without the others.", &invite))
            } @else {
                (table(&visit, &members.data))
                (paging(&visit.frame, "/members", query(), members.data.len(), members.next_cursor.as_deref()))
            }
        }
    };
    visit.page(Shell { title: "Members", section: Section::Members }, &content).await
}

fn table(visit: &Visit, members: &[KeyView]) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="Members, table" {
            table.roomy {
                thead { tr {
                    th scope="col" { "Name" }
                    th scope="col" { "Role" }
                    th scope="col" { "Sees" }
                    th scope="col" { "Status" }
                    th scope="col" { "Last used" }
                    th scope="col" { "Expires" }
                    th scope="col" { span.visually-hidden { "Actions" } }
                } }
                tbody { @for member in members { (row(visit, member)) } }
            }
        }
    }
}

fn row(visit: &Visit, member: &KeyView) -> Markup {
    let to = |verb: &str| visit.frame.here(&format!("/members/{}/{verb}", member.id));
    html! {
        tr.two {
            th scope="row" {
                @if visit.may("api.key.view") {
                    a.name href=(visit.frame.href(&format!("/keys/{}", member.id))) { (member.name) }
                } @else { span.name { (member.name) } }
                @if member.id == visit.me.id { " " span.tag { "you" } }
                span.meta { (copyable(&member.id, "key id")) }
            }
            td { @if let Some(role) = &member.role { (role) } @else { "Own permissions" } }
            td { @if let Some(project) = &member.project { (project) } @else { "Whole installation" } }
            td { (status(&member.status, true)) }
            td { (relative_or(member.last_used_at.as_deref(), visit.now, "Never used")) }
            td { (relative_or(member.expires_at.as_deref(), visit.now, "Never")) }
            td.end.row-actions {
                @if visit.may("member.update") {
                    a.button.small href=(to("edit")) data-dialog aria-label={ "Edit " (member.name) } { "Edit…" }
                }
                @if visit.may("member.delete") {
                    a.button.small.danger-button href=(to("remove")) data-dialog aria-label={ "Remove " (member.name) } { "Remove…" }
                }
            }
        }
    }
}

/// The roles for people of `project` (empty: of the installation) that the visitor may give, with the note of each; `None` where the
/// visitor may not see roles.
async fn roles(visit: &Visit, project: &str) -> Result<Option<Vec<(String, String)>>, Fault> {
    let query = Query::default().with("project", Some(project)).with("limit", Some(200));
    let roles = Api::if_allowed(visit.api.list::<RoleView>("/roles", &query)).await?;
    let may_give = |role: &RoleView| role.kind == "admin" && role.permissions.iter().all(|one| visit.may(one));
    let words = |role: RoleView| {
        let words = if role.note.is_empty() { role.name } else { format!("{}: {}", role.name, role.note) };
        (role.slug, words)
    };
    Ok(roles.map(|page| page.data.into_iter().filter(may_give).map(words).collect()))
}
