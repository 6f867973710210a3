//! `gridgate doctor`: why telemetry does not arrive. It walks the way of an export, stage by stage, until one stops it.
//!
//! What can be known here is looked at first, and nothing is sent for it. Then one real span goes over each transport, with the
//! `service.name` `gridgate-doctor`. Where an admin key is at hand, the admin API is asked for what the gate does not tell a sender.

mod answer;
mod connect;
mod endpoint;
mod export;
mod report;
mod settings;
mod span;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use http::{HeaderMap, HeaderValue};
use serde::Serialize;
use zeroize::Zeroizing;

use super::client::{Client, Target};
use super::output::{self, Output};
use super::{Exit, Failure, Terminal};
use crate::admin::keys::diagnose::{Diagnosis, Question};
use crate::domain::Transport;
use crate::domain::credential::Presented;
use crate::domain::token::TokenError;
use crate::domain::{Clock, OsRandom, Reason, Signal, SystemClock, TokenKind};
use connect::Dialer;
use endpoint::Endpoint;
use report::{Line, Report, Stage, Stop, Trail, name};
use settings::Settings;
pub(super) use settings::given;

/// Find out why telemetry does not arrive: sends one test span, and says where it stopped and what to do.
///
/// The token comes from standard input, `GRIDGATE_TOKEN`, a file, or the exporter's own variables; never from an argument.
#[derive(Debug, Args)]
pub struct Doctor {
    /// Where exports go, as an exporter is given it. Without it OTLP/gRPC goes to port 4317 of this machine, and OTLP/HTTP to 4318.
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    /// The one transport to try. Without it both are, of which the endpoint has to serve one.
    #[arg(long, value_enum)]
    protocol: Option<Protocol>,
    /// A file that holds the token.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Take endpoint, protocol, headers and certificate from the variables of exporters, `OTEL_EXPORTER_OTLP_…`.
    #[arg(long)]
    from_env: bool,
    /// A PEM file with the authorities to trust for an https endpoint, in place of the system's.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// A PEM file with a certificate and its private key, where the server wants one of its clients.
    #[arg(long, value_name = "FILE")]
    identity: Option<PathBuf>,
    /// How many seconds each stage may take.
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=300))]
    timeout: u64,
    /// The form of the output.
    #[arg(long, value_enum, default_value = "table")]
    output: Output,
    #[command(flatten)]
    target: Target,
}

/// What the exporter speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(super) enum Protocol {
    /// OTLP/gRPC.
    Grpc,
    /// OTLP/HTTP, with either of its forms.
    #[value(aliases = ["http/protobuf", "http/json"])]
    Http,
}

impl Protocol {
    const fn transport(self) -> Transport {
        match self {
            Self::Grpc => Transport::Grpc,
            Self::Http => Transport::Http,
        }
    }
}

/// What programs are told.
#[derive(Serialize)]
struct Findings {
    /// Where it stopped; nowhere: telemetry arrives.
    stopped_at: Option<Stage>,
    /// What the gate called it.
    reason: Option<&'static str>,
    /// What to do.
    advice: Option<String>,
    stages: Vec<Line>,
    /// What the gate says of the key.
    key: Option<serde_json::Value>,
    /// What the admin API says of the token.
    diagnosis: Option<Diagnosis>,
}

impl Doctor {
    pub(super) async fn run(self, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        let settings = Settings::read(&self, terminal)?;
        let patience = Duration::from_secs(self.timeout);
        let dialer = Dialer::new(settings.ca.as_deref(), self.identity.as_deref(), patience)?;
        let mut report = Report::new(settings.either);
        let mut first = Trail::new(None);
        let headers = match look_at(&settings, &mut first) {
            Ok(headers) => Some(headers),
            Err(stop) => {
                first.stopped(stop);
                None
            }
        };
        report.add(first);
        let mut key = None;
        for (transport, endpoint) in headers.iter().flat_map(|_| &settings.targets) {
            let mut trail = Trail::new(Some(*transport));
            let headers = headers.as_ref().unwrap_or(&settings.headers);
            if let Err(stop) = examine(&dialer, endpoint, *transport, headers, &mut trail, &mut key).await {
                trail.stopped(stop);
            }
            report.add(trail);
        }
        self.tell(&report, key, &settings.token, terminal).await
    }

