//! What stands around the content of every page.

use http::request::Parts;
use http::uri::Authority;
use http::{HeaderMap, Uri, header};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::Console;
use super::api::Query;
use super::form::TOKEN;
use super::parts::icon::{Icon, icon};
use super::parts::number::grouped;
use super::visit::cookies;
use crate::admin::keys::KeyView;
use crate::admin::keys::counts::KeyCountView;
use crate::admin::projects::ProjectView;
use crate::domain::session::Ticket;

/// The cookie with the theme that the visitor chose.
pub(super) const THEME: &str = "gridgate-theme";

/// The cookie of who wants no shortcuts of single characters (WCAG 2.1.4); it is `off`.
pub(super) const SHORTCUTS: &str = "gridgate-shortcuts";

/// What every markup needs to know of its request.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    /// What every path of the console begins with.
    pub(super) base: String,
    /// The path and query that were asked for, with the base in front.
    pub(super) path: String,
    /// The host that was asked, with its port.
    pub(super) host: String,
    /// The project that the visitor looks at; empty: all.
    pub(super) project: String,
    /// What forms bring back; empty without a session.
    form_token: String,
    theme: Option<&'static str>,
    /// Whether `/` and `n` do something by themselves.
    pub(super) has_shortcuts: bool,
    style: String,
    script: String,
    logo: String,
}

/// Which part of the console a page belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Section {
    Overview,
    Keys,
    Refusals,
    Live,
    Usage,
    Projects,
    Limits,
    Roles,
    Members,
    Audit,
    Settings,
}

/// What the frame says of a page.
pub(super) struct Shell<'a> {
    /// The title of the page; never with a secret.
    pub(super) title: &'a str,
    /// Its section, which is marked.
    pub(super) section: Section,
}

/// What stands beside the links of the side bar; nothing where the visitor may not see it.
#[derive(Default)]
pub(super) struct Counts {
    /// How many keys are not revoked.
    pub(super) keys: Option<KeyCountView>,
    /// How many groups of refusals there were of late.
    pub(super) refusals: Option<String>,
}

impl Frame {
    /// The frame of a request of nobody in particular.
    pub(super) fn of_parts(console: &Console, headers: &HeaderMap, uri: &Uri) -> Self {
        let theme = cookies(headers, THEME).next();
        let inner = &console.0;
        // Inside of the nest what stands before the pages is gone.
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let query = uri.query().unwrap_or_default();
        let project = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "project");
        Self {
            base: inner.base.clone(),
            path: format!("{}{}", inner.base, if path == "/" { "" } else { path }),
            host: host(headers, uri),
            project: project.map(|(_, slug)| slug.into_owned()).unwrap_or_default(),
            form_token: String::new(),
            theme: ["light", "dark"].into_iter().find(|one| theme == Some(one)),
            has_shortcuts: cookies(headers, SHORTCUTS).next() != Some("off"),
            style: inner.assets.style.clone(),
            script: inner.assets.script.clone(),
            logo: inner.assets.logo.clone(),
        }
    }

    /// The frame of a request with a session.
    pub(super) fn of_session(console: &Console, parts: &Parts, ticket: &Ticket) -> Self {
        Self { form_token: ticket.form_token(), ..Self::of_parts(console, &parts.headers, &parts.uri) }
    }

    /// The link to `path` of the console, such as `/keys`.
    pub(super) fn href(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// The link to the list at `path`, of the project that the visitor looks at.
    pub(super) fn here(&self, path: &str) -> String {
        let query = Query::default().with("project", Some(&self.project));
        format!("{}{path}{}", self.base, query.as_str())
    }

    /// The fields that every form has to have.
    pub(super) fn form_fields(&self) -> Markup {
        html! { input type="hidden" name=(TOKEN) value=(self.form_token); }
    }
}

/// The host that was asked: in HTTP/2 it is a part of what was asked for.
fn host(headers: &HeaderMap, uri: &Uri) -> String {
    let named = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    named.or_else(|| uri.authority().map(Authority::as_str)).unwrap_or_default().to_owned()
}

/// A whole page, for who is signed in as `me`.
pub(super) fn page(
    frame: &Frame,
    shell: &Shell<'_>,
    me: &KeyView,
    projects: &[ProjectView],
    counts: &Counts,
    content: &Markup,
) -> Markup {
    let may = |permission: &str| me.permissions.iter().any(|held| held == "*" || held == permission);
    let body = html! {
        a.skip href="#main" { "Skip to the content" }
        div.shell {
            header.bar {
                a.brand href=(frame.here("")) { (logo()) span { "Gridgate" } }
                button.icon-button type="button" data-menu aria-controls="side" aria-expanded="false" aria-label="Menu" { (icon(Icon::Menu)) }
            }
            nav #side .side aria-label="Main" {
                a.brand href=(frame.here("")) { (logo()) span { "Gridgate" } }
                (project_switch(frame, projects))
                (links(frame, shell.section, counts, may))
                div.who {
                    (icon(Icon::Key))
                    div { div.name title=(me.name) { (me.name) } div.meta { (me.role.as_deref().unwrap_or("own permissions")) } }
                    form method="post" action=(frame.href("/theme")) {
                        input type="hidden" name="next" value=(frame.path);
                        button.icon-button type="submit" name="theme" value=(if frame.theme == Some("dark") { "light" } else { "dark" })
                            data-theme-button aria-label="Switch between light and dark" { (icon(Icon::Sun)) }
                    }
                    form method="post" action=(frame.href("/sign-out")) {
                        (frame.form_fields())
                        button.icon-button type="submit" aria-label="Sign out" { (icon(Icon::SignOut)) }
                    }
                }
            }
            main #main tabindex="-1" { (content) }
        }
        dialog #dialog aria-labelledby="dialog-title" {}
        div #said .visually-hidden data-said aria-live="polite" {}
    };
    document(frame, shell.title, &html! {}, &body)
}

