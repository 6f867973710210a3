//! The command line. Most commands are clients of the admin API: they can do what it can, and no more.
//!
//! stdout carries data, stderr carries talk. Exit codes say what kind of end it was, see [`Exit`].

mod alerts;
mod audit;
mod bootstrap;
mod client;
mod completion;
mod confirm;
mod doctor;
mod environments;
mod exit;
mod expiry;
mod grids;
mod issued;
mod jobs;
mod keys;
mod limits;
mod me;
mod members;
mod migrate;
mod output;
mod patch;
mod plans;
mod projects;
mod quarantine;
mod quickstart;
mod refusals;
mod requests;
mod roles;
mod senders;
mod serve;
mod sessions;
mod terminal;
mod usage;
mod webhooks;

use clap::{Parser, Subcommand};

pub use client::Target;
pub use exit::Exit;
pub use terminal::Terminal;

use exit::Failure;

/// The front door for OpenTelemetry: exports checked by key, made durable, delivered to their tenant's storage.
#[derive(Debug, Parser)]
#[command(name = "gridgate", version, about, after_help = exit::codes())]
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
    /// Create, list, change, suspend and resume projects.
    Projects(projects::Projects),
    /// List, create, change and delete plans: named sets of limits that projects have.
    Plans(plans::Plans),
    /// Show and change what projects, tenants and keys are limited to.
    Limits(limits::Limits),
    /// Create and list grids, the applications of a project.
    Grids(grids::Grids),
    /// List, create and change environments.
    Environments(environments::Environments),
    /// The whole life of keys.
    Keys(keys::Keys),
    /// Show who uses which key.
    Senders(senders::Senders),
    /// Find out why telemetry does not arrive.
    Doctor(doctor::Doctor),
    /// Show which telemetry was turned away, why, and what to do about it.
    Refusals(refusals::Refusals),
    /// List, create, change and delete roles: names for what keys may do.
    Roles(roles::Roles),
    /// List, invite, change and remove the people that administer.
    Members(members::Members),
    /// Show the admin key that the command line uses.
    Me(me::Me),
    /// List and end the sessions of the web console that were begun with the admin key.
    Sessions(sessions::Sessions),
    /// Show how much came in and what became of it.
    Usage(usage::Usage),
    /// List and verify the audit log: who did what.
    Audit(audit::Audit),
    /// List, create, change, delete and test webhooks, which are told what happens to keys.
    Webhooks(webhooks::Webhooks),
    /// List what was out of the ordinary, and quotas that are nearly used up.
    Alerts(alerts::Alerts),
    /// List single exports, or watch them as they end.
    Requests(requests::Requests),
    /// List the background jobs of the server, and how they do.
    Jobs(jobs::Jobs),
    /// List, show, remove and send again what no destination takes.
    Quarantine(quarantine::Quarantined),
    /// Print a script that teaches a shell to complete these commands.
    Completion(completion::Completion),
}

/// Runs one command to its end: reads and writes on `terminal`, and says there what went wrong.
pub async fn run(command: Command, terminal: &mut Terminal<'_>) -> Exit {
    let ended = match command {
        Command::Quickstart(installation) => quickstart::run(&installation, terminal).await,
        Command::Serve(installation) => serve::run(&installation).await,
        Command::Bootstrap(bootstrap) => bootstrap::run(&bootstrap, terminal).await,
        Command::Migrate(installation) => migrate::run(&installation, terminal).await,
        Command::Projects(projects) => projects.run(terminal).await,
        Command::Plans(plans) => plans.run(terminal).await,
        Command::Limits(limits) => limits.run(terminal).await,
        Command::Grids(grids) => grids.run(terminal).await,
        Command::Environments(environments) => environments.run(terminal).await,
        Command::Keys(keys) => keys.run(terminal).await,
        Command::Senders(senders) => senders.run(terminal).await,
        Command::Doctor(doctor) => doctor.run(terminal).await,
        Command::Refusals(refusals) => refusals.run(terminal).await,
        Command::Roles(roles) => roles.run(terminal).await,
        Command::Members(members) => members.run(terminal).await,
        Command::Me(me) => me.run(terminal).await,
        Command::Sessions(sessions) => sessions.run(terminal).await,
        Command::Usage(usage) => usage.run(terminal).await,
        Command::Audit(audit) => audit.run(terminal).await,
        Command::Webhooks(webhooks) => webhooks.run(terminal).await,
        Command::Alerts(alerts) => alerts.run(terminal).await,
        Command::Requests(requests) => requests.run(terminal).await,
        Command::Jobs(jobs) => jobs.run(terminal).await,
        Command::Quarantine(quarantined) => quarantined.run(terminal).await,
        Command::Completion(completion) => completion.run(terminal),
    };
    match ended {
        Ok(()) => Exit::Done,
        Err(failure) => {
            terminal.report(&failure);
            failure.exit
        }
    }
}
