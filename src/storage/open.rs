//! Opening storage at start-up: what a crash left behind is put in order before the first export is accepted.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::TryStreamExt;
use object_store::local::LocalFileSystem;
use object_store::{ObjectStore, ObjectStoreExt};

use super::StorageError;
use super::backlog::{Backlog, Waiting};
use super::checkpoint::{Checkpoint, Passed};
use super::deliver::{DeliverSettings, Deliverer, Report};
use super::forward::own::FORWARD;
use super::forward::{Admission, Forwarder, Forwarding, Usage, keep_for_gone};
use super::log::{Committer, Log, LogSettings, SEGMENTS, segment_path, sequence_of};
use super::quarantine::QUARANTINE;
use super::route::{DestinationId, LAKE_NAME};
use super::routing::Routing;
use crate::domain::Random;

/// Where storage is and how it works.
#[derive(Clone, Debug)]
pub struct StorageSettings {
    /// The folder of segments and checkpoints.
    pub log_folder: PathBuf,
    /// The folder of the tenants' Parquet files.
    pub lake_folder: PathBuf,
    /// How the log commits.
    pub log: LogSettings,
    /// How delivery runs.
    pub deliver: DeliverSettings,
    /// From this many undelivered bytes on, exports are refused.
    pub backlog_bytes: u64,
}

/// Storage, ready to be run: [`Committer::run`], [`Deliverer::run`] and each [`Forwarder::run`] are tasks of whoever opened it.
#[derive(Debug)]
pub struct Storage {
    /// Where exports hand in their records.
    pub log: Log,
    /// The task that writes segments.
    pub committer: Committer,
    /// The task that delivers them to the lake.
    pub deliverer: Deliverer,
    /// The tasks that send them on, in the order of the settings.
    pub forwarders: Vec<Forwarder>,
    /// What waits for delivery.
    pub backlog: Backlog,
}

/// Opens storage on local folders, which are created where they are missing.
///
/// # Errors
/// Where a folder cannot be used or the checkpoint cannot be read.
pub async fn open(
    settings: &StorageSettings,
    forwarding: Forwarding,
    random: &dyn Random,
    report: Arc<dyn Report>,
) -> Result<Storage, StorageError> {
    let log = local_store(&settings.log_folder)?;
    let lake = local_store(&settings.lake_folder)?;
    remove_staged(&settings.log_folder.join(SEGMENTS))?;
    remove_staged(&settings.log_folder)?;
    remove_staged(&settings.log_folder.join("checkpoints"))?;
    for folder in [QUARANTINE, FORWARD] {
        remove_staged_below(&settings.log_folder.join(folder))?;
    }
    let storage = assemble(log, lake, settings, forwarding, random, report).await?;
    // Only files of the plan under way can have been staged in the lake, so its other folders need not be walked.
    for file in storage.deliverer.checkpoint.plan.iter().flat_map(|plan| &plan.files) {
        if let Some(folder) = settings.lake_folder.join(&file.path).parent() {
            remove_staged(folder)?;
        }
    }
    Ok(storage)
}

