//! Damage at rest and segments that come back (catalogue D3, design decision 1).

use std::collections::BTreeMap;
use std::sync::Arc;

use gridgate::domain::random::SeededRandom;
use gridgate::storage::StorageError;
use gridgate::storage::forward::Forwarding;
use gridgate::storage::log::{AppendError, Durability};
use gridgate::storage::open::{Storage, assemble};
use gridgate::storage::segment::{self, Stored};
use object_store::path::Path;
use object_store::{ObjectStoreExt, PutPayload};
use tokio_util::sync::CancellationToken;

use super::faulty::{Faulty, Fuse};
use super::{Disks, Silent, open, paths, record, rows_by_record, settings};

async fn appended(disks: &Disks, numbers: std::ops::Range<u8>) {
    let running = open(disks.log.clone(), disks.lake.clone()).await.expect("it opens");
    for number in numbers {
        running.log.append(record(number)).await.expect("it is durable");
    }
    running.close().await;
}

async fn delivered(disks: &Disks) {
    let mut running = open(disks.log.clone(), disks.lake.clone()).await.expect("it opens");
    running.deliver().await.expect("it delivers");
    running.close().await;
}

fn all(numbers: std::ops::Range<u8>) -> BTreeMap<u8, usize> {
    numbers.map(|number| (number, 2)).collect()
}

#[tokio::test]
async fn what_was_durable_before_a_restart_is_delivered_after_it() {
    let disks = Disks::default();
    appended(&disks, 0..5).await;
    assert_eq!(rows_by_record(&*disks.lake).await, BTreeMap::new());
    delivered(&disks).await;
    assert_eq!(rows_by_record(&*disks.lake).await, all(0..5));
}

/// The removal of a delivered segment need not survive a power loss.
#[tokio::test]
async fn a_segment_that_comes_back_is_removed_and_not_delivered_again() {
    let disks = Disks::default();
    appended(&disks, 0..3).await;
    let mut saved = Vec::new();
    for path in paths(&*disks.log, "segments").await {
        let bytes = disks.log.get(&Path::from(path.as_str())).await.expect("it is there").bytes().await.expect("bytes");
        saved.push((path, bytes));
    }
    delivered(&disks).await;
    for (path, bytes) in saved {
        disks.log.put(&Path::from(path), PutPayload::from(bytes)).await.expect("it is put");
    }
    appended(&disks, 3..5).await;
    delivered(&disks).await;
    assert_eq!(rows_by_record(&*disks.lake).await, all(0..5));
    assert_eq!(paths(&*disks.log, "segments").await, Vec::<String>::new());
}

#[tokio::test]
async fn a_damaged_record_is_set_aside_and_the_rest_is_delivered() {
    let disks = Disks::default();
    appended(&disks, 0..3).await;
    let path = Path::from(paths(&*disks.log, "segments").await.remove(1));
    let mut bytes = disks.log.get(&path).await.expect("it is there").bytes().await.expect("bytes").to_vec();
    let place = bytes.windows(4).position(|window| window == b"span").expect("the payload is as it was sent");
    bytes[place] ^= 1;
    disks.log.put(&path, PutPayload::from(bytes)).await.expect("it is put");
    delivered(&disks).await;
    let rows = rows_by_record(&*disks.lake).await;
    assert_eq!(rows.keys().collect::<Vec<_>>(), [&0, &2]);
    assert_eq!(paths(&*disks.log, "quarantine").await, ["quarantine/00000000000000000002-0.bin"]);
    assert_eq!(paths(&*disks.log, "segments").await, Vec::<String>::new());
}

