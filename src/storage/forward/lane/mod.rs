//! Lanes: what waits for a destination, one queue and one back-off for each signal of each tenant, so that none delays another.
//!
//! Nothing in here does I/O or reads a clock.

mod share;

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use object_store::path::Path;

use super::own::Own;
use crate::domain::{Signal, Tenant, Timestamp};
use share::Shares;

/// Which lane: the records of one signal of one tenant.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(in crate::storage) struct LaneId {
    pub(in crate::storage) tenant: Arc<Tenant>,
    pub(in crate::storage) signal: Signal,
}

/// `project/grid/environment/signal`: also the lane's folder.
impl fmt::Display for LaneId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.tenant, self.signal)
    }
}

/// The object that holds a waiting record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Source {
    /// A segment of the shared log.
    Main(u64),
    /// A segment of the destination's own.
    Own(Arc<Path>),
}

/// A record that waits: where it is, not what it holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Entry {
    /// Its place in the order in which records were taken in.
    pub(super) order: u64,
    pub(super) source: Source,
    /// The bytes of its frame.
    pub(super) place: Range<u64>,
    /// About the bytes that it takes in memory while it is under way.
    pub(super) memory: u64,
    /// When its export arrived.
    pub(super) arrival: Timestamp,
    /// Since when it waits here.
    pub(super) taken: Timestamp,
}

impl Entry {
    pub(super) fn bytes(&self) -> u64 {
        self.place.end.saturating_sub(self.place.start)
    }
}

/// What a free slot is for.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Next {
    /// Send this record.
    Send(LaneId, Entry, Probe),
    /// Read the lane's next own segment, and say what is in it by [`Lanes::loaded`].
    Load(LaneId, Own),
}

/// Whether the lane was failing when the record was sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Probe(bool);

/// Whether a lane's state is worth a word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Turn {
    /// No.
    Same,
    /// It has just failed so often that it counts as stuck.
    Stuck,
    /// It was stuck, and flows again.
    Flows,
}

/// The pause after the first failure; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause, unless the backend asks for a longer one: about how long it stays unnoticed that a backend is back.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// So many failures in a row make a lane count as stuck.
const STUCK: u32 = 3;

/// More records of one lane do not stay in the shared log: the rest is moved.
const MANY: usize = 50_000;

/// So many records are moved at once at the most: those of an own segment are read into memory together.
const MOVED_RECORDS: usize = 1_000;

/// All lanes of one destination.
#[derive(Debug)]
pub(super) struct Lanes {
    by_id: HashMap<LaneId, Lane>,
    /// Lanes that may have something to send, in turn.
    ready: VecDeque<LaneId>,
    /// Lanes that pause, by the end of their pause.
    paused: BTreeSet<(Timestamp, LaneId)>,
    shares: Shares,
    now: Timestamp,
}

#[derive(Debug, Default)]
struct Lane {
    /// Segments whose records are not known yet; they come after `loaded` and before `fresh`.
    own: VecDeque<Own>,
    loaded: VecDeque<Entry>,
    /// Records in the shared log.
    fresh: VecDeque<Entry>,
    in_flight: usize,
    /// In a row.
    failures: u32,
    until: Option<Timestamp>,
    /// It is in `ready`.
    queued: bool,
    /// Nothing more is begun until what is in flight has ended: the lane is about to be moved.
    draining: bool,
    /// It could not be moved, and is not tried again before this.
    moves_after: Option<Timestamp>,
}

impl Lanes {
    /// No lanes yet. `slots` records may be in flight at once.
    pub(super) fn new(slots: usize, now: Timestamp) -> Self {
        Self { by_id: HashMap::new(), ready: VecDeque::new(), paused: BTreeSet::new(), shares: Shares::new(slots), now }
    }

    /// A record from the shared log joins its lane.
    pub(super) fn push(&mut self, id: &LaneId, entry: Entry) {
        self.by_id.entry(id.clone()).or_default().fresh.push_back(entry);
        self.enqueue(id);
    }

    /// A segment joins the end of its lane's own.
    pub(super) fn push_own(&mut self, id: &LaneId, own: Own) {
        self.by_id.entry(id.clone()).or_default().own.push_back(own);
        self.enqueue(id);
    }

    /// What was in an own segment, in order.
    pub(super) fn loaded(&mut self, id: &LaneId, entries: Vec<Entry>) {
        if let Some(lane) = self.by_id.get_mut(id) {
            lane.loaded.extend(entries);
        }
        self.enqueue(id);
        self.forget_if_empty(id);
    }

    /// An own segment could not be read; the lane pauses and tries again.
    pub(super) fn not_loaded(&mut self, id: &LaneId, own: Own, now: Timestamp) {
        if let Some(lane) = self.by_id.get_mut(id) {
            lane.own.push_front(own);
        }
        self.pause(id, now.after(FIRST_PAUSE));
    }

