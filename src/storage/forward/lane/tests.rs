use super::*;

const NOW: Timestamp = Timestamp::from_micros(1_000_000_000);
const PATIENCE: Duration = Duration::from_secs(15);

fn lane(grid: u8, signal: Signal) -> LaneId {
    let slug = |text: &str| text.parse().expect("a slug");
    let tenant = Tenant { project: slug("shop"), grid: slug(&format!("grid-{grid}")), environment: slug("staging") };
    LaneId { tenant: Arc::new(tenant), signal }
}

fn traces(grid: u8) -> LaneId {
    lane(grid, Signal::Traces)
}

fn entry(order: u64) -> Entry {
    Entry { order, source: Source::Main(order), place: 0..10, memory: 10, arrival: NOW, taken: NOW }
}

/// Lanes with `slots`, and `records` of each tenant, all of one signal.
fn lanes(slots: usize, tenants: u8, records: u64) -> Lanes {
    let mut lanes = Lanes::new(slots, NOW);
    for order in 0..records {
        for grid in 0..tenants {
            lanes.push(&traces(grid), entry(order));
        }
    }
    lanes
}

/// Everything that is begun now.
fn begun(lanes: &mut Lanes, now: Timestamp) -> Vec<(LaneId, Entry, Probe)> {
    let next = || match lanes.next(now) {
        Some(Next::Send(id, entry, probe)) => Some((id, entry, probe)),
        Some(Next::Load(..)) => panic!("there are no own segments"),
        None => None,
    };
    std::iter::from_fn(next).collect()
}

fn fail(lanes: &mut Lanes, (id, entry, probe): (LaneId, Entry, Probe)) -> Turn {
    lanes.later(&id, entry, probe, NOW, None, u32::MAX)
}

#[test]
fn a_tenant_has_half_of_the_slots_and_lanes_take_turns() {
    let mut alone = lanes(6, 1, 10);
    assert_eq!(begun(&mut alone, NOW).iter().map(|(_, entry, _)| entry.order).collect::<Vec<_>>(), [0, 1, 2]);
    let of: Vec<_> = begun(&mut lanes(6, 3, 10), NOW).into_iter().map(|(id, ..)| id).collect();
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
    lanes.push(&traces(9), entry(0));
    assert_eq!(begun(&mut lanes, later).len(), 1);
    // One that is taken ends its lane's trouble.
    let (first, sent, probe) = probes[0].clone();
    assert_eq!(lanes.done(&first, &sent, probe), Turn::Same);
    assert!(begun(&mut lanes, later).iter().any(|(id, _, probe)| *id == first && !probe.0));
}

#[test]
fn the_third_failure_in_a_row_is_told_and_so_is_its_end() {
    let mut lanes = lanes(1, 1, 1);
    let mut now = NOW;
    let mut turns = Vec::new();
    for _ in 0..5 {
        let one = begun(&mut lanes, now).remove(0);
        turns.push(lanes.later(&one.0, one.1, one.2, now, None, 0));
        now = now.after(Duration::from_secs(1));
    }
    assert_eq!(turns, [Turn::Same, Turn::Same, Turn::Stuck, Turn::Same, Turn::Same]);
    let (id, sent, probe) = begun(&mut lanes, now).remove(0);
    assert_eq!(lanes.done(&id, &sent, probe), Turn::Flows);
    assert_eq!((lanes.stuck(), lanes.by_id.len()), (0, 0));
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
    let orders: Vec<_> = lanes.take_fresh(&traces(0), u64::MAX).iter().map(|entry| entry.order).collect();
    assert_eq!(orders, [0, 1, 2, 3]);
}

