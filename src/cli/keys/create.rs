//! `gridgate keys create`

use clap::{Args, ValueEnum};

use super::described;
use crate::admin::keys::create::{IssuedKey, NewKey};
use crate::cli::client::{Client, Target};
use crate::cli::output;
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
    /// The OTLP endpoint that `--output env` prints.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:4318")]
    endpoint: String,
    /// The form of the output.
    #[arg(long, value_enum, default_value = "token")]
    output: Form,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Kind {
    /// Exports telemetry of one grid in one environment.
    Ingest,
    /// Administers a project or the installation.
    Admin,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Form {
    /// The token and nothing else.
    Token,
    /// Environment variables to paste.
    Env,
    /// Columns for people, and the token below.
    Table,
    /// JSON, as the admin API gives it.
    Json,
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
        let issued: IssuedKey = client.post("/keys", &new).await?;
        terminal.say(&format!("created {}; its token is shown this once", described(&issued.key)));
        match self.output {
            Form::Token => terminal.data(&issued.token)?,
            Form::Env => terminal.data(&variables(self.kind, &issued.token, &self.endpoint, target))?,
            Form::Json => output::json(terminal, &issued)?,
            Form::Table => {
                output::one(terminal, output::Output::Table, &issued.key)?;
                terminal.data(&format!("\n{}", issued.token))?;
            }
        }
        Ok(())
    }
}

/// Lines to paste where the key is used.
fn variables(kind: Kind, token: &str, endpoint: &str, target: &Target) -> String {
    match kind {
        Kind::Ingest => format!(
            "OTEL_EXPORTER_OTLP_ENDPOINT={endpoint}\n\
             OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf\n\
             OTEL_EXPORTER_OTLP_HEADERS=api-key={token}"
        ),
        Kind::Admin => format!("GRIDGATE_ADMIN_URL={}\nGRIDGATE_ADMIN_KEY={token}", target.admin_url),
    }
}
