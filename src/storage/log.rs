//! The log: group commit of records into segments, and the acknowledgement that they are durable.
//!
//! A batch is whatever arrived while the puts before it were under way; there is no timer unless `linger` sets one. On a
//! local disk one put at a time and no linger are fastest, on an object store several puts and about 250 ms are.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutPayload};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::backlog::Backlog;
use super::forward::Admission;
use super::record::Record;
use super::segment::{self, Frame};
use crate::domain::{Reservation, Signal, Tenant};

/// When an export is acknowledged.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// Once its segment is durable.
    Durable,
    /// Once it is in memory: what is lost when the process is killed, or when the next segment cannot be written, was
    /// acknowledged all the same.
    Memory,
}

/// How the log commits.
#[derive(Clone, Copy, Debug)]
pub struct LogSettings {
    /// When an export is acknowledged.
    pub durability: Durability,
    /// Puts under way at the same time, at least 1.
    pub in_flight: usize,
    /// How long a batch stays open for more after its first record.
    pub linger: Duration,
    /// A batch closes at this size, in bytes.
    pub segment_bytes: usize,
}

/// Why a record is not acknowledged. The client may send it again in each case.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AppendError {
    /// The segment could not be made durable.
    #[error("the segment could not be made durable")]
    Put,
    /// Too much waits for delivery.
    #[error("too much waits for delivery")]
    BacklogFull,
    /// The log is closed.
    #[error("the log is closed")]
    Closed,
}

/// Records that may wait for the next batch: more than the clients who wait for their acknowledgement at any time, and few enough
/// that in memory no long queue builds up in front of a slow disk.
const QUEUE: usize = 1 << 10;

/// Where exports hand in their records.
#[derive(Clone, Debug)]
pub struct Log {
    store: Arc<dyn ObjectStore>,
    queue: mpsc::Sender<Pending>,
    backlog: Backlog,
    /// The backlogs of the forwards, where there are any.
    admission: Option<Arc<Admission>>,
    durability: Durability,
    writable: Arc<AtomicBool>,
}

#[derive(Debug)]
struct Pending {
    frame: Frame,
    done: oneshot::Sender<Result<(), AppendError>>,
    /// Held until the record is durable or given up.
    reservation: Option<Reservation>,
}

impl Log {
    /// A log that writes to `store`, starting with the segment `next`, and the task that does the writing.
    #[must_use]
    pub fn new(
        store: Arc<dyn ObjectStore>,
        backlog: Backlog,
        admission: Option<Arc<Admission>>,
        settings: LogSettings,
        next: u64,
    ) -> (Self, Committer) {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let writable = Arc::new(AtomicBool::new(true));
        let log = Self {
            store: Arc::clone(&store),
            queue: sender,
            backlog: backlog.clone(),
            admission,
            durability: settings.durability,
            writable: Arc::clone(&writable),
        };
        (log, Committer { store, backlog, settings, next, queue: receiver, writable })
    }

    /// Adds `record` to the open batch and waits until it is durable (with [`Durability::Memory`]: until it is in the queue,
    /// unless the last segment could not be written).
    ///
    /// # Errors
    /// [`AppendError`]; the record is then not acknowledged and may be sent again.
    pub async fn append(&self, record: Record) -> Result<(), AppendError> {
        self.reserve().await?.hand_in(record)?.durable().await
    }

    /// Waits for a place in the queue. Who has one hands a record in without waiting any more.
    ///
    /// # Errors
    /// [`AppendError::Closed`].
    pub async fn reserve(&self) -> Result<Place<'_>, AppendError> {
        let permit = self.queue.reserve().await.map_err(|_| AppendError::Closed)?;
        Ok(Place { log: self, permit })
    }

    /// Whether too much waits for delivery for anything to be added.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.backlog.is_full()
    }

    /// Whether too much waits for any more of `tenant` and `signal`: in all, or for a destination that it goes to.
    #[must_use]
    pub fn is_full_for(&self, tenant: &Tenant, signal: Signal) -> bool {
        self.is_full() || self.admission.as_ref().is_some_and(|admission| admission.is_full_for(tenant, signal))
    }

    /// Whether an export could be made durable now. After a failed put a small one is tried: a load balancer sends no exports to
    /// a node that is not ready, so none of them would find out that the store has recovered.
    pub async fn is_writable(&self) -> bool {
        if self.writable.load(Ordering::Relaxed) {
            return true;
        }
        let path = Path::from(format!("{SEGMENTS}/{PROBE}"));
        let probed = self.store.put(&path, PutPayload::from_static(b"probe")).await.is_ok();
        if probed {
            let _ = self.store.delete(&path).await;
            self.writable.store(true, Ordering::Relaxed);
        }
        probed
    }
}

/// A place in the queue of a log.
#[derive(Debug)]
pub struct Place<'l> {
    log: &'l Log,
    permit: mpsc::Permit<'l, Pending>,
}

impl Place<'_> {
    /// Adds `record` to the open batch. From here on it is stored, or not, whether somebody waits for it or not.
    ///
    /// # Errors
    /// [`AppendError`]; nothing was added.
    pub fn hand_in(self, record: Record) -> Result<HandedIn, AppendError> {
        if self.log.is_full_for(&record.meta.tenant, record.meta.signal) {
            return Err(AppendError::BacklogFull);
        }
        let (done, durable) = oneshot::channel();
        self.permit.send(Pending { frame: Frame::new(&record), done, reservation: record.reservation });
        // While the store fails, a record in memory is as good as lost, and is not acknowledged.
        if self.log.durability == Durability::Memory && self.log.writable.load(Ordering::Relaxed) {
            return Ok(HandedIn(None));
        }
        Ok(HandedIn(Some(durable)))
    }
}

