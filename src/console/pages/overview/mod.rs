//! The first page: how the gate does, what needs attention, and how much comes in.

mod attention;
pub(super) mod figures;
mod first;

use axum::Router;
use axum::routing::get;
use maud::{Markup, html};
use serde::Deserialize;
use tokio::try_join;

use super::usage::sums::sum;
use super::usage_columns::{Axis, Range, rows};
use crate::admin::jobs::JobsView;
use crate::admin::requests::RequestsView;
use crate::admin::usage::UsageTopView;
use crate::console::Console;
use crate::console::api::{Api, Query};
use crate::console::guard::Fault;
use crate::console::layout::{Section, Shell};
use crate::console::parts::icon::{Icon, icon};
use crate::console::parts::note::{Severity, mark};
use crate::console::parts::number::{bytes, counted, short};
use crate::console::visit::{UrlQuery, Visit};
use crate::domain::usage::Step;

pub(super) fn routes() -> Router<Console> {
    Router::new().route("/", get(page))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Wanted {
    range: Option<String>,
}

/// `GET /`
async fn page(visit: Visit, UrlQuery(wanted): UrlQuery<Wanted>) -> Result<Markup, Fault> {
    let shell = Shell { title: "Overview", section: Section::Overview };
    if let Some(start) = first::start(&visit).await? {
        return visit.page(shell, &start).await;
    }
    let range = Range::named(wanted.range.as_deref());
    let of_range = |range: Range| {
        let query = Query::default().with("project", Some(&visit.frame.project)).with("range", Some(range.name()));
        visit.frame.href(query.as_str())
    };
    // Once the first export is in, this takes the place of what waited for it.
    let content = html! {
        div #now {
            div.page-head {
                div { h1 { "Overview" } (health(&visit).await?) }
                div.actions {
                    (range.choice(of_range))
                    @if visit.may("api.key.create") {
                        a.button.primary href=(visit.frame.here("/keys/new")) data-dialog data-new { (icon(Icon::Plus)) "Create key" }
                    }
                }
            }
            div.overview {
                (attention::panel(&visit).await?)
                @if visit.may("usage.view") { (usage(&visit, range).await?) }
            }
        }
    };
    visit.page(shell, &content).await
}

/// What came in during the range.
async fn usage(visit: &Visit, range: Range) -> Result<Markup, Fault> {
    let project = Some(&visit.frame.project).filter(|project| !project.is_empty());
    let axis = Axis::coarse(range, visit.now);
    let by_signal = axis.query().with("project", project).with("group_by", Some("signal"));
    let top = axis.query().with("project", project).with("group_by", Some("project,grid,environment"));
    let top = format!("/usage/top{}", top.with("limit", Some(figures::TENANTS)).as_str());
    let (rows, top) = try_join!(rows(&visit.api, &by_signal), visit.api.get::<UsageTopView>(&top))?;
    let quotas = figures::quotas(visit, &top).await?;
    let refused = sum(&rows).refused_by;
    Ok(html! {
        (figures::signals(range, &axis, &rows))
        div.overview-halves {
            (figures::tenants(visit, &top, &quotas))
            (figures::reasons(visit, &refused))
        }
    })
}

/// For so long the exports per minute are taken together, in minutes.
const MINUTES: u32 = 5;

/// Exports whose time is looked at.
const TIMED: u32 = 200;

/// One line: whether all is well, how much comes in, how fast it is acknowledged, and how far delivery is behind.
async fn health(visit: &Visit) -> Result<Markup, Fault> {
    if !visit.may("usage.view") {
        return Ok(html! {});
    }
    let project = Some(&visit.frame.project);
    let minute = Step::Minute.start(visit.now);
    let recent = Query::default().with("step", Some("minute")).with("project", project);
    let recent = recent.with("from", Some(minute.before(Step::Minute.length() * MINUTES).to_string()));
    let recent = format!("/usage/top{}", recent.with("to", Some(minute.to_string())).as_str());
    let timed = Query::default().with("project", project).with("outcome", Some("accepted")).with("limit", Some(TIMED));
    let timed = format!("/requests{}", timed.as_str());
    let (jobs, arrived, timed) = try_join!(
        Api::if_allowed(visit.api.get::<JobsView>("/jobs")),
        visit.api.get::<UsageTopView>(&recent),
        visit.api.get::<RequestsView>(&timed),
    )?;
    let jobs = jobs.map(|jobs| jobs.data).unwrap_or_default();
    let failing = jobs.iter().filter(|job| job.state == "failing").count();
    let behind = jobs.iter().find(|job| job.name == "delivery").and_then(|job| job.lag.as_ref());
    let each = sum(&arrived.data).received / u64::from(MINUTES);
    let mut waits: Vec<_> = timed.data.iter().map(|one| one.duration_us).collect();
    waits.sort_unstable();
    let slow = waits.get((waits.len() * 99).div_ceil(100).saturating_sub(1));
    Ok(html! {
        ul.health #health data-fresh="15" {
            @if failing > 0 {
                li {
                    (mark(Severity::Danger))
                    a href=(visit.frame.href("/settings/jobs")) {
                        (counted(u64::try_from(failing).unwrap_or(u64::MAX), "job fails", "jobs fail"))
                    }
                }
            } @else {
                li { (mark(Severity::Fine)) "Accepting exports" }
            }
            li { (short(each)) " exports per minute" }
            @if let Some(slow) = slow {
                li title={ "Of the last " (waits.len()) " exports that were accepted and logged" } {
                    "Acknowledged in " (milliseconds(*slow)) " (p99)"
                }
            }
            @if let Some(lag) = behind {
                li { @if lag.amount == 0 { "Delivery up to date" } @else { "Delivery " (bytes(lag.amount)) " behind" } }
            }
        }
    })
}

/// `0.4 ms`, `38 ms`, `1.2 s`.
fn milliseconds(micros: u64) -> String {
    match micros {
        0..10_000 => format!("{}.{} ms", micros / 1_000, micros % 1_000 / 100),
        10_000..1_000_000 => format!("{} ms", micros / 1_000),
        _ => format!("{}.{} s", micros / 1_000_000, micros % 1_000_000 / 100_000),
    }
}

#[cfg(test)]
mod tests {
    use super::milliseconds;

    #[test]
    fn times_are_short() {
        let cases = [(0, "0.0 ms"), (3_849, "3.8 ms"), (38_000, "38 ms"), (999_999, "999 ms"), (1_250_000, "1.2 s")];
        for (micros, text) in cases {
            assert_eq!(milliseconds(micros), text);
        }
    }
}
