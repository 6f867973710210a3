//! One key: what it is, who uses it, what became of what it sent, and what was done to it.

mod audit;
mod facts;
mod overview;
mod refusals;
mod requests;
mod secrets;
mod senders;
mod settings;
mod usage;
mod warnings;

use axum::Router;
use axum::routing::get;
use maud::{Markup, html};

use crate::admin::keys::KeyView;
use crate::admin::senders::of_key::SendersView;
use crate::admin::usage::UsageView;
use crate::console::Console;
use crate::console::api::{Api, Query};
use crate::console::guard::Fault;
use crate::console::layout::{Section, Shell};
use crate::console::pages::usage_columns::rows;
use crate::console::parts::chip::{Tone, chip, status};
use crate::console::parts::copy::copyable;
use crate::console::parts::icon::{Icon, icon};
use crate::console::parts::number::{counted, short};
use crate::console::parts::tabs::{Tab, tabs};
use crate::console::parts::time::relative;
use crate::console::visit::Visit;
use crate::domain::KeyId;

pub(super) fn routes() -> Router<Console> {
    Router::new()
        .route("/keys/{id}", get(overview::page))
        .route("/keys/{id}/senders", get(senders::page))
        .route("/keys/{id}/secrets", get(secrets::page))
        .route("/keys/{id}/refusals", get(refusals::page))
        .route("/keys/{id}/requests", get(requests::page))
        .route("/keys/{id}/audit", get(audit::page))
        .route("/keys/{id}/settings", get(settings::page).post(settings::save))
}

/// A key with what all of its tabs show.
struct Subject {
    key: KeyView,
    /// Who uses it; `None` of an admin key, and where the visitor may not see it.
    senders: Option<SendersView>,
    /// What it sent in the last 24 hours, by hour; the same.
    day: Option<Vec<UsageView>>,
}

/// The tabs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum At {
    Overview,
    Senders,
    Secrets,
    Refusals,
    Requests,
    Audit,
    Settings,
}

impl Subject {
    /// The key `id`.
    ///
    /// # Errors
    /// [`Fault::NotFound`] where that is no id, and as any call of the API.
    async fn load(visit: &Visit, id: &str) -> Result<Self, Fault> {
        let id: KeyId = id.parse().map_err(|_| Fault::NotFound)?;
        let key: KeyView = visit.api.get(&format!("/keys/{id}")).await?;
        if key.kind != "ingest" {
            return Ok(Self { key, senders: None, day: None });
        }
        let senders = Api::if_allowed(visit.api.get(&format!("/keys/{id}/senders"))).await?;
        let day = Api::if_allowed(rows(&visit.api, &Query::default().with("key", Some(id)))).await?;
        Ok(Self { key, senders, day })
    }

    fn is_ingest(&self) -> bool {
        self.key.kind == "ingest"
    }

    fn is_revoked(&self) -> bool {
        self.key.status == "revoked"
    }

    /// The path of the tab `at` of the console.
    fn path(&self, at: At) -> String {
        let tab = match at {
            At::Overview => "",
            At::Senders => "/senders",
            At::Secrets => "/secrets",
            At::Refusals => "/refusals",
            At::Requests => "/requests",
            At::Audit => "/audit",
            At::Settings => "/settings",
        };
        format!("/keys/{}{tab}", self.key.id)
    }

    /// Exports of the last 24 hours that were refused.
    fn refused_today(&self) -> u64 {
        self.day.iter().flatten().map(|row| row.refused).sum()
    }

