//! `gridgate keys secrets`

use super::One;
use crate::admin::keys::SecretView;
use crate::cli::client::{Client, Data};
use crate::cli::output;
use crate::cli::{Failure, Terminal};

pub(super) async fn run(one: &One, client: &Client, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let secrets: Data<SecretView> = client.get(&one.path("/secrets")?).await?;
    output::rows(terminal, one.output, &secrets.data)
}
