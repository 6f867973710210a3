//! The live feed: each watcher has a queue of its own, in which nothing stands but what it asks for. A loud tenant fills the queues of
//! those alone who watch it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use tokio::sync::{Notify, watch};

use crate::domain::KeyId;
use crate::domain::request::{Ended, RequestFilter};
use crate::domain::session::SessionId;

/// Exports that a watcher can be behind; who is slower loses the oldest.
const QUEUE: usize = 256;

/// The most watchers at the same time.
pub const MAX_WATCHERS: usize = 64;

/// The most of them with the same admin key.
pub const MAX_WATCHERS_OF_KEY: usize = 16;

/// Who watches.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Watcher {
    /// The admin key.
    pub key: KeyId,
    /// The key's session of the console, if it is one: a session has one place, which its latest watch takes over.
    pub session: Option<SessionId>,
}

/// Why nobody else may watch.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NoPlace {
    /// There are [`MAX_WATCHERS`].
    #[error("{MAX_WATCHERS} watch already, and no more may at the same time")]
    Taken,
    /// There are [`MAX_WATCHERS_OF_KEY`] with this key.
    #[error("{MAX_WATCHERS_OF_KEY} watch with this key already, and no more may at the same time")]
    TakenByKey,
}

/// What a watcher is shown next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Shown {
    /// An export has ended.
    Export(Arc<Ended>),
    /// So many exports were missed, because the watcher was too slow.
    Missed(u64),
    /// A key or a session was changed.
    AccessChanged,
}

/// Everybody who watches.
#[derive(Debug)]
pub(super) struct Feed {
    /// How many there are, so that an export that nobody watches costs nothing.
    watching: AtomicUsize,
    queues: RwLock<Vec<Arc<Queue>>>,
    changes: watch::Sender<()>,
}

/// What waits for one watcher.
#[derive(Debug)]
struct Queue {
    watcher: Watcher,
    filter: RequestFilter,
    waiting: Mutex<Waiting>,
    more: Notify,
}

#[derive(Default, Debug)]
struct Waiting {
    exports: VecDeque<Arc<Ended>>,
    missed: u64,
    /// The session watches elsewhere.
    is_over: bool,
}

impl Feed {
    /// Nobody watches yet.
    pub(super) fn new() -> Self {
        Self { watching: AtomicUsize::new(0), queues: RwLock::default(), changes: watch::Sender::new(()) }
    }

    /// How many watch.
    pub(super) fn watching(&self) -> usize {
        self.watching.load(Ordering::Relaxed)
    }

    /// Shows `ended` to those who ask for it.
    pub(super) fn show(&self, ended: &Arc<Ended>) {
        let queues = self.queues.read().unwrap_or_else(PoisonError::into_inner);
        for queue in queues.iter().filter(|queue| queue.filter.matches(ended)) {
            queue.push(Arc::clone(ended));
        }
    }

    /// Tells everybody that a key or a session was changed.
    pub(super) fn access_changed(&self) {
        self.changes.send_replace(());
    }

    /// Shows `watcher` what `filter` lets through from now on.
    pub(super) fn watch(self: &Arc<Self>, watcher: Watcher, filter: RequestFilter) -> Result<Watch, NoPlace> {
        let mut queues = self.queues.write().unwrap_or_else(PoisonError::into_inner);
        if watcher.session.is_some()
            && let Some(at) = queues.iter().position(|queue| queue.watcher == watcher)
        {
            queues.swap_remove(at).end();
        }
        let of_key = queues.iter().filter(|queue| queue.watcher.key == watcher.key).count();
        let place = match (queues.len(), of_key) {
            (MAX_WATCHERS.., _) => Err(NoPlace::Taken),
            (_, MAX_WATCHERS_OF_KEY..) => Err(NoPlace::TakenByKey),
            _ => Ok(()),
        };
        let queue = Arc::new(Queue { watcher, filter, waiting: Mutex::default(), more: Notify::new() });
        if place.is_ok() {
            queues.push(Arc::clone(&queue));
        }
        self.watching.store(queues.len(), Ordering::Relaxed);
        place.map(|()| Watch { feed: Arc::clone(self), queue, changes: self.changes.subscribe() })
    }

    fn leave(&self, queue: &Arc<Queue>) {
        let mut queues = self.queues.write().unwrap_or_else(PoisonError::into_inner);
        queues.retain(|one| !Arc::ptr_eq(one, queue));
        self.watching.store(queues.len(), Ordering::Relaxed);
    }
}

impl Queue {
    fn push(&self, ended: Arc<Ended>) {
        let mut waiting = self.waiting();
        if waiting.exports.len() >= QUEUE {
            waiting.exports.pop_front();
            waiting.missed = waiting.missed.saturating_add(1);
        }
        waiting.exports.push_back(ended);
        drop(waiting);
        self.more.notify_one();
    }

