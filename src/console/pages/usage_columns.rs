//! Usage over time as columns: what a chart shows of the rows that the API answers with.

use std::collections::BTreeMap;

use axum::body::Body;
use http_body_util::{BodyExt as _, Limited};
use maud::{Markup, html};

use crate::admin::usage::UsageView;
use crate::console::api::{Api, Query};
use crate::console::guard::Fault;
use crate::console::parts::chart::{Bucket, Series};
use crate::console::parts::number::grouped;
use crate::console::parts::time::{clock, day};
use crate::domain::usage::Step;
use crate::domain::{Reason, Timestamp};

/// How far back a chart goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Range {
    Hour,
    Day,
    Week,
    Month,
}

impl Range {
    /// Every range, the shortest first.
    const ALL: [Self; 4] = [Self::Hour, Self::Day, Self::Week, Self::Month];

    /// The range of this name in a query; a day unless there is one.
    pub(super) fn named(name: Option<&str>) -> Self {
        Self::ALL.into_iter().find(|range| Some(range.name()) == name).unwrap_or(Self::Day)
    }

    /// Its name in queries.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Hour => "1h",
            Self::Day => "24h",
            Self::Week => "7d",
            Self::Month => "30d",
        }
    }

    /// Its name on the page.
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Hour => "1 h",
            Self::Day => "24 h",
            Self::Week => "7 d",
            Self::Month => "30 d",
        }
    }

    /// Links to all ranges, of which this one is marked. `href` makes the link to one.
    pub(super) fn choice(self, href: impl Fn(Self) -> String) -> Markup {
        html! {
            nav.choice aria-label="Range" data-arrows {
                @for range in Self::ALL {
                    a href=(href(range)) aria-current=[(range == self).then_some("true")] { (range.words()) }
                }
            }
        }
    }
}

/// What is stacked where exports are shown.
pub(super) const OUTCOMES: [Series<'static>; 2] =
    [Series { name: "Accepted", class: "ok" }, Series { name: "Refused", class: "bad" }];

/// The columns that a range is cut into.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Axis {
    range: Range,
    /// What the API is asked for: one or more of these are a column.
    step: Step,
    /// When the first column begins.
    pub(super) start: Timestamp,
    /// How long a column is, in microseconds.
    length: i64,
    /// How many columns there are.
    pub(super) count: usize,
}

const MINUTE: i64 = 60_000_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

impl Axis {
    /// The axis of a chart of one thing, which ends with the column that `now` is in: 60 to 96 columns, of a month 30.
    pub(super) fn fine(range: Range, now: Timestamp) -> Self {
        match range {
            Range::Hour => Self::new(range, now, Step::Minute, MINUTE, 60),
            Range::Day => Self::new(range, now, Step::Minute, 15 * MINUTE, 96),
            Range::Week => Self::new(range, now, Step::Hour, 2 * HOUR, 84),
            Range::Month => Self::new(range, now, Step::Day, DAY, 30),
        }
    }

    /// The axis of a chart of many things, with fewer rows to ask for: 24 to 60 columns.
    pub(super) fn coarse(range: Range, now: Timestamp) -> Self {
        match range {
            Range::Day => Self::new(range, now, Step::Hour, HOUR, 24),
            Range::Week => Self::new(range, now, Step::Hour, 6 * HOUR, 28),
            Range::Hour | Range::Month => Self::fine(range, now),
        }
    }

    fn new(range: Range, now: Timestamp, step: Step, length: i64, count: usize) -> Self {
        let columns = i64::try_from(count).unwrap_or(0);
        let last = now.micros().div_euclid(length);
        let start = last.saturating_sub(columns - 1).saturating_mul(length);
        Self { range, step, start: Timestamp::from_micros(start), length, count }
    }

    /// What to ask `GET /usage` for; filters and groups can be added.
    pub(super) fn query(&self) -> Query {
        Query::default().with("step", Some(self.step)).with("from", Some(self.start))
    }

    /// When the step begins that `now` is in, which is not whole yet.
    pub(super) fn present(&self, now: Timestamp) -> Timestamp {
        self.step.start(now)
    }

