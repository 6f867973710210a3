//! Forwarding to backends that say what a test tells them to.

mod changes;
mod crash;
mod lanes;
mod limits;
mod quarantine;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use gridgate::domain::clock::ManualClock;
use gridgate::domain::random::SeededRandom;
use gridgate::observe::forward::ForwardMetrics;
use gridgate::storage::destination::{Backend, Sent};
use gridgate::storage::forward::{ForwardSettings, Forwarding};
use gridgate::storage::record::RecordMeta;
use gridgate::storage::route::Route;
use tokio_util::sync::CancellationToken;

use super::{ARRIVAL, Disks, Running, job, open_with, paths, record, rows_by_record};

type Script = Box<dyn FnMut(&RecordMeta) -> Sent + Send>;

/// Another OTLP server: takes everything, unless it is told to say something else.
#[derive(Clone)]
struct Scripted(Arc<Inside>);

struct Inside {
    /// The number of each record that it was given, in order, and whether it took it.
    seen: Mutex<Vec<(u8, bool)>>,
    script: Mutex<Script>,
    /// Records of these projects are never answered.
    hangs: Mutex<Vec<&'static str>>,
    changed: tokio::sync::Notify,
}

impl std::fmt::Debug for Scripted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Scripted")
    }
}

fn taken() -> Sent {
    Sent::Delivered { rejected: 0, message: String::new() }
}

fn later() -> Sent {
    Sent::Later { after: None, why: "it is down".to_owned() }
}

impl Scripted {
    fn new() -> Self {
        Self(Arc::new(Inside {
            seen: Mutex::default(),
            script: Mutex::new(Box::new(|_| taken())),
            hangs: Mutex::default(),
            changed: tokio::sync::Notify::new(),
        }))
    }

    /// What it says from now on.
    fn says(&self, script: impl FnMut(&RecordMeta) -> Sent + Send + 'static) {
        *self.0.script.lock().expect("no panic") = Box::new(script);
    }

    /// The records that it has taken, in order.
    fn taken(&self) -> Vec<u8> {
        let seen = self.0.seen.lock().expect("no panic");
        seen.iter().filter(|(_, taken)| *taken).map(|(number, _)| *number).collect()
    }

    /// Those of the same tenant and signal as the record `number`.
    fn taken_of(&self, number: u8) -> Vec<u8> {
        let lane = |number| (record(number).meta.tenant, record(number).meta.signal);
        self.taken().into_iter().filter(|&other| lane(other) == lane(number)).collect()
    }

    /// How many records it was given.
    fn asked(&self) -> usize {
        self.0.seen.lock().expect("no panic").len()
    }

    /// Waits until it has taken `count` records.
    async fn has_taken(&self, count: usize) {
        while self.taken().len() < count {
            self.0.changed.notified().await;
        }
    }
}

#[async_trait]
impl Backend for Scripted {
    async fn send(&self, meta: &RecordMeta, payload: &Bytes) -> Sent {
        let number = meta.id.as_bytes()[0];
        assert_eq!(*payload, record(number).payload, "{number} is not what was sent");
        assert_eq!(*meta, record(number).meta);
        let hangs = self.0.hangs.lock().expect("no panic").contains(&meta.tenant.project.as_str());
        if hangs {
            std::future::pending::<()>().await;
        }
        let sent = (self.0.script.lock().expect("no panic"))(meta);
        let taken = matches!(sent, Sent::Delivered { .. });
        self.0.seen.lock().expect("no panic").push((number, taken));
        self.0.changed.notify_one();
        sent
    }
}

/// Stores, a clock, and the backend of one forward, `vendor`, that outlive processes.
struct World {
    disks: Disks,
    clock: Arc<ManualClock>,
    vendor: Scripted,
    forwarding: Forwarding,
}

fn route(project: Option<&str>, to: &[&str]) -> Route {
    let to = to.iter().map(|&name| name.to_owned()).collect();
    Route { project: project.map(str::to_owned), to, ..Route::default() }
}

fn forward(name: &str, backend: &Scripted) -> ForwardSettings {
    ForwardSettings {
        name: name.parse().expect("a slug"),
        backend: Arc::new(backend.clone()),
        in_flight: 4,
        patience: Duration::from_secs(15),
        backlog_bytes: 1 << 20,
        tenant_backlog_bytes: 1 << 20,
        metrics: ForwardMetrics::default(),
    }
}

