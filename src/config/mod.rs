//! Configuration: a file, overridden by the environment, overridden by flags.
//!
//! Every option, with its default and why one would change it, is in `config/gridgate.toml`; a test holds that file against
//! this module.

mod check;
mod console;
pub mod forward;
mod listen;
mod load;
pub mod pepper;
mod refusals;
mod requests;
mod senders;
mod units;
mod usage;
mod webhooks;

pub use console::ConsoleConfig;
pub use forward::ForwardConfig;
pub use listen::{Admitted, CorsConfig, ListenConfig, ListenerConfig, Prefix, Serves, TlsConfig};
pub use load::ConfigError;
pub use refusals::RefusalsConfig;
pub use requests::RequestsConfig;
pub use senders::SendersConfig;
pub use units::{Bytes, Share, Span};
pub use usage::UsageConfig;
pub use webhooks::WebhooksConfig;

use std::path::PathBuf;

use serde::Deserialize;

use crate::domain::LeakPolicy;
use crate::observe::logging::LogFormat;
use crate::storage::log::Durability;
use crate::storage::route::Route;

/// The configuration of one process.
#[derive(Clone, PartialEq, Eq, Default, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where everything is kept.
    pub data: DataConfig,
    /// The metadata database.
    pub catalog: CatalogConfig,
    /// Keys and their cache.
    pub keys: KeysConfig,
    /// How much clients of the admin API may ask.
    pub admin: AdminConfig,
    /// The web console.
    pub console: ConsoleConfig,
    /// Reports of tokens that were found in public.
    pub leaks: LeaksConfig,
    /// Where it listens.
    pub listen: ListenConfig,
    /// Which web pages may export.
    pub cors: CorsConfig,
    /// What clients may do.
    pub limits: LimitsConfig,
    /// The durable log.
    pub log: LogConfig,
    /// Delivery into Parquet files.
    pub lake: LakeConfig,
    /// Other OTLP servers that records are sent on to.
    pub forward: Vec<ForwardConfig>,
    /// Which records go where; the first that matches decides.
    pub route: Vec<Route>,
    /// Who uses which key.
    pub senders: SendersConfig,
    /// What is told to others of what happens to keys.
    pub webhooks: WebhooksConfig,
    /// Which single exports are remembered.
    pub requests: RequestsConfig,
    /// What is remembered of exports that are turned away.
    pub refusals: RefusalsConfig,
    /// What is counted of what came in.
    pub usage: UsageConfig,
    /// Logs of the gate itself.
    pub observe: ObserveConfig,
    /// The end of the process.
    pub shutdown: ShutdownConfig,
}

/// `[data]`
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DataConfig {
    /// The folder of everything that has no place of its own.
    pub folder: PathBuf,
}

/// `[catalog]`
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CatalogConfig {
    /// `sqlite:<path>` or `postgres://…`; empty: SQLite in the data folder.
    pub url: String,
    /// Connections at the most.
    pub connections: u32,
    /// How long connecting may take.
    pub connect_time: Span,
    /// How long one statement may take, waiting for a lock included.
    pub statement_time: Span,
    /// How long an import may keep other changes waiting.
    pub import_time: Span,
}

/// `[keys]`
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KeysConfig {
    /// The pepper file; empty: `pepper` in the data folder.
    pub pepper_file: PathBuf,
    /// The headers that may carry a token, in order.
    pub headers: Vec<String>,
    /// How long a key is served without asking the catalog again.
    pub cache_ttl: Span,
    /// How much longer it is served while the catalog does not answer.
    pub cache_grace: Span,
    /// Keys held at the most.
    pub cache_keys: u64,
    /// How long an unknown id is remembered as such.
    pub unknown_ttl: Span,
    /// Unknown ids held at the most.
    pub unknown_keys: u64,
    /// How long looking up one key may take.
    pub lookup_time: Span,
    /// Look-ups under way at the most.
    pub lookups: usize,
    /// How long after a use it is written down when a key was last used.
    pub last_used_interval: Span,
    /// Secrets whose last use waits to be written down, at the most.
    pub last_used_entries: usize,
    /// Active keys of a tenant at the most, unless its project has a number of its own.
    pub max_active_keys: u32,
    /// How long a revoked key is kept before it can be erased.
    pub purge_after: Span,
    /// How long after its last use an ingest key counts as in use.
    pub in_use_within: Span,
}

/// `[admin]`
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdminConfig {
    /// Requests of one admin key in a second, in the long run.
    pub requests_per_second: u32,
    /// Requests of one admin key at once.
    pub burst: u32,
    /// Requests of one address without a good key, in a minute.
    pub unauthenticated_per_minute: u32,
}

/// `[leaks]`
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LeaksConfig {
    /// The public keys of those whose reports are taken, as GitHub publishes its own; empty: nobody's are.
    pub keys_file: PathBuf,
    /// What happens to an ingest key whose token was found.
    pub ingest: LeakPolicy,
    /// What happens to an admin key whose token was found.
    pub admin: LeakPolicy,
}

