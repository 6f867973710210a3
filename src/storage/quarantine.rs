//! Quarantine: what cannot be delivered, kept where it can be looked at.
//!
//! ```text
//! quarantine/<destination>/<project>/<grid>/<environment>/<signal>/<record>.seg    a segment of one record
//! quarantine/<destination>/<project>/<grid>/<environment>/<signal>/<record>.json   when and why
//! quarantine/<segment>-<frame>.seg                                                 a record that the lake cannot take
//! quarantine/<segment>-<frame>.bin                                                 bytes that are no sound frame any more
//! ```

use std::sync::Arc;

use bytes::Bytes;
use futures_util::TryStreamExt;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};
use serde::{Deserialize, Serialize};

use super::StorageError;
use super::forward::{LaneId, own};
use super::record::{Record, RecordMeta};
use super::route::LAKE_NAME;
use super::segment::{self, Frame, Stored};
use crate::domain::{BudgetExceeded, Tenant, Timestamp};
use crate::otlp::compression::with_inflated;

/// The folder of everything in quarantine.
pub(super) const QUARANTINE: &str = "quarantine";

/// A reason is cut off here, in bytes: backends choose their words.
const MAX_REASON: usize = 1 << 10;

/// When and why something was set aside.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sidecar {
    version: u32,
    at: String,
    reason: String,
}

/// Puts a record that `destination` refuses for good into its quarantine, durably, and returns its size there in bytes.
pub(super) async fn set_aside(
    store: &dyn ObjectStore,
    destination: &str,
    meta: &RecordMeta,
    payload: &Bytes,
    reason: &str,
    at: Timestamp,
) -> Result<u64, StorageError> {
    let name = format!("{QUARANTINE}/{destination}/{}/{}/{}", meta.tenant, meta.signal, meta.id);
    put(store, &name, "seg", segment_of(meta, payload), reason, at).await
}

/// Puts bytes that no longer are what was written into the quarantine of `destination`.
pub(super) async fn set_damage_aside(
    store: &dyn ObjectStore,
    destination: &str,
    lane: &LaneId,
    name: &str,
    bytes: Bytes,
    reason: &str,
    at: Timestamp,
) -> Result<u64, StorageError> {
    let name = format!("{QUARANTINE}/{destination}/{lane}/{name}");
    put(store, &name, "bin", bytes.into(), reason, at).await
}

/// Sets a frame of the shared log aside that no destination can take, or not the lake. Done twice, it is there once.
pub(super) async fn set_frame_aside(
    store: &dyn ObjectStore,
    sequence: u64,
    position: usize,
    stored: &Stored,
) -> Result<(), StorageError> {
    let name = format!("{QUARANTINE}/{sequence:020}-{position}");
    let (path, payload, why) = match stored {
        Stored::Damaged { bytes, damage } => {
            (Path::from(format!("{name}.bin")), PutPayload::from(bytes.clone()), damage.to_string())
        }
        // A segment of its own, so that it is still known whose it is and when it came.
        Stored::Record { meta, payload } => {
            let why = "the record's payload cannot be read".to_owned();
            (Path::from(format!("{name}.seg")), segment_of(meta, payload), why)
        }
    };
    tracing::error!(segment = sequence, frame = position, %path, why, "a damaged frame was set aside; the rest is delivered");
    store.put(&path, payload).await?;
    Ok(())
}

fn segment_of(meta: &RecordMeta, payload: &Bytes) -> PutPayload {
    let record = Record { meta: meta.clone(), payload: payload.clone(), reservation: None };
    PutPayload::from_iter(segment::encode(&[Frame::new(&record)]))
}

async fn put(
    store: &dyn ObjectStore,
    name: &str,
    extension: &str,
    payload: PutPayload,
    reason: &str,
    at: Timestamp,
) -> Result<u64, StorageError> {
    let reason = reason[..reason.floor_char_boundary(MAX_REASON)].to_owned();
    let sidecar = Sidecar { version: 1, at: at.to_string(), reason };
    let sidecar = serde_json::to_vec(&sidecar).map_err(|error| StorageError::Quarantine(error.to_string()))?;
    // What is there without its reason would be worse than a reason without its record.
    store.put(&Path::from(format!("{name}.json")), sidecar.into()).await?;
    let bytes = payload.content_length() as u64;
    store.put(&Path::from(format!("{name}.{extension}")), payload).await?;
    Ok(bytes)
}

