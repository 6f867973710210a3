//! Order, retries, and tenants that do not delay each other.

use std::time::Duration;

use gridgate::domain::Signal;
use gridgate::storage::destination::Sent;
use tokio_util::sync::CancellationToken;

use super::{World, job, later, route, taken};

#[tokio::test]
async fn the_records_of_a_tenants_signal_are_sent_in_order() {
    let mut world = World::new(&[route(None, &["vendor"])]);
    world.forward().in_flight = 1;
    let mut running = world.open().await;
    running.append(0..12).await;
    running.forward().await;
    for lane in 0..12 {
        assert!(world.vendor.taken_of(lane).is_sorted(), "{:?}", world.vendor.taken());
    }
    assert_eq!(world.vendor.taken().len(), 12);
    running.close().await;
}

/// The bank's backend refuses for now; the shop's records flow, even where there is one slot only.
#[tokio::test]
async fn a_tenant_that_is_not_taken_delays_no_other() {
    for in_flight in [1, 4] {
        let mut world = World::new(&[route(None, &["vendor"])]);
        world.forward().in_flight = in_flight;
        let mut running = world.open().await;
        running.append(0..9).await;
        world.vendor.says(|meta| if meta.tenant.project.as_str() == "bank" { later() } else { taken() });
        running.forward().await;
        assert_eq!(world.vendor.taken().len(), 6);
        let asked = world.vendor.asked();
        // While it pauses, the lane takes no slot and asks nothing.
        running.forward().await;
        assert_eq!(world.vendor.asked(), asked);
        running.append([9, 10]).await;
        running.forward().await;
        assert_eq!(world.vendor.taken().len(), 8);
        world.vendor.says(|_| taken());
        world.passes(60);
        running.forward().await;
        assert_eq!(world.vendor.taken()[8..], [2, 5, 8]);
        running.close().await;
    }
}

/// The backend has no pipeline for log records. Everything else of the same tenant flows.
#[tokio::test]
async fn a_signal_that_is_not_taken_delays_no_other() {
    let mut world = World::new(&[route(Some("shop"), &["vendor"])]);
    world.forward().in_flight = 1;
    world.vendor.says(|meta| if meta.signal == Signal::Logs { later() } else { taken() });
    let mut running = world.open().await;
    // Number 3 is log records of the same tenant.
    running.append([3, 0, 6, 9]).await;
    running.forward().await;
    assert_eq!(world.vendor.taken(), [0, 6, 9]);
    world.passes(20);
    running.forward().await;
    running.append([12]).await;
    running.forward().await;
    let own = "forward/vendor/shop/web/production/logs/00000000000000000001.seg";
    assert_eq!(world.log("forward").await, [own]);
    running.close().await;
    // It is found again at the next start, still without a part in the others' way.
    let mut running = world.open().await;
    running.append([18]).await;
    running.forward().await;
    assert_eq!(world.vendor.taken(), [0, 6, 9, 12, 18]);
    world.vendor.says(|_| taken());
    world.passes(60);
    running.forward().await;
    assert_eq!(world.vendor.taken().last(), Some(&3));
    assert_eq!(world.log("forward").await, Vec::<String>::new());
    running.close().await;
}

/// Records of the bank are never answered at all. They cannot take every slot.
#[tokio::test]
async fn a_tenant_that_is_never_answered_cannot_take_every_slot() {
    let world = World::new(&[route(None, &["vendor"])]);
    *world.vendor.0.hangs.lock().expect("no panic") = vec!["bank"];
    let mut running = world.open().await;
    running.append([2, 5, 8, 11, 14, 17]).await;
    running.append([0, 1, 3, 4]).await;
    let mut forwarder = running.forwarders.remove(0);
    let forwarding = tokio::spawn(async move { forwarder.run(&CancellationToken::new(), &job()).await });
    world.vendor.has_taken(4).await;
    forwarding.abort();
    running.close().await;
}

#[tokio::test]
async fn pauses_grow_and_are_never_shorter_than_the_backend_asks() {
    let world = World::new(&[route(None, &["vendor"])]);
    let mut running = world.open().await;
    world.vendor.says(|_| Sent::Later { after: Some(Duration::from_secs(7)), why: "busy".to_owned() });
    running.append([0]).await;
    running.forward().await;
    for asked in 1..4 {
        assert_eq!(world.vendor.asked(), asked);
        world.passes(6);
        running.forward().await;
        assert_eq!(world.vendor.asked(), asked, "it asked to be left alone for 7 s");
        world.passes(1);
        running.forward().await;
    }
    // Without a word of the backend the pauses grow to at most 10 s: in an hour there are at least 360 attempts, and chance
    // makes of it not many more than twice as many.
    world.vendor.says(|_| later());
    let before = world.vendor.asked();
    for _ in 0..3600 {
        world.passes(1);
        running.forward().await;
    }
    let attempts = world.vendor.asked() - before;
    assert!((360..960).contains(&attempts), "{attempts}");
    let metrics = running.forwarders[0].metrics();
    assert_eq!((metrics.stuck_tenants.get(), metrics.delivered_records.get()), (1, 0));
    assert_eq!(metrics.retried_records.get(), world.vendor.asked() as u64);
    assert!(metrics.oldest_seconds.get() >= 3600);
    // A clock that is set back does not make anybody wait for the time that it lacks.
    world.vendor.says(|_| taken());
    world.clock.set_back(Duration::from_hours(3));
    running.forward().await;
    assert_eq!(world.vendor.taken(), [0]);
    assert_eq!(running.forwarders[0].metrics().stuck_tenants.get(), 0);
    running.close().await;
}

#[tokio::test]
async fn an_outage_ends_and_everything_is_delivered_in_order() {
    let mut world = World::new(&[route(None, &["lake", "vendor"])]);
    world.forward().in_flight = 1;
    world.vendor.says(|_| later());
    let mut running = world.open().await;
    for number in 0..30 {
        running.append([number]).await;
        running.forward().await;
        world.passes(2);
    }
    running.deliver().await.expect("it delivers");
    // It has moved what waited, and the shared log waits for the youngest only.
    assert!(running.forwarders[0].metrics().moved_segments.get() > 0);
    assert!(world.log("segments").await.len() < 12, "{:?}", world.log("segments").await);
    world.vendor.says(|_| taken());
    world.passes(60);
    running.forward().await;
    let taken = world.vendor.taken();
    assert_eq!(taken.len(), 30);
    for lane in 0..12 {
        assert!(world.vendor.taken_of(lane).is_sorted(), "{taken:?}");
    }
    for folder in ["segments", "forward"] {
        assert_eq!(world.log(folder).await, Vec::<String>::new());
    }
    assert_eq!((running.backlog.bytes(), running.forwarders[0].usage().bytes()), (0, 0));
    assert_eq!(world.rows().await.len(), 30);
    running.close().await;
}
