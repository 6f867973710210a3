//! The log and delivery on object stores that can be made to fail.

mod backend;
mod crash;
mod damage;
mod faulty;
mod forward;
mod kill;
mod kill_usage;
mod local;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::TryStreamExt;
use gridgate::domain::random::SeededRandom;
use gridgate::domain::{Encoding, KeyId, RecordId, Signal, Tenant, Timestamp};
use gridgate::storage::StorageError;
use gridgate::storage::backlog::Backlog;
use gridgate::storage::deliver::{DeliverSettings, Delivered, Deliverer, Report};
use gridgate::storage::forward::{Forwarder, Forwarding};
use gridgate::storage::log::{Durability, Log, LogSettings};
use gridgate::storage::open::{Storage, StorageSettings, assemble};
use gridgate::storage::record::{Record, RecordMeta};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::lake::rows;

/// 2026-11-21T10:00:00Z.
const ARRIVAL: Timestamp = Timestamp::from_micros(1_795_255_200_000_000);

/// Nobody is told.
#[derive(Debug)]
pub(super) struct Silent;

impl Report for Silent {
    fn delivered(&self, _: Delivered) {}
    fn failed(&self) {}
}

/// Two stores that outlive the processes which use them.
#[derive(Clone, Default)]
pub(super) struct Disks {
    log: Arc<InMemory>,
    lake: Arc<InMemory>,
}

/// Storage with its log running.
pub(super) struct Running {
    pub(super) log: Log,
    pub(super) deliverer: Deliverer,
    pub(super) forwarders: Vec<Forwarder>,
    pub(super) backlog: Backlog,
    closed: CancellationToken,
    committing: JoinHandle<()>,
}

pub(super) fn settings() -> StorageSettings {
    StorageSettings {
        log_folder: "log".into(),
        lake_folder: "lake".into(),
        log: LogSettings {
            durability: Durability::Durable,
            in_flight: 1,
            linger: Duration::ZERO,
            segment_bytes: 1 << 20,
        },
        deliver: DeliverSettings { interval: Duration::from_secs(1), plan_bytes: 300 },
        backlog_bytes: 1 << 30,
    }
}

/// Opens storage on `log` and `lake`, as a process does when it starts.
pub(super) async fn open(log: Arc<dyn ObjectStore>, lake: Arc<dyn ObjectStore>) -> Result<Running, StorageError> {
    open_with(log, lake, Forwarding::default()).await
}

/// As [`open`], with records that are sent on.
pub(super) async fn open_with(
    log: Arc<dyn ObjectStore>,
    lake: Arc<dyn ObjectStore>,
    forwarding: Forwarding,
) -> Result<Running, StorageError> {
    let Storage { log, committer, deliverer, forwarders, backlog } =
        assemble(log, lake, &settings(), forwarding, &SeededRandom::new(3), Arc::new(Silent)).await?;
    let closed = CancellationToken::new();
    let committing = tokio::spawn(committer.run(closed.clone()));
    Ok(Running { log, deliverer, forwarders, backlog, closed, committing })
}

impl Running {
    pub(super) async fn deliver(&mut self) -> Result<(), StorageError> {
        self.deliverer.deliver_all(&CancellationToken::new()).await
    }

    /// Ends the process in good order.
    pub(super) async fn close(self) {
        self.closed.cancel();
        self.committing.await.expect("the log ends");
    }
}

/// The record `number`: by number one of three tenants, spans or log records, one of two hours.
pub(super) fn record(number: u8) -> Record {
    let slug = |text: &str| text.parse().expect("a slug");
    let hour = Duration::from_secs(3600 * u64::from(number % 2));
    let payload = payload(number);
    Record {
        meta: RecordMeta {
            id: RecordId::from_bytes([number; 16]),
            tenant: Arc::new(Tenant {
                project: slug(["shop", "bank"][usize::from(number % 3 == 2)]),
                grid: slug("web"),
                environment: slug(["production", "staging"][usize::from(number % 3 == 1)]),
            }),
            key: KeyId::from_bare("7Hq2mZxK9wPa").expect("an id"),
            secret_version: 1,
            signal: signal(number),
            arrival: ARRIVAL.after(hour),
            items: 2,
            encoding: Encoding::Identity,
            decompressed_size: payload.len() as u64,
        },
        payload: payload.into(),
        reservation: None,
    }
}

fn signal(number: u8) -> Signal {
    if number % 4 < 3 { Signal::Traces } else { Signal::Logs }
}

/// Two items.
fn payload(number: u8) -> Vec<u8> {
    if signal(number) == Signal::Logs {
        let record = LogRecord { severity_text: format!("level {number}"), ..LogRecord::default() };
        let scope_logs = vec![ScopeLogs { log_records: vec![record.clone(), record], ..ScopeLogs::default() }];
        let resource_logs = vec![ResourceLogs { scope_logs, ..ResourceLogs::default() }];
        return ExportLogsServiceRequest { resource_logs }.encode_to_vec();
    }
    let span = Span { name: format!("span {number}"), ..Span::default() };
    let scope_spans = vec![ScopeSpans { spans: vec![span.clone(), span], ..ScopeSpans::default() }];
    let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
    ExportTraceServiceRequest { resource_spans }.encode_to_vec()
}

/// How many rows each record has in the lake. Every row must be in a file of its own tenant, signal and hour.
pub(super) async fn rows_by_record(lake: &dyn ObjectStore) -> BTreeMap<u8, usize> {
    let mut counts = BTreeMap::new();
    for object in lake.list(None).try_collect::<Vec<_>>().await.expect("a list") {
        let bytes = lake.get(&object.location).await.expect("a file").bytes().await.expect("its bytes");
        for row in rows::read(bytes.to_vec()) {
            let id = row.string("record_id");
            let number = u8::from_str_radix(&id[..2], 16).expect("an id");
            assert!(object.location.as_ref().starts_with(&folder(number)), "{number} is in {}", object.location);
            *counts.entry(number).or_default() += 1;
        }
    }
    counts
}

/// The folder that belongs to the record `number`.
fn folder(number: u8) -> String {
    let meta = record(number).meta;
    format!("{}/{}/date=2026-11-21/hour={}/", meta.tenant, meta.signal, 10 + number % 2)
}

/// The paths of everything in a folder of a store.
pub(super) async fn paths(store: &dyn ObjectStore, folder: &str) -> Vec<String> {
    let objects = store.list(Some(&Path::from(folder))).try_collect::<Vec<_>>().await.expect("a list");
    objects.into_iter().map(|object| object.location.to_string()).collect()
}
