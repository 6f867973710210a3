//! `gridgate migrate`: the catalog's schema becomes this version's.

use super::serve::Installation;
use super::{Exit, Failure, Terminal};
use crate::catalog;
use crate::server::catalog_settings;

/// Migrates the catalog.
pub(super) async fn run(installation: &Installation, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let config = installation.config()?;
    std::fs::create_dir_all(&config.data.folder).map_err(|error| {
        Failure::new(Exit::Failed, format!("data.folder: {} cannot be created: {error}", config.data.folder.display()))
    })?;
    catalog::migrate(&catalog_settings(&config)).await.map_err(anyhow::Error::from)?;
    terminal.say("the catalog is up to date");
    Ok(())
}
