//! One record on its way to a backend: read, sent, and set aside where it is refused for good.

use std::sync::Arc;
use std::time::Duration;

use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use tokio_util::task::AbortOnDropHandle;

use super::lane::{Entry, LaneId, Probe, Source};
use crate::domain::Clock;
use crate::storage::StorageError;
use crate::storage::destination::{Backend, Sent};
use crate::storage::log::segment_path;
use crate::storage::quarantine;
use crate::storage::segment::{self, Stored};

/// A record that is about to be sent, and everything that this takes.
pub(super) struct Export {
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) backend: Arc<dyn Backend>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) destination: String,
    pub(super) lane: LaneId,
    pub(super) entry: Entry,
    pub(super) probe: Probe,
}

/// What became of it.
pub(super) struct Ended {
    pub(super) lane: LaneId,
    pub(super) entry: Entry,
    pub(super) probe: Probe,
    pub(super) outcome: Outcome,
}

pub(super) enum Outcome {
    /// The backend has it, but for `rejected` of its items.
    Delivered { items: u64, rejected: u64, message: String },
    /// It is in quarantine, where it takes so many bytes.
    Aside { items: u64, bytes: u64, why: String },
    /// The log does not hold it any more.
    Lost,
    /// It has to be sent again.
    Later { after: Option<Duration>, why: String },
}

impl Export {
    pub(super) async fn run(self) -> Ended {
        let outcome = match self.outcome().await {
            Ok(outcome) => outcome,
            Err(error) => Outcome::Later { after: None, why: error.to_string() },
        };
        let Self { lane, entry, probe, .. } = self;
        Ended { lane, entry, probe, outcome }
    }

    async fn outcome(&self) -> Result<Outcome, StorageError> {
        let path = path_of(&self.entry.source);
        let frame = match self.store.get_range(&path, self.entry.place.clone()).await {
            Ok(frame) => frame,
            Err(object_store::Error::NotFound { .. }) => return Ok(Outcome::Lost),
            Err(error) => return Err(error.into()),
        };
        let (meta, payload) = match segment::read_frame(frame) {
            Stored::Record { meta, payload } => (meta, payload),
            Stored::Damaged { bytes, damage } => {
                let name = format!("{}-{}", path.filename().unwrap_or_default(), self.entry.place.start);
                let why = damage.to_string();
                let (to, lane, now) = (&self.destination, &self.lane, self.clock.now());
                let bytes = quarantine::set_damage_aside(&*self.store, to, lane, &name, bytes, &why, now).await?;
                return Ok(Outcome::Aside { items: 0, bytes, why });
            }
        };
        // A task of its own: one record over which the sending code breaks must not break the others.
        let (backend, sent_meta, sent_payload) = (Arc::clone(&self.backend), meta.clone(), payload.clone());
        let sending = tokio::spawn(async move { backend.send(&sent_meta, &sent_payload).await });
        let sent = match AbortOnDropHandle::new(sending).await {
            Ok(sent) => sent,
            Err(error) if error.is_panic() => Sent::Never { why: "the code that sends it has broken down".to_owned() },
            Err(error) => return Err(StorageError::Task(error.to_string())),
        };
        let items = meta.items;
        Ok(match sent {
            Sent::Delivered { rejected, message } => Outcome::Delivered { items, rejected, message },
            Sent::Later { after, why } => Outcome::Later { after, why },
            Sent::Never { why } => {
                let (to, now) = (&self.destination, self.clock.now());
                let bytes = quarantine::set_aside(&*self.store, to, &meta, &payload, &why, now).await?;
                Outcome::Aside { items, bytes, why }
            }
        })
    }
}

/// Where a source is.
pub(super) fn path_of(source: &Source) -> Path {
    match source {
        Source::Main(sequence) => segment_path(*sequence),
        Source::Own(path) => (**path).clone(),
    }
}
