//! The composition root: from a configuration to running listeners, and back to nothing in the right order.

mod books;
mod connections;
mod console;
mod descriptors;
mod expiry;
mod health;
mod idle;
mod listeners;
mod memory;
mod opening;
mod others;
pub(crate) mod pem;
mod refused;
mod settings;
mod slots;
mod stalled;
pub(crate) mod tls;
mod upkeep;

use std::convert::Infallible;
use std::fs::DirBuilder;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::DirBuilderExt;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use axum::Router;
use axum::response::Response;
use http::Request;
use hyper::body::Incoming;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};
use tower::ServiceExt as _;

use crate::admin::AdminState;
use crate::admin::limits::Limits;
use crate::admin::request::Peer;
use crate::catalog::{self, Catalog};
use crate::config::{Config, pepper};
use crate::domain::Transport;
use crate::domain::uses::Uses;
use crate::domain::{Budget, Clock, Random};
use crate::ingest::Gate;
use crate::ingest::key_cache::KeyCache;
use crate::observe::jobs::Jobs;
use crate::observe::metrics::Metrics;
use crate::shutdown::essential;
use crate::storage::deliver::{Delivered, Deliverer, Report};
use crate::storage::forward::Forwarder;
pub use crate::storage::lock::FolderLock;
use crate::storage::log::Committer;
use crate::storage::open::Storage;
pub use crate::storage::quarantine::{Quarantine, SetAside};
use crate::upkeep::hygiene::Inspector;
use crate::upkeep::usage::UsageKeeper;
use crate::upkeep::uses::UseKeeper;
use crate::upkeep::webhooks::courier::Courier;
use books::{
    alerter, books, herald, refusal_keeper, request_keeper, sender_keeper, show, sweeper, told_of_changes,
    usage_keeper, usage_teller,
};
use connections::Connections;
use listeners::{IngestListener, Listeners, check_environments};
use refused::Refused;
pub use settings::catalog_settings;
use settings::{
    admin_limits, connection_limits, cors, credential_headers, export_limits, failures, forwarding, key_cache_settings,
    leaks, storage_settings, webhook_sender,
};
use slots::Slots;
use upkeep::{Upkeep, Work};

/// What the outside world gives to a process; tests give something else.
#[derive(Clone)]
pub struct World {
    /// The present instant.
    pub clock: Arc<dyn Clock>,
    /// Random bytes.
    pub random: Arc<dyn Random>,
}

/// A gate whose listeners are bound. Nothing is served until [`Server::run`].
pub struct Server {
    config: Config,
    gate: Arc<Gate>,
    catalog: Arc<dyn Catalog>,
    admin: AdminState,
    committer: Committer,
    deliverer: Deliverer,
    forwarders: Vec<Forwarder>,
    upkeep: (Courier, Inspector, UsageKeeper),
    connections: Connections,
    listeners: Listeners,
    stop: CancellationToken,
    _locks: (FolderLock, Option<FolderLock>),
}

/// Locks the data folder, which is created where it is missing.
///
/// # Errors
/// Where the folder cannot be used, or another process has it.
pub fn lock(config: &Config, clock: &dyn Clock) -> Result<FolderLock> {
    make_data_folder(config)?;
    FolderLock::acquire(&config.data.folder, clock.now()).context("data.folder")
}

/// Makes the data folder where it is missing, for its owner alone: every tenant's telemetry is in it. Who else should read the
/// lake is given a `lake.folder` of its own, or the right to this one.
///
/// # Errors
/// Where it cannot be made.
pub fn make_data_folder(config: &Config) -> Result<()> {
    let folder = &config.data.folder;
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.with_context(|| format!("data.folder: {} cannot be created", folder.display()))
}

