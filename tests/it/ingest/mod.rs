//! The data path through real sockets: a whole gate in this process, on ports of its own and with its clock under control.

mod addresses;
mod admin_limits;
mod admin_tls;
mod alerts;
mod bare;
pub(crate) mod client;
mod compression;
mod cors;
mod credentials;
mod doctor;
mod examples;
mod failures;
mod floods;
mod forward;
mod frames;
mod key_cache;
mod last_used;
mod leaks;
mod left;
mod legacy;
mod limited;
mod limits;
mod many_keys;
mod observed;
mod one_port;
mod overtaken;
mod prefix;
mod refusals;
mod reload;
mod requests;
mod roles;
mod secrecy;
mod senders;
mod shutdown;
mod slow;
mod smuggling;
mod specification;
mod start;
mod storage;
mod success;
mod suspended;
mod tls;
pub(crate) mod told;
mod unread;
mod upkeep;
mod usage;
mod whoami;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use gridgate::catalog::issue::{NewKey, issue_key};
use gridgate::catalog::{self, Catalog};
use gridgate::config::{Bytes, Config, pepper};
use gridgate::domain::Transport;
use gridgate::domain::clock::ManualClock;
use gridgate::domain::random::SeededRandom;
use gridgate::domain::secret::Peppers;
use gridgate::domain::{Binding, Clock as _, Pepper, Permissions, Timestamp};
use gridgate::server::{Server, World, catalog_settings, lock};
use http::{Method, Request};
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::Field;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::admin::START;
use crate::catalog::{by, grid, project, tenant};
use client::{Answer, exchange};

/// A running gate with the projects `shop` and `bank`, each with the grid `web`.
pub(crate) struct Gate {
    pub(crate) grpc: SocketAddr,
    pub(crate) http: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) more: Vec<SocketAddr>,
    pub(crate) clock: Arc<ManualClock>,
    config: Config,
    stop: CancellationToken,
    /// The token of an admin key of the installation.
    pub(crate) owner: String,
    running: JoinHandle<anyhow::Result<()>>,
    catalog: Arc<dyn Catalog>,
    peppers: Peppers,
    random: Arc<SeededRandom>,
    folder: TempDir,
}

/// A key as its owner has it.
#[derive(Clone, Debug)]
struct Issued {
    id: String,
    token: String,
}

impl Gate {
    async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// A gate whose configuration is changed by `adjust`.
    pub(crate) async fn with(adjust: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut config = config(folder.path());
        adjust(&mut config);
        let random = Arc::new(SeededRandom::new(11));
        let pepper = Pepper::random(1, &*random).expect("a pepper");
        pepper::create(&config.pepper_file(), &pepper).expect("the pepper is written");
        let peppers = pepper::read(&config.pepper_file()).expect("the pepper is read");
        catalog::migrate(&catalog_settings(&config)).await.expect("migrations");
        let catalog = catalog::connect(&catalog_settings(&config)).await.expect("a catalog");
        for name in ["shop", "bank"] {
            catalog.create_project(&project(name), &by(START.micros())).await.expect("a project");
            catalog.create_grid(&grid(name, "web"), &by(START.micros())).await.expect("a grid");
        }
        let clock = Arc::new(ManualClock::new(START));
        let (server, stop) = serve(&config, &clock).await;
        let addresses = (server.ingest_address(Transport::Grpc), server.ingest_address(Transport::Http));
        let (grpc, http) = (addresses.0.expect("an address"), addresses.1.expect("an address"));
        let admin = server.admin_address().expect("an address");
        let more = server.more_addresses().expect("addresses");
        let running = tokio::spawn(server.run());
        let owner = String::new();
        let mut gate =
            Self { grpc, http, admin, more, clock, config, stop, owner, running, catalog, peppers, random, folder };
        gate.owner = gate.issue("owner", Binding::Installation, Permissions::owner(), None).await.token;
        gate
    }

    /// A new ingest key of `project`'s grid `web` in production.
    async fn key(&self, project: &str) -> Issued {
        self.key_of(project, "production").await
    }

    async fn key_of(&self, project: &str, environment: &str) -> Issued {
        let name = format!("key {}", self.clock_free_name());
        self.issue(&name, tenant(project, "web", environment), Permissions::ingest(), None).await
    }

    async fn issue(
        &self,
        name: &str,
        binding: Binding,
        permissions: Permissions,
        expires_at: Option<Timestamp>,
    ) -> Issued {
        self.make(NewKey { expires_at, ..NewKey::with(name, binding, permissions) }).await
    }

    /// A key made past the admin API.
    async fn make(&self, new: NewKey) -> Issued {
        let by = by(self.clock.now().micros());
        let issued = issue_key(&*self.catalog, &*self.random, &self.peppers, new, &by).await;
        let (key, token) = issued.expect("a key");
        Issued { id: key.id.to_string(), token: token.reveal().to_owned() }
    }

    /// A name that no other key has.
    fn clock_free_name(&self) -> String {
        gridgate::domain::KeyId::random(&*self.random).expect("randomness").to_string()
    }