    /// Writes what was found.
    async fn tell(
        &self,
        report: &Report,
        key: Option<serde_json::Value>,
        token: &str,
        terminal: &mut Terminal<'_>,
    ) -> Result<(), Failure> {
        let stop = report.stop().map(|(_, stop)| stop);
        let asked = match stop {
            Some(stop) if stop.stage.is_of_the_key() => self.ask(token, terminal).await,
            _ => None,
        };
        let (diagnosis, unanswered) = match asked {
            Some(Ok(diagnosis)) => (Some(diagnosis), None),
            Some(Err(failure)) => (None, failure.lines.into_iter().next()),
            None => (None, None),
        };
        let failure = report.failure().map(|failure| {
            let findings = diagnosis.iter().flat_map(|diagnosis| &diagnosis.findings);
            let said = findings.map(|finding| {
                let since = finding.since.as_ref().map_or_else(String::new, |since| format!(" since {since}"));
                let by = finding.by.as_ref().map_or_else(String::new, |by| format!(" by {by:?}"));
                format!("the admin API says: {}{since}{by}; {}", finding.detail, finding.fix)
            });
            let unsaid = unanswered.map(|why| format!("the admin API could not be asked: {why}"));
            said.chain(unsaid).fold(failure, Failure::hint)
        });
        match self.output {
            Output::Table => output::rows(terminal, Output::Table, &report.lines())?,
            Output::Json => {
                let findings = Findings {
                    stopped_at: stop.map(|stop| stop.stage),
                    reason: stop.and_then(|stop| stop.reason).map(Reason::as_str),
                    advice: stop.map(|stop| stop.advice.clone()),
                    stages: report.lines(),
                    key,
                    diagnosis,
                };
                output::json(terminal, &findings)?;
            }
        }
        for transport in report.elsewhere() {
            terminal.say(&format!(
                "this port does not serve {}; set OTEL_EXPORTER_OTLP_PROTOCOL to the other one",
                name(transport)
            ));
        }
        if let Some(failure) = failure {
            return Err(failure);
        }
        terminal.say(&format!("telemetry arrives; the test span is stored under service.name {}", span::SERVICE));
        Ok(())
    }

    /// What the admin API says of the token; `None` where there is nobody to ask it.
    async fn ask(&self, token: &str, terminal: &Terminal<'_>) -> Option<Result<Diagnosis, Failure>> {
        if !self.target.has_key(terminal) {
            return None;
        }
        let question =
            Question { token: Some(token.to_owned()), signal: Some(Signal::Traces.to_string()), ..Question::default() };
        Some(match Client::new(&self.target, terminal) {
            Ok(client) => client.post("/keys/diagnose", &question).await,
            Err(failure) => Err(failure),
        })
    }
}

/// Looks at the token, and puts it where the exporter would.
fn look_at(settings: &Settings, trail: &mut Trail) -> Result<HeaderMap, Stop> {
    let stop = |detail: String, advice: &str| Stop::new(Stage::Token, Exit::Refused, detail, advice);
    let malformed = |error: TokenError| {
        let advice = "give the exporter the token exactly as it was shown when the key was made; where it is lost, regenerate the key's secret";
        stop(format!("what the exporter has is no token: {error}"), advice)
    };
    let presented = Presented::parse(&settings.token).map_err(malformed)?;
    trail.passed(
        Stage::Token,
        match &presented {
            Presented::Token(token) if token.kind == TokenKind::Admin => {
                let detail = format!("it is the admin token of {}, which never exports", token.id);
                return Err(stop(detail, "use an ingest token, which begins with ggi_"));
            }
            Presented::Token(token) => {
                let code = token.environment.unwrap_or_default();
                format!("a whole ingest token of {}, for the environment with the code {code}", token.id)
            }
            Presented::Legacy(_) => "a legacy token (a UUID), which has no checksum and names no key".to_owned(),
        },
    );
    let value = Zeroizing::new(format!("{}{}", settings.scheme, settings.token.trim()));
    // A token has no other characters.
    let mut value = HeaderValue::from_str(&value).map_err(|_| malformed(TokenError::Foreign))?;
    value.set_sensitive(true);
    let mut headers = settings.headers.clone();
    headers.insert(&settings.token_header, value);
    Ok(headers)
}

/// Sends one span.
async fn examine(
    dialer: &Dialer,
    endpoint: &Endpoint,
    transport: Transport,
    headers: &HeaderMap,
    trail: &mut Trail,
    key: &mut Option<serde_json::Value>,
) -> Result<(), Stop> {
    let message = span::message(SystemClock.now(), &OsRandom)
        .map_err(|error| Stop::new(Stage::Span, Exit::Failed, error.to_string(), "try again"))?;
    let stream = dialer.open(endpoint, transport, trail).await?;
    let reply = export::export(dialer, stream, endpoint, transport, headers, &message).await?;
    let judged = answer::judge(transport, &reply);
    let reached = judged.as_ref().err().map_or(Stage::Span, |stop| stop.stage);
    if transport == Transport::Http && reached > Stage::Key {
        let mut unnoted = Trail::new(None);
        if let Ok(stream) = dialer.open(endpoint, transport, &mut unnoted).await {
            *key = export::whoami(dialer, stream, endpoint, headers).await;
        }
    }
    for stage in Stage::OF_THE_ANSWER.into_iter().filter(|&stage| stage < reached) {
        let detail = match stage {
            Stage::Port => format!("it serves {}", name(transport)),
            Stage::Path if transport == Transport::Http => endpoint.traces.clone(),
            Stage::Key => key.as_ref().and_then(introduced).unwrap_or_default(),
            _ => String::new(),
        };
        trail.passed(stage, detail);
    }
    judged?;
    trail.passed(Stage::Span, "stored");
    Ok(())
}

/// The key in a sentence.
fn introduced(key: &serde_json::Value) -> Option<String> {
    let text = |name: &str| key.get(name)?.as_str();
    let tenant = [text("project")?, text("grid")?, text("environment")?].join("/");
    let secret = key.get("secret")?;
    let until =
        secret.get("retires_at").and_then(|at| at.as_str()).map_or_else(String::new, |at| format!(" until {at}"));
    let (version, state) = (secret.get("version")?, secret.get("state")?.as_str()?);
    Some(format!("{} ({:?}) of {tenant}, secret {version} ({state}{until})", text("id")?, text("name")?))
}
