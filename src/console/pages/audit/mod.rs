//! The audit log: who did what, newest first.

pub(super) mod change;
mod verify;

use axum::Router;
use axum::routing::get;
use maud::{Markup, html};
use serde::Deserialize;

use super::projects::is_of_installation;
use crate::admin::audit::AuditView;
use crate::admin::problem::ProblemView;
use crate::console::Console;
use crate::console::api::Query;
use crate::console::guard::Fault;
use crate::console::layout::{Section, Shell};
use crate::console::parts::empty::empty;
use crate::console::parts::field::{Field, rest_of};
use crate::console::parts::list::paging;
use crate::console::parts::time::{from_typed, relative};
use crate::console::visit::{UrlQuery, Visit};
use crate::domain::audit::Action;

pub(super) fn routes() -> Router<Console> {
    Router::new().route("/audit", get(page)).route("/audit/verify", get(verify::form).post(verify::verify))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Wanted {
    actor: String,
    action: String,
    target: String,
    since: String,
    until: String,
    cursor: Option<String>,
}

impl Wanted {
    /// What the page says about itself in its links.
    fn query(&self, project: &str) -> Query {
        let text = |text: &str| Some(text.trim().to_owned());
        Query::default()
            .with("project", Some(project))
            .with("actor", text(&self.actor))
            .with("action", text(&self.action))
            .with("target", text(&self.target))
            .with("since", text(&self.since))
            .with("until", text(&self.until))
    }

    /// The same as the API takes it.
    fn asked(&self, project: &str) -> Query {
        let instant = |text: &str| from_typed(text.trim());
        let read = Self {
            actor: self.actor.clone(),
            action: self.action.clone(),
            target: self.target.clone(),
            since: instant(&self.since),
            until: instant(&self.until),
            cursor: None,
        };
        read.query(project).with("cursor", self.cursor.as_deref()).with("limit", Some(ROWS))
    }

    const fn filters(&self) -> bool {
        !(self.actor.is_empty()
            && self.action.is_empty()
            && self.target.is_empty()
            && self.since.is_empty()
            && self.until.is_empty())
    }
}

/// Entries of a page: with more of them, and long ones, it would be slow to come.
const ROWS: u32 = 30;

/// `GET /audit`
async fn page(visit: Visit, UrlQuery(wanted): UrlQuery<Wanted>) -> Result<Markup, Fault> {
    let project = visit.frame.project.clone();
    let (entries, problem) = match visit.api.list::<AuditView>("/audit-events", &wanted.asked(&project)).await {
        Ok(entries) => (Some(entries), None),
        // What is wrong with a filter is said at the filter.
        Err(fault) if fault.is("invalid") => (None, Some(fault.mendable()?)),
        Err(fault) => return Err(fault),
    };
    let content = html! {
        div.page-head {
            div { h1 { "Audit log" } p { "Who changed what, when and from where. Nothing is ever taken out of it." } }
            @if is_of_installation(&visit) {
                div.actions { a.button href=(visit.frame.here("/audit/verify")) data-dialog { "Verify…" } }
            }
        }
        (filters(&visit, &wanted, problem.as_deref()))
        @if let Some(entries) = &entries {
            div.panel.table-panel {
                @if entries.data.is_empty() {
                    (empty("No entry", "Nothing was done that fits these filters.", &html! {
                        @if wanted.filters() { a.button href=(visit.frame.here("/audit")) { "Show all entries" } }
                    }))
                } @else {
                    (table(&visit, &entries.data))
                    (paging(&visit.frame, "/audit", wanted.query(&project), entries.data.len(), entries.next_cursor.as_deref()))
                }
            }
        }
    };
    visit.page(Shell { title: "Audit log", section: Section::Audit }, &content).await
}

fn filters(visit: &Visit, wanted: &Wanted, problem: Option<&ProblemView>) -> Markup {
    let every = (String::new(), "Everything".to_owned());
    let actions: Vec<_> =
        std::iter::once(every).chain(Action::ALL.iter().map(|one| (one.to_string(), words(one.as_str())))).collect();
    html! {
        form.filters.audit-filters method="get" action=(visit.frame.href("/audit")) {
            @if !visit.frame.project.is_empty() { input type="hidden" name="project" value=(visit.frame.project); }
            (Field::new("action", "What").wrong(problem, "action").select(&actions, &wanted.action))
            (Field::new("target", "Target").wrong(problem, "target").line(&wanted.target, false))
            (Field::new("actor", "Who, by key id").wrong(problem, "actor").line(&wanted.actor, false))
            (Field::new("since", "From").wrong(problem, "since").line(&wanted.since, false))
            (Field::new("until", "Until").wrong(problem, "until").line(&wanted.until, false))
            button type="submit" { "Show" }
            @if wanted.filters() { a.button.quiet-button href=(visit.frame.here("/audit")) { "Clear" } }
        }
        p.help.audit-help { "A target is a key id, or its kind and name, such as " code { "project:shop" } ". Days such as " code { "2026-11-21" } ", in UTC." }
        (rest_of(problem, &["action", "target", "actor", "since", "until"]))
    }
}

fn table(visit: &Visit, entries: &[AuditView]) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="Audit log, table" {
            table.roomy.audit {
                thead { tr {
                    th scope="col" { "When" }
                    th scope="col" { "Who" }
                    th scope="col" { "What" }
                    th scope="col" { "Target" }
                    th scope="col" { "Change" }
                } }
                tbody { @for entry in entries { (row(visit, entry)) } }
            }
        }
    }
}