/// A record in the log's hands. With [`Durability::Memory`] there is nothing to wait for.
#[derive(Debug)]
pub struct HandedIn(Option<oneshot::Receiver<Result<(), AppendError>>>);

impl HandedIn {
    /// Waits until the record is durable. Cancelled, it can be waited for again.
    ///
    /// # Errors
    /// [`AppendError`]; the record is then not acknowledged and may be sent again.
    pub async fn durable(&mut self) -> Result<(), AppendError> {
        match &mut self.0 {
            Some(durable) => durable.await.map_err(|_| AppendError::Closed)?,
            None => Ok(()),
        }
    }
}

/// The task that writes segments.
#[derive(Debug)]
pub struct Committer {
    store: Arc<dyn ObjectStore>,
    backlog: Backlog,
    settings: LogSettings,
    next: u64,
    queue: mpsc::Receiver<Pending>,
    writable: Arc<AtomicBool>,
}

impl Committer {
    /// Writes until `closed` is cancelled and everything handed in before is durable.
    pub async fn run(mut self, closed: CancellationToken) {
        let slots = Arc::new(Semaphore::new(self.settings.in_flight.max(1)));
        let mut puts = JoinSet::new();
        loop {
            // The slot comes first: a batch is what arrives while the puts before it are under way.
            let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { break };
            let Some(batch) = self.next_batch(&closed).await else { break };
            while let Some(put) = puts.try_join_next() {
                if put.is_err() {
                    // A put that ended without a word would hold back the delivery of everything after it. Without its log the
                    // process stops, and the next start puts things in order.
                    return;
                }
            }
            puts.spawn(self.publish(batch, slot));
        }
        while puts.join_next().await.is_some() {}
    }

    /// The next batch; `None` when the log is closed and empty.
    async fn next_batch(&mut self, closed: &CancellationToken) -> Option<Vec<Pending>> {
        let first = tokio::select! {
            biased;
            first = self.queue.recv() => first,
            () = closed.cancelled() => {
                self.queue.close();
                self.queue.recv().await
            }
        }?;
        let mut bytes = first.frame.size();
        let mut batch = vec![first];
        let linger = self.settings.linger;
        let deadline = (!linger.is_zero()).then(|| tokio::time::Instant::now() + linger);
        while bytes < self.settings.segment_bytes {
            let more = match (self.queue.try_recv(), deadline) {
                (Ok(more), _) => more,
                (Err(_), Some(deadline)) => match tokio::time::timeout_at(deadline, self.queue.recv()).await {
                    Ok(Some(more)) => more,
                    Ok(None) | Err(_) => break,
                },
                (Err(_), None) => break,
            };
            bytes += more.frame.size();
            batch.push(more);
        }
        Some(batch)
    }

    /// Publishes one segment and tells every waiting export.
    fn publish(&mut self, batch: Vec<Pending>, slot: OwnedSemaphorePermit) -> impl Future<Output = ()> + use<> {
        let sequence = self.next;
        self.next += 1;
        self.backlog.begin(sequence);
        let durability = self.settings.durability;
        let (store, backlog, writable) = (Arc::clone(&self.store), self.backlog.clone(), Arc::clone(&self.writable));
        async move {
            let (frames, waiting): (Vec<_>, Vec<_>) =
                batch.into_iter().map(|pending| (pending.frame, (pending.done, pending.reservation))).unzip();
            let payload = PutPayload::from_iter(segment::encode(&frames));
            let bytes = payload.content_length() as u64;
            let path = segment_path(sequence);
            let result = store.put_opts(&path, payload, PutMode::Create.into()).await;
            writable.store(result.is_ok(), Ordering::Relaxed);
            let answer = match result {
                Ok(_) => {
                    backlog.end(sequence, Some(bytes));
                    Ok(())
                }
                Err(error) => {
                    let lost = if durability == Durability::Memory { frames.len() } else { 0 };
                    let records = frames.len();
                    tracing::error!(segment = sequence, records, lost, %error, "a segment could not be written");
                    // Its exports are refused and will be sent again. Should the segment exist after all, it must not be
                    // delivered beside them; where this fails too, they are there twice, which OTLP allows. One that was there
                    // before is somebody else's, and was acknowledged.
                    if !matches!(error, object_store::Error::AlreadyExists { .. }) {
                        let _ = store.delete(&path).await;
                    }
                    backlog.end(sequence, None);
                    Err(AppendError::Put)
                }
            };
            drop(slot);
            for (done, _reservation) in waiting {
                // A client that left does not wait for its answer.
                let _ = done.send(answer);
            }
        }
    }
}

/// The folder of the segments.
pub(super) const SEGMENTS: &str = "segments";

/// The name of what is put to find out whether the store has recovered. It is none of a segment.
const PROBE: &str = "probe";

/// Where the segment `sequence` is: names sort like their numbers.
pub(super) fn segment_path(sequence: u64) -> Path {
    Path::from(format!("{SEGMENTS}/{sequence:020}.seg"))
}

/// Removes a segment that every destination has passed. Where that fails the next start does it.
pub(super) async fn remove(store: &dyn ObjectStore, sequence: u64) {
    match store.delete(&segment_path(sequence)).await {
        Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
        Err(error) => tracing::warn!(segment = sequence, %error, "a delivered segment could not be removed"),
    }
}

/// The sequence number of a segment's path; `None` for any other object.
pub(super) fn sequence_of(path: &Path) -> Option<u64> {
    path.filename()?.strip_suffix(".seg").filter(|name| name.len() == 20)?.parse().ok()
}
