//! Lanes: what waits for a destination, one queue and one back-off for each tenant, so that none delays another.
//!
//! Nothing in here does I/O or reads a clock.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use object_store::path::Path;

use super::own::Own;
use crate::domain::{Tenant, Timestamp};

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
    Send(Arc<Tenant>, Entry, Probe),
    /// Read the lane's next own segment, and say what is in it by [`Lanes::loaded`].
    Load(Arc<Tenant>, Own),
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

/// The longest pause, unless the backend asks for a longer one.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// So many failures in a row make a lane count as stuck.
const STUCK: u32 = 3;

/// More records of one lane are not kept in memory: the rest is moved.
const MANY: usize = 50_000;

/// All lanes of one destination.
#[derive(Debug)]
pub(super) struct Lanes {
    tenants: HashMap<Arc<Tenant>, Lane>,
    /// Lanes that may have something to send, in turn.
    ready: VecDeque<Arc<Tenant>>,
    /// Lanes that pause, by the end of their pause.
    paused: BTreeSet<(Timestamp, Arc<Tenant>)>,
    slots: usize,
    in_flight: usize,
    probes: usize,
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
}

impl Lanes {
    /// No lanes yet. `slots` records may be in flight at once.
    pub(super) fn new(slots: usize, now: Timestamp) -> Self {
        Self {
            tenants: HashMap::new(),
            ready: VecDeque::new(),
            paused: BTreeSet::new(),
            slots: slots.max(1),
            in_flight: 0,
            probes: 0,
            now,
        }
    }

    /// A record from the shared log joins its lane.
    pub(super) fn push(&mut self, tenant: &Arc<Tenant>, entry: Entry) {
        self.tenants.entry(Arc::clone(tenant)).or_default().fresh.push_back(entry);
        self.enqueue(tenant);
    }

    /// A segment joins the end of its lane's own.
    pub(super) fn push_own(&mut self, tenant: &Arc<Tenant>, own: Own) {
        self.tenants.entry(Arc::clone(tenant)).or_default().own.push_back(own);
        self.enqueue(tenant);
    }

    /// What was in an own segment, in order.
    pub(super) fn loaded(&mut self, tenant: &Arc<Tenant>, entries: Vec<Entry>) {
        if let Some(lane) = self.tenants.get_mut(tenant) {
            lane.loaded.extend(entries);
        }
        self.enqueue(tenant);
        self.forget_if_empty(tenant);
    }

    /// An own segment could not be read; the lane pauses and tries again.
    pub(super) fn not_loaded(&mut self, tenant: &Arc<Tenant>, own: Own, now: Timestamp) {
        if let Some(lane) = self.tenants.get_mut(tenant) {
            lane.own.push_front(own);
        }
        self.pause(tenant, now.after(FIRST_PAUSE));
    }

    /// What to do with a free slot, if there is one. Lanes take turns. Those that fail have half of the slots at the most, and each
    /// of them one; of the others each has half at the most.
    pub(super) fn next(&mut self, now: Timestamp, fits: impl Fn(u64) -> bool) -> Option<Next> {
        self.end_pauses(now);
        let half = (self.slots / 2).max(1);
        for _ in 0..self.ready.len() {
            if self.in_flight >= self.slots {
                return None;
            }
            let tenant = self.ready.pop_front()?;
            let Some(lane) = self.tenants.get_mut(&tenant) else { continue };
            lane.queued = false;
            let failing = lane.failures > 0;
            if lane.until.is_some() || lane.draining || lane.in_flight >= if failing { 1 } else { half } {
                continue;
            }
            if failing && self.probes >= half {
                lane.queued = true;
                self.ready.push_back(tenant);
                continue;
            }
            if lane.loaded.is_empty()
                && let Some(own) = lane.own.pop_front()
            {
                return Some(Next::Load(tenant, own));
            }
            let queue = if lane.loaded.is_empty() { &mut lane.fresh } else { &mut lane.loaded };
            let Some(entry) = queue.front() else { continue };
            if !fits(entry.bytes()) {
                lane.queued = true;
                self.ready.push_front(tenant);
                return None;
            }
            let Some(entry) = queue.pop_front() else { continue };
            lane.in_flight += 1;
            self.in_flight += 1;
            self.probes += usize::from(failing);
            self.enqueue(&tenant);
            return Some(Next::Send(tenant, entry, Probe(failing)));
        }
        None
    }

