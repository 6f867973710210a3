//! `gridgate keys`

mod create;
mod edit;
mod events;
mod force;
mod import;
mod list;
mod presented;
mod review;
mod rotate;
mod secrets;
mod state;
mod view;

use clap::{Args, Subcommand};

use super::client::{Client, Target};
use super::output::Output;
use super::{Exit, Failure, Terminal};
use crate::domain::KeyId;
use force::Force;
pub(super) use view::{described, last_use, scope};

/// The whole life of keys.
#[derive(Debug, Args)]
pub struct Keys {
    #[command(flatten)]
    target: Target,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Create a key and print its token, which is shown once.
    Create(Box<create::Create>),
    /// List the keys that the admin key may see, without revoked ones unless --status names them.
    List(Box<list::List>),
    /// Show everything about one key.
    Show(One),
    /// Change what may be changed of a key, unless somebody else changes it meanwhile.
    Edit(Box<edit::Edit>),
    /// Refuse a key until it is enabled again.
    Disable(state::Disable),
    /// Undo a disable.
    Enable(One),
    /// Give a key a new secret, in place of all it has, and print the new token, which is shown once.
    Regenerate(rotate::Regenerate),
    /// Give a key a second secret and print its token, which is shown once; the old one works on for a while.
    Rotate(rotate::Rotate),
    /// End a rotation now: the old secret goes.
    CompleteRotation(rotate::End),
    /// Undo a rotation: the new secret goes, the old one stays.
    CancelRotation(rotate::End),
    /// Refuse a key for ever. This cannot be undone.
    Revoke(state::Revoke),
    /// Erase a key that was revoked long enough ago.
    Purge(state::Purge),
    /// Bring in keys whose tokens were made elsewhere: all of a file, or none.
    Import(import::Import),
    /// List the secrets of a key, newest first.
    Secrets(One),
    /// List what was done to a key, newest first.
    Events(events::Events),
    /// List the keys that are to be gone through this quarter, or write down that one of them is still needed.
    Review(review::Review),
    /// Say what is wrong with a token, and what would happen to an export with it. The token comes from standard input.
    Diagnose(presented::Diagnose),
    /// Say whether a token is good, and whose it is. The token comes from standard input.
    Verify(presented::Verify),
}

/// One key.
#[derive(Debug, Args)]
struct One {
    /// The key's id, `key_` and 12 characters.
    #[arg(value_name = "KEY_ID")]
    id: String,
    /// The form of the output.
    #[arg(long, value_enum, default_value = "table")]
    output: Output,
}

impl Keys {
    pub(super) async fn run(self, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        let (client, target) = (Client::new(&self.target, terminal)?, &self.target);
        match self.verb {
            Verb::Create(create) => create.run(&client, target, terminal).await,
            Verb::List(list) => list.run(&client, terminal).await,
            Verb::Show(one) => view::show(&one, &client, terminal).await,
            Verb::Edit(edit) => edit.run(&client, terminal).await,
            Verb::Disable(disable) => disable.run(&client, terminal).await,
            Verb::Enable(one) => {
                state::change(&one.path("/enable")?, one.output, Force::default(), &client, terminal).await
            }
            Verb::Regenerate(regenerate) => regenerate.run(&client, target, terminal).await,
            Verb::Rotate(rotate) => rotate.run(&client, target, terminal).await,
            Verb::CompleteRotation(end) => end.complete(&client, terminal).await,
            Verb::CancelRotation(end) => end.cancel(&client, terminal).await,
            Verb::Revoke(revoke) => revoke.run(&client, terminal).await,
            Verb::Purge(purge) => purge.run(&client, terminal).await,
            Verb::Import(import) => import.run(&client, terminal).await,
            Verb::Secrets(one) => secrets::run(&one, &client, terminal).await,
            Verb::Events(events) => events.run(&client, terminal).await,
            Verb::Review(review) => review.run(&client, terminal).await,
            Verb::Diagnose(diagnose) => diagnose.run(&client, terminal).await,
            Verb::Verify(verify) => verify.run(&client, terminal).await,
        }
    }
}

impl One {
    /// The path of the key's `verb`.
    fn path(&self, verb: &str) -> Result<String, Failure> {
        path(&self.id, verb)
    }
}

/// The path of `verb` of the key `id`. The error does not repeat the text, which may be a token that was pasted by mistake.
fn path(id: &str, verb: &str) -> Result<String, Failure> {
    let id: KeyId = id.parse().map_err(|error| Failure::new(Exit::Usage, format!("KEY_ID: {error}")))?;
    Ok(format!("/keys/{id}{verb}"))
}
