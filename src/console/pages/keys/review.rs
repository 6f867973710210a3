//! `/keys/review`: the list that is gone through every quarter.

use axum::response::Redirect;
use maud::{Markup, html};
use serde::Deserialize;

use crate::admin::keys::KeyView;
use crate::admin::keys::quarter::ReviewView;
use crate::admin::page::PageView;
use crate::console::api::Query;
use crate::console::form::Form;
use crate::console::guard::Fault;
use crate::console::layout::{Section, Shell};
use crate::console::parts::chart::bar;
use crate::console::parts::chip;
use crate::console::parts::empty::empty;
use crate::console::parts::list::paging;
use crate::console::parts::time::{relative, relative_or};
use crate::console::visit::{UrlQuery, Visit};

/// The query of the page.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    project: Option<String>,
    cursor: Option<String>,
}

/// `GET /keys/review`
pub(super) async fn page(visit: Visit, UrlQuery(asked): UrlQuery<Asked>) -> Result<Markup, Fault> {
    let query = || Query::default().with("project", asked.project.as_deref());
    let of_page = query().with("limit", Some(ROWS)).with("cursor", asked.cursor.as_deref());
    let keys: PageView<ReviewView> = visit.api.list("/keys/review", &of_page).await?;
    let confirmed = keys.data.iter().filter(|key| key.reviewed_at.is_some()).count();
    let quarter = keys.data.first().map(|key| key.quarter.replace('-', " ")).unwrap_or_default();
    let words = format!("{confirmed} of {} keys on this page confirmed", keys.data.len());
    let content = html! {
        div.page-head {
            div {
                h1 { "Review " (quarter) }
                p { "Once a quarter somebody looks at every key: confirm the ones that are needed, and revoke the others." }
            }
            div.actions { a.button href=(visit.frame.here("/keys")) { "Back to keys" } }
        }
        div.panel.quarter {
            @if keys.data.is_empty() {
                (empty("No keys to review", "Every key that is not revoked would be listed here.", &html! {}))
            } @else {
                div.progress { span { (words) } (bar(confirmed as u64, keys.data.len() as u64, "ok", &words)) }
                form method="post" action=(visit.frame.href("/keys/review")) {
                    (visit.frame.form_fields())
                    input type="hidden" name="project" value=[asked.project.as_deref()];
                    input type="hidden" name="cursor" value=[asked.cursor.as_deref()];
                    div.scroll tabindex="0" role="region" aria-label="Keys to review" { (table(&visit, &keys.data)) }
                }
                (paging(&visit.frame, "/keys/review", query(), keys.data.len(), keys.next_cursor.as_deref()))
            }
        }
    };
    visit.page(Shell { title: "Review of keys", section: Section::Keys }, &content).await
}

/// `POST /keys/review`: the key of the button is confirmed.
pub(super) async fn confirm(visit: Visit, form: Form) -> Result<Redirect, Fault> {
    let id = form.text("id");
    let id = is_id(id).ok_or(Fault::NotFound)?;
    let _: KeyView = visit.api.command(&format!("/keys/{id}/review")).await?;
    let query = Query::default().with("project", form.optional("project")).with("cursor", form.optional("cursor"));
    // Where one was, not at the top.
    Ok(Redirect::to(&format!("{}{}#{id}", visit.frame.href("/keys/review"), query.as_str())))
}

/// So many keys stand on a page.
const ROWS: u32 = 50;

/// What a form says is part of a path only where it is an id.
fn is_id(text: &str) -> Option<&str> {
    text.parse::<crate::domain::KeyId>().is_ok().then_some(text)
}

fn table(visit: &Visit, keys: &[ReviewView]) -> Markup {
    html! {
        table {
            thead { tr {
                th scope="col" { "Name" }
                th scope="col" { "Owner" }
                th scope="col" { "Belongs to" }
                th scope="col" { "Status" }
                th scope="col" { "Age" }
                th scope="col" { "Last used" }
                th scope="col" { "Needed" }
            } }
            tbody {
                @for key in keys {
                    tr.two #(key.id) {
                        th scope="row" {
                            a.name href=(visit.frame.href(&format!("/keys/{}", key.id))) { (key.name) }
                            span.meta { (key.id) }
                        }
                        td { (key.owner.as_deref().unwrap_or("–")) }
                        td { (belongs(visit, key)) }
                        td { (chip::status(&key.status, true)) }
                        td {
                            (key.age_days) " d"
                            @if let Some(days) = key.secret_age_days { span.meta { "secret " (days) " d" } }
                        }
                        td { (relative_or(key.last_used_at.as_deref(), visit.now, "Never used")) }
                        td { (decision(visit, key)) }
                    }
                }
            }
        }
    }
}

fn belongs(visit: &Visit, key: &ReviewView) -> Markup {
    match (&key.project, &key.grid, &key.environment) {
        (Some(project), Some(grid), Some(environment)) => visit.tenant(project, grid, environment),
        (project, ..) => html! { (project.as_deref().unwrap_or("Whole installation")) },
    }
}

fn decision(visit: &Visit, key: &ReviewView) -> Markup {
    html! {
        @if let Some(at) = &key.reviewed_at {
            "Confirmed"
            span.meta { (relative(at, visit.now)) }
        } @else if visit.may("api.key.update") {
            div.actions {
                button.small type="submit" name="id" value=(key.id) aria-label={ "Confirm " (key.name) } { "Confirm" }
                @if visit.may("api.key.delete") {
                    a.button.small.danger-button href=(visit.frame.href(&format!("/keys/{}/revoke", key.id))) data-dialog aria-label={ "Revoke " (key.name) "…" } { "Revoke…" }
                }
            }
        } @else {
            span.meta { "Not confirmed" }
        }
    }
}