    /// The column that `at` is in, if it is in one.
    pub(super) fn column(&self, at: Timestamp) -> Option<usize> {
        let column = at.micros().saturating_sub(self.start.micros()).div_euclid(self.length);
        usize::try_from(column).ok().filter(|column| *column < self.count)
    }

    /// Every column with the rows that are in it: `add` adds a row to the values of its column, which begin as `series` zeros.
    pub(super) fn buckets(
        &self,
        rows: &[UsageView],
        series: usize,
        add: impl Fn(&UsageView, &mut Bucket),
    ) -> Vec<Bucket> {
        let empty = |column| Bucket { interval: self.interval(column), values: vec![0; series], notes: Vec::new() };
        let mut buckets: Vec<_> = (0..self.count).map(empty).collect();
        for row in rows {
            let column = row.at.parse().ok().and_then(|at| self.column(at));
            if let Some(bucket) = column.and_then(|column| buckets.get_mut(column)) {
                add(row, bucket);
            }
        }
        buckets
    }

    /// Every column with the exports of `rows` that were accepted and refused, as [`OUTCOMES`] names them, and why.
    pub(super) fn outcomes(&self, rows: &[UsageView]) -> Vec<Bucket> {
        let mut buckets = self.buckets(rows, OUTCOMES.len(), |row, bucket| {
            for (value, more) in bucket.values.iter_mut().zip([row.accepted, row.refused]) {
                *value += more;
            }
        });
        let mut reasons: BTreeMap<(usize, &str), u64> = BTreeMap::new();
        for row in rows.iter().filter(|row| row.refused > 0) {
            let Some(column) = row.at.parse().ok().and_then(|at| self.column(at)) else { continue };
            for (reason, exports) in &row.refused_by {
                *reasons.entry((column, reason)).or_default() += exports;
            }
        }
        for ((column, reason), exports) in reasons {
            if let Some(bucket) = buckets.get_mut(column) {
                bucket.notes.push(format!("{}: {}", reason_words(reason), grouped(exports)));
            }
        }
        buckets
    }

    /// Texts for the axis, each with its column: at round times.
    pub(super) fn labels(&self) -> Vec<(usize, String)> {
        let every = match self.range {
            Range::Hour => 10 * MINUTE,
            Range::Day => 3 * HOUR,
            Range::Week => DAY,
            Range::Month => 5 * DAY,
        };
        let begin = |column: usize| self.begin(column).micros();
        let round = (0..self.count).filter(|column| begin(*column).rem_euclid(every) == 0);
        round.map(|column| (column, self.label(&self.begin(column).to_string()))).collect()
    }

    /// The range in words: `from 20 Nov, 10:15 on`.
    pub(super) fn words(&self) -> String {
        let start = self.start.to_string();
        match self.range {
            Range::Month => format!("from {} on", short_day(&start)),
            _ => format!("from {}, {} on", short_day(&start), clock(&start)),
        }
    }

    fn begin(&self, column: usize) -> Timestamp {
        let columns = i64::try_from(column).unwrap_or(i64::MAX);
        Timestamp::from_micros(self.start.micros().saturating_add(self.length.saturating_mul(columns)))
    }

    fn label(&self, instant: &str) -> String {
        match self.range {
            Range::Hour | Range::Day => clock(instant).to_owned(),
            Range::Week | Range::Month => short_day(instant),
        }
    }

    /// `20 Nov, 10:15–10:30`; of whole days `20 Nov`.
    fn interval(&self, column: usize) -> String {
        let (begin, end) = (self.begin(column).to_string(), self.begin(column + 1).to_string());
        if self.length == DAY {
            return short_day(&begin);
        }
        format!("{}, {}–{}", short_day(&begin), clock(&begin), clock(&end))
    }
}

/// A reason, and whether senders try again.
fn reason_words(reason: &str) -> String {
    let known = Reason::ALL.iter().find(|known| known.as_str() == reason);
    let is_retryable = known.is_some_and(|known| known.retry_after().is_some());
    if is_retryable { format!("{reason}, retryable") } else { reason.to_owned() }
}

/// `20 Nov`.
fn short_day(instant: &str) -> String {
    let day = day(instant);
    day.rsplit_once(' ').map_or_else(|| day.clone(), |(day, _)| day.to_owned())
}

