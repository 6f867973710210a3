//! Configurations that change from one start to the next: nothing that was acknowledged is lost.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Scripted, World, forward, later, route, taken};
use crate::storage::faulty::{Faulty, Fuse};
use crate::storage::open_with;

#[tokio::test]
async fn what_waits_for_a_destination_that_is_gone_is_kept_and_the_log_goes_on() {
    let mut world = World::new(&[route(Some("bank"), &["vendor"])]);
    world.vendor.says(|_| later());
    let mut running = world.open().await;
    running.append([2, 5]).await;
    running.forward().await;
    world.passes(20);
    // These two are moved into segments of their own; the others wait in the shared log.
    running.forward().await;
    running.append([8, 0]).await;
    running.forward().await;
    running.deliver().await.expect("it delivers");
    running.close().await;

    let vendor = world.forwarding.forwards.remove(0);
    let routes = std::mem::take(&mut world.forwarding.routes);
    let mut running = world.open().await;
    assert_eq!(world.log("segments").await, Vec::<String>::new());
    assert_eq!(world.log("forward/vendor/bank/web/production").await.len(), 2);
    // From now on the bank's records go to the lake.
    running.append([11]).await;
    running.deliver().await.expect("it delivers");
    running.close().await;
    assert_eq!(world.rows().await.into_keys().collect::<Vec<_>>(), [0, 11]);
    // A start later it is still there.
    world.open().await.close().await;
    assert_eq!(world.log("forward/vendor/bank/web/production").await.len(), 2);

    world.forwarding.forwards.push(vendor);
    world.forwarding.routes = routes;
    world.vendor.says(|_| taken());
    let mut running = world.open().await;
    running.append([14]).await;
    running.forward().await;
    assert_eq!(world.vendor.taken().len(), 4);
    let mut numbers = world.vendor.taken();
    numbers.sort_unstable();
    assert_eq!(numbers, [2, 5, 8, 14]);
    running.close().await;
}

/// The route of a tenant changes while its records wait.
#[tokio::test]
async fn what_was_accepted_under_another_route_still_goes_there() {
    let mut world = World::new(&[route(None, &["vendor"])]);
    let running = world.open().await;
    running.append(0..3).await;
    running.close().await;
    world.forwarding.routes = vec![route(None, &["lake"])];
    let mut running = world.open().await;
    running.append(3..6).await;
    running.forward().await;
    running.deliver().await.expect("it delivers");
    let mut numbers = world.vendor.taken();
    numbers.sort_unstable();
    assert_eq!(numbers, [0, 1, 2]);
    // The new route holds for what is in the log, too.
    assert_eq!(world.rows().await.len(), 6);
    running.close().await;

    // And the other way round: from the lake alone to the vendor alone.
    let running = world.open().await;
    running.append(6..9).await;
    running.close().await;
    world.forwarding.routes = vec![route(None, &["vendor"])];
    let mut running = world.open().await;
    running.append(9..12).await;
    running.deliver().await.expect("it delivers");
    running.forward().await;
    assert_eq!(world.rows().await.into_keys().collect::<Vec<_>>(), (0..9).collect::<Vec<_>>());
    assert_eq!(world.vendor.taken().len(), 9);
    assert_eq!(world.log("segments").await, Vec::<String>::new());
    running.close().await;
}

#[tokio::test]
async fn a_new_destination_begins_with_what_is_in_the_log() {
    let mut world = World::new(&[route(None, &["lake", "vendor"])]);
    world.vendor.says(|_| later());
    let mut running = world.open().await;
    running.append(0..3).await;
    running.deliver().await.expect("it delivers");
    running.forward().await;
    running.close().await;
    let other = Scripted::new();
    world.forwarding.forwards.push(forward("other", &other));
    world.forwarding.routes = vec![route(None, &["lake", "vendor", "other"])];
    let mut running = world.open().await;
    running.append(3..6).await;
    world.vendor.says(|_| taken());
    running.forward().await;
    running.deliver().await.expect("it delivers");
    for backend in [&other, &world.vendor] {
        let mut numbers = backend.taken();
        numbers.sort_unstable();
        assert_eq!(numbers, (0..6).collect::<Vec<_>>());
    }
    // Once each in the lake, whatever the others do.
    assert!(world.rows().await.values().all(|&rows| rows == 2));
    assert_eq!(world.log("segments").await, Vec::<String>::new());
    running.close().await;
}

/// The process is killed at any write while it puts aside what is there for a destination that is gone.
#[tokio::test]
async fn a_crash_while_it_is_kept_loses_nothing() {
    for last_takes_effect in [false, true] {
        for writes in 0.. {
            let mut world = World::new(&[route(None, &["vendor"])]);
            let running = world.open().await;
            running.append(0..6).await;
            running.close().await;
            let vendor = world.forwarding.forwards.remove(0);
            let routes = std::mem::take(&mut world.forwarding.routes);
            let fuse = Fuse::new(writes, last_takes_effect);
            let log = Arc::new(Faulty { inner: world.disks.log.clone(), fuse: fuse.clone() });
            let killed = open_with(log, world.disks.lake.clone(), world.forwarding.clone()).await.is_err();
            let mut running = world.open().await;
            running.deliver().await.expect("it delivers");
            assert_eq!(world.log("segments").await, Vec::<String>::new());
            running.close().await;
            world.forwarding.forwards.push(vendor);
            world.forwarding.routes = routes;
            let mut running = world.open().await;
            running.forward().await;
            let taken: BTreeSet<_> = world.vendor.taken().into_iter().collect();
            assert_eq!(taken, (0..6).collect(), "killed after {writes} writes, the last {last_takes_effect}");
            running.close().await;
            if !killed {
                assert!(writes > 6, "there were only {writes} writes");
                break;
            }
        }
    }
}
