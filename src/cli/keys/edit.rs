//! `gridgate keys edit`

use clap::Args;
use serde_json::{Value, json};

use super::{One, described};
use crate::admin::audit::AuditView;
use crate::admin::keys::KeyView;
use crate::cli::client::Client;
use crate::cli::expiry::Expiry;
use crate::cli::limits::replaced;
use crate::cli::output::{self, inert, moment};
use crate::cli::patch::{Patch, VERSION_CONFLICT, list, text};
use crate::cli::{Failure, Terminal};
use crate::domain::limit::Limit;

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own on the command line")]
pub(super) struct Edit {
    #[command(flatten)]
    one: One,
    /// A new name.
    #[arg(long)]
    name: Option<String>,
    /// A new note; an empty one removes it.
    #[arg(long)]
    note: Option<String>,
    /// The words to find the key by, in place of those it has, once per word.
    #[arg(long = "tag", value_name = "TAG", conflicts_with = "no_tags")]
    tags: Vec<String>,
    /// Remove all tags.
    #[arg(long)]
    no_tags: bool,
    /// The customer or team that the key is for.
    #[arg(long, conflicts_with = "no_owner")]
    owner: Option<String>,
    /// Remove the owner.
    #[arg(long)]
    no_owner: bool,
    /// What the key may do, by the name of a role.
    #[arg(long, conflicts_with = "permissions")]
    role: Option<String>,
    /// What the key may do, in place of its role, once per permission.
    #[arg(long = "permission", value_name = "PERMISSION")]
    permissions: Vec<String>,
    /// An address or network that the key may be used from, in place of those it has, once for each.
    #[arg(long = "allow", value_name = "CIDR", conflicts_with = "allow_any")]
    allowed_addresses: Vec<String>,
    /// Let the key be used from everywhere.
    #[arg(long)]
    allow_any: bool,
    /// A limit of the key's own, in place of those it has, once for each.
    #[arg(long = "limit", value_name = "LIMIT", conflicts_with = "no_limits")]
    limits: Vec<Limit>,
    /// Remove the limits of the key's own.
    #[arg(long)]
    no_limits: bool,
    #[command(flatten)]
    expiry: Expiry,
    /// Let the key live for ever.
    #[arg(long, conflicts_with_all = ["expires_at", "expires_in"])]
    no_expiry: bool,
    /// Change the key only if it still has this version, which `keys show` tells; without it, the version it has now.
    #[arg(long, value_name = "VERSION")]
    if_version: Option<u64>,
}

impl Edit {
    pub(super) async fn run(self, client: &Client, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        let path = self.one.path("")?;
        let version = async || Ok(client.get::<KeyView>(&path).await?.version);
        let sent = self.patch(terminal).send(client, &path, self.if_version, version).await;
        let key: KeyView = match sent {
            Ok(key) => key,
            Err(failure) if failure.is(VERSION_CONFLICT) => return Err(self.who(failure, client).await),
            Err(failure) => return Err(failure),
        };
        terminal.say(&format!("changed {}; it has version {} now", described(&key), key.version));
        output::whole(terminal, self.one.output, &key)
    }

    fn patch(&self, terminal: &Terminal<'_>) -> Patch {
        let list = |values: &[String], none: bool| if none { Some(json!([])) } else { list(values) };
        let expires_at = self.expiry.instant(terminal);
        Patch::new([
            ("name", text(self.name.as_ref())),
            ("note", text(self.note.as_ref())),
            ("tags", list(&self.tags, self.no_tags)),
            ("owner", if self.no_owner { Some(Value::Null) } else { text(self.owner.as_ref()) }),
            ("role", text(self.role.as_ref())),
            ("permissions", list(&self.permissions, false)),
            ("allowed_addresses", list(&self.allowed_addresses, self.allow_any)),
            ("limits", replaced(&self.limits, self.no_limits)),
            ("expires_at", if self.no_expiry { Some(Value::Null) } else { text(expires_at.as_ref()) }),
        ])
    }

    /// Says who was faster, where the admin key may know it.
    async fn who(&self, failure: Failure, client: &Client) -> Failure {
        let events = client.first::<AuditView>(1, &format!("/keys/{}/events", self.one.id), &[]).await;
        let last = events.ok().and_then(|(events, _)| events.into_iter().next());
        last.into_iter().fold(failure, |failure, event| {
            let who = inert(&event.actor.name);
            failure.hint(format!("the last change was {} by \"{who}\" at {}", event.action, moment(&event.at)))
        })
    }
}
