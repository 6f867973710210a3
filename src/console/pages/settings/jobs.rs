//! The background jobs of the process that answers.

use maud::{Markup, html};

use super::{Part, show};
use crate::admin::jobs::{JobView, JobsView};
use crate::console::guard::Fault;
use crate::console::parts::chip::{Tone, chip};
use crate::console::parts::icon::Icon;
use crate::console::parts::number::{bytes, number, short};
use crate::console::parts::time::relative_or;
use crate::console::visit::Visit;

/// `GET /settings/jobs`
pub(super) async fn page(visit: Visit) -> Result<Markup, Fault> {
    let jobs: JobsView = visit.api.get("/jobs").await?;
    let content = html! {
        div.panel.table-panel {
            div.scroll tabindex="0" role="region" aria-label="Jobs" {
                table #jobs data-fresh="10" {
                    thead { tr {
                        th scope="col" { "Job" }
                        th scope="col" { "State" }
                        th scope="col" { "Last went well" }
                        th.end scope="col" { "Runs" }
                        th.end scope="col" { "Failures" }
                        th.end scope="col" { "Still to do" }
                    } }
                    tbody { @for job in &jobs.data { (row(&visit, job)) } }
                }
            }
        }
    };
    show(&visit, Part::Jobs, &content).await
}

fn row(visit: &Visit, job: &JobView) -> Markup {
    let failing = job.state == "failing";
    html! {
        tr.two[failing] {
            th scope="row" {
                span.name { (job.name) }
                @if let Some(error) = job.last_error.as_ref().filter(|_| failing) { span.meta { (error) } }
            }
            td { (state(&job.state)) }
            td { (relative_or(job.succeeded_at.as_deref(), visit.now, "Never")) }
            td.end { (number(job.runs)) }
            td.end { (number(job.failures)) }
            td.end {
                @match &job.lag {
                    Some(lag) if lag.unit == "bytes" => { (bytes(lag.amount)) }
                    Some(lag) => { (short(lag.amount)) " " (lag.unit) }
                    None => { span.meta { "—" } }
                }
            }
        }
    }
}

fn state(state: &str) -> Markup {
    match state {
        "failing" => chip(Tone::Red, Icon::Danger, "Failing"),
        "running" => chip(Tone::Quiet, Icon::Active, "Running"),
        "idle" => chip(Tone::Quiet, Icon::Active, "Idle"),
        _ => chip(Tone::Grey, Icon::Inactive, "Not yet run"),
    }
}
