//! What is remembered of exports, and who writes it down, from the configuration.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result};

use super::World;
use crate::catalog::Catalog;
use crate::config::{Config, RequestsConfig, UsageConfig};
use crate::domain::usage::Step;
use crate::domain::{Clock, KeyId, RecordId, Slug};
use crate::ingest::Gate;
use crate::metering::Books;
use crate::metering::refusals::{RefusalSettings, Refusals};
use crate::metering::requests::{RequestSettings, Requests};
use crate::metering::senders::Senders;
use crate::metering::usage::Usage;
use crate::observe::metrics::Metrics;
use crate::upkeep::alerts::Alerter;
use crate::upkeep::plans::Herald;
use crate::upkeep::refusals::RefusalKeeper;
use crate::upkeep::requests::{KeepSettings, RequestKeeper};
use crate::upkeep::senders::SenderKeeper;
use crate::upkeep::sweep::Sweeper;
use crate::upkeep::usage::UsageKeeper;
use crate::upkeep::usage::told::UsageTeller;

/// What remembers exports, and metrics of how much that is.
pub(super) fn books(config: &Config, metrics: &Metrics) -> Arc<Books> {
    let usage = if config.usage.enabled { Usage::new(config.usage.entries) } else { Usage::off() };
    let requests = Requests::new(RequestSettings {
        sample: config.requests.sample.millionths(),
        entries: config.requests.entries,
    });
    let groups = usize::try_from(config.refusals.groups).unwrap_or(usize::MAX);
    let refusals = Refusals::new(RefusalSettings { entries: config.refusals.entries, groups });
    let senders = Senders::new(config.senders.entries);
    let books = Arc::new(Books { requests, refusals, senders, usage });
    let gauge = |name, help, value: fn(&Books) -> u64| {
        let books = Arc::clone(&books);
        metrics.gauge(name, help, move || value(&books));
    };
    gauge("unwritten_usage", "Minutes of keys and signals whose usage is not written down yet", |books| {
        books.usage.len() as u64
    });
    gauge("requests_not_logged", "Exports that the request log had no room for", |books| books.requests.not_logged());
    gauge("request_watchers", "Watchers of the live feed", |books| books.requests.watchers() as u64);
    gauge("held_senders", "Senders of keys that are held in memory", |books| books.senders.len() as u64);
    gauge(
        "unknown_sender_exports",
        "Exports since the start of whose senders nothing is remembered, for want of room",
        |books| books.senders.passed_over(),
    );
    books
}

/// What writes down who uses which key.
pub(super) fn sender_keeper(config: &Config, gate: &Gate, catalog: &Arc<dyn Catalog>) -> SenderKeeper {
    SenderKeeper {
        books: Arc::clone(&gate.books),
        catalog: Arc::clone(catalog),
        clock: Arc::clone(&gate.clock),
        interval: config.senders.flush_interval.0,
        keep: config.senders.keep.0,
    }
}

/// What writes down what was turned away.
pub(super) fn refusal_keeper(config: &Config, gate: &Gate, catalog: &Arc<dyn Catalog>) -> RefusalKeeper {
    RefusalKeeper {
        books: Arc::clone(&gate.books),
        catalog: Arc::clone(catalog),
        clock: Arc::clone(&gate.clock),
        interval: config.refusals.flush_interval.0,
        groups: config.refusals.groups,
        keep: config.refusals.keep.0,
    }
}

/// What forgets answers and sessions whose time is over.
pub(super) fn sweeper(config: &Config, gate: &Gate, catalog: &Arc<dyn Catalog>) -> Sweeper {
    let (catalog, clock) = (Arc::clone(catalog), Arc::clone(&gate.clock));
    Sweeper { catalog, clock, session_idle: config.console.session_idle.0 }
}

/// What gives alerts.
pub(super) fn alerter(gate: &Gate, catalog: &Arc<dyn Catalog>) -> Alerter {
    Alerter {
        catalog: Arc::clone(catalog),
        clock: Arc::clone(&gate.clock),
        random: Arc::clone(&gate.random),
        limiter: Arc::clone(gate.keys.limiter()),
        metrics: gate.metrics.alerts.clone(),
        unwritten: Mutex::default(),
    }
}

/// What tells of plans that have ended.
pub(super) fn herald(gate: &Gate, catalog: &Arc<dyn Catalog>) -> Herald {
    Herald { catalog: Arc::clone(catalog), clock: Arc::clone(&gate.clock), random: Arc::clone(&gate.random) }
}

/// What writes usage down.
pub(super) fn usage_keeper(
    config: &UsageConfig,
    books: Arc<Books>,
    catalog: &Arc<dyn Catalog>,
    world: &World,
) -> Result<UsageKeeper> {
    let writer = RecordId::new(world.clock.now(), &*world.random).context("random bytes")?;
    let (catalog, clock) = (Arc::clone(catalog), Arc::clone(&world.clock));
    Ok(UsageKeeper::new(books, catalog, clock, config.flush_interval.0, writer))
}

/// An hour is told of when it is written down on every node, and a minute later.
pub(super) fn usage_teller(config: &UsageConfig, catalog: &Arc<dyn Catalog>, clock: &Arc<dyn Clock>) -> UsageTeller {
    UsageTeller {
        catalog: Arc::clone(catalog),
        clock: Arc::clone(clock),
        patience: config.flush_interval.0.saturating_mul(2).saturating_add(Duration::from_mins(1)),
        keep: Step::ALL.map(|step| config.keep(step)),
    }
}

/// What writes single exports down.
pub(super) fn request_keeper(config: &Config, gate: &Gate, catalog: &Arc<dyn Catalog>) -> RequestKeeper {
    let RequestsConfig { interval, keep_rows, keep, .. } = config.requests;
    let settings = KeepSettings { interval: interval.0, rows: keep_rows, age: keep.0 };
    let (books, catalog) = (Arc::clone(&gate.books), Arc::clone(catalog));
    RequestKeeper::new(books, catalog, Arc::clone(&gate.clock), Arc::clone(&gate.random), settings)
}

/// What to call after the change of one key, of what many keys share, and of what the keys of one project share.
#[expect(clippy::type_complexity, reason = "they are named where they are kept, in `AdminState`")]
pub(super) fn told_of_changes(
    gate: &Arc<Gate>,
) -> (Arc<dyn Fn(KeyId) + Send + Sync>, Arc<dyn Fn() + Send + Sync>, Arc<dyn Fn(&Slug) + Send + Sync>) {
    let of = || Arc::clone(gate);
    let (one, all, project) = (of(), of(), of());
    let key_changed = move |id| {
        one.keys.forget(&id);
        one.books.requests.access_changed();
    };
    let all_keys_changed = move || {
        all.keys.forget_all();
        all.books.requests.access_changed();
    };
    (Arc::new(key_changed), Arc::new(all_keys_changed), Arc::new(move |slug| project.keys.forget_project(slug)))
}

/// Shows what the gate holds among its metrics.
pub(super) fn show(gate: &Arc<Gate>) {
    let gauge = |name, help, value: fn(&Gate) -> u64| {
        let shown = Arc::downgrade(gate);
        gate.metrics.gauge(name, help, move || shown.upgrade().map_or(0, |gate| value(&gate)));
    };
    gauge("body_memory_bytes", "Memory reserved by bodies in flight", |gate| gate.budget.used());
    gauge("cached_keys", "Keys in the cache", |gate| gate.keys.len());
    gauge("unwritten_uses", "Secrets whose last use is not written down yet", |gate| gate.uses.len() as u64);
}
