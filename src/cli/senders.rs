//! `gridgate senders`

use std::cmp::Reverse;

use clap::Args;

use super::client::{Client, Target, most, percent_encode};
use super::output::{self, Output, Row, brief, moment};
use super::{Exit, Failure, Terminal};
use crate::admin::senders::SenderView;
use crate::admin::senders::of_key::SendersView;
use crate::domain::{KeyId, Slug};

/// Show who uses which key.
#[derive(Debug, Args)]
pub struct Senders {
    #[command(flatten)]
    target: Target,
    /// Only senders of keys of this project.
    #[arg(long, conflicts_with = "key")]
    project: Option<Slug>,
    /// Only senders of this key, up to the last moment.
    #[arg(long, value_name = "KEY_ID")]
    key: Option<String>,
    /// Only senders with this `service.name`.
    #[arg(long, value_name = "NAME")]
    service: Option<String>,
    /// Only senders with this version of a secret.
    #[arg(long, value_name = "VERSION", value_parser = clap::value_parser!(u32).range(1..))]
    secret: Option<u32>,
    /// Only senders that were seen at this instant or later, RFC 3339.
    #[arg(long, value_name = "INSTANT")]
    since: Option<String>,
    /// Show so many senders at most, those that were first seen last; all without it.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..), conflicts_with = "key")]
    limit: Option<u32>,
    /// The form of the output.
    #[arg(long, value_enum, default_value = "table")]
    output: Output,
}

impl Senders {
    pub(super) async fn run(self, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        let client = Client::new(&self.target, terminal)?;
        let secret = self.secret.map(|version| version.to_string());
        let filters = [
            ("project", self.project.as_ref().map(Slug::as_str)),
            ("service", self.service.as_deref()),
            ("secret", secret.as_deref()),
            ("since", self.since.as_deref()),
        ];
        if let Some(key) = &self.key {
            return of_key(key, &filters, self.output, &client, terminal).await;
        }
        let (mut senders, more) = client.first::<SenderView>(most(self.limit), "/senders", &filters).await?;
        senders.sort_by_key(|one| Reverse(one.last_seen_at.clone()));
        output::rows(terminal, self.output, &senders)?;
        if more {
            terminal.say(&format!("these are {}; there are more", senders.len()));
        }
        Ok(())
    }
}

async fn of_key(
    key: &str,
    filters: &[(&str, Option<&str>)],
    output: Output,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    let key: KeyId = key.parse().map_err(|error| Failure::new(Exit::Usage, format!("--key: {error}")))?;
    let given = filters.iter().filter_map(|(name, value)| Some(format!("{name}={}", percent_encode((*value)?))));
    let query = given.collect::<Vec<_>>().join("&");
    let found: SendersView = client.get(&format!("/keys/{key}/senders?{query}")).await?;
    if output == Output::Json {
        return output::json(terminal, &found);
    }
    output::rows(terminal, output, &found.data)?;
    if found.others.senders > 0 {
        let (senders, exports) = (found.others.senders, found.others.exports);
        terminal.say(&format!("{senders} more senders are not told apart; they have sent {exports} exports"));
    }
    if found.shared {
        terminal.say("several services use this key; a key for each can be revoked without harm to the others");
    }
    Ok(())
}

/// A sender in a sentence.
pub(super) fn described(one: &SenderView) -> String {
    let service = one.service.as_deref().map_or_else(|| "an unknown service".to_owned(), |name| format!("\"{name}\""));
    let host = one.host.as_ref().map(|host| format!(" on \"{host}\"")).unwrap_or_default();
    let agent = one.user_agent.as_ref().map(|agent| format!(" by \"{agent}\"")).unwrap_or_default();
    let (version, address, at) = (one.secret_version, &one.address, moment(&one.last_seen_at));
    format!("{service}{host} from {address}{agent}, with secret {version}, last at {at}")
}

impl Row for SenderView {
    const COLUMNS: &'static [&'static str] = &[
        "KEY",
        "NAME",
        "SECRET",
        "SERVICE",
        "HOST",
        "SDK",
        "AGENT",
        "ADDRESS",
        "LAST SEEN",
        "EXPORTS",
        "REFUSED",
        "SHARED",
    ];

    fn values(&self) -> Vec<String> {
        let text = |text: &Option<String>| text.as_deref().map_or_else(|| "-".to_owned(), brief);
        vec![
            self.key.clone(),
            brief(&self.key_name),
            self.secret_version.to_string(),
            text(&self.service),
            text(&self.host),
            text(&self.sdk),
            text(&self.user_agent),
            self.address.clone(),
            moment(&self.last_seen_at),
            self.exports.to_string(),
            self.refused.to_string(),
            if self.shared { "yes" } else { "no" }.to_owned(),
        ]
    }
}
