//! Changes that would cut off who sends right now.

use clap::Args;
use serde_json::json;

use crate::admin::keys::KeyView;
use crate::cli::client::Client;
use crate::cli::{Exit, Failure, Terminal};

/// Whether to go ahead although the key is in use.
#[derive(Clone, Copy, Default, Debug, Args)]
pub(super) struct Force {
    /// Do it although the key was used within the last minutes.
    #[arg(long)]
    force: bool,
}

impl Force {
    /// Sends a change, by `send`, which is told whether to force it. Where the key is in use, the person at the terminal sees who sends
    /// with it, and is asked.
    pub(super) async fn send<T>(
        self,
        terminal: &mut Terminal<'_>,
        send: impl AsyncFn(bool) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let failure = match send(self.force).await {
            Err(failure) if failure.is("key_in_use") => failure,
            ended => return ended,
        };
        if !terminal.interactive {
            return Err(failure.hint("`--force` does it all the same"));
        }
        for line in &failure.lines {
            terminal.say(line);
        }
        if terminal.confirm("Do it all the same?")? {
            send(true).await
        } else {
            Err(Failure::new(Exit::Refused, "not confirmed; nothing was changed"))
        }
    }

    /// The same with the verb at `path`.
    pub(super) async fn command(
        self,
        path: &str,
        client: &Client,
        terminal: &mut Terminal<'_>,
    ) -> Result<KeyView, Failure> {
        let send = async |force| {
            if force { client.post(path, &json!({"force": true})).await } else { client.command(path).await }
        };
        self.send(terminal, send).await
    }
}
