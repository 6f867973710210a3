//! Why is my telemetry missing? What was turned away, by reason: who sent it, and what to do.

mod check;
mod row;
mod tokens;
mod words;

use std::collections::BTreeSet;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use maud::{Markup, html};
use serde::Deserialize;

use crate::admin::keys::KeyView;
use crate::admin::refusals::RefusalView;
use crate::admin::requests::{RequestView, RequestsView};
use crate::admin::usage::UsageView;
use crate::console::Console;
use crate::console::api::{Api, Query};
use crate::console::guard::Fault;
use crate::console::layout::{Section, Shell};
use crate::console::parts::empty::empty;
use crate::console::parts::icon::{Icon, icon};
use crate::console::parts::note::{Severity, note};
use crate::console::parts::number::{counted, grouped, short};
use crate::console::visit::{UrlQuery, Visit};
use crate::domain::trouble::Cause;
use crate::domain::{Reason, Signal, Timestamp};
use row::Row;

pub(super) fn routes() -> Router<Console> {
    Router::new().route("/refusals", get(page)).merge(check::routes())
}

/// What the cause `code` of the API is called; one that is not known here is called by its code.
pub(in crate::console) fn title(code: &str) -> &str {
    code.parse().map_or(code, |cause| words::of(cause).title)
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Wanted {
    project: Option<String>,
    q: Option<String>,
    key: Option<String>,
    reason: Option<String>,
    signal: Option<String>,
    outcome: Option<String>,
    range: String,
    cursor: Option<String>,
}

/// How far back the page looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Range {
    Hour,
    Day,
    Week,
}

impl Range {
    const ALL: [Self; 3] = [Self::Hour, Self::Day, Self::Week];

    /// Its name in the query, on its button, its length, and the step in which usage is asked for.
    const fn facts(self) -> (&'static str, &'static str, Duration, &'static str) {
        match self {
            Self::Hour => ("1h", "1 h", Duration::from_hours(1), "minute"),
            Self::Day => ("24h", "24 h", Duration::from_hours(24), "hour"),
            Self::Week => ("7d", "7 d", Duration::from_hours(24 * 7), "hour"),
        }
    }

    /// `hour`, `24 hours`, `7 days`.
    const fn words(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "24 hours",
            Self::Week => "7 days",
        }
    }
}

/// The most groups that a page looks at.
const GROUPS: u32 = 200;

/// What the page was asked for, and what the API says of it.
struct Found {
    from: Timestamp,
    to: Timestamp,
    groups: Vec<RefusalView>,
    next_cursor: Option<String>,
    usage: Vec<UsageView>,
    /// The key whose secret was retired, of the first such group.
    rotated: Option<KeyView>,
    /// The latest exports with a retired secret, which tell its version.
    retired: Vec<RequestView>,
}

impl Wanted {
    /// The range; a day where it is none of those that there are.
    fn range(&self) -> Range {
        Range::ALL.into_iter().find(|range| range.facts().0 == self.range).unwrap_or(Range::Day)
    }

    fn query(&self) -> Query {
        Query::default()
            .with("project", self.project.as_deref())
            .with("q", self.q.as_deref())
            .with("key", self.key.as_deref())
            .with("reason", self.reason.as_deref())
    }

    /// The query of a link to this page with another range or reason.
    fn link(&self, range: Range, reason: Option<&str>) -> Query {
        Query::default()
            .with("project", self.project.as_deref())
            .with("q", self.q.as_deref())
            .with("key", self.key.as_deref())
            .with("reason", reason)
            .with("signal", self.signal.as_deref())
            .with("outcome", self.outcome.as_deref())
            .with("range", (range != Range::Day).then_some(range.facts().0))
    }

    /// Whether one signal is looked for.
    fn is_of_signal(&self) -> bool {
        self.signal.as_deref().is_some_and(|signal| !signal.is_empty())
    }

    /// Whether usage cannot tell what is looked for.
    fn is_searched(&self) -> bool {
        [&self.q, &self.reason, &self.cursor].into_iter().flatten().any(|text| !text.is_empty())
    }

    /// Whether usage is that of a project or key, which has nothing of what proved nothing.
    fn is_narrowed(&self) -> bool {
        [&self.project, &self.key].into_iter().flatten().any(|text| !text.is_empty())
    }

    fn is_filtered(&self) -> bool {
        self.is_searched()
            || [&self.key, &self.signal, &self.outcome].into_iter().flatten().any(|text| !text.is_empty())
    }

