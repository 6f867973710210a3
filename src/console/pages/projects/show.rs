//! One project: its grids, how its limits stand, and what it is given.

use axum::extract::Path;
use maud::{Markup, html};
use serde::Deserialize;

use super::edit::may_change_terms;
use super::{has_ended, is_of_installation, most_active_keys, plan, segment, status};
use crate::admin::grids::GridView;
use crate::admin::page::PageView;
use crate::admin::projects::ProjectView;
use crate::admin::terms::LimitsView;
use crate::console::api::{Api, Query};
use crate::console::guard::Fault;
use crate::console::layout::{Section, Shell};
use crate::console::parts::empty::empty;
use crate::console::parts::icon::{Icon, icon};
use crate::console::parts::list::paging;
use crate::console::parts::note::{Severity, note};
use crate::console::parts::standing::standing;
use crate::console::parts::time::{date, relative};
use crate::console::visit::{UrlQuery, Visit};

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    cursor: Option<String>,
}

/// `GET /projects/{project}`
pub(super) async fn page(
    visit: Visit,
    Path(slug): Path<String>,
    UrlQuery(wanted): UrlQuery<Wanted>,
) -> Result<Markup, Fault> {
    let path = format!("/projects/{}", segment(&slug));
    let project: ProjectView = visit.api.get(&path).await?;
    let asked = Query::default().with("cursor", wanted.cursor.as_deref());
    let grids = Api::if_allowed(visit.api.list::<GridView>(&format!("{path}/grids"), &asked)).await?;
    let limits: Option<LimitsView> = Api::if_allowed(visit.api.get(&format!("{path}/limits"))).await?;
    let content = html! {
        div.page-head {
            div {
                div.crumbs { a href=(visit.frame.here("/projects")) { "Projects" } span aria-hidden="true" { "/" } }
                h1 { (project.name) }
                p.chips { (status(&project, visit.now, false)) code { (project.slug) } }
            }
            (actions(&visit, &project))
        }
        (suspension(&visit, &project))
        div.with-rail {
            div.stack {
                @if let Some(grids) = &grids { (grids_panel(&visit, &project, grids)) }
                @if let Some(limits) = &limits { (limits_panel(&visit, &project, limits)) }
            }
            (facts(&visit, &project))
        }
    };
    visit.page(Shell { title: &project.name, section: Section::Projects }, &content).await
}

fn actions(visit: &Visit, project: &ProjectView) -> Markup {
    let to = |verb: &str| visit.frame.here(&format!("/projects/{}/{verb}", project.slug));
    html! {
        div.actions {
            @if visit.may("project.update") || may_change_terms(visit) {
                a.button href=(to("edit")) data-dialog { "Edit…" }
            }
            @if is_of_installation(visit) && visit.may("project.suspend") {
                @if project.suspended.is_some() {
                    a.button href=(to("resume")) data-dialog { "Resume…" }
                } @else {
                    a.button.danger-button href=(to("suspend")) data-dialog { "Suspend…" }
                }
            }
        }
    }
}

fn suspension(visit: &Visit, project: &ProjectView) -> Markup {
    html! {
        @if let Some(suspended) = &project.suspended {
            div.above { (note(Severity::Warning, &html! {
                strong { "Exports are refused since " (relative(&suspended.since, visit.now)) ". " } (suspended.reason)
            })) }
        } @else if has_ended(project, visit.now) {
            div.above { (note(Severity::Warning, &html! {
                strong { "Exports are refused, because the plan has ended. " } "Give the plan another end, or none."
            })) }
        }
    }
}

fn grids_panel(visit: &Visit, project: &ProjectView, grids: &PageView<GridView>) -> Markup {
    let path = format!("/projects/{}", project.slug);
    let keys = |grid: &GridView| {
        let query = Query::default().with("project", Some(&grid.project)).with("grid", Some(&grid.slug));
        visit.frame.href(&format!("/keys{}", query.as_str()))
    };
    let new = html! {
        @if visit.may("grid.create") {
            a.button.small.push href=(visit.frame.here(&format!("{path}/grids/-/new"))) data-dialog data-new { (icon(Icon::Plus)) "Create grid" }
        }
    };
    html! {
        section.panel.table-panel aria-labelledby="grids" {
            div.panel-head { h2 #grids { "Grids" } (new) }
            @if grids.data.is_empty() {
                (empty("No grid yet", "A grid is one application. Each of its environments is a tenant with keys and storage of its own.", &html! {}))
            } @else {
                div.scroll tabindex="0" role="region" aria-label="Grids, table" {
                    table {
                        thead { tr { th scope="col" { "Name" } th scope="col" { "Created" } th scope="col" { span.visually-hidden { "Links" } } } }
                        tbody {
                            @for grid in &grids.data {
                                tr.two {
                                    th scope="row" { span.name { (grid.name) } code.meta { (grid.slug) } }
                                    td { (date(&grid.created_at)) }
                                    td.end {
                                        @if visit.may("api.key.view") { a href=(keys(grid)) aria-label={ "Keys of " (grid.name) } { "Keys" } }
                                        @if visit.may("quota.view") {
                                            " · "
                                            a href=(visit.frame.href(&limits_of(grid))) aria-label={ "Limits of " (grid.name) } { "Limits" }
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
                (paging(&visit.frame, &path, Query::default(), grids.data.len(), grids.next_cursor.as_deref()))
            }
        }
    }
}

fn limits_of(grid: &GridView) -> String {
    let query = Query::default().with("project", Some(&grid.project)).with("grid", Some(&grid.slug));
    format!("/limits{}", query.as_str())
}

fn limits_panel(visit: &Visit, project: &ProjectView, limits: &LimitsView) -> Markup {
    html! {
        section.panel.table-panel aria-labelledby="limits" {
            div.panel-head {
                h2 #limits { "Limits" }
                a.push href=(visit.frame.href(&format!("/limits?project={}", project.slug))) { "All limits of " (project.slug) }
            }
            @if limits.effective.is_empty() {
                div.panel-body { p { "The project as a whole may send what it wants. Its tenants and keys may have limits of their own." } }
            } @else {
                (standing("Limits, table", &limits.effective, visit.now))
            }
        }
    }
}

fn facts(visit: &Visit, project: &ProjectView) -> Markup {
    html! {
        aside.panel aria-label="Facts" {
            dl.facts {
                div { dt { "Plan" } dd { (plan(project, visit.now)) } }
                div { dt { "Active keys of each grid and environment" } dd { (most_active_keys(project.max_active_keys)) } }
                div { dt { "Created" } dd { (date(&project.created_at)) } }
            }
        }
    }
}
