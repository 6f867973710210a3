//! Who visits: the extractor that stands first in every page's handler.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::{FromRequestParts, Request};
use axum::response::{IntoResponse, Redirect, Response};
use http::request::Parts;
use http::{HeaderMap, Method, header};
use maud::{Markup, html};
use serde::de::DeserializeOwned;
use tokio::try_join;

use super::Console;
use super::api::{Api, Query};
use super::guard::Fault;
use super::layout::{self, Counts, Frame, Shell};
use super::parts::chip;
use crate::admin::environments::EnvironmentView;
use crate::admin::keys::KeyView;
use crate::admin::keys::counts::{KeyCountOf, KeyCountsView};
use crate::admin::page::PageView;
use crate::admin::projects::ProjectView;
use crate::admin::refusals::RefusalView;
use crate::admin::request::Peer;
use crate::admin::sessions;
use crate::domain::Timestamp;
use crate::domain::session::Ticket;

/// The cookie of a session. The prefix makes browsers take it over TLS or on loopback alone, and for this very host.
pub(super) const COOKIE: &str = "__Host-gridgate";

/// What script says with what a page asks for by itself: nobody need be there.
const BY_ITSELF: &str = "x-gridgate-fresh";

/// Since how long refusals are counted beside their link.
const REFUSALS_OF: Duration = Duration::from_hours(1);

/// The most of them that are counted.
const MOST_REFUSALS: usize = 9;

/// A visitor with a session that goes on.
pub(super) struct Visit {
    /// The admin API, as this session.
    pub(super) api: Api,
    /// The visitor's admin key.
    pub(super) me: KeyView,
    /// The instant of the request.
    pub(super) now: Timestamp,
    /// What every markup needs.
    pub(super) frame: Frame,
    /// Every environment; none where the visitor's key may not see them.
    pub(super) environments: Vec<EnvironmentView>,
    console: Console,
}

impl Visit {
    /// Whether the visitor's key holds `permission`. What it lacks is not offered; the API decides.
    pub(super) fn may(&self, permission: &str) -> bool {
        self.me.permissions.iter().any(|held| held == "*" || held == permission)
    }

    /// `project / grid`, and the environment of the slug `environment`.
    pub(super) fn tenant(&self, project: &str, grid: &str, environment: &str) -> Markup {
        chip::tenant(project, grid, &self.environment(environment))
    }

    /// The environment of this slug.
    pub(super) fn environment(&self, slug: &str) -> Markup {
        let found = self.environments.iter().find(|one| one.slug == slug);
        chip::environment(self.code(slug), found.map_or(slug, |one| &one.name))
    }

    /// What the environment of this slug is called in short.
    pub(super) fn code<'a>(&'a self, slug: &'a str) -> &'a str {
        self.environments.iter().find(|one| one.slug == slug).map_or(slug, |one| &one.code)
    }

    /// A whole page of the section `shell` says, with `content` in its main part.
    ///
    /// # Errors
    /// As any call of the API: the frame shows projects and counts.
    pub(super) async fn page(&self, shell: Shell<'_>, content: &Markup) -> Result<Markup, Fault> {
        let query = Query::default().with("limit", Some(200));
        let projects: Option<PageView<ProjectView>> =
            Api::if_allowed(self.api.list::<ProjectView>("/projects", &query)).await?;
        let projects = projects.map(|page| page.data).unwrap_or_default();
        let counts = self.counts().await?;
        Ok(layout::page(&self.frame, &shell, &self.me, &projects, &counts, content))
    }

    /// What stands beside the links of the side bar.
    async fn counts(&self) -> Result<Counts, Fault> {
        let project = || Query::default().with("project", Some(&self.frame.project));
        let query = project().with("view", Some(KeyCountOf::NotRevoked.as_str()));
        let keys: Option<KeyCountsView> =
            Api::if_allowed(self.api.get(&format!("/keys/counts{}", query.as_str()))).await?;
        let since = self.now.before(REFUSALS_OF);
        let query = project().with("from", Some(since)).with("limit", Some(MOST_REFUSALS + 1));
        let refusals = Api::if_allowed(self.api.list::<RefusalView>("/refusals", &query)).await?;
        let refusals = refusals.map_or(0, |page| page.data.iter().filter(|one| one.kind == "refusal").count());
        Ok(Counts {
            keys: keys.and_then(|counts| counts.data.into_iter().next()),
            refusals: match refusals {
                0 => None,
                1..=MOST_REFUSALS => Some(refusals.to_string()),
                _ => Some(format!("{MOST_REFUSALS}+")),
            },
        })
    }

    /// A page that the script lifts into a dialog.
    pub(super) fn dialog(&self, title: &str, content: &Markup) -> Markup {
        layout::card(&self.frame, title, content)
    }

    /// The same, broader: for text that must not be broken.
    pub(super) fn broad_dialog(&self, title: &str, content: &Markup) -> Markup {
        layout::card_of(&self.frame, title, true, content)
    }

