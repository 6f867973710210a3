//! Usage: how much came in, of whom, and how it goes.

mod read;
pub(super) mod sums;
mod table;

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{HeaderValue, header};
use maud::{Markup, html};
use serde::Deserialize;

use super::usage_columns::{Axis, Range};
use crate::admin::usage::UsageView;
use crate::console::Console;
use crate::console::api::Query;
use crate::console::guard::Fault;
use crate::console::layout::{Section, Shell};
use crate::console::parts::chart::{Columns, Series};
use crate::console::parts::icon::{Icon, icon};
use crate::console::parts::number::{bytes, grouped, short};
use crate::console::visit::{UrlQuery, Visit};
use read::{Line, Usage};

pub(super) fn routes() -> Router<Console> {
    Router::new().route("/usage", get(page)).route("/usage/csv", get(csv))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Wanted {
    range: Option<String>,
    by: Option<String>,
    unit: Option<String>,
}

/// What is shown, and how.
#[derive(Clone, Copy)]
struct Choice {
    range: Range,
    by: By,
    unit: Unit,
}

/// What usage is stacked by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Tenant,
    Signal,
    Key,
}

impl By {
    const ALL: [Self; 3] = [Self::Tenant, Self::Signal, Self::Key];

    const fn name(self) -> &'static str {
        match self {
            Self::Tenant => "tenant",
            Self::Signal => "signal",
            Self::Key => "key",
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Tenant => "Tenant",
            Self::Signal => "Signal",
            Self::Key => "Key",
        }
    }

    /// The groups that the API is asked for.
    const fn groups(self) -> &'static str {
        match self {
            Self::Tenant => "project,grid,environment",
            Self::Signal => "signal",
            Self::Key => "project,grid,environment,key",
        }
    }
}

/// What is counted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unit {
    Items,
    Bytes,
    Exports,
}

impl Unit {
    const ALL: [Self; 3] = [Self::Items, Self::Bytes, Self::Exports];

    const fn name(self) -> &'static str {
        match self {
            Self::Items => "items",
            Self::Bytes => "bytes",
            Self::Exports => "exports",
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Items => "Items",
            Self::Bytes => "Bytes",
            Self::Exports => "Exports",
        }
    }

    /// By what the API ranks.
    const fn rank(self) -> &'static str {
        match self {
            Self::Items => "items",
            Self::Bytes => "bytes",
            Self::Exports => "received",
        }
    }

    const fn of(self, row: &UsageView) -> u64 {
        match self {
            Self::Items => row.items,
            Self::Bytes => row.bytes,
            Self::Exports => row.received,
        }
    }

    fn show(self) -> fn(u64) -> String {
        match self {
            Self::Items | Self::Exports => short,
            Self::Bytes => bytes,
        }
    }
}

impl Choice {
    fn of(wanted: &Wanted) -> Self {
        let by = By::ALL.into_iter().find(|by| wanted.by.as_deref() == Some(by.name()));
        let unit = Unit::ALL.into_iter().find(|unit| wanted.unit.as_deref() == Some(unit.name()));
        Self {
            range: Range::named(Some(wanted.range.as_deref().unwrap_or(Range::Month.name()))),
            by: by.unwrap_or(By::Tenant),
            unit: unit.unwrap_or(Unit::Items),
        }
    }

    /// The link to the page at `path` that shows this.
    fn href(self, visit: &Visit, path: &str) -> String {
        let query = Query::default()
            .with("project", Some(&visit.frame.project))
            .with("range", Some(self.range.name()))
            .with("by", Some(self.by.name()))
            .with("unit", Some(self.unit.name()));
        format!("{}{}", visit.frame.href(path), query.as_str())
    }
}

