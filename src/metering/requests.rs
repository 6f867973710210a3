//! The request log in memory: single exports until somebody writes them down, and shown to who watches.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::feed::{Feed, NoPlace, Watch, Watcher};
use super::{Decided, Outcome};
use crate::domain::request::{Ended, Ending, RequestFilter};
use crate::domain::token::without_tokens;
use crate::domain::uses::UserAgent;
use crate::domain::{Slug, Timestamp};

/// How much is remembered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RequestSettings {
    /// Of a million accepted exports so many are remembered. All others always are.
    pub sample: u32,
    /// Exports that wait to be written down, at the most.
    pub entries: usize,
}

impl Default for RequestSettings {
    fn default() -> Self {
        Self { sample: 10_000, entries: 5_000 }
    }
}

/// Exports that are remembered, and who watches them.
#[derive(Debug)]
pub struct Requests {
    settings: RequestSettings,
    /// Accepted exports so far: which of them are remembered follows from their number.
    accepted: AtomicU64,
    held: Mutex<Held>,
    not_logged: AtomicU64,
    feed: Arc<Feed>,
}

/// What was remembered and not taken yet.
#[derive(Default, Debug)]
struct Held {
    exports: VecDeque<Arc<Ended>>,
    /// How many of them each project has; `None`: nobody proved whose they are.
    of: HashMap<Option<Slug>, usize>,
    not_logged: NotLogged,
}

/// How many exports could not be remembered for want of room: by the minute that they arrived in, and by project.
pub type NotLogged = HashMap<(Timestamp, Option<Slug>), u64>;

/// What [`Requests::take`] gives.
#[derive(Default, Debug)]
pub struct Taken {
    /// The exports, in the order in which they ended.
    pub exports: Vec<Arc<Ended>>,
    /// How many could not be remembered.
    pub not_logged: NotLogged,
}

/// Minutes and projects for which lost exports are counted apart; beyond it they count for no project.
const MOST_COUNTS: usize = 1_000;

const MINUTE: i64 = 60_000_000;

impl Default for Requests {
    fn default() -> Self {
        Self::new(RequestSettings::default())
    }
}

impl Requests {
    /// Nothing is remembered yet.
    #[must_use]
    pub fn new(settings: RequestSettings) -> Self {
        Self {
            settings,
            accepted: AtomicU64::new(0),
            held: Mutex::default(),
            not_logged: AtomicU64::new(0),
            feed: Arc::new(Feed::new()),
        }
    }