    /// Whether `reason` has the outcome that is looked for.
    fn has_outcome(&self, reason: Reason) -> bool {
        match self.outcome.as_deref() {
            Some("dropped") => reason.retry_after().is_none(),
            Some("retryable") => reason.retry_after().is_some(),
            _ => true,
        }
    }
}

/// `GET /refusals`
async fn page(visit: Visit, UrlQuery(wanted): UrlQuery<Wanted>) -> Result<Markup, Fault> {
    let found = find(&visit, &wanted).await?;
    let rows = row::rows(&visit, &wanted, &found);
    let content = html! {
        div.page-head {
            div {
                h1 { "Why is my telemetry missing?" }
                p { "Every export that was turned away in the last " (wanted.range().words()) ", by reason, with who sent it and what to do." }
            }
            @if visit.may("api.key.view") {
                a.button href=(visit.frame.here("/refusals/check")) data-dialog { "Check a key…" }
            }
        }
        (filters(&visit, &wanted))
        (totals(&found, &rows))
        @if rows.is_empty() {
            div.panel { (nothing(&visit, &wanted)) }
        } @else {
            div.panel.reasons {
                div.reason-head aria-hidden="true" {
                    span.wide-start { "Reason" }
                    span.reason-code { "Code" }
                    span.reason-outcome { "Outcome" }
                    span.reason-spark { "Last " (wanted.range().facts().1) }
                    span.end { "Exports" }
                    span.reason-seen.end { "Last seen" }
                }
                @for row in &rows { (row.draw()) }
            }
        }
        @if let Some(next) = &found.next_cursor {
            p.reason-more {
                "Only the " (GROUPS) " senders that were seen last are named here. "
                a href={ (visit.frame.href("/refusals")) (wanted.link(wanted.range(), wanted.reason.as_deref()).with("cursor", Some(next)).as_str()) } {
                    "Show earlier ones"
                }
            }
        }
        (drift(&visit, &found))
    };
    visit.page(Shell { title: "Why is my telemetry missing?", section: Section::Refusals }, &content).await
}

/// Asks the API: one call for everything that is counted, and one for all groups.
async fn find(visit: &Visit, wanted: &Wanted) -> Result<Found, Fault> {
    let (_, _, length, step) = wanted.range().facts();
    let (from, to) = (visit.now.before(length), visit.now);
    let groups = wanted.query().with("from", Some(from)).with("limit", Some(GROUPS));
    let groups = visit.api.list::<RefusalView>("/refusals", &groups.with("cursor", wanted.cursor.as_deref())).await?;
    let usage = Query::default()
        .with("project", wanted.project.as_deref())
        .with("key", wanted.key.as_deref())
        .with("signal", wanted.signal.as_deref())
        .with("from", Some(from))
        .with("step", Some(step))
        .with("limit", Some(GROUPS));
    let usage = visit.api.list::<UsageView>("/usage", &usage).await?;
    let (mut rotated, mut retired) = (None, Vec::new());
    let name = Reason::SecretRetired.as_str();
    if let Some(key) = groups.data.iter().filter(|group| group.reason == name).find_map(|group| group.key.as_deref()) {
        rotated = match Api::if_allowed(visit.api.get(&format!("/keys/{key}"))).await {
            // Its record may be erased by now.
            Err(fault) if fault.is("key_not_found") => None,
            found => found?,
        };
        let query = Query::default().with("reason", Some(name)).with("key", Some(key)).with("limit", Some(20));
        let page: RequestsView = visit.api.get(&format!("/requests{}", query.as_str())).await?;
        retired = page.data;
    }
    let mut groups_found = groups.data;
    if let Some(signal) = wanted.signal.as_deref().filter(|signal| !signal.is_empty()) {
        groups_found.retain(|group| group.signals.iter().any(|one| one == signal));
    }
    Ok(Found { from, to, groups: groups_found, next_cursor: groups.next_cursor, usage: usage.data, rotated, retired })
}

