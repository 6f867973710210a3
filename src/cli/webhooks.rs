//! `gridgate webhooks`

use clap::{Args, Subcommand};
use serde_json::Value;

use super::client::{Client, IdempotencyKey, Once, Target, most};
use super::confirm::{Question, Sure};
use super::output::{self, Card, Output, Row, brief, inert, joined, moment, moment_or_dash, or_dash};
use super::patch::{Patch, list, text};
use super::{Exit, Failure, Terminal};
use crate::admin::webhooks::create::NewWebhook;
use crate::admin::webhooks::{DeliveryView, WebhookView, WebhookWithSecret};
use crate::domain::Slug;
use crate::domain::webhook::WebhookId;

/// List, create, change, delete and test webhooks, which are told what happens to keys.
#[derive(Debug, Args)]
pub struct Webhooks {
    #[command(flatten)]
    target: Target,
    /// The form of the output.
    #[arg(long, global = true, value_enum, default_value = "table")]
    output: Output,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List the webhooks that the admin key may see.
    List {
        /// Only webhooks of this project.
        #[arg(long)]
        project: Option<Slug>,
    },
    /// Create a webhook and print its signing secret, which is shown once.
    Create(Create),
    /// Show everything about one webhook.
    Show(One),
    /// Change a webhook, unless somebody else changes it meanwhile.
    Edit(Edit),
    /// Delete a webhook and the record of its messages.
    Delete {
        #[command(flatten)]
        one: One,
        #[command(flatten)]
        sure: Sure,
    },
    /// Give a webhook a new signing secret and print it, which is shown once; messages are signed by both for a day.
    RotateSecret {
        #[command(flatten)]
        one: One,
        #[command(flatten)]
        once: Once,
    },
    /// Send a message at once and say what came of it.
    Test(One),
    /// List the messages of a webhook and what became of them, newest first.
    Deliveries {
        #[command(flatten)]
        one: One,
        /// Show so many at most; all without it.
        #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
        limit: Option<u32>,
    },
}

#[derive(Debug, Args)]
struct One {
    /// The webhook's id, `whk_` and 12 characters.
    #[arg(value_name = "WEBHOOK_ID")]
    id: String,
}

#[derive(Debug, Args)]
struct Create {
    /// Where messages are sent.
    #[arg(long)]
    url: String,
    /// What it is told of, once per event: `key.expiring`, `key.rotation_due`, `key.revoked` and others, which `docs/webhooks.md` lists.
    #[arg(long = "event", value_name = "EVENT", required = true)]
    events: Vec<String>,
    /// The project whose keys it is told of; without it every project's, and the installation's.
    #[arg(long)]
    project: Option<Slug>,
    /// Whatever else people should know.
    #[arg(long)]
    note: Option<String>,
    /// Send nothing until it is enabled.
    #[arg(long)]
    disabled: bool,
    #[command(flatten)]
    once: Once,
}

#[derive(Debug, Args)]
struct Edit {
    #[command(flatten)]
    one: One,
    /// Where messages are sent from now on.
    #[arg(long)]
    url: Option<String>,
    /// What it is told of, in place of what it is told of now, once per event.
    #[arg(long = "event", value_name = "EVENT")]
    events: Vec<String>,
    /// A new note; an empty one removes it.
    #[arg(long)]
    note: Option<String>,
    /// Send nothing until it is enabled.
    #[arg(long, conflicts_with = "enable")]
    disable: bool,
    /// Send again, what waits too.
    #[arg(long)]
    enable: bool,
    /// Change the webhook only if it still has this version, which `webhooks show` tells; without it, the version it has now.
    #[arg(long, value_name = "VERSION")]
    if_version: Option<u64>,
}

impl Webhooks {
    pub(super) async fn run(self, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        let (client, output) = (Client::new(&self.target, terminal)?, self.output);
        match self.verb {
            Verb::List { project } => {
                let filters = [("project", project.as_ref().map(Slug::as_str))];
                output::rows(terminal, output, &client.list::<WebhookView>("/webhooks", &filters).await?)
            }
            Verb::Create(create) => {
                let key = create.once.key()?;
                let made = client.post_once("/webhooks", &create.body(), &key).await?;
                show_secret(&made, output, &key, terminal)
            }
            Verb::Show(one) => output::whole(terminal, output, &client.get::<WebhookView>(&one.path("")?).await?),
            Verb::Edit(edit) => edit.run(&client, output, terminal).await,
            Verb::Delete { one, sure } => one.delete(&sure, &client, terminal).await,
            Verb::RotateSecret { one, once } => {
                let key = once.key()?;
                let made = client.command_once(&one.path("/rotate-secret")?, &key).await?;
                show_secret(&made, output, &key, terminal)
            }
            Verb::Test(one) => {
                let delivery: DeliveryView = client.command(&one.path("/test")?).await?;
                output::one(terminal, output, &delivery)?;
                match delivery.state.as_str() {
                    "delivered" => Ok(()),
                    _ => Err(Failure::new(Exit::Refused, "the message was not delivered")),
                }
            }
            Verb::Deliveries { one, limit } => {
                let path = one.path("/deliveries")?;
                let (deliveries, _) = client.first::<DeliveryView>(most(limit), &path, &[]).await?;
                output::rows(terminal, output, &deliveries)
            }
        }
    }
}