    /// Remembers an export, unless it was accepted and is not in the sample, and shows it to who watches.
    pub(super) fn decided(&self, decided: &Decided<'_>) {
        let wanted = match decided.outcome {
            Outcome::Accepted => self.is_sampled(),
            Outcome::Refused(_) | Outcome::Gone => true,
        };
        // A flood does not even make the rows that there is no room for.
        let logged = wanted && self.has_room(decided);
        let watched = self.watchers() > 0;
        if !logged && !watched {
            return;
        }
        let ended = Arc::new(ended(decided));
        if watched {
            self.feed.show(&ended);
        }
        if logged && !self.held().push(ended, self.settings.entries) {
            self.not_logged.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Whether there is room for the export, which is counted where there is none.
    fn has_room(&self, decided: &Decided<'_>) -> bool {
        let project = decided.identified.map(|identified| identified.tenant.project.clone());
        let has_room = self.held().has_room(project, decided.at, self.settings.entries);
        if !has_room {
            self.not_logged.fetch_add(1, Ordering::Relaxed);
        }
        has_room
    }

    /// Takes out what was remembered. It is in no further answer.
    #[must_use]
    pub fn take(&self) -> Taken {
        let Held { exports, not_logged, .. } = std::mem::take(&mut *self.held());
        Taken { exports: exports.into(), not_logged }
    }

    /// How many exports wait to be written down.
    #[must_use]
    pub fn len(&self) -> usize {
        self.held().exports.len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many exports there was no room for, since the start.
    #[must_use]
    pub fn not_logged(&self) -> u64 {
        self.not_logged.load(Ordering::Relaxed)
    }

    /// Shows `watcher` every export that `filter` lets through, from now on, the accepted ones that are not in the sample included.
    ///
    /// # Errors
    /// Where too many watch already.
    pub fn watch(&self, watcher: Watcher, filter: RequestFilter) -> Result<Watch, NoPlace> {
        self.feed.watch(watcher, filter)
    }

    /// How many watch.
    #[must_use]
    pub fn watchers(&self) -> usize {
        self.feed.watching()
    }

    /// A key or a session was changed: who watches has to find out whether they still may.
    pub fn access_changed(&self) {
        self.feed.access_changed();
    }

    /// Whether the next accepted export is remembered. Numbers are spread evenly, so that no rhythm of a client can hide in it.
    fn is_sampled(&self) -> bool {
        let number = self.accepted.fetch_add(1, Ordering::Relaxed);
        spread(number) % 1_000_000 < u64::from(self.settings.sample)
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// `false` where there is no room, which is counted. Half of it is the most that one project has, or that those have who
    /// proved nothing: a flood of one hides nothing of the others.
    fn push(&mut self, ended: Arc<Ended>, entries: usize) -> bool {
        let project = ended.tenant.as_ref().map(|tenant| tenant.project.clone());
        if !self.has_room(project.clone(), ended.at, entries) {
            return false;
        }
        *self.of.entry(project).or_default() += 1;
        self.exports.push_back(ended);
        true
    }

    fn has_room(&mut self, project: Option<Slug>, at: Timestamp, entries: usize) -> bool {
        let own = self.of.get(&project).copied().unwrap_or_default();
        let has_room = self.exports.len() < entries && own < entries.div_ceil(2);
        if !has_room {
            let minute = at.micros().div_euclid(MINUTE) * MINUTE;
            self.lose(Timestamp::from_micros(minute), project);
        }
        has_room
    }

    fn lose(&mut self, minute: Timestamp, project: Option<Slug>) {
        let known = self.not_logged.len() < MOST_COUNTS || self.not_logged.contains_key(&(minute, project.clone()));
        let project = if known { project } else { None };
        *self.not_logged.entry((minute, project)).or_default() += 1;
    }
}

fn ended(decided: &Decided<'_>) -> Ended {
    Ended {
        at: decided.at,
        took: decided.took,
        transport: decided.transport,
        signal: decided.signal,
        address: decided.address,
        agent: UserAgent::new(decided.agent).text(),
        key: decided.identified.map(|identified| identified.key).or(decided.claimed),
        secret_version: decided.identified.map(|identified| identified.secret_version),
        tenant: decided.identified.map(|identified| Arc::clone(&identified.tenant)),
        items: decided.measured.map(|measured| measured.items),
        wire_bytes: decided.measured.map(|measured| measured.wire_bytes),
        bytes: decided.measured.map(|measured| measured.bytes),
        origin: decided.origin.cloned().unwrap_or_default(),
        ending: match decided.outcome {
            Outcome::Accepted => Ending::Accepted,
            Outcome::Refused(refusal) => Ending::Refused {
                reason: refusal.reason,
                detail: refusal.detail.as_deref().map(|detail| without_tokens(detail).into_owned()),
            },
            Outcome::Gone => Ending::Gone,
        },
    }
}

/// `number` as one of all numbers of 64 bits, so that neighbours are far apart (the finisher of `SplitMix64`).
const fn spread(number: u64) -> u64 {
    let number = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Origin;
    use crate::domain::{KeyId, Reason, Refusal, Signal, Tenant, Transport};
    use crate::metering::Identified;
    use crate::metering::feed::Shown;
    use std::time::Duration;

    const REFUSED: Refusal = Refusal::new(Reason::KeyRevoked);

    fn identified(project: &str) -> Identified {
        let slug = |text: &str| text.parse().expect("a slug");
        let tenant = Tenant { project: slug(project), grid: slug("web"), environment: slug("production") };
        let key = KeyId::from_bare("7Hq2mZxK9wPa").expect("an id");
        Identified { key, secret_version: 1, rotating: false, tenant: Arc::new(tenant) }
    }

    fn decided<'a>(identified: Option<&'a Identified>, outcome: Outcome<'a>) -> Decided<'a> {
        Decided {
            at: Timestamp::from_micros(90_000_000),
            took: Duration::from_millis(1),
            transport: Transport::Grpc,
            signal: Some(Signal::Traces),
            address: [10, 0, 0, 7].into(),
            agent: b"sdk\x00/1 ggi_prd_SECRET",
            claimed: None,
            identified,
            measured: None,
            origin: None,
            would_refuse: false,
            outcome,
        }
    }

    fn requests(sample: u32, entries: usize) -> Requests {
        Requests::new(RequestSettings { sample, entries })
    }

    #[test]
    fn every_refusal_and_a_sample_of_the_accepted_are_remembered() {
        let log = requests(10_000, 100_000);
        let shop = identified("shop");
        for _ in 0..100_000 {
            log.decided(&decided(Some(&shop), Outcome::Accepted));
        }
        let sampled = log.len();
        assert!((900..1_100).contains(&sampled), "{sampled}");
        let again = requests(10_000, 100_000);
        for _ in 0..100_000 {
            again.decided(&decided(Some(&shop), Outcome::Accepted));
        }
        assert_eq!(again.len(), sampled, "the same exports each time");
        for outcome in [Outcome::Refused(&REFUSED), Outcome::Gone] {
            log.decided(&decided(Some(&shop), outcome));
        }
        assert_eq!(log.len(), sampled + 2);
        for (sample, expected) in [(0, 0), (1_000_000, 1_000)] {
            let log = requests(sample, 10_000);
            for _ in 0..1_000 {
                log.decided(&decided(Some(&shop), Outcome::Accepted));
            }
            assert_eq!(log.len(), expected);
        }
    }

    #[test]
    fn a_flood_of_one_leaves_room_for_the_others_and_is_counted() {
        let log = requests(0, 10);
        let (shop, bank) = (identified("shop"), identified("bank"));
        for _ in 0..100 {
            log.decided(&decided(None, Outcome::Refused(&REFUSED)));
        }
        for _ in 0..3 {
            log.decided(&decided(Some(&shop), Outcome::Refused(&REFUSED)));
            log.decided(&decided(Some(&bank), Outcome::Refused(&REFUSED)));
        }
        assert_eq!((log.len(), log.not_logged()), (10, 96));
        let taken = log.take();
        let of = |project: Option<&str>| {
            let project_of = |one: &&Arc<Ended>| one.tenant.as_ref().map(|tenant| tenant.project.as_str()) == project;
            taken.exports.iter().filter(project_of).count()
        };
        assert_eq!((of(None), of(Some("shop")), of(Some("bank"))), (5, 3, 2));
        let minute = Timestamp::from_micros(60_000_000);
        let bank = "bank".parse().ok();
        assert_eq!(taken.not_logged, HashMap::from([((minute, None), 95), ((minute, bank), 1)]));
        assert!(log.is_empty());
        assert_eq!(log.not_logged(), 96);
    }

    #[test]
    fn what_senders_write_is_inert() {
        let log = requests(0, 10);
        let service = Some(Origin::text("a ggi_prd_SECRET"));
        let origin = Origin { service, ..Origin::default() };
        let refusal = Refusal::because(Reason::BodyUndecodable, "gga_SECRET");
        log.decided(&Decided { origin: Some(&origin), ..decided(None, Outcome::Refused(&refusal)) });
        let taken = log.take();
        assert_eq!(taken.exports[0].agent.as_deref(), Some("sdk\\x00/1 ggi_…"));
        assert!(!format!("{taken:?}").contains("SECRET"));
    }

    #[tokio::test]
    async fn what_is_not_in_the_sample_is_shown_and_not_remembered() {
        let log = requests(0, 10);
        let shop = identified("shop");
        let watcher = Watcher { key: shop.key, session: None };
        let mut watch = log.watch(watcher, RequestFilter::default()).expect("a place");
        log.decided(&decided(Some(&shop), Outcome::Accepted));
        let shown = watch.next().await;
        assert!(matches!(&shown, Some(Shown::Export(ended)) if ended.ending == Ending::Accepted), "{shown:?}");
        assert!(log.is_empty());
    }
}
