//! `gridgate refusals`

use std::collections::BTreeMap;
use std::net::IpAddr;

use clap::Args;

use super::client::{Client, Target, most};
use super::output::{self, Output, Row, brief, card, joined, moment, or_dash};
use super::{Failure, Terminal};
use crate::admin::refusals::RefusalView;
use crate::domain::trouble::Cause;
use crate::domain::{KeyId, Slug, Timestamp};

/// Show which telemetry was turned away, why, and what to do about it.
///
/// Exports with the same reason, key and source are one line, the latest first. Below the table stands for each of its reasons what to
/// do. What is only a warning was accepted all the same.
#[derive(Debug, Args)]
pub struct Refusals {
    #[command(flatten)]
    target: Target,
    /// The form of the output.
    #[arg(long, value_enum, default_value = "table")]
    output: Output,
    /// Only what is of this project.
    #[arg(long)]
    project: Option<Slug>,
    /// Only what names this key.
    #[arg(long, value_name = "KEY_ID")]
    key: Option<KeyId>,
    /// Only this reason, such as `key_expired`.
    #[arg(long)]
    reason: Option<Cause>,
    /// Only what comes from this address.
    #[arg(long)]
    address: Option<IpAddr>,
    /// Only what holds this text: a service, a user agent, the name of a key, or a part of the detail.
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// Only what was seen at this instant or later (RFC 3339).
    #[arg(long, value_name = "INSTANT")]
    from: Option<Timestamp>,
    /// Only what was seen before this instant (RFC 3339).
    #[arg(long, value_name = "INSTANT")]
    to: Option<Timestamp>,
    /// Show so many at most.
    #[arg(long, value_name = "NUMBER", default_value = "50", value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
}

impl Refusals {
    pub(super) async fn run(self, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        let client = Client::new(&self.target, terminal)?;
        let text = |value: Option<&dyn std::fmt::Display>| value.map(ToString::to_string);
        let key = text(self.key.as_ref().map(|key| key as _));
        let address = text(self.address.as_ref().map(|address| address as _));
        let from = text(self.from.as_ref().map(|from| from as _));
        let to = text(self.to.as_ref().map(|to| to as _));
        let filters = [
            ("project", self.project.as_ref().map(Slug::as_str)),
            ("key", key.as_deref()),
            ("reason", self.reason.map(Cause::as_str)),
            ("address", address.as_deref()),
            ("q", self.search.as_deref()),
            ("from", from.as_deref()),
            ("to", to.as_deref()),
        ];
        let (found, more): (Vec<RefusalView>, _) = client.first(most(Some(self.limit)), "/refusals", &filters).await?;
        if self.output == Output::Json {
            return output::json(terminal, &found);
        }
        if found.is_empty() {
            terminal
                .say("nothing was turned away; whether exports get here at all is for `gridgate doctor` to find out");
            return Ok(());
        }
        output::rows(terminal, self.output, &found)?;
        terminal.data(&format!("\nWhat to do\n{}", advice(&found)))?;
        if more {
            terminal.say("there are more; see --limit, --project, --reason and the other filters");
        }
        Ok(())
    }
}

/// Each reason once, with what to do about it.
fn advice(found: &[RefusalView]) -> String {
    let reasons: BTreeMap<_, _> = found.iter().map(|one| (&*one.reason, &one.advice)).collect();
    let fields: Vec<_> = reasons.into_iter().map(|(reason, advice)| (reason, advice.clone())).collect();
    card(&fields)
}

impl Row for RefusalView {
    const COLUMNS: &'static [&'static str] =
        &["LAST SEEN", "COUNT", "REASON", "KEY", "SERVICE", "FROM", "CLIENT", "SENT", "DETAIL"];

    fn values(&self) -> Vec<String> {
        let named = |id: &str| match &self.key_name {
            Some(name) => format!("{id} ({})", brief(name)),
            None => id.to_owned(),
        };
        let key = match (&self.key, &self.claimed_key) {
            (Some(key), _) => named(key),
            (None, Some(claimed)) => format!("claims {}", named(claimed)),
            (None, None) => "-".to_owned(),
        };
        let service = match (&self.service, &self.likely_service) {
            (Some(service), _) => brief(service),
            (None, Some(likely)) => format!("probably {}", brief(likely)),
            (None, None) => "-".to_owned(),
        };
        let reason = if self.kind == "warning" { format!("{} (warning)", self.reason) } else { self.reason.clone() };
        vec![
            moment(&self.last_seen),
            self.count.to_string(),
            reason,
            key,
            service,
            self.address.clone().unwrap_or_else(|| "many".to_owned()),
            self.user_agent.as_deref().map_or_else(|| "-".to_owned(), brief),
            format!("{} {}", joined(&self.signals), joined(&self.transports)),
            or_dash(self.detail.as_deref()),
        ]
    }
}
