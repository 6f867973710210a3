//! `gridgate migrate`: the catalog's schema becomes this version's.

use super::serve::Installation;
use super::{Failure, Terminal};
use crate::catalog;
use crate::server::{catalog_settings, make_data_folder};

/// Migrates the catalog.
pub(super) async fn run(installation: &Installation, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let config = installation.config()?;
    make_data_folder(&config)?;
    catalog::migrate(&catalog_settings(&config)).await.map_err(anyhow::Error::from)?;
    terminal.say("the catalog is up to date");
    Ok(())
}
