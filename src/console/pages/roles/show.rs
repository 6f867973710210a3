//! One role: everything that it holds, and what it does not.

use axum::extract::Path;
use maud::{Markup, html};

use super::permissions::{groups, others};
use super::{belongs_to, kind_words, path, row_actions};
use crate::admin::roles::RoleView;
use crate::console::api::Query;
use crate::console::guard::Fault;
use crate::console::layout::{Section, Shell};
use crate::console::parts::icon::{Icon, icon};
use crate::console::parts::time::date;
use crate::console::visit::Visit;

/// `GET /roles/{slug}`
pub(super) async fn page(visit: Visit, Path(slug): Path<String>) -> Result<Markup, Fault> {
    let role: RoleView = visit.api.get(&path(&visit, &slug)).await?;
    let keys = Query::default().with("project", Some(&visit.frame.project)).with("role", Some(&role.slug));
    let content = html! {
        div.page-head {
            div {
                div.crumbs { a href=(visit.frame.here("/roles")) { "Roles" } span aria-hidden="true" { "/" } }
                h1 { (role.name) }
                p.chips { code { (role.slug) } span { (role.note) } }
            }
            div.actions { (row_actions(&visit, &role, false)) }
        }
        div.with-rail {
            section.panel aria-labelledby="holds" {
                div.panel-head { h2 #holds { "May" } }
                div.panel-body.permission-groups { (held(&role)) }
            }
            aside.panel aria-label="Facts" {
                dl.facts {
                    div { dt { "For" } dd { (kind_words(&role.kind)) } }
                    div { dt { "Belongs to" } dd { (belongs_to(&role)) } }
                    @if let Some(created) = &role.created_at { div { dt { "Created" } dd { (date(created)) } } }
                    @if let Some(updated) = &role.updated_at { div { dt { "Changed" } dd { (date(updated)) } } }
                    @if visit.may("api.key.view") {
                        div { dt { "Keys" } dd { a href=(visit.frame.href(&format!("/keys{}", keys.as_str()))) { "Keys with this role" } } }
                    }
                }
            }
        }
    };
    visit.page(Shell { title: &role.name, section: Section::Roles }, &content).await
}

fn held(role: &RoleView) -> Markup {
    let every = role.permissions.iter().any(|one| one == "*");
    let others: Vec<_> = others(&role.kind, &role.permissions).into_iter().filter(|one| *one != "*").collect();
    html! {
        @if every { p { strong { "Everything" } ", permissions of the deployment's own included." } }
        @for group in groups(&role.kind) {
            div {
                h3 { (group.name) }
                ul {
                    @for (permission, words) in group.permissions {
                        @let held = every || role.permissions.iter().any(|one| one == permission.as_str());
                        li.held[held] {
                            (icon(if held { Icon::Active } else { Icon::Close }))
                            span { @if !held { span.visually-hidden { "Not: " } } (words) " " code { (permission) } }
                        }
                    }
                }
            }
        }
        @if !others.is_empty() {
            div {
                h3 { "Of the deployment's own" }
                ul { @for name in others { li.held { (icon(Icon::Active)) code { (name) } } } }
            }
        }
    }
}
