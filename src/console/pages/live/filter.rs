//! Which exports somebody looks for.

use std::time::Duration;

use maud::{Markup, html};
use serde::Deserialize;

use super::super::projects::segment;
use crate::admin::grids::GridView;
use crate::admin::page::PageView;
use crate::admin::requests::RequestsView;
use crate::console::api::{Api, Query};
use crate::console::guard::Fault;
use crate::console::parts::icon::{Icon, icon};
use crate::console::parts::note::{Severity, note};
use crate::console::visit::Visit;
use crate::domain::{Reason, Signal, Timestamp};

/// The filters, as they stand in the query of both pages and of the feed.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    project: Option<String>,
    grid: Option<String>,
    environment: Option<String>,
    key: Option<String>,
    signal: Option<String>,
    outcome: Option<String>,
    reason: Option<String>,
    address: Option<String>,
    service: Option<String>,
    min_latency: Option<String>,
    range: Option<String>,
    from: Option<String>,
    /// The page of the log.
    pub(super) cursor: Option<String>,
}

const RANGES: [(&str, &str, Duration); 3] = [
    ("1h", "Last hour", Duration::from_hours(1)),
    ("24h", "Last 24 hours", Duration::from_hours(24)),
    ("7d", "Last 7 days", Duration::from_hours(24 * 7)),
];

impl Wanted {
    /// The filters of the feed, for the API and for links.
    pub(super) fn query(&self) -> Query {
        let filled = |text: &Option<String>| text.as_deref().map(str::trim).map(str::to_owned);
        Query::default()
            .with("project", filled(&self.project))
            .with("grid", filled(&self.grid))
            .with("environment", filled(&self.environment))
            .with("key", filled(&self.key))
            .with("signal", filled(&self.signal))
            .with("outcome", filled(&self.outcome))
            .with("reason", filled(&self.reason))
            .with("address", filled(&self.address))
            .with("service", filled(&self.service))
            .with("min_latency", filled(&self.min_latency))
    }

    /// The same with the earliest arrival, which a later page of the log has from the first one.
    pub(super) fn query_of_log(&self, now: Timestamp) -> Query {
        let range = RANGES.iter().find(|(name, _, _)| self.range.as_deref() == Some(*name));
        let from = self.from.clone().or_else(|| range.map(|(_, _, length)| now.before(*length).to_string()));
        self.query().with("from", from)
    }

    /// Whether there is any but the project.
    pub(super) fn is_filtered(&self) -> bool {
        let all = [&self.grid, &self.environment, &self.key, &self.signal, &self.outcome];
        let more = [&self.reason, &self.address, &self.service, &self.min_latency, &self.range, &self.from];
        all.into_iter().chain(more).flatten().any(|text| !text.is_empty())
    }
}

/// The exports of the log that `query` asks for; or what is wrong with it, which is said above the filters, where it is mended.
pub(super) async fn log(visit: &Visit, query: &Query) -> Result<Result<RequestsView, Markup>, Fault> {
    match visit.api.get(&format!("/requests{}", query.as_str())).await {
        Ok(found) => Ok(Ok(found)),
        Err(fault) => {
            let problem = fault.mendable()?;
            Ok(Err(note(
                Severity::Danger,
                &html! {
                    strong { "Nothing was looked for." }
                    @for error in &problem.errors { p { code { (error.place) } ": " (error.detail) ". Allowed: " (error.fix) } }
                    @if problem.errors.is_empty() { p { (problem.detail) } }
                },
            )))
        }
    }
}

/// The filters as a form that leads to `path`; with those of the log, or without.
pub(super) async fn form(visit: &Visit, wanted: &Wanted, path: &str, log: bool) -> Result<Markup, Fault> {
    let environments: Vec<_> = visit.environments.iter().map(|one| (one.slug.as_str(), one.name.as_str())).collect();
    let project = wanted.project.as_deref().unwrap_or_default();
    let grids = if project.is_empty() {
        Vec::new()
    } else {
        let path = format!("/projects/{}/grids?limit=200", segment(project));
        Api::if_allowed(visit.api.get::<PageView<GridView>>(&path)).await?.map(|page| page.data).unwrap_or_default()
    };
    let grids: Vec<_> = grids.iter().map(|one| (one.slug.as_str(), one.name.as_str())).collect();
    let signals: Vec<_> = Signal::ALL.iter().map(|one| (one.as_str(), one.as_str())).collect();
    let reasons: Vec<_> = Reason::ALL.iter().map(|one| (one.as_str(), one.as_str())).collect();
    let outcomes = [("accepted", "Accepted"), ("refused", "Refused"), ("gone", "Client left")];
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let few = html! {
        @if !grids.is_empty() { (select("grid", "Grid", &grids, &text(&wanted.grid))) }
        (select("environment", "Environment", &environments, &text(&wanted.environment)))
        (select("signal", "Signal", &signals, &text(&wanted.signal)))
        (select("outcome", "Outcome", &outcomes, &text(&wanted.outcome)))
    };
    let line = |name: &str, label: &str, placeholder: &str, value: &Option<String>| {
        html! {
            div.filter-line {
                label.visually-hidden for=(name) { (label) }
                input #(name) type="text" name=(name) value=(text(value)) placeholder=(placeholder) autocomplete="off" spellcheck="false";
            }
        }
    };
    Ok(html! {
        form.filters method="get" action=(visit.frame.href(path)) role="search" {
            input type="hidden" name="project" value=(project);
            div.search.why-search {
                label.visually-hidden for="key" { "Key id" }
                (icon(Icon::Search))
                input #key type="search" name="key" value=(text(&wanted.key)) placeholder="Key id, key_…" autocomplete="off" spellcheck="false" data-search;
            }
            (few)
            @if log {
                (select("reason", "Reason", &reasons, &text(&wanted.reason)))
                @let ranges = RANGES.map(|(name, words, _)| (name, words));
                (select("range", "Time", &ranges, &text(&wanted.range)))
                (line("service", "Service", "Service", &wanted.service))
                (line("address", "Address", "Address", &wanted.address))
                (line("min_latency", "At least so many milliseconds", "At least … ms", &wanted.min_latency))
                button type="submit" { "Search" }
            } @else {
                noscript { button type="submit" { "Show" } }
            }
            @if wanted.is_filtered() { a href=(visit.frame.here(path)) { "Clear" } }
        }
    })
}

fn select(name: &str, label: &str, options: &[(&str, &str)], chosen: &str) -> Markup {
    html! {
        label.visually-hidden for=(name) { (label) }
        select #(name) name=(name) data-submit {
            option value="" { (label) ": All" }
            @for (value, words) in options { option value=(value) selected[*value == chosen] { (words) } }
        }
    }
}
