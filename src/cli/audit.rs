//! `gridgate audit`: by the admin API, or in the database itself where no server runs.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use clap::{Args, Subcommand};
use serde_json::Value;

use super::client::{Client, Target, most};
use super::output::{self, Output, Row, brief, moment, or_dash};
use super::serve::Installation;
use super::{Exit, Failure, Terminal};
use crate::admin::audit::{AuditView, HeadView, VerifiedView};
use crate::catalog::{self, AuditFilter, AuditHead, Catalog, Paging};
use crate::domain::audit::{Action, Target as Thing, TargetKind};
use crate::domain::{KeyId, Slug, Timestamp};
use crate::server::catalog_settings;

/// List and verify the audit log: who did what.
#[derive(Debug, Args)]
pub struct Audit {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    directly: Directly,
    /// The form of the output.
    #[arg(long, global = true, value_enum, default_value = "table")]
    output: Output,
    #[command(subcommand)]
    verb: Verb,
}

/// With one of these the log is read in the installation's database itself, whether a server runs or not. No admin key is needed
/// then, but the right to read the files.
#[derive(Debug, Args)]
#[command(next_help_heading = "In the database itself")]
struct Directly {
    /// The configuration file of the installation.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data folder of the installation, in place of the option data.folder.
    #[arg(long, global = true, value_name = "FOLDER")]
    data: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List what was done, newest first.
    List(Filter),
    /// Take the hash of each entry anew, and say where the chain breaks if it does.
    Verify {
        /// An end of the chain that `gridgate audit head` printed earlier: the chain must still hold it.
        #[arg(long, value_name = "SEQ:HASH")]
        expect: Option<AuditHead>,
    },
    /// Print the end of the chain, to be kept elsewhere.
    Head,
}

#[derive(Debug, Args)]
struct Filter {
    /// Only what was done to what belongs to this project.
    #[arg(long)]
    project: Option<Slug>,
    /// Only what this admin key did.
    #[arg(long, value_name = "KEY_ID")]
    actor: Option<KeyId>,
    /// Only this, such as key.created.
    #[arg(long)]
    action: Option<Action>,
    /// Only what was done to this: the id of a key or webhook, or a kind, a colon and an id or slug.
    #[arg(long, value_parser = thing)]
    target: Option<(TargetKind, String)>,
    /// Only what was done at this instant or later (RFC 3339).
    #[arg(long, value_name = "INSTANT")]
    since: Option<Timestamp>,
    /// Only what was done before this instant (RFC 3339).
    #[arg(long, value_name = "INSTANT")]
    until: Option<Timestamp>,
    /// Show so many at most.
    #[arg(long, value_name = "NUMBER", default_value = "100", value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
}

impl Audit {
    pub(super) async fn run(self, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        let source = match self.directly.installation() {
            Some(installation) => {
                let settings = catalog_settings(&installation.config()?);
                Source::Database(catalog::connect(&settings).await.context("catalog.url").map_err(Failure::from)?)
            }
            None => Source::Api(Box::new(Client::new(&self.target, terminal)?)),
        };
        match self.verb {
            Verb::List(filter) => {
                let entries = source.entries(filter).await?;
                output::rows(terminal, self.output, &entries)
            }
            Verb::Head => {
                let head = source.head().await?;
                match self.output {
                    Output::Table => Ok(terminal.data(&shown(&head))?),
                    Output::Json => output::json(terminal, &head),
                }
            }
            Verb::Verify { expect } => {
                let verified = source.verify(expect).await?;
                if self.output == Output::Json {
                    output::json(terminal, &verified)?;
                }
                told(&verified, self.output, terminal)
            }
        }
    }
}

impl Directly {
    fn installation(self) -> Option<Installation> {
        let asked = self.config.is_some() || self.data.is_some();
        asked.then(|| Installation::at(self.config, self.data))
    }
}

