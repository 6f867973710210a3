//! Usage as CSV (RFC 4180). No value holds a character that would have to be quoted.

use std::fmt::Write as _;

use super::UsageView;

/// The names of the columns, as the first line has them.
pub const CSV_HEAD: &str = "at,project,grid,environment,key,signal,outcome,received,accepted,gone,refused,would_refuse,items,wire_bytes,bytes,refused_by\r\n";

impl UsageView {
    /// The row as a line. Reasons of refusals are in the last column, as in `key_expired=2 rate_limited=7`.
    #[must_use]
    pub fn csv_line(&self) -> String {
        let names = [&self.project, &self.grid, &self.environment, &self.key, &self.signal, &self.outcome];
        let counts = [self.received, self.accepted, self.gone, self.refused, self.would_refuse];
        let sizes = [self.items, self.wire_bytes, self.bytes];
        let mut line = self.at.clone();
        for name in names {
            line.push(',');
            line.push_str(name.as_deref().unwrap_or_default());
        }
        for number in counts.into_iter().chain(sizes) {
            // Writing to a string cannot fail.
            let _ = write!(line, ",{number}");
        }
        let reasons: Vec<_> = self.refused_by.iter().map(|(reason, exports)| format!("{reason}={exports}")).collect();
        let _ = write!(line, ",{}\r\n", reasons.join(" "));
        line
    }

    /// The row of a line without its end; `None` where it is no line of this form.
    #[must_use]
    pub fn of_csv_line(line: &str) -> Option<Self> {
        let columns: Vec<_> = line.split(',').collect();
        let [at, project, grid, environment, key, signal, outcome, counts @ .., reasons] = &*columns else {
            return None;
        };
        let counts: Vec<u64> = counts.iter().map(|count| count.parse()).collect::<Result<_, _>>().ok()?;
        let [received, accepted, gone, refused, would_refuse, items, wire_bytes, bytes] = *counts else { return None };
        let reason =
            |text: &str| text.split_once('=').and_then(|(name, count)| Some((name.to_owned(), count.parse().ok()?)));
        let refused_by = reasons.split_ascii_whitespace().map(reason).collect::<Option<_>>()?;
        let name = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Some(Self {
            at: (*at).to_owned(),
            project: name(project),
            grid: name(grid),
            environment: name(environment),
            key: name(key),
            signal: name(signal),
            outcome: name(outcome),
            received,
            accepted,
            gone,
            refused,
            refused_by,
            would_refuse,
            items,
            wire_bytes,
            bytes,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_a_value_for_each_column() {
        let view = UsageView {
            at: "2026-11-21T10:00:00.000000Z".to_owned(),
            key: Some("key_7Hq2mZxK9wPa".to_owned()),
            received: 12,
            accepted: 3,
            refused: 9,
            refused_by: [("key_expired".to_owned(), 2), ("rate_limited".to_owned(), 7)].into(),
            items: 5,
            ..UsageView::default()
        };
        let line = view.csv_line();
        let expected =
            "2026-11-21T10:00:00.000000Z,,,,key_7Hq2mZxK9wPa,,,12,3,0,9,0,5,0,0,key_expired=2 rate_limited=7\r\n";
        assert_eq!(line, expected);
        assert_eq!(line.split(',').count(), CSV_HEAD.split(',').count());
        assert_eq!(UsageView::of_csv_line(line.trim_end()), Some(view));
        assert_eq!(UsageView::of_csv_line(CSV_HEAD.trim_end()), None);
        assert_eq!(UsageView::of_csv_line(""), None);
    }
}
