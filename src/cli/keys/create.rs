//! `gridgate keys create`

use clap::{Args, ValueEnum};

use super::described;
use crate::admin::keys::create::{IssuedKey, NewKey};
use crate::cli::client::{Client, Target};
use crate::cli::issued::Showing;
use crate::cli::{Failure, Terminal};
use crate::domain::Slug;

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
    /// What the key may do, once per permission. Without it an ingest key exports every signal and an admin key only looks.
    #[arg(long = "permission", value_name = "PERMISSION")]
    permissions: Vec<String>,
    /// The instant from which on the key is refused, RFC 3339.
    #[arg(long, value_name = "INSTANT")]
    expires_at: Option<String>,
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
        let new = NewKey {
            name: Some(self.name),
            kind: Some(kind.to_owned()),
            project: self.project.as_ref().map(Slug::to_string),
            grid: self.grid.as_ref().map(Slug::to_string),
            environment: self.environment.as_ref().map(Slug::to_string),
            permissions: (!self.permissions.is_empty()).then_some(self.permissions),
            expires_at: self.expires_at,
            ..NewKey::default()
        };
        let once = self.showing.once.key()?;
        let issued: IssuedKey = client.post_once("/keys", &new, &once).await?;
        self.showing.show(&issued, &format!("created {}", described(&issued.key)), target, &once, terminal)
    }
}
