//! The first page: what needs attention.

use axum::Router;
use axum::routing::get;
use maud::{Markup, html};

use crate::console::Console;
use crate::console::guard::Fault;
use crate::console::layout::{Section, Shell};
use crate::console::visit::Visit;

pub(super) fn routes() -> Router<Console> {
    Router::new().route("/", get(page))
}

/// `GET /`
async fn page(visit: Visit) -> Result<Markup, Fault> {
    let content = html! {
        div.page-head { div { h1 { "Overview" } } }
    };
    visit.page(Shell { title: "Overview", section: Section::Overview }, &content).await
}
