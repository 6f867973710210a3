//! Numbers of the first page: signals, the tenants with the most, and why exports were refused.

use std::collections::BTreeMap;

use maud::{Markup, html};

use crate::admin::terms::{EffectiveLimit, LimitsView};
use crate::admin::usage::{UsageTopView, UsageView};
use crate::console::api::{Api, Query};
use crate::console::guard::Fault;
use crate::console::pages::refusals::title;
use crate::console::pages::usage::sums::{last, sum};
use crate::console::pages::usage_columns::{Axis, Range};
use crate::console::parts::chart::{bar, sparkline};
use crate::console::parts::number::{grouped, number, percent, short};
use crate::console::visit::Visit;

/// Tenants that are shown.
pub(super) const TENANTS: u32 = 6;

/// Reasons that are shown.
const REASONS: usize = 6;

/// Every signal, as people call it, and what its items are.
const SIGNALS: [(&str, &str, &str); 4] = [
    ("traces", "Traces", "spans"),
    ("metrics", "Metrics", "data points"),
    ("logs", "Logs", "records"),
    ("profiles", "Profiles", "samples"),
];

/// A card for each signal. `rows` are usage by signal.
pub(super) fn signals(range: Range, axis: &Axis, rows: &[UsageView]) -> Markup {
    html! {
        section aria-labelledby="signals" {
            div.section-head {
                h2 #signals { "Signals" }
                span.meta { (last(range)) }
                div.legend.push {
                    span { i.swatch.ok {} "Accepted" }
                    span { i.swatch.bad {} "Refused" }
                }
            }
            div.signal-cards {
                @for (signal, name, unit) in SIGNALS {
                    @let rows: Vec<_> = rows.iter().filter(|row| row.signal.as_deref() == Some(signal)).cloned().collect();
                    (card(range, axis, &rows, name, unit))
                }
            }
        }
    }
}

fn card(range: Range, axis: &Axis, rows: &[UsageView], name: &str, unit: &str) -> Markup {
    let all = sum(rows);
    let columns = axis.buckets(rows, 2, |row, bucket| {
        for (value, more) in bucket.values.iter_mut().zip([row.accepted, row.refused]) {
            *value += more;
        }
    });
    let columns: Vec<_> = columns.iter().map(|column| (column.values[0], column.values[1])).collect();
    let words = format!(
        "{name} in the {}: {} exports accepted, {} refused",
        last(range),
        grouped(all.accepted),
        grouped(all.refused)
    );
    html! {
        div.panel.signal {
            h3 { (name) }
            p.figure { span.big title=(grouped(all.items)) { (short(all.items)) } " " (unit) }
            (sparkline(&columns, &words))
            p.meta {
                span { span.part { (short(all.refused)) " refused" } " of " (short(all.received)) " exports" }
                span.push { (percent(all.refused, all.received)) }
            }
        }
    }
}

/// The daily quota of each tenant of `top` that has one, in its order. What the visitor may not see is none.
pub(super) async fn quotas(visit: &Visit, top: &UsageTopView) -> Result<Vec<Option<EffectiveLimit>>, Fault> {
    let mut quotas = Vec::new();
    for row in &top.data {
        quotas.push(quota(visit, row, "day").await?);
    }
    Ok(quotas)
}

/// The quota of items for each `per` that the tenant of `row` has as a whole.
pub(in crate::console::pages) async fn quota(
    visit: &Visit,
    row: &UsageView,
    per: &str,
) -> Result<Option<EffectiveLimit>, Fault> {
    let (Some(project), Some(grid), Some(environment)) = (&row.project, &row.grid, &row.environment) else {
        return Ok(None);
    };
    let path = format!("/projects/{project}/grids/{grid}/environments/{environment}/limits");
    let limits = match Api::if_allowed(visit.api.get::<LimitsView>(&path)).await {
        Ok(limits) => limits,
        // Its use is remembered for longer than it may be there itself.
        Err(fault) if fault.problem().is_some_and(|problem| problem.status == 404) => None,
        Err(fault) => return Err(fault),
    };
    let of_all = |one: &EffectiveLimit| {
        one.scope == "tenant" && one.limit.per == per && one.limit.unit == "items" && one.limit.signal.is_none()
    };
    Ok(limits.and_then(|limits| limits.effective.into_iter().find(of_all)))
}

