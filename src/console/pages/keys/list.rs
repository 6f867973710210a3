//! `GET /keys`: the list.

use maud::{Markup, html};

use super::rows::{Around, table};
use super::wanted::{ROWS, Wanted};
use crate::admin::environments::EnvironmentView;
use crate::admin::keys::KeyView;
use crate::admin::keys::counts::{KeyCountOf, KeyCountView, KeyCountsView};
use crate::admin::page::PageView;
use crate::admin::projects::ProjectView;
use crate::admin::roles::RoleView;
use crate::console::api::{Api, Query};
use crate::console::guard::Fault;
use crate::console::layout::{Section, Shell, up_to};
use crate::console::parts::empty::empty;
use crate::console::parts::icon::{Icon, icon};
use crate::console::parts::list::paging_of;
use crate::console::parts::number::grouped;
use crate::console::parts::tabs::{Tab, tabs};
use crate::console::visit::{UrlQuery, Visit};

/// `GET /keys`
pub(super) async fn page(visit: Visit, UrlQuery(wanted): UrlQuery<Wanted>) -> Result<Markup, Fault> {
    let keys: PageView<KeyView> = visit.api.list("/keys", &wanted.asked()).await?;
    let of_project = Query::default().with("project", wanted.project.as_deref());
    let counts: KeyCountsView = visit.api.get(&format!("/keys/counts{}", of_project.as_str())).await?;
    let around = Around::of(&visit, &keys.data).await?;
    let choices = Choices::of(&visit, &wanted).await?;
    let content = html! {
        (head(&visit))
        (views(&visit, &wanted, &counts.data))
        (filters(&visit, &wanted, &choices))
        @if keys.data.is_empty() {
            div.panel { (nothing(&visit, &wanted)) }
        } @else {
            @if is_beginning(&wanted, &keys) { (first_key(&visit)) }
            div.panel.keys {
                (table(&visit, &wanted, &keys.data, &around))
                (paging_of(&visit.frame, "/keys", next(&wanted, &keys), &shown(&wanted, &keys, &counts.data), keys.next_cursor.as_deref()))
            }
        }
    };
    visit.page(Shell { title: "Keys", section: Section::Keys }, &content).await
}

fn head(visit: &Visit) -> Markup {
    let (may_review, may_create) = (visit.may("api.key.update"), visit.may("api.key.create"));
    let (review, import) = (visit.frame.here("/keys/review"), visit.frame.here("/keys/import"));
    html! {
        div.page-head.keys-head {
            div { h1 { "Keys" } p { "A key decides the project, grid and environment its telemetry belongs to." } }
            div.actions {
                @if may_review { a.button.wide-only href=(review) { "Review" } }
                @if may_create {
                    a.button.wide-only href=(import) data-dialog { "Import" }
                    a.button.primary href=(visit.frame.here("/keys/new")) data-dialog data-new { (icon(Icon::Plus)) "Create key" }
                }
                @if may_review || may_create {
                    details.menu.narrow-only data-popup {
                        summary.icon-button aria-label="More" { (icon(Icon::More)) }
                        ul {
                            @if may_review { li { a href=(review) { "Review" } } }
                            @if may_create { li { a href=(import) data-dialog { "Import" } } }
                        }
                    }
                }
            }
        }
    }
}

fn views(visit: &Visit, wanted: &Wanted, counts: &[KeyCountView]) -> Markup {
    let tab = |view: KeyCountOf| Tab {
        href: format!("{}{}", visit.frame.href("/keys"), wanted.of_view(view).as_str()),
        name: name(view),
        count: counts.iter().find(|count| count.view == view).map(up_to),
        is_here: view == wanted.view(),
    };
    tabs("Saved views", &KeyCountOf::ALL.map(tab))
}