    /// `POST /keys/{id}/{change}`, such as `disable` or `revoke`, through the admin API, although the key may be in use.
    async fn change(&self, key: &Issued, change: &str) {
        let path = format!("/api/v1/keys/{}/{change}", key.id);
        let request = Request::post(&path).header("authorization", format!("Bearer {}", self.owner));
        let forced = !matches!(change, "enable" | "rotate");
        let (request, body) = if forced {
            (request.header("content-type", "application/json"), "{\"force\": true}")
        } else {
            (request, "")
        };
        let answer = exchange(self.admin, false, request, body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    /// `PATCH /keys/{id}` with these fields, through the admin API.
    async fn edit(&self, key: &Issued, fields: &str) {
        let request = Request::patch(format!("/api/v1/keys/{}", key.id))
            .header("authorization", format!("Bearer {}", self.owner))
            .header("content-type", "application/merge-patch+json")
            .header("if-match", "*");
        let answer = exchange(self.admin, false, request, fields.to_owned()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    /// A key made through the admin API.
    async fn created(&self, body: &Value) -> Issued {
        let request = Request::builder()
            .method(Method::POST)
            .uri("/api/v1/keys")
            .header("authorization", format!("Bearer {}", self.owner))
            .header("content-type", "application/json");
        let answer = exchange(self.admin, false, request, body.to_string()).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        let made: Value = serde_json::from_str(&answer.text()).expect("JSON");
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        Issued { id: text(&made["key"]["id"]), token: text(&made["token"]) }
    }

    /// `/healthz`, `/readyz` or `/metrics`.
    async fn get(&self, path: &str) -> Answer {
        exchange(self.admin, false, Request::get(path), "").await
    }

    /// Every sample of `/metrics` that is a whole number, by name and labels.
    async fn metrics(&self) -> BTreeMap<String, u64> {
        let text = self.get("/metrics").await.text();
        let samples = text.lines().filter_map(|line| {
            let (name, value) = line.rsplit_once(' ')?;
            Some((name.to_owned(), value.parse().ok()?))
        });
        samples.collect()
    }

    async fn metric(&self, name: &str) -> u64 {
        self.metrics().await.get(name).copied().unwrap_or_else(|| panic!("there is no {name}"))
    }

    /// Waits until the metric `name` passes `good`.
    async fn until(&self, name: &str, good: impl Fn(u64) -> bool) {
        eventually(name, async || good(self.metric(name).await)).await;
    }

    /// Stops the gate, which delivers everything, and returns its folder.
    pub(crate) async fn stop(self) -> Stopped {
        self.stop.cancel();
        self.running.await.expect("it does not panic").expect("it stops in good order");
        Stopped { config: self.config, folder: self.folder }
    }
}

/// What a gate leaves behind.
pub(crate) struct Stopped {
    config: Config,
    folder: TempDir,
}

impl Stopped {
    /// The service names of all rows in the lake, by `project/grid/environment/signal`.
    pub(crate) fn lake(&self) -> BTreeMap<String, Vec<String>> {
        let lake = self.config.lake_folder();
        let mut rows = BTreeMap::<_, Vec<_>>::new();
        for file in files(&lake) {
            let path = file.strip_prefix(&lake).expect("it is inside");
            let owner: Vec<_> = path.iter().take(4).map(|part| part.to_string_lossy()).collect();
            rows.entry(owner.join("/")).or_default().extend(service_names(&file));
        }
        for names in rows.values_mut() {
            names.sort();
        }
        rows
    }
}

/// A configuration with everything in `folder` and ports that the operating system chooses.
fn config(folder: &Path) -> Config {
    let mut config = Config::default();
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    config.data.folder = folder.to_owned();
    (config.listen.grpc, config.listen.http, config.listen.admin) = (any, any, any);
    config.limits.memory = Bytes(512 << 20);
    config.keys.max_active_keys = 1_000;
    // The clock stands still, and with it what may be asked.
    (config.admin.requests_per_second, config.admin.burst) = (1_000_000, 1_000_000);
    config
}

/// A server on `config` that is stopped by the token.
async fn serve(config: &Config, clock: &Arc<ManualClock>) -> (Server, CancellationToken) {
    let stop = CancellationToken::new();
    let world = World { clock: Arc::clone(clock) as _, random: Arc::new(SeededRandom::new(12)) };
    let lock = lock(config, &**clock).expect("nobody else has the folder");
    (Server::start(config.clone(), lock, world, stop.clone()).await.expect("it starts"), stop)
}

/// Waits until `good`, which depends on what the gate does by itself.
pub(crate) async fn eventually(what: &str, mut good: impl AsyncFnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    while !good().await {
        assert!(tokio::time::Instant::now() < deadline, "{what}: not within 30 s");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Every file below `folder`.
fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn service_names(file: &Path) -> Vec<String> {
    let reader = SerializedFileReader::new(std::fs::File::open(file).expect("a file")).expect("Parquet");
    let rows = reader.get_row_iter(None).expect("rows");
    let name = |row: parquet::record::Row| {
        let found = row.get_column_iter().find(|(name, _)| *name == "service_name").map(|(_, field)| field.clone());
        match found {
            Some(Field::Str(name)) => name,
            other => panic!("a service name is {other:?}"),
        }
    };
    rows.map(|row| name(row.expect("a row"))).collect()
}

/// The body of `POST /keys` for an ingest key of `shop/web/production`.
fn new_key(name: &str) -> Value {
    json!({"name": name, "project": "shop", "grid": "web", "environment": "production"})
}
