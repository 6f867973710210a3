//! Exports as rows: those of the log, and the empty one that the script fills.

use maud::{Markup, html};

use crate::admin::requests::RequestView;
use crate::console::parts::chip::{self, Tone, chip};
use crate::console::parts::icon::Icon;
use crate::console::parts::number::{bytes, counted, number};
use crate::console::parts::time::{day, exact};
use crate::console::visit::Visit;
use crate::domain::Reason;

/// What a table shows of exports.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::console::pages) enum Columns {
    /// Everything.
    All,
    /// What those of one key do not have in common.
    OfOneKey,
}

/// The rows of `exports`, newest first, in a table called `label`.
pub(in crate::console::pages) fn exports_table(
    visit: &Visit,
    exports: &[RequestView],
    label: &str,
    columns: Columns,
) -> Markup {
    let all = columns == Columns::All;
    html! {
        div.scroll tabindex="0" role="region" aria-label=(label) {
            table.live {
                thead { tr {
                    th scope="col" { "Time" }
                    th scope="col" { "Outcome" }
                    th.wide scope="col" { "Signal" }
                    @if all { th.wide scope="col" { "Tenant" } }
                    th scope="col" { "Sender" }
                    @if all { th scope="col" { "Key" } }
                    th.end scope="col" { "Items" }
                    th.end scope="col" { "Size" }
                    th.end scope="col" { "Took" }
                } }
                tbody data-live-rows { @for export in exports { (row(visit, export, columns)) } }
            }
        }
    }
}

/// How many exports of the same time found no room in the log.
pub(in crate::console::pages) fn not_logged(exports: u64) -> Markup {
    html! {
        @if exports > 0 {
            p.live-none { (counted(exports, "more export", "more exports")) " of this time are not in the log: they were too many." }
        }
    }
}

fn row(visit: &Visit, export: &RequestView, columns: Columns) -> Markup {
    let all = columns == Columns::All;
    let sender = export.service.as_deref().or(export.user_agent.as_deref()).unwrap_or("Unknown");
    html! {
        tr {
            td {
                time.mono datetime=(export.at) title=(exact(&export.at)) { (export.at.get(11..19).unwrap_or_default()) }
                @if export.at.get(..10) != visit.now.to_string().get(..10) { span.meta { (day(&export.at)) } }
            }
            td.live-outcome { (outcome(export)) }
            td.wide { (export.signal.as_deref().unwrap_or("–")) }
            @if all { td.wide { (tenant(visit, export)) } }
            td.live-sender { span.live-name title=(sender) { (sender) } code.meta { (export.address) } }
            @if all { td { (key(visit, export)) } }
            td.end { @match export.items { Some(items) => (number(items)), None => span.zero { "–" } } }
            td.end { @match export.wire_bytes { Some(size) => (bytes(size)), None => span.zero { "–" } } }
            td.end { (took(export.duration_us)) }
        }
    }
}

fn tenant(visit: &Visit, export: &RequestView) -> Markup {
    let (Some(project), Some(grid), Some(environment)) = (&export.project, &export.grid, &export.environment) else {
        return html! { span.meta { "Not proved" } };
    };
    visit.tenant(project, grid, environment)
}

fn key(visit: &Visit, export: &RequestView) -> Markup {
    match (&export.key, &export.claimed_key) {
        (Some(key), _) => html! { a.mono href=(visit.frame.href(&format!("/keys/{key}"))) { (key) } },
        // Anybody can write the id of a key, which need not be there.
        (None, Some(claimed)) => html! { code { (claimed) } span.meta { " claimed" } },
        (None, None) => html! { span.meta { "None" } },
    }
}

fn outcome(export: &RequestView) -> Markup {
    let reason = Reason::ALL.iter().find(|reason| Some(reason.as_str()) == export.reason.as_deref());
    html! {
        @match (export.outcome.as_str(), reason) {
            ("accepted", _) => (chip(Tone::Quiet, Icon::Active, "Accepted")),
            (_, Some(reason)) => (chip::refused(reason.retry_after().is_some())),
            _ => (chip(Tone::Grey, Icon::Inactive, "Client left")),
        }
        @if let Some(reason) = reason { " " code.codeword title=[export.detail.as_deref().or(export.advice.as_deref())] { (reason.as_str()) } }
    }
}

/// The row that the script copies and fills: it takes away what an export has not.
pub(super) fn template(visit: &Visit) -> Markup {
    html! {
        tr {
            td { time.mono data-cell="at" {} }
            td.live-outcome {
                span data-of="accepted" { (chip(Tone::Quiet, Icon::Active, "Accepted")) }
                span data-of="dropped" { (chip::refused(false)) }
                span data-of="retryable" { (chip::refused(true)) }
                span data-of="gone" { (chip(Tone::Grey, Icon::Inactive, "Client left")) }
                " "
                code.codeword data-of="reason" data-cell="reason" {}
            }
            td.wide data-cell="signal" {}
            td.wide {
                span data-of="proved" { span.tenant { span data-cell="project" {} span.slash { " / " } span data-cell="grid" {} } " " abbr.tag data-cell="environment" {} }
                span.meta data-of="unproved" { "Not proved" }
            }
            td.live-sender { span.live-name data-cell="sender" {} code.meta data-cell="address" {} }
            td {
                a.mono data-cell="key" data-of="key" data-keys=(visit.frame.href("/keys/")) {}
                span data-of="claimed" { code data-cell="claimed" {} span.meta { " claimed" } }
                span.meta data-of="no-key" { "None" }
            }
            td.end data-cell="items" {}
            td.end data-cell="size" {}
            td.end data-cell="took" {}
        }
    }
}

/// `840 µs`, `12 ms`, `3.2 s`.
pub(super) fn took(micros: u64) -> String {
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..1_000_000 => format!("{} ms", micros / 1_000),
        _ => format!("{}.{} s", micros / 1_000_000, micros % 1_000_000 / 100_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short() {
        let cases = [(0, "0 µs"), (999, "999 µs"), (1_000, "1 ms"), (999_999, "999 ms"), (3_260_000, "3.2 s")];
        for (micros, text) in cases {
            assert_eq!(took(micros), text);
        }
    }
}
