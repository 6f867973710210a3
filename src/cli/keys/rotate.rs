//! `gridgate keys regenerate`, `rotate`, `complete-rotation` and `cancel-rotation`

use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::force::Force;
use super::{One, described, last_use, path};
use crate::admin::keys::create::IssuedKey;
use crate::admin::keys::{KeyView, SecretView};
use crate::cli::client::{Client, Target};
use crate::cli::confirm::{Question, Sure};
use crate::cli::issued::Showing;
use crate::cli::output::{self, inert, moment};
use crate::cli::patch::{Patch, text};
use crate::cli::senders::described as sender;
use crate::cli::{Failure, Terminal};

#[derive(Debug, Args)]
pub(super) struct Regenerate {
    /// The key's id, `key_` and 12 characters.
    #[arg(value_name = "KEY_ID")]
    id: String,
    #[command(flatten)]
    force: Force,
    #[command(flatten)]
    sure: Sure,
    #[command(flatten)]
    showing: Showing,
}

#[derive(Debug, Args)]
pub(super) struct Rotate {
    /// The key's id, `key_` and 12 characters.
    #[arg(value_name = "KEY_ID")]
    id: String,
    /// Let the old secret work until this instant, RFC 3339.
    #[arg(long, value_name = "INSTANT", conflicts_with = "overlap")]
    until: Option<String>,
    /// Let the old secret work for this long: 24h unless told otherwise, 30d at the most.
    #[arg(long = "for", value_name = "TIME", value_parser = humantime::parse_duration)]
    overlap: Option<Duration>,
    /// Retire the old secret earlier, once nothing was sent with it for this long: 15m.
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    when_drained: Option<Duration>,
    #[command(flatten)]
    showing: Showing,
}

/// The end of a rotation: either secret goes.
#[derive(Debug, Args)]
pub(super) struct End {
    #[command(flatten)]
    one: One,
    #[command(flatten)]
    force: Force,
    #[command(flatten)]
    sure: Sure,
}

impl Regenerate {
    pub(super) async fn run(
        self,
        client: &Client,
        target: &Target,
        terminal: &mut Terminal<'_>,
    ) -> Result<(), Failure> {
        let show = path(&self.id, "")?;
        let question = async || {
            let key: KeyView = client.get(&show).await?;
            let mut consequences =
                vec!["The present secret stops working now: what still sends with it loses its telemetry.".to_owned()];
            consequences.extend(last_use(&key));
            Ok(Question { consequences, text: format!("Regenerate {}?", described(&key)) })
        };
        let instead = "use `keys rotate`, which lets the present secret work for a while";
        self.sure.or_ask(terminal, Some(instead), question).await?;
        let once = self.showing.once.key()?;
        let regenerate = path(&self.id, "/regenerate")?;
        let send = async |force| {
            if force {
                client.post_once(&regenerate, &json!({"force": true}), &once).await
            } else {
                client.command_once(&regenerate, &once).await
            }
        };
        let issued: IssuedKey = self.force.send(terminal, send).await?;
        self.showing.show(&issued, &format!("regenerated {}", described(&issued.key)), target, &once, terminal)
    }
}

impl Rotate {
    pub(super) async fn run(
        self,
        client: &Client,
        target: &Target,
        terminal: &mut Terminal<'_>,
    ) -> Result<(), Failure> {
        let body = Patch::new([
            ("until", text(self.until.as_ref())),
            ("overlap_seconds", self.overlap.map(|time| json!(time.as_secs()))),
            ("drained_after_seconds", self.when_drained.map(|time| json!(time.as_secs()))),
        ]);
        let once = self.showing.once.key()?;
        let issued: IssuedKey = client.post_once(&path(&self.id, "/rotate")?, &body, &once).await?;
        let did = match &issued.key.rotation {
            Some(rotation) => format!(
                "rotated {}; its old secret works until {}{}",
                described(&issued.key),
                moment(&rotation.until),
                drained(rotation.drained_after_seconds)
            ),
            None => format!("rotated {}", described(&issued.key)),
        };
        self.showing.show(&issued, &did, target, &once, terminal)
    }
}

impl End {
    /// Retires the old secret.
    pub(super) async fn complete(self, client: &Client, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        let instead = "wait: the old secret retires by itself";
        let lost = "The old secret stops working now: what still sends with it loses its telemetry.";
        self.end(client, "complete", Some(instead), lost, terminal).await
    }

    /// Retires the new secret.
    pub(super) async fn cancel(self, client: &Client, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        let lost = "The new secret stops working now and for ever; the old one stays.";
        self.end(client, "cancel", None, lost, terminal).await
    }

    async fn end(
        self,
        client: &Client,
        verb: &str,
        instead: Option<&str>,
        lost: &str,
        terminal: &mut Terminal<'_>,
    ) -> Result<(), Failure> {
        let show = self.one.path("")?;
        let question = async || {
            let key: KeyView = client.get(&show).await?;
            let newest = key.secrets.iter().map(|secret| secret.version).max();
            let going = key.secrets.iter().filter(|secret| secret.state != "retired");
            let going = going.filter(|secret| (Some(secret.version) == newest) == (verb == "cancel"));
            let mut consequences: Vec<_> = std::iter::once(lost.to_owned()).chain(going.map(used)).collect();
            let old_senders = key.rotation.as_ref().filter(|_| verb == "complete");
            let old_senders = old_senders.and_then(|rotation| rotation.old_senders.as_ref()).into_iter().flatten();
            consequences.extend(old_senders.map(|one| inert(&format!("Seen with it: {}.", sender(one)))));
            Ok(Question { consequences, text: format!("{} the rotation of {}?", capital(verb), described(&key)) })
        };
        self.sure.or_ask(terminal, instead, question).await?;
        let path = self.one.path(&format!("/rotation/{verb}"))?;
        let key = self.force.command(&path, client, terminal).await?;
        let versions = key.secrets.iter().filter(|secret| secret.state != "retired").map(|secret| secret.version);
        let versions: Vec<_> = versions.map(|version| version.to_string()).collect();
        terminal.say(&format!("{}: the secret that works is version {}", described(&key), versions.join(" and ")));
        output::one(terminal, self.one.output, &key)
    }
}

/// When a secret was used last, and from where.
fn used(secret: &SecretView) -> String {
    match (&secret.last_used_at, &secret.last_used_address) {
        (Some(at), Some(address)) => format!("It was last used at {} from {address}.", moment(at)),
        (Some(at), None) => format!("It was last used at {}.", moment(at)),
        (None, _) => "It was never used.".to_owned(),
    }
}

fn drained(after_seconds: Option<u64>) -> String {
    let after = after_seconds.map(|seconds| humantime::format_duration(Duration::from_secs(seconds)).to_string());
    after.map(|time| format!(", or until nothing was sent with it for {time}")).unwrap_or_default()
}

fn capital(verb: &str) -> &'static str {
    if verb == "cancel" { "Cancel" } else { "Complete" }
}