impl World {
    /// A world in which these routes lead to the lake and to `vendor`.
    fn new(routes: &[Route]) -> Self {
        let clock = Arc::new(ManualClock::new(ARRIVAL.after(Duration::from_hours(2))));
        let vendor = Scripted::new();
        let forwarding = Forwarding {
            routes: routes.to_vec(),
            forwards: vec![forward("vendor", &vendor)],
            clock: Arc::clone(&clock) as _,
            random: Arc::new(SeededRandom::new(5)),
        };
        Self { disks: Disks::default(), clock, vendor, forwarding }
    }

    fn forward(&mut self) -> &mut ForwardSettings {
        &mut self.forwarding.forwards[0]
    }

    async fn open(&self) -> Running {
        let forwarding = self.forwarding.clone();
        open_with(self.disks.log.clone(), self.disks.lake.clone(), forwarding).await.expect("it opens")
    }

    async fn log(&self, folder: &str) -> Vec<String> {
        paths(&*self.disks.log, folder).await
    }

    async fn rows(&self) -> BTreeMap<u8, usize> {
        rows_by_record(&*self.disks.lake).await
    }

    fn passes(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}

impl Running {
    async fn append(&self, numbers: impl IntoIterator<Item = u8>) {
        for number in numbers {
            self.log.append(record(number)).await.expect("it is durable");
        }
    }

    async fn forward(&mut self) {
        for forwarder in &mut self.forwarders {
            forwarder.forward_all().await.expect("it forwards");
        }
    }
}

#[tokio::test]
async fn records_go_where_their_route_leads() {
    // Numbers 2, 5, 8 … are of the bank.
    let world = World::new(&[route(Some("bank"), &["vendor"]), route(None, &["lake", "vendor"])]);
    let mut running = world.open().await;
    running.append(0..9).await;
    running.deliver().await.expect("it delivers");
    // The log waits for both.
    assert_eq!(world.log("segments").await.len(), 9);
    assert_eq!(running.backlog.segments(), 9);
    running.forward().await;
    assert_eq!(world.log("segments").await, Vec::<String>::new());
    assert_eq!(running.backlog.bytes(), 0);
    let mut taken = world.vendor.taken();
    taken.sort_unstable();
    assert_eq!(taken, (0..9).collect::<Vec<_>>());
    assert_eq!(world.rows().await.into_keys().collect::<Vec<_>>(), [0, 1, 3, 4, 6, 7]);
    let metrics = running.forwarders[0].metrics();
    assert_eq!((metrics.delivered_records.get(), metrics.delivered_items.get()), (9, 18));
    assert_eq!(metrics.backlog_bytes.get(), 0);
    running.close().await;
}

#[tokio::test]
async fn what_is_routed_nowhere_else_goes_to_the_lake_alone() {
    let world = World::new(&[route(Some("bank"), &["vendor"])]);
    let mut running = world.open().await;
    running.append(0..6).await;
    running.forward().await;
    running.deliver().await.expect("it delivers");
    assert_eq!(world.log("segments").await, Vec::<String>::new());
    assert_eq!(world.vendor.taken(), [2, 5]);
    assert_eq!(world.rows().await.into_keys().collect::<Vec<_>>(), [0, 1, 3, 4]);
    running.close().await;
}

#[tokio::test]
async fn a_running_forwarder_hears_of_new_segments_and_stops_when_told() {
    let world = World::new(&[route(None, &["vendor"])]);
    let mut running = world.open().await;
    let mut forwarder = running.forwarders.remove(0);
    let closed = CancellationToken::new();
    let told = closed.clone();
    let forwarding = tokio::spawn(async move {
        forwarder.run(&told, &job()).await;
    });
    running.append(0..5).await;
    world.vendor.has_taken(5).await;
    closed.cancel();
    forwarding.await.expect("it does not panic");
    // Its checkpoint says what it has sent, so that the next one does not send it again.
    running.deliver().await.expect("it delivers");
    assert_eq!(world.log("segments").await, Vec::<String>::new());
    running.close().await;
    let mut running = world.open().await;
    running.forward().await;
    assert_eq!(world.vendor.asked(), 5);
    running.close().await;
}

/// What was acknowledged last is sent on before the process ends, unless the backend does not take it now.
#[tokio::test]
async fn what_may_be_sent_when_the_gate_stops_is_sent() {
    let world = World::new(&[route(None, &["vendor"])]);
    world.vendor.says(|meta| if meta.tenant.project.as_str() == "bank" { later() } else { taken() });
    let mut running = world.open().await;
    running.append(0..6).await;
    let closed = CancellationToken::new();
    closed.cancel();
    running.forwarders[0].run(&closed, &job()).await;
    let mut numbers = world.vendor.taken();
    numbers.sort_unstable();
    assert_eq!(numbers, [0, 1, 3, 4]);
    running.close().await;
}
