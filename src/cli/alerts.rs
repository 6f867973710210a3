//! `gridgate alerts`

use clap::Args;

use super::client::{Client, Target, most};
use super::output::{self, Output, Row, moment, or_dash};
use super::{Failure, Terminal};
use crate::admin::alerts::AlertView;
use crate::domain::Slug;

/// List what was out of the ordinary, and quotas that are nearly used up; the last first.
#[derive(Debug, Args)]
pub struct Alerts {
    #[command(flatten)]
    target: Target,
    /// Only alerts about this project.
    #[arg(long)]
    project: Option<Slug>,
    /// Only alerts about this key.
    #[arg(long, value_name = "KEY_ID")]
    key: Option<String>,
    /// Only alerts of this kind, such as `key.shared`.
    #[arg(long, value_name = "KIND")]
    alert: Option<String>,
    /// Show so many alerts at most; all without it.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// The form of the output.
    #[arg(long, value_enum, default_value = "table")]
    output: Output,
}

impl Alerts {
    pub(super) async fn run(self, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        let client = Client::new(&self.target, terminal)?;
        let filters = [
            ("project", self.project.as_ref().map(Slug::as_str)),
            ("key", self.key.as_deref()),
            ("alert", self.alert.as_deref()),
        ];
        let (alerts, more) = client.first::<AlertView>(most(self.limit), "/alerts", &filters).await?;
        output::rows(terminal, self.output, &alerts)?;
        if more {
            terminal.say(&format!("these are {}; there are more", alerts.len()));
        }
        Ok(())
    }
}

impl Row for AlertView {
    const COLUMNS: &'static [&'static str] = &["AT", "ALERT", "PROJECT", "KEY", "WHAT"];

    fn values(&self) -> Vec<String> {
        vec![
            moment(&self.at),
            self.alert.clone(),
            or_dash(self.project.as_deref()),
            or_dash(self.key.as_deref()),
            self.summary.clone(),
        ]
    }
}