/// How many bytes of each tenant lie in the quarantine of `destination`.
pub(super) async fn sizes(
    store: &dyn ObjectStore,
    destination: &str,
) -> Result<Vec<(Arc<Tenant>, u64)>, object_store::Error> {
    let mut sizes = std::collections::BTreeMap::<_, u64>::new();
    let mut listing = store.list(Some(&Path::from(format!("{QUARANTINE}/{destination}"))));
    while let Some(object) = listing.try_next().await? {
        if let Some((_, LaneId { tenant, .. })) = own::owner_of(QUARANTINE, &object.location)
            && is_data(&object.location)
        {
            *sizes.entry(tenant).or_default() += object.size;
        }
    }
    Ok(sizes.into_iter().collect())
}

fn is_data(path: &Path) -> bool {
    matches!(path.extension(), Some("seg" | "bin"))
}

/// Everything in quarantine, as a person looks at it. Another process may be using the log at the same time.
#[derive(Debug)]
pub struct Quarantine {
    store: Arc<dyn ObjectStore>,
}

/// Something in quarantine.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct SetAside {
    /// What it is called: its path in the quarantine.
    pub id: String,
    /// The destination that did not take it.
    pub destination: String,
    /// Its size in bytes, as it is kept.
    pub bytes: u64,
    /// When it was set aside, as RFC 3339; `None` where that was not noted.
    pub at: Option<String>,
    /// Why.
    pub reason: String,
    /// `project/grid/environment`; `None` where it is not known any more, as are the rest.
    pub tenant: Option<String>,
    /// The key it was sent with.
    pub key: Option<String>,
    /// Its signal.
    pub signal: Option<String>,
    /// When it arrived, as RFC 3339.
    pub arrival: Option<String>,
    /// Spans, data points, log records or samples.
    pub items: Option<u64>,
}

impl SetAside {
    /// Whether it can be put back into a queue: it is a sound record of a forward.
    #[must_use]
    pub fn can_be_sent(&self) -> bool {
        self.key.is_some() && self.destination != LAKE_NAME
    }
}

impl Quarantine {
    /// The quarantine of the log in `folder`.
    ///
    /// # Errors
    /// Where there is no such folder.
    pub fn open(folder: &std::path::Path) -> Result<Self, StorageError> {
        Ok(Self::of(Arc::new(LocalFileSystem::new_with_prefix(folder)?.with_fsync(true))))
    }

    /// The quarantine of the log in `store`.
    #[must_use]
    pub fn of(store: Arc<dyn ObjectStore>) -> Self {
        Self { store }
    }