fn row(visit: &Visit, entry: &AuditView) -> Markup {
    let from = [entry.address.as_deref(), Some(via_words(&entry.actor.via))];
    let from: Vec<_> = from.into_iter().flatten().collect();
    html! {
        tr.two {
            td { (relative(&entry.at, visit.now)) span.meta { "entry " (entry.seq) } }
            td { span.name { (entry.actor.name) } span.meta title=[entry.user_agent.as_deref()] { (from.join(", ")) } }
            td { (words(&entry.action)) }
            td { (target(visit, entry)) span.meta { (entry.target.kind) } }
            td { (change::shown(entry)) }
        }
    }
}

/// `key.rotation_completed` as «Key rotation completed».
fn words(action: &str) -> String {
    let text = action.replace(['.', '_'], " ");
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn via_words(via: &str) -> &str {
    match via {
        "api" => "by the API",
        "console" => "in the console",
        "command" => "at the machine",
        _ => "by itself",
    }
}

/// The target, with the way to it where it has a page.
fn target(visit: &Visit, entry: &AuditView) -> Markup {
    let target = &entry.target;
    let page = match target.kind.as_str() {
        "key" => Some(format!("/keys/{}", target.id)),
        "project" => Some(format!("/projects/{}", target.id)),
        "role" => {
            let of_project = Query::default().with("project", entry.project.as_deref());
            Some(format!("/roles/{}{}", target.id, of_project.as_str()))
        }
        "webhook" => Some(format!("/settings/webhooks/{}", target.id)),
        "plan" => Some("/limits".to_owned()),
        "environment" => Some("/projects".to_owned()),
        "grid" => target.id.split_once('/').map(|(project, _)| format!("/projects/{project}")),
        _ => None,
    };
    html! {
        @if let Some(page) = page { a href=(visit.frame.href(&page)) { code { (target.id) } } }
        @else { code { (target.id) } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_are_told_in_words() {
        assert_eq!(words("key.rotation_completed"), "Key rotation completed");
        assert_eq!(words(""), "");
    }

    #[test]
    fn days_are_asked_for_as_instants_and_linked_as_days() {
        let wanted = Wanted { since: " 2026-11-21".to_owned(), cursor: Some("c".to_owned()), ..Wanted::default() };
        assert_eq!(wanted.asked("shop").as_str(), "?project=shop&since=2026-11-21T00%3A00%3A00Z&cursor=c&limit=30");
        assert_eq!(wanted.query("").as_str(), "?since=2026-11-21");
    }
}
