//! What a forwarder reads from the log and writes to it.

use std::ops::Range;
use std::sync::Arc;

use object_store::ObjectStoreExt;
use tokio::time::Instant;

use super::lane::{Entry, LaneId, Source};
use super::own::{self, Own};
use super::{CROWD, Forwarder};
use crate::domain::Timestamp;
use crate::storage::checkpoint::Passed;
use crate::storage::log::{remove, segment_path};
use crate::storage::segment::{self, Stored};
use crate::storage::{StorageError, quarantine};

/// How much of a lane is moved at once.
const MOVE: u64 = 16 << 20;

impl Forwarder {
    /// Sorts the records of the next segment of the shared log into their lanes. `false` where there is none, or no room for it.
    pub(super) async fn take_in(&mut self) -> Result<bool, StorageError> {
        if self.waiting >= CROWD {
            return Ok(false);
        }
        let Some(&waiting) = self.backlog.deliverable(self.taken, 0).first() else { return Ok(false) };
        let sequence = waiting.sequence;
        let frames = match self.store.get(&segment_path(sequence)).await {
            Ok(found) => segment::decode_placed(&found.bytes().await?),
            Err(object_store::Error::NotFound { .. }) => {
                tracing::error!(segment = sequence, "a segment has disappeared from the log; its records are lost");
                Vec::new()
            }
            Err(error) => return Err(error.into()),
        };
        // The lake does the same with what it finds damaged. It may have passed the segment when that was still sound.
        for (position, (_, stored)) in frames.iter().enumerate() {
            if let Stored::Damaged { .. } = stored {
                quarantine::set_frame_aside(&*self.store, sequence, position, stored).await?;
            }
        }
        self.taken = sequence;
        let now = self.clock.now();
        for (place, stored) in frames {
            let Stored::Record { meta, .. } = stored else { continue };
            if !self.routing.leads(sequence, &meta, self.id) {
                continue;
            }
            let entry = self.entry(Source::Main(sequence), place, meta.decompressed_size, meta.arrival, now);
            self.usage.add(&meta.tenant, entry.bytes());
            self.waiting += 1;
            *self.main.entry(sequence).or_default() += 1;
            self.lanes.push(&LaneId { tenant: meta.tenant, signal: meta.signal }, entry);
        }
        Ok(true)
    }

    /// Reads an own segment into its lane.
    pub(super) async fn load(&mut self, lane: LaneId, own: Own) {
        let read = async { self.store.get(&own.path).await?.bytes().await };
        let frames = match read.await {
            Ok(bytes) => segment::decode_placed(&bytes),
            Err(object_store::Error::NotFound { .. }) => {
                tracing::error!(path = %own.path, "a segment has disappeared from the log; its records are lost");
                Vec::new()
            }
            Err(error) => {
                self.tell(|name| tracing::error!(destination = name, %error, "an own segment cannot be read"));
                let now = self.clock.now();
                return self.lanes.not_loaded(&lane, own, now);
            }
        };
        let now = self.clock.now();
        let mut entries = Vec::new();
        for (place, stored) in frames {
            let (size, arrival) = match stored {
                Stored::Record { meta, .. } => (meta.decompressed_size, meta.arrival),
                Stored::Damaged { .. } => (0, own.oldest),
            };
            entries.push(self.entry(Source::Own(Arc::clone(&own.path)), place, size, arrival, now));
        }
        // From here on its records count one by one.
        self.usage.subtract(&lane.tenant, own.bytes);
        self.usage.add(&lane.tenant, entries.iter().map(Entry::bytes).sum());
        if entries.is_empty() {
            self.finished.push(own.path);
        } else {
            self.own.insert(own.path, entries.len());
        }
        self.lanes.loaded(&lane, entries);
    }

    /// `size` is that of the payload once inflated, which it may have to be on its way.
    fn entry(&mut self, source: Source, place: Range<usize>, size: u64, arrival: Timestamp, taken: Timestamp) -> Entry {
        self.next_order += 1;
        let memory = size.saturating_add(place.len() as u64);
        let place = place.start as u64..place.end as u64;
        Entry { order: self.next_order, source, place, memory, arrival, taken }
    }

    /// Moves a part of a lane that has waited too long in the shared log; `false` where there is none.
    pub(super) async fn move_some(&mut self) -> Result<bool, StorageError> {
        let (now, is_crowded) = (self.clock.now(), self.waiting >= CROWD);
        let Some(lane) = self.lanes.find_to_move(now, self.settings.patience, is_crowded) else { return Ok(false) };
        let taken = self.lanes.take_fresh(&lane, MOVE);
        // Should its segment be there after a failure all the same, its number is not used again; its records are then sent twice.
        let number = self.next_own;
        self.next_own += 1;
        match own::rewrite(&*self.store, self.settings.name.as_str(), &lane, number, &taken).await {
            Ok(own) => {
                for entry in &taken {
                    self.usage.subtract(&lane.tenant, entry.bytes());
                    self.leave(&entry.source);
                }
                if let Some(own) = &own {
                    self.settings.metrics.moved_segments.inc();
                    self.usage.add(&lane.tenant, own.bytes);
                }
                self.lanes.moved(&lane, own);
                Ok(true)
            }
            Err(error) => {
                self.lanes.not_moved(&lane, taken, now);
                Err(error)
            }
        }
    }

    /// Records up to where everything is sent or moved, and removes the segments that nobody needs any longer.
    pub(super) async fn checkpoint(&mut self) -> Result<(), StorageError> {
        let passed = self.main.first_key_value().map_or(self.taken, |(&first, _)| first - 1);
        if passed > self.passed {
            Passed::save(&*self.store, self.settings.name.as_str(), passed).await?;
            self.passed = passed;
            for sequence in self.backlog.pass(self.id, passed) {
                remove(&*self.store, sequence).await;
            }
        }
        Ok(())
    }

    /// Removes own segments that are sent. Where that fails, the next start sends them again.
    pub(super) async fn remove_finished(&mut self) {
        for path in std::mem::take(&mut self.finished) {
            match self.store.delete(&path).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => tracing::warn!(%path, %error, "a segment that is sent could not be removed"),
            }
        }
    }

    /// Counts what lies in quarantine: somebody may have removed something.
    pub(super) async fn recount(&mut self) -> Result<(), StorageError> {
        self.counted = Instant::now();
        let found = quarantine::sizes(&*self.store, self.settings.name.as_str()).await?;
        for (tenant, bytes) in self.quarantined.drain() {
            self.usage.subtract(&tenant, bytes);
        }
        for (tenant, bytes) in found {
            self.usage.add(&tenant, bytes);
            self.quarantined.insert(tenant, bytes);
        }
        Ok(())
    }
}
