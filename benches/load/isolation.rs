//! What quiet tenants notice of one that sends ten times what it may.

#![expect(clippy::cast_precision_loss, reason = "figures for people")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use gridgate::domain::Transport;
use http::Request;
use http_body_util::Full;
use tokio::task::JoinSet;
use tokio::time::interval;

use super::case::Case;
use super::child::{Child, Contender, Pinning};
use super::client::{Sender, connect, prepared};
use super::report::median;

/// The fewest rounds whose median says something.
pub(crate) const ROUNDS: usize = 5;

/// As exporters send.
const CASES: [Case; 2] =
    [Case { transport: Transport::Http, gzip: true }, Case { transport: Transport::Grpc, gzip: true }];

const QUIET: [&str; 4] = ["quiet-1", "quiet-2", "quiet-3", "quiet-4"];
/// Exports of each quiet tenant in a second.
const QUIET_RATE: u32 = 100;
/// Exports of the noisy tenant in a second that are let in; it sends ten times as many.
const LIMIT: u32 = 100;
/// Its connections. An answer takes less than ten milliseconds, or it would not keep up.
const NOISY: u32 = 10;

type Prepared = Arc<[Request<Full<Bytes>>]>;

/// Measures and prints. An export of a quiet tenant that is not accepted ends it all.
pub(crate) async fn run(pinning: &Pinning, window: Duration, rounds: usize) -> Result<()> {
    println!(
        "\nisolation: {} quiet tenants of {QUIET_RATE} exports/s, and one of ten times its {LIMIT}/s",
        QUIET.len()
    );
    println!("  {:<12} {:>10} {:>12} {:>8} {:>14}", "", "alone p99", "beside p99", "ratio", "noisy refused");
    for case in CASES {
        let child = Child::start(Contender::Gate { durable: true, delivering: true }, pinning)?;
        let measured = measure(&child, case, window, rounds).await;
        let Measured { alone, beside, refused } = measured.with_context(|| format!("{case}\n{}", child.talk()))?;
        let ratio = median(alone.iter().zip(&beside).map(|(alone, beside)| beside / alone).collect());
        let (name, alone, beside) = (case.to_string(), median(alone), median(beside));
        println!("  {name:<12} {alone:>7.2} ms {beside:>9.2} ms {ratio:>8.2} {:>12.0} %", 100.0 * refused);
    }
    Ok(())
}

/// Of each round.
struct Measured {
    /// The p99 of the quiet tenants without the noisy one, in milliseconds.
    alone: Vec<f64>,
    /// The same with it.
    beside: Vec<f64>,
    /// Which part of what the noisy one sent in all rounds was refused.
    refused: f64,
}

async fn measure(child: &Child, case: Case, window: Duration, rounds: usize) -> Result<Measured> {
    let requests = case.requests();
    let tenant = |name: &str| {
        child.command(&["grids", "create", name, "--project", "demo"])?;
        let of = ["--project", "demo", "--grid", name, "--environment", "development"];
        let token = child.command(&[&["keys", "create", "--name", name], of.as_slice()].concat())?;
        prepared(child, Some(&token), case, &requests)
    };
    let quiet = QUIET.into_iter().map(tenant).collect::<Result<Vec<_>>>()?;
    let noisy = tenant("noisy")?;
    child.command(&["limits", "set", "--tenant", "demo/noisy/development", &format!("{LIMIT} requests/second")])?;
    // Every key is in the cache, and every code path was run.
    beside(child, case, &quiet, Some(&noisy), window / 3).await?;

    let mut measured = Measured { alone: Vec::new(), beside: Vec::new(), refused: 0.0 };
    for round in 0..rounds {
        // The first of each round is now the one, now the other, so that a slow phase meets both.
        for with_noise in [round % 2 == 1, round % 2 == 0] {
            let (latencies, refused) = beside(child, case, &quiet, with_noise.then_some(&noisy), window).await?;
            if with_noise {
                measured.beside.push(p99(latencies)?);
                measured.refused += refused / rounds as f64;
            } else {
                measured.alone.push(p99(latencies)?);
            }
        }
    }
    Ok(measured)
}

/// The latencies of the quiet tenants, in milliseconds, and which part of what the noisy one sent was refused.
async fn beside(
    child: &Child,
    case: Case,
    quiet: &[Prepared],
    noisy: Option<&Prepared>,
    window: Duration,
) -> Result<(Vec<f64>, f64)> {
    let address = child.address(case.transport);
    let end = Instant::now() + window;
    let (mut tenants, mut flood) = (JoinSet::new(), JoinSet::new());
    for requests in quiet {
        for sender in connect(address, case.transport, 1).await? {
            tenants.spawn(keep(sender, Arc::clone(requests), QUIET_RATE, end));
        }
    }
    if let Some(requests) = noisy {
        for _ in 0..NOISY {
            for sender in connect(address, case.transport, 1).await? {
                flood.spawn(keep(sender, Arc::clone(requests), 10 * LIMIT / NOISY, end));
            }
        }
    }
    let mut latencies = Vec::new();
    while let Some(one) = tenants.join_next().await {
        let (accepted, refused) = one??;
        ensure!(refused == 0, "{refused} exports of a quiet tenant were refused");
        latencies.extend(accepted);
    }
    let (mut accepted, mut refused) = (0, 0);
    while let Some(one) = flood.join_next().await {
        let one = one??;
        (accepted, refused) = (accepted + one.0.len(), refused + one.1);
    }
    Ok((latencies, refused as f64 / (accepted + refused).max(1) as f64))
}

/// Sends `rate` requests a second until `end`: the latency of each that was accepted, in milliseconds, and how many were not.
async fn keep(mut sender: Sender, requests: Prepared, rate: u32, end: Instant) -> Result<(Vec<f64>, usize)> {
    let (mut latencies, mut refused) = (Vec::new(), 0);
    // Where an answer is late, what was due meanwhile follows at once, and its waiting counts.
    let mut ticks = interval(Duration::from_secs(1) / rate);
    for request in requests.iter().cycle() {
        let due = ticks.tick().await.into_std();
        if due >= end {
            break;
        }
        if sender.send(request.clone()).await? {
            latencies.push(due.elapsed().as_secs_f64() * 1e3);
        } else {
            refused += 1;
        }
    }
    Ok((latencies, refused))
}

fn p99(mut latencies: Vec<f64>) -> Result<f64> {
    latencies.sort_by(f64::total_cmp);
    latencies.get(latencies.len().saturating_sub(1) * 99 / 100).copied().context("not one request was answered")
}
