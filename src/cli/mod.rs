//! The command line. `projects`, `grids` and `keys` are clients of the admin API: they can do what it can, and no more.
//!
//! stdout carries data, stderr carries talk. Exit codes say what kind of end it was, see [`Exit`].

mod bootstrap;
mod client;
mod doctor;
mod grids;
mod https;
mod keys;
mod migrate;
mod output;
mod projects;
mod quarantine;
mod quickstart;
mod serve;
mod terminal;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use client::Target;
pub use terminal::Terminal;

/// The front door for OpenTelemetry: exports checked by key, made durable, delivered to their tenant's storage.
#[derive(Debug, Parser)]
#[command(name = "gridgate", version, about, after_help = EXIT_CODES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start the whole product on embedded defaults, and print the first keys.
    Quickstart(serve::Installation),
    /// Serve an installation that was bootstrapped.
    Serve(serve::Installation),
    /// Make a new installation's pepper, catalog and first admin key.
    Bootstrap(bootstrap::Bootstrap),
    /// Bring the catalog's schema to this version's.
    Migrate(serve::Installation),
    /// Create and list projects.
    Projects(projects::Projects),
    /// Create and list grids, the applications of a project.
    Grids(grids::Grids),
    /// Create, list, show, disable, enable and revoke keys.
    Keys(keys::Keys),
    /// Find out why telemetry does not arrive.
    Doctor(doctor::Doctor),
    /// List, show, remove and send again what no destination takes.
    Quarantine(quarantine::Quarantined),
}

const EXIT_CODES: &str = "\
Exit codes: 0 done; 1 refused, or not confirmed; 2 the command line or its environment is not as it must be; \
3 the server cannot be reached or is not available, try again later; 4 the server failed or its answer is not understood, \
or the output could not be written";

/// How a command ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exit {
    /// 0: what was asked for is done.
    Done,
    /// 1: the server refused it, or the person at the terminal did not confirm it.
    Refused,
    /// 2: the command line or its environment is not as it must be. Nothing was sent.
    Usage,
    /// 3: the server could not be reached, did not answer in time, or said that it is not available. Whether a change was made
    /// is not known.
    Unreachable,
    /// 4: the server failed, its answer is not understood, or the output could not be written.
    Failed,
}

impl Exit {
    /// The exit code.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Refused => 1,
            Self::Usage => 2,
            Self::Unreachable => 3,
            Self::Failed => 4,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Runs one command to its end: reads and writes on `terminal`, and says there what went wrong.
pub async fn run(command: Command, terminal: &mut Terminal<'_>) -> Exit {
    let ended = match command {
        Command::Quickstart(installation) => quickstart::run(&installation, terminal).await,
        Command::Serve(installation) => serve::run(&installation).await,
        Command::Bootstrap(bootstrap) => bootstrap::run(&bootstrap, terminal).await,
        Command::Migrate(installation) => migrate::run(&installation, terminal).await,
        Command::Projects(projects) => projects.run(terminal).await,
        Command::Grids(grids) => grids.run(terminal).await,
        Command::Keys(keys) => keys.run(terminal).await,
        Command::Doctor(doctor) => doctor.run(terminal).await,
        Command::Quarantine(quarantined) => quarantined.run(terminal).await,
    };
    match ended {
        Ok(()) => Exit::Done,
        Err(failure) => {
            terminal.report(&failure);
            failure.exit
        }
    }
}

/// Why a command did not do what was asked for.
#[derive(Debug)]
struct Failure {
    exit: Exit,
    /// Lines for the person: what is wrong, then what to do about it.
    lines: Vec<String>,
}

impl Failure {
    fn new(exit: Exit, line: impl Into<String>) -> Self {
        Self { exit, lines: vec![line.into()] }
    }

    fn hint(mut self, line: impl Into<String>) -> Self {
        self.lines.push(line.into());
        self
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::new(Exit::Failed, format!("cannot write the output: {error}"))
    }
}
