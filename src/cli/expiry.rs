//! When something ends, as an instant or as a time from now.

use std::time::Duration;

use clap::Args;

use super::{Exit, Failure, Terminal};

/// When a key expires.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub(super) struct Expiry {
    /// The instant from which on the key is refused, RFC 3339.
    #[arg(long, value_name = "INSTANT")]
    expires_at: Option<String>,
    /// The same, counted from now by this machine's clock: 90d, 12h.
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    expires_in: Option<Duration>,
}

impl Expiry {
    /// The instant as RFC 3339, if there is one.
    pub(super) fn instant(&self, terminal: &Terminal<'_>) -> Option<String> {
        let counted = self.expires_in.map(|time| terminal.clock.now().after(time).to_string());
        self.expires_at.clone().or(counted)
    }

    /// Adds to advice about sending the same request once more what `--expires-in` stood for, because now has moved on.
    pub(super) fn same(&self, failure: Failure, instant: Option<&str>) -> Failure {
        match (self.expires_in, instant, failure.exit) {
            (Some(_), Some(instant), Exit::Unreachable | Exit::Failed) => {
                failure.hint(format!("give --expires-at {instant} there, in place of --expires-in"))
            }
            _ => failure,
        }
    }
}
