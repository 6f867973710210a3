//! `gridgate keys create`

use clap::{Args, ValueEnum};

use super::described;
use crate::admin::keys::create::{IssuedKey, NewKey};
use crate::cli::client::{Client, Target};
use crate::cli::expiry::Expiry;
use crate::cli::issued::Showing;
use crate::cli::limits::bodies;
use crate::cli::{Failure, Terminal};
use crate::domain::Slug;
use crate::domain::limit::Limit;

#[derive(Debug, Args)]
pub(super) struct Create {
    /// The key's name for people.
    #[arg(long)]
    name: String,
    /// What the key opens.
    #[arg(long, value_enum, default_value = "ingest")]
    kind: Kind,
    /// The project. An admin key without one is of the whole installation.
    #[arg(long, required_unless_present = "kind", required_if_eq("kind", "ingest"))]
    project: Option<Slug>,
    /// The grid of an ingest key.
    #[arg(long, required_unless_present = "kind", required_if_eq("kind", "ingest"))]
    grid: Option<Slug>,
    /// The environment of an ingest key.
    #[arg(long, required_unless_present = "kind", required_if_eq("kind", "ingest"))]
    environment: Option<Slug>,
    /// What the key may do, by the name of a role. Without it and --permission an ingest key exports every signal and an admin
    /// key only looks.
    #[arg(long, conflicts_with = "permissions")]
    role: Option<String>,
    /// What the key may do, once per permission.
    #[arg(long = "permission", value_name = "PERMISSION")]
    permissions: Vec<String>,
    /// Where the key is used, and whatever else people should know.
    #[arg(long)]
    note: Option<String>,
    /// A word to find the key by, once per word.
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// The customer or team that the key is for.
    #[arg(long)]
    owner: Option<String>,
    /// An address or network that the key may be used from, once for each; from everywhere without it.
    #[arg(long = "allow", value_name = "CIDR")]
    allowed_addresses: Vec<String>,
    /// A limit of an ingest key's own, once for each, such as "1000 items/second burst 5000" or "traces 5000000 bytes/day observe".
    #[arg(long = "limit", value_name = "LIMIT")]
    limits: Vec<Limit>,
    #[command(flatten)]
    expiry: Expiry,
    /// Create the key disabled.
    #[arg(long)]
    disabled: bool,
    /// The form of the token of an ingest key.
    #[arg(long, value_enum, default_value = "token")]
    format: Format,
    #[command(flatten)]
    showing: Showing,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Kind {
    /// Exports telemetry of one grid in one environment.
    Ingest,
    /// Administers a project or the installation.
    Admin,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Format {
    /// Gridgate's own, which says its kind, environment and key, and has a checksum.
    Token,
    /// A bare UUID, for senders that take nothing else.
    Uuid,
}

impl Create {
    pub(super) async fn run(
        self,
        client: &Client,
        target: &Target,
        terminal: &mut Terminal<'_>,
    ) -> Result<(), Failure> {
        let kind = match self.kind {
            Kind::Ingest => "ingest",
            Kind::Admin => "admin",
        };
        let expires_at = self.expiry.instant(terminal);
        let new = NewKey {
            name: Some(self.name),
            kind: Some(kind.to_owned()),
            project: self.project.as_ref().map(Slug::to_string),
            grid: self.grid.as_ref().map(Slug::to_string),
            environment: self.environment.as_ref().map(Slug::to_string),
            role: self.role,
            permissions: some(self.permissions),
            note: self.note,
            tags: some(self.tags),
            owner: self.owner,
            allowed_addresses: some(self.allowed_addresses),
            limits: some(bodies(&self.limits)),
            expires_at: expires_at.clone(),
            disabled: self.disabled.then_some(true),
            format: (self.format == Format::Uuid).then(|| "uuid".to_owned()),
        };
        let once = self.showing.once.key()?;
        let issued: Result<IssuedKey, _> = client.post_once("/keys", &new, &once).await;
        let issued = issued.map_err(|failure| self.expiry.same(failure, expires_at.as_deref()))?;
        self.showing.show(&issued, &format!("created {}", described(&issued.key)), target, &once, terminal)
    }
}

fn some<T>(values: Vec<T>) -> Option<Vec<T>> {
    (!values.is_empty()).then_some(values)
}
