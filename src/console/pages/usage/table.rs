//! The table below the chart: a row for each of its colours, and the sum of all.

use maud::{Markup, html};

use super::read::{Line, Usage, alone};
use super::sums::sum;
use super::{By, Choice, Unit};
use crate::admin::usage::UsageView;
use crate::console::pages::overview::figures::{fullness, of_tenant};
use crate::console::parts::icon::{Icon, icon};
use crate::console::parts::number::{grouped, number, short};
use crate::console::parts::time::day;
use crate::console::visit::Visit;

/// The signals, in the order of their columns.
const SIGNALS: [(&str, &str); 4] =
    [("traces", "Traces"), ("metrics", "Metrics"), ("logs", "Logs"), ("profiles", "Profiles")];

/// The table.
pub(super) fn table(visit: &Visit, choice: Choice, usage: &Usage) -> Markup {
    let by_signal = choice.by == By::Signal;
    let with_quota = choice.by == By::Tenant;
    let beside = if choice.unit == Unit::Bytes { Unit::Items } else { Unit::Bytes };
    let unit = choice.unit;
    let of = |all: &_, over: &_, before: &_| change(unit.of(all), unit.of(over), unit.of(before));
    let now = visit.now.to_string();
    let month = day(&now).split(' ').nth(1).unwrap_or_default().to_owned();
    html! {
        @if usage.total.received > 0 {
            section.panel aria-label="Usage as a table" {
                div.scroll tabindex="0" role="region" aria-label={ "Usage by " (choice.by.name()) } {
                    table.usage-table {
                        thead { tr {
                            th scope="col" { (choice.by.words()) }
                            @if !by_signal { @for (_, name) in SIGNALS { th.end scope="col" { (name) } } }
                            th.end scope="col" aria-sort="descending" { (choice.unit.words()) " " (icon(Icon::Down)) }
                            th.end scope="col" { (beside.words()) }
                            th.end scope="col" { "Refused exports" }
                            th.end scope="col" title="Against the time of the same length before, as far as its hours or days are over" { "Change" }
                            @if with_quota { th scope="col" { (month) " quota" } }
                        } }
                        tbody {
                            @for line in &usage.lines {
                                tr {
                                    th scope="row" { (swatch(line)) (name(visit, choice, line)) }
                                    @if !by_signal {
                                        @for (signal, _) in SIGNALS {
                                            @let of = |row: &&UsageView| row.signal.as_deref() == Some(signal);
                                            td.end { (amount(choice.unit, &sum(line.rows.iter().filter(of)))) }
                                        }
                                    }
                                    td.end { strong { (amount(choice.unit, &line.sum)) } }
                                    td.end { (amount(beside, &line.sum)) }
                                    td.end { (number(line.sum.refused)) }
                                    td.end { @if let Some(before) = &line.before { (of(&line.sum, &line.over, before)) } @else { span.meta { "—" } } }
                                    @if with_quota { td { (quota(line)) } }
                                }
                            }
                        }
                        tfoot { tr {
                            th scope="row" { (everything(choice.by, usage.groups)) }
                            @if !by_signal {
                                @for (signal, _) in SIGNALS {
                                    td.end { @if let Some(sum) = usage.by_signal.get(signal) { (amount(choice.unit, sum)) } @else { (number(0)) } }
                                }
                            }
                            td.end { (amount(choice.unit, &usage.total)) }
                            td.end { (amount(beside, &usage.total)) }
                            td.end { (number(usage.total.refused)) }
                            td.end { (of(&usage.total, &usage.over, &usage.before)) }
                            @if with_quota { td {} }
                        } }
                    }
                }
            }
        }
    }
}

fn swatch(line: &Line) -> Markup {
    html! { i class={ "swatch " (line.class) } {} }
}

fn name(visit: &Visit, choice: Choice, line: &Line) -> Markup {
    match (&line.of, choice.by) {
        (Some(of), By::Tenant) => {
            let query = alone(of, choice);
            let name = |part: &Option<String>| part.clone().unwrap_or_default();
            html! {
                a.name href={ (visit.frame.href("/usage")) (query.as_str()) } { (name(&of.project)) }
                span.slash { " / " } (name(&of.grid)) " " (visit.environment(&name(&of.environment)))
            }
        }
        (Some(of), By::Key) => html! {
            @if let Some(id) = &of.key { a.name href=(visit.frame.href(&format!("/keys/{id}"))) { (line.name) } } @else { (line.name) }
            @if of.key.is_some() { span.meta { (of_tenant(visit, of)) } }
        },
        _ => html! { (line.name) },
    }
}

fn amount(unit: Unit, of: &UsageView) -> Markup {
    let value = unit.of(of);
    html! { span.number .zero[value == 0] title=(grouped(value)) { (unit.show()(value)) } }
}

fn quota(line: &Line) -> Markup {
    match (&line.quota, &line.of) {
        (Some(quota), _) => html! {
            div.quota { (fullness(quota, "this month")) span.meta { "of " (short(quota.limit.amount)) } }
        },
        (None, Some(_)) => html! { span.meta { "No quota" } },
        (None, None) => html! { span.meta { "per tenant" } },
    }
}

fn everything(by: By, groups: u64) -> String {
    match (by, groups) {
        (By::Signal, _) => "All signals".to_owned(),
        (By::Tenant, 1) => "1 tenant".to_owned(),
        (By::Tenant, _) => format!("All {} tenants", grouped(groups)),
        (By::Key, 1) => "1 key".to_owned(),
        (By::Key, _) => format!("All {} keys", grouped(groups)),
    }
}

/// `+8 %`, `−2 %`; from nothing, `new`. `now` is what of `all` is held against `before`.
fn change(all: u64, now: u64, before: u64) -> Markup {
    if before == 0 {
        return html! { span.meta { @if all == 0 { "—" } @else { "new" } } };
    }
    let apart = now.abs_diff(before);
    let percent = u128::from(apart) * 100 / u128::from(before);
    let sign = if percent == 0 {
        ""
    } else if now > before {
        "+"
    } else {
        "−"
    };
    let text = if percent > 999 { "> 10 ×".to_owned() } else { format!("{sign}{percent} %") };
    html! { span title={ "Before: " (grouped(before)) } { (text) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_told_from_before() {
        let cases = [
            (108, 100, "+8 %"),
            (98, 100, "−2 %"),
            (100, 100, "0 %"),
            (5, 0, "new"),
            (0, 0, "—"),
            (5_000, 1, "&gt; 10 ×"),
        ];
        for (now, before, text) in cases {
            let shown = change(now, now, before).into_string();
            assert!(shown.contains(&format!(">{text}<")), "{now} {before}: {shown}");
        }
    }
}