impl One {
    fn path(&self, verb: &str) -> Result<String, Failure> {
        let id: WebhookId =
            self.id.parse().map_err(|error| Failure::new(Exit::Usage, format!("WEBHOOK_ID: {error}")))?;
        Ok(format!("/webhooks/{id}{verb}"))
    }

    async fn delete(&self, sure: &Sure, client: &Client, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        let path = self.path("")?;
        let question = async || {
            let webhook: WebhookView = client.get(&path).await?;
            Ok(Question {
                consequences: vec![
                    "What waits is not sent, and the record of its messages goes. This cannot be undone.".to_owned(),
                ],
                text: format!("Delete {} to {}?", webhook.id, inert(&webhook.url)),
            })
        };
        sure.or_ask(terminal, Some("use `webhooks edit --disable`, which can be undone"), question).await?;
        client.delete::<()>(&path).await?;
        terminal.say(&format!("{} is deleted", self.id));
        Ok(())
    }
}

impl Create {
    fn body(self) -> NewWebhook {
        NewWebhook {
            url: Some(self.url),
            events: Some(self.events),
            project: self.project.as_ref().map(Slug::to_string),
            note: self.note,
            disabled: self.disabled.then_some(true),
        }
    }
}

impl Edit {
    async fn run(self, client: &Client, output: Output, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        let path = self.one.path("")?;
        let changes = Patch::new([
            ("url", text(self.url.as_ref())),
            ("events", list(&self.events)),
            ("note", text(self.note.as_ref())),
            ("disabled", (self.disable || self.enable).then_some(Value::Bool(self.disable))),
        ]);
        let version = async || Ok(client.get::<WebhookView>(&path).await?.version);
        let webhook: WebhookView = changes.send(client, &path, self.if_version, version).await?;
        output::whole(terminal, output, &webhook)
    }
}

/// The secret alone goes to stdout, unless JSON was asked for.
fn show_secret(
    made: &WebhookWithSecret,
    output: Output,
    key: &IdempotencyKey,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    let url = inert(&made.webhook.url);
    terminal.say(&format!("the signing secret of {} to {url}; it is shown this once", made.webhook.id));
    let written = match output {
        Output::Table => terminal.data(&made.secret).map_err(Failure::from),
        Output::Json => output::json(terminal, made),
    };
    written.map_err(|failure| failure.hint(key.advice()))
}

impl Row for WebhookView {
    const COLUMNS: &'static [&'static str] = &["WEBHOOK", "URL", "SCOPE", "STATUS", "EVENTS", "FAILING SINCE"];

    fn values(&self) -> Vec<String> {
        vec![
            self.id.clone(),
            brief(&self.url),
            self.project.clone().unwrap_or_else(|| "the installation".to_owned()),
            self.status.clone(),
            joined(&self.events),
            moment_or_dash(self.failing_since.as_deref()),
        ]
    }
}

impl Card for WebhookView {
    fn fields(&self) -> Vec<(&'static str, String)> {
        let status = match &self.disabled_because {
            Some(because) => format!("{} ({because})", self.status),
            None => self.status.clone(),
        };
        vec![
            ("WEBHOOK", self.id.clone()),
            ("URL", self.url.clone()),
            ("NOTE", self.note.clone()),
            ("SCOPE", self.project.clone().unwrap_or_else(|| "the installation".to_owned())),
            ("EVENTS", joined(&self.events)),
            ("STATUS", status),
            ("DISABLED", moment_or_dash(self.disabled_at.as_deref())),
            ("FAILING SINCE", moment_or_dash(self.failing_since.as_deref())),
            ("SECRET", self.secret_version.to_string()),
            ("OLD SECRET UNTIL", moment_or_dash(self.previous_secret_until.as_deref())),
            ("VERSION", self.version.to_string()),
            ("CREATED", moment(&self.created_at)),
            ("CREATED BY", self.created_by.clone()),
            ("CHANGED", moment(&self.updated_at)),
        ]
    }
}

impl Row for DeliveryView {
    const COLUMNS: &'static [&'static str] =
        &["EVENT", "KIND", "STATE", "CREATED", "ATTEMPTS", "NEXT", "ANSWER", "TOOK", "ERROR"];

    fn values(&self) -> Vec<String> {
        vec![
            self.event.clone(),
            self.kind.clone(),
            self.state.clone(),
            moment(&self.created_at),
            self.attempts.to_string(),
            moment_or_dash(self.next_at.as_deref()),
            or_dash(self.status.map(|status| status.to_string()).as_deref()),
            or_dash(self.duration_ms.map(|took| format!("{took} ms")).as_deref()),
            or_dash(self.error.as_deref()),
        ]
    }
}
