//! Destinations that are not configured any more: what is there for them is kept, and the shared log does not wait for it.

use std::collections::BTreeMap;

use futures_util::TryStreamExt;
use object_store::{ObjectStore, ObjectStoreExt};

use super::lane::LaneId;
use super::own::{self, FORWARD};
use crate::domain::Timestamp;
use crate::storage::StorageError;
use crate::storage::backlog::Waiting;
use crate::storage::checkpoint::Passed;
use crate::storage::log::segment_path;
use crate::storage::quarantine;
use crate::storage::routing::Routing;
use crate::storage::segment::{self, Stored};

/// Moves what the shared log, with the segments `found`, holds for destinations that are not configured any more into segments of
/// their own, where it is found should they be configured again. Says what is kept for destinations other than `configured`.
///
/// # Errors
/// Where the log cannot be read or written.
pub(in crate::storage) async fn keep_for_gone(
    store: &dyn ObjectStore,
    routing: &Routing,
    found: &[Waiting],
    configured: &[String],
) -> Result<(), StorageError> {
    for (id, name, upto) in routing.gone() {
        let passed = Passed::load(store, name).await?;
        let (_, mut number) = own::list(store, name).await?;
        for waiting in found.iter().filter(|waiting| waiting.sequence > passed && waiting.sequence <= upto) {
            let bytes = store.get(&segment_path(waiting.sequence)).await?.bytes().await?;
            let mut lanes: BTreeMap<LaneId, (Vec<_>, Timestamp)> = BTreeMap::new();
            for (position, (place, stored)) in segment::decode_placed(&bytes).into_iter().enumerate() {
                let Stored::Record { meta, .. } = stored else {
                    quarantine::set_frame_aside(store, waiting.sequence, position, &stored).await?;
                    continue;
                };
                if routing.leads(waiting.sequence, &meta, id) {
                    let lane = LaneId { tenant: meta.tenant, signal: meta.signal };
                    let (frames, _) = lanes.entry(lane).or_insert((Vec::new(), meta.arrival));
                    frames.push(bytes.slice(place));
                }
            }
            for (lane, (frames, oldest)) in lanes {
                own::put(store, name, &lane, number, frames, oldest).await?;
                number += 1;
            }
        }
        if upto > passed {
            Passed::save(store, name, upto).await?;
        }
    }
    let mut kept = BTreeMap::<_, u64>::new();
    let mut listing = store.list(Some(&FORWARD.into()));
    while let Some(object) = listing.try_next().await? {
        if let Some((name, _)) = own::owner_of(FORWARD, &object.location)
            && !configured.contains(&name)
        {
            *kept.entry(name).or_default() += object.size;
        }
    }
    for (name, bytes) in kept {
        tracing::warn!(destination = name, bytes, "data waits for a destination that is not configured; it is kept");
    }
    Ok(())
}
