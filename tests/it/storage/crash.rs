//! Crashes at every write of a run (catalogue D1, D7, D8): what was acknowledged is in the lake exactly once, and what was not
//! is there once or not at all.

use std::collections::BTreeSet;
use std::sync::Arc;

use gridgate::storage::log::AppendError;
use object_store::ObjectStore;

use super::faulty::{Faulty, Fuse};
use super::{Disks, open, paths, record, rows_by_record};

/// Exports before the first delivery, and all together.
const FIRST: u8 = 7;
const ALL: u8 = 12;

/// One life of the process: appends what is left to append, delivers in between and at the end. Ends early where the fuse blows.
async fn live(disks: &Disks, fuse: &Fuse, from: u8, acknowledged: &mut BTreeSet<u8>) -> u8 {
    let through = |inner: Arc<dyn ObjectStore>| Arc::new(Faulty { inner, fuse: fuse.clone() }) as Arc<dyn ObjectStore>;
    let Ok(mut running) = open(through(disks.log.clone()), through(disks.lake.clone())).await else { return from };
    let mut next = from;
    while next < ALL && !fuse.is_blown() {
        if next == FIRST {
            let _ = running.deliver().await;
        }
        match running.log.append(record(next)).await {
            Ok(()) => assert!(acknowledged.insert(next)),
            Err(error) => assert_eq!(error, AppendError::Put),
        }
        // Its client does not send it again.
        next += 1;
    }
    let _ = running.deliver().await;
    running.close().await;
    next
}

async fn run(first: i64, second: i64, last_takes_effect: bool) -> bool {
    let disks = Disks::default();
    let live = async |fuse: &Fuse, from, acknowledged: &mut _| live(&disks, fuse, from, acknowledged).await;
    let (acknowledged, killed) = three_lives(first, second, last_takes_effect, live).await;

    let rows = rows_by_record(&*disks.lake).await;
    let what = format!("killed after {first} and {second} writes, the last {last_takes_effect}");
    for number in 0..ALL {
        match rows.get(&number) {
            Some(2) => {}
            None => assert!(!acknowledged.contains(&number), "{number} is lost; {what}"),
            Some(count) => panic!("{number} is there with {count} rows; {what}"),
        }
    }
    assert_eq!(paths(&*disks.log, "segments").await, Vec::<String>::new(), "{what}");
    killed
}

/// A process that is killed after `first` writes, lives again, is killed after `second` more, and then lives in peace. `live` is one
/// life: from which number on it appends, and to which. Returns what was acknowledged, and whether the first life was cut short.
pub(super) async fn three_lives(
    first: i64,
    second: i64,
    last_takes_effect: bool,
    live: impl AsyncFn(&Fuse, u8, &mut BTreeSet<u8>) -> u8,
) -> (BTreeSet<u8>, bool) {
    let mut acknowledged = BTreeSet::new();
    let fuse = Fuse::new(first, last_takes_effect);
    let next = live(&fuse, 0, &mut acknowledged).await;
    let next = live(&Fuse::new(second, last_takes_effect), next, &mut acknowledged).await;
    live(&Fuse::new(i64::MAX, true), next, &mut acknowledged).await;
    (acknowledged, fuse.is_blown())
}

/// Kills `run` at every write of its first life.
pub(super) async fn at_any_write(run: impl AsyncFn(i64, i64, bool) -> bool) {
    for last_takes_effect in [false, true] {
        let mut first = 0;
        while run(first, i64::MAX, last_takes_effect).await {
            first += 1;
        }
        assert!(first > 20, "the run has only {first} writes");
    }
}

/// Kills `run` at some writes of its first life, and at the first ones of its second.
pub(super) async fn twice(run: impl AsyncFn(i64, i64, bool) -> bool) {
    for last_takes_effect in [false, true] {
        for first in (0..50).step_by(6) {
            for second in 0..9 {
                run(first, second, last_takes_effect).await;
            }
        }
    }
}

#[tokio::test]
async fn a_crash_at_any_write_loses_nothing_and_duplicates_nothing() {
    at_any_write(run).await;
}

#[tokio::test]
async fn a_second_crash_while_the_first_is_mended_does_no_harm() {
    twice(run).await;
}
