//! The gate under load: the real binary beside servers that do less or do it the usual way, driven over loopback.
//!
//! `cargo bench --bench load` measures; `cargo test --bench load` only sees that everything still works. `benches/README.md` says how
//! to read the output.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints what it finds")]

mod case;
mod child;
mod client;
mod isolation;
mod report;
mod serve;

#[expect(dead_code, reason = "only traces are sent here")]
#[path = "../bodies/mod.rs"]
mod bodies;

use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;

use case::{CASES, Case};
use child::{Child, Contender, Pinning};
use client::Load;
use report::Measured;

/// What the gate uses, so that allocation costs every server the same.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Drives the gate and its comparisons over loopback.
#[derive(Parser)]
struct Options {
    /// Only combinations whose name ("gate, durable: HTTP gzip") contains this.
    filter: Option<String>,
    /// How long each combination is measured, in seconds; it is warmed up for a third of that before.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// How many times the whole is measured; medians are shown.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Requests in flight: the number of connections over HTTP/1.1.
    #[arg(long, default_value_t = 64)]
    in_flight: usize,
    /// How many of them share a connection over gRPC.
    #[arg(long, default_value_t = 4)]
    streams: usize,
    /// Measure in place of all this what quiet tenants notice of a noisy one, in at least five rounds.
    #[arg(long)]
    isolation: bool,
    /// Only see whether everything works: one short round.
    #[arg(long)]
    quick: bool,
    /// Said by cargo.
    #[arg(long, hide = true)]
    bench: bool,
    /// Be one of the comparison servers.
    #[arg(long, hide = true)]
    serve: Option<serve::Kind>,
}

fn main() -> Result<()> {
    let Some(mut options) = options() else { return Ok(()) };
    if let Some(kind) = options.serve {
        return serve::run(kind);
    }
    if options.quick {
        (options.seconds, options.rounds) = (0.3, 1);
    }
    let pinning = Pinning::of_this_machine();
    pinning.pin_client()?;
    println!("{pinning}");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let window = Duration::from_secs_f64(options.seconds);
    if options.isolation || options.quick {
        let rounds = if options.quick { 1 } else { options.rounds.max(isolation::ROUNDS) };
        runtime.block_on(isolation::run(&pinning, window, rounds))?;
    }
    if options.isolation {
        return Ok(());
    }
    let requests = CASES.map(Case::requests);
    let mut measured = Vec::new();
    for round in 1..=options.rounds {
        for (case, requests) in CASES.iter().zip(&requests) {
            for contender in Contender::ALL {
                let name = format!("{contender}: {case}");
                if options.filter.as_ref().is_some_and(|filter| !name.contains(filter)) {
                    continue;
                }
                eprintln!("round {round}: {name}");
                let one = measure(&options, &pinning, contender, *case, requests);
                measured.push(runtime.block_on(one).with_context(|| name)?);
            }
        }
    }
    report::print(&requests, &measured);
    Ok(())
}

/// What was asked for. Without `--bench` it is a test run, whose arguments are the test runner's: then `None` where its filter is
/// for something else.
fn options() -> Option<Options> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| ["--bench", "--serve", "--help"].contains(&argument.as_str())) {
        return Some(Options::parse());
    }
    let meant = arguments.iter().all(|argument| argument.starts_with('-') || "load".contains(argument.as_str()));
    meant.then(|| Options::parse_from(["load", "--quick"]))
}

/// Starts the server afresh, warms it up and measures it, so that nothing is left to a server by the one before it.
async fn measure(
    options: &Options,
    pinning: &Pinning,
    contender: Contender,
    case: Case,
    requests: &case::Requests,
) -> Result<Measured> {
    let child = Child::start(contender, pinning)?;
    let window = Duration::from_secs_f64(options.seconds);
    let load = Load { warm_up: window / 3, window, in_flight: options.in_flight, streams: options.streams };
    let driven = load.drive(&child, case, requests).await;
    let driven = driven.with_context(|| child.talk())?;
    Ok(Measured { contender, case, driven, peak_memory: child.peak_memory()? })
}