impl Server {
    /// Opens everything and binds every listener. `stop` stops it later.
    ///
    /// # Errors
    /// Where anything cannot be opened; the message names the option.
    pub async fn start(config: Config, lock: FolderLock, world: World, stop: CancellationToken) -> Result<Self> {
        let World { clock, random } = world.clone();
        let peppers = Arc::new(pepper::read(&config.pepper_file()).context("keys.pepper_file")?);
        let catalog = catalog::connect(&catalog_settings(&config)).await.context("catalog.url")?;
        check_environments(&config, &*catalog).await?;

        let total = memory::limit(config.limits.memory.0);
        let connection_memory = Budget::new(total / 2);
        let metrics = Arc::new(Metrics::new());
        let report = Arc::new(Reported(Arc::clone(&metrics)));
        let forwarding = forwarding(&config, &metrics, &world)?;
        for (option, folder) in [("log.folder", config.log_folder()), ("lake.folder", config.lake_folder())] {
            std::fs::create_dir_all(&folder)
                .with_context(|| format!("{option}: {} cannot be created", folder.display()))?;
        }
        let log_lock = lock_log(&config, &*clock)?;
        let Storage { log, committer, deliverer, forwarders, backlog } =
            crate::storage::open::open(&storage_settings(&config), forwarding, &*random, report)
                .await
                .context("log.folder")?;
        descriptors::raise();
        let most = descriptors::connections(config.limits.connections, config.catalog.connections);
        let connections = Connections::new(
            connection_limits(&config),
            Slots::new(most, config.limits.connections_per_address),
            Refused::new(Arc::clone(&metrics)),
            connection_memory.clone(),
            stop.clone(),
        );
        let keys = Arc::new(KeyCache::new(Arc::clone(&catalog), Arc::clone(&clock), key_cache_settings(&config)));
        let uses = Arc::new(Uses::new(config.keys.last_used_entries));
        let books = books(&config, &metrics);
        let gate = Arc::new(Gate {
            keys: Arc::clone(&keys),
            peppers: Arc::clone(&peppers),
            failures: failures(&config, &clock),
            uses: Arc::clone(&uses),
            credential_headers: credential_headers(&config)?,
            cors: cors(&config)?,
            log,
            budget: Budget::new(total - total / 2),
            limits: export_limits(&config),
            clock: Arc::clone(&clock),
            random: Arc::clone(&random),
            metrics: Arc::clone(&metrics),
            books: Arc::clone(&books),
            stopping: stop.clone(),
        });
        metrics.gauge("backlog_bytes", "Bytes of segments that wait for delivery", move || backlog.bytes());
        metrics.gauge("connection_memory_bytes", "Memory reserved by connections", move || connection_memory.used());
        let open = connections.clone();
        metrics.gauge("connections", "Open connections to the ingest listeners", move || open.count() as u64);
        show(&gate);
        let usage = usage_keeper(&config.usage, Arc::clone(&books), &catalog, &world)?;

        let sender = Arc::new(webhook_sender(&config, &peppers, &clock)?);
        let courier =
            Courier::new(Arc::clone(&catalog), Arc::clone(&sender), Arc::clone(&random), metrics.webhooks.clone());
        let inspector = Inspector {
            catalog: Arc::clone(&catalog),
            clock: Arc::clone(&clock),
            random: Arc::clone(&random),
            metrics: metrics.hygiene.clone(),
        };
        let limits = Arc::new(Limits::new(admin_limits(&config), &clock));
        let (key_changed, all_keys_changed, project_changed) = told_of_changes(&gate);
        let admin = AdminState {
            jobs: Arc::new(Jobs::new(Arc::clone(&clock), metrics.jobs.clone())),
            books,
            stopping: stop.clone(),
            body_time: config.limits.body_time.0,
            limits,
            sessions: console::sessions(&config),
            limiter: Arc::clone(keys.limiter()),
            leaks: leaks(&config)?,
            catalog: Arc::clone(&catalog),
            clock,
            random,
            peppers,
            uses,
            in_use_within: config.keys.in_use_within.0,
            key_changed,
            webhooks: Arc::clone(&sender),
            all_keys_changed,
            project_changed,
        };
        let listeners = Listeners::bind(&config, &gate.clock, &metrics).await?;
        Ok(Self {
            config,
            gate,
            catalog,
            admin,
            committer,
            deliverer,
            forwarders,
            upkeep: (courier, inspector, usage),
            connections,
            listeners,
            stop,
            _locks: (lock, log_lock),
        })
    }

    /// The address of the first listener of `transport`, with the port that was really bound.
    ///
    /// # Errors
    /// Where the operating system does not tell.
    pub fn ingest_address(&self, transport: Transport) -> Result<SocketAddr> {
        self.listeners.serving(transport)?.address()
    }

    /// What clients of `transport` have to be given as endpoint.
    ///
    /// # Errors
    /// Where the operating system does not tell.
    pub fn ingest_endpoint(&self, transport: Transport) -> Result<String> {
        self.listeners.serving(transport)?.endpoint(transport)
    }

