//! `gridgate keys review`

use clap::Args;

use super::force::Force;
use super::{path, state};
use crate::admin::keys::quarter::ReviewView;
use crate::cli::client::Client;
use crate::cli::output::{self, Output, Row, brief, joined, moment, moment_or_dash, or_dash};
use crate::cli::{Failure, Terminal};
use crate::domain::Slug;

#[derive(Debug, Args)]
pub(super) struct Review {
    /// Write down that this key is still needed, in place of listing.
    #[arg(value_name = "KEY_ID", conflicts_with_all = ["project", "quarter"])]
    id: Option<String>,
    /// Only keys of this project.
    #[arg(long)]
    project: Option<Slug>,
    /// The quarter to look at, like 2026-Q4; the present one unless told otherwise.
    #[arg(long)]
    quarter: Option<String>,
    /// The form of the output.
    #[arg(long, value_enum, default_value = "table")]
    output: Output,
}

impl Review {
    pub(super) async fn run(self, client: &Client, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        if let Some(id) = &self.id {
            return state::change(&path(id, "/review")?, self.output, Force::default(), client, terminal).await;
        }
        let filters = [("project", self.project.as_ref().map(Slug::as_str)), ("quarter", self.quarter.as_deref())];
        let keys: Vec<ReviewView> = client.list("/keys/review", &filters).await?;
        output::rows(terminal, self.output, &keys)?;
        let open = keys.iter().filter(|key| key.reviewed_at.is_none()).count();
        terminal.say(&format!("{open} of {} are still to be reviewed", keys.len()));
        Ok(())
    }
}

impl Row for ReviewView {
    const COLUMNS: &'static [&'static str] =
        &["KEY", "NAME", "SCOPE", "OWNER", "STATUS", "AGE", "SECRET", "LAST USED", "ATTENTION", "REVIEWED"];

    fn values(&self) -> Vec<String> {
        let parts = [&self.project, &self.grid, &self.environment];
        let scope: Vec<_> = parts.into_iter().flatten().map(String::as_str).collect();
        let days = |days: u64| format!("{days} d");
        vec![
            self.id.clone(),
            brief(&self.name),
            if scope.is_empty() { "the installation".to_owned() } else { scope.join("/") },
            brief(&or_dash(self.owner.as_deref())),
            self.status.clone(),
            days(self.age_days),
            or_dash(self.secret_age_days.map(days).as_deref()),
            self.last_used_at.as_deref().map_or_else(|| "never".to_owned(), moment),
            joined(&self.attention),
            moment_or_dash(self.reviewed_at.as_deref()),
        ]
    }
}
