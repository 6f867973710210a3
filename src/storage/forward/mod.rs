//! Forwarding: records are sent on to another OTLP server, at least once and in the order of their arrival.
//!
//! A forwarder reads the segments of the shared log, sorts their records into one lane for each signal of each tenant, and sends from
//! all lanes at once. Its checkpoint says up to which segment every record is sent, so that the log can retire it. A record that has waited too long
//! in the shared log is moved: it is rewritten into a segment that belongs to its destination and lane alone. In memory there is
//! only where a record is, until its turn comes.

mod disk;
mod gone;
mod lane;
pub(super) mod own;
mod send;
mod settings;
mod usage;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use object_store::ObjectStore;
use object_store::path::Path;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::StorageError;
use super::backlog::Backlog;
use super::checkpoint::Passed;
use super::route::DestinationId;
use super::routing::Routing;
use crate::domain::{Clock, Random, Tenant};
use crate::observe::forward::ForwardMetrics;
use crate::observe::jobs::{Job, Jobs};
pub(super) use gone::keep_for_gone;
pub(super) use lane::LaneId;
use lane::{Lanes, Next, Source, Turn};
use send::{Ended, Export, Outcome, path_of};
pub use settings::{ForwardSettings, Forwarding};
pub use usage::{Admission, Usage};

/// The background job that sends records on to one destination.
pub struct Forwarder {
    store: Arc<dyn ObjectStore>,
    backlog: Backlog,
    routing: Arc<Routing>,
    id: DestinationId,
    settings: ForwardSettings,
    usage: Usage,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    lanes: Lanes,
    exports: JoinSet<Ended>,
    /// How many records of each segment of the shared log are neither sent nor moved yet.
    main: BTreeMap<u64, usize>,
    /// How many that are in all.
    waiting: usize,
    /// How many records of each own segment that was read are not sent yet.
    own: HashMap<Arc<Path>, usize>,
    /// Own segments that are to be removed.
    finished: Vec<Arc<Path>>,
    next_own: u64,
    next_order: u64,
    /// Up to where the shared log was read.
    taken: u64,
    /// Up to where everything is sent or moved, durably.
    passed: u64,
    quarantined: HashMap<Arc<Tenant>, u64>,
    ticked: Option<Instant>,
    counted: Instant,
    told: Option<Instant>,
}

/// Where so many records of the shared log wait, no more are read before some are sent or moved. Each takes about 100 bytes of memory.
const CROWD: usize = 400_000;

/// How often checkpoints are written, and how often lanes are looked at that wait.
const TICK: Duration = Duration::from_secs(1);

/// How often the quarantine is looked at, from which people remove things.
const RECOUNT: Duration = Duration::from_secs(30);

/// How often what happens to single records is worth a line.
const QUIET: Duration = Duration::from_mins(1);

impl Forwarder {
    /// The forwarder to the destination `id`, with what earlier runs left for it.
    pub(super) async fn open(
        store: Arc<dyn ObjectStore>,
        backlog: Backlog,
        routing: Arc<Routing>,
        id: DestinationId,
        settings: ForwardSettings,
        usage: Usage,
        forwarding: &Forwarding,
    ) -> Result<Self, StorageError> {
        let now = forwarding.clock.now();
        let passed = Passed::load(&*store, settings.name.as_str()).await?;
        let (found, next_own) = own::list(&*store, settings.name.as_str()).await?;
        let mut lanes = Lanes::new(settings.in_flight, now);
        for (lane, segments) in found {
            for segment in segments {
                usage.add(&lane.tenant, segment.bytes);
                lanes.push_own(&lane, segment);
            }
        }
        let mut forwarder = Self {
            store,
            backlog,
            routing,
            id,
            settings,
            usage,
            clock: Arc::clone(&forwarding.clock),
            random: Arc::clone(&forwarding.random),
            lanes,
            exports: JoinSet::new(),
            main: BTreeMap::new(),
            waiting: 0,
            own: HashMap::new(),
            finished: Vec::new(),
            next_own,
            next_order: 0,
            taken: passed,
            passed,
            quarantined: HashMap::new(),
            ticked: None,
            counted: Instant::now(),
            told: None,
        };
        forwarder.recount().await?;
        Ok(forwarder)
    }

