//! Roles: named sets of permissions for keys.

mod delete;
mod form;
mod permissions;
mod show;

use axum::Router;
use axum::routing::get;
use maud::{Markup, html};
use serde::Deserialize;

use super::projects::{is_of_installation, segment};
use crate::admin::roles::RoleView;
use crate::console::Console;
use crate::console::api::Query;
use crate::console::guard::Fault;
use crate::console::layout::{Section, Shell};
use crate::console::parts::icon::{Icon, icon};
use crate::console::parts::list::paging;
use crate::console::parts::number::counted;
use crate::console::visit::{UrlQuery, Visit};

pub(super) fn routes() -> Router<Console> {
    Router::new()
        .route("/roles", get(page))
        // No slug begins with a hyphen.
        .route("/roles/-/new", get(form::new_form).post(form::create))
        .route("/roles/{slug}", get(show::page))
        .route("/roles/{slug}/edit", get(form::edit_form).post(form::save))
        .route("/roles/{slug}/delete", get(delete::form).post(delete::delete))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Wanted {
    cursor: Option<String>,
}

/// `GET /roles`
async fn page(visit: Visit, UrlQuery(wanted): UrlQuery<Wanted>) -> Result<Markup, Fault> {
    let query = || Query::default().with("project", Some(&visit.frame.project));
    let roles = visit.api.list::<RoleView>("/roles", &query().with("cursor", wanted.cursor.as_deref())).await?;
    let content = html! {
        div.page-head {
            div { h1 { "Roles" } p { "What keys may do. A change of a role holds at once for every key that has it." } }
            @if visit.may("role.create") {
                div.actions {
                    a.button.primary href=(visit.frame.here("/roles/-/new")) data-dialog data-new { (icon(Icon::Plus)) "Create role" }
                }
            }
        }
        div.panel.table-panel {
            div.scroll tabindex="0" role="region" aria-label="Roles, table" {
                table.roomy {
                    thead { tr {
                        th scope="col" { "Name" }
                        th scope="col" { "What for" }
                        th scope="col" { "For" }
                        th scope="col" { "Belongs to" }
                        th scope="col" { "Holds" }
                        th scope="col" { span.visually-hidden { "Actions" } }
                    } }
                    tbody { @for role in &roles.data { (row(&visit, role)) } }
                }
            }
            (paging(&visit.frame, "/roles", query(), roles.data.len(), roles.next_cursor.as_deref()))
        }
    };
    visit.page(Shell { title: "Roles", section: Section::Roles }, &content).await
}

fn row(visit: &Visit, role: &RoleView) -> Markup {
    html! {
        tr.two {
            th scope="row" { a.name href=(visit.frame.here(&format!("/roles/{}", role.slug))) { (role.name) } code.meta { (role.slug) } }
            td { span.meta { (role.note) } }
            td { (kind_words(&role.kind)) }
            td { (belongs_to(role)) }
            td { (holds(role)) }
            td.end.row-actions { (row_actions(visit, role, true)) }
        }
    }
}

/// What the visitor may do to a role.
fn row_actions(visit: &Visit, role: &RoleView, small: bool) -> Markup {
    let to = |verb: &str| visit.frame.here(&format!("/roles/{}/{verb}", role.slug));
    let is_theirs = !role.built_in && (role.project.is_some() || is_of_installation(visit));
    let in_reach = role.permissions.iter().all(|one| visit.may(one)) || role.kind == "ingest";
    html! {
        @if is_theirs && in_reach {
            @if visit.may("role.update") {
                a.button.small[small] href=(to("edit")) data-dialog aria-label={ "Edit " (role.name) } { "Edit…" }
            }
            @if visit.may("role.delete") {
                a.button.danger-button.small[small] href=(to("delete")) data-dialog aria-label={ "Delete " (role.name) } { "Delete…" }
            }
        }
    }
}

fn kind_words(kind: &str) -> &str {
    if kind == "ingest" { "Senders" } else { "People and scripts" }
}

fn belongs_to(role: &RoleView) -> Markup {
    html! {
        @if role.built_in { span.meta { "Built in" } }
        @else if let Some(project) = &role.project { "Project " (project) }
        @else { "Installation" }
    }
}

fn holds(role: &RoleView) -> String {
    if role.permissions.iter().any(|one| one == "*") {
        return "Everything".to_owned();
    }
    counted(u64::try_from(role.permissions.len()).unwrap_or(u64::MAX), "permission", "permissions")
}

/// The path of a role in the API, among those that keys of the project in sight can have.
fn path(visit: &Visit, slug: &str) -> String {
    let query = Query::default().with("project", Some(&visit.frame.project));
    format!("/roles/{}{}", segment(slug), query.as_str())
}
