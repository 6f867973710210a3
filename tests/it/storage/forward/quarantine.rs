//! What a backend refuses for good, and what it takes in part.

use std::sync::Arc;

use gridgate::storage::destination::Sent;
use gridgate::storage::quarantine::Quarantine;
use object_store::path::Path;
use object_store::{ObjectStoreExt, PutPayload};

use super::{World, later, route, taken};
use crate::storage::record;

fn never() -> Sent {
    Sent::Never { why: "it is not ours".to_owned() }
}

#[tokio::test]
async fn what_is_refused_for_good_is_kept_and_can_be_looked_at() {
    let world = World::new(&[route(None, &["vendor"])]);
    world.vendor.says(|meta| if meta.tenant.project.as_str() == "bank" { never() } else { taken() });
    let mut running = world.open().await;
    running.append(0..6).await;
    running.forward().await;
    assert_eq!(world.vendor.taken().len(), 4);
    running.deliver().await.expect("it delivers");
    assert_eq!(world.log("segments").await, Vec::<String>::new());
    let metrics = running.forwarders[0].metrics().clone();
    assert_eq!((metrics.quarantined_records.get(), metrics.quarantined_items.get()), (2, 4));
    // It counts against the backlog until somebody removes it.
    let used = running.forwarders[0].usage().bytes();
    assert!(used > 0);

    let quarantine = Quarantine::of(world.disks.log.clone());
    let found = quarantine.list().await.expect("a list");
    let [first, second] = &found[..] else { panic!("{found:?}") };
    assert_eq!(first.id, format!("vendor/bank/web/production/traces/{}", "02".repeat(16)));
    assert_eq!((first.destination.as_str(), first.reason.as_str()), ("vendor", "it is not ours"));
    assert_eq!(first.tenant.as_deref(), Some("bank/web/production"));
    assert_eq!(first.key.as_deref(), Some("key_7Hq2mZxK9wPa"));
    assert_eq!((first.signal.as_deref(), first.items), (Some("traces"), Some(2)));
    assert_eq!(first.arrival.as_deref(), Some("2026-11-21T10:00:00.000000Z"));
    assert_eq!(first.at.as_deref(), Some("2026-11-21T12:00:00.000000Z"));
    assert_eq!(found.iter().map(|aside| aside.bytes).sum::<u64>(), used);
    let payload = quarantine.payload(&first.id).await.expect("it is readable");
    assert_eq!(payload.as_deref(), Some(&record(2).payload[..]));
    for id in ["vendor", "nothing", "../segments/1", "", "vendor/bank/web/production/../../../../x"] {
        assert_eq!(quarantine.payload(id).await.expect("no error"), None, "{id}");
        assert!(!quarantine.remove(id).await.expect("no error"), "{id}");
    }
    assert!(quarantine.remove(&first.id).await.expect("it is removed"));
    // The running process finds out.
    world.passes(60);
    running.forward().await;
    assert_eq!(running.forwarders[0].usage().bytes(), second.bytes);

    // What is put back is sent after the next start.
    assert!(quarantine.retry(&second.id).await.expect("it is put back"));
    assert_eq!(world.log("quarantine").await, Vec::<String>::new());
    running.close().await;
    world.vendor.says(|_| taken());
    let mut running = world.open().await;
    assert!(running.forwarders[0].usage().bytes() > 0);
    running.forward().await;
    assert_eq!(world.vendor.taken().last(), Some(&5));
    assert_eq!(world.log("forward").await, Vec::<String>::new());
    assert_eq!(running.forwarders[0].usage().bytes(), 0);
    running.close().await;
}

#[tokio::test]
async fn a_record_that_is_damaged_while_it_waits_is_set_aside() {
    let world = World::new(&[route(None, &["vendor"])]);
    world.vendor.says(|_| later());
    let mut running = world.open().await;
    running.append([0, 6]).await;
    running.forward().await;
    world.passes(20);
    running.forward().await;
    let path = Path::from(world.log("forward").await.remove(0));
    let bytes = world.disks.log.get(&path).await.expect("it is there").bytes().await.expect("bytes");
    let mut bytes = bytes.to_vec();
    let place = bytes.windows(4).position(|window| window == b"span").expect("the payload is as it was sent");
    bytes[place] ^= 1;
    world.disks.log.put(&path, PutPayload::from(bytes)).await.expect("it is put");
    world.vendor.says(|_| taken());
    world.passes(60);
    running.forward().await;
    assert_eq!(world.vendor.taken(), [6]);
    let quarantine = Quarantine::of(Arc::clone(&world.disks.log) as _);
    let found = quarantine.list().await.expect("a list");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].reason, "the frame's checksum does not fit its bytes");
    assert!(quarantine.retry(&found[0].id).await.is_err());
    running.close().await;
}