    /// The addresses of the listeners of `listen.more`, in their order.
    ///
    /// # Errors
    /// Where the operating system does not tell.
    pub fn more_addresses(&self) -> Result<Vec<SocketAddr>> {
        self.listeners.more().map(IngestListener::address).collect()
    }

    /// The address of the admin listener.
    ///
    /// # Errors
    /// Where the operating system does not tell.
    pub fn admin_address(&self) -> Result<SocketAddr> {
        self.listeners.admin.address()
    }

    /// The URL of the admin listener.
    ///
    /// # Errors
    /// Where the operating system does not tell.
    pub fn admin_url(&self) -> Result<String> {
        self.listeners.admin.url()
    }

    /// Serves until `stop` is cancelled; then finishes what is in flight, makes it durable, delivers it as far as the grace
    /// period allows, and returns.
    ///
    /// # Errors
    /// Where a task that the gate cannot do without has ended by itself.
    pub async fn run(self) -> Result<()> {
        let Self {
            config,
            gate,
            catalog,
            admin,
            committer,
            mut deliverer,
            forwarders,
            upkeep: (courier, inspector, usage),
            connections,
            listeners,
            stop,
            _locks,
        } = self;
        let deadline = config.shutdown.grace.0;
        let crashed = CancellationToken::new();
        let (log_closed, delivery_closed) = (CancellationToken::new(), CancellationToken::new());
        let committing = tokio::spawn(essential("log", crashed.clone(), committer.run(log_closed.clone())));
        let jobs = Arc::clone(&admin.jobs);
        let (told, failed, job) = (delivery_closed.clone(), crashed.clone(), deliverer.job(&jobs));
        let delivering = tokio::spawn(async move {
            essential("delivery", failed, deliverer.run(&told, &job)).await;
            deliverer
        });
        let mut forwarding = JoinSet::new();
        for mut forwarder in forwarders {
            let (told, failed, job) = (delivery_closed.clone(), crashed.clone(), forwarder.job(&jobs));
            forwarding.spawn(essential("forwarding", failed, async move { forwarder.run(&told, &job).await }));
        }

        let sweeper = sweeper(&config, &gate, &catalog);
        let (refusals, senders) = (refusal_keeper(&config, &gate, &catalog), sender_keeper(&config, &gate, &catalog));
        let requests = Arc::new(request_keeper(&config, &gate, &catalog));
        let teller = usage_teller(&config.usage, &catalog, &gate.clock);
        let (alerter, herald) = (alerter(&gate, &catalog), herald(&gate, &catalog));
        let work = Work { alerter, courier, inspector, herald, sweeper, usage, teller, refusals, senders, requests };
        let upkeep = Upkeep::begin(work, &jobs, &gate.metrics, &crashed);

        let console = console::settings(&config, &listeners)?;
        let Listeners { ingest, admin: admin_port, certificates } = listeners;
        let _reloading = AbortOnDropHandle::new(tokio::spawn(certificates.reload(config.clone(), Arc::clone(&jobs))));
        let use_keeper = UseKeeper {
            uses: Arc::clone(&gate.uses),
            catalog: Arc::clone(&catalog),
            clock: Arc::clone(&gate.clock),
            key_changed: Arc::clone(&admin.key_changed),
            interval: config.keys.last_used_interval.0,
        };
        let (keeper, uses_closed) = (use_keeper.clone(), CancellationToken::new());
        let (told, failed, unwritten) = (uses_closed.clone(), crashed.clone(), Arc::clone(&gate.uses));
        let job = jobs.add_with_lag("uses", "secrets", move || unwritten.len() as u64);
        let keeping = tokio::spawn(essential("uses", failed, async move { keeper.run(&told, &job).await }));
        let listeners = TaskTracker::new();
        let (health, others) = others::services()?;
        for listener in ingest {
            listeners.spawn(listener.serve(connections.clone(), Arc::clone(&gate), others.clone()));
        }
        let router =
            console::routes(admin, console).merge(health::router(health::Health { gate: Arc::clone(&gate), catalog }));
        // Health, metrics and revocations are served until exports are finished and delivered.
        let admin_stop = CancellationToken::new();
        let (limits, refused) = (connection_limits(&config), Refused::new(Arc::clone(&gate.metrics)));
        let memory = Budget::new(ADMIN_CONNECTIONS as u64 * u64::from(limits.connection_window));
        let slots = Slots::new(ADMIN_CONNECTIONS, ADMIN_CONNECTIONS);
        let admin_connections = Connections::new(limits, slots, refused, memory, admin_stop.clone());
        let administering =
            tokio::spawn(admin_connections.clone().accept(admin_port, move |peer| told_of(peer, router.clone())));
        descriptors::tell(config.limits.connections, config.catalog.connections);
        tracing::info!("serving");

        tokio::select! {
            () = stop.cancelled() => {}
            () = crashed.cancelled() => stop.cancel(),
        }
        let by_itself = crashed.is_cancelled();
        health.set_service_status("", tonic_health::ServingStatus::NotServing).await;
        listeners.close();
        listeners.wait().await;
        let grace = tokio::time::Instant::now() + deadline;
        if tokio::time::timeout_at(grace, connections.closed()).await.is_err() {
            tracing::warn!(connections = connections.count(), "the grace period is over; connections are cut");
        }
        log_closed.cancel();
        let committed = committing.await;
        delivery_closed.cancel();
        deliver_rest(delivering, grace).await;
        end_forwarding(forwarding, grace).await;
        upkeep.end(grace).await;
        admin_stop.cancel();
        let administered = administering.await;
        let _ = tokio::time::timeout(ADMIN_GRACE, admin_connections.closed()).await;
        // Nobody uses a key any more.
        uses_closed.cancel();
        let kept = keeping.await;
        match tokio::time::timeout(USES_GRACE, use_keeper.flush()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "when keys were last used is not written down"),
            Err(_) => tracing::warn!("when keys were last used is not written down: the catalog takes too long"),
        }
        if by_itself || committed.is_err() || administered.is_err() || kept.is_err() {
            bail!("a task that the gate cannot do without has ended by itself");
        }
        Ok(())
    }
}

