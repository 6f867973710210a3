//! Answers that are kept for who repeats a request.

use std::sync::Arc;
use std::time::Duration;

use gridgate::catalog::{CatalogError, OnceOnly, Reserved};
use gridgate::domain::Binding;
use gridgate::domain::clock::ManualClock;
use gridgate::upkeep::sweep::Sweeper;
use tokio_util::sync::CancellationToken;

use super::{Fresh, at, key, on_both};

on_both!(
    a_request_is_reserved_answered_and_forgotten,
    a_request_that_is_released_can_be_made_again,
    of_racing_requests_one_is_reserved,
    a_caller_has_so_many_and_no_more,
    only_what_was_reserved_is_answered,
    what_has_expired_is_swept,
    the_sweeper_sweeps_by_itself,
);

const MOST: u32 = 2;

/// The request `request` of the caller `caller` under the name `name`, made at 100 and forgotten at 200.
fn asked(caller: u8, name: u8, request: u8) -> OnceOnly {
    let caller = key(caller, Binding::Installation).id;
    OnceOnly { name: [name; 32], request: [request; 32], caller, reserved_at: at(100), expires_at: at(200) }
}

async fn a_request_is_reserved_answered_and_forgotten(fresh: Arc<Fresh>) {
    let catalog = fresh.migrated().await;
    let first = asked(1, 1, 1);
    let again = OnceOnly { reserved_at: at(199), expires_at: at(299), ..first };
    assert_eq!(catalog.reserve_answer(&first, MOST).await.expect("an answer"), Reserved::Now);
    assert_eq!(catalog.reserve_answer(&again, MOST).await.expect("an answer"), Reserved::InFlight);
    catalog.keep_answer(&first, &[0, 255, 7]).await.expect("kept");
    assert_eq!(catalog.reserve_answer(&again, MOST).await.expect("an answer"), Reserved::Answered(vec![0, 255, 7]));
    let other = OnceOnly { request: [2; 32], ..again };
    assert_eq!(catalog.reserve_answer(&other, MOST).await.expect("an answer"), Reserved::Other);
    let late = OnceOnly { reserved_at: at(200), expires_at: at(300), ..first };
    assert_eq!(catalog.reserve_answer(&late, MOST).await.expect("an answer"), Reserved::Now);
}

async fn a_request_that_is_released_can_be_made_again(fresh: Arc<Fresh>) {
    let catalog = fresh.migrated().await;
    let first = asked(1, 1, 1);
    assert_eq!(catalog.reserve_answer(&first, MOST).await.expect("an answer"), Reserved::Now);
    catalog.release_answer(&first).await.expect("released");
    let other = asked(1, 1, 2);
    assert_eq!(catalog.reserve_answer(&other, MOST).await.expect("an answer"), Reserved::Now);
    catalog.keep_answer(&other, b"answer").await.expect("kept");
    assert!(matches!(catalog.release_answer(&other).await, Err(CatalogError::Unavailable(_))));
    assert_eq!(catalog.reserve_answer(&other, MOST).await.expect("an answer"), Reserved::Answered(b"answer".to_vec()));
}

async fn of_racing_requests_one_is_reserved(fresh: Arc<Fresh>) {
    let catalog = fresh.migrated().await;
    let racing: Vec<_> = (0..8)
        .map(|_| {
            let catalog = Arc::clone(&catalog);
            tokio::spawn(async move { catalog.reserve_answer(&asked(1, 1, 1), 1).await.expect("an answer") })
        })
        .collect();
    let mut won = 0;
    for outcome in racing {
        match outcome.await.expect("no panic") {
            Reserved::Now => won += 1,
            other => assert_eq!(other, Reserved::InFlight),
        }
    }
    assert_eq!(won, 1);
}

async fn a_caller_has_so_many_and_no_more(fresh: Arc<Fresh>) {
    let catalog = fresh.migrated().await;
    for name in 1..=2 {
        assert_eq!(catalog.reserve_answer(&asked(1, name, 1), MOST).await.expect("an answer"), Reserved::Now);
    }
    assert_eq!(catalog.reserve_answer(&asked(1, 3, 1), MOST).await.expect("an answer"), Reserved::TooMany);
    assert_eq!(catalog.reserve_answer(&asked(1, 1, 1), MOST).await.expect("an answer"), Reserved::InFlight);
    assert_eq!(catalog.reserve_answer(&asked(2, 3, 1), MOST).await.expect("an answer"), Reserved::Now);
    let late = OnceOnly { reserved_at: at(200), expires_at: at(300), ..asked(1, 3, 1) };
    assert_eq!(catalog.reserve_answer(&late, MOST).await.expect("an answer"), Reserved::Now);
}

/// A process that comes back late must not answer in the name of one that has taken over.
async fn only_what_was_reserved_is_answered(fresh: Arc<Fresh>) {
    let catalog = fresh.migrated().await;
    let first = asked(1, 1, 1);
    assert!(matches!(catalog.keep_answer(&first, b"x").await, Err(CatalogError::Unavailable(_))));
    let later = OnceOnly { reserved_at: at(200), expires_at: at(300), ..first };
    assert_eq!(catalog.reserve_answer(&first, MOST).await.expect("an answer"), Reserved::Now);
    assert_eq!(catalog.reserve_answer(&later, MOST).await.expect("an answer"), Reserved::Now);
    assert!(matches!(catalog.keep_answer(&first, b"x").await, Err(CatalogError::Unavailable(_))));
    assert!(matches!(catalog.release_answer(&first).await, Err(CatalogError::Unavailable(_))));
    assert_eq!(catalog.reserve_answer(&later, MOST).await.expect("an answer"), Reserved::InFlight);
}

async fn what_has_expired_is_swept(fresh: Arc<Fresh>) {
    let catalog = fresh.migrated().await;
    assert_eq!(catalog.reserve_answer(&asked(1, 1, 1), MOST).await.expect("an answer"), Reserved::Now);
    let later = OnceOnly { expires_at: at(201), ..asked(1, 2, 1) };
    assert_eq!(catalog.reserve_answer(&later, MOST).await.expect("an answer"), Reserved::Now);
    assert_eq!(catalog.sweep_answers(at(199)).await.expect("a count"), 0);
    assert_eq!(catalog.sweep_answers(at(200)).await.expect("a count"), 1);
    assert_eq!(fresh.count("idempotent_answers").await, 1);
}

async fn the_sweeper_sweeps_by_itself(fresh: Arc<Fresh>) {
    let catalog = fresh.migrated().await;
    assert_eq!(catalog.reserve_answer(&asked(1, 1, 1), MOST).await.expect("an answer"), Reserved::Now);
    let session_idle = Duration::from_mins(30);
    let sweeper = Sweeper { catalog, clock: Arc::new(ManualClock::new(at(200))), session_idle };
    let stop = CancellationToken::new();
    let told = stop.clone();
    let sweeping = tokio::spawn(async move { sweeper.run(&told, &crate::storage::job()).await });
    let swept = async {
        while fresh.count("idempotent_answers").await > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), swept).await.expect("the answer is forgotten");
    stop.cancel();
    sweeping.await.expect("it ends when it is told to");
}
