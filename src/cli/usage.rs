//! `gridgate usage`: how much came in and what became of it.

use clap::{Args, ValueEnum};

use super::client::{Client, Target};
use super::output::{self, Row, moment};
use super::{Failure, Terminal};
use crate::admin::usage::{CSV_HEAD, UsageView};
use crate::domain::usage::Step;
use crate::domain::{KeyId, Signal, Slug, Timestamp};

/// Show how much came in and what became of it, by minute, hour or day.
#[derive(Debug, Args)]
pub struct Usage {
    #[command(flatten)]
    target: Target,
    /// From the step on that this instant (RFC 3339) is in; 24 steps before the end unless told otherwise.
    #[arg(long, value_name = "INSTANT")]
    from: Option<Timestamp>,
    /// Only what came before this instant (RFC 3339); until now unless told otherwise.
    #[arg(long, value_name = "INSTANT")]
    to: Option<Timestamp>,
    /// How finely: minute, hour or day.
    #[arg(long, default_value = "hour")]
    step: Step,
    /// A row for each of these, with commas between them.
    #[arg(long, value_name = "GROUP", value_enum, value_delimiter = ',')]
    by: Vec<Group>,
    /// Only of this project.
    #[arg(long)]
    project: Option<Slug>,
    /// Only of this grid.
    #[arg(long)]
    grid: Option<Slug>,
    /// Only of this environment.
    #[arg(long)]
    environment: Option<Slug>,
    /// Only of this key.
    #[arg(long, value_name = "KEY_ID")]
    key: Option<KeyId>,
    /// Only of this signal: traces, metrics, logs or profiles.
    #[arg(long)]
    signal: Option<Signal>,
    /// The form of the output.
    #[arg(long, value_enum, default_value = "table")]
    output: Form,
}

/// What usage is grouped by.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Group {
    Project,
    Grid,
    Environment,
    Key,
    Signal,
    Outcome,
}

/// The form of the output.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Form {
    /// Columns for people.
    Table,
    /// JSON, as the admin API gives it.
    Json,
    /// Comma-separated values with a line of names.
    Csv,
}

impl Usage {
    pub(super) async fn run(self, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        let client = Client::new(&self.target, terminal)?;
        let text = |at: Option<Timestamp>| at.map(|at| at.to_string());
        let (from, to, key) = (text(self.from), text(self.to), self.key.map(|key| key.to_string()));
        let by: Vec<_> = self.by.iter().filter_map(Group::to_possible_value).collect();
        let by = by.iter().map(|by| by.get_name()).collect::<Vec<_>>().join(",");
        let filters = [
            ("from", from.as_deref()),
            ("to", to.as_deref()),
            ("step", Some(self.step.as_str())),
            ("group_by", (!by.is_empty()).then_some(by.as_str())),
            ("project", self.project.as_ref().map(Slug::as_str)),
            ("grid", self.grid.as_ref().map(Slug::as_str)),
            ("environment", self.environment.as_ref().map(Slug::as_str)),
            ("key", key.as_deref()),
            ("signal", self.signal.map(Signal::as_str)),
        ];
        let rows: Vec<UsageView> = client.list("/usage", &filters).await?;
        match self.output {
            Form::Table => output::rows(terminal, output::Output::Table, &rows),
            Form::Json => output::json(terminal, &rows),
            Form::Csv => {
                let lines: String = rows.iter().map(UsageView::csv_line).collect();
                let text = format!("{CSV_HEAD}{lines}");
                // The last line's end is written with it.
                Ok(terminal.data(text.strip_suffix('\n').unwrap_or(&text))?)
            }
        }
    }
}

impl Row for UsageView {
    const COLUMNS: &'static [&'static str] =
        &["AT", "OF", "RECEIVED", "ACCEPTED", "REFUSED", "GONE", "WOULD REFUSE", "ITEMS", "BYTES", "WHY REFUSED"];

    fn values(&self) -> Vec<String> {
        let names = [&self.project, &self.grid, &self.environment, &self.key, &self.signal, &self.outcome];
        let names: Vec<_> = names.into_iter().flatten().map(String::as_str).collect();
        let reasons: Vec<_> = self.refused_by.iter().map(|(reason, exports)| format!("{reason}={exports}")).collect();
        let or_dash = |text: String| if text.is_empty() { "-".to_owned() } else { text };
        let numbers =
            [self.received, self.accepted, self.refused, self.gone, self.would_refuse, self.items, self.bytes];
        let mut values = vec![moment(&self.at), or_dash(names.join(" "))];
        values.extend(numbers.map(|number| number.to_string()));
        values.push(or_dash(reasons.join(" ")));
        values
    }
}
