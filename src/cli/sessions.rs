//! `gridgate sessions`

use clap::{Args, Subcommand};

use super::client::{Client, Target};
use super::output::{self, Output, Row, brief, moment, or_dash};
use super::{Exit, Failure, Terminal};
use crate::admin::sessions::{EndedSessions, SessionView, SessionsView};
use crate::domain::session::SessionId;

/// List and end the sessions of the web console that were begun with the admin key.
#[derive(Debug, Args)]
pub struct Sessions {
    #[command(flatten)]
    target: Target,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List the sessions that go on, newest first.
    List {
        /// The form of the output.
        #[arg(long, value_enum, default_value = "table")]
        output: Output,
    },
    /// End one session: its browser has to sign in again.
    End {
        /// The id of the session, `ses_` and 12 characters.
        #[arg(value_name = "SESSION_ID")]
        id: String,
    },
    /// End every session, everywhere.
    EndAll,
}

impl Sessions {
    pub(super) async fn run(self, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        let client = Client::new(&self.target, terminal)?;
        match self.verb {
            Verb::List { output } => {
                let found: SessionsView = client.get("/sessions").await?;
                output::rows(terminal, output, &found.data)
            }
            Verb::End { id } => {
                let wrong = |error| Failure::new(Exit::Usage, format!("SESSION_ID: {error}"));
                let id: SessionId = id.parse().map_err(wrong)?;
                client.delete::<()>(&format!("/sessions/{id}")).await?;
                terminal.say(&format!("{id} is ended"));
                Ok(())
            }
            Verb::EndAll => {
                let EndedSessions { ended } = client.delete("/sessions").await?;
                let sessions = if ended == 1 { "session is" } else { "sessions are" };
                terminal.say(&format!("{ended} {sessions} ended"));
                Ok(())
            }
        }
    }
}

impl Row for SessionView {
    const COLUMNS: &'static [&'static str] = &["SESSION", "BEGAN", "LAST USED", "ENDS", "ADDRESS", "AGENT"];

    fn values(&self) -> Vec<String> {
        vec![
            self.id.clone(),
            moment(&self.created_at),
            moment(&self.last_used_at),
            moment(&self.expires_at),
            or_dash(self.address.as_deref()),
            self.user_agent.as_deref().map_or_else(|| "-".to_owned(), brief),
        ]
    }
}
