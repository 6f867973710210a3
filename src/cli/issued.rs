//! The forms of a token that is shown once.

use clap::{Args, ValueEnum};
use http::Uri;

use super::client::{IdempotencyKey, Once, Target};
use super::output::{self, Output};
use super::{Failure, Terminal};
use crate::admin::keys::create::IssuedKey;

/// How a token is shown.
#[derive(Debug, Args)]
pub(super) struct Showing {
    /// The form of the output.
    #[arg(long, value_enum, default_value = "token")]
    output: Form,
    /// The OTLP protocol that `--output env` and `--output collector-yaml` are for.
    #[arg(long, value_enum, default_value = "http")]
    protocol: Protocol,
    /// The OTLP endpoint that they name; without it this machine's, at the protocol's port.
    #[arg(long, value_name = "URL", value_parser = endpoint)]
    endpoint: Option<String>,
    #[command(flatten)]
    pub(super) once: Once,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Form {
    /// The token and nothing else.
    Token,
    /// Environment variables to paste.
    Env,
    /// An exporter to paste into a Collector's configuration.
    CollectorYaml,
    /// Columns for people, and the token below.
    Table,
    /// JSON, as the admin API gives it.
    Json,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Protocol {
    /// OTLP over HTTP.
    Http,
    /// OTLP over gRPC.
    Grpc,
}

impl Showing {
    /// Writes the token in the form that was asked for; `did` says what was done with its key.
    pub(super) fn show(
        &self,
        issued: &IssuedKey,
        did: &str,
        target: &Target,
        key: &IdempotencyKey,
        terminal: &mut Terminal<'_>,
    ) -> Result<(), Failure> {
        terminal.say(&format!("{did}; its token is shown this once"));
        self.write(issued, target, terminal).map_err(|failure| failure.hint(key.advice()))
    }

    fn write(&self, issued: &IssuedKey, target: &Target, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        let admin = issued.key.kind == "admin";
        if admin && self.output == Form::CollectorYaml {
            terminal.say("an admin key exports nothing, so these are the variables of the command line");
        }
        match self.output {
            Form::Env | Form::CollectorYaml if admin => terminal.data(&admin_variables(&issued.token, target))?,
            Form::Env => terminal.data(&self.variables(&issued.token))?,
            Form::CollectorYaml => terminal.data(&self.exporter(&issued.token))?,
            Form::Token => terminal.data(&issued.token)?,
            Form::Json => output::json(terminal, issued)?,
            Form::Table => {
                output::one(terminal, Output::Table, &issued.key)?;
                terminal.data(&format!("\n{}", issued.token))?;
            }
        }
        Ok(())
    }

    fn endpoint(&self) -> &str {
        match (&self.endpoint, self.protocol) {
            (Some(endpoint), _) => endpoint,
            (None, Protocol::Http) => "http://127.0.0.1:4318",
            (None, Protocol::Grpc) => "http://127.0.0.1:4317",
        }
    }

    /// Lines to paste where the sender starts.
    fn variables(&self, token: &str) -> String {
        let protocol = match self.protocol {
            Protocol::Http => "http/protobuf",
            Protocol::Grpc => "grpc",
        };
        format!(
            "OTEL_EXPORTER_OTLP_ENDPOINT={}\n\
             OTEL_EXPORTER_OTLP_PROTOCOL={protocol}\n\
             OTEL_EXPORTER_OTLP_HEADERS=api-key={token}",
            self.endpoint()
        )
    }

    /// Lines to paste into a Collector's configuration.
    fn exporter(&self, token: &str) -> String {
        let endpoint = self.endpoint();
        let name = match self.protocol {
            Protocol::Http => "otlp_http",
            Protocol::Grpc => "otlp_grpc",
        };
        let mut yaml = format!("exporters:\n  {name}:\n    endpoint: \"{endpoint}\"\n");
        if self.protocol == Protocol::Grpc && endpoint.starts_with("http:") {
            yaml.push_str("    tls:\n      insecure: true\n");
        }
        yaml + &format!("    headers:\n      api-key: \"{token}\"")
    }
}

/// Lines to paste where the command line is used.
fn admin_variables(token: &str, target: &Target) -> String {
    format!("GRIDGATE_ADMIN_URL={}\nGRIDGATE_ADMIN_KEY={token}", target.admin_url)
}

/// An endpoint that needs no quotes, neither in a shell nor in YAML.
fn endpoint(text: &str) -> Result<String, &'static str> {
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b":/.-_~%[]".contains(&byte));
    let uri: Option<Uri> = text.parse().ok();
    let fits = uri.is_some_and(|uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some());
    (plain && fits).then(|| text.to_owned()).ok_or("it looks like https://otlp.example.com:4318")
}
