//! `gridgate requests`

use std::net::IpAddr;
use std::time::Duration;

use clap::{ArgGroup, Args};

use super::client::{Client, Target, percent_encode};
use super::output::{self, Output, Row, brief, inert, moment, or_dash};
use super::{Exit, Failure, Terminal};
use crate::admin::page::MAX_LIMIT;
use crate::admin::requests::{RequestView, RequestsView};
use crate::domain::{KeyId, Signal, Slug, Timestamp};

/// List single exports, newest first: every one that was refused, and a sample of those accepted.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("past").args(["from", "to", "limit"]).multiple(true).conflicts_with("follow")))]
pub struct Requests {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    filter: Filter,
    /// Only what arrived at this instant or later (RFC 3339).
    #[arg(long, value_name = "INSTANT")]
    from: Option<Timestamp>,
    /// Only what arrived before this instant (RFC 3339).
    #[arg(long, value_name = "INSTANT")]
    to: Option<Timestamp>,
    /// Show so many at most; 50 unless told otherwise.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// Show exports as they end, all of the accepted ones included, until interrupted.
    #[arg(long)]
    follow: bool,
    /// The form of the output; with --follow a line for each export.
    #[arg(long, value_enum, default_value = "table")]
    output: Output,
}

#[derive(Debug, Args)]
struct Filter {
    /// Only exports of this project.
    #[arg(long)]
    project: Option<Slug>,
    /// Only exports of this grid.
    #[arg(long)]
    grid: Option<Slug>,
    /// Only exports of this environment.
    #[arg(long)]
    environment: Option<Slug>,
    /// Only exports whose token names this key.
    #[arg(long, value_name = "KEY_ID")]
    key: Option<KeyId>,
    /// Only exports of this signal.
    #[arg(long)]
    signal: Option<Signal>,
    /// Only exports of which this became: accepted, refused or gone.
    #[arg(long)]
    outcome: Option<String>,
    /// Only exports that were refused for this, such as `key_revoked`.
    #[arg(long)]
    reason: Option<String>,
    /// Only exports from this address.
    #[arg(long)]
    address: Option<IpAddr>,
    /// Only exports whose service.name is this.
    #[arg(long)]
    service: Option<String>,
    /// Only exports that took at least so long, such as 50ms.
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    min_latency: Option<Duration>,
}

/// Exports that are shown unless told otherwise.
const SHOWN: u32 = 50;

impl Requests {
    pub(super) async fn run(self, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        let client = Client::new(&self.target, terminal)?;
        let mut query = self.filter.query();
        if self.follow {
            return follow(&client, &query, self.output, terminal).await;
        }
        for (name, at) in [("from", self.from), ("to", self.to)] {
            query.extend(at.map(|at| (name, at.to_string())));
        }
        let (requests, not_logged) = past(&client, &query, self.limit.unwrap_or(SHOWN)).await?;
        output::rows(terminal, self.output, &requests)?;
        if not_logged > 0 {
            terminal.say(&format!("{not_logged} more exports of this time are not in the log: they were too many"));
        }
        Ok(())
    }
}

impl Filter {
    fn query(&self) -> Vec<(&'static str, String)> {
        let millis = self.min_latency.map(|least| least.as_millis());
        let all = [
            ("project", text(self.project.as_ref())),
            ("grid", text(self.grid.as_ref())),
            ("environment", text(self.environment.as_ref())),
            ("key", text(self.key.as_ref())),
            ("signal", text(self.signal.as_ref())),
            ("outcome", self.outcome.clone()),
            ("reason", self.reason.clone()),
            ("address", text(self.address.as_ref())),
            ("service", self.service.clone()),
            ("min_latency", text(millis.as_ref())),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

fn text(value: Option<&impl ToString>) -> Option<String> {
    value.map(ToString::to_string)
}

fn path(route: &str, query: &[(&'static str, String)]) -> String {
    let pairs: Vec<_> = query.iter().map(|(name, value)| format!("{name}={}", percent_encode(value))).collect();
    if pairs.is_empty() { route.to_owned() } else { format!("{route}?{}", pairs.join("&")) }
}

/// The newest `most` exports, and how many are not in the log.
async fn past(
    client: &Client,
    query: &[(&'static str, String)],
    most: u32,
) -> Result<(Vec<RequestView>, u64), Failure> {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let mut query = query.to_vec();
    query.push(("limit", MAX_LIMIT.min(u32::try_from(most).unwrap_or(MAX_LIMIT)).to_string()));
    let first = query.len();
    let mut requests = Vec::new();
    loop {
        let page: RequestsView = client.get(&path("/requests", &query)).await?;
        requests.extend(page.data);
        match page.next_cursor {
            Some(cursor) if requests.len() < most => {
                query.truncate(first);
                query.push(("cursor", cursor));
            }
            _ => {
                requests.truncate(most);
                return Ok((requests, page.not_logged));
            }
        }
    }
}

/// Shows what ends until the server ends it.
async fn follow(
    client: &Client,
    query: &[(&'static str, String)],
    output: Output,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    let mut events = client.events(&path("/requests/live", query)).await?;
    terminal.say("watching; interrupt to end");
    loop {
        let event = events.next().await?;
        match event.name.as_str() {
            "export" if output == Output::Json => terminal.data(&event.data)?,
            "export" => {
                let request: RequestView = serde_json::from_str(&event.data)
                    .map_err(|error| Failure::new(Exit::Failed, format!("an event is not understood: {error}")))?;
                let values: Vec<_> = request.values().iter().map(|value| inert(value)).collect();
                terminal.data(&values.join("  "))?;
            }
            "missed" => terminal.say(&format!("exports were too fast to be shown: {}", inert(&event.data))),
            "end" if event.data.contains("\"key\"") => {
                return Err(Failure::new(Exit::Denied, "the admin key may no longer watch"));
            }
            "end" => {
                return Err(Failure::new(Exit::Unreachable, format!("the server ends it: {}", inert(&event.data))));
            }
            _ => {}
        }
    }
}

impl Row for RequestView {
    const COLUMNS: &'static [&'static str] =
        &["AT", "OUTCOME", "TENANT", "KEY", "SIGNAL", "ITEMS", "BYTES", "TOOK", "FROM", "SERVICE", "AGENT", "DETAIL"];

    fn values(&self) -> Vec<String> {
        let number = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
        let tenant = [&self.project, &self.grid, &self.environment].map(|part| part.as_deref().unwrap_or_default());
        let key = match (&self.key, &self.claimed_key) {
            (Some(key), _) => key.clone(),
            (None, Some(claimed)) => format!("{claimed}?"),
            (None, None) => "-".to_owned(),
        };
        vec![
            moment(&self.at),
            self.reason.clone().unwrap_or_else(|| self.outcome.clone()),
            if self.project.is_some() { tenant.join("/") } else { "-".to_owned() },
            key,
            or_dash(self.signal.as_deref()),
            number(self.items),
            number(self.wire_bytes),
            format!("{}ms", self.duration_us / 1_000),
            self.address.clone(),
            self.service.as_deref().map_or_else(|| "-".to_owned(), brief),
            self.user_agent.as_deref().map_or_else(|| "-".to_owned(), brief),
            self.detail.as_deref().map_or_else(|| "-".to_owned(), brief),
        ]
    }
}
