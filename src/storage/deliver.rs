//! Delivery: segments into their tenants' destinations, exactly once into the lake.
//!
//! A delivery takes the oldest segments and first records in its checkpoint everything that it is about to write: which
//! records go into which file. Then it writes the files, records that it is done, and removes the segments. Whatever moment a
//! crash chooses, the next start either finds the plan and carries it out again in full, to the same names, or finds it done.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};
use tokio_util::sync::CancellationToken;

use super::StorageError;
use super::backlog::Backlog;
use super::build::build;
use super::checkpoint::{Checkpoint, Plan, PlannedFile};
use super::log::{self, segment_path};
use super::quarantine;
use super::record::RecordMeta;
use super::route::{DestinationId, LAKE_NAME as LAKE};
use super::routing::Routing;
use super::segment::{self, Stored};
use crate::observe::jobs::{Job, Jobs};

/// How delivery runs.
#[derive(Clone, Copy, Debug)]
pub struct DeliverSettings {
    /// The pause between two deliveries: about how long an acknowledged export is not yet visible.
    pub interval: Duration,
    /// How many bytes of segments one delivery takes at the most (but at least one segment).
    pub plan_bytes: u64,
}

/// What delivery has done since the process started.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Delivered {
    /// Segments delivered and retired.
    pub segments: u64,
    /// Records written to the lake.
    pub records: u64,
    /// Files written to the lake.
    pub files: u64,
    /// Frames and records set aside because they could not be read.
    pub quarantined: u64,
}

/// The background job that delivers to the lake.
#[derive(Debug)]
pub struct Deliverer {
    pub(super) log: Arc<dyn ObjectStore>,
    pub(super) lake: Arc<dyn ObjectStore>,
    pub(super) backlog: Backlog,
    pub(super) routing: Arc<Routing>,
    pub(super) settings: DeliverSettings,
    pub(super) checkpoint: Checkpoint,
    pub(super) report: Arc<dyn Report>,
}

/// Who is told what delivery does.
pub trait Report: Send + Sync + std::fmt::Debug + 'static {
    /// One delivery is done.
    fn delivered(&self, done: Delivered);
    /// A delivery failed and will be tried again.
    fn failed(&self);
}

impl Deliverer {
    /// Its job, which lags by what waits for delivery.
    #[must_use]
    pub fn job(&self, jobs: &Jobs) -> Job {
        let backlog = self.backlog.clone();
        jobs.add_with_lag("delivery", "bytes", move || backlog.bytes())
    }

    /// Delivers until `closed` is cancelled. A failure is logged and tried again after the interval.
    pub async fn run(&mut self, closed: &CancellationToken, job: &Job) {
        loop {
            tokio::select! {
                () = closed.cancelled() => return,
                () = async {
                    self.backlog.changed(DestinationId::LAKE).await;
                    tokio::time::sleep(self.settings.interval).await;
                }, if self.is_idle() => {}
                () = tokio::time::sleep(self.settings.interval), if !self.is_idle() => {}
            }
            if let Err(error) = job.run(self.deliver_all(closed)).await {
                self.report.failed();
                tracing::error!(%error, backlog_bytes = self.backlog.bytes(), "delivery failed; it is tried again");
            }
        }
    }

    /// Delivers everything that is durable by now, unless `closed` is cancelled first.
    ///
    /// # Errors
    /// Where the log or the lake cannot be read or written; what is not delivered stays in the backlog.
    pub async fn deliver_all(&mut self, closed: &CancellationToken) -> Result<(), StorageError> {
        while !closed.is_cancelled() && self.deliver_some().await? {}
        Ok(())
    }

    fn is_idle(&self) -> bool {
        self.checkpoint.plan.is_none() && !self.backlog.has_after(self.checkpoint.delivered)
    }

