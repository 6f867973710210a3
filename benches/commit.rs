//! What a durable acknowledgement costs: group commit of the real log on a local disk, beside appending as much to one file with
//! `fdatasync`, which is the least that any log has to do.
//!
//! `cargo bench --bench commit` measures; as a test each line is done for a moment.

#![expect(clippy::print_stdout, reason = "a benchmark prints what it finds")]
#![expect(clippy::cast_precision_loss, reason = "figures for people")]

use std::fs::File;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use bytes::Bytes;
use gridgate::domain::{Clock, Encoding, KeyId, OsRandom, RecordId, Signal, SystemClock, Tenant};
use gridgate::storage::deliver::{DeliverSettings, Delivered, Report};
use gridgate::storage::forward::Forwarding;
use gridgate::storage::log::{Durability, Log, LogSettings};
use gridgate::storage::open::{Storage, StorageSettings, open};
use gridgate::storage::record::{Record, RecordMeta};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// As the gate allocates.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A body of 100 spans with and without gzip.
const PAYLOADS: [usize; 2] = [9_000, 48_000];
const APPENDERS: [usize; 4] = [1, 16, 64, 256];

fn main() -> Result<()> {
    let bench = std::env::args().any(|argument| argument == "--bench");
    let time = if bench { Duration::from_secs(2) } else { Duration::from_millis(50) };
    let runtime = tokio::runtime::Runtime::new()?;
    println!(
        "{:>9} {:>9} {:>10} {:>7} {:>8} {:>8} {:>9} {:>22}",
        "payload B", "appenders", "records/s", "MB/s", "p50 ms", "p99 ms", "per batch", "one file, fdatasync/s"
    );
    for payload in PAYLOADS {
        for appenders in APPENDERS {
            let Committed { mut latencies, elapsed, segments } = runtime.block_on(commit(payload, appenders, time))?;
            ensure!(!latencies.is_empty() && segments > 0, "nothing was committed");
            latencies.sort_unstable();
            let percentile = |percent: usize| latencies[(latencies.len() - 1) * percent / 100].as_secs_f64() * 1000.0;
            let rate = latencies.len() as f64 / elapsed.as_secs_f64();
            let batch = latencies.len().div_ceil(segments);
            println!(
                "{payload:>9} {appenders:>9} {rate:>10.0} {:>7.0} {:>8.2} {:>8.2} {batch:>9} {:>22.0}",
                rate * payload as f64 / 1e6,
                percentile(50),
                percentile(99),
                append(payload, batch, time)?,
            );
        }
    }
    Ok(())
}

/// What was committed.
struct Committed {
    /// Of each record.
    latencies: Vec<Duration>,
    elapsed: Duration,
    segments: usize,
}

/// `appenders` append one record after the other for `time`.
async fn commit(payload: usize, appenders: usize, time: Duration) -> Result<Committed> {
    let folder = folder()?;
    let settings = StorageSettings {
        log_folder: folder.path().join("log"),
        lake_folder: folder.path().join("lake"),
        log: LogSettings {
            durability: Durability::Durable,
            in_flight: 1,
            linger: Duration::ZERO,
            segment_bytes: 16 << 20,
        },
        deliver: DeliverSettings { interval: Duration::from_hours(1), plan_bytes: 64 << 20 },
        backlog_bytes: u64::MAX,
    };
    let Storage { log, committer, backlog, .. } =
        open(&settings, Forwarding::default(), &OsRandom, Arc::new(Unheard)).await?;
    let closed = CancellationToken::new();
    let committing = tokio::spawn(committer.run(closed.clone()));
    let payload = Bytes::from(vec![0x5a; payload]);
    let begin = Instant::now();
    let end = begin + time;
    let workers: Vec<_> =
        (0..appenders).map(|_| tokio::spawn(append_until(end, log.clone(), payload.clone()))).collect();
    let mut latencies = Vec::new();
    for worker in workers {
        latencies.extend(worker.await??);
    }
    let elapsed = begin.elapsed();
    closed.cancel();
    committing.await?;
    Ok(Committed { latencies, elapsed, segments: backlog.segments() })
}

async fn append_until(end: Instant, log: Log, payload: Bytes) -> Result<Vec<Duration>> {
    let slug = |text: &str| text.parse();
    let tenant = Arc::new(Tenant { project: slug("demo")?, grid: slug("demo")?, environment: slug("production")? });
    let mut latencies = Vec::new();
    loop {
        let begin = Instant::now();
        let arrival = SystemClock.now();
        let meta = RecordMeta {
            id: RecordId::new(arrival, &OsRandom)?,
            tenant: Arc::clone(&tenant),
            key: KeyId::random(&OsRandom)?,
            secret_version: 1,
            signal: Signal::Traces,
            arrival,
            items: 100,
            encoding: Encoding::Identity,
            decompressed_size: payload.len() as u64,
        };
        log.append(Record { meta, payload: payload.clone(), reservation: None }).await?;
        latencies.push(begin.elapsed());
        if Instant::now() >= end {
            return Ok(latencies);
        }
    }
}

/// Payloads per second where batches of `batch` are appended to one file, each with `fdatasync`.
fn append(payload: usize, batch: usize, time: Duration) -> Result<f64> {
    let folder = folder()?;
    let mut file = File::create(folder.path().join("file"))?;
    let bytes = vec![0x5a; payload * batch];
    let begin = Instant::now();
    let mut written = 0;
    while begin.elapsed() < time {
        file.write_all(&bytes)?;
        file.sync_data()?;
        written += batch;
    }
    Ok(written as f64 / begin.elapsed().as_secs_f64())
}

/// On the disk of the build, not in /tmp, which may be no disk at all.
fn folder() -> std::io::Result<TempDir> {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))
}

/// Nothing is delivered here.
#[derive(Debug)]
struct Unheard;

impl Report for Unheard {
    fn delivered(&self, _: Delivered) {}

    fn failed(&self) {}
}
