//! What tables show of keys.

use super::One;
use crate::admin::keys::{KeyView, SecretView};
use crate::cli::client::Client;
use crate::cli::limits::texts;
use crate::cli::output::{self, Card, Output, Row, brief, inert, joined, moment, moment_or_dash, or_dash};
use crate::cli::{Failure, Terminal};

/// Shows everything about a key, and while it is rotated who was seen with the old secret.
pub(super) async fn show(one: &One, client: &Client, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let key: KeyView = client.get(&one.path("")?).await?;
    output::whole(terminal, one.output, &key)?;
    let old = key.rotation.and_then(|rotation| Some((rotation.old_version, rotation.old_senders?)));
    let Some((version, senders)) = old.filter(|_| one.output == Output::Table) else { return Ok(()) };
    if senders.is_empty() {
        return Ok(terminal.data(&format!("\nNobody was seen with secret {version}."))?);
    }
    terminal.data(&format!("\nSeen with secret {version}:"))?;
    output::rows(terminal, one.output, &senders)
}

/// The key in a sentence.
pub(in crate::cli) fn described(key: &KeyView) -> String {
    format!("{} (\"{}\", {} key of {})", key.id, inert(&key.name), key.kind, scope(key))
}

/// When the key was used last and from where, in a sentence; nothing of one that never was.
pub(in crate::cli) fn last_use(key: &KeyView) -> Option<String> {
    let at = moment(key.last_used_at.as_deref()?);
    let from = key.last_used_address.as_ref().map(|address| format!(" from {address}")).unwrap_or_default();
    let by = key.last_used_user_agent.as_ref().map(|agent| format!(" by \"{}\"", inert(agent))).unwrap_or_default();
    Some(format!("It was last used at {at}{from}{by}."))
}

/// What the key is bound to.
pub(in crate::cli) fn scope(key: &KeyView) -> String {
    let parts = [&key.project, &key.grid, &key.environment];
    let path: Vec<_> = parts.into_iter().flatten().map(String::as_str).collect();
    if path.is_empty() { "the installation".to_owned() } else { path.join("/") }
}

/// Its role, or that its permissions are its own.
fn role(key: &KeyView) -> String {
    key.role.clone().unwrap_or_else(|| "custom".to_owned())
}

impl Row for KeyView {
    const COLUMNS: &'static [&'static str] =
        &["KEY", "NAME", "KIND", "SCOPE", "ROLE", "STATUS", "LAST USED", "EXPIRES", "ATTENTION"];

    fn values(&self) -> Vec<String> {
        vec![
            self.id.clone(),
            brief(&self.name),
            self.kind.clone(),
            scope(self),
            role(self),
            self.status.clone(),
            self.last_used_at.as_deref().map_or_else(|| "never".to_owned(), moment),
            moment_or_dash(self.expires_at.as_deref()),
            joined(&self.attention),
        ]
    }
}

impl Card for KeyView {
    fn fields(&self) -> Vec<(&'static str, String)> {
        let rotation = self.rotation.as_ref().map(|rotation| {
            let used = rotation.old_last_used_at.as_deref().map_or_else(|| "never".to_owned(), moment);
            let (old, new, until) = (rotation.old_version, rotation.new_version, moment(&rotation.until));
            format!("from {old} to {new} until {until}; {old} was last used: {used}")
        });
        vec![
            ("KEY", self.id.clone()),
            ("TOKEN", self.masked.clone()),
            ("NAME", self.name.clone()),
            ("NOTE", self.note.clone()),
            ("TAGS", joined(&self.tags)),
            ("OWNER", or_dash(self.owner.as_deref())),
            ("KIND", self.kind.clone()),
            ("SCOPE", scope(self)),
            ("ROLE", role(self)),
            ("PERMISSIONS", joined(&self.permissions)),
            (
                "ALLOWED FROM",
                if self.allowed_addresses.is_empty() {
                    "everywhere".to_owned()
                } else {
                    self.allowed_addresses.join(",")
                },
            ),
            ("LIMITS", texts(&self.limits)),
            ("STATUS", self.status.clone()),
            ("VERSION", self.version.to_string()),
            ("CREATED", moment(&self.created_at)),
            ("CREATED BY", or_dash(self.created_by.as_deref())),
            ("CHANGED", moment(&self.updated_at)),
            ("EXPIRES", moment_or_dash(self.expires_at.as_deref())),
            ("DISABLED", moment_or_dash(self.disabled_at.as_deref())),
            ("REVOKED", moment_or_dash(self.revoked_at.as_deref())),
            ("ROTATION", or_dash(rotation.as_deref())),
            (
                "SECRETS",
                joined(
                    &self
                        .secrets
                        .iter()
                        .map(|secret| format!("{} {}", secret.version, secret.state))
                        .collect::<Vec<_>>(),
                ),
            ),
            ("LAST USED", self.last_used_at.as_deref().map_or_else(|| "never".to_owned(), moment)),
            ("LAST USED FROM", or_dash(self.last_used_address.as_deref())),
            ("LAST USED BY", or_dash(self.last_used_user_agent.as_deref())),
            ("ATTENTION", joined(&self.attention)),
        ]
    }
}

impl Row for SecretView {
    const COLUMNS: &'static [&'static str] =
        &["VERSION", "STATE", "FORMAT", "CREATED", "RETIRES", "FIRST USED", "LAST USED", "FROM", "BY"];

    fn values(&self) -> Vec<String> {
        vec![
            self.version.to_string(),
            self.state.clone(),
            self.format.clone(),
            moment(&self.created_at),
            moment_or_dash(self.retires_at.as_deref()),
            moment_or_dash(self.first_used_at.as_deref()),
            moment_or_dash(self.last_used_at.as_deref()),
            or_dash(self.last_used_address.as_deref()),
            self.last_used_user_agent.as_deref().map_or_else(|| "-".to_owned(), brief),
        ]
    }
}
