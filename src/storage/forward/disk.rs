//! What a forwarder reads from the log and writes to it.

use std::ops::Range;
use std::sync::Arc;

use object_store::ObjectStoreExt;
use tokio::time::Instant;

use super::Forwarder;
use super::lane::{Entry, Source};
use super::own::{self, Own};
use crate::domain::{Tenant, Timestamp};
use crate::storage::checkpoint::Passed;
use crate::storage::log::{remove, segment_path};
use crate::storage::segment::{self, Stored};
use crate::storage::{StorageError, quarantine};

/// How much of a lane is moved at once.
const MOVE: u64 = 16 << 20;

impl Forwarder {
    /// Sorts the records of the next segment of the shared log into their lanes. `false` where there is none.
    pub(super) async fn take_in(&mut self) -> Result<bool, StorageError> {
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
        self.taken = sequence;
        let now = self.clock.now();
        for (place, stored) in frames {
            // What is damaged is set aside on the way to the lake.
            let Stored::Record { meta, .. } = stored else { continue };
            if !self.routing.leads(sequence, &meta, self.id) {
                continue;
            }
            let entry = self.entry(Source::Main(sequence), place, meta.arrival, now);
            self.usage.add(&meta.tenant, entry.bytes());
            *self.main.entry(sequence).or_default() += 1;
            self.lanes.push(&meta.tenant, entry);
        }
        Ok(true)
    }

    /// Reads an own segment into its lane.
    pub(super) async fn load(&mut self, tenant: Arc<Tenant>, own: Own) {
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
                return self.lanes.not_loaded(&tenant, own, now);
            }
        };
        let now = self.clock.now();
        let mut entries = Vec::new();
        for (place, stored) in frames {
            let arrival = if let Stored::Record { meta, .. } = stored { meta.arrival } else { own.oldest };
            entries.push(self.entry(Source::Own(Arc::clone(&own.path)), place, arrival, now));
        }
        // From here on its records count one by one.
        self.usage.subtract(&tenant, own.bytes);
        self.usage.add(&tenant, entries.iter().map(Entry::bytes).sum());
        if entries.is_empty() {
            self.finished.push(own.path);
        } else {
            self.own.insert(own.path, entries.len());
        }
        self.lanes.loaded(&tenant, entries);
    }

    fn entry(&mut self, source: Source, place: Range<usize>, arrival: Timestamp, taken: Timestamp) -> Entry {
        self.next_order += 1;
        let place = place.start as u64..place.end as u64;
        Entry { order: self.next_order, source, place, arrival, taken }
    }

    /// Moves a part of a lane that has waited too long in the shared log; `false` where there is none.
    pub(super) async fn move_some(&mut self) -> Result<bool, StorageError> {
        let Some(tenant) = self.lanes.find_to_move(self.clock.now(), self.settings.patience) else { return Ok(false) };
        let taken = self.lanes.take_fresh(&tenant, MOVE);
        let name = self.settings.name.as_str();
        match own::rewrite(&*self.store, name, &tenant, self.next_own, &taken).await {
            Ok(own) => {
                self.next_own += 1;
                self.settings.metrics.moved_segments.inc();
                for entry in &taken {
                    self.usage.subtract(&tenant, entry.bytes());
                    self.leave(&entry.source);
                }
                self.usage.add(&tenant, own.bytes);
                self.lanes.moved(&tenant, Vec::new(), Some(own));
                Ok(true)
            }
            Err(error) => {
                // Should it be there after all, its number is not used again; its records are then sent twice.
                self.next_own += 1;
                self.lanes.moved(&tenant, taken, None);
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
            let tenant = Arc::new(tenant);
            self.usage.add(&tenant, bytes);
            self.quarantined.insert(tenant, bytes);
        }
        Ok(())
    }
}
