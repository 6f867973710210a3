//! Checkpoints: what is delivered, and what a delivery under way is about to write.
//!
//! One small object per destination holds both, and is replaced atomically. It outlives the segments it speaks of: a segment
//! whose deletion did not survive a power loss comes back, and is recognised by it.

use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};
use serde::{Deserialize, Serialize};

use super::StorageError;
use crate::domain::Signal;

/// The state of one destination's delivery.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Checkpoint {
    /// The version of this format.
    pub version: u32,
    /// The id of the log, part of every file's name: a log that starts anew beside an old lake overwrites nothing.
    pub log: String,
    /// Every segment up to this sequence number is delivered.
    pub delivered: u64,
    /// The delivery under way; recorded before its first write, and carried out again in full after a crash.
    pub plan: Option<Plan>,
}

/// Everything one delivery writes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Plan {
    /// The segments it delivers, oldest first.
    pub segments: Vec<u64>,
    /// The files it writes.
    pub files: Vec<PlannedFile>,
    /// The damaged frames it sets aside: segment and position of the frame.
    pub quarantine: Vec<(u64, usize)>,
}

/// One file of a delivery.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PlannedFile {
    /// Where it goes, relative to the lake.
    pub path: String,
    /// The name of its signal.
    pub signal: String,
    /// The records in it, in order: positions in each segment.
    pub records: Vec<(u64, Vec<usize>)>,
}

impl PlannedFile {
    /// The file's signal.
    pub(super) fn signal(&self) -> Result<Signal, StorageError> {
        self.signal.parse().map_err(|_| StorageError::Checkpoint(format!("{:?} is not a signal", self.signal)))
    }
}

const VERSION: u32 = 1;

impl Checkpoint {
    /// The checkpoint of a log that has delivered nothing.
    pub(super) const fn new(log: String) -> Self {
        Self { version: VERSION, log, delivered: 0, plan: None }
    }

    /// The checkpoint of the destination `name`; `None` where nothing was ever delivered to it.
    pub(super) async fn load(store: &dyn ObjectStore, name: &str) -> Result<Option<Self>, StorageError> {
        let bytes = match store.get(&path_of(name)).await {
            Ok(found) => found.bytes().await?,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let checkpoint: Self =
            serde_json::from_slice(&bytes).map_err(|error| StorageError::Checkpoint(error.to_string()))?;
        if checkpoint.version != VERSION {
            return Err(StorageError::Checkpoint(format!("its version is {}", checkpoint.version)));
        }
        Ok(Some(checkpoint))
    }

    /// Makes this the checkpoint of the destination `name`, durably.
    pub(super) async fn save(&self, store: &dyn ObjectStore, name: &str) -> Result<(), StorageError> {
        let bytes = serde_json::to_vec(self).map_err(|error| StorageError::Checkpoint(error.to_string()))?;
        store.put(&path_of(name), PutPayload::from(bytes)).await?;
        Ok(())
    }

    /// The highest sequence number that it speaks of: the log never uses it again.
    pub(super) fn highest(&self) -> u64 {
        self.plan.as_ref().and_then(|plan| plan.segments.last().copied()).unwrap_or(0).max(self.delivered)
    }
}

/// Up to where a forward has passed everything. What comes after it may have been sent in part, and is sent again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Passed {
    version: u32,
    passed: u64,
}

impl Passed {
    /// The sequence number up to which the forward `name` has passed every segment; 0 where it has none.
    pub(super) async fn load(store: &dyn ObjectStore, name: &str) -> Result<u64, StorageError> {
        let bytes = match store.get(&path_of(name)).await {
            Ok(found) => found.bytes().await?,
            Err(object_store::Error::NotFound { .. }) => return Ok(0),
            Err(error) => return Err(error.into()),
        };
        match serde_json::from_slice::<Self>(&bytes) {
            Ok(Self { version: VERSION, passed }) => Ok(passed),
            Ok(Self { version, .. }) => Err(StorageError::Checkpoint(format!("{name}: its version is {version}"))),
            Err(error) => Err(StorageError::Checkpoint(format!("{name}: {error}"))),
        }
    }

    /// Records, durably, that the forward `name` has passed every segment up to `passed`.
    pub(super) async fn save(store: &dyn ObjectStore, name: &str, passed: u64) -> Result<(), StorageError> {
        let bytes = serde_json::to_vec(&Self { version: VERSION, passed })
            .map_err(|error| StorageError::Checkpoint(error.to_string()))?;
        store.put(&path_of(name), PutPayload::from(bytes)).await?;
        Ok(())
    }
}

fn path_of(name: &str) -> Path {
    Path::from(format!("checkpoints/{name}.json"))
}
