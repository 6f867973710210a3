//! What arrives, and how.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::sync::Semaphore;

use super::receiver::{Receiver, Reply};
use super::{create, deliveries, path, round};
use crate::admin::{START_TEXT, Server};

const ALL_OF_A_KEY: &[&str] = &["key.created", "key.disabled", "key.revoked"];

#[tokio::test]
async fn what_happens_to_a_key_arrives_signed() {
    let server = Server::with_two_projects().await;
    let mut receiver = Receiver::start().await;
    let webhook = create(&server, &receiver.url(), ALL_OF_A_KEY, None).await;
    let issued = server.ingest_key("shop", "checkout").await;
    let mut courier = server.courier();
    round(&mut courier).await;

    let message = receiver.arrived().expect("a message");
    let id = message.header("webhook-id").to_owned();
    assert!(id.starts_with("evt_"), "{id}");
    assert_eq!(message.path, "/hook?a=b");
    assert_eq!(message.header("content-type"), "application/cloudevents+json");
    assert_eq!(message.header("host"), receiver.address.to_string());
    assert_eq!(message.header("webhook-timestamp"), "1795256520");
    assert_eq!(message.signed_by(webhook["secret"].as_str().expect("a secret")), [true]);
    let mut event = message.json();
    let after = event["data"]["after"].take();
    assert_eq!((&after["name"], &after["environment"]), (&json!("checkout"), &json!("production")));
    let seq = event["data"]["audit_seq"].take();
    assert!(seq.as_i64() > Some(0), "{seq}");
    assert_eq!(
        event,
        json!({
            "specversion": "1.0",
            "id": id,
            "source": "urn:gridgate",
            "type": "gridgate.key.created",
            "datacontenttype": "application/json",
            "subject": issued["key"]["id"],
            "time": START_TEXT,
            "data": {
                "key": issued["key"]["id"],
                "project": "shop",
                "actor": {"key": server.owner.id, "name": "owner", "via": "api"},
                "before": null,
                "after": null,
                "audit_seq": null,
            },
        })
    );
    let token = issued["token"].as_str().expect("a token");
    assert!(!message.text.contains(&token[token.len() - 38..]), "a message shows a token");

    round(&mut courier).await;
    assert!(receiver.arrived().is_none(), "it was told twice");
    let delivered = deliveries(&server, &webhook).await;
    assert_eq!(delivered.len(), 1);
    let expected = json!({"state": "delivered", "kind": "key.created", "attempts": 1, "status": 204, "error": null});
    for (field, value) in expected.as_object().expect("an object") {
        assert_eq!(delivered[0][field], *value, "{field}");
    }
}

#[tokio::test]
async fn each_hears_of_what_it_asked_for() {
    let server = Server::with_two_projects().await;
    let mut receivers = [Receiver::start().await, Receiver::start().await, Receiver::start().await];
    create(&server, &receivers[0].url(), &["key.created"], Some("shop")).await;
    create(&server, &receivers[1].url(), &["key.disabled"], Some("bank")).await;
    create(&server, &receivers[2].url(), &["key.created", "key.disabled"], None).await;
    for project in ["shop", "bank"] {
        let id = server.ingest_key(project, "web").await["key"]["id"].as_str().expect("an id").to_owned();
        server.post(&format!("/keys/{id}/disable"), &json!({})).await.expect(200);
    }
    round(&mut server.courier()).await;
    let mut heard = Vec::new();
    for receiver in &mut receivers {
        let mut messages = Vec::new();
        while let Some(message) = receiver.arrived() {
            let event = message.json();
            messages.push(format!(
                "{} {}",
                event["data"]["project"].as_str().unwrap(),
                event["type"].as_str().unwrap()
            ));
        }
        messages.sort();
        heard.push(messages.join(", "));
    }
    assert_eq!(
        heard,
        [
            "shop gridgate.key.created",
            "bank gridgate.key.disabled",
            "bank gridgate.key.created, bank gridgate.key.disabled, shop gridgate.key.created, shop gridgate.key.disabled",
        ]
    );
}

#[tokio::test]
async fn a_failure_is_tried_again_with_the_same_id() {
    let server = Server::with_two_projects().await;
    let mut receiver = Receiver::start().await;
    let webhook = create(&server, &receiver.url(), ALL_OF_A_KEY, None).await;
    server.ingest_key("shop", "checkout").await;
    receiver.reply([Reply::Status(500), Reply::Status(503)]);
    let mut courier = server.courier();
    round(&mut courier).await;
    let first = receiver.arrived().expect("a message");
    let pending = &deliveries(&server, &webhook).await[0];
    assert_eq!(
        (&pending["state"], &pending["attempts"], &pending["status"]),
        (&json!("pending"), &json!(1), &json!(500))
    );
    assert_eq!(pending["error"], "the answer was 500 Internal Server Error");

    server.clock.advance(Duration::from_secs(7));
    round(&mut courier).await;
    assert!(receiver.arrived().is_none(), "it was sent before its time");
    server.clock.advance(Duration::from_secs(6));
    round(&mut courier).await;
    let second = receiver.arrived().expect("a message");
    server.clock.advance(Duration::from_secs(73));
    round(&mut courier).await;
    let third = receiver.arrived().expect("a message");
    for again in [&second, &third] {
        assert_eq!(again.header("webhook-id"), first.header("webhook-id"));
        assert_eq!(again.text, first.text);
        assert_ne!(again.header("webhook-timestamp"), first.header("webhook-timestamp"));
        assert_eq!(again.signed_by(webhook["secret"].as_str().expect("a secret")), [true]);
    }
    assert_eq!(deliveries(&server, &webhook).await[0]["state"], "delivered");
}

