//! Storage: from an admitted export to its tenant's data at rest.
//!
//! In front of the acknowledgement: [`record`] → [`log`] → [`segment`]. Behind it: [`backlog`] → [`route`] → [`deliver`] or
//! [`forward`] → [`destination`], each with a checkpoint. It makes the way into the lake exactly-once, and that to another server
//! at-least-once.

pub mod backlog;
mod build;
mod checkpoint;
pub mod deliver;
pub mod destination;
pub mod forward;
pub mod lock;
pub mod log;
pub mod open;
pub mod quarantine;
pub mod record;
pub mod route;
mod routing;
pub mod segment;

use std::path::PathBuf;

use crate::observe::jobs::Fault;
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
    #[error("a checkpoint cannot be read: {0}")]
    Checkpoint(String),
    /// A route cannot be followed.
    #[error(transparent)]
    Route(#[from] route::RouteError),
    /// Something in quarantine cannot be used as asked for.
    #[error("{0}")]
    Quarantine(String),
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

impl Fault for StorageError {
    fn shown(&self) -> String {
        self.to_string()
    }
}
