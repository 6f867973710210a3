//! Rows of usage added up, and the spans of time that they are of.

use std::time::Duration;

use crate::admin::usage::UsageView;
use crate::console::api::Query;
use crate::console::pages::usage_columns::{Axis, Range};

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

/// What to ask for the time of the same length before `axis`, in steps of the same length.
pub(in crate::console::pages) fn before(axis: &Axis, range: Range) -> Query {
    let (step, length) = match range {
        Range::Hour => ("minute", Duration::from_hours(1)),
        Range::Day => ("hour", Duration::from_hours(24)),
        Range::Week => ("hour", Duration::from_hours(7 * 24)),
        Range::Month => ("day", Duration::from_hours(30 * 24)),
    };
    let from = axis.start.before(length);
    Query::default().with("step", Some(step)).with("from", Some(from)).with("to", Some(axis.start))
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
    fn the_time_before_ends_where_this_one_begins() {
        let now = "2026-11-20T10:17:30Z".parse().expect("an instant");
        let axis = Axis::coarse(Range::Day, now);
        assert_eq!(
            before(&axis, Range::Day).as_str(),
            "?step=hour&from=2026-11-18T11%3A00%3A00.000000Z&to=2026-11-19T11%3A00%3A00.000000Z"
        );
    }
}