/// How full a quota is; amber from 80 per cent on.
pub(in crate::console::pages) fn fullness(quota: &EffectiveLimit, of: &str) -> Markup {
    let (used, amount) = (quota.used, quota.limit.amount);
    let full = u128::from(used) * 100 >= u128::from(amount) * 80;
    let share = percent(used, amount);
    let words = format!("{share} of {} items {of}", short(amount));
    html! {
        div.fullness title=(words) {
            (bar(used, amount, if full { "warn" } else { "ok" }, &words))
            span.amber-text[full] { (share) }
        }
    }
}

/// The tenants with the most items.
pub(super) fn tenants(visit: &Visit, top: &UsageTopView, quotas: &[Option<EffectiveLimit>]) -> Markup {
    let rows: Vec<_> = top.data.iter().zip(quotas).filter(|(row, _)| row.project.is_some()).collect();
    let most = rows.first().map_or(0, |(row, _)| row.items);
    html! {
        section.panel aria-labelledby="tenants" {
            div.panel-head {
                h2 #tenants { "Top tenants" }
                @if !rows.is_empty() { span.meta { (rows.len()) " of " (top.groups) } }
                a.push href=(visit.frame.here("/usage")) { "All usage" }
            }
            @if rows.is_empty() {
                p.panel-body { "Nobody has sent anything in this range." }
            } @else {
                div.scroll tabindex="0" role="region" aria-label="Tenants with the most items" {
                    table {
                        thead { tr {
                            th scope="col" { "Tenant" }
                            th.end scope="col" { "Items" }
                            td.filler aria-hidden="true" {}
                            th.end scope="col" { "Refused exports" }
                            th.end scope="col" { "Rate" }
                            th scope="col" { "Daily quota" }
                        } }
                        tbody {
                            @for (row, quota) in rows {
                                @let many = row.refused > 0 && row.refused * 100 >= row.received;
                                tr {
                                    th scope="row" { (of_tenant(visit, row)) }
                                    td.end { (number(row.items)) }
                                    td.filler aria-hidden="true" { (bar(row.items, most, "ok", "")) }
                                    td.end.red-text[many] { (number(row.refused)) }
                                    td.end.red-text[many] { (percent(row.refused, row.received)) }
                                    td {
                                        @if let Some(quota) = quota { (fullness(quota, "today")) }
                                        @else { span.meta { "No quota" } }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The tenant of a row.
pub(in crate::console::pages) fn of_tenant(visit: &Visit, row: &UsageView) -> Markup {
    let name = |part: &Option<String>| part.clone().unwrap_or_default();
    visit.tenant(&name(&row.project), &name(&row.grid), &name(&row.environment))
}

/// Why exports were refused, the most frequent reason first.
pub(super) fn reasons(visit: &Visit, refused: &BTreeMap<String, u64>) -> Markup {
    let mut reasons: Vec<_> = refused.iter().collect();
    reasons.sort_by(|one, other| other.1.cmp(one.1).then(one.0.cmp(other.0)));
    let most = reasons.first().map_or(0, |(_, exports)| **exports);
    let project = Some(&visit.frame.project);
    html! {
        section.panel aria-labelledby="reasons" {
            div.panel-head { h2 #reasons { "Refused by reason" } span.meta.push { "exports" } }
            @if reasons.is_empty() {
                p.panel-body { "Nothing was refused." }
            } @else {
                ul.by-reason {
                    @for (code, exports) in reasons.into_iter().take(REASONS) {
                        @let query = Query::default().with("project", project).with("reason", Some(code));
                        li {
                            a.name href={ (visit.frame.href("/refusals")) (query.as_str()) } { (title(code)) }
                            span.end { (number(*exports)) }
                            div aria-hidden="true" { (bar(*exports, most, "bad", "")) }
                        }
                    }
                }
            }
        }
    }
}
