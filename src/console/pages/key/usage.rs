//! The chart of what a key sent.

use maud::{Markup, html};

use super::overview::Wanted;
use super::{At, Subject};
use crate::admin::keys::KeyView;
use crate::admin::usage::UsageView;
use crate::console::api::Query;
use crate::console::guard::Fault;
use crate::console::pages::usage_columns::{Axis, OUTCOMES, Range, rows};
use crate::console::parts::chart::{Bucket, Columns, Series};
use crate::console::parts::number::{bytes, counted, short};
use crate::console::visit::Visit;
use crate::domain::{Signal, Timestamp};

/// What is counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Unit {
    Exports,
    Items,
    Bytes,
}

impl Unit {
    const ALL: [Self; 3] = [Self::Exports, Self::Items, Self::Bytes];

    fn named(name: Option<&str>) -> Self {
        Self::ALL.into_iter().find(|unit| Some(unit.name()) == name).unwrap_or(Self::Exports)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Exports => "exports",
            Self::Items => "items",
            Self::Bytes => "bytes",
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Exports => "Exports",
            Self::Items => "Items",
            Self::Bytes => "Bytes",
        }
    }

    /// Items and bytes are those of accepted exports: of what was refused nothing was read.
    const fn series(self) -> &'static [Series<'static>] {
        match self {
            Self::Exports => &OUTCOMES,
            Self::Items => &[Series { name: "Items accepted", class: "ok" }],
            Self::Bytes => &[Series { name: "Bytes accepted", class: "ok" }],
        }
    }

    fn buckets(self, axis: &Axis, rows: &[UsageView]) -> Vec<Bucket> {
        let one = |value: fn(&UsageView) -> u64| {
            axis.buckets(rows, 1, |row, bucket| bucket.values.iter_mut().for_each(|sum| *sum += value(row)))
        };
        match self {
            Self::Exports => axis.outcomes(rows),
            Self::Items => one(|row| row.items),
            Self::Bytes => one(|row| row.bytes),
        }
    }

    /// What all columns together are.
    fn summary(self, buckets: &[Bucket]) -> String {
        let sum = |series: usize| buckets.iter().filter_map(|bucket| bucket.values.get(series)).sum::<u64>();
        match self {
            Self::Exports => {
                format!("{} accepted, {} refused", counted(sum(0), "export", "exports"), short(sum(1)))
            }
            Self::Items => format!("{} accepted", counted(sum(0), "item", "items")),
            Self::Bytes => format!("{} accepted", bytes(sum(0))),
        }
    }
}

/// The panel. `jumps`: whether links within it lead back to it, since something stands above.
pub(super) async fn panel(visit: &Visit, subject: &Subject, wanted: &Wanted, jumps: bool) -> Result<Markup, Fault> {
    let range = Range::named(wanted.range.as_deref());
    let unit = Unit::named(wanted.unit.as_deref());
    let signal = wanted.signal.as_deref().and_then(|name| name.parse::<Signal>().ok());
    let axis = Axis::fine(range, visit.now);
    let query = axis.query().with("key", Some(&subject.key.id)).with("signal", signal);
    let mut buckets = unit.buckets(&axis, &rows(&visit.api, &query).await?);
    let total = unit.summary(&buckets);
    let events = events(&axis, &subject.key);
    for (column, what) in &events {
        if let Some(bucket) = buckets.get_mut(*column) {
            bucket.notes.insert(0, what.clone());
        }
    }
    let chart = Columns {
        id: "usage-chart",
        summary: &format!("Usage of {} {}: {total}", subject.key.name, axis.words()),
        series: unit.series(),
        buckets: &buckets,
        labels: &axis.labels(),
        events: &events,
        show: if unit == Unit::Bytes { bytes } else { short },
        none: "No exports in this range",
    };
    let fragment = if jumps { "#usage" } else { "" };
    let path = visit.frame.href(&subject.path(At::Overview));
    let to = |range: Range| {
        let query = Query::default()
            .with("range", Some(range.name()))
            .with("signal", signal)
            .with("unit", (unit != Unit::Exports).then(|| unit.name()))
            .with("secret", wanted.secret);
        format!("{path}{}{fragment}", query.as_str())
    };
    Ok(html! {
        section.panel #usage aria-labelledby="usage-title" {
            div.panel-head.usage-head {
                h2 #usage-title { "Usage" }
                span.meta { (total) }
                form.push method="get" action={ (path) (fragment) } {
                    input type="hidden" name="range" value=(range.name());
                    @if let Some(secret) = wanted.secret { input type="hidden" name="secret" value=(secret); }
                    select.small #usage-signal name="signal" aria-label="Signal" data-submit {
                        option value="" { "All signals" }
                        @for one in Signal::ALL {
                            option value=(one.as_str()) selected[signal == Some(one)] { (capital(one.as_str())) }
                        }
                    }
                    select.small #usage-unit name="unit" aria-label="Unit" data-submit {
                        @for one in Unit::ALL {
                            option value=(one.name()) selected[one == unit] { (one.words()) }
                        }
                    }
                    noscript { button.small type="submit" { "Show" } }
                }
                (range.choice(to))
            }
            div.panel-body { (chart.draw()) }
        }
    })
}

/// What happened to the key in the range of `axis`, oldest first; what is in one column together.
fn events(axis: &Axis, key: &KeyView) -> Vec<(usize, String)> {
    let mut events: Vec<(Timestamp, String)> = Vec::new();
    let mut add =
        |at: Option<&String>, what: String| events.extend(at.and_then(|at| at.parse().ok()).map(|at| (at, what)));
    for secret in &key.secrets {
        add(Some(&secret.created_at), format!("v{} created", secret.version));
        if secret.state == "retired" && key.revoked_at.is_none() {
            add(secret.retires_at.as_ref(), format!("v{} retired", secret.version));
        }
    }
    add(key.disabled_at.as_ref(), "disabled".to_owned());
    add(key.revoked_at.as_ref(), "revoked".to_owned());
    if key.status == "expired" {
        add(key.expires_at.as_ref(), "expired".to_owned());
    }
    events.sort();
    let mut shown: Vec<(usize, String)> = Vec::new();
    for (at, what) in events {
        let Some(column) = axis.column(at) else { continue };
        match shown.last_mut() {
            Some((last, together)) if *last == column => together.push_str(&format!(", {what}")),
            _ => shown.push((column, what)),
        }
    }
    shown
}

/// `Traces`.
fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}
