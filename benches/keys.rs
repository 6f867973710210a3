//! What it costs to know a key: reading and proving a token, and finding its key in the cache.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use criterion::Criterion;
use gridgate::catalog::issue::{NewKey, issue_key};
use gridgate::catalog::{CatalogSettings, Grid, Project, connect, migrate};
use gridgate::domain::secret::Peppers;
use gridgate::domain::token::PresentedToken;
use gridgate::domain::{
    Actor, Binding, Clock, Digest, KeyId, OsRandom, Pepper, Slug, SystemClock, Tenant, Token, role,
};
use gridgate::ingest::key_cache::{KeyCache, KeyCacheSettings};
use tokio::runtime::Runtime;

fn main() -> Result<()> {
    let runtime = Runtime::new()?;
    let mut criterion = Criterion::default().configure_from_args();
    let pepper = Pepper::random(1, &OsRandom)?;
    let peppers = Peppers::new(vec![pepper.clone()]).context("one pepper")?;
    let folder = tempfile::tempdir()?;
    let (cache, id, token) = runtime.block_on(installation(&peppers, &folder.path().join("catalog.sqlite")))?;
    let stored = pepper.digest(token.reveal());

    let mut group = criterion.benchmark_group("token");
    group.bench_function("parse", |bencher| bencher.iter(|| PresentedToken::parse(black_box(token.reveal()))));
    group.bench_function("digest", |bencher| bencher.iter(|| pepper.digest(black_box(token.reveal()))));
    group.bench_function("parse, digest and compare", |bencher| {
        bencher.iter(|| prove(&pepper, black_box(token.reveal()), &stored));
    });
    group.finish();

    let mut group = criterion.benchmark_group("key cache");
    let get = |id: KeyId| {
        let (cache, runtime) = (&cache, &runtime);
        move |times| runtime.block_on(look_up(cache, id, times))
    };
    group.bench_function("known", |bencher| bencher.iter_custom(get(id)));
    let unknown = KeyId::random(&OsRandom)?;
    group.bench_function("unknown", |bencher| bencher.iter_custom(get(unknown)));
    group.bench_function("known, after a change: one query to SQLite", |bencher| {
        bencher.iter_custom(|times| {
            runtime.block_on(async {
                let begin = Instant::now();
                for _ in 0..times {
                    cache.forget(&id);
                    let _ = black_box(cache.get(&id).await);
                }
                begin.elapsed()
            })
        });
    });
    group.finish();
    criterion.final_summary();
    Ok(())
}

fn prove(pepper: &Pepper, token: &str, stored: &Digest) -> bool {
    PresentedToken::parse(token).is_ok_and(|token| pepper.digest(token.text).matches(stored))
}

async fn look_up(cache: &KeyCache, id: KeyId, times: u64) -> Duration {
    let _ = cache.get(&id).await;
    let begin = Instant::now();
    for _ in 0..times {
        let _ = black_box(cache.get(black_box(&id)).await);
    }
    begin.elapsed()
}

/// A real catalog with one ingest key, and the gate's cache in front of it.
async fn installation(peppers: &Peppers, file: &std::path::Path) -> Result<(KeyCache, KeyId, Token)> {
    let settings = CatalogSettings {
        url: format!("sqlite:{}", file.display()),
        max_connections: 8,
        connect_timeout: Duration::from_secs(5),
        statement_timeout: Duration::from_secs(5),
        max_active_keys: 1,
        purge_after: Duration::ZERO,
        import_timeout: Duration::from_secs(5),
    };
    migrate(&settings).await?;
    let catalog = connect(&settings).await?;
    let (demo, created_at): (Slug, _) = ("demo".parse()?, SystemClock.now());
    let by = Actor::command("bench", created_at);
    catalog.create_project(&Project::new(demo.clone(), "Demo", created_at), &by).await?;
    let grid = Grid { project: demo.clone(), slug: demo.clone(), name: "Demo".to_owned(), created_at };
    catalog.create_grid(&grid, &by).await?;
    let tenant = Tenant { project: demo.clone(), grid: demo, environment: "production".parse()? };
    let new = NewKey::with_role("bench", Binding::Tenant(tenant), role::INGEST)?;
    let (key, token) = issue_key(&*catalog, &OsRandom, peppers, new, &by).await?;
    let cache = KeyCacheSettings {
        ttl: Duration::from_hours(1),
        grace: Duration::ZERO,
        capacity: 100_000,
        unknown_ttl: Duration::from_hours(1),
        unknown_capacity: 10_000,
        lookup_time: Duration::from_secs(10),
        lookups: 32,
    };
    Ok((KeyCache::new(catalog, Arc::new(SystemClock), cache), key.id, token))
}