    /// A new idempotency key, for a form that makes a secret: 128 random bits in hexadecimal digits.
    ///
    /// # Errors
    /// [`Fault::Internal`] where there is no randomness.
    pub(super) fn once_key(&self) -> Result<String, Fault> {
        let mut bytes = [0; 16];
        self.console.0.admin.random.fill(&mut bytes).map_err(Fault::internal)?;
        Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
    }

    /// What the console is told of where it runs.
    pub(super) fn settings(&self) -> &super::ConsoleSettings {
        &self.console.0.settings
    }
}

impl FromRequestParts<Console> for Visit {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, console: &Console) -> Result<Self, Response> {
        let Some(ticket) = ticket(&parts.headers) else { return Err(stranger(parts, console)) };
        let admin = &console.0.admin;
        // The feed of the live page is asked for again by the page itself, by means that send no header.
        let by_itself = parts.headers.contains_key(BY_ITSELF) || parts.uri.path().ends_with("/live/feed");
        let used = !by_itself;
        let resumed = match sessions::resume(admin, parts, &ticket, used).await {
            Ok(resumed) => resumed,
            // The session's key is no longer let in.
            Err(problem) if problem.code.status().as_u16() == 401 => None,
            Err(problem) => return Err(Fault::from(problem).into_response()),
        };
        let Some(signed_in) = resumed else { return Err(stranger(parts, console)) };
        let frame = Frame::of_session(console, parts, &ticket);
        let peer = parts.extensions.get::<Peer>().copied();
        let api = Api::new(console.0.api.clone(), signed_in, peer, &parts.headers);
        let environments = Api::if_allowed(api.get::<PageView<EnvironmentView>>("/environments"));
        let (me, environments) = try_join!(api.get("/me"), environments).map_err(IntoResponse::into_response)?;
        let environments = environments.map(|page| page.data).unwrap_or_default();
        Ok(Self { api, me, now: admin.clock.now(), frame, environments, console: console.clone() })
    }
}

/// The ticket that a request presents. Of several cookies of the name, which only another program on this host can make, none is taken.
pub(super) fn ticket(headers: &HeaderMap) -> Option<Ticket> {
    let mut found = cookies(headers, COOKIE);
    let one = found.next()?;
    if found.next().is_some() { None } else { Ticket::parse(one) }
}

/// The values of the cookie `name` (RFC 6265 section 5.4).
pub(super) fn cookies<'h>(headers: &'h HeaderMap, name: &'h str) -> impl Iterator<Item = &'h str> {
    // Other sites of the host may have cookies that are no text.
    let all = headers.get_all(header::COOKIE).iter().flat_map(|value| value.as_bytes().split(|&byte| byte == b';'));
    let pairs = all.filter_map(|pair| std::str::from_utf8(pair).ok()?.trim().split_once('='));
    pairs.filter(move |(found, _)| *found == name).map(|(_, value)| value)
}

/// The answer to who has no session: the page to sign in, and from there back to what was asked for.
fn stranger(parts: &Parts, console: &Console) -> Response {
    let frame = Frame::of_parts(console, &parts.headers, &parts.uri);
    // A cookie that is strictly for this site does not come along with a link from elsewhere. Asked for again by a page of this site,
    // it does.
    let from_elsewhere = parts.headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site");
    if parts.method == Method::GET && from_elsewhere {
        let again = html! {
            meta http-equiv="refresh" content="0";
        };
        return layout::bare(&frame, "One moment", &again, &html! { p { "One moment…" } }).into_response();
    }
    let next = if parts.method == Method::GET { frame.path.as_str() } else { "" };
    let query = Query::default().with("next", Some(next));
    Redirect::to(&frame.href(&format!("/sign-in{}", query.as_str()))).into_response()
}

/// What the query of a page says. One that cannot be read is a page that says so.
pub(super) struct UrlQuery<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequestParts<Console> for UrlQuery<T> {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, _: &Console) -> Result<Self, Fault> {
        let unreadable =
            || Fault::Unreadable("The address of this page has something in its query that cannot be read.");
        axum::extract::Query::try_from_uri(&parts.uri)
            .map(|axum::extract::Query(query)| Self(query))
            .map_err(|_| unreadable())
    }
}

/// A request to a handler that needs nobody's session, such as that of the page to sign in.
pub(super) struct Stranger(pub(super) Frame);

impl FromRequestParts<Console> for Stranger {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, console: &Console) -> Result<Self, Infallible> {
        Ok(Self(Frame::of_parts(console, &parts.headers, &parts.uri)))
    }
}

impl Frame {
    /// What is known of whoever asks, before a session is looked up.
    pub(super) fn of_stranger(console: &Console, request: &Request) -> Self {
        Self::of_parts(console, request.headers(), request.uri())
    }
}