/// Opens storage on any two object stores.
///
/// # Errors
/// Where the log cannot be listed or the checkpoint cannot be read.
pub async fn assemble(
    log: Arc<dyn ObjectStore>,
    lake: Arc<dyn ObjectStore>,
    settings: &StorageSettings,
    forwarding: Forwarding,
    random: &dyn Random,
    report: Arc<dyn Report>,
) -> Result<Storage, StorageError> {
    let checkpoint = if let Some(checkpoint) = Checkpoint::load(&*log, LAKE_NAME).await? {
        checkpoint
    } else {
        let checkpoint = Checkpoint::new(log_id(random)?);
        checkpoint.save(&*log, LAKE_NAME).await?;
        checkpoint
    };
    let names: Vec<_> = forwarding.forwards.iter().map(|forward| forward.name.to_string()).collect();
    let mut passed = vec![checkpoint.delivered];
    for name in &names {
        passed.push(Passed::load(&*log, name).await?);
    }
    let mut found = segments(&*log).await?;
    let first = found.first().map_or(u64::MAX, |waiting| waiting.sequence);
    let highest = found.last().map_or(0, |waiting| waiting.sequence).max(checkpoint.highest());
    let last = passed.iter().copied().fold(highest, u64::max);
    let routing = Arc::new(Routing::open(&*log, &names, &forwarding.routes, first, last).await?);
    keep_for_gone(&*log, &routing, &found, &names).await?;
    // What every destination has passed was delivered, and its removal did not survive.
    let done = passed.iter().copied().min().unwrap_or(0);
    for waiting in found.extract_if(.., |waiting| waiting.sequence <= done) {
        log.delete(&segment_path(waiting.sequence)).await?;
    }
    if !found.is_empty() {
        tracing::info!(segments = found.len(), "segments from before this start wait for delivery");
    }
    let backlog = Backlog::new(settings.backlog_bytes, found, passed);

    let (mut forwarders, mut usages) = (Vec::new(), Vec::new());
    for (place, forward) in forwarding.forwards.iter().enumerate() {
        let usage = Usage::new(forward.backlog_bytes, forward.tenant_backlog_bytes);
        usages.push(usage.clone());
        let (id, log, forward) = (DestinationId::forward(place), Arc::clone(&log), forward.clone());
        let forwarder =
            Forwarder::open(log, backlog.clone(), Arc::clone(&routing), id, forward, usage, &forwarding).await?;
        forwarders.push(forwarder);
    }
    let admission = Admission { routes: routing.now().clone(), usages };
    let admission = (!forwarders.is_empty()).then(|| Arc::new(admission));
    let (handle, committer) = Log::new(Arc::clone(&log), backlog.clone(), admission, settings.log, last + 1);
    let deliverer =
        Deliverer { log, lake, backlog: backlog.clone(), routing, settings: settings.deliver, checkpoint, report };
    Ok(Storage { log: handle, committer, deliverer, forwarders, backlog })
}

/// The segments of the log, oldest first.
async fn segments(log: &dyn ObjectStore) -> Result<Vec<Waiting>, StorageError> {
    let mut found = Vec::new();
    let mut listing = log.list(Some(&SEGMENTS.into()));
    while let Some(object) = listing.try_next().await? {
        if let Some(sequence) = sequence_of(&object.location) {
            found.push(Waiting { sequence, bytes: object.size });
        }
    }
    found.sort_by_key(|waiting| waiting.sequence);
    Ok(found)
}

/// A store on a local folder whose writes are durable when they return.
fn local_store(folder: &Path) -> Result<Arc<dyn ObjectStore>, StorageError> {
    std::fs::create_dir_all(folder).map_err(|source| StorageError::Folder { path: folder.to_owned(), source })?;
    Ok(Arc::new(LocalFileSystem::new_with_prefix(folder)?.with_fsync(true)))
}

/// Removes the files that the local store had begun to write when the process was killed: `<name>#<number>`.
fn remove_staged(folder: &Path) -> Result<(), StorageError> {
    let error = |source| StorageError::Folder { path: folder.to_owned(), source };
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(missing) if missing.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(error(source)),
    };
    for entry in entries {
        let entry = entry.map_err(error)?;
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.rsplit_once('#')).map(|(_, number)| number);
        if number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())) {
            std::fs::remove_file(entry.path()).map_err(error)?;
        }
    }
    Ok(())
}

/// As [`remove_staged`], in `folder` and every folder below it.
fn remove_staged_below(folder: &Path) -> Result<(), StorageError> {
    remove_staged(folder)?;
    let error = |source| StorageError::Folder { path: folder.to_owned(), source };
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(()) };
    for entry in entries {
        let entry = entry.map_err(error)?;
        if entry.file_type().map_err(error)?.is_dir() {
            remove_staged_below(&entry.path())?;
        }
    }
    Ok(())
}

/// Eight hexadecimal digits that tell this log from any other before or after it.
fn log_id(random: &dyn Random) -> Result<String, StorageError> {
    let mut bytes = [0; 4];
    random.fill(&mut bytes)?;
    Ok(format!("{:08x}", u32::from_be_bytes(bytes)))
}