/// A page of one card: what the script lifts into a dialog. `title` stands above `content`, unless that has a heading of its own.
pub(super) fn card(frame: &Frame, title: &str, content: &Markup) -> Markup {
    card_of(frame, title, false, content)
}

/// The same, `broad` or not.
pub(super) fn card_of(frame: &Frame, title: &str, broad: bool, content: &Markup) -> Markup {
    let body = html! {
        main #main .lone tabindex="-1" {
            div.panel.dialog-card.broad[broad] data-dialog-content { (content) }
        }
        div #said .visually-hidden data-said aria-live="polite" {}
    };
    document(frame, title, &html! {}, &body)
}

/// A page without anything around it. `head` is added to its head.
pub(super) fn bare(frame: &Frame, title: &str, head: &Markup, content: &Markup) -> Markup {
    let body = html! {
        main #main .lone.dots { (content) }
        div #said .visually-hidden data-said aria-live="polite" {}
    };
    document(frame, title, head, &body)
}

fn document(frame: &Frame, title: &str, head: &Markup, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" data-theme=[frame.theme] data-shortcuts=[(!frame.has_shortcuts).then_some("off")] {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · Gridgate" }
                link rel="icon" href=(frame.logo) type="image/svg+xml";
                link rel="stylesheet" href=(frame.style);
                script src=(frame.script) defer {}
                (head)
            }
            body { (body) }
        }
    }
}

fn project_switch(frame: &Frame, projects: &[ProjectView]) -> Markup {
    let path = frame.path.split('?').next().unwrap_or_default();
    // A page about one thing leads to the list of such things.
    let list: String =
        path.strip_prefix(&*frame.base).unwrap_or_default().split('/').take(2).collect::<Vec<_>>().join("/");
    html! {
        form.project-switch method="get" action=(frame.href(&list)) {
            label.visually-hidden for="project" { "Project" }
            select #project name="project" data-submit {
                option value="" { "All projects" }
                @for project in projects {
                    option value=(project.slug) selected[project.slug == frame.project] { (project.name) }
                }
                // One beyond those that are listed.
                @if !frame.project.is_empty() && projects.iter().all(|project| project.slug != frame.project) {
                    option value=(frame.project) selected { (frame.project) }
                }
            }
            noscript { button.small type="submit" { "Show" } }
        }
    }
}

/// The sections, without those whose pages `may` tells that the visitor may not see.
fn links(frame: &Frame, section: Section, counts: &Counts, may: impl Fn(&str) -> bool) -> Markup {
    const MAIN: &[(Section, &str, &str, Icon)] = &[
        (Section::Overview, "", "Overview", Icon::Home),
        (Section::Keys, "/keys", "Keys", Icon::Key),
        (Section::Refusals, "/refusals", "Refusals", Icon::Refused),
        (Section::Live, "/live", "Live", Icon::Pulse),
        (Section::Usage, "/usage", "Usage", Icon::Bars),
    ];
    const SET_UP: &[(Section, &str, &str, Icon)] = &[
        (Section::Projects, "/projects", "Projects", Icon::Folder),
        (Section::Limits, "/limits", "Limits", Icon::Gauge),
        (Section::Roles, "/roles", "Roles", Icon::Shield),
        (Section::Members, "/members", "Members", Icon::People),
    ];
    const RECORD: &[(Section, &str, &str, Icon)] = &[
        (Section::Audit, "/audit", "Audit log", Icon::List),
        (Section::Settings, "/settings", "Settings", Icon::Sliders),
    ];
    html! {
        @for (heading, links) in [("", MAIN), ("Set up", SET_UP), ("Record", RECORD)] {
            @let seen: Vec<_> = links.iter().filter(|link| needs(link.0).is_none_or(&may)).collect();
            @if !heading.is_empty() && !seen.is_empty() { h2.group { (heading) } }
            ul {
                @for &&(one, path, name, sign) in &seen {
                    li {
                        a href=(frame.here(path)) aria-current=[(one == section).then_some("page")] {
                            (icon(sign)) span { (name) }
                            (count(one, counts))
                        }
                    }
                }
            }
        }
    }
}

/// The permission without which the API answers nothing of what `section` shows.
const fn needs(section: Section) -> Option<&'static str> {
    match section {
        Section::Keys => Some("api.key.view"),
        Section::Refusals | Section::Live | Section::Usage => Some("usage.view"),
        Section::Projects => Some("project.view"),
        Section::Limits => Some("quota.view"),
        Section::Roles => Some("role.view"),
        Section::Members => Some("member.view"),
        Section::Audit => Some("audit.view"),
        Section::Overview | Section::Settings => None,
    }
}

/// What stands beside the link to `section`.
fn count(section: Section, counts: &Counts) -> Markup {
    html! {
        @match section {
            Section::Keys => { @if let Some(keys) = &counts.keys { span.count.push { (up_to(keys)) } } }
            Section::Refusals => {
                @if let Some(refusals) = &counts.refusals {
                    span.alarm.push title="Reasons for refusals in the last hour" { (refusals) }
                }
            }
            _ => {}
        }
    }
}

/// `42`, and `1,000+` where no more were counted.
pub(super) fn up_to(count: &KeyCountView) -> String {
    format!("{}{}", grouped(count.count), if count.more { "+" } else { "" })
}

/// The logo, for the eye alone.
pub(super) fn logo() -> Markup {
    PreEscaped(include_str!("assets/logo.svg").to_owned())
}
