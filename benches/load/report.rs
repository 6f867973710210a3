//! The tables: what was measured, and how it compares with what is aimed at.

#![expect(clippy::cast_precision_loss, reason = "figures for people")]

use std::time::Duration;

use gridgate::domain::Transport;

use super::case::{CASES, Case, ITEMS, Requests};
use super::child::Contender;
use super::client::Driven;
use super::serve::Kind;

/// One combination in one round.
pub(crate) struct Measured {
    pub(crate) contender: Contender,
    pub(crate) case: Case,
    pub(crate) driven: Driven,
    /// The server's, in bytes.
    pub(crate) peak_memory: u64,
}

impl Measured {
    fn rate(&self) -> f64 {
        self.driven.latencies.len() as f64 / self.driven.elapsed.as_secs_f64()
    }

    /// Of the latencies, in milliseconds.
    fn percentile(&self, percent: usize) -> f64 {
        let latencies = &self.driven.latencies;
        f64::from(latencies[(latencies.len() - 1) * percent / 100]) / 1000.0
    }

    /// Microseconds of a processor for one request.
    fn cost(&self, of: Duration) -> f64 {
        of.as_secs_f64() * 1e6 / self.driven.latencies.len() as f64
    }

    fn server_cost(&self) -> f64 {
        self.cost(self.driven.server)
    }
}

/// Prints everything.
pub(crate) fn print(requests: &[Requests], measured: &[Measured]) {
    let of = |contender, case| -> Vec<&Measured> {
        measured.iter().filter(|one| one.contender == contender && one.case == case).collect()
    };
    for (case, Requests { wire_size, size, .. }) in CASES.into_iter().zip(requests) {
        println!("\n{case}: {ITEMS} spans, {size} B, {wire_size} B on the wire");
        println!(
            "  {:<20} {:>10} {:>10} {:>8} {:>8} {:>8} {:>10} {:>8} {:>10} {:>8}",
            "", "requests/s", "items/s", "MB/s", "p50 ms", "p99 ms", "CPU µs/req", "CPU busy", "client µs", "peak MiB"
        );
        for contender in Contender::ALL {
            let rounds = of(contender, case);
            if rounds.is_empty() {
                continue;
            }
            let all = |figure: &dyn Fn(&Measured) -> f64| median(rounds.iter().map(|one| figure(one)).collect());
            let rate = all(&Measured::rate);
            println!(
                "  {:<20} {:>10.0} {:>10.0} {:>8.0} {:>8.2} {:>8.2} {:>10.1} {:>7.0}% {:>10.1} {:>8.0}",
                contender.to_string(),
                rate,
                rate * ITEMS as f64,
                rate * *size as f64 / 1e6,
                all(&|one| one.percentile(50)),
                all(&|one| one.percentile(99)),
                all(&Measured::server_cost),
                all(&|one| 100.0 * one.driven.server.as_secs_f64() / one.driven.elapsed.as_secs_f64()),
                all(&|one| one.cost(one.driven.client)),
                all(&|one| one.peak_memory as f64 / f64::from(1 << 20)),
            );
        }
    }
    println!(
        "\nAgainst the aims: medians of each round's ratio, by requests/s and by the server's CPU time per request"
    );
    println!("  {:<60} {:>5} {:>10} {:>10}", "", "aim", "requests/s", "CPU");
    for Aim { gate, other, case, ratio } in aims() {
        let rounds: Vec<_> = of(gate, case).into_iter().zip(of(other, case)).collect();
        if rounds.is_empty() {
            continue;
        }
        let rate = median(rounds.iter().map(|(gate, other)| gate.rate() / other.rate()).collect());
        let cost = median(rounds.iter().map(|(gate, other)| other.server_cost() / gate.server_cost()).collect());
        let name = format!("{case}: {gate} / {other}");
        let reached = if rate >= ratio { "reached" } else { "not reached" };
        println!("  {name:<60} {ratio:>5.1} {rate:>10.2} {cost:>10.2}  {reached}");
    }
}

struct Aim {
    gate: Contender,
    other: Contender,
    case: Case,
    ratio: f64,
}

/// What the gate is meant to reach. The comparisons keep nothing, so the gate does not deliver to the lake either.
fn aims() -> Vec<Aim> {
    let memory = Contender::Gate { durable: false, delivering: false };
    let durable = Contender::Gate { durable: true, delivering: false };
    let (decode, scan) = (Contender::Bare(Kind::Decode), Contender::Bare(Kind::Scan));
    let mut aims = Vec::new();
    for transport in [Transport::Http, Transport::Grpc] {
        let case = |gzip| Case { transport, gzip };
        aims.extend([
            Aim { gate: memory, other: decode, case: case(false), ratio: 3.0 },
            Aim { gate: memory, other: decode, case: case(true), ratio: 2.0 },
            Aim { gate: memory, other: scan, case: case(false), ratio: 0.6 },
            Aim { gate: memory, other: scan, case: case(true), ratio: 0.6 },
            Aim { gate: durable, other: decode, case: case(true), ratio: 1.5 },
            Aim { gate: durable, other: Contender::Uncounted, case: case(false), ratio: 0.95 },
            Aim { gate: durable, other: Contender::Uncounted, case: case(true), ratio: 0.95 },
        ]);
    }
    aims
}

/// Of at least one figure.
pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    let middle = figures.len() / 2;
    if figures.len() % 2 == 1 { figures[middle] } else { f64::midpoint(figures[middle - 1], figures[middle]) }
}
