//! Storage on a local disk.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use gridgate::domain::random::SeededRandom;
use gridgate::storage::forward::Forwarding;
use gridgate::storage::open::{Storage, StorageSettings, open};
use object_store::local::LocalFileSystem;
use tokio_util::sync::CancellationToken;

use super::{Silent, record, rows_by_record, settings};

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<_> = entries.map(|name| name.into_string().expect("a name")).collect();
    names.sort();
    names
}

#[tokio::test]
async fn what_a_kill_left_half_written_is_removed() {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = StorageSettings {
        log_folder: folder.path().join("log"),
        lake_folder: folder.path().join("lake"),
        ..settings()
    };
    let start = async || {
        open(&settings, Forwarding::default(), &SeededRandom::new(1), Arc::new(Silent)).await.expect("it opens")
    };

    let Storage { log, committer, .. } = start().await;
    let closed = CancellationToken::new();
    let committing = tokio::spawn(committer.run(closed.clone()));
    for number in [0, 12] {
        log.append(record(number)).await.expect("it is durable");
    }
    closed.cancel();
    committing.await.expect("the log ends");

    let segments = settings.log_folder.join("segments");
    assert_eq!(names(&segments).len(), 2);
    fs::write(segments.join("00000000000000000003.seg#1"), b"half").expect("it is written");
    fs::write(settings.log_folder.join("checkpoints/lake.json#2"), b"half").expect("it is written");

    let own = settings.log_folder.join("forward/vendor/shop/web/production");
    fs::create_dir_all(&own).expect("a folder");
    fs::write(own.join("00000000000000000001.seg#3"), b"half").expect("it is written");

    let Storage { mut deliverer, .. } = start().await;
    assert_eq!(names(&own), Vec::<String>::new());
    assert_eq!(names(&segments), ["00000000000000000001.seg", "00000000000000000002.seg"]);
    assert_eq!(names(&settings.log_folder.join("checkpoints")), ["lake.json"]);
    deliverer.deliver_all(&CancellationToken::new()).await.expect("it delivers");
    assert_eq!(names(&segments), Vec::<String>::new());
    let lake = LocalFileSystem::new_with_prefix(&settings.lake_folder).expect("the lake");
    assert_eq!(rows_by_record(&lake).await, BTreeMap::from([(0, 2), (12, 2)]));
}