    fn end(&self) {
        self.waiting().is_over = true;
        self.more.notify_one();
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn next(&mut self) -> Option<Shown> {
        match std::mem::take(&mut self.missed) {
            0 => self.exports.pop_front().map(Shown::Export),
            missed => Some(Shown::Missed(missed)),
        }
    }
}

/// A view of exports that end. It takes a place among the watchers until it is dropped.
#[derive(Debug)]
pub struct Watch {
    feed: Arc<Feed>,
    queue: Arc<Queue>,
    changes: watch::Receiver<()>,
}

impl Watch {
    /// Waits for the next; `None` where the session watches elsewhere by now.
    pub async fn next(&mut self) -> Option<Shown> {
        loop {
            // However much is shown meanwhile. The feed outlives its watches, so there is always an answer.
            if self.changes.has_changed().unwrap_or_default() {
                self.changes.mark_unchanged();
                return Some(Shown::AccessChanged);
            }
            {
                let mut waiting = self.queue.waiting();
                if waiting.is_over {
                    return None;
                }
                if let Some(shown) = waiting.next() {
                    return Some(shown);
                }
            }
            tokio::select! {
                // What has changed is seen at the next turn.
                _ = self.changes.changed() => self.changes.mark_changed(),
                () = self.queue.more.notified() => {}
            }
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.feed.leave(&self.queue);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::request::Ending;
    use crate::domain::{Origin, Slug, Tenant, Timestamp, Transport};
    use std::time::Duration;

    fn slug(text: &str) -> Slug {
        text.parse().expect("a slug")
    }

    fn ended(project: &str, at: i64) -> Arc<Ended> {
        let tenant = Tenant { project: slug(project), grid: slug("web"), environment: slug("production") };
        Arc::new(Ended {
            at: Timestamp::from_micros(at),
            took: Duration::ZERO,
            transport: Transport::Grpc,
            signal: None,
            address: [10, 0, 0, 7].into(),
            agent: None,
            key: None,
            secret_version: None,
            tenant: Some(Arc::new(tenant)),
            items: None,
            wire_bytes: None,
            bytes: None,
            origin: Origin::default(),
            ending: Ending::Accepted,
        })
    }

    fn watcher(number: usize, session: Option<&str>) -> Watcher {
        let key = KeyId::from_bare(&format!("7Hq2mZxK{number:04}")).expect("an id");
        Watcher { key, session: session.map(|session| session.parse().expect("an id")) }
    }

    fn of(project: &str) -> RequestFilter {
        RequestFilter { project: Some(slug(project)), ..RequestFilter::default() }
    }

    async fn instant(watch: &mut Watch) -> i64 {
        match watch.next().await {
            Some(Shown::Export(ended)) => ended.at.micros(),
            other => panic!("no export: {other:?}"),
        }
    }

    #[tokio::test]
    async fn a_loud_tenant_takes_nothing_from_who_watches_another() {
        let feed = Arc::new(Feed::new());
        let mut quiet = feed.watch(watcher(1, None), of("bank")).expect("a place");
        let mut loud = feed.watch(watcher(2, None), of("shop")).expect("a place");
        feed.show(&ended("bank", 1));
        for number in 0..10 * QUEUE {
            feed.show(&ended("shop", number.cast_signed() as i64));
        }
        feed.show(&ended("bank", 2));
        assert_eq!((instant(&mut quiet).await, instant(&mut quiet).await), (1, 2));
        assert_eq!(loud.next().await, Some(Shown::Missed(9 * QUEUE as u64)));
    }

    #[tokio::test]
    async fn a_slow_watcher_loses_the_oldest_and_is_told_how_many() {
        let feed = Arc::new(Feed::new());
        let mut watch = feed.watch(watcher(1, None), RequestFilter::default()).expect("a place");
        for number in 0..i64::try_from(QUEUE).expect("it is small") + 5 {
            feed.show(&ended("shop", number));
        }
        assert_eq!(watch.next().await, Some(Shown::Missed(5)));
        for number in 5..i64::try_from(QUEUE).expect("it is small") + 5 {
            assert_eq!(instant(&mut watch).await, number);
        }
    }

    #[tokio::test]
    async fn a_change_of_access_is_told_before_what_waits() {
        let feed = Arc::new(Feed::new());
        let mut watch = feed.watch(watcher(1, None), RequestFilter::default()).expect("a place");
        feed.show(&ended("shop", 1));
        feed.access_changed();
        assert_eq!(watch.next().await, Some(Shown::AccessChanged));
        assert_eq!(instant(&mut watch).await, 1);
        // Also to who waits already.
        let (told, ()) = tokio::join!(watch.next(), async {
            tokio::task::yield_now().await;
            feed.access_changed();
        });
        assert_eq!(told, Some(Shown::AccessChanged));
    }

    #[test]
    fn places_are_bounded_for_each_key_and_for_all_and_come_back() {
        let feed = Arc::new(Feed::new());
        let watch = |number| feed.watch(watcher(number, None), RequestFilter::default());
        let mut places: Vec<_> = (0..MAX_WATCHERS_OF_KEY).map(|_| watch(0).expect("a place")).collect();
        assert_eq!(watch(0).err(), Some(NoPlace::TakenByKey));
        places.extend((MAX_WATCHERS_OF_KEY..MAX_WATCHERS).map(|number| watch(number).expect("a place")));
        assert_eq!(watch(1).err(), Some(NoPlace::Taken));
        assert_eq!(feed.watching(), MAX_WATCHERS);
        places.pop();
        assert!(watch(1).is_ok());
        places.clear();
        assert_eq!(feed.watching(), 0);
    }

    /// A page that is loaded again and again takes no more than its place.
    #[tokio::test]
    async fn a_session_has_one_place() {
        let feed = Arc::new(Feed::new());
        let watch = |session| feed.watch(watcher(0, Some(session)), RequestFilter::default());
        let mut other = watch("ses_AAAAAAAAAAAA").expect("a place");
        let mut first = watch("ses_7Hq2mZxK9wPa").expect("a place");
        let mut latest = watch("ses_7Hq2mZxK9wPa").expect("a place");
        assert_eq!(first.next().await, None);
        for _ in 0..2 * MAX_WATCHERS {
            latest = watch("ses_7Hq2mZxK9wPa").expect("a place");
        }
        drop(first);
        assert_eq!(feed.watching(), 2);
        feed.show(&ended("shop", 3));
        assert_eq!((instant(&mut latest).await, instant(&mut other).await), (3, 3));
    }
}
