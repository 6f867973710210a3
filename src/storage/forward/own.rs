//! A destination's own segments: records of one lane that have waited too long for the log that all share, and those that were
//! taken back from quarantine.
//!
//! `forward/<destination>/<project>/<grid>/<environment>/<signal>/<name>.seg`, sent in the order of their names.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, PutMode, PutPayload};

use super::lane::{Entry, LaneId};
use super::send::path_of;
use crate::domain::{Tenant, Timestamp};
use crate::storage::StorageError;
use crate::storage::log::sequence_of;
use crate::storage::segment::{self, Frame};

/// The folder of all destinations' own segments.
pub(in crate::storage) const FORWARD: &str = "forward";

/// A segment of one destination and lane.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Own {
    pub(super) path: Arc<Path>,
    pub(super) bytes: u64,
    /// About when its first record was accepted.
    pub(super) oldest: Timestamp,
}

/// Where the segments of one destination and lane are.
pub(in crate::storage) fn folder(destination: &str, lane: &LaneId) -> String {
    format!("{FORWARD}/{destination}/{lane}")
}

/// The destination and the lane whose folder under `root` holds `path`; `None` for a path of another form.
pub(in crate::storage) fn owner_of(root: &str, path: &Path) -> Option<(String, LaneId)> {
    let mut parts = path.parts();
    let mut next = || parts.next().map(|part| part.as_ref().to_owned());
    if next()? != root {
        return None;
    }
    let destination = next()?;
    let mut slug = || next()?.parse().ok();
    let tenant = Tenant { project: slug()?, grid: slug()?, environment: slug()? };
    let lane = LaneId { tenant: Arc::new(tenant), signal: next()?.parse().ok()? };
    (parts.count() == 1).then_some((destination, lane))
}

/// The segments that are there, by lane, oldest first, and the number after the highest.
pub(super) async fn list(
    store: &dyn ObjectStore,
    destination: &str,
) -> Result<(BTreeMap<LaneId, Vec<Own>>, u64), StorageError> {
    let (mut found, mut next) = (BTreeMap::<_, Vec<Own>>::new(), 1);
    let mut listing = store.list(Some(&Path::from(format!("{FORWARD}/{destination}"))));
    while let Some(object) = listing.try_next().await? {
        let Some((_, lane)) = owner_of(FORWARD, &object.location) else { continue };
        if object.location.extension() != Some("seg") {
            continue;
        }
        next = sequence_of(&object.location).map_or(next, |number| next.max(number.saturating_add(1)));
        let oldest = Timestamp::from_micros(object.last_modified.timestamp_micros());
        found.entry(lane).or_default().push(Own { path: Arc::new(object.location), bytes: object.size, oldest });
    }
    for segments in found.values_mut() {
        segments.sort_by(|one, other| one.path.cmp(&other.path));
    }
    Ok((found, next))
}

/// Rewrites `entries` into a segment of the destination's own; `None` where nothing is left of them.
pub(super) async fn rewrite(
    store: &dyn ObjectStore,
    destination: &str,
    lane: &LaneId,
    number: u64,
    entries: &[Entry],
) -> Result<Option<Own>, StorageError> {
    let mut frames = Vec::with_capacity(entries.len());
    for of_one in entries.chunk_by(|one, other| one.source == other.source) {
        let Some(first) = of_one.first() else { continue };
        let places: Vec<_> = of_one.iter().map(|entry| entry.place.clone()).collect();
        let path = path_of(&first.source);
        match store.get_ranges(&path, &places).await {
            Ok(read) => frames.extend(read),
            Err(object_store::Error::NotFound { .. }) => {
                tracing::error!(%path, "a segment has disappeared from the log; its records are lost");
            }
            Err(error) => return Err(error.into()),
        }
    }
    if frames.is_empty() {
        return Ok(None);
    }
    let oldest = entries.iter().map(|entry| entry.arrival).min().unwrap_or(Timestamp::from_micros(0));
    put(store, destination, lane, number, frames, oldest).await.map(Some)
}

/// Makes a segment of `frames`, each as it was read, durable.
pub(super) async fn put(
    store: &dyn ObjectStore,
    destination: &str,
    lane: &LaneId,
    number: u64,
    frames: Vec<Bytes>,
    oldest: Timestamp,
) -> Result<Own, StorageError> {
    let frames: Vec<_> = frames.into_iter().map(Frame::of_bytes).collect();
    let payload = PutPayload::from_iter(segment::encode(&frames));
    let bytes = payload.content_length() as u64;
    let path = Path::from(format!("{}/{number:020}.seg", folder(destination, lane)));
    store.put_opts(&path, payload, PutMode::Create.into()).await?;
    Ok(Own { path: Arc::new(path), bytes, oldest })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Signal;
    use crate::storage::forward::lane::Source;
    use crate::storage::log::segment_path;
    use object_store::ObjectStoreExt;
    use object_store::memory::InMemory;

    /// What has disappeared must not keep the rest from being moved.
    #[tokio::test]
    async fn a_segment_that_has_disappeared_is_left_out() {
        let slug = |text: &str| text.parse().expect("a slug");
        let tenant = Tenant { project: slug("shop"), grid: slug("web"), environment: slug("staging") };
        let lane = LaneId { tenant: Arc::new(tenant), signal: Signal::Logs };
        let store = InMemory::new();
        store.put(&segment_path(2), PutPayload::from_static(b"before, frame, after")).await.expect("it is put");
        let now = Timestamp::from_micros(7);
        let entry =
            |of| Entry { order: of, source: Source::Main(of), place: 8..13, memory: 5, arrival: now, taken: now };
        let moved = rewrite(&store, "vendor", &lane, 1, &[entry(1), entry(2)]).await.expect("it is moved");
        let path = moved.expect("something is left").path;
        let bytes = store.get(&path).await.expect("it is there").bytes().await.expect("its bytes");
        assert!(bytes.windows(5).any(|window| window == b"frame"));
        assert_eq!(rewrite(&store, "vendor", &lane, 2, &[entry(1)]).await.expect("no error"), None);
    }

    #[test]
    fn the_owner_of_a_path() {
        let owner = |path: &str| owner_of(FORWARD, &Path::from(path)).map(|(name, lane)| format!("{name} {lane}"));
        assert_eq!(
            owner("forward/vendor/shop/web/staging/logs/1.seg"),
            Some("vendor shop/web/staging/logs".to_owned())
        );
        for path in [
            "forward/vendor/shop/web/staging/1.seg",
            "forward/vendor/shop/web/staging/spans/1.seg",
            "forward/vendor/shop/web/staging/logs/more/1.seg",
            "forward/vendor/Shop/web/staging/logs/1.seg",
            "segments/vendor/shop/web/staging/logs/1.seg",
            "",
        ] {
            assert_eq!(owner(path), None, "{path}");
        }
    }
}
