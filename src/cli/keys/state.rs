//! `gridgate keys disable`, `enable`, `revoke` and `purge`

use clap::Args;

use super::force::Force;
use super::{One, described, last_use};
use crate::admin::keys::KeyView;
use crate::cli::client::Client;
use crate::cli::confirm::{Question, Sure};
use crate::cli::output::{self, Output};
use crate::cli::{Failure, Terminal};

#[derive(Debug, Args)]
pub(super) struct Revoke {
    #[command(flatten)]
    one: One,
    /// Disable the key instead, which `keys enable` undoes.
    #[arg(long)]
    temporary: bool,
    #[command(flatten)]
    force: Force,
    #[command(flatten)]
    sure: Sure,
}

#[derive(Debug, Args)]
pub(super) struct Disable {
    #[command(flatten)]
    one: One,
    #[command(flatten)]
    force: Force,
}

#[derive(Debug, Args)]
pub(super) struct Purge {
    /// The key's id, `key_` and 12 characters.
    #[arg(value_name = "KEY_ID")]
    id: String,
    #[command(flatten)]
    sure: Sure,
}

/// `disable` and `enable`, which undo each other.
pub(super) async fn change(
    path: &str,
    output: Output,
    force: Force,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    let key = force.command(path, client, terminal).await?;
    terminal.say(&format!("{} is {}", described(&key), key.status));
    output::one(terminal, output, &key)
}

impl Disable {
    pub(super) async fn run(self, client: &Client, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        change(&self.one.path("/disable")?, self.one.output, self.force, client, terminal).await
    }
}

impl Revoke {
    pub(super) async fn run(self, client: &Client, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        if self.temporary {
            return change(&self.one.path("/disable")?, self.one.output, self.force, client, terminal).await;
        }
        let path = self.one.path("")?;
        let question = async || {
            let key: KeyView = client.get(&path).await?;
            let mut consequences =
                vec!["Applications using this key will stop working. This cannot be undone.".to_owned()];
            consequences.extend(last_use(&key));
            Ok(Question { consequences, text: format!("Revoke {}?", described(&key)) })
        };
        let instead = "use `keys disable`, which can be undone";
        self.sure.or_ask(terminal, Some(instead), question).await?;
        change(&self.one.path("/revoke")?, self.one.output, self.force, client, terminal).await
    }
}

impl Purge {
    pub(super) async fn run(self, client: &Client, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        let path = super::path(&self.id, "")?;
        let question = async || {
            let key: KeyView = client.get(&path).await?;
            Ok(Question {
                consequences: vec![
                    "All that is known about this key goes, save the audit log. This cannot be undone.".to_owned(),
                ],
                text: format!("Purge {}?", described(&key)),
            })
        };
        self.sure.or_ask(terminal, None, question).await?;
        client.command::<()>(&super::path(&self.id, "/purge")?).await?;
        terminal.say(&format!("{} is purged", self.id));
        Ok(())
    }
}