/// `Retry-After` in seconds and as a date puts the next attempt off, by six hours at the most, and never brings it forward.
#[tokio::test]
async fn a_receiver_says_when_to_come_again() {
    for (asked, early, late) in [
        ("120", 119, 120),
        ("Sat, 21 Nov 2026 10:24:00 GMT", 119, 120),
        ("0", 7, 12),
        ("soon", 7, 12),
        ("99999999999999999999", 6 * 3600 - 1, 6 * 3600),
    ] {
        let server = Server::with_two_projects().await;
        let mut receiver = Receiver::start().await;
        create(&server, &receiver.url(), ALL_OF_A_KEY, None).await;
        server.ingest_key("shop", "checkout").await;
        receiver.reply([Reply::Later(asked.to_owned())]);
        let mut courier = server.courier();
        round(&mut courier).await;
        receiver.arrived().expect("a message");
        server.clock.advance(Duration::from_secs(early));
        round(&mut courier).await;
        assert!(receiver.arrived().is_none(), "{asked}: it was sent before its time");
        server.clock.advance(Duration::from_secs(late - early));
        round(&mut courier).await;
        assert!(receiver.arrived().is_some(), "{asked}: it was not sent in time");
    }
}

#[tokio::test]
async fn after_a_day_it_is_given_up() {
    let server = Server::with_two_projects().await;
    let mut receiver = Receiver::start().await;
    let webhook = create(&server, &receiver.url(), ALL_OF_A_KEY, None).await;
    server.ingest_key("shop", "checkout").await;
    receiver.reply((0..20).map(|_| Reply::Status(500)));
    let mut courier = server.courier();
    for _ in 0..12 {
        round(&mut courier).await;
        server.clock.advance(Duration::from_hours(19));
    }
    let failed = &deliveries(&server, &webhook).await[0];
    assert_eq!(
        (&failed["state"], &failed["attempts"], &failed["next_at"]),
        (&json!("failed"), &json!(8), &json!(null))
    );
    assert_eq!(std::iter::from_fn(|| receiver.arrived()).count(), 8);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let server = Server::with_two_projects().await;
    let (mut receiver, mut other) = (Receiver::start().await, Receiver::start().await);
    let webhook = create(&server, &receiver.url(), ALL_OF_A_KEY, None).await;
    receiver.reply([Reply::Redirect(other.url())]);
    server.ingest_key("shop", "checkout").await;
    round(&mut server.courier()).await;
    assert!(receiver.arrived().is_some() && other.arrived().is_none());
    let pending = &deliveries(&server, &webhook).await[0];
    assert_eq!(pending["error"], "the answer was 307 Temporary Redirect; redirects are not followed");
}

#[tokio::test]
async fn one_that_does_not_answer_holds_up_nobody_else() {
    let server = Server::with_two_projects().await;
    let (mut slow, mut quick) = (Receiver::start().await, Receiver::start().await);
    let slow_webhook = create(&server, &slow.url(), ALL_OF_A_KEY, None).await;
    create(&server, &quick.url(), ALL_OF_A_KEY, None).await;
    let answer = Arc::new(Semaphore::new(0));
    slow.reply((0..10).map(|_| Reply::Wait(Arc::clone(&answer))));
    for index in 0..6 {
        server.ingest_key("shop", &format!("key {index}")).await;
    }
    let mut courier = server.courier();
    courier.round().await.expect("a round");
    for _ in 0..4 {
        slow.message().await;
        quick.message().await;
    }
    // Its lane is full; the other's is not.
    while quick.arrived().is_some() {}
    let mut later = 0;
    while later < 2 {
        courier.round().await.expect("a round");
        later += std::iter::from_fn(|| quick.arrived()).count();
        tokio::task::yield_now().await;
    }
    assert!(slow.arrived().is_none(), "more is under way for one webhook than there may be");
    let pending = deliveries(&server, &slow_webhook).await;
    assert_eq!(pending.iter().filter(|one| one["state"] == "pending").count(), 6);
    answer.add_permits(4);
    courier.settle().await;
    let done = deliveries(&server, &slow_webhook).await;
    assert_eq!(done.iter().filter(|one| one["state"] == "delivered").count(), 4);
}

#[tokio::test]
async fn the_secret_before_signs_too_for_a_day() {
    let server = Server::with_two_projects().await;
    let mut receiver = Receiver::start().await;
    let webhook = create(&server, &receiver.url(), ALL_OF_A_KEY, None).await;
    let answer = server.post(&format!("{}/rotate-secret", path(&webhook)), &json!({})).await;
    let rotated = answer.expect(200);
    assert_eq!(answer.header("etag"), Some("\"2\""));
    assert_eq!(rotated["webhook"]["secret_version"], 2);
    assert_eq!(rotated["webhook"]["previous_secret_until"], "2026-11-22T10:22:00.000000Z");
    let secrets = [&rotated, &webhook].map(|answer| answer["secret"].as_str().expect("a secret").to_owned());
    assert_ne!(secrets[0], secrets[1]);
    let mut courier = server.courier();
    for (signed, after) in [([true, true], Duration::from_hours(24)), ([true, false], Duration::ZERO)] {
        server.ingest_key("shop", &format!("key {signed:?}")).await;
        round(&mut courier).await;
        let message = receiver.arrived().expect("a message");
        let by = |secret: &String| message.signed_by(secret).contains(&true);
        assert_eq!([by(&secrets[0]), by(&secrets[1])], signed);
        server.clock.advance(after);
    }
}