/// Locks the log, where it is not in the data folder: two processes with a data folder each could be given the same one, and would
/// count its segments twice.
fn lock_log(config: &Config, clock: &dyn Clock) -> Result<Option<FolderLock>> {
    let elsewhere = !config.log.folder.as_os_str().is_empty();
    let lock = elsewhere.then(|| FolderLock::acquire(&config.log_folder(), clock.now())).transpose();
    lock.context("log.folder")
}

/// Delivers what is durable, until `grace`.
async fn deliver_rest(delivering: JoinHandle<Deliverer>, grace: tokio::time::Instant) {
    let finish = async {
        // Where it has panicked, the caller knows.
        let Ok(mut deliverer) = delivering.await else { return Ok(()) };
        deliverer.deliver_all(&CancellationToken::new()).await
    };
    match tokio::time::timeout_at(grace, finish).await {
        Ok(Ok(())) => tracing::info!("stopped; everything is delivered"),
        Ok(Err(error)) => tracing::warn!(%error, "stopped; the rest is delivered at the next start"),
        Err(_) => tracing::warn!("stopped at the end of the grace period; the rest is delivered at the next start"),
    }
}

/// Waits for what is being sent on, until `grace`.
async fn end_forwarding(mut forwarding: JoinSet<()>, grace: tokio::time::Instant) {
    let finish = async { while forwarding.join_next().await.is_some() {} };
    if tokio::time::timeout_at(grace, finish).await.is_err() {
        forwarding.shutdown().await;
        tracing::warn!("what is still being sent on at the end of the grace period is sent again at the next start");
    }
}

/// The admin listener's service for a client at `peer`, which it is told of.
fn told_of(
    peer: IpAddr,
    router: Router,
) -> impl Service<Request<Incoming>, Response = Response, Error = Infallible, Future: Send> + Clone + Send + 'static {
    TowerToHyperService::new(router.map_request(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(Peer(peer));
        request
    }))
}

/// Connections to the admin listener. They are apart from those of exports: a flood of them must not make probes fail.
const ADMIN_CONNECTIONS: usize = 64;

/// How long requests to the admin listener may take to finish at the very end.
const ADMIN_GRACE: std::time::Duration = std::time::Duration::from_secs(2);

/// How long it may take at the very end to write down when keys were last used.
const USES_GRACE: std::time::Duration = std::time::Duration::from_secs(5);

/// What delivery does, in the metrics.
#[derive(Debug)]
struct Reported(Arc<Metrics>);

impl Report for Reported {
    fn delivered(&self, done: Delivered) {
        self.0.delivered(done.segments, done.records, done.files, done.quarantined);
    }

    fn failed(&self) {
        self.0.delivery_failed();
    }
}