    /// One delivery: `false` where there was nothing to deliver.
    async fn deliver_some(&mut self) -> Result<bool, StorageError> {
        let (plan, segments) = if let Some(plan) = self.checkpoint.plan.clone() {
            let segments = self.read(&plan.segments).await?;
            (plan, segments)
        } else {
            let waiting = self.backlog.deliverable(self.checkpoint.delivered, self.settings.plan_bytes);
            if waiting.is_empty() {
                return Ok(false);
            }
            let sequences: Vec<_> = waiting.iter().map(|waiting| waiting.sequence).collect();
            let segments = self.read(&sequences).await?;
            let plan = plan(&self.checkpoint.log, sequences, &segments, &self.routing);
            self.record(Checkpoint { plan: Some(plan.clone()), ..self.checkpoint.clone() }).await?;
            (plan, segments)
        };
        let mut done = Delivered { segments: plan.segments.len() as u64, ..Delivered::default() };
        let segments = Arc::new(segments);
        for file in &plan.files {
            let (records, quarantined) = self.write(file, &segments).await?;
            done.records += records;
            done.files += 1;
            done.quarantined += quarantined;
        }
        for &(sequence, position) in &plan.quarantine {
            self.quarantine(&segments, sequence, position).await?;
            done.quarantined += 1;
        }
        let delivered = plan.segments.last().copied().unwrap_or(0).max(self.checkpoint.delivered);
        self.record(Checkpoint { delivered, plan: None, ..self.checkpoint.clone() }).await?;
        for sequence in self.backlog.pass(DestinationId::LAKE, delivered) {
            log::remove(&*self.log, sequence).await;
        }
        self.report.delivered(done);
        Ok(true)
    }

    /// The checkpoint in memory changes only once the one at rest has.
    async fn record(&mut self, checkpoint: Checkpoint) -> Result<(), StorageError> {
        checkpoint.save(&*self.log, LAKE).await?;
        self.checkpoint = checkpoint;
        Ok(())
    }