/// `GET /usage`
async fn page(visit: Visit, UrlQuery(wanted): UrlQuery<Wanted>) -> Result<Markup, Fault> {
    let choice = Choice::of(&wanted);
    let axis = Axis::coarse(choice.range, visit.now);
    let usage = read::usage(&visit, &axis, choice).await?;
    let content = html! {
        div.page-head {
            div { h1 { "Usage" } p { "Received = accepted + refused + gone, for every export. Times are UTC." } }
            div.actions {
                (choice.range.choice(|range| Choice { range, ..choice }.href(&visit, "/usage")))
                a.button href=(choice.href(&visit, "/usage/csv")) download { (icon(Icon::Download)) "CSV" }
            }
        }
        div.stack.usage {
            section.panel aria-labelledby="usage-total" {
                div.panel-head {
                    h2 #usage-total title=(grouped(choice.unit.of(&usage.total))) { (total(choice.unit, &usage.total)) }
                    span.meta { "by " (choice.by.name()) ", " (sums::last(choice.range)) }
                    div.actions.push {
                        (grouping(&visit, choice))
                        nav.choice aria-label="Unit" data-arrows {
                            @for unit in Unit::ALL {
                                a href=(Choice { unit, ..choice }.href(&visit, "/usage"))
                                    aria-current=[(unit == choice.unit).then_some("true")] { (unit.words()) }
                            }
                        }
                    }
                }
                div.panel-body { (chart(&axis, choice, &usage)) }
            }
            (table::table(&visit, choice, &usage))
        }
    };
    visit.page(Shell { title: "Usage", section: Section::Usage }, &content).await
}

/// `GET /usage/csv`: the same rows as the page shows, as the API gives them.
async fn csv(visit: Visit, UrlQuery(wanted): UrlQuery<Wanted>) -> Result<Response, Fault> {
    let choice = Choice::of(&wanted);
    let query = Axis::coarse(choice.range, visit.now).query();
    let groups = if choice.by == By::Signal { "signal".to_owned() } else { format!("{},signal", choice.by.groups()) };
    let query = query.with("project", Some(&visit.frame.project)).with("group_by", Some(groups));
    let mut answer = visit.api.raw(&format!("/usage{}", query.as_str()), "text/csv").await?.into_response();
    let name = format!("attachment; filename=\"gridgate-usage-{}.csv\"", choice.range.name());
    let name = HeaderValue::try_from(name).map_err(Fault::internal)?;
    answer.headers_mut().insert(header::CONTENT_DISPOSITION, name);
    Ok(answer)
}

/// `26.5 B items accepted`.
fn total(unit: Unit, sum: &UsageView) -> String {
    let number = unit.show()(unit.of(sum));
    match unit {
        Unit::Items => format!("{number} items accepted"),
        Unit::Bytes => format!("{number} accepted"),
        Unit::Exports => format!("{number} exports received"),
    }
}

fn grouping(visit: &Visit, choice: Choice) -> Markup {
    html! {
        form.group-by method="get" action=(visit.frame.href("/usage")) {
            input type="hidden" name="project" value=(visit.frame.project);
            input type="hidden" name="range" value=(choice.range.name());
            input type="hidden" name="unit" value=(choice.unit.name());
            label for="by" { "Group by" }
            select #by name="by" data-submit {
                @for by in By::ALL { option value=(by.name()) selected[by == choice.by] { (by.words()) } }
            }
            noscript { button.small type="submit" { "Show" } }
        }
    }
}

fn chart(axis: &Axis, choice: Choice, usage: &Usage) -> Markup {
    let series: Vec<_> = usage.lines.iter().map(|line| Series { name: &line.name, class: line.class }).collect();
    let mut buckets = axis.buckets(&[], series.len(), |_, _| ());
    for (index, Line { rows, .. }) in usage.lines.iter().enumerate() {
        let own = axis.buckets(rows, 1, |row, bucket| {
            for value in &mut bucket.values {
                *value = value.saturating_add(choice.unit.of(row));
            }
        });
        for (bucket, own) in buckets.iter_mut().zip(own) {
            if let (Some(value), Some(counted)) = (bucket.values.get_mut(index), own.values.first()) {
                *value = *counted;
            }
        }
    }
    let summary = format!(
        "{} by {} in the {}: {}",
        choice.unit.words(),
        choice.by.name(),
        sums::last(choice.range),
        total(choice.unit, &usage.total)
    );
    Columns {
        id: "usage",
        summary: &summary,
        series: &series,
        buckets: &buckets,
        labels: &axis.labels(),
        events: &[],
        show: choice.unit.show(),
        none: "No exports in this range",
    }
    .draw()
}
