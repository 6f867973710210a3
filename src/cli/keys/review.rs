//! `gridgate keys review`

use std::collections::BTreeSet;

use clap::Args;
use serde::Serialize;

use super::scope;
use crate::admin::keys::KeyView;
use crate::cli::client::Client;
use crate::cli::output::{self, Output, Row, brief, joined, moment, moment_or_dash, or_dash};
use crate::cli::{Failure, Terminal};
use crate::domain::Slug;

#[derive(Debug, Args)]
pub(super) struct Review {
    /// Only keys of this project.
    #[arg(long)]
    project: Option<Slug>,
    /// Only ingest keys of this environment.
    #[arg(long)]
    environment: Option<Slug>,
    /// The form of the output.
    #[arg(long, value_enum, default_value = "table")]
    output: Output,
}

/// The flags that a review looks for, the most urgent first. Each is a filter that the catalog has an index for; «all keys with
/// any flag» would look at every key there is.
const FLAGS: [&str; 6] = ["exposed", "weak", "expiring", "rotation_due", "unused_45", "never_used"];

/// A key that somebody should look at.
#[derive(Serialize)]
#[serde(transparent)]
struct Reviewed(KeyView);

impl Review {
    pub(super) async fn run(self, client: &Client, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        let mut found: Vec<Reviewed> = Vec::new();
        let mut seen = BTreeSet::new();
        for flag in FLAGS {
            let filters = [
                ("project", self.project.as_ref().map(Slug::as_str)),
                ("environment", self.environment.as_ref().map(Slug::as_str)),
                ("attention", Some(flag)),
            ];
            for key in client.list::<KeyView>("/keys", &filters).await? {
                if seen.insert(key.id.clone()) {
                    found.push(Reviewed(key));
                }
            }
        }
        if found.is_empty() && self.output == Output::Table {
            terminal.say("no key needs to be looked at");
            return Ok(());
        }
        output::rows(terminal, self.output, &found)
    }
}

impl Row for Reviewed {
    const COLUMNS: &'static [&'static str] =
        &["KEY", "NAME", "SCOPE", "OWNER", "ATTENTION", "LAST USED", "EXPIRES", "CREATED", "NOTE"];

    fn values(&self) -> Vec<String> {
        let Self(key) = self;
        vec![
            key.id.clone(),
            brief(&key.name),
            scope(key),
            brief(&or_dash(key.owner.as_deref())),
            joined(&key.attention),
            key.last_used_at.as_deref().map_or_else(|| "never".to_owned(), moment),
            moment_or_dash(key.expires_at.as_deref()),
            moment(&key.created_at),
            brief(&key.note),
        ]
    }
}