    /// What to do with a free slot, if there is one. Lanes take turns. Those that fail have half of the slots and of the memory at
    /// the most, and each of them one slot; of the others, each tenant has half at the most.
    pub(super) fn next(&mut self, now: Timestamp) -> Option<Next> {
        self.end_pauses(now);
        for _ in 0..self.ready.len() {
            if !self.shares.has_slot() {
                return None;
            }
            let id = self.ready.pop_front()?;
            let Some(lane) = self.by_id.get_mut(&id) else { continue };
            lane.queued = false;
            let is_failing = lane.failures > 0;
            if lane.until.is_some() || lane.draining || (is_failing && lane.in_flight > 0) {
                continue;
            }
            if lane.loaded.is_empty()
                && let Some(own) = lane.own.pop_front()
            {
                return Some(Next::Load(id, own));
            }
            let queue = if lane.loaded.is_empty() { &mut lane.fresh } else { &mut lane.loaded };
            let Some(&Entry { memory, .. }) = queue.front() else { continue };
            if !self.shares.takes_of(&id.tenant, memory) {
                // Its turn comes when something of its tenant has ended.
                continue;
            }
            if is_failing && !self.shares.takes_of_failing(memory) {
                lane.queued = true;
                self.ready.push_back(id);
                continue;
            }
            if !self.shares.takes(memory) {
                lane.queued = true;
                self.ready.push_front(id);
                return None;
            }
            let Some(entry) = queue.pop_front() else { continue };
            lane.in_flight += 1;
            self.shares.add(&id.tenant, memory, is_failing);
            self.enqueue(&id);
            return Some(Next::Send(id, entry, Probe(is_failing)));
        }
        None
    }

    /// A record has left its lane for good.
    pub(super) fn done(&mut self, id: &LaneId, entry: &Entry, probe: Probe) -> Turn {
        self.ended(id, entry, probe);
        let Some(lane) = self.by_id.get_mut(id) else { return Turn::Same };
        // A pause that another of its records has caused goes on: the backend may have asked for it.
        let was = std::mem::take(&mut lane.failures);
        self.enqueue(id);
        self.forget_if_empty(id);
        if was >= STUCK { Turn::Flows } else { Turn::Same }
    }

    /// A record could not be sent: it goes back to its place, and the lane pauses for a random part of a time that doubles with
    /// every failure, and not shorter than `after`. `random` is uniform.
    pub(super) fn later(
        &mut self,
        id: &LaneId,
        entry: Entry,
        probe: Probe,
        now: Timestamp,
        after: Option<Duration>,
        random: u32,
    ) -> Turn {
        self.ended(id, &entry, probe);
        let lane = self.by_id.entry(id.clone()).or_default();
        let queue = if matches!(entry.source, Source::Own(_)) { &mut lane.loaded } else { &mut lane.fresh };
        let place = queue.partition_point(|other| other.order < entry.order);
        queue.insert(place, entry);
        let mut turn = Turn::Same;
        let mut pause = after.unwrap_or_default();
        // What was in flight beside the record that failed first tells nothing new.
        if lane.until.is_none() {
            let longest = FIRST_PAUSE.saturating_mul(1 << lane.failures.min(16)).min(LONGEST_PAUSE);
            pause = pause.max(longest.mul_f64(f64::from(random) / f64::from(u32::MAX)));
            lane.failures = lane.failures.saturating_add(1);
            if lane.failures == STUCK {
                turn = Turn::Stuck;
            }
        }
        self.pause(id, now.after(pause));
        turn
    }

    /// How long until the first pause ends.
    pub(super) fn next_pause(&self, now: Timestamp) -> Option<Duration> {
        self.paused.first().map(|(until, _)| until.since(now))
    }

    /// A lane whose oldest record has waited in the shared log for longer than `patience`, or, where `is_crowded`, the longest. Where
    /// something of it is still under way, nothing more is begun until that has ended.
    pub(super) fn find_to_move(&mut self, now: Timestamp, patience: Duration, is_crowded: bool) -> Option<LaneId> {
        let may_move = |lane: &Lane| lane.moves_after.is_none_or(|after| now >= after);
        let lengths = self.by_id.values().filter(|lane| may_move(lane)).map(|lane| lane.fresh.len());
        let many = lengths.max().filter(|_| is_crowded).unwrap_or(MANY).clamp(1, MANY);
        let (mut found, mut drained) = (None, Vec::new());
        for (id, lane) in &mut self.by_id {
            let waits_long = |entry: &Entry| now < entry.taken || now.since(entry.taken) >= patience;
            let is_due = lane.fresh.len() >= many || lane.fresh.front().is_some_and(waits_long);
            if !(is_due && may_move(lane)) {
                if std::mem::take(&mut lane.draining) {
                    drained.push(id.clone());
                }
            } else if lane.in_flight == 0 {
                found = Some(id.clone());
            } else {
                lane.draining = true;
            }
        }
        for id in &drained {
            self.enqueue(id);
        }
        found
    }