    /// The page of the tab `at`, with `content`.
    async fn page(&self, visit: &Visit, at: At, content: &Markup) -> Result<Markup, Fault> {
        let whole = html! {
            nav.crumbs aria-label="Breadcrumb" {
                a href=(visit.frame.here("/keys")) { "Keys" }
                (icon(Icon::Right))
                span { (self.key.name) }
            }
            div.page-head.key-head {
                div {
                    div.key-title {
                        h1 { (self.key.name) }
                        (status(&self.key.status, false))
                        @if self.key.rotation.is_some() { (chip(Tone::Accent, Icon::Rotating, "Rotating")) }
                        @if !self.is_ingest() { (chip(Tone::Grey, Icon::Shield, if self.key.member { "Member" } else { "Admin key" })) }
                    }
                    div.key-line {
                        (copyable(&self.key.id, "key id"))
                        span.meta #used data-fresh="10" { (self.used(visit)) }
                    }
                }
                (self.actions(visit))
            }
            (tabs("Parts of the key", &self.tabs(visit, at)))
            (content)
        };
        visit.page(Shell { title: &self.key.name, section: Section::Keys }, &whole).await
    }

    /// When it was used, and by how many.
    fn used(&self, visit: &Visit) -> Markup {
        let seen = self.senders.iter().flat_map(|senders| &senders.data).map(|one| one.last_seen_at.as_str());
        // What is written down about the key may be later than what is known of those who use it.
        let last = seen.chain(self.key.last_used_at.as_deref()).max();
        let senders = self.senders.as_ref().map(|senders| senders.data.len() as u64 + senders.others.senders);
        html! {
            @if let Some(last) = last {
                "used " (relative(last, visit.now))
                @if let Some(senders) = senders.filter(|senders| *senders > 0) { " by " (counted(senders, "sender", "senders")) }
            } @else { "never used" }
        }
    }

    fn tabs(&self, visit: &Visit, here: At) -> Vec<Tab> {
        let tab = |at, name, count: Option<u64>| {
            let count = count.filter(|count| *count > 0).map(short);
            Tab { href: visit.frame.href(&self.path(at)), name, count, is_here: at == here }
        };
        let live = self.key.secrets.iter().filter(|secret| secret.state != "retired").count() as u64;
        let mut tabs = vec![tab(At::Overview, "Overview", None)];
        if let Some(senders) = &self.senders {
            tabs.push(tab(At::Senders, "Senders", Some(senders.data.len() as u64 + senders.others.senders)));
        }
        tabs.push(tab(At::Secrets, "Secrets", Some(live)));
        if self.day.is_some() {
            tabs.push(tab(At::Refusals, "Refusals", Some(self.refused_today())));
            tabs.push(tab(At::Requests, "Requests", None));
        }
        if visit.may("audit.view") {
            tabs.push(tab(At::Audit, "Audit", None));
        }
        if visit.may("api.key.update") && !self.is_revoked() {
            tabs.push(tab(At::Settings, "Settings", None));
        }
        tabs
    }

    /// What can be done with it in its state, as far as the visitor may.
    fn actions(&self, visit: &Visit) -> Markup {
        let status = self.key.status.as_str();
        let (edits, renews) = (visit.may("api.key.update"), visit.may("api.key.update") && visit.may("api.key.create"));
        let link = |verb: &str, words: &str, class: &str| {
            html! { a class={ "button" (class) } data-dialog href=(visit.frame.href(&format!("/keys/{}/{verb}", self.key.id))) { (words) } }
        };
        html! {
            div.actions {
                @if status == "revoked" {
                    @if visit.may("api.key.purge") { (link("purge", "Purge…", " danger-button")) }
                } @else {
                    @if status == "disabled" && edits { (link("enable", "Enable…", "")) }
                    @if status == "expired" && edits { (link("renew", "Renew…", "")) }
                    @if self.is_ingest() { (link("snippets", "Snippets", "")) }
                    @if status == "active" && self.key.rotation.is_none() && renews { (link("rotate", "Rotate…", "")) }
                    @if status != "expired" && renews { (link("regenerate", "Regenerate…", "")) }
                    @if visit.may("api.key.delete") { (link("revoke", "Revoke…", " danger-button")) }
                    // Who may revoke chooses there between both.
                    @else if status == "active" && edits { (link("disable", "Disable…", "")) }
                }
            }
        }
    }
}
