//! What survives: crashes between writing and sending, several nodes, receivers that are gone for days.

use std::sync::Arc;
use std::time::Duration;

use gridgate::domain::Clock as _;
use serde_json::json;
use tokio::sync::Semaphore;

use super::receiver::{Receiver, Reply};
use super::{create, deliveries, path, round};
use crate::admin::Server;

#[tokio::test]
async fn an_event_is_written_down_once_whatever_fails_on_the_way() {
    let server = Server::with_two_projects().await;
    let mut receiver = Receiver::start().await;
    let webhook = create(&server, &receiver.url(), &["key.created"], None).await;
    server.ingest_key("shop", "checkout").await;
    // The database is gone, and the courier with it; another one goes on.
    server.take_database_away();
    server.courier().round().await.expect_err("there is no database");
    server.give_database_back();
    let (mut one, mut two) = (server.courier(), server.courier());
    let (first, second) = tokio::join!(one.round(), two.round());
    first.and(second).expect("rounds");
    one.settle().await;
    two.settle().await;
    round(&mut two).await;
    assert!(receiver.arrived().is_some() && receiver.arrived().is_none(), "it was not told once");
    assert_eq!(deliveries(&server, &webhook).await.len(), 1);
}

#[tokio::test]
async fn what_was_claimed_by_a_node_that_died_is_sent_by_another() {
    let server = Server::with_two_projects().await;
    let mut receiver = Receiver::start().await;
    create(&server, &receiver.url(), &["key.created"], None).await;
    server.ingest_key("shop", "checkout").await;
    receiver.reply([Reply::Wait(Arc::new(Semaphore::new(0)))]);
    let mut dying = server.courier();
    dying.round().await.expect("a round");
    let before = receiver.message().await;
    drop(dying);
    let mut other = server.courier();
    round(&mut other).await;
    assert!(receiver.arrived().is_none(), "a claim did not hold");
    server.clock.advance(Duration::from_secs(91));
    round(&mut other).await;
    let again = receiver.arrived().expect("a message");
    assert_eq!(before.header("webhook-id"), again.header("webhook-id"));
    server.clock.advance(Duration::from_hours(1));
    round(&mut other).await;
    assert!(receiver.arrived().is_none());
}

#[tokio::test]
async fn after_days_of_failures_a_webhook_is_disabled_and_can_be_enabled() {
    let server = Server::with_two_projects().await;
    let mut receiver = Receiver::start().await;
    let webhook = create(&server, &receiver.url(), &["key.created"], None).await;
    receiver.reply((0..20).map(|_| Reply::Status(500)));
    let mut courier = server.courier();
    for day in 0..6 {
        assert_eq!(server.get(&path(&webhook)).await.expect(200)["status"], "active", "day {day}");
        server.ingest_key("shop", &format!("key {day}")).await;
        round(&mut courier).await;
        server.clock.advance(Duration::from_hours(24));
    }
    let view = server.get(&path(&webhook)).await;
    assert_eq!(view.header("etag"), Some("\"2\""));
    let view = view.expect(200);
    assert_eq!((&view["status"], &view["disabled_because"]), (&json!("disabled"), &json!("failing")));
    assert_eq!(view["failing_since"], crate::admin::START_TEXT);
    let audited = server.state().catalog.happened_after(0, 1000).await.expect("the log").pop().expect("an entry");
    assert_eq!((&*audited.action, &*audited.via, &*audited.actor_name), ("webhook.disabled", "system", "webhooks"));
    assert_eq!(audited.after["disabled_because"], "failing");

    // Nothing is sent, and nothing new is written down.
    while receiver.arrived().is_some() {}
    server.ingest_key("shop", "unheard").await;
    round(&mut courier).await;
    assert!(receiver.arrived().is_none());
    let waiting = deliveries(&server, &webhook).await.len();
    assert_eq!(waiting, 6);

    receiver.reply([]);
    let enabled = server.patch(&path(&webhook), "\"2\"", &json!({"disabled": false})).await.expect(200);
    assert_eq!((&enabled["status"], &enabled["failing_since"]), (&json!("active"), &json!(null)));
    round(&mut courier).await;
    assert!(receiver.arrived().is_some(), "what waited was not sent");
}

#[tokio::test]
async fn a_success_between_failures_keeps_a_webhook_enabled() {
    let server = Server::with_two_projects().await;
    let receiver = Receiver::start().await;
    let webhook = create(&server, &receiver.url(), &["key.created"], None).await;
    let mut courier = server.courier();
    for day in 0..10 {
        receiver.reply([Reply::Status(if day == 4 { 200 } else { 410 - 10 })]);
        server.ingest_key("shop", &format!("key {day}")).await;
        round(&mut courier).await;
        // Only the newest is due again in time, so that each day has one attempt.
        server.clock.advance(Duration::from_hours(24));
        receiver.reply([]);
    }
    let view = server.get(&path(&webhook)).await.expect(200);
    assert_eq!(view["status"], "active", "{view}");
}

#[tokio::test]
async fn a_receiver_that_is_gone_is_told_nothing_more() {
    let server = Server::with_two_projects().await;
    let mut receiver = Receiver::start().await;
    let webhook = create(&server, &receiver.url(), &["key.created"], None).await;
    receiver.reply([Reply::Status(410)]);
    server.ingest_key("shop", "checkout").await;
    let mut courier = server.courier();
    round(&mut courier).await;
    assert!(receiver.arrived().is_some());
    let view = server.get(&path(&webhook)).await.expect(200);
    assert_eq!((&view["status"], &view["disabled_because"]), (&json!("disabled"), &json!("gone")));
    assert_eq!(deliveries(&server, &webhook).await[0]["state"], "failed");
}

#[tokio::test]
async fn deliveries_are_kept_for_thirty_days() {
    let server = Server::with_two_projects().await;
    let receiver = Receiver::start().await;
    let webhook = create(&server, &receiver.url(), &["key.created"], None).await;
    let mut courier = server.courier();
    for name in ["old", "young"] {
        server.ingest_key("shop", name).await;
        round(&mut courier).await;
        server.clock.advance(Duration::from_hours(20 * 24));
    }
    assert_eq!(deliveries(&server, &webhook).await.len(), 2);
    round(&mut courier).await;
    let left = deliveries(&server, &webhook).await;
    assert_eq!(left.len(), 1);
    assert!(server.clock.now() > crate::admin::START);
    assert_eq!(left[0]["created_at"], "2026-12-11T10:22:00.000000Z");
}
