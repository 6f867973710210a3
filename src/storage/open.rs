//! Opening storage at start-up: what a crash left behind is put in order before the first export is accepted.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::TryStreamExt;
use object_store::local::LocalFileSystem;
use object_store::{ObjectStore, ObjectStoreExt};

use super::StorageError;
use super::backlog::{Backlog, Waiting};
use super::checkpoint::Checkpoint;
use super::deliver::{DeliverSettings, Deliverer, LAKE, Report};
use super::log::{Committer, Log, LogSettings, SEGMENTS, sequence_of};
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

/// Storage, ready to be run: [`Committer::run`] and [`Deliverer::run`] are tasks of whoever opened it.
#[derive(Debug)]
pub struct Storage {
    /// Where exports hand in their records.
    pub log: Log,
    /// The task that writes segments.
    pub committer: Committer,
    /// The task that delivers them.
    pub deliverer: Deliverer,
    /// What waits for delivery.
    pub backlog: Backlog,
}

/// Opens storage on local folders, which are created where they are missing.
///
/// # Errors
/// Where a folder cannot be used or the checkpoint cannot be read.
pub async fn open(
    settings: &StorageSettings,
    random: &dyn Random,
    report: Arc<dyn Report>,
) -> Result<Storage, StorageError> {
    let log = local_store(&settings.log_folder)?;
    let lake = local_store(&settings.lake_folder)?;
    remove_staged(&settings.log_folder.join(SEGMENTS))?;
    remove_staged(&settings.log_folder.join("checkpoints"))?;
    remove_staged(&settings.log_folder.join("quarantine"))?;
    let storage = assemble(log, lake, settings, random, report).await?;
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
    random: &dyn Random,
    report: Arc<dyn Report>,
) -> Result<Storage, StorageError> {
    let checkpoint = if let Some(checkpoint) = Checkpoint::load(&*log, LAKE).await? {
        checkpoint
    } else {
        let checkpoint = Checkpoint::new(log_id(random)?);
        checkpoint.save(&*log, LAKE).await?;
        checkpoint
    };
    let mut found = Vec::new();
    let mut listing = log.list(Some(&SEGMENTS.into()));
    while let Some(object) = listing.try_next().await? {
        let Some(sequence) = sequence_of(&object.location) else { continue };
        if sequence <= checkpoint.delivered {
            // Delivered, and its removal did not survive. Delivering it again would duplicate it.
            log.delete(&object.location).await?;
        } else {
            found.push(Waiting { sequence, bytes: object.size });
        }
    }
    let last = found.iter().map(|waiting| waiting.sequence).max().unwrap_or(0).max(checkpoint.highest());
    if !found.is_empty() {
        tracing::info!(segments = found.len(), "segments from before this start wait for delivery");
    }
    let backlog = Backlog::new(settings.backlog_bytes, found);
    let (handle, committer) = Log::new(Arc::clone(&log), backlog.clone(), settings.log, last + 1);
    let deliverer = Deliverer { log, lake, backlog: backlog.clone(), settings: settings.deliver, checkpoint, report };
    Ok(Storage { log: handle, committer, deliverer, backlog })
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

/// Eight hexadecimal digits that tell this log from any other before or after it.
fn log_id(random: &dyn Random) -> Result<String, StorageError> {
    let mut bytes = [0; 4];
    random.fill(&mut bytes)?;
    Ok(format!("{:08x}", u32::from_be_bytes(bytes)))
}