    async fn read(&self, sequences: &[u64]) -> Result<Segments, StorageError> {
        let mut segments = Segments::new();
        for &sequence in sequences {
            match self.log.get(&segment_path(sequence)).await {
                Ok(found) => {
                    segments.insert(sequence, segment::decode(&found.bytes().await?));
                }
                // Nobody but delivery removes segments. To stop here for ever would lose what came after it, too.
                Err(object_store::Error::NotFound { .. }) => {
                    tracing::error!(segment = sequence, "a segment has disappeared from the log; its records are lost");
                    segments.insert(sequence, Vec::new());
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(segments)
    }

    /// Writes one file and returns how many records are in it and how many had to be set aside.
    async fn write(&self, file: &PlannedFile, segments: &Arc<Segments>) -> Result<(u64, u64), StorageError> {
        let signal = file.signal()?;
        let (planned, source) = (file.clone(), Arc::clone(segments));
        let built = tokio::task::spawn_blocking(move || build(signal, &planned, &source)).await;
        let built = built.map_err(|error| StorageError::Task(error.to_string()))?;
        for &(sequence, position) in &built.unreadable {
            self.quarantine(segments, sequence, position).await?;
        }
        // Records may hold nothing that makes a row: a profile's resource without a profile.
        if built.rows > 0 {
            self.lake.put(&Path::from(file.path.as_str()), PutPayload::from(built.bytes)).await?;
        }
        Ok((built.records, built.unreadable.len() as u64))
    }

    /// Sets a frame aside, where it can be looked at.
    async fn quarantine(&self, segments: &Segments, sequence: u64, position: usize) -> Result<(), StorageError> {
        let Some(stored) = segments.get(&sequence).and_then(|frames| frames.get(position)) else { return Ok(()) };
        quarantine::set_frame_aside(&*self.log, sequence, position, stored).await
    }
}

/// The frames of each segment, by its sequence number.
pub(super) type Segments = BTreeMap<u64, Vec<Stored>>;

/// A file closes when its payloads have this many bytes once decompressed: it is built in memory.
const FILE_BYTES: u64 = 512 << 20;

/// Decides which record goes into which file, of those that are routed to the lake: one file for each tenant, signal and hour of
/// arrival, or several where one would be too large.
fn plan(log: &str, sequences: Vec<u64>, segments: &Segments, routing: &Routing) -> Plan {
    let (first, last) = (sequences.first().copied().unwrap_or(0), sequences.last().copied().unwrap_or(0));
    let name = format!("{log}-{first:020}-{last:020}");
    let mut files: BTreeMap<String, PlannedFile> = BTreeMap::new();
    let mut parts: BTreeMap<String, (u32, u64)> = BTreeMap::new();
    let mut quarantine = Vec::new();
    for (&sequence, frames) in segments {
        for (position, frame) in frames.iter().enumerate() {
            let Stored::Record { meta, .. } = frame else {
                quarantine.push((sequence, position));
                continue;
            };
            if !routing.leads(sequence, meta, DestinationId::LAKE) {
                continue;
            }
            let folder = folder(meta);
            let (part, bytes) = parts.entry(folder.clone()).or_default();
            *bytes += meta.decompressed_size;
            if *bytes > FILE_BYTES && *bytes > meta.decompressed_size {
                (*part, *bytes) = (*part + 1, meta.decompressed_size);
            }
            let path = format!("{folder}/{name}-{part}.parquet");
            let file = files.entry(path.clone()).or_insert_with(|| PlannedFile {
                path,
                signal: meta.signal.to_string(),
                records: Vec::new(),
            });
            match file.records.last_mut() {
                Some((of, positions)) if *of == sequence => positions.push(position),
                _ => file.records.push((sequence, vec![position])),
            }
        }
    }
    Plan { segments: sequences, files: files.into_values().collect(), quarantine }
}

/// The folder of a record's file: from the tenant and the hour of arrival alone.
fn folder(meta: &RecordMeta) -> String {
    let RecordMeta { tenant, signal, arrival, .. } = meta;
    let (date, hour) = (arrival.date(), arrival.hour());
    format!("{tenant}/{signal}/date={:04}-{:02}-{:02}/hour={hour:02}", date.year, date.month, date.day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Encoding, KeyId, RecordId, Signal, Tenant, Timestamp};
    use bytes::Bytes;

    fn stored(decompressed_size: u64, hour: i64) -> Stored {
        let slug = |text: &str| text.parse().expect("a slug");
        let meta = RecordMeta {
            id: RecordId::from_bytes([0; 16]),
            tenant: Arc::new(Tenant { project: slug("shop"), grid: slug("web"), environment: slug("staging") }),
            key: KeyId::from_bare("7Hq2mZxK9wPa").expect("an id"),
            secret_version: 1,
            signal: Signal::Metrics,
            arrival: Timestamp::from_micros(hour * 3_600_000_000),
            items: 1,
            encoding: Encoding::Gzip,
            decompressed_size,
        };
        Stored::Record { meta, payload: Bytes::new() }
    }

    #[test]
    fn a_file_is_for_one_hour_and_never_too_large_to_be_built() {
        let large = FILE_BYTES / 2 + 1;
        let segments = Segments::from([
            (4, vec![stored(large, 1), stored(large, 1), stored(1, 2)]),
            (6, vec![stored(2 * FILE_BYTES, 1), stored(1, 1)]),
        ]);
        let plan = plan("0a1b2c3d", vec![4, 6], &segments, &Routing::default());
        let name = "0a1b2c3d-00000000000000000004-00000000000000000006";
        let file = |hour: u8, part: u8, records: &[(u64, Vec<usize>)]| PlannedFile {
            path: format!("shop/web/staging/metrics/date=1970-01-01/hour=0{hour}/{name}-{part}.parquet"),
            signal: "metrics".to_owned(),
            records: records.to_vec(),
        };
        assert_eq!(
            plan.files,
            [
                file(1, 0, &[(4, vec![0])]),
                file(1, 1, &[(4, vec![1])]),
                file(1, 2, &[(6, vec![0])]),
                file(1, 3, &[(6, vec![1])]),
                file(2, 0, &[(4, vec![2])]),
            ]
        );
    }
}
