//! `gridgate jobs`

use clap::Args;

use super::client::{Client, Target};
use super::output::{self, Output, Row, moment_or_dash, or_dash};
use super::{Failure, Terminal};
use crate::admin::jobs::{JobView, JobsView};

/// List the background jobs of the server, and how they do.
#[derive(Debug, Args)]
pub struct Jobs {
    #[command(flatten)]
    target: Target,
    /// The form of the output.
    #[arg(long, value_enum, default_value = "table")]
    output: Output,
}

impl Jobs {
    pub(super) async fn run(self, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        let client = Client::new(&self.target, terminal)?;
        let jobs: JobsView = client.get("/jobs").await?;
        output::rows(terminal, self.output, &jobs.data)
    }
}

impl Row for JobView {
    const COLUMNS: &'static [&'static str] =
        &["JOB", "STATE", "LAST SUCCESS", "RUNS", "FAILURES", "LAG", "LAST FAILURE", "LAST ERROR"];

    fn values(&self) -> Vec<String> {
        vec![
            self.name.clone(),
            self.state.clone(),
            moment_or_dash(self.succeeded_at.as_deref()),
            self.runs.to_string(),
            self.failures.to_string(),
            self.lag.as_ref().map_or_else(|| "-".to_owned(), |lag| format!("{} {}", lag.amount, lag.unit)),
            moment_or_dash(self.failed_at.as_deref()),
            or_dash(self.last_error.as_deref()),
        ]
    }
}
