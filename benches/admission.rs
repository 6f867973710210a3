//! What limits cost an export: checked before its body, charged after it and kept, with all scopes limited in all units.
//!
//! Every call is one that is let in. That none allocates is counted, and asserted.

use std::alloc::System;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use criterion::Criterion;
use gridgate::domain::limit::{Limits, Terms};
use gridgate::domain::{KeyId, OsRandom, Signal, Tenant, Timestamp};
use gridgate::metering::Measured;
use gridgate::metering::limiter::{Charge, Limiter, Scopes};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Each unit as a rate, and each that can be as a quota; wide enough for every call to be let in.
const ALL_UNITS: &str = "1000000000 requests/second, 1000000000000 items/second, 1000000000000 bytes/second, \
     1000000000000 items/day, 1000000000000 bytes/day, 1000000000000 items/month, 1000000000000 bytes/month";

/// Small enough for years of calls to stay below the quotas.
const EXPORT: Measured = Measured { items: 1, wire_bytes: 1, bytes: 1 };

fn main() -> Result<()> {
    let mut criterion = Criterion::default().configure_from_args();
    let every: Limits = ALL_UNITS.parse()?;
    let rates: Limits = "1000000000 requests/second".parse()?;
    let none = Limits::default();
    // Other keys of the same tenant share two of the three locks.
    let limiter = Limiter::new(100);
    let all = [&every; 3];
    let (one, other) = (scopes(&limiter, all)?, scopes(&limiter, all)?);
    let cases = [
        ("no limits", scopes(&Limiter::new(100), [&none; 3])?),
        ("one rate of the key", scopes(&Limiter::new(100), [&rates, &none, &none])?),
        ("7 limits of each scope", Arc::clone(&one)),
    ];

    let mut group = criterion.benchmark_group("check and charge");
    for (name, scopes) in &cases {
        ensure_nothing_is_allocated(scopes).context(*name)?;
        group.bench_function(*name, |bencher| {
            let mut now = NOON;
            bencher.iter(|| {
                now = now.after(TICK);
                admit(black_box(scopes), now)
            });
        });
    }
    group.bench_function("7 limits of each scope, 2 threads with a key each", |bencher| {
        bencher.iter_custom(|times| on_two_threads([&one, &other], times));
    });
    group.finish();
    criterion.final_summary();
    Ok(())
}

/// What admission does for an export of traces. Whether it is let in is the caller's to look at.
fn admit(scopes: &Arc<Scopes>, now: Timestamp) -> bool {
    scopes.check(Signal::Traces, now, now).is_ok()
        && scopes.charge(Signal::Traces, EXPORT, now, now).map(Charge::keep).is_ok()
}

fn ensure_nothing_is_allocated(scopes: &Arc<Scopes>) -> Result<()> {
    let region = Region::new(ALLOCATOR);
    let admitted = (0..1000).filter(|_| admit(scopes, NOON)).count();
    let refunded = (0..1000).filter(|_| scopes.charge(Signal::Logs, EXPORT, NOON, NOON).is_ok()).count();
    let change = region.change();
    ensure!((admitted, refunded) == (1000, 1000), "exports were refused: {admitted}, {refunded} of 1000");
    ensure!(change.allocations + change.reallocations == 0, "it allocates: {change:?}");
    Ok(())
}

/// Where the clock begins, which is not read here: reading it costs what it costs without limits, too.
const NOON: Timestamp = Timestamp::from_micros(1_795_262_400_000_000);

/// How much later the next export comes.
const TICK: Duration = Duration::from_micros(1);

/// How long it takes until each of two threads has admitted `times` exports.
fn on_two_threads(scopes: [&Arc<Scopes>; 2], times: u64) -> Duration {
    let begin = Instant::now();
    std::thread::scope(|threads| {
        for scopes in scopes {
            threads.spawn(move || {
                let mut now = NOON;
                for _ in 0..times {
                    now = now.after(TICK);
                    black_box(admit(black_box(scopes), now));
                }
            });
        }
    });
    begin.elapsed()
}

/// A key of the one tenant, with these limits of key, tenant and project.
fn scopes(limiter: &Limiter, limits: [&Limits; 3]) -> Result<Arc<Scopes>> {
    let tenant = Tenant { project: "demo".parse()?, grid: "demo".parse()?, environment: "production".parse()? };
    let terms = Terms { limits: limits.map(Clone::clone), ..Terms::default() };
    Ok(Arc::new(limiter.scopes(KeyId::random(&OsRandom)?, &tenant, &terms)))
}
