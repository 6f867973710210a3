//! Crashes at every write of a run: what was acknowledged reaches the backend at least once and the lake exactly once.

use std::collections::BTreeSet;
use std::sync::Arc;

use gridgate::storage::log::AppendError;
use object_store::ObjectStore;

use super::{World, later, route, taken};
use crate::storage::crash::{at_any_write, three_lives, twice};
use crate::storage::faulty::{Faulty, Fuse};
use crate::storage::{open_with, record};

const ALL: u8 = 10;

/// One life of the process. The backend is down for the first part of it, so that records are moved; then it takes everything.
async fn live(world: &World, fuse: &Fuse, from: u8, acknowledged: &mut BTreeSet<u8>) -> u8 {
    let through = |inner: Arc<dyn ObjectStore>| Arc::new(Faulty { inner, fuse: fuse.clone() }) as Arc<dyn ObjectStore>;
    let (log, lake) = (through(world.disks.log.clone()), through(world.disks.lake.clone()));
    let Ok(mut running) = open_with(log, lake, world.forwarding.clone()).await else { return from };
    world.vendor.says(|_| later());
    let mut next = from;
    while next < ALL && !fuse.is_blown() {
        match running.log.append(record(next)).await {
            Ok(()) => assert!(acknowledged.insert(next)),
            Err(error) => assert_eq!(error, AppendError::Put),
        }
        next += 1;
        if next.is_multiple_of(3) {
            let _ = running.forwarders[0].forward_all().await;
            world.passes(20);
            let _ = running.forwarders[0].forward_all().await;
            let _ = running.deliver().await;
        }
    }
    if !fuse.is_blown() {
        world.vendor.says(|_| taken());
        world.passes(60);
        let _ = running.forwarders[0].forward_all().await;
        let _ = running.deliver().await;
    }
    running.close().await;
    next
}

async fn run(first: i64, second: i64, last_takes_effect: bool) -> bool {
    let world = World::new(&[route(Some("bank"), &["vendor"]), route(None, &["lake", "vendor"])]);
    let live = async |fuse: &Fuse, from, acknowledged: &mut _| live(&world, fuse, from, acknowledged).await;
    let (acknowledged, killed) = three_lives(first, second, last_takes_effect, live).await;

    let what = format!("killed after {first} and {second} writes, the last {last_takes_effect}");
    let sent: BTreeSet<_> = world.vendor.taken().into_iter().collect();
    let lost: Vec<_> = acknowledged.difference(&sent).collect();
    assert!(lost.is_empty(), "{lost:?} are lost; {what}");
    let rows = world.rows().await;
    for number in 0..ALL {
        let in_lake = acknowledged.contains(&number) && number % 3 != 2;
        match rows.get(&number) {
            Some(2) => assert_ne!(number % 3, 2, "{number} is not for the lake; {what}"),
            None => assert!(!in_lake, "{number} is lost in the lake; {what}"),
            Some(count) => panic!("{number} is in the lake with {count} rows; {what}"),
        }
    }
    for folder in ["segments", "forward", "quarantine"] {
        assert_eq!(world.log(folder).await, Vec::<String>::new(), "{what}");
    }
    killed
}

#[tokio::test]
async fn a_crash_at_any_write_loses_nothing() {
    at_any_write(run).await;
}

#[tokio::test]
async fn a_second_crash_loses_nothing_either() {
    twice(run).await;
}
