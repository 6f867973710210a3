//! Settings: sessions, the theme, where senders send to, background jobs and webhooks.

mod jobs;
mod sessions;
mod webhook_forms;
mod webhooks;

use axum::Router;
use axum::routing::{get, post};
use maud::{Markup, html};

use crate::console::Console;
use crate::console::guard::Fault;
use crate::console::layout::{Section, Shell};
use crate::console::parts::tabs::{Tab, tabs};
use crate::console::visit::Visit;

pub(super) fn routes() -> Router<Console> {
    Router::new()
        .route("/settings", get(sessions::page))
        .route("/settings/sessions/{id}/end", post(sessions::end))
        .route("/settings/jobs", get(jobs::page))
        .route("/settings/webhooks", get(webhooks::page))
        .route("/settings/webhooks/new", get(webhook_forms::new).post(webhook_forms::create))
        .route("/settings/webhooks/{id}", get(webhooks::one))
        .route("/settings/webhooks/{id}/edit", get(webhook_forms::edit).post(webhook_forms::save))
        .route("/settings/webhooks/{id}/test", post(webhooks::test))
        .route("/settings/webhooks/{id}/rotate-secret", get(webhook_forms::rotate).post(webhook_forms::rotated))
        .route("/settings/webhooks/{id}/delete", get(webhook_forms::delete).post(webhook_forms::deleted))
}

/// Which part of the settings a page is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Sessions,
    Jobs,
    Webhooks,
}

/// A whole page of one part.
async fn show(visit: &Visit, part: Part, content: &Markup) -> Result<Markup, Fault> {
    let tab = |of: Part, name: &'static str, path: &str| Tab {
        href: visit.frame.here(path),
        name,
        count: None,
        is_here: of == part,
    };
    let mut all = vec![tab(Part::Sessions, "Sessions", "/settings")];
    if visit.may("usage.view") && visit.me.project.is_none() {
        all.push(tab(Part::Jobs, "Jobs", "/settings/jobs"));
    }
    if visit.may("webhook.view") {
        all.push(tab(Part::Webhooks, "Webhooks", "/settings/webhooks"));
    }
    let content = html! {
        div.page-head { div { h1 { "Settings" } } }
        (tabs("Settings", &all))
        (content)
    };
    visit.page(Shell { title: "Settings", section: Section::Settings }, &content).await
}
