//! Projects with their grids, and the environments that all of them have.

mod edit;
mod environment;
mod grid;
mod new;
mod show;
mod suspend;

use axum::Router;
use axum::routing::get;
use maud::{Markup, html};
use serde::Deserialize;

use crate::admin::environments::EnvironmentView;
use crate::admin::page::PageView;
use crate::admin::plans::PlanView;
use crate::admin::projects::ProjectView;
use crate::console::Console;
use crate::console::api::{Api, Query};
use crate::console::guard::Fault;
use crate::console::layout::{Section, Shell};
use crate::console::parts::chip::{Tone, chip, environment};
use crate::console::parts::empty::empty;
use crate::console::parts::icon::{Icon, icon};
use crate::console::parts::limits::words;
use crate::console::parts::list::paging;
use crate::console::parts::time::{date, relative};
use crate::console::visit::{UrlQuery, Visit};
use crate::domain::Timestamp;

pub(super) fn routes() -> Router<Console> {
    Router::new()
        .route("/projects", get(page))
        // No slug begins with a hyphen.
        .route("/projects/-/new", get(new::form).post(new::create))
        .route("/projects/{project}", get(show::page))
        .route("/projects/{project}/edit", get(edit::form).post(edit::save))
        .route("/projects/{project}/suspend", get(suspend::form).post(suspend::suspend))
        .route("/projects/{project}/resume", get(suspend::resume_form).post(suspend::resume))
        .route("/projects/{project}/grids/-/new", get(grid::form).post(grid::create))
        .route("/environments/-/new", get(environment::form).post(environment::create))
        .route("/environments/{slug}/edit", get(environment::edit_form).post(environment::save))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Wanted {
    cursor: Option<String>,
}

/// `GET /projects`
async fn page(visit: Visit, UrlQuery(wanted): UrlQuery<Wanted>) -> Result<Markup, Fault> {
    let projects = if visit.frame.project.is_empty() {
        let query = Query::default().with("cursor", wanted.cursor.as_deref());
        visit.api.list::<ProjectView>("/projects", &query).await?
    } else {
        let one = visit.api.get(&format!("/projects/{}", segment(&visit.frame.project))).await?;
        PageView { data: vec![one], next_cursor: None, has_more: false }
    };
    let environments: PageView<EnvironmentView> = visit.api.get("/environments").await?;
    let may_create = is_of_installation(&visit) && visit.may("project.create");
    let create = html! {
        @if may_create {
            a.button.primary href=(visit.frame.here("/projects/-/new")) data-dialog data-new { (icon(Icon::Plus)) "Create project" }
        }
    };
    let content = html! {
        div.page-head {
            div { h1 { "Projects" } p { "A project owns grids. A grid has one tenant in each environment, and each tenant has its own keys." } }
            @if !projects.data.is_empty() { div.actions { (create) } }
        }
        div.stack {
            section.panel.table-panel aria-label="Projects" {
                @if projects.data.is_empty() {
                    (empty("No project yet", "A project is a team or product. Its telemetry is stored apart from everybody else's.", &create))
                } @else {
                    (table(&visit, &projects.data))
                    (paging(&visit.frame, "/projects", Query::default(), projects.data.len(), projects.next_cursor.as_deref()))
                }
            }
            (environments_panel(&visit, &environments.data))
        }
    };
    visit.page(Shell { title: "Projects", section: Section::Projects }, &content).await
}

fn table(visit: &Visit, projects: &[ProjectView]) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="Projects, table" {
            table.roomy {
                thead { tr {
                    th scope="col" { "Name" }
                    th scope="col" { "Status" }
                    th scope="col" { "Plan" }
                    th scope="col" { "Own limits" }
                    th scope="col" { "Active keys" }
                    th scope="col" { "Created" }
                } }
                tbody {
                    @for project in projects {
                        tr.two {
                            th scope="row" {
                                a.name href=(visit.frame.href(&format!("/projects/{}", project.slug))) { (project.name) }
                                code.meta { (project.slug) }
                            }
                            td { (status(project, visit.now, true)) }
                            td { (plan(project, visit.now)) }
                            td {
                                @match project.limits.as_slice() {
                                    [] => { span.zero { "None" } }
                                    [one] => { (words(one)) }
                                    [one, rest @ ..] => { (words(one)) span.meta { "and " (rest.len()) " more" } }
                                }
                            }
                            td { (most_active_keys(project.max_active_keys)) }
                            td { (date(&project.created_at)) }
                        }
                    }
                }
            }
        }
    }
}