const fn name(view: KeyCountOf) -> &'static str {
    match view {
        KeyCountOf::NotRevoked => "Not revoked",
        KeyCountOf::Attention => "Needs attention",
        KeyCountOf::Rotating => "Rotating",
        KeyCountOf::ExpiringSoon => "Expires in 7 d",
        KeyCountOf::Unused45 => "Unused 45 d",
        KeyCountOf::Revoked => "Revoked",
    }
}

/// What the filters offer: values with what they are called.
struct Choices {
    projects: Vec<(String, String)>,
    environments: Vec<(String, String)>,
    roles: Vec<(String, String)>,
}

impl Choices {
    async fn of(visit: &Visit, wanted: &Wanted) -> Result<Self, Fault> {
        let all = || Query::default().with("limit", Some(200));
        let projects = Api::if_allowed(visit.api.list::<ProjectView>("/projects", &all())).await?;
        let environments = Api::if_allowed(visit.api.list("/environments", &Query::default())).await?;
        let of_project = all().with("project", wanted.project.as_deref());
        let roles = Api::if_allowed(visit.api.list::<RoleView>("/roles", &of_project)).await?;
        let environments = environments.map_or_else(Vec::new, |page: PageView<EnvironmentView>| page.data);
        Ok(Self {
            projects: named(projects, |one| (one.slug, one.name)),
            environments: environments.into_iter().map(|one| (one.slug, one.name)).collect(),
            roles: named(roles, |one| (one.slug.clone(), one.slug)),
        })
    }
}

fn named<T>(page: Option<PageView<T>>, name: impl Fn(T) -> (String, String)) -> Vec<(String, String)> {
    page.map(|page| page.data.into_iter().map(name).collect()).unwrap_or_default()
}

fn filters(visit: &Visit, wanted: &Wanted, choices: &Choices) -> Markup {
    let statuses = [("active", "Active"), ("disabled", "Inactive"), ("expired", "Expired")];
    let statuses = statuses.map(|(value, name)| (value.to_owned(), name.to_owned()));
    let view = wanted.view();
    html! {
        form.filters.key-filters method="get" action=(visit.frame.href("/keys")) {
            @if view != KeyCountOf::NotRevoked { input type="hidden" name="view" value=(view.as_str()); }
            div.search {
                (icon(Icon::Search))
                input type="search" name="q" value=[wanted.q.as_deref()] maxlength="100" placeholder="Name or key id"
                    aria-label="Search keys by name or key id" autocomplete="off" data-search;
                kbd aria-hidden="true" { "/" }
            }
            button.icon-button.more-filters type="button" data-filters aria-expanded="false" aria-label="Filters" { (icon(Icon::Sliders)) }
            (pill("Project", "project", "All", wanted.project.as_deref(), &choices.projects))
            (pill("Environment", "environment", "All", wanted.environment.as_deref(), &choices.environments))
            (pill("Role", "role", "All", wanted.role.as_deref(), &choices.roles))
            @if view == KeyCountOf::NotRevoked {
                (pill("Status", "status", "Not revoked", wanted.status.as_deref(), &statuses))
            }
            // Where there is no table there are no heads of columns to sort by.
            div.sort { (pill("Sort", "sort", "As usual", wanted.sort.as_deref(), &sorts(wanted))) }
            noscript { button type="submit" { "Search" } }
            @if wanted.is_filtered() {
                a.button.quiet-button href={ (visit.frame.href("/keys")) (wanted.of_view(view).as_str()) } { "Clear" }
            }
        }
    }
}

/// What the list can be sorted by, and what it is sorted by.
fn sorts(wanted: &Wanted) -> Vec<(String, String)> {
    let all = [("name", "Name"), ("-last_used_at", "Last used"), ("expires_at", "Expiry"), ("-created_at", "Newest")];
    let mut all: Vec<_> = all.map(|(value, name)| (value.to_owned(), name.to_owned())).into();
    if let Some(sort) = wanted.sort.as_ref().filter(|sort| all.iter().all(|(value, _)| value != *sort)) {
        all.push((sort.clone(), "As chosen".to_owned()));
    }
    all
}