    /// Its job, which lags by what waits for the destination or lies in its quarantine.
    #[must_use]
    pub fn job(&self, jobs: &Jobs) -> Job {
        let backlog = self.settings.metrics.backlog_bytes.clone();
        jobs.add_with_lag(format!("forward:{}", self.settings.name), "bytes", move || backlog.get())
    }

    /// Sends until `closed` is cancelled, and then what may be sent at that time. What is not sent stays in the log. It returns
    /// earlier only where it has broken down.
    pub async fn run(&mut self, closed: &CancellationToken, job: &Job) {
        while !closed.is_cancelled() {
            let pause = match job.run(self.advance(false)).await {
                Ok(true) => Duration::ZERO,
                Ok(false) => self.lanes.next_pause(self.clock.now()).map_or(TICK, |pause| pause.min(TICK)),
                Err(error) => {
                    self.tell(
                        |name| tracing::error!(destination = name, %error, "forwarding failed; it is tried again"),
                    );
                    TICK
                }
            };
            let mut ended = tokio::select! {
                () = closed.cancelled() => None,
                Some(ended) = self.exports.join_next() => Some(ended),
                () = self.backlog.changed(self.id) => None,
                () = tokio::time::sleep(pause) => None,
            };
            // All that have ended, so that reading the log does not slow down sending.
            while let Some(next) = ended.take().or_else(|| self.exports.try_join_next()) {
                match next {
                    Ok(ended) => self.settle(ended),
                    // Nobody knows which record it was. The next start puts things in order.
                    Err(error) => return tracing::error!(%error, "forwarding has broken down"),
                }
            }
        }
        if let Err(error) = self.forward_all().await {
            let name = self.settings.name.as_str();
            tracing::warn!(destination = name, %error, "what was sent last is sent again at the next start");
        }
    }

    /// Sends everything that may be sent by now, and moves what has waited too long.
    ///
    /// # Errors
    /// Where the log cannot be read or written.
    pub async fn forward_all(&mut self) -> Result<(), StorageError> {
        loop {
            while self.advance(true).await? {}
            match self.exports.join_next().await {
                Some(ended) => self.settle(ended.map_err(|error| StorageError::Task(error.to_string()))?),
                None => return Ok(()),
            }
        }
    }

    /// The backlog of this destination.
    #[must_use]
    pub fn usage(&self) -> &Usage {
        &self.usage
    }

    /// What is counted of this destination.
    #[must_use]
    pub fn metrics(&self) -> &ForwardMetrics {
        &self.settings.metrics
    }

    /// Begins everything that can begin now. Returns whether there is more to do without waiting for anything.
    async fn advance(&mut self, tick: bool) -> Result<bool, StorageError> {
        self.send().await;
        self.remove_finished().await;
        let taken = self.take_in().await;
        if !tick && self.ticked.is_some_and(|last| last.elapsed() < TICK) {
            return taken;
        }
        // Each for itself: what fails for one lane or segment must not keep the log from being retired.
        let moved = self.move_some().await;
        let kept = self.checkpoint().await;
        self.ticked = (!matches!(moved, Ok(true))).then(Instant::now);
        if !self.quarantined.is_empty() && (tick || self.counted.elapsed() >= RECOUNT) {
            self.recount().await?;
        }
        self.show();
        kept?;
        Ok(taken? | moved?)
    }

    /// Fills the free slots.
    async fn send(&mut self) {
        loop {
            match self.lanes.next(self.clock.now()) {
                None => return,
                Some(Next::Load(lane, own)) => self.load(lane, own).await,
                Some(Next::Send(lane, entry, probe)) => {
                    let export = Export {
                        store: Arc::clone(&self.store),
                        backend: Arc::clone(&self.settings.backend),
                        clock: Arc::clone(&self.clock),
                        destination: self.settings.name.to_string(),
                        lane,
                        entry,
                        probe,
                    };
                    self.exports.spawn(export.run());
                }
            }
        }
    }

