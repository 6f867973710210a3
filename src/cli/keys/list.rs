//! `gridgate keys list`

use clap::Args;

use crate::admin::keys::KeyView;
use crate::cli::client::{Client, most};
use crate::cli::output::{self, Output};
use crate::cli::{Failure, Terminal};
use crate::domain::Slug;

#[derive(Debug, Args)]
pub(super) struct List {
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
    /// Only keys with this role.
    #[arg(long)]
    role: Option<String>,
    /// Only keys with this tag.
    #[arg(long)]
    tag: Option<String>,
    /// Only keys of this customer or team.
    #[arg(long)]
    owner: Option<String>,
    /// Only keys of people, or only other keys.
    #[arg(long, value_name = "BOOL")]
    member: Option<bool>,
    /// Only keys that need attention: `any`, or those with this flag: `rotation_due`, `expiring`, `expiring_soon`, `expiring_now`, `unused_45`, `unused_90`, `never_used`,
    /// `weak` or `exposed`.
    #[arg(long, value_name = "FLAG")]
    attention: Option<String>,
    /// Only keys in the overlap of two secrets, or only other keys.
    #[arg(long, value_name = "BOOL")]
    rotating: Option<bool>,
    /// Only keys whose name begins with this, in whichever case; or the key with this id.
    #[arg(short, long, value_name = "TEXT")]
    query: Option<String>,
    /// Only keys that were last used before this instant, RFC 3339, or never.
    #[arg(long, value_name = "INSTANT")]
    last_used_before: Option<String>,
    /// Only keys that expire before this instant, RFC 3339.
    #[arg(long, value_name = "INSTANT")]
    expires_before: Option<String>,
    /// By what to sort: `created_at`, `name`, `last_used_at`, `expires_at` or `attention`, downwards with a '-' before it. Newest first
    /// without it; with `--attention`, the longest due first.
    #[arg(long, value_name = "FIELD", allow_hyphen_values = true)]
    sort: Option<String>,
    /// Show so many keys at most; all without it.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// The form of the output.
    #[arg(long, value_enum, default_value = "table")]
    output: Output,
}

impl List {
    pub(super) async fn run(self, client: &Client, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        let text = |asked: Option<bool>| asked.map(|asked| asked.to_string());
        let (member, rotating) = (text(self.member), text(self.rotating));
        let filters = [
            ("project", self.project.as_ref().map(Slug::as_str)),
            ("grid", self.grid.as_ref().map(Slug::as_str)),
            ("environment", self.environment.as_ref().map(Slug::as_str)),
            ("kind", self.kind.as_deref()),
            ("status", self.status.as_deref()),
            ("role", self.role.as_deref()),
            ("tag", self.tag.as_deref()),
            ("owner", self.owner.as_deref()),
            ("member", member.as_deref()),
            ("attention", self.attention.as_deref()),
            ("rotating", rotating.as_deref()),
            ("q", self.query.as_deref()),
            ("last_used_before", self.last_used_before.as_deref()),
            ("expires_before", self.expires_before.as_deref()),
            ("sort", self.sort.as_deref()),
        ];
        let (keys, more) = client.first::<KeyView>(most(self.limit), "/keys", &filters).await?;
        output::rows(terminal, self.output, &keys)?;
        if more {
            terminal.say(&format!("these are the first {}; there are more", keys.len()));
        }
        Ok(())
    }
}