    /// Takes the records that a lane has in the shared log, oldest first, up to `bytes` in all but at least one.
    pub(super) fn take_fresh(&mut self, id: &LaneId, bytes: u64) -> Vec<Entry> {
        let Some(lane) = self.by_id.get_mut(id) else { return Vec::new() };
        let (mut total, mut count) = (0, 0);
        for entry in &lane.fresh {
            total += entry.bytes();
            if count == MOVED_RECORDS || (count > 0 && total > bytes) {
                break;
            }
            count += 1;
        }
        lane.fresh.drain(..count).collect()
    }

    /// What was taken is in `own` now; `None`: there is nothing left of it.
    pub(super) fn moved(&mut self, id: &LaneId, own: Option<Own>) {
        if let Some(lane) = self.by_id.get_mut(id) {
            lane.draining = false;
            lane.own.extend(own);
        }
        self.enqueue(id);
        self.forget_if_empty(id);
    }

    /// What was taken could not be moved and is where it was. Others are moved before it is tried again.
    pub(super) fn not_moved(&mut self, id: &LaneId, taken: Vec<Entry>, now: Timestamp) {
        let lane = self.by_id.entry(id.clone()).or_default();
        lane.draining = false;
        lane.moves_after = Some(now.after(LONGEST_PAUSE));
        taken.into_iter().rev().for_each(|entry| lane.fresh.push_front(entry));
        self.enqueue(id);
    }

    /// When the oldest record that waits was accepted.
    pub(super) fn oldest(&self) -> Option<Timestamp> {
        let of_lane = |lane: &Lane| {
            let loaded = lane.loaded.front().map(|entry| entry.arrival);
            let own = lane.own.front().map(|own| own.oldest);
            loaded.or(own).or(lane.fresh.front().map(|entry| entry.arrival))
        };
        self.by_id.values().filter_map(of_lane).min()
    }

    /// How many tenants have a lane that is stuck.
    pub(super) fn stuck(&self) -> usize {
        let stuck = self.by_id.iter().filter(|(_, lane)| lane.failures >= STUCK);
        stuck.map(|(id, _)| &id.tenant).collect::<HashSet<_>>().len()
    }

    fn ended(&mut self, id: &LaneId, entry: &Entry, probe: Probe) {
        self.shares.remove(&id.tenant, entry.memory, probe.0);
        if let Some(lane) = self.by_id.get_mut(id) {
            lane.in_flight = lane.in_flight.saturating_sub(1);
        }
        for signal in Signal::ALL.into_iter().filter(|&signal| signal != id.signal) {
            self.enqueue(&LaneId { tenant: Arc::clone(&id.tenant), signal });
        }
    }

    fn enqueue(&mut self, id: &LaneId) {
        let Some(lane) = self.by_id.get_mut(id) else { return };
        let has_work = !(lane.loaded.is_empty() && lane.own.is_empty() && lane.fresh.is_empty());
        if has_work && !lane.queued && lane.until.is_none() {
            lane.queued = true;
            self.ready.push_back(id.clone());
        }
    }

    fn forget_if_empty(&mut self, id: &LaneId) {
        let is_empty = |lane: &Lane| {
            let waits = !(lane.loaded.is_empty() && lane.own.is_empty() && lane.fresh.is_empty());
            !waits && lane.in_flight == 0 && lane.until.is_none()
        };
        if self.by_id.get(id).is_some_and(is_empty) {
            self.by_id.remove(id);
        }
    }

    /// The lane pauses until `until`, or until the end of the pause that it makes already where that is later.
    fn pause(&mut self, id: &LaneId, until: Timestamp) {
        let Some(lane) = self.by_id.get_mut(id) else { return };
        let until = lane.until.map_or(until, |other| other.max(until));
        if let Some(before) = lane.until.replace(until) {
            self.paused.remove(&(before, id.clone()));
        }
        self.paused.insert((until, id.clone()));
    }

    /// Lets lanes go on whose pause is over; all of them where the clock was set back, since nobody knows then how long they wait.
    fn end_pauses(&mut self, now: Timestamp) {
        let set_back = now < self.now;
        self.now = now;
        if set_back {
            self.by_id.values_mut().for_each(|lane| lane.moves_after = None);
        }
        while self.paused.first().is_some_and(|(until, _)| set_back || *until <= now) {
            let Some((_, id)) = self.paused.pop_first() else { return };
            if let Some(lane) = self.by_id.get_mut(&id) {
                lane.until = None;
            }
            self.enqueue(&id);
            self.forget_if_empty(&id);
        }
    }
}

#[cfg(test)]
mod tests;
