//! `gridgate keys`

mod create;

use clap::{Args, Subcommand};

use super::client::{Client, Target};
use super::confirm::{Question, Sure};
use super::output::{self, Output, Row, inert, or_dash};
use super::{Exit, Failure, Terminal};
use crate::admin::keys::KeyView;
use crate::domain::{KeyId, Slug};

/// Create, list, show, disable, enable and revoke keys.
#[derive(Debug, Args)]
pub struct Keys {
    #[command(flatten)]
    target: Target,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Create a key and print its token, which is shown once.
    Create(create::Create),
    /// List the keys that the admin key may see, without revoked ones unless --status names them.
    List(Filter),
    /// Show one key.
    Show(One),
    /// Refuse a key until it is enabled again.
    Disable(One),
    /// Undo a disable.
    Enable(One),
    /// Refuse a key for ever. This cannot be undone.
    Revoke {
        #[command(flatten)]
        one: One,
        #[command(flatten)]
        sure: Sure,
    },
}

#[derive(Debug, Args)]
struct One {
    /// The key's id, `key_` and 12 characters.
    #[arg(value_name = "KEY_ID")]
    id: String,
    /// The form of the output.
    #[arg(long, value_enum, default_value = "table")]
    output: Output,
}

#[derive(Debug, Args)]
struct Filter {
    /// Only keys of this project.
    #[arg(long)]
    project: Option<Slug>,
    /// Only ingest keys of this grid.
    #[arg(long)]
    grid: Option<Slug>,
    /// Only ingest keys of this environment.
    #[arg(long)]
    environment: Option<Slug>,
    /// Only keys of this kind: ingest or admin.
    #[arg(long)]
    kind: Option<String>,
    /// Only keys with one of these statuses, separated by commas: active, disabled, expired, revoked; or all.
    #[arg(long)]
    status: Option<String>,
    /// The form of the output.
    #[arg(long, value_enum, default_value = "table")]
    output: Output,
}

impl Keys {
    pub(super) async fn run(self, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        let client = Client::new(&self.target, terminal)?;
        match self.verb {
            Verb::Create(create) => create.run(&client, &self.target, terminal).await,
            Verb::List(filter) => filter.run(&client, terminal).await,
            Verb::Show(one) => {
                let path = one.path("")?;
                output::one(terminal, one.output, &client.get::<KeyView>(&path).await?)
            }
            Verb::Disable(one) => one.change(&client, "/disable", terminal).await,
            Verb::Enable(one) => one.change(&client, "/enable", terminal).await,
            Verb::Revoke { one, sure } => {
                one.confirm_revoke(&sure, &client, terminal).await?;
                one.change(&client, "/revoke", terminal).await
            }
        }
    }
}

impl One {
    /// The key's path. Its error does not repeat the text, which may be a token that was pasted by mistake.
    fn path(&self, verb: &str) -> Result<String, Failure> {
        let id: KeyId = self.id.parse().map_err(|error| Failure::new(Exit::Usage, format!("KEY_ID: {error}")))?;
        Ok(format!("/keys/{id}{verb}"))
    }

    async fn change(&self, client: &Client, verb: &str, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        let key: KeyView = client.command(&self.path(verb)?).await?;
        terminal.say(&format!("{} is {}", described(&key), key.status));
        output::one(terminal, self.output, &key)
    }

    async fn confirm_revoke(&self, sure: &Sure, client: &Client, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        let path = self.path("")?;
        let instead = Some("use `keys disable`, which can be undone");
        let question = async || {
            let key: KeyView = client.get(&path).await?;
            Ok(Question {
                consequences: vec!["Applications using this key will stop working. This cannot be undone.".to_owned()],
                text: format!("Revoke {}?", described(&key)),
            })
        };
        sure.or_ask(terminal, instead, question).await
    }
}

impl Filter {
    async fn run(&self, client: &Client, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        let filters = [
            ("project", self.project.as_ref().map(Slug::as_str)),
            ("grid", self.grid.as_ref().map(Slug::as_str)),
            ("environment", self.environment.as_ref().map(Slug::as_str)),
            ("kind", self.kind.as_deref()),
            ("status", self.status.as_deref()),
        ];
        let keys: Vec<KeyView> = client.list("/keys", &filters).await?;
        output::rows(terminal, self.output, &keys)
    }
}

/// The key in a sentence.
fn described(key: &KeyView) -> String {
    format!("{} (\"{}\", {} key of {})", key.id, inert(&key.name), key.kind, scope(key))
}

/// What the key is bound to.
fn scope(key: &KeyView) -> String {
    let parts = [&key.project, &key.grid, &key.environment];
    let path: Vec<_> = parts.into_iter().flatten().map(String::as_str).collect();
    if path.is_empty() { "the installation".to_owned() } else { path.join("/") }
}

impl Row for KeyView {
    const COLUMNS: &'static [&'static str] = &["KEY", "NAME", "KIND", "SCOPE", "STATUS", "CREATED", "EXPIRES"];

    fn values(&self) -> Vec<String> {
        vec![
            self.id.clone(),
            self.name.clone(),
            self.kind.clone(),
            scope(self),
            self.status.clone(),
            self.created_at.clone(),
            or_dash(self.expires_at.as_deref()),
        ]
    }
}
