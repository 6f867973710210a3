//! `gridgate quarantine`: what no destination takes, looked at in the data folder itself, whether a gate runs on it or not.

use std::io::Write;

use anyhow::Context;
use clap::{Args, Subcommand};

use super::output::{self, Output, Row, inert, or_dash};
use super::serve::Installation;
use super::{Exit, Failure, Terminal};
use crate::server::{Quarantine, SetAside};

/// List, show, remove and send again what no destination takes.
#[derive(Debug, Args)]
pub struct Quarantined {
    #[command(flatten)]
    installation: Installation,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List everything in quarantine.
    List {
        /// The form of the output.
        #[arg(long, value_enum, default_value = "table")]
        output: Output,
    },
    /// Write a payload to stdout: the protobuf of its signal's request, as `protoc --decode` reads it.
    Show {
        /// What to show, as `list` calls it.
        #[arg(value_name = "ID")]
        id: String,
    },
    /// Remove from quarantine for good. This cannot be undone.
    Remove {
        #[command(flatten)]
        which: Which,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
    /// Send again after the next start of the gate, because the destination has been put right.
    Retry {
        #[command(flatten)]
        which: Which,
    },
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Which {
    /// Only this one, as `list` calls it.
    #[arg(value_name = "ID")]
    id: Option<String>,
    /// Everything in quarantine; to be sent again, everything that can be.
    #[arg(long)]
    all: bool,
}

impl Quarantined {
    pub(super) async fn run(self, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        let folder = self.installation.config()?.log_folder();
        let opened = Quarantine::open(&folder).with_context(|| format!("log.folder: {}", folder.display()));
        let quarantine = opened?;
        match self.verb {
            Verb::List { output } => output::rows(terminal, output, &list(&quarantine).await?),
            Verb::Show { id } => show(&quarantine, &id, terminal).await,
            Verb::Remove { which, yes } => remove(&quarantine, which, yes, terminal).await,
            Verb::Retry { which } => retry(&quarantine, which, terminal).await,
        }
    }
}

async fn list(quarantine: &Quarantine) -> Result<Vec<SetAside>, Failure> {
    Ok(quarantine.list().await.context("the quarantine cannot be read")?)
}

async fn show(quarantine: &Quarantine, id: &str, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    if terminal.shown {
        return Err(Failure::new(Exit::Usage, "a payload is protobuf and not for a terminal")
            .hint("write it into a file or a pipe, for example `| protoc --decode_raw`"));
    }
    let payload = quarantine.payload(id).await.context("the payload cannot be read")?;
    let payload = payload.ok_or_else(|| unknown(id))?;
    terminal.out.write_all(&payload)?;
    Ok(terminal.out.flush()?)
}

async fn remove(quarantine: &Quarantine, which: Which, yes: bool, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let ids = ids(quarantine, which, |_| true).await?;
    if !yes {
        if !terminal.interactive {
            return Err(Failure::new(Exit::Usage, "removing cannot be undone and nobody is there to confirm it")
                .hint("give --yes"));
        }
        let what = if ids.len() == 1 { ids.join("") } else { format!("{} exports", ids.len()) };
        if !terminal.confirm(&format!("Remove {what} for good?"))? {
            return Err(Failure::new(Exit::Refused, "nothing was removed"));
        }
    }
    for id in &ids {
        if !quarantine.remove(id).await.with_context(|| format!("{id} cannot be removed"))? {
            return Err(unknown(id));
        }
    }
    terminal.say(&format!("removed: {}", ids.len()));
    Ok(())
}

async fn retry(quarantine: &Quarantine, which: Which, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let ids = ids(quarantine, which, SetAside::can_be_sent).await?;
    for id in &ids {
        if !quarantine.retry(id).await.with_context(|| format!("{id} cannot be sent again"))? {
            return Err(unknown(id));
        }
    }
    terminal.say(&format!("sent again after the next start of the gate: {}", ids.len()));
    Ok(())
}

async fn ids(quarantine: &Quarantine, which: Which, fits: impl Fn(&SetAside) -> bool) -> Result<Vec<String>, Failure> {
    match which.id {
        Some(id) => Ok(vec![id]),
        None => Ok(list(quarantine).await?.into_iter().filter(fits).map(|aside| aside.id).collect()),
    }
}

fn unknown(id: &str) -> Failure {
    Failure::new(Exit::Refused, format!("there is no {} in quarantine", inert(id)))
        .hint("`gridgate quarantine list` says what there is")
}

impl Row for SetAside {
    const COLUMNS: &'static [&'static str] =
        &["ID", "DESTINATION", "TENANT", "KEY", "SIGNAL", "ARRIVAL", "ITEMS", "BYTES", "SET ASIDE", "REASON"];

    fn values(&self) -> Vec<String> {
        vec![
            self.id.clone(),
            self.destination.clone(),
            or_dash(self.tenant.as_deref()),
            or_dash(self.key.as_deref()),
            or_dash(self.signal.as_deref()),
            or_dash(self.arrival.as_deref()),
            or_dash(self.items.map(|items| items.to_string()).as_deref()),
            self.bytes.to_string(),
            or_dash(self.at.as_deref()),
            self.reason.clone(),
        ]
    }
}