/// A lane that is slow but never fails is moved, too: it begins nothing more until what is in flight has ended.
#[test]
fn a_lane_that_always_has_something_in_flight_is_emptied_and_moved() {
    let mut lanes = lanes(2, 1, 3);
    let (of, sent, probe) = begun(&mut lanes, NOW).remove(0);
    assert_eq!(lanes.find_to_move(NOW, PATIENCE, false), None);
    let late = NOW.after(PATIENCE);
    assert_eq!(lanes.find_to_move(late, PATIENCE, false), None);
    lanes.done(&of, &sent, probe);
    assert_eq!(begun(&mut lanes, late).len(), 0);
    assert_eq!(lanes.find_to_move(late, PATIENCE, false), Some(of.clone()));
    let taken = lanes.take_fresh(&of, 15);
    assert_eq!(taken.len(), 1);
    // Where moving fails, everything is as before.
    lanes.not_moved(&of, taken, late);
    assert_eq!(lanes.find_to_move(late, PATIENCE, true), None);
    let late = late.after(LONGEST_PAUSE);
    assert_eq!(lanes.find_to_move(late, PATIENCE, false), Some(of.clone()));
    let taken = lanes.take_fresh(&of, u64::MAX);
    assert_eq!(taken.iter().map(|entry| entry.order).collect::<Vec<_>>(), [1, 2]);
    let own = Own { path: Arc::new(Path::from("a")), bytes: 20, oldest: NOW };
    lanes.moved(&of, Some(own.clone()));
    lanes.push(&of, entry(3));
    assert!(lanes.next(late) == Some(Next::Load(of.clone(), own)));
    lanes.loaded(&of, vec![entry(4), entry(5)]);
    let mut orders = Vec::new();
    while let Some((_, entry, probe)) = begun(&mut lanes, late).pop() {
        orders.push(entry.order);
        lanes.done(&of, &entry, probe);
    }
    assert_eq!(orders, [4, 5, 3]);
}

/// A signal that the backend does not take keeps neither its tenant's others nor anybody else waiting.
#[test]
fn each_signal_is_a_lane_and_a_tenant_has_half_of_the_slots_for_all_of_them() {
    let mut lanes = Lanes::new(4, NOW);
    for order in 0..8 {
        for signal in [Signal::Traces, Signal::Profiles] {
            lanes.push(&lane(0, signal), entry(order));
        }
    }
    let first = begun(&mut lanes, NOW);
    assert_eq!(first.len(), 2);
    assert_ne!(first[0].0, first[1].0);
    lanes.push(&traces(1), entry(0));
    assert_eq!(begun(&mut lanes, NOW).len(), 1);
    for (id, sent, probe) in first {
        if id.signal == Signal::Profiles {
            lanes.later(&id, sent, probe, NOW, None, u32::MAX);
        } else {
            lanes.done(&id, &sent, probe);
        }
    }
    let next = begun(&mut lanes, NOW);
    assert_eq!(next.iter().map(|(id, ..)| id.clone()).collect::<Vec<_>>(), [traces(0), traces(0)]);
}

#[test]
fn what_is_under_way_has_a_bound_and_a_tenant_half_of_it() {
    let of = |memory| Entry { memory, ..entry(0) };
    let mut lanes = Lanes::new(100, NOW);
    // The largest counts for half, whatever it has.
    for memory in [u64::MAX, 1] {
        lanes.push(&traces(0), of(memory));
    }
    lanes.push(&traces(1), of(24 << 20));
    lanes.push(&traces(2), of(8 << 20));
    lanes.push(&traces(3), of(1));
    let mut under_way = begun(&mut lanes, NOW);
    let grids = |under_way: &[(LaneId, Entry, Probe)]| under_way.iter().map(|(id, ..)| id.clone()).collect::<Vec<_>>();
    assert_eq!(grids(&under_way), [traces(0), traces(1), traces(2)]);
    let (id, sent, probe) = under_way.remove(0);
    lanes.done(&id, &sent, probe);
    assert_eq!(grids(&begun(&mut lanes, NOW)), [traces(3), traces(0)]);
    // What fails has half as well, and the other half is for the others.
    let mut lanes = Lanes::new(100, NOW);
    for grid in 0..3 {
        lanes.push(&traces(grid), of(u64::MAX));
    }
    let mut now = NOW;
    for _ in 0..3 {
        for (id, sent, probe) in begun(&mut lanes, now) {
            lanes.later(&id, sent, probe, now, None, 0);
        }
        now = now.after(Duration::from_secs(1));
    }
    assert_eq!(begun(&mut lanes, now).len(), 1);
    lanes.push(&traces(9), of(u64::MAX));
    assert_eq!(grids(&begun(&mut lanes, now)), [traces(9)]);
}

#[test]
fn the_longest_lane_is_moved_where_too_many_records_wait() {
    let mut lanes = lanes(1, 2, 1500);
    lanes.push(&traces(1), entry(1500));
    assert_eq!(lanes.find_to_move(NOW, PATIENCE, false), None);
    assert_eq!(lanes.find_to_move(NOW, PATIENCE, true), Some(traces(1)));
    assert_eq!(lanes.take_fresh(&traces(1), u64::MAX).len(), MOVED_RECORDS);
}