    /// Notes what became of a record.
    fn settle(&mut self, ended: Ended) {
        let Ended { lane, entry, probe, outcome } = ended;
        let LaneId { tenant, signal } = &lane;
        let (bytes, metrics) = (entry.bytes(), self.settings.metrics.clone());
        match outcome {
            Outcome::Later { after, why } => {
                metrics.retried_records.inc();
                let (now, random) = (self.clock.now(), self.random_number());
                if self.lanes.later(&lane, entry, probe, now, after, random) == Turn::Stuck {
                    let name = self.settings.name.as_str();
                    tracing::warn!(destination = name, %tenant, %signal, why, "a tenant's records are not taken; they wait");
                }
                return;
            }
            Outcome::Delivered { items, rejected, message } => {
                metrics.delivered_records.inc();
                metrics.delivered_items.inc_by(items.saturating_sub(rejected));
                metrics.delivered_bytes.inc_by(bytes);
                metrics.rejected_items.inc_by(rejected);
                if rejected > 0 || !message.is_empty() {
                    self.tell(|name| {
                        tracing::warn!(destination = name, %tenant, %signal, rejected, message, "a record was taken in part");
                    });
                }
            }
            Outcome::Aside { items, bytes, why } => {
                metrics.quarantined_records.inc();
                metrics.quarantined_items.inc_by(items);
                metrics.quarantined_bytes.inc_by(bytes);
                self.usage.add(tenant, bytes);
                *self.quarantined.entry(Arc::clone(tenant)).or_default() += bytes;
                self.tell(|name| {
                    tracing::error!(destination = name, %tenant, %signal, why, "a record was refused for good and is in quarantine");
                });
            }
            Outcome::Lost => {
                let path = path_of(&entry.source);
                self.tell(|name| {
                    tracing::error!(destination = name, %tenant, %path, "a segment has disappeared; its records are lost");
                });
            }
        }
        self.usage.subtract(tenant, bytes);
        self.leave(&entry.source);
        if self.lanes.done(&lane, &entry, probe) == Turn::Flows {
            tracing::info!(destination = self.settings.name.as_str(), %tenant, %signal, "a tenant's records are taken again");
        }
    }

    /// One record of `source` needs it no longer.
    fn leave(&mut self, source: &Source) {
        match source {
            Source::Main(sequence) => {
                self.waiting = self.waiting.saturating_sub(1);
                if let Some(left) = self.main.get_mut(sequence) {
                    *left = left.saturating_sub(1);
                    if *left == 0 {
                        self.main.remove(sequence);
                    }
                }
            }
            Source::Own(path) => {
                if let Some(left) = self.own.get_mut(path) {
                    *left = left.saturating_sub(1);
                    if *left == 0 {
                        self.own.remove(path);
                        self.finished.push(Arc::clone(path));
                    }
                }
            }
        }
    }

    fn show(&self) {
        let now = self.clock.now();
        let metrics = &self.settings.metrics;
        metrics.backlog_bytes.set(self.usage.bytes());
        metrics.oldest_seconds.set(self.lanes.oldest().map_or(0, |oldest| now.since(oldest).as_secs()));
        metrics.stuck_tenants.set(self.lanes.stuck() as u64);
    }

    /// Logs what may happen to every record, but not for every record.
    fn tell(&mut self, line: impl FnOnce(&str)) {
        if self.told.is_none_or(|last| last.elapsed() >= QUIET) {
            self.told = Some(Instant::now());
            line(self.settings.name.as_str());
        }
    }

    fn random_number(&self) -> u32 {
        let mut bytes = [0xff; 4];
        // Without chance the pause is the longest.
        match self.random.fill(&mut bytes) {
            Ok(()) => u32::from_le_bytes(bytes),
            Err(_) => u32::MAX,
        }
    }
}

impl std::fmt::Debug for Forwarder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Forwarder").field("settings", &self.settings).finish_non_exhaustive()
    }
}
