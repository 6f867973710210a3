//! Routes over time. A record goes where the routes led when it was accepted, even if the configuration has changed since: what is in
//! the log when the routes change follows the earlier ones as well as the new ones.

use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};
use serde::{Deserialize, Serialize};

use super::StorageError;
use super::record::RecordMeta;
use super::route::{DestinationId, LAKE_NAME, Route, Routes};

/// Which destination gets which record of the log.
#[derive(Clone, Default, Debug)]
pub(super) struct Routing {
    /// The lake, the configured forwards, and then those that only earlier routes lead to.
    names: Vec<String>,
    configured: usize,
    now: Routes,
    /// Routes of the past, and the last segment with records that were accepted under them.
    earlier: Vec<(u64, Routes)>,
}

/// What is kept of it from one start to the next.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    version: u32,
    routes: Vec<Route>,
    earlier: Vec<Earlier>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Earlier {
    upto: u64,
    routes: Vec<Route>,
}

const VERSION: u32 = 1;

impl Routing {
    /// The routing for a start with `routes` to the forwards `names`, on a log with the segments from `first` to `last`. Durable
    /// when it returns, so that nothing is accepted under routes that a later start would not know of.
    pub(super) async fn open(
        store: &dyn ObjectStore,
        names: &[String],
        routes: &[Route],
        first: u64,
        last: u64,
    ) -> Result<Self, StorageError> {
        let before = load(store).await?;
        let mut kept = before.clone();
        if kept.routes != routes {
            let past = std::mem::replace(&mut kept.routes, routes.to_vec());
            kept.earlier.push(Earlier { upto: last, routes: past });
        }
        kept.earlier.retain(|earlier| earlier.upto >= first);
        if kept != before {
            kept.version = VERSION;
            let bytes = serde_json::to_vec(&kept).map_err(|error| StorageError::Checkpoint(error.to_string()))?;
            store.put(&path(), PutPayload::from(bytes)).await?;
        }
        let configured = names.len() + 1;
        let mut names: Vec<_> = [LAKE_NAME.to_owned()].into_iter().chain(names.iter().cloned()).collect();
        let now = Routes::new(&names, routes)?;
        for name in kept.earlier.iter().flat_map(|earlier| &earlier.routes).flat_map(|route| &route.to) {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        let past = |earlier: &Earlier| Ok((earlier.upto, Routes::new(&names, &earlier.routes)?));
        let earlier = kept.earlier.iter().map(past).collect::<Result<_, StorageError>>()?;
        Ok(Self { names, configured, now, earlier })
    }

    /// The routes of what is accepted from now on.
    pub(super) const fn now(&self) -> &Routes {
        &self.now
    }

    /// Whether the record of this segment goes to `destination`.
    pub(super) fn leads(&self, sequence: u64, meta: &RecordMeta, destination: DestinationId) -> bool {
        let past = self.earlier.iter().filter(|(upto, _)| *upto >= sequence).map(|(_, routes)| routes);
        past.chain([&self.now]).any(|routes| routes.of(&meta.tenant, meta.signal).contains(&destination))
    }

    /// The destinations that are not configured any more and may have records in the log, and up to which segment.
    pub(super) fn gone(&self) -> impl Iterator<Item = (DestinationId, &str, u64)> {
        let last = |id| self.earlier.iter().filter(move |(_, routes)| routes.reaches(id)).map(|(upto, _)| *upto).max();
        let named = self.names.iter().enumerate().skip(self.configured);
        named.filter_map(move |(place, name)| {
            let id = DestinationId(place);
            Some((id, name.as_str(), last(id)?))
        })
    }
}

async fn load(store: &dyn ObjectStore) -> Result<Kept, StorageError> {
    match store.get(&path()).await {
        Ok(found) => {
            let kept: Kept = serde_json::from_slice(&found.bytes().await?)
                .map_err(|error| StorageError::Checkpoint(format!("routes: {error}")))?;
            match kept.version {
                VERSION => Ok(kept),
                other => Err(StorageError::Checkpoint(format!("the version of its routes is {other}"))),
            }
        }
        // Until routes were configured for the first time, everything went to the lake.
        Err(object_store::Error::NotFound { .. }) => Ok(Kept::default()),
        Err(error) => Err(error.into()),
    }
}

fn path() -> Path {
    Path::from("routes.json")
}
