//! `kill -9` of the real process under load: usage never says more than the lake holds, and lacks no more than what was accepted since
//! the last time that it was written down.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gridgate::catalog::{self, Catalog, Paging, UsageFilter};
use gridgate::domain::Timestamp;
use gridgate::domain::usage::{Fate, Step};
use http_body_util::BodyExt as _;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::kill::{CLIENTS, delivered, export, send, start};

const LIVES: u64 = 6;

/// Exports of the last life, which is not killed.
const LAST: u64 = 50;

async fn open(data: &Path) -> Arc<dyn Catalog> {
    let url = format!("sqlite:{}", data.join("catalog.sqlite").display());
    catalog::connect(&crate::catalog::settings(url)).await.expect("a catalog")
}

/// Exports that usage says were accepted, each of which is of one item. What it says by step is the same.
async fn accepted(catalog: &dyn Catalog) -> u64 {
    let mut sums = Vec::new();
    for step in Step::ALL {
        let (from, to) = (Timestamp::from_micros(0), Timestamp::from_micros(i64::MAX));
        let (project, grid, environment, signal) = (None, None, None, None);
        let (by, keys) = (Vec::new(), Vec::new());
        let filter = UsageFilter { step, from, to, by, project, grid, environment, keys, signal };
        let page = catalog.usage(&filter, &Paging { limit: 1_000, after: None }).await.expect("usage");
        let amounts = page.items.iter().flat_map(|row| &row.amounts);
        let accepted = amounts.filter(|(fate, _)| *fate == Fate::Accepted).map(|(_, amount)| amount);
        sums.push(accepted.fold((0, 0), |sum, amount| (sum.0 + amount.exports, sum.1 + amount.items)));
    }
    // Each step is read on its own while more is written: later ones may say more.
    assert!(sums.is_sorted(), "{sums:?}");
    assert!(sums.iter().all(|(exports, items)| exports == items), "{sums:?}");
    sums[0].0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn usage_is_what_the_lake_holds_but_for_the_last_moments_before_a_kill() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("gridgate.toml");
    std::fs::write(&config, "").expect("a file");
    let mut token = None;
    // What may be missing: acknowledged after the last writing that was seen, or stored and never acknowledged.
    let (mut before, mut may_lack) = (0, 0);
    for life in 0..LIVES {
        let mut gate = start(folder.path(), &config, life == 0).await;
        let catalog = open(folder.path()).await;
        token = token.or_else(|| gate.token.take());
        let token = token.clone().expect("the first start prints the key");
        let (count, mut counted) = watch::channel(0);
        let client = |client| tokio::spawn(send(gate.http, token.clone(), client, life, count.clone()));
        let clients: Vec<_> = (0..CLIENTS).map(client).collect();
        let enough = counted.wait_for(|count| *count >= 30 * (life + 1));
        let noted = tokio::time::timeout(Duration::from_mins(1), enough).await.expect("exports are acknowledged");
        let noted = *noted.expect("clients send");
        // All of these are written down without another one being needed.
        let deadline = Instant::now() + Duration::from_secs(30);
        let mut seen = 0;
        while seen < before + noted {
            assert!(Instant::now() < deadline, "{seen} of {} are written down", before + noted);
            tokio::time::sleep(Duration::from_millis(5)).await;
            seen = accepted(&*catalog).await;
        }
        gate.process.kill().expect("it is killed");
        gate.process.wait().expect("it is gone");
        let mut acknowledged = 0;
        for client in clients {
            acknowledged += client.await.expect("a client").len() as u64;
        }
        let written = accepted(&*catalog).await;
        assert!(written >= seen, "{written} are written down, and {seen} were");
        assert!(written <= before + acknowledged + CLIENTS, "more is counted than was accepted");
        may_lack += (before + acknowledged + CLIENTS).saturating_sub(written);
        before = written;
    }

    // A life that ends in good order is counted to the last export.
    let mut gate = start(folder.path(), &config, false).await;
    let token = token.expect("the first start prints the key");
    let stream = TcpStream::connect(gate.http).await.expect("a connection");
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.expect("HTTP/1.1");
    tokio::spawn(connection);
    for number in 0..LAST {
        sender.ready().await.expect("the connection is kept");
        let response = sender.send_request(export(u64::MAX / 2 + number, &token)).await.expect("an answer");
        assert_eq!(response.status(), 200);
        response.collect().await.expect("a body");
    }
    drop(sender);
    let stopped = std::process::Command::new("kill").arg(gate.process.id().to_string()).status().expect("kill runs");
    assert!(stopped.success());
    assert!(gate.process.wait().expect("it stops").success());
    let usage = accepted(&*open(folder.path()).await).await;
    assert_eq!(usage, before + LAST);
    let lake = delivered(&folder.path().join("lake")).await.len() as u64;
    assert!(
        usage <= lake && lake <= usage + may_lack,
        "{usage} are counted, {lake} are in the lake, {may_lack} may lack"
    );
}