    /// Everything in it, by id.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub async fn list(&self) -> Result<Vec<SetAside>, StorageError> {
        let mut paths = Vec::new();
        let mut listing = self.store.list(Some(&QUARANTINE.into()));
        while let Some(object) = listing.try_next().await? {
            if is_data(&object.location) {
                paths.push(object.location);
            }
        }
        paths.sort();
        let mut found = Vec::new();
        for path in paths {
            match self.describe(&path).await {
                Ok(aside) => found.push(aside),
                // Removed or taken back meanwhile.
                Err(StorageError::Store(object_store::Error::NotFound { .. })) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    /// The payload of `id`, inflated: protobuf of the signal's request, or whatever is left where it is damaged. `None` where there
    /// is no such thing.
    ///
    /// # Errors
    /// Where it cannot be read or inflated.
    pub async fn payload(&self, id: &str) -> Result<Option<Vec<u8>>, StorageError> {
        let Some(path) = self.find(id).await? else { return Ok(None) };
        match self.read(&path).await? {
            Stored::Damaged { bytes, .. } => Ok(Some(bytes.to_vec())),
            Stored::Record { meta, payload } => {
                let cap = usize::try_from(meta.decompressed_size).unwrap_or(usize::MAX);
                let unlimited = |_| Ok::<_, BudgetExceeded>(());
                Ok(Some(with_inflated(meta.encoding, &payload, cap, unlimited, <[u8]>::to_vec)?))
            }
        }
    }

    /// Removes `id` for good; `false` where there is no such thing.
    ///
    /// # Errors
    /// Where it cannot be removed.
    pub async fn remove(&self, id: &str) -> Result<bool, StorageError> {
        let Some(path) = self.find(id).await? else { return Ok(false) };
        self.store.delete(&path).await?;
        self.remove_sidecar(id).await?;
        Ok(true)
    }

    /// Puts `id` back into the queue of its destination, which finds it when the gate starts next; `false` where there is no such
    /// thing.
    ///
    /// # Errors
    /// Where it is not a sound record of a forward, or cannot be put back.
    pub async fn retry(&self, id: &str) -> Result<bool, StorageError> {
        let Some(path) = self.find(id).await? else { return Ok(false) };
        let Some((destination, lane)) = own::owner_of(QUARANTINE, &path).filter(|_| path.extension() == Some("seg"))
        else {
            return Err(StorageError::Quarantine("only a sound record of a forward can be sent again".to_owned()));
        };
        // Letters sort after the numbers of the queue's other segments: it is sent after them.
        let name = path.filename().unwrap_or_default();
        let back = Path::from(format!("{}/retry-{name}", own::folder(&destination, &lane)));
        self.store.rename(&path, &back).await?;
        self.remove_sidecar(id).await?;
        Ok(true)
    }

    async fn find(&self, id: &str) -> Result<Option<Path>, StorageError> {
        // An id is a path below the quarantine, and nothing that leads out of it.
        let Ok(path) = Path::parse(format!("{QUARANTINE}/{id}")) else { return Ok(None) };
        for extension in ["seg", "bin"] {
            let path = Path::from(format!("{path}.{extension}"));
            match self.store.head(&path).await {
                Ok(_) => return Ok(Some(path)),
                Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(None)
    }

    async fn remove_sidecar(&self, id: &str) -> Result<(), StorageError> {
        match self.store.delete(&Path::from(format!("{QUARANTINE}/{id}.json"))).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    async fn read(&self, path: &Path) -> Result<Stored, StorageError> {
        let bytes = self.store.get(path).await?.bytes().await?;
        let whole = Stored::Damaged { bytes: bytes.clone(), damage: segment::Damage::Magic };
        if path.extension() == Some("bin") {
            return Ok(whole);
        }
        Ok(segment::decode(&bytes).into_iter().next().unwrap_or(whole))
    }

    async fn describe(&self, path: &Path) -> Result<SetAside, StorageError> {
        let below = path.as_ref().strip_prefix("quarantine/").unwrap_or_default();
        let id = below.rsplit_once('.').map_or(below, |(id, _)| id).to_owned();
        let owner = own::owner_of(QUARANTINE, path);
        let bytes = self.store.head(path).await?.size;
        let sidecar = match self.store.get(&Path::from(format!("{QUARANTINE}/{id}.json"))).await {
            Ok(found) => serde_json::from_slice::<Sidecar>(&found.bytes().await?).ok(),
            Err(object_store::Error::NotFound { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        let stored = self.read(path).await?;
        let without_word = match &stored {
            Stored::Record { .. } => "its payload cannot be read",
            Stored::Damaged { .. } => "it is damaged",
        };
        let (at, reason) = match sidecar {
            Some(Sidecar { at, reason, .. }) => (Some(at), reason),
            None => (None, without_word.to_owned()),
        };
        let (destination, tenant) = match owner {
            Some((destination, lane)) => (destination, Some(lane.tenant.to_string())),
            None => (LAKE_NAME.to_owned(), None),
        };
        let aside = SetAside {
            id,
            destination,
            bytes,
            at,
            reason,
            tenant,
            key: None,
            signal: None,
            arrival: None,
            items: None,
        };
        Ok(match stored {
            Stored::Damaged { .. } => aside,
            Stored::Record { meta, .. } => SetAside {
                tenant: Some(meta.tenant.to_string()),
                key: Some(meta.key.to_string()),
                signal: Some(meta.signal.to_string()),
                arrival: Some(meta.arrival.to_string()),
                items: Some(meta.items),
                ..aside
            },
        })
    }
}