    /// A record has left its lane for good.
    pub(super) fn done(&mut self, tenant: &Arc<Tenant>, probe: Probe) -> Turn {
        self.ended(tenant, probe);
        let Some(lane) = self.tenants.get_mut(tenant) else { return Turn::Same };
        // A pause that another of its records has caused goes on: the backend may have asked for it.
        let was = std::mem::take(&mut lane.failures);
        self.enqueue(tenant);
        self.forget_if_empty(tenant);
        if was >= STUCK { Turn::Flows } else { Turn::Same }
    }

    /// A record could not be sent: it goes back to its place, and the lane pauses for a random part of a time that doubles with
    /// every failure, and not shorter than `after`. `random` is uniform.
    pub(super) fn later(
        &mut self,
        tenant: &Arc<Tenant>,
        probe: Probe,
        entry: Entry,
        now: Timestamp,
        after: Option<Duration>,
        random: u32,
    ) -> Turn {
        self.ended(tenant, probe);
        let lane = self.tenants.entry(Arc::clone(tenant)).or_default();
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
        self.pause(tenant, now.after(pause));
        turn
    }

    /// How long until the first pause ends.
    pub(super) fn next_pause(&self, now: Timestamp) -> Option<Duration> {
        self.paused.first().map(|(until, _)| until.since(now))
    }

    /// A lane whose oldest record has waited in the shared log for longer than `patience`. Where something of it is still in
    /// flight, nothing more is begun until that has ended.
    pub(super) fn find_to_move(&mut self, now: Timestamp, patience: Duration) -> Option<Arc<Tenant>> {
        let (mut found, mut drained) = (None, Vec::new());
        for (tenant, lane) in &mut self.tenants {
            let waits_long = |entry: &Entry| now < entry.taken || now.since(entry.taken) >= patience;
            if !lane.fresh.front().is_some_and(waits_long) && lane.fresh.len() <= MANY {
                if std::mem::take(&mut lane.draining) {
                    drained.push(Arc::clone(tenant));
                }
            } else if lane.in_flight == 0 {
                found = Some(Arc::clone(tenant));
            } else {
                lane.draining = true;
            }
        }
        for tenant in &drained {
            self.enqueue(tenant);
        }
        found
    }

    /// Takes the records that a lane has in the shared log, oldest first, up to `bytes` in all but at least one.
    pub(super) fn take_fresh(&mut self, tenant: &Arc<Tenant>, bytes: u64) -> Vec<Entry> {
        let Some(lane) = self.tenants.get_mut(tenant) else { return Vec::new() };
        let (mut total, mut count) = (0, 0);
        for entry in &lane.fresh {
            total += entry.bytes();
            if count > 0 && total > bytes {
                break;
            }
            count += 1;
        }
        lane.fresh.drain(..count).collect()
    }

    /// What was taken is now in `own`, or, where that is `None`, stays where it was.
    pub(super) fn moved(&mut self, tenant: &Arc<Tenant>, taken: Vec<Entry>, own: Option<Own>) {
        let lane = self.tenants.entry(Arc::clone(tenant)).or_default();
        lane.draining = false;
        match own {
            Some(own) => lane.own.push_back(own),
            None => taken.into_iter().rev().for_each(|entry| lane.fresh.push_front(entry)),
        }
        self.enqueue(tenant);
    }

    /// When the oldest record that waits was accepted.
    pub(super) fn oldest(&self) -> Option<Timestamp> {
        let of_lane = |lane: &Lane| {
            let loaded = lane.loaded.front().map(|entry| entry.arrival);
            let own = lane.own.front().map(|own| own.oldest);
            loaded.or(own).or(lane.fresh.front().map(|entry| entry.arrival))
        };
        self.tenants.values().filter_map(of_lane).min()
    }

    /// How many lanes are stuck.
    pub(super) fn stuck(&self) -> usize {
        self.tenants.values().filter(|lane| lane.failures >= STUCK).count()
    }

