//! Storage: from an admitted export to its tenant's data at rest.
//!
//! In front of the acknowledgement: [`record`] → [`log`] → [`segment`]. Behind it: [`backlog`] → [`deliver`] →
//! [`destination`], with a checkpoint that makes the way into the lake exactly-once.

pub mod backlog;
mod checkpoint;
pub mod deliver;
pub mod destination;
pub mod lock;
pub mod log;
pub mod open;
pub mod record;
pub mod segment;

use std::path::PathBuf;

use crate::otlp::compression::InflateError;
use destination::lake::LakeError;

/// What storage can fail with behind the acknowledgement.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// A folder cannot be made or used.
    #[error("the folder {path} cannot be used: {source}")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The log or the lake cannot be read or written.
    #[error(transparent)]
    Store(#[from] object_store::Error),
    /// The checkpoint cannot be read. Delivering without it could deliver twice, so nothing is delivered.
    #[error("the checkpoint of the lake cannot be read: {0}")]
    Checkpoint(String),
    /// A payload cannot be inflated.
    #[error(transparent)]
    Inflate(#[from] InflateError),
    /// A lake file cannot be built.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// A background task was cut short.
    #[error("a background task was cut short: {0}")]
    Task(String),
    /// There are no random bytes for the log's id.
    #[error(transparent)]
    Random(#[from] crate::domain::random::RandomError),
}