/// A payload that the lake cannot read does not hold up the others of its file.
#[tokio::test]
async fn a_poisonous_record_is_set_aside_and_the_rest_of_its_file_is_delivered() {
    let disks = Disks::default();
    let running = open(disks.log.clone(), disks.lake.clone()).await.expect("it opens");
    let mut poison = record(12);
    poison.payload = vec![0xff; 9].into();
    poison.meta.decompressed_size = 9;
    let (before, after) = (running.log.append(record(0)), running.log.append(record(24)));
    before.await.expect("it is durable");
    running.log.append(poison).await.expect("it is durable");
    after.await.expect("it is durable");
    running.close().await;
    delivered(&disks).await;
    assert_eq!(rows_by_record(&*disks.lake).await.keys().collect::<Vec<_>>(), [&0, &24]);
    // What is set aside still says whose it is.
    let aside = paths(&*disks.log, "quarantine").await;
    let aside = disks.log.get(&Path::from(aside[0].as_str())).await.expect("it is there").bytes().await.expect("bytes");
    let [Stored::Record { meta, payload }] = &segment::decode(&aside)[..] else { panic!("no record is set aside") };
    assert_eq!(
        (meta.id, &meta.tenant, payload.as_ref()),
        (record(12).meta.id, &record(12).meta.tenant, &[0xff; 9][..])
    );
}

/// Two processes that are given one log in spite of the lock: a segment that is there was acknowledged by the other.
#[tokio::test]
async fn a_segment_of_another_process_is_not_removed() {
    let disks = Disks::default();
    let first = open(disks.log.clone(), disks.lake.clone()).await.expect("it opens");
    let second = open(disks.log.clone(), disks.lake.clone()).await.expect("it opens");
    first.log.append(record(0)).await.expect("it is durable");
    assert_eq!(second.log.append(record(1)).await, Err(AppendError::Put));
    first.close().await;
    second.close().await;
    delivered(&disks).await;
    assert_eq!(rows_by_record(&*disks.lake).await, all(0..1));
}

/// What is acknowledged in memory can be lost, but not knowingly.
#[tokio::test]
async fn nothing_is_acknowledged_in_memory_while_the_store_fails() {
    let disks = Disks::default();
    // The first write is that of the checkpoint.
    let log = Arc::new(Faulty { inner: disks.log.clone(), fuse: Fuse::new(1, false) });
    let mut settings = settings();
    settings.log.durability = Durability::Memory;
    let Storage { log, committer, .. } =
        assemble(log, disks.lake.clone(), &settings, Forwarding::default(), &SeededRandom::new(3), Arc::new(Silent))
            .await
            .expect("it opens");
    let closed = CancellationToken::new();
    let committing = tokio::spawn(committer.run(closed.clone()));
    log.append(record(0)).await.expect("it is in memory");
    // Nobody is told when that record is lost; the next ones find out.
    let mut refused = 0;
    for _ in 0..100 {
        match log.append(record(1)).await {
            Ok(()) => assert_eq!(refused, 0),
            Err(error) => {
                assert_eq!(error, AppendError::Put);
                refused += 1;
            }
        }
        tokio::task::yield_now().await;
    }
    assert!(refused > 0);
    closed.cancel();
    committing.await.expect("the log ends");
}

#[tokio::test]
async fn without_its_checkpoint_nothing_is_delivered_twice() {
    let disks = Disks::default();
    appended(&disks, 0..1).await;
    let path = Path::from("checkpoints/lake.json");
    disks.log.put(&path, PutPayload::from_static(b"{\"version\":1")).await.expect("it is put");
    let refused = open(disks.log.clone(), disks.lake.clone()).await.err().expect("it is damaged");
    assert!(matches!(refused, StorageError::Checkpoint(_)), "{refused}");
}

/// A log that is deleted and starts anew counts from one again; its files must not take the names of older ones.
#[tokio::test]
async fn a_new_log_beside_an_old_lake_overwrites_nothing() {
    let old = Disks::default();
    appended(&old, 0..2).await;
    delivered(&old).await;
    let new = Disks { lake: old.lake.clone(), ..Disks::default() };
    let (settings, random, report) = (settings(), SeededRandom::new(99), Arc::new(Silent));
    assemble(new.log.clone(), new.lake.clone(), &settings, Forwarding::default(), &random, report)
        .await
        .expect("it opens");
    appended(&new, 2..4).await;
    delivered(&new).await;
    assert_eq!(rows_by_record(&*old.lake).await, all(0..4));
}