    fn ended(&mut self, tenant: &Arc<Tenant>, probe: Probe) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.probes = self.probes.saturating_sub(usize::from(probe.0));
        if let Some(lane) = self.tenants.get_mut(tenant) {
            lane.in_flight = lane.in_flight.saturating_sub(1);
        }
    }

    fn enqueue(&mut self, tenant: &Arc<Tenant>) {
        let Some(lane) = self.tenants.get_mut(tenant) else { return };
        let has_work = !(lane.loaded.is_empty() && lane.own.is_empty() && lane.fresh.is_empty());
        if has_work && !lane.queued && lane.until.is_none() {
            lane.queued = true;
            self.ready.push_back(Arc::clone(tenant));
        }
    }

    fn forget_if_empty(&mut self, tenant: &Arc<Tenant>) {
        let is_empty = |lane: &Lane| {
            let waits = !(lane.loaded.is_empty() && lane.own.is_empty() && lane.fresh.is_empty());
            !waits && lane.in_flight == 0 && lane.until.is_none()
        };
        if self.tenants.get(tenant).is_some_and(is_empty) {
            self.tenants.remove(tenant);
        }
    }

    /// The lane pauses until `until`, or until the end of the pause that it makes already where that is later.
    fn pause(&mut self, tenant: &Arc<Tenant>, until: Timestamp) {
        let Some(lane) = self.tenants.get_mut(tenant) else { return };
        let until = lane.until.map_or(until, |other| other.max(until));
        if let Some(before) = lane.until.replace(until) {
            self.paused.remove(&(before, Arc::clone(tenant)));
        }
        self.paused.insert((until, Arc::clone(tenant)));
    }

    /// Lets lanes go on whose pause is over; all of them where the clock was set back, since nobody knows then how long they wait.
    fn end_pauses(&mut self, now: Timestamp) {
        let set_back = now < self.now;
        self.now = now;
        while self.paused.first().is_some_and(|(until, _)| set_back || *until <= now) {
            let Some((_, tenant)) = self.paused.pop_first() else { return };
            if let Some(lane) = self.tenants.get_mut(&tenant) {
                lane.until = None;
            }
            self.enqueue(&tenant);
            self.forget_if_empty(&tenant);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_000_000_000);
    const PATIENCE: Duration = Duration::from_secs(15);

    fn tenant(grid: u8) -> Arc<Tenant> {
        let slug = |text: &str| text.parse().expect("a slug");
        Arc::new(Tenant { project: slug("shop"), grid: slug(&format!("grid-{grid}")), environment: slug("staging") })
    }

    fn entry(order: u64) -> Entry {
        Entry { order, source: Source::Main(order), place: 0..10, arrival: NOW, taken: NOW }
    }

    /// Lanes with `slots`, and `records` of each tenant.
    fn lanes(slots: usize, tenants: u8, records: u64) -> Lanes {
        let mut lanes = Lanes::new(slots, NOW);
        for order in 0..records {
            for grid in 0..tenants {
                lanes.push(&tenant(grid), entry(order));
            }
        }
        lanes
    }

    /// Everything that is begun now.
    fn begun(lanes: &mut Lanes, now: Timestamp) -> Vec<(Arc<Tenant>, Entry, Probe)> {
        let next = || match lanes.next(now, |_| true) {
            Some(Next::Send(tenant, entry, probe)) => Some((tenant, entry, probe)),
            Some(Next::Load(..)) => panic!("there are no own segments"),
            None => None,
        };
        std::iter::from_fn(next).collect()
    }

    fn fail(lanes: &mut Lanes, (tenant, entry, probe): (Arc<Tenant>, Entry, Probe)) -> Turn {
        lanes.later(&tenant, probe, entry, NOW, None, u32::MAX)
    }

    #[test]
    fn a_lane_has_half_of_the_slots_and_lanes_take_turns() {
        let mut alone = lanes(6, 1, 10);
        assert_eq!(begun(&mut alone, NOW).iter().map(|(_, entry, _)| entry.order).collect::<Vec<_>>(), [0, 1, 2]);
        let of: Vec<_> = begun(&mut lanes(6, 3, 10), NOW).into_iter().map(|(tenant, ..)| tenant).collect();
        assert_eq!(of[..3], of[3..]);
        assert_eq!(begun(&mut lanes(1, 1, 10), NOW).len(), 1);
    }

    #[test]
    fn lanes_that_fail_have_one_slot_each_and_half_together() {
        let mut lanes = lanes(4, 4, 2);
        for one in begun(&mut lanes, NOW) {
            fail(&mut lanes, one);
        }
        let later = NOW.after(Duration::from_secs(1));
        let probes = begun(&mut lanes, later);
        assert_eq!(probes.len(), 2);
        assert_ne!(probes[0].0, probes[1].0);
        // The other slots are for those that do not fail.
        lanes.push(&tenant(9), entry(0));
        assert_eq!(begun(&mut lanes, later).len(), 1);
        // One that is taken ends its lane's trouble.
        let (first, _, probe) = probes[0].clone();
        assert_eq!(lanes.done(&first, probe), Turn::Same);
        assert!(begun(&mut lanes, later).iter().any(|(tenant, _, probe)| *tenant == first && !probe.0));
    }

    #[test]
    fn the_third_failure_in_a_row_is_told_and_so_is_its_end() {
        let mut lanes = lanes(1, 1, 1);
        let mut now = NOW;
        let mut turns = Vec::new();
        for _ in 0..5 {
            let one = begun(&mut lanes, now).remove(0);
            turns.push(lanes.later(&one.0, one.2, one.1, now, None, 0));
            now = now.after(Duration::from_secs(1));
        }
        assert_eq!(turns, [Turn::Same, Turn::Same, Turn::Stuck, Turn::Same, Turn::Same]);
        let (tenant, _, probe) = begun(&mut lanes, now).remove(0);
        assert_eq!(lanes.done(&tenant, probe), Turn::Flows);
        assert_eq!((lanes.stuck(), lanes.tenants.len()), (0, 0));
    }

    #[test]
    fn a_record_that_fails_goes_back_to_its_place() {
        let mut lanes = lanes(6, 1, 4);
        let mut begun_first = begun(&mut lanes, NOW);
        begun_first.rotate_left(1);
        for one in begun_first {
            fail(&mut lanes, one);
        }
        // What failed beside the first tells nothing new: the pause is that after one failure.
        assert_eq!(lanes.next_pause(NOW), Some(FIRST_PAUSE));
        let orders: Vec<_> = lanes.take_fresh(&tenant(0), u64::MAX).iter().map(|entry| entry.order).collect();
        assert_eq!(orders, [0, 1, 2, 3]);
    }

    /// A lane that is slow but never fails is moved, too: it begins nothing more until what is in flight has ended.
    #[test]
    fn a_lane_that_always_has_something_in_flight_is_emptied_and_moved() {
        let mut lanes = lanes(2, 1, 3);
        let (of, _, probe) = begun(&mut lanes, NOW).remove(0);
        assert_eq!(lanes.find_to_move(NOW, PATIENCE), None);
        let late = NOW.after(PATIENCE);
        assert_eq!(lanes.find_to_move(late, PATIENCE), None);
        lanes.done(&of, probe);
        assert_eq!(begun(&mut lanes, late).len(), 0);
        assert_eq!(lanes.find_to_move(late, PATIENCE), Some(of.clone()));
        let taken = lanes.take_fresh(&of, 15);
        assert_eq!(taken.len(), 1);
        // Where moving fails, everything is as before.
        lanes.moved(&of, taken, None);
        let taken = lanes.take_fresh(&of, u64::MAX);
        assert_eq!(taken.iter().map(|entry| entry.order).collect::<Vec<_>>(), [1, 2]);
        let own = Own { path: Arc::new(Path::from("a")), bytes: 20, oldest: NOW };
        lanes.moved(&of, taken, Some(own.clone()));
        lanes.push(&of, entry(3));
        assert!(lanes.next(late, |_| true) == Some(Next::Load(of.clone(), own)));
        lanes.loaded(&of, vec![entry(4), entry(5)]);
        let mut orders = Vec::new();
        while let Some((_, entry, probe)) = begun(&mut lanes, late).pop() {
            orders.push(entry.order);
            lanes.done(&of, probe);
        }
        assert_eq!(orders, [4, 5, 3]);
    }

    #[test]
    fn what_does_not_fit_waits_for_its_turn() {
        let mut lanes = lanes(4, 2, 1);
        assert!(lanes.next(NOW, |bytes| bytes < 10).is_none());
        assert_eq!(begun(&mut lanes, NOW).len(), 2);
    }
}