/// The largest answer with rows, in bytes: more are asked for by nothing here.
const MAX_ROWS_BYTES: usize = 32 << 20;

/// All rows that `query` finds, in one call: as CSV, which has no pages.
///
/// # Errors
/// As any call of the API.
pub(super) async fn rows(api: &Api, query: &Query) -> Result<Vec<UsageView>, Fault> {
    let answer = api.raw(&format!("/usage{}", query.as_str()), "text/csv").await?;
    let body = Limited::new(Body::new(answer.into_body()), MAX_ROWS_BYTES).collect().await.map_err(Fault::internal)?;
    let text = String::from_utf8(body.to_bytes().to_vec()).map_err(Fault::internal)?;
    let rows: Option<Vec<_>> = text.lines().skip(1).map(UsageView::of_csv_line).collect();
    rows.ok_or_else(|| Fault::internal("usage as CSV has an unknown form"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("an instant")
    }

    #[test]
    fn an_axis_ends_with_the_column_of_now() {
        let now = at("2026-11-20T10:17:30Z");
        for (range, start, interval) in [
            (Range::Hour, "2026-11-20T09:18:00Z", "20 Nov, 10:17–10:18"),
            (Range::Day, "2026-11-19T10:30:00Z", "20 Nov, 10:15–10:30"),
            (Range::Week, "2026-11-13T12:00:00Z", "20 Nov, 10:00–12:00"),
            (Range::Month, "2026-10-22T00:00:00Z", "20 Nov"),
        ] {
            let axis = Axis::fine(range, now);
            assert_eq!(axis.start, at(start), "{range:?}");
            assert_eq!(axis.column(now), Some(axis.count - 1));
            assert_eq!(axis.interval(axis.count - 1), interval);
            assert_eq!(axis.column(axis.start.before(std::time::Duration::from_micros(1))), None);
            assert_eq!(axis.column(axis.begin(axis.count)), None);
        }
    }

    #[test]
    fn labels_stand_at_round_times() {
        let labels = Axis::fine(Range::Day, at("2026-11-20T10:17:30Z")).labels();
        assert_eq!(labels.first(), Some(&(6, "12:00".to_owned())));
        assert_eq!(labels.len(), 8);
        let week = Axis::fine(Range::Week, at("2026-11-20T10:17:30Z")).labels();
        assert_eq!((week.len(), &*week[0].1), (7, "14 Nov"));
    }

    #[test]
    fn rows_of_one_column_are_added_up() {
        let axis = Axis::fine(Range::Day, at("2026-11-20T10:17:30Z"));
        let row = |text: &str, accepted| UsageView { at: text.to_owned(), accepted, ..UsageView::default() };
        let rows = [
            row("2026-11-20T10:15:00.000000Z", 2),
            row("2026-11-20T10:29:00.000000Z", 3),
            row("2026-11-19T10:29:00.000000Z", 5),
        ];
        let buckets = axis.buckets(&rows, 1, |row, bucket| bucket.values[0] += row.accepted);
        assert_eq!(
            buckets.iter().map(|bucket| bucket.values[0]).sum::<u64>(),
            5,
            "what is before the first is left out"
        );
        assert_eq!(buckets[95].values, [5]);
    }

    #[test]
    fn a_column_says_why_exports_were_refused() {
        let axis = Axis::fine(Range::Day, at("2026-11-20T10:17:30Z"));
        let row = |text: &str, reason: &str, exports| UsageView {
            at: text.to_owned(),
            refused: exports,
            refused_by: [(reason.to_owned(), exports)].into(),
            ..UsageView::default()
        };
        let rows = [
            row("2026-11-20T10:15:00.000000Z", "rate_limited", 1_000),
            row("2026-11-20T10:16:00.000000Z", "key_expired", 1),
            row("2026-11-20T10:17:00.000000Z", "rate_limited", 204),
        ];
        let buckets = axis.outcomes(&rows);
        assert_eq!(buckets[95].values, [0, 1_205]);
        assert_eq!(buckets[95].notes, ["key_expired: 1", "rate_limited, retryable: 1,204"]);
        assert!(buckets[..95].iter().all(|bucket| bucket.notes.is_empty()));
    }
}
