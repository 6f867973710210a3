//! `gridgate serve`, and what the commands that open an installation share.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use tokio_util::sync::CancellationToken;

use super::{Exit, Failure};
use crate::config::{Config, ConfigError};
use crate::domain::{OsRandom, SystemClock};
use crate::observe::logging;
use crate::server::{self, FolderLock, Server, World};
use crate::shutdown;

/// Which installation to open.
#[derive(Debug, Args)]
#[command(next_help_heading = "Installation")]
pub struct Installation {
    /// The configuration file; every option is in config/gridgate.toml, with its default.
    #[arg(long, global = true, env = "GRIDGATE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data folder, in place of the option data.folder.
    #[arg(long, global = true, value_name = "FOLDER")]
    data: Option<PathBuf>,
}

impl Installation {
    /// The installation with this configuration file and this data folder.
    pub(super) const fn at(config: Option<PathBuf>, data: Option<PathBuf>) -> Self {
        Self { config, data }
    }

    /// The configuration: the file, then the environment, then the flags.
    pub(super) fn config(&self) -> Result<Config, ConfigError> {
        let data = self.data.iter().map(|folder| ("data.folder", folder.display().to_string())).collect::<Vec<_>>();
        let environment =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Config::load(self.config.as_deref(), environment, &data)
    }
}

/// The world as it is.
pub(super) fn world() -> World {
    World { clock: Arc::new(SystemClock), random: Arc::new(OsRandom) }
}

/// Serves until the process is told to stop.
pub(super) async fn run(installation: &Installation) -> Result<(), Failure> {
    let Begun { config, world, lock, stop } = begin(installation)?;
    let server = Server::start(config, lock, world, stop).await?;
    Ok(server.run().await?)
}

/// A process that is about to serve: it logs, has its data folder and can be told to stop.
pub(super) struct Begun {
    pub(super) config: Config,
    pub(super) world: World,
    pub(super) lock: FolderLock,
    pub(super) stop: CancellationToken,
}

/// What every command that serves begins with.
pub(super) fn begin(installation: &Installation) -> Result<Begun, Failure> {
    let config = installation.config()?;
    logging::init(&config.observe.log, config.observe.format)
        .map_err(|error| Failure::new(Exit::Usage, error.to_string()))?;
    let world = world();
    let lock = server::lock(&config, &*world.clock)?;
    let stop = shutdown::on_signal().context("signals")?;
    Ok(Begun { config, world, lock, stop })
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::new(Exit::Usage, error.to_string())
    }
}

/// Start-up gathers what led to an error; it is told in one line.
impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        let mut line = String::new();
        for cause in error.chain().map(ToString::to_string) {
            // Some errors tell their cause themselves.
            if !line.ends_with(&cause) {
                line = if line.is_empty() { cause } else { format!("{line}: {cause}") };
            }
        }
        Self::new(Exit::Failed, line)
    }
}
