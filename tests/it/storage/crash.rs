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

/// A run that is killed after `first` writes, lives again, is killed after `second` more, and then lives in peace.
async fn run(first: i64, second: i64, last_takes_effect: bool) -> bool {
    let disks = Disks::default();
    let mut acknowledged = BTreeSet::new();
    let mut fuse = Fuse::new(first, last_takes_effect);
    let next = live(&disks, &fuse, 0, &mut acknowledged).await;
    let killed = fuse.is_blown();
    fuse = Fuse::new(second, last_takes_effect);
    let next = live(&disks, &fuse, next, &mut acknowledged).await;
    live(&disks, &Fuse::new(i64::MAX, true), next, &mut acknowledged).await;

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

#[tokio::test]
async fn a_crash_at_any_write_loses_nothing_and_duplicates_nothing() {
    for last_takes_effect in [false, true] {
        let mut first = 0;
        while run(first, i64::MAX, last_takes_effect).await {
            first += 1;
        }
        assert!(first > 20, "the run has only {first} writes");
    }
}

#[tokio::test]
async fn a_second_crash_while_the_first_is_mended_does_no_harm() {
    for last_takes_effect in [false, true] {
        for first in (0..50).step_by(6) {
            for second in 0..9 {
                run(first, second, last_takes_effect).await;
            }
        }
    }
}