fn pill(label: &str, name: &str, all: &str, chosen: Option<&str>, choices: &[(String, String)]) -> Markup {
    let chosen = chosen.unwrap_or_default();
    html! {
        label.pill {
            span { (label) }
            select id={ "filter-" (name) } name=(name) data-submit {
                option value="" { (all) }
                @for (value, words) in choices { option value=(value) selected[value == chosen] { (words) } }
            }
            (icon(Icon::Down))
        }
    }
}

/// The query of the next page, but for its cursor.
fn next(wanted: &Wanted, keys: &PageView<KeyView>) -> Query {
    let shown = u32::try_from(keys.data.len()).unwrap_or(ROWS);
    let sort = wanted.sort.as_deref();
    let before = keys.next_cursor.as_ref().map(|_| wanted.before.unwrap_or(0).saturating_add(shown));
    wanted.query(sort).with("before", before)
}

/// `21–40 of 42`.
fn shown(wanted: &Wanted, keys: &PageView<KeyView>, counts: &[KeyCountView]) -> String {
    let before = u64::from(if wanted.cursor.is_some() { wanted.before.unwrap_or(0) } else { 0 });
    let last = before + keys.data.len() as u64;
    let range = format!("{}–{}", grouped(before + 1), grouped(last));
    let total = counts.iter().find(|count| count.view == wanted.view() && !wanted.is_filtered());
    match total {
        Some(count) => format!("{range} of {}", up_to(count)),
        None if keys.has_more => range,
        None => format!("{range} of {}", grouped(last)),
    }
}

/// Whether nothing can be sent yet, because there are admin keys only.
fn is_beginning(wanted: &Wanted, keys: &PageView<KeyView>) -> bool {
    let is_whole = wanted.view() == KeyCountOf::NotRevoked && !wanted.is_filtered();
    is_whole && !keys.has_more && wanted.cursor.is_none() && keys.data.iter().all(|key| key.kind == "admin")
}

fn first_key(visit: &Visit) -> Markup {
    let action = create(visit);
    html! {
        div.panel.first-key {
            (empty("No ingest key yet", "An ingest key lets an SDK or a Collector send telemetry to one grid and environment.", &action))
        }
    }
}

fn nothing(visit: &Visit, wanted: &Wanted) -> Markup {
    if wanted.is_filtered() {
        let clear = html! {
            a.button href={ (visit.frame.href("/keys")) (wanted.of_view(wanted.view()).as_str()) } { "Clear search and filters" }
        };
        return empty("No key matches", "A search finds names by their beginning, and a key by its whole id.", &clear);
    }
    let (title, text) = match wanted.view() {
        KeyCountOf::NotRevoked => {
            ("No keys yet", "A key lets an SDK or a Collector send telemetry to one grid and environment.")
        }
        KeyCountOf::Attention => {
            ("No key needs attention", "Keys that expire, are due for rotation or are not used would be listed here.")
        }
        KeyCountOf::Rotating => {
            ("No key is being rotated", "While a key is rotated, its old and its new secret both work.")
        }
        KeyCountOf::ExpiringSoon => ("No key expires within 7 days", "From its expiry on a key is refused."),
        KeyCountOf::Unused45 => ("Every key is used", "Keys that nobody has used for 45 days would be listed here."),
        KeyCountOf::Revoked => ("No key was revoked", "A revoked key is refused for ever. Its record stays."),
    };
    let action = if wanted.view() == KeyCountOf::NotRevoked {
        create(visit)
    } else {
        html! {}
    };
    empty(title, text, &action)
}

fn create(visit: &Visit) -> Markup {
    html! {
        @if visit.may("api.key.create") {
            a.button href=(visit.frame.here("/keys/new")) data-dialog { "Create key" }
        }
    }
}