/// `[limits]`
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// What all bodies and connections may hold in memory; 0: a quarter of the machine's.
    pub memory: Bytes,
    /// A body on the wire.
    pub wire_body: Bytes,
    /// A body once decompressed.
    pub body: Bytes,
    /// Items, resources and scopes of one export together.
    pub items: u64,
    /// Submessages of any kind of one export.
    pub submessages: u64,
    /// Nesting of attribute values.
    pub depth: u32,
    /// From the headers to the last byte of a body.
    pub body_time: Span,
    /// From the first byte of a request to the end of its headers.
    pub header_time: Span,
    /// How long a connection of HTTP/1.1 is kept without a request.
    pub idle_time: Span,
    /// How long a client may let what is sent to it wait, answers and pings.
    pub answer_time: Span,
    /// From the headers of an HTTP/2 request to the end of its answer.
    pub stream_time: Span,
    /// Header fields of one request together.
    pub headers: Bytes,
    /// The number of header fields of one request.
    pub header_fields: usize,
    /// Connections to all ingest listeners.
    pub connections: usize,
    /// Connections from one address: of IPv6 from one /64.
    pub connections_per_address: usize,
    /// Exports of one address that may fail to authenticate, before keys are no longer looked up for it.
    pub failed_authentications_per_minute: u32,
    /// Streams of one HTTP/2 connection.
    pub streams: u32,
    /// The HTTP/2 flow-control window of one stream.
    pub stream_window: Bytes,
    /// The HTTP/2 flow-control window of one connection.
    pub connection_window: Bytes,
}

/// `[log]`
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// The folder; empty: `log` in the data folder.
    pub folder: PathBuf,
    /// When an export is acknowledged.
    pub durability: Durability,
    /// Segments being written at the same time.
    pub in_flight: usize,
    /// How long a batch waits for more.
    pub linger: Span,
    /// A batch closes at this size.
    pub segment: Bytes,
    /// From this much undelivered data on, exports are refused.
    pub backlog: Bytes,
}

/// `[lake]`
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LakeConfig {
    /// The folder; empty: `lake` in the data folder.
    pub folder: PathBuf,
    /// The pause between two deliveries.
    pub interval: Span,
    /// How much of the log one delivery takes.
    pub delivery: Bytes,
}

/// `[observe]`
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ObserveConfig {
    /// A level, or levels by module.
    pub log: String,
    /// The form of a log line.
    pub format: LogFormat,
}

/// `[shutdown]`
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ShutdownConfig {
    /// How long what is in flight may take to finish.
    pub grace: Span,
}

impl Default for DataConfig {
    fn default() -> Self {
        Self { folder: "gridgate-data".into() }
    }
}

impl Default for CatalogConfig {
    fn default() -> Self {
        Self {
            url: String::new(),
            connections: 8,
            connect_time: Span::seconds(5),
            statement_time: Span::seconds(5),
            import_time: Span::seconds(4),
        }
    }
}

impl Default for KeysConfig {
    fn default() -> Self {
        Self {
            pepper_file: PathBuf::new(),
            headers: ["authorization", "api-key", "x-api-key"].map(str::to_owned).into(),
            cache_ttl: Span::seconds(30),
            cache_grace: Span::seconds(300),
            cache_keys: 100_000,
            unknown_ttl: Span::seconds(10),
            unknown_keys: 10_000,
            lookup_time: Span::millis(250),
            lookups: 32,
            last_used_interval: Span::seconds(60),
            last_used_entries: 100_000,
            max_active_keys: 2,
            purge_after: Span::seconds(30 * 24 * 3600),
            in_use_within: Span::seconds(600),
        }
    }
}

impl Default for AdminConfig {
    fn default() -> Self {
        Self { requests_per_second: 50, burst: 100, unauthenticated_per_minute: 60 }
    }
}

impl Default for LeaksConfig {
    fn default() -> Self {
        Self { keys_file: PathBuf::new(), ingest: LeakPolicy::Alert, admin: LeakPolicy::Revoke }
    }
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            memory: Bytes(0),
            wire_body: Bytes::mebi(64),
            body: Bytes::mebi(64),
            items: 250_000,
            submessages: 4_000_000,
            depth: 24,
            body_time: Span::seconds(30),
            header_time: Span::seconds(10),
            idle_time: Span::seconds(180),
            answer_time: Span::seconds(30),
            stream_time: Span::seconds(300),
            headers: Bytes(16 << 10),
            header_fields: 64,
            connections: 4096,
            connections_per_address: 1024,
            failed_authentications_per_minute: 600,
            streams: 128,
            stream_window: Bytes::mebi(1),
            connection_window: Bytes::mebi(1),
        }
    }
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            folder: PathBuf::new(),
            durability: Durability::Durable,
            in_flight: 1,
            linger: Span::millis(0),
            segment: Bytes::mebi(16),
            backlog: Bytes::mebi(8 << 10),
        }
    }
}

impl Default for LakeConfig {
    fn default() -> Self {
        Self { folder: PathBuf::new(), interval: Span::seconds(2), delivery: Bytes::mebi(64) }
    }
}

impl Default for ObserveConfig {
    fn default() -> Self {
        Self { log: "info".to_owned(), format: LogFormat::Auto }
    }
}

impl Default for ShutdownConfig {
    fn default() -> Self {
        Self { grace: Span::seconds(25) }
    }
}

impl Config {
    /// The pepper file.
    #[must_use]
    pub fn pepper_file(&self) -> PathBuf {
        self.or_in_data(&self.keys.pepper_file, "pepper")
    }

    /// The folder of the log.
    #[must_use]
    pub fn log_folder(&self) -> PathBuf {
        self.or_in_data(&self.log.folder, "log")
    }

    /// The folder of the lake.
    #[must_use]
    pub fn lake_folder(&self) -> PathBuf {
        self.or_in_data(&self.lake.folder, "lake")
    }

    /// The catalog's URL.
    #[must_use]
    pub fn catalog_url(&self) -> String {
        if self.catalog.url.is_empty() {
            format!("sqlite:{}", self.data.folder.join("catalog.sqlite").display())
        } else {
            self.catalog.url.clone()
        }
    }

    fn or_in_data(&self, path: &std::path::Path, name: &str) -> PathBuf {
        if path.as_os_str().is_empty() { self.data.folder.join(name) } else { path.to_owned() }
    }
}
