//! `gridgate me`

use clap::Args;

use super::client::{Client, Target};
use super::output::{self, Output};
use super::{Failure, Terminal};
use crate::admin::keys::KeyView;

/// Show the admin key that the command line uses.
#[derive(Debug, Args)]
pub struct Me {
    #[command(flatten)]
    target: Target,
    /// The form of the output.
    #[arg(long, value_enum, default_value = "table")]
    output: Output,
}

impl Me {
    pub(super) async fn run(self, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
        let client = Client::new(&self.target, terminal)?;
        output::whole(terminal, self.output, &client.get::<KeyView>("/me").await?)
    }
}
