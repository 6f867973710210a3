//! The binary: parse, run, exit code. Everything else is in the library.

use std::process::ExitCode;

use clap::Parser;
use gridgate::cli::{Cli, Terminal, run};

/// Records are made on one thread and freed on another; this allocator does not mind.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    run(cli.command, &mut Terminal::process()).await.into()
}