/// The lake's quarantine is looked at in the same way.
#[tokio::test]
async fn the_lakes_quarantine_is_listed_too() {
    let world = World::new(&[]);
    let mut running = world.open().await;
    let mut poison = record(12);
    poison.payload = vec![0xff; 9].into();
    poison.meta.decompressed_size = 9;
    running.log.append(poison).await.expect("it is durable");
    running.deliver().await.expect("it delivers");
    let quarantine = Quarantine::of(Arc::clone(&world.disks.log) as _);
    let found = quarantine.list().await.expect("a list");
    assert_eq!((found[0].id.as_str(), found[0].destination.as_str()), ("00000000000000000001-0", "lake"));
    assert_eq!((found[0].reason.as_str(), found[0].at.as_ref()), ("its payload cannot be read", None));
    assert_eq!(quarantine.payload(&found[0].id).await.expect("it is readable"), Some(vec![0xff; 9]));
    assert!(quarantine.retry(&found[0].id).await.is_err());
    running.close().await;
}

#[tokio::test]
async fn items_that_a_backend_rejects_are_counted_and_not_sent_again() {
    let world = World::new(&[route(None, &["vendor"])]);
    world.vendor.says(|_| Sent::Delivered { rejected: 1, message: "one is bad".to_owned() });
    let mut running = world.open().await;
    running.append([0, 1]).await;
    running.forward().await;
    world.passes(60);
    running.forward().await;
    assert_eq!(world.vendor.asked(), 2);
    let metrics = running.forwarders[0].metrics();
    assert_eq!((metrics.rejected_items.get(), metrics.delivered_items.get()), (2, 2));
    running.close().await;
}

/// One record over which the sending code panics is set aside like any other that cannot be sent.
#[tokio::test]
async fn a_record_over_which_sending_breaks_down_is_set_aside() {
    let world = World::new(&[route(None, &["vendor"])]);
    let mut running = world.open().await;
    let mut poison = record(3);
    poison.payload = vec![1].into();
    running.append([0]).await;
    // The backend of these tests panics where a payload is not what it should be.
    running.log.append(poison).await.expect("it is durable");
    running.append([6]).await;
    running.forward().await;
    assert_eq!(world.vendor.taken(), [0, 6]);
    let found = Quarantine::of(Arc::clone(&world.disks.log) as _).list().await.expect("a list");
    assert_eq!(found[0].reason, "the code that sends it has broken down");
    running.close().await;
}

/// A segment that was sound when the lake passed it is damaged before it is sent on.
#[tokio::test]
async fn damage_that_the_lake_has_not_seen_is_set_aside() {
    let world = World::new(&[route(None, &["lake", "vendor"])]);
    let mut running = world.open().await;
    running.append([0, 3]).await;
    running.deliver().await.expect("it delivers");
    running.close().await;
    let path = Path::from(world.log("segments").await.remove(0));
    let bytes = world.disks.log.get(&path).await.expect("it is there").bytes().await.expect("bytes");
    let mut bytes = bytes.to_vec();
    let place = bytes.windows(4).position(|window| window == b"span").expect("the payload is as it was sent");
    bytes[place] ^= 1;
    world.disks.log.put(&path, PutPayload::from(bytes)).await.expect("it is put");
    let mut running = world.open().await;
    running.forward().await;
    assert_eq!(world.vendor.taken(), [3]);
    assert_eq!(world.log("segments").await, Vec::<String>::new());
    let found = Quarantine::of(Arc::clone(&world.disks.log) as _).list().await.expect("a list");
    assert_eq!((found.len(), found[0].reason.as_str()), (1, "it is damaged"));
    running.close().await;
}