fn filters(visit: &Visit, wanted: &Wanted) -> Markup {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    html! {
        div.why-bar {
            form.filters.why-filters method="get" action=(visit.frame.href("/refusals")) role="search" {
                input type="hidden" name="project" value=(text(&wanted.project));
                input type="hidden" name="range" value=(wanted.range().facts().0);
                @if let Some(key) = &wanted.key { input type="hidden" name="key" value=(key); }
                div.search.why-search {
                    label.visually-hidden for="q" { "Service, address, key or code" }
                    (icon(Icon::Search))
                    input #q type="search" name="q" value=(text(&wanted.q)) maxlength="100" placeholder="Service, address, key or code" data-search;
                }
                label.visually-hidden for="signal" { "Signal" }
                select #signal name="signal" data-submit {
                    option value="" { "Signal: All" }
                    @for signal in Signal::ALL {
                        option value=(signal.as_str()) selected[wanted.signal.as_deref() == Some(signal.as_str())] { (signal.as_str()) }
                    }
                }
                label.visually-hidden for="outcome" { "Outcome" }
                select #outcome name="outcome" data-submit {
                    @for (value, words) in [("", "Outcome: All"), ("dropped", "Dropped"), ("retryable", "Retryable")] {
                        option value=(value) selected[wanted.outcome.as_deref().unwrap_or_default() == value] { (words) }
                    }
                }
                noscript { button type="submit" { "Show" } }
                @if wanted.is_filtered() { a href=(visit.frame.here("/refusals")) { "Clear" } }
            }
            nav.why-range aria-label="Range" data-arrows {
                @for range in Range::ALL {
                    a.why-range-one href={ (visit.frame.href("/refusals")) (wanted.link(range, wanted.reason.as_deref()).as_str()) }
                        aria-current=[(range == wanted.range()).then_some("true")] { (range.facts().1) }
                }
            }
        }
    }
}

fn totals(found: &Found, rows: &[Row<'_>]) -> Markup {
    let sum = |retryable: bool| -> u64 {
        rows.iter().filter(|row| row.reason.retry_after().is_some() == retryable).map(|row| row.exports).sum()
    };
    let (dropped, retryable) = (sum(false), sum(true));
    let received: u64 = found.usage.iter().map(|row| row.received).sum();
    let shown = || rows.iter().flat_map(|row| &row.groups);
    let senders: BTreeSet<_> = shown().map(|group| (&group.address, &group.user_agent)).collect();
    let keys: BTreeSet<_> = shown().filter_map(|group| group.key.as_ref().or(group.claimed_key.as_ref())).collect();
    let more = if found.next_cursor.is_some() { "+" } else { "" };
    html! {
        dl.panel.why-totals {
            div { dt { "Refused" } dd { strong title=(grouped(dropped + retryable)) { (short(dropped + retryable)) } " of " (counted(received, "export", "exports")) } }
            div { dt { "Dropped by the client" } dd { strong.bad[dropped > 0] title=(grouped(dropped)) { (short(dropped)) } } }
            div { dt { "Retryable" } dd { strong title=(grouped(retryable)) { (short(retryable)) } } }
            div { dt { "Senders affected" } dd { strong { (senders.len()) (more) } " on " (keys.len()) (more) (if keys.len() == 1 { " key" } else { " keys" }) } }
        }
    }
}

/// Nothing is there: either all is well, or what is missing does not get here.
fn nothing(visit: &Visit, wanted: &Wanted) -> Markup {
    if wanted.is_filtered() {
        let action = html! { a.button href=(visit.frame.here("/refusals")) { "Clear the filters" } };
        return empty(
            "Nothing was turned away for this",
            "No refused export fits these filters in this range.",
            &action,
        );
    }
    let action = html! {
        ol.three-checks {
            li { "Is it sent? Run " code { "gridgate doctor" } " where the service runs: it finds out where exports stop." }
            li { "Does it get here? " a href=(visit.frame.here("/live")) { "Watch live arrivals" } " while the service sends." }
            li { "Is its key good? " a href=(visit.frame.here("/refusals/check")) data-dialog { "Check the key" } " exactly as the exporter has it." }
        }
    };
    empty(
        "Nothing was turned away",
        "Every export that got here was accepted. If telemetry is missing all the same:",
        &action,
    )
}

/// What was accepted, and may belong elsewhere.
fn drift(visit: &Visit, found: &Found) -> Markup {
    let name = Cause::EnvironmentDrift.as_str();
    let groups: Vec<_> = found.groups.iter().filter(|group| group.reason == name).collect();
    let Some(first) = groups.first() else { return html! {} };
    let count: u64 = groups.iter().map(|group| group.count).sum();
    let who = first.service.as_deref().or(first.key_name.as_deref()).unwrap_or("A sender");
    html! {
        div.reason-note {
            (note(Severity::Warning, &html! {
                strong { "Accepted, but worth a look." } " " (who) ": "
                (first.detail.as_deref().unwrap_or(words::of(Cause::EnvironmentDrift).got)) ". "
                (counted(count, "export", "exports"))
                @if groups.len() > 1 { " of " (groups.len()) " senders" } "."
                @if let Some(key) = &first.key {
                    " " a href=(visit.frame.href(&format!("/keys/{key}/senders"))) { "Compare" }
                }
            }))
        }
    }
}
