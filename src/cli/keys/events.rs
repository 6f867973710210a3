//! `gridgate keys events`

use clap::Args;

use super::One;
use crate::admin::audit::AuditView;
use crate::cli::client::{Client, most};
use crate::cli::output;
use crate::cli::{Failure, Terminal};

#[derive(Debug, Args)]
pub(super) struct Events {
    #[command(flatten)]
    one: One,
    /// Show so many at most; all without it.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
}

impl Events {
    pub(super) async fn run(self, client: &Client, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        let (events, _) = client.first::<AuditView>(most(self.limit), &self.one.path("/events")?, &[]).await?;
        output::rows(terminal, self.one.output, &events)
    }
}
