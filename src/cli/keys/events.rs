//! `gridgate keys events`

use clap::Args;
use serde::Serialize;
use serde_json::Value;

use super::One;
use crate::admin::audit::AuditView;
use crate::cli::client::{Client, most};
use crate::cli::output::{self, Row, brief, moment, or_dash};
use crate::cli::{Failure, Terminal};

#[derive(Debug, Args)]
pub(super) struct Events {
    #[command(flatten)]
    one: One,
    /// Show so many at most; all without it.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
}

/// Something that was done to a key.
#[derive(Serialize)]
#[serde(transparent)]
struct Event(AuditView);

impl Events {
    pub(super) async fn run(self, client: &Client, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        let (events, _) = client.first::<AuditView>(most(self.limit), &self.one.path("/events")?, &[]).await?;
        output::rows(terminal, self.one.output, &events.into_iter().map(Event).collect::<Vec<_>>())
    }
}

impl Row for Event {
    const COLUMNS: &'static [&'static str] = &["AT", "ACTION", "BY", "FROM", "BEFORE", "AFTER"];

    fn values(&self) -> Vec<String> {
        let Self(event) = self;
        let fields =
            |value: &Option<Value>| value.as_ref().map_or_else(|| "-".to_owned(), |value| brief(&value.to_string()));
        vec![
            moment(&event.at),
            event.action.clone(),
            brief(&event.actor.name),
            or_dash(event.address.as_deref()),
            fields(&event.before),
            fields(&event.after),
        ]
    }
}