fn environments_panel(visit: &Visit, environments: &[EnvironmentView]) -> Markup {
    let of_installation = is_of_installation(visit);
    html! {
        section.panel.table-panel aria-labelledby="environments" {
            div.panel-head {
                h2 #environments { "Environments" }
                span.meta { "Every project has the same." }
                @if of_installation && visit.may("environment.create") {
                    a.button.small.push href=(visit.frame.here("/environments/-/new")) data-dialog { "Create environment" }
                }
            }
            div.scroll tabindex="0" role="region" aria-label="Environments, table" {
                table {
                    thead { tr {
                        th scope="col" { "Name" }
                        th scope="col" { "In tokens" }
                        th scope="col" { "New secret due" }
                        th scope="col" { span.visually-hidden { "Actions" } }
                    } }
                    tbody {
                        @for one in environments {
                            tr.two {
                                th scope="row" { span.name { (one.name) } code.meta { (one.slug) } }
                                td { (environment(&one.code, &one.name)) }
                                td { @if let Some(days) = one.rotation_days { "after " (days) " d" } @else { span.zero { "Never" } } }
                                td.end {
                                    @if of_installation && visit.may("environment.update") {
                                        a.button.small href=(visit.frame.here(&format!("/environments/{}/edit", one.slug))) data-dialog
                                            aria-label={ "Edit " (one.name) } { "Edit" }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Whether the visitor's key is one of the whole installation.
pub(super) const fn is_of_installation(visit: &Visit) -> bool {
    visit.me.project.is_none()
}

/// One segment of a path of the API, whatever was in that of the console.
pub(super) fn segment(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

/// Whether exports of a project are taken. In tables what is as it should be is quiet.
fn status(project: &ProjectView, now: Timestamp, in_table: bool) -> Markup {
    if project.suspended.is_some() {
        chip(Tone::Amber, Icon::Inactive, "Suspended")
    } else if has_ended(project, now) {
        chip(Tone::Amber, Icon::Expired, "Plan ended")
    } else {
        chip(if in_table { Tone::Quiet } else { Tone::Green }, Icon::Active, "Active")
    }
}

/// Whether the project's plan is over, which suspends it.
fn has_ended(project: &ProjectView, now: Timestamp) -> bool {
    let ends_at = project.plan_ends_at.as_deref().and_then(|at| at.parse::<Timestamp>().ok());
    ends_at.is_some_and(|at| at <= now)
}

fn plan(project: &ProjectView, now: Timestamp) -> Markup {
    html! {
        @if let Some(plan) = &project.plan {
            (plan)
            @if let Some(at) = &project.plan_ends_at {
                span.meta { @if has_ended(project, now) { "ended " } @else { "ends " } (relative(at, now)) }
            }
        } @else { span.zero { "None" } }
    }
}

/// How many keys may be active at once, in words.
pub(super) fn most_active_keys(most: Option<u32>) -> Markup {
    html! { @if let Some(most) = most { "at most " (most) } @else { span.zero { "Default" } } }
}

/// The choices of a field with a plan; `None` where the visitor may not see plans.
pub(super) async fn plans(visit: &Visit) -> Result<Option<Vec<(String, String)>>, Fault> {
    let query = Query::default().with("limit", Some(200));
    let plans = Api::if_allowed(visit.api.list::<PlanView>("/plans", &query)).await?;
    let named = |plan: PlanView| (plan.slug, plan.name);
    let none = (String::new(), "No plan".to_owned());
    Ok(plans.map(|page| std::iter::once(none).chain(page.data.into_iter().map(named)).collect()))
}
