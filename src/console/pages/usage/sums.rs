//! Rows of usage added up, and the spans of time that they are of.

use std::time::Duration;

use crate::admin::usage::UsageView;
use crate::console::api::Query;
use crate::console::pages::usage_columns::{Axis, Range};
use crate::domain::Timestamp;

/// Adds `more` to `sum`.
pub(in crate::console::pages) fn add(sum: &mut UsageView, more: &UsageView) {
    sum.received += more.received;
    sum.accepted += more.accepted;
    sum.gone += more.gone;
    sum.refused += more.refused;
    sum.would_refuse += more.would_refuse;
    sum.items += more.items;
    sum.wire_bytes += more.wire_bytes;
    sum.bytes += more.bytes;
    for (reason, exports) in &more.refused_by {
        *sum.refused_by.entry(reason.clone()).or_default() += exports;
    }
}

/// All of `rows` together.
pub(in crate::console::pages) fn sum<'r>(rows: impl IntoIterator<Item = &'r UsageView>) -> UsageView {
    rows.into_iter().fold(UsageView::default(), |mut sum, row| {
        add(&mut sum, row);
        sum
    })
}

/// `last 24 hours`.
pub(in crate::console::pages) const fn last(range: Range) -> &'static str {
    match range {
        Range::Hour => "last hour",
        Range::Day => "last 24 hours",
        Range::Week => "last 7 days",
        Range::Month => "last 30 days",
    }
}

/// What to ask for the time before `axis`, in steps of the same length: as many of them as are over at `now`.
pub(in crate::console::pages) fn before(axis: &Axis, range: Range, now: Timestamp) -> Query {
    let (step, length) = match range {
        Range::Hour => ("minute", Duration::from_hours(1)),
        Range::Day => ("hour", Duration::from_hours(24)),
        Range::Week => ("hour", Duration::from_hours(7 * 24)),
        Range::Month => ("day", Duration::from_hours(30 * 24)),
    };
    let (from, to) = (axis.start.before(length), axis.present(now).before(length));
    Query::default().with("step", Some(step)).with("from", Some(from)).with("to", Some(to))
}

/// Those of `rows` whose step is over at `now`, together: what the time before is held against.
pub(in crate::console::pages) fn over(axis: &Axis, rows: &[UsageView], now: Timestamp) -> UsageView {
    let present = axis.present(now);
    sum(rows.iter().filter(|row| row.at.parse::<Timestamp>().is_ok_and(|at| at < present)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_added() {
        let row = UsageView {
            received: 10,
            accepted: 6,
            gone: 1,
            refused: 3,
            refused_by: [("key_expired".to_owned(), 2), ("rate_limited".to_owned(), 1)].into(),
            would_refuse: 4,
            items: 50,
            wire_bytes: 60,
            bytes: 70,
            ..UsageView::default()
        };
        let twice = sum([&row, &row]);
        assert_eq!((twice.received, twice.accepted, twice.gone, twice.refused), (20, 12, 2, 6));
        assert_eq!((twice.would_refuse, twice.items, twice.wire_bytes, twice.bytes), (8, 100, 120, 140));
        assert_eq!((twice.refused_by["key_expired"], twice.refused_by["rate_limited"]), (4, 2));
    }

    #[test]
    fn as_much_time_is_held_against_as_much() {
        let now = "2026-11-20T10:17:30Z".parse().expect("an instant");
        let axis = Axis::coarse(Range::Day, now);
        // 23 hours are over, and so many are asked for.
        assert_eq!(
            before(&axis, Range::Day, now).as_str(),
            "?step=hour&from=2026-11-18T11%3A00%3A00.000000Z&to=2026-11-19T10%3A00%3A00.000000Z"
        );
        let row = |at: &str, items| UsageView { at: at.to_owned(), items, ..UsageView::default() };
        let rows = [row("2026-11-19T11:00:00Z", 1), row("2026-11-20T09:00:00Z", 2), row("2026-11-20T10:00:00Z", 4)];
        assert_eq!(over(&axis, &rows, now).items, 3);
    }
}
