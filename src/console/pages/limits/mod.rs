//! Limits: the plans, and how the limits of a project and of its tenants stand.

mod edit;
mod plan;

use axum::Router;
use axum::routing::get;
use maud::{Markup, html};
use serde::Deserialize;

use super::projects::{is_of_installation, most_active_keys, segment};
use crate::admin::environments::EnvironmentView;
use crate::admin::grids::GridView;
use crate::admin::page::PageView;
use crate::admin::plans::PlanView;
use crate::admin::projects::ProjectView;
use crate::admin::terms::{LimitView, LimitsView};
use crate::console::Console;
use crate::console::api::{Api, Query};
use crate::console::guard::Fault;
use crate::console::layout::{Section, Shell};
use crate::console::parts::empty::empty;
use crate::console::parts::field::Field;
use crate::console::parts::icon::{Icon, icon};
use crate::console::parts::limits::words;
use crate::console::parts::list::paging;
use crate::console::parts::standing::standing;
use crate::console::visit::{UrlQuery, Visit};

pub(super) fn routes() -> Router<Console> {
    Router::new()
        .route("/limits", get(page))
        // No slug begins with a hyphen.
        .route("/plans/-/new", get(plan::form).post(plan::create))
        .route("/plans/{slug}/edit", get(plan::edit_form).post(plan::save))
        .route("/plans/{slug}/delete", get(plan::delete_form).post(plan::delete))
        .route("/projects/{project}/limits", get(edit::of_project_form).post(edit::of_project))
        .route(
            "/projects/{project}/grids/{grid}/environments/{environment}/limits",
            get(edit::of_tenant_form).post(edit::of_tenant),
        )
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Wanted {
    grid: String,
    environment: String,
    cursor: Option<String>,
}

/// `GET /limits`
async fn page(visit: Visit, UrlQuery(wanted): UrlQuery<Wanted>) -> Result<Markup, Fault> {
    let query = Query::default().with("cursor", wanted.cursor.as_deref());
    let plans = visit.api.list::<PlanView>("/plans", &query).await?;
    let may_edit_plans = is_of_installation(&visit) && visit.may("quota.update");
    let create = html! {
        @if may_edit_plans {
            a.button.primary href=(visit.frame.here("/plans/-/new")) data-dialog data-new { (icon(Icon::Plus)) "Create plan" }
        }
    };
    let content = html! {
        div.page-head {
            div {
                h1 { "Limits" }
                p { "How much may come in, for a key, for all keys of a tenant, and for a whole project. An export has to keep to all of them." }
            }
            @if !plans.data.is_empty() { div.actions { (create) } }
        }
        div.stack {
            @if visit.frame.project.is_empty() {
                (projects_panel(&visit).await?)
            } @else {
                (project_panel(&visit).await?)
                (tenant_panel(&visit, &wanted).await?)
            }
            section.panel.table-panel aria-labelledby="plans" {
                div.panel-head { h2 #plans { "Plans" } span.meta { "Named sets of limits that projects have." } }
                @if plans.data.is_empty() {
                    (empty("No plan yet", "A plan limits every project that has it: the project as a whole, each of its tenants and each of its keys.", &create))
                } @else {
                    (plans_table(&visit, &plans.data, may_edit_plans))
                    (paging(&visit.frame, "/limits", Query::default().with("project", Some(&visit.frame.project)), plans.data.len(), plans.next_cursor.as_deref()))
                }
            }
        }
    };
    visit.page(Shell { title: "Limits", section: Section::Limits }, &content).await
}

/// Projects, to choose one whose limits are shown.
async fn projects_panel(visit: &Visit) -> Result<Markup, Fault> {
    let query = Query::default().with("limit", Some(200));
    let projects = Api::if_allowed(visit.api.list::<ProjectView>("/projects", &query)).await?;
    let projects = projects.map(|page| page.data).unwrap_or_default();
    let to = |project: &ProjectView| visit.frame.href(&format!("/limits?project={}", project.slug));
    Ok(html! {
        @if !projects.is_empty() {
            section.panel.table-panel aria-labelledby="limited-projects" {
                div.panel-head { h2 #limited-projects { "Projects" } span.meta { "Open one to see what is used." } }
                div.scroll tabindex="0" role="region" aria-label="Projects, table" {
                    table.roomy {
                        thead { tr {
                            th scope="col" { "Project" }
                            th scope="col" { "Plan" }
                            th scope="col" { "Limits of its own" }
                        } }
                        tbody {
                            @for project in &projects {
                                tr {
                                    th scope="row" { a.name href=(to(project)) { (project.name) } }
                                    td { @if let Some(plan) = &project.plan { (plan) } @else { span.zero { "None" } } }
                                    td { (list(&project.limits)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    })
}

/// How the limits of the chosen project stand.
async fn project_panel(visit: &Visit) -> Result<Markup, Fault> {
    let slug = &visit.frame.project;
    let limits: LimitsView = visit.api.get(&format!("/projects/{}/limits", segment(slug))).await?;
    let may_edit = is_of_installation(visit) && visit.may("quota.update");
    Ok(html! {
        section.panel.table-panel aria-labelledby="project-limits" {
            div.panel-head {
                h2 #project-limits { (slug) " as a whole" }
                @if may_edit {
                    a.button.small.push href=(visit.frame.here(&format!("/projects/{}/limits", segment(slug)))) data-dialog
                        aria-label={ "Edit limits of " (slug) } { "Edit limits…" }
                }
            }
            @if limits.effective.is_empty() {
                div.panel-body { p { "No limit for the project as a whole." } }
            } @else {
                (standing("Limits of the project, table", &limits.effective, visit.now))
            }
        }
    })
}

/// How the limits of a tenant stand, once it is chosen.
async fn tenant_panel(visit: &Visit, wanted: &Wanted) -> Result<Markup, Fault> {
    let project = &visit.frame.project;
    let query = Query::default().with("limit", Some(200));
    let grids =
        Api::if_allowed(visit.api.list::<GridView>(&format!("/projects/{}/grids", segment(project)), &query)).await?;
    let environments = Api::if_allowed(visit.api.get::<PageView<EnvironmentView>>("/environments")).await?;
    let (Some(grids), Some(environments)) = (grids, environments) else { return Ok(html! {}) };
    if grids.data.is_empty() {
        return Ok(html! {});
    }
    let first = |list: &[(String, String)]| list.first().map(|(slug, _)| slug.clone()).unwrap_or_default();
    let grids: Vec<_> = grids.data.into_iter().map(|grid| (grid.slug, grid.name)).collect();
    let environments: Vec<_> = environments.data.into_iter().map(|one| (one.slug, one.name)).collect();
    let chosen = |wanted: &str, list: &[(String, String)]| {
        if wanted.is_empty() { first(list) } else { wanted.to_owned() }
    };
    let (grid, environment) = (chosen(&wanted.grid, &grids), chosen(&wanted.environment, &environments));
    let path = edit::tenant_path(project, &grid, &environment);
    let limits: LimitsView = visit.api.get(&path).await?;
    let own: Vec<_> = limits.effective.into_iter().filter(|one| one.scope == "tenant").collect();
    Ok(html! {
        section.panel.table-panel aria-labelledby="tenant-limits" {
            div.panel-head {
                h2 #tenant-limits { "One tenant" }
                span.meta { (project) " / " (grid) " / " (environment) }
                @if visit.may("quota.update") {
                    a.button.small.push href=(visit.frame.here(&path)) data-dialog aria-label="Edit limits of the tenant" { "Edit limits…" }
                }
            }
            form.filters.tenant-choice method="get" action=(visit.frame.href("/limits")) {
                input type="hidden" name="project" value=(project);
                (Field::new("grid", "Grid").select(&grids, &grid))
                (Field::new("environment", "Environment").select(&environments, &environment))
                button type="submit" { "Show" }
            }
            @if own.is_empty() {
                div.panel-body { p { "No limit for this tenant. Those of the project and of each key hold all the same." } }
            } @else {
                (standing("Limits of the tenant, table", &own, visit.now))
            }
        }
    })
}

fn plans_table(visit: &Visit, plans: &[PlanView], may_edit: bool) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="Plans, table" {
            table.roomy {
                thead { tr {
                    th scope="col" { "Name" }
                    th scope="col" { "Whole project" }
                    th scope="col" { "Each tenant" }
                    th scope="col" { "Each key" }
                    th scope="col" { "Active keys" }
                    th scope="col" { span.visually-hidden { "Actions" } }
                } }
                tbody {
                    @for plan in plans {
                        tr.two {
                            th scope="row" { span.name { (plan.name) } code.meta { (plan.slug) } }
                            td { (list(&plan.limits.project)) }
                            td { (list(&plan.limits.tenant)) }
                            td { (list(&plan.limits.key)) }
                            td { (most_active_keys(plan.max_active_keys)) }
                            td.end.row-actions {
                                @if may_edit {
                                    a.button.small href=(visit.frame.here(&format!("/plans/{}/edit", plan.slug))) data-dialog
                                        aria-label={ "Edit " (plan.name) } { "Edit…" }
                                    a.button.small.danger-button href=(visit.frame.here(&format!("/plans/{}/delete", plan.slug))) data-dialog
                                        aria-label={ "Delete " (plan.name) } { "Delete…" }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Limits in short, one below the other.
fn list(limits: &[LimitView]) -> Markup {
    html! {
        @if limits.is_empty() { span.zero { "None" } }
        @for limit in limits {
            div title=(limit) { (words(limit)) @if limit.mode != "enforce" { span.meta.beside { (limit.mode) } } }
        }
    }
}
