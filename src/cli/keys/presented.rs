//! `gridgate keys diagnose` and `gridgate keys verify`: what of a token is right, without sending anything with it.

use std::path::PathBuf;

use clap::Args;
use zeroize::Zeroizing;

use crate::admin::keys::{diagnose, verify};
use crate::cli::client::Client;
use crate::cli::doctor::given;
use crate::cli::output::{self, Card, Output, Row, or_dash};
use crate::cli::{Exit, Failure, Terminal};

/// A token that somebody has. It comes from standard input, `GRIDGATE_TOKEN` or a file, never from an argument.
#[derive(Debug, Args)]
struct Presented {
    /// A file that holds the token; without it `GRIDGATE_TOKEN` does, or standard input.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// The address that it is sent from.
    #[arg(long)]
    address: Option<String>,
    /// The form of the output.
    #[arg(long, value_enum, default_value = "table")]
    output: Output,
}

impl Presented {
    fn token(&self, terminal: &mut Terminal<'_>) -> Result<Zeroizing<String>, Failure> {
        given(self.token_file.as_deref(), terminal)
    }
}

#[derive(Debug, Args)]
pub(super) struct Diagnose {
    #[command(flatten)]
    presented: Presented,
    /// The signal that is sent with it; all of them without it.
    #[arg(long)]
    signal: Option<String>,
    /// The environment that the endpoint is for.
    #[arg(long)]
    environment: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Verify {
    #[command(flatten)]
    presented: Presented,
    /// The permission that it has to have.
    #[arg(long)]
    permission: Option<String>,
}

impl Diagnose {
    pub(super) async fn run(self, client: &Client, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        let token = self.presented.token(terminal)?;
        let question = diagnose::Question {
            token: Some(String::clone(&token)),
            signal: self.signal,
            address: self.presented.address,
            environment: self.environment,
        };
        let found: diagnose::Diagnosis = client.post("/keys/diagnose", &question).await?;
        match self.presented.output {
            Output::Json => output::json(terminal, &found)?,
            Output::Table => {
                if !found.findings.is_empty() {
                    output::rows(terminal, Output::Table, &found.findings)?;
                    terminal.data("")?;
                }
                output::rows(terminal, Output::Table, &found.exports)?;
            }
        }
        match found.accepted {
            Some(true) => Ok(()),
            Some(false) => Err(Failure::new(Exit::Refused, "exports with this token are refused")),
            None => Err(Failure::new(Exit::Refused, "no key that you may see has this token")),
        }
    }
}

impl Verify {
    pub(super) async fn run(self, client: &Client, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        let token = self.presented.token(terminal)?;
        let question = verify::Question {
            token: Some(String::clone(&token)),
            permission: self.permission,
            address: self.presented.address,
        };
        let found: verify::Verified = client.post("/keys/verify", &question).await?;
        output::whole(terminal, self.presented.output, &found)?;
        if found.valid {
            return Ok(());
        }
        let why = found.detail.or(found.reason).unwrap_or_else(|| "it is not said why".to_owned());
        Err(Failure::new(Exit::Refused, format!("the token is not good: {why}")))
    }
}

impl Row for diagnose::Finding {
    const COLUMNS: &'static [&'static str] = &["FINDING", "DETAIL", "WHAT TO DO"];

    fn values(&self) -> Vec<String> {
        vec![self.code.clone(), self.detail.clone(), self.fix.clone()]
    }
}

impl Row for diagnose::Forecast {
    const COLUMNS: &'static [&'static str] = &["SIGNAL", "EXPORT", "HTTP", "GRPC", "REASON"];

    fn values(&self) -> Vec<String> {
        let export = if self.accepted { "accepted" } else { "refused" };
        vec![
            self.signal.clone(),
            export.to_owned(),
            self.http_status.to_string(),
            self.grpc_code.clone(),
            or_dash(self.reason.as_deref()),
        ]
    }
}

impl Card for verify::Verified {
    fn fields(&self) -> Vec<(&'static str, String)> {
        let tenant = self.tenant.as_ref().map(|of| format!("{}/{}/{}", of.project, of.grid, of.environment));
        vec![
            ("valid", self.valid.to_string()),
            ("reason", or_dash(self.reason.as_deref())),
            ("key", or_dash(self.key.as_deref())),
            ("name", or_dash(self.name.as_deref())),
            ("tenant", or_dash(tenant.as_deref())),
            ("role", or_dash(self.role.as_deref())),
            ("permissions", self.permissions.join(" ")),
            ("expires", or_dash(self.expires_at.as_deref())),
        ]
    }
}
