//! Charts, drawn as SVG without a style of their own: geometry in attributes, colour by class. What they show is in a table, too, which
//! is also where the script reads what it says of a column.

use maud::{Markup, html};

use super::number::grouped;

/// Columns over time, stacked.
pub(in crate::console) struct Columns<'a> {
    /// Its `id`, unique on the page.
    pub(in crate::console) id: &'a str,
    /// What it shows, in one sentence, for who does not see it.
    pub(in crate::console) summary: &'a str,
    /// What is stacked, from the bottom.
    pub(in crate::console) series: &'a [Series<'a>],
    /// The columns, oldest first.
    pub(in crate::console) buckets: &'a [Bucket],
    /// Texts below the columns: each begins where its column does.
    pub(in crate::console) labels: &'a [(usize, String)],
    /// What happened, oldest first: the column in which it did, and what.
    pub(in crate::console) events: &'a [(usize, String)],
    /// How a number is shown.
    pub(in crate::console) show: fn(u64) -> String,
    /// What it says where there is nothing.
    pub(in crate::console) none: &'a str,
}

/// One of what is stacked.
pub(in crate::console) struct Series<'a> {
    /// Its name.
    pub(in crate::console) name: &'a str,
    /// Its colour: `ok`, `bad`, or `c1` to `c7`.
    pub(in crate::console) class: &'static str,
}

/// A column.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::console) struct Bucket {
    /// Its interval, such as `20 Nov, 10:15–10:30`.
    pub(in crate::console) interval: String,
    /// The value of each series.
    pub(in crate::console) values: Vec<u64>,
    /// What else is to be said of it, such as why exports were refused: in the table and beside the column.
    pub(in crate::console) notes: Vec<String>,
}

/// The height of a plot in its own units; the width of a column is 10.
const HEIGHT: u64 = 1_000;
/// A column's unit of width, with the gap.
const STEP: usize = 10;
/// The width that is filled.
const FILLED: usize = 8;
/// What is above zero is seen: 2 px of a plot of 200 px.
const LEAST: u64 = 10;
/// The gap between two that are stacked: 1 px of a plot of 200 px.
const GAP: u64 = 5;
/// What a letter of 11 px is wide, in tenths of a pixel, in the widest of the usual fonts.
const LETTER: usize = 68;