/// Where the log is read.
enum Source {
    Api(Box<Client>),
    Database(Arc<dyn Catalog>),
}

impl Source {
    async fn entries(&self, filter: Filter) -> Result<Vec<AuditView>, Failure> {
        let Filter { project, actor, action, target, since, until, limit } = filter;
        match self {
            Self::Api(client) => {
                let target = target.map(|(kind, id)| format!("{kind}:{id}"));
                let text = |at: Option<Timestamp>| at.map(|at| at.to_string());
                let (actor, since, until) = (actor.map(|id| id.to_string()), text(since), text(until));
                let filters = [
                    ("project", project.as_ref().map(Slug::as_str)),
                    ("actor", actor.as_deref()),
                    ("action", action.map(Action::as_str)),
                    ("target", target.as_deref()),
                    ("since", since.as_deref()),
                    ("until", until.as_deref()),
                ];
                Ok(client.first(most(Some(limit)), "/audit-events", &filters).await?.0)
            }
            Self::Database(catalog) => {
                let filter = AuditFilter { project, actor, target, action, since, until };
                let paging = Paging { limit, after: None };
                let page = catalog.audit_entries(&filter, &paging).await.map_err(|error| unread(&error))?;
                Ok(page.items.into_iter().map(AuditView::from).collect())
            }
        }
    }

    async fn head(&self) -> Result<HeadView, Failure> {
        match self {
            Self::Api(client) => client.get("/audit-events/head").await,
            Self::Database(catalog) => Ok(catalog.audit_head().await.map_err(|error| unread(&error))?.into()),
        }
    }

    async fn verify(&self, expect: Option<AuditHead>) -> Result<VerifiedView, Failure> {
        match self {
            Self::Api(client) => {
                let query = expect.map(|head| format!("?expect={head}")).unwrap_or_default();
                client.get(&format!("/audit-events/verify{query}")).await
            }
            Self::Database(catalog) => Ok(catalog.verify_audit(expect).await.map_err(|error| unread(&error))?.into()),
        }
    }
}

/// Says what a verification found; that something was tampered with is a refusal.
fn told(verified: &VerifiedView, output: Output, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let Some(broken_at) = verified.broken_at else {
        if output == Output::Table {
            terminal.data(&format!("intact: {} entries, up to {}", verified.entries, shown(&verified.head)))?;
        }
        return Ok(());
    };
    let reason = verified.reason.as_deref().unwrap_or("it is not as it was written");
    let failure = Failure::new(Exit::Refused, format!("the audit log is broken at entry {broken_at}: {reason}"));
    Err(failure.hint(format!("the {} entries before it are as they were written", verified.entries)))
}

fn shown(head: &HeadView) -> String {
    format!("{}:{}", head.seq, head.hash)
}

fn unread(error: &catalog::CatalogError) -> Failure {
    Failure::new(Exit::Failed, format!("the audit log cannot be read: {error}"))
}

/// The kind and the id of a thing. Its error does not repeat the text, which may be a token that was pasted by mistake.
fn thing(text: &str) -> Result<(TargetKind, String), String> {
    Thing::parse(text).ok_or_else(|| "the id of a key or webhook, or a kind, a colon and an id or slug".to_owned())
}

impl Row for AuditView {
    const COLUMNS: &'static [&'static str] =
        &["SEQ", "AT", "ACTION", "BY", "TARGET", "PROJECT", "FROM", "BEFORE", "AFTER"];

    fn values(&self) -> Vec<String> {
        let fields =
            |value: &Option<Value>| value.as_ref().map_or_else(|| "-".to_owned(), |value| brief(&value.to_string()));
        vec![
            self.seq.to_string(),
            moment(&self.at),
            self.action.clone(),
            brief(&self.actor.name),
            format!("{} {}", self.target.kind, self.target.id),
            or_dash(self.project.as_deref()),
            or_dash(self.address.as_deref()),
            fields(&self.before),
            fields(&self.after),
        ]
    }
}