impl Columns<'_> {
    /// The chart.
    pub(in crate::console) fn draw(&self) -> Markup {
        let totals = self.buckets.iter().map(|bucket| bucket.values.iter().sum::<u64>());
        let top = round_up(totals.max().unwrap_or(0));
        let width = self.buckets.len().max(1) * STEP;
        let has_notes = self.buckets.iter().any(|bucket| !bucket.notes.is_empty());
        html! {
            figure.chart #(self.id) data-chart {
                div.chart-area {
                    div.chart-scale aria-hidden="true" {
                        @if top > 0 { @for line in (0..=4_u64).rev() { span { ((self.show)(share(top, line, 4))) } } }
                    }
                    div.chart-plot {
                        svg viewBox={ "0 0 " (width) " " (HEIGHT) } preserveAspectRatio="none" role="img" aria-label=(self.summary) {
                            @for line in 0..=4_u64 { (gridline(width, HEIGHT * line / 4)) }
                            @for (index, series) in self.series.iter().enumerate() {
                                path class=(series.class) d=(self.path(index, top)) {}
                            }
                            path.zero d=(self.zeros()) {}
                        }
                        (self.flags())
                        @if top == 0 { p.chart-none { (self.none) } }
                    }
                    (self.axis())
                }
                figcaption.legend {
                    @for series in self.series { span { i class={ "swatch " (series.class) } {} (series.name) } }
                    span.meta.push { "Times in UTC" }
                }
                details.chart-table {
                    summary { "Show as table" }
                    div.scroll tabindex="0" role="region" aria-label={ "Numbers of the chart: " (self.summary) } {
                        table {
                            thead { tr {
                                th scope="col" { "Interval" }
                                @for series in self.series { th.end scope="col" { (series.name) } }
                                @if has_notes { th scope="col" { "Details" } }
                            } }
                            tbody {
                                @for bucket in self.buckets {
                                    tr {
                                        th scope="row" { (bucket.interval) }
                                        @for value in &bucket.values { td.end { (grouped(*value)) } }
                                        @if has_notes { td { (bucket.notes.join("; ")) } }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    /// What stands below. An SVG without a box of its own takes places in percent, and scales no text.
    fn axis(&self) -> Markup {
        html! {
            svg.chart-labels aria-hidden="true" {
                @for (index, (column, label)) in self.labels.iter().enumerate() {
                    // What begins at the very end would leave the chart.
                    @if column * 100 < self.buckets.len() * 94 {
                        text.second[index % 2 == 1] x=(self.place(*column)) y="14" { (label) }
                    }
                }
            }
        }
    }

    /// A dashed line for each event, with a flag where there is room for one.
    fn flags(&self) -> Markup {
        let flags = self.events.iter().zip(self.sides());
        html! {
            @if !self.events.is_empty() {
                svg.chart-events aria-hidden="true" {
                    @for ((column, what), side) in flags {
                        @let wide = flag_width(what);
                        svg x=(self.place(*column)) overflow="visible" {
                            line.event y2="100%" {}
                            @if let Some(side) = side {
                                @let left = if side == Side::Right { "6".to_owned() } else { format!("-{}", wide + 6) };
                                svg.flag x=(left) y="2" overflow="visible" {
                                    rect width=(wide) height="18" rx="4" {}
                                    text x="7" y="13" { (what) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    /// On which side of its line each event's flag stands; `None`: another one is in its way. This is reckoned for a plot of 640 px;
    /// on narrow screens there are no flags.
    fn sides(&self) -> Vec<Option<Side>> {
        let count = self.buckets.len();
        let mut free_from = 0;
        let side = |(column, what): &(usize, String)| {
            let wide = flag_width(what) * count / 640 + 2;
            if *column >= free_from && column + wide <= count {
                free_from = column + wide;
                Some(Side::Right)
            } else if *column >= free_from + wide {
                free_from = *column;
                Some(Side::Left)
            } else {
                None
            }
        };
        self.events.iter().map(side).collect()
    }

    /// Where a column begins, in percent of the whole.
    fn place(&self, column: usize) -> String {
        let thousandths = column * 100_000 / self.buckets.len().max(1);
        format!("{}.{:03}%", thousandths / 1_000, thousandths % 1_000)
    }

    /// The outline of one series in all columns.
    fn path(&self, series: usize, top: u64) -> String {
        let mut path = String::new();
        for (column, bucket) in self.buckets.iter().enumerate() {
            let value = bucket.values.get(series).copied().unwrap_or_default();
            if value == 0 {
                continue;
            }
            let below: u64 = bucket.values.iter().take(series).map(|&value| height(value, top)).sum();
            let lift = if below == 0 { 0 } else { GAP };
            let tall = height(value, top).saturating_sub(lift).max(LEAST);
            let from = HEIGHT.saturating_sub(below + lift + tall);
            path.push_str(&format!("M{} {from}h{FILLED}v{tall}h-{FILLED}z", column * STEP + 1));
        }
        path
    }

    /// A line for each column in which there is nothing.
    fn zeros(&self) -> String {
        let mut path = String::new();
        for (column, bucket) in self.buckets.iter().enumerate() {
            if bucket.values.iter().all(|&value| value == 0) {
                path.push_str(&format!("M{} {}h{FILLED}", column * STEP + 1, HEIGHT - 2));
            }
        }
        path
    }
}

/// A small chart of two series without axes: what was accepted and what was refused, oldest first. `summary` says it in words.
pub(in crate::console) fn sparkline(values: &[(u64, u64)], summary: &str) -> Markup {
    const TALL: u64 = 24;
    const WIDE: usize = 4;
    let top = values.iter().map(|(accepted, refused)| accepted + refused).max().unwrap_or(0).max(1);
    let tall = |value: u64, least: u64| if value == 0 { 0 } else { share(TALL, value, top).max(least) };
    let (mut accepted_path, mut refused_path, mut zeros) = (String::new(), String::new(), String::new());
    for (column, &(accepted, refused)) in values.iter().enumerate() {
        // A few that were refused are seen among many that were not.
        let (above, gap) = (tall(refused, 2), u64::from(accepted > 0 && refused > 0));
        let below = tall(accepted, 1).min(TALL.saturating_sub(above + gap));
        let left = column * WIDE;
        if below > 0 {
            accepted_path.push_str(&format!("M{left} {}h3v{below}h-3z", TALL.saturating_sub(below)));
        }
        if above > 0 {
            refused_path.push_str(&format!("M{left} {}h3v{above}h-3z", TALL.saturating_sub(below + gap + above)));
        }
        if below + above == 0 {
            zeros.push_str(&format!("M{left} 23.500h3"));
        }
    }
    let width = values.len() * WIDE;
    html! {
        svg.spark viewBox={ "0 0 " (width) " " (TALL) } width=(width) height=(TALL) preserveAspectRatio="none" role="img" aria-label=(summary) {
            @if !accepted_path.is_empty() { path.ok d=(accepted_path) {} }
            @if !refused_path.is_empty() { path.bad d=(refused_path) {} }
            @if !zeros.is_empty() { path.zero d=(zeros) {} }
        }
    }
}

/// A small chart of one series without axes, oldest first, on a scale up to `top`, with the colour `class`. `summary` says it in words.
pub(in crate::console) fn trend(values: &[u64], top: u64, class: &str, summary: &str) -> Markup {
    const TALL: u64 = 28;
    const WIDE: usize = 4;
    let (mut path, mut zeros) = (String::new(), String::new());
    for (column, &value) in values.iter().enumerate() {
        let left = column * WIDE;
        if value == 0 {
            zeros.push_str(&format!("M{left} 27.5h3"));
        } else {
            let tall = share(TALL, value, top).max(1);
            path.push_str(&format!("M{left} {}h3v{tall}h-3z", TALL.saturating_sub(tall)));
        }
    }
    // As wide as that of many values, so that the columns of a young one are no walls.
    let width = values.len().max(24) * WIDE;
    html! {
        svg.trend viewBox={ "0 0 " (width) " " (TALL) } preserveAspectRatio="none" role="img" aria-label=(summary) {
            @if !path.is_empty() { path class=(class) d=(path) {} }
            @if !zeros.is_empty() { path.zero d=(zeros) {} }
        }
    }
}

/// A bar of which `part` of `whole` is filled, with the colour `class`. `words` say it.
pub(in crate::console) fn bar(part: u64, whole: u64, class: &str, words: &str) -> Markup {
    let filled = if part == 0 { 0 } else { share(1_000, part.min(whole), whole).max(5) };
    html! {
        svg.meter viewBox="0 0 1000 8" preserveAspectRatio="none" role="img" aria-label=(words) {
            rect.track width="1000" height="8" {}
            rect class=(class) width=(filled) height="8" {}
        }
    }
}

/// Where a flag stands beside its line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Side {
    Left,
    Right,
}

/// How wide the flag with this text is, in pixels.
fn flag_width(text: &str) -> usize {
    text.chars().count() * LETTER / 10 + 14
}

fn gridline(width: usize, at: u64) -> Markup {
    html! { path.grid d={ "M0 " (at) "H" (width) } {} }
}

fn height(value: u64, top: u64) -> u64 {
    if value == 0 { 0 } else { share(HEIGHT, value, top).max(LEAST) }
}

/// `of × part / whole`; of nothing, nothing.
fn share(of: u64, part: u64, whole: u64) -> u64 {
    let scaled = u128::from(of) * u128::from(part) / u128::from(whole.max(1));
    u64::try_from(scaled).unwrap_or(u64::MAX)
}

/// The next number of which a quarter is easily read: 4, 8, 20, 40 and 80 times powers of ten.
fn round_up(most: u64) -> u64 {
    if most == 0 {
        return 0;
    }
    let mut power = 1_u64;
    loop {
        for step in [4, 8, 20] {
            let top = power.saturating_mul(step);
            if top >= most {
                return top;
            }
        }
        power = power.saturating_mul(10);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_ends_above_everything_on_a_round_number() {
        let cases = [(0, 0), (1, 4), (4, 4), (5, 8), (9, 20), (21, 40), (34_900, 40_000), (u64::MAX, u64::MAX)];
        for (most, top) in cases {
            assert_eq!(round_up(most), top, "{most}");
        }
    }

    #[test]
    fn what_is_above_zero_is_seen() {
        assert_eq!(height(0, 1_000_000), 0);
        assert_eq!(height(1, 1_000_000), LEAST);
        assert_eq!(height(1_000_000, 1_000_000), HEIGHT);
    }
    fn columns<'a>(buckets: &'a [Bucket], events: &'a [(usize, String)], series: &'a [Series<'a>]) -> Columns<'a> {
        Columns {
            id: "usage",
            summary: "Exports",
            series,
            buckets,
            labels: &[],
            events,
            show: grouped,
            none: "No exports",
        }
    }

    fn bucket(values: &[u64]) -> Bucket {
        Bucket { interval: "10:00–11:00".to_owned(), values: values.to_vec(), notes: Vec::new() }
    }

    const SERIES: [Series<'static>; 2] =
        [Series { name: "Accepted", class: "ok" }, Series { name: "Refused", class: "bad" }];

    #[test]
    fn what_is_stacked_stands_apart_and_never_below_its_least() {
        let buckets = [bucket(&[40, 1]), bucket(&[0, 0]), bucket(&[0, 20])];
        let chart = columns(&buckets, &[], &SERIES);
        assert_eq!(chart.path(0, 80), "M1 500h8v500h-8z");
        // Of 12 units the gap would leave less than can be seen.
        assert_eq!(chart.path(1, 80), "M1 485h8v10h-8zM21 750h8v250h-8z");
        assert_eq!(chart.zeros(), "M11 998h8");
    }

    #[test]
    fn flags_stand_where_there_is_room() {
        let buckets = vec![bucket(&[1, 0]); 64];
        let event = |column| (column, "v2 created".to_owned());
        let events = [event(2), event(4), event(30), event(62)];
        let chart = columns(&buckets, &events, &SERIES);
        assert_eq!(chart.sides(), [Some(Side::Right), None, Some(Side::Right), Some(Side::Left)]);
        let drawn = chart.draw().into_string();
        assert_eq!(drawn.matches("class=\"event\"").count(), 4, "every event has its line");
        assert_eq!(drawn.matches("class=\"flag\"").count(), 3);
    }

    #[test]
    fn the_table_says_what_the_columns_do_and_names_are_inert() {
        let mut one = bucket(&[12_345, 6]);
        one.notes.push("<b>rate_limited</b> 6".to_owned());
        let drawn = columns(&[one], &[], &SERIES).draw().into_string();
        for text in ["<td class=\"end\">12,345</td>", "<td class=\"end\">6</td>", "&lt;b&gt;rate_limited&lt;/b&gt; 6"] {
            assert!(drawn.contains(text), "{text}");
        }
        let nothing = columns(&[], &[], &SERIES).draw().into_string();
        assert!(nothing.contains("No exports"));
    }
}
