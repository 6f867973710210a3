//! Notices: who is told what of a key that needs attention, and how often.

use std::time::Duration;

use gridgate::domain::hygiene::Flag;
use gridgate::domain::key::{DigestAlgorithm, KeyChange, NewSecret, SecretFormat};
use gridgate::domain::{Actor, Clock as _, Digest, KeyId};
use serde_json::json;

use super::receiver::Receiver;
use super::{create, round};
use crate::admin::{Server, ingest};

const DAY: Duration = Duration::from_hours(24);

/// Every notice that has arrived: project, type and days.
async fn told(server: &Server, receiver: &mut Receiver) -> Vec<String> {
    let inspector = server.inspector();
    inspector.inspect(Duration::ZERO).await.expect("an inspection");
    round(&mut server.courier()).await;
    let mut told = Vec::new();
    while let Some(message) = receiver.arrived() {
        let event = message.json();
        let data = &event["data"];
        assert_eq!(data["key"], event["subject"]);
        let kind = event["type"].as_str().expect("a type");
        told.push(format!("{} {} {}", data["name"].as_str().expect("a name"), kind, data["days"]));
    }
    told.sort();
    told
}

const ALL: &[&str] = &["key.rotation_due", "key.expiring", "key.unused", "key.never_used", "key.weak"];

#[tokio::test]
async fn each_notice_is_given_once_and_the_most_urgent_first() {
    let server = Server::with_two_projects().await;
    let mut receiver = Receiver::start().await;
    create(&server, &receiver.url(), ALL, Some("shop")).await;
    let mut short = ingest("shop", "short");
    short["expires_at"] = json!("2026-12-31T10:22:00Z");
    server.post("/keys", &short).await.expect(201);
    server.ingest_key("shop", "long").await;
    // Of another project, whose notices go elsewhere.
    server.ingest_key("bank", "other").await;
    let nothing: [&str; 0] = [];
    for (days, expected) in [
        (0, &nothing[..]),
        (1, &["long gridgate.key.never_used 1", "short gridgate.key.never_used 1"]),
        (1, &nothing),
        // 5 days are left: of 30 and 7, the smaller number.
        (33, &["short gridgate.key.expiring 7"]),
        (4, &["short gridgate.key.expiring 1"]),
        // It has expired. The other one is 45 days old.
        (6, &["long gridgate.key.unused 45"]),
        (45, &["long gridgate.key.rotation_due null", "long gridgate.key.unused 90"]),
        (10, &nothing),
    ] {
        server.clock.advance(DAY * days);
        assert_eq!(told(&server, &mut receiver).await, expected, "after {days} more days");
        assert_eq!(told(&server, &mut receiver).await, nothing, "it was told twice");
    }
}

#[tokio::test]
async fn a_cause_that_comes_back_is_told_again() {
    let server = Server::with_two_projects().await;
    let mut receiver = Receiver::start().await;
    create(&server, &receiver.url(), &["key.rotation_due"], None).await;
    let issued = server.ingest_key("shop", "checkout").await;
    let id: KeyId = issued["key"]["id"].as_str().expect("an id").parse().expect("an id");
    for byte in 1..3 {
        assert!(told(&server, &mut receiver).await.is_empty());
        server.clock.advance(DAY * 90);
        let mut due = told(&server, &mut receiver).await;
        // The owner's own key is due, too, the first time.
        due.retain(|one| one.starts_with("checkout"));
        assert_eq!(due, ["checkout gridgate.key.rotation_due null"], "{byte}");
        let secret = NewSecret {
            digest: Digest::from_bytes([byte; 32]),
            algorithm: DigestAlgorithm::HmacSha256 { pepper: 1 },
            format: SecretFormat::Token,
        };
        let by = Actor::system("test", server.clock.now());
        server.state().catalog.change_key(&id, &KeyChange::Regenerate(secret), None, &by).await.expect("a new secret");
    }
}

#[tokio::test]
async fn two_nodes_give_one_notice_and_count_alike() {
    let server = Server::with_two_projects().await;
    let mut receiver = Receiver::start().await;
    create(&server, &receiver.url(), &["key.never_used"], Some("shop")).await;
    server.ingest_key("shop", "checkout").await;
    server.ingest_key("shop", "cart").await;
    server.clock.advance(DAY);
    let (one, two) = (server.inspector(), server.inspector());
    let (first, second) = tokio::join!(one.inspect(Duration::ZERO), two.inspect(Duration::ZERO));
    first.and(second).expect("inspections");
    round(&mut server.courier()).await;
    assert_eq!(std::iter::from_fn(|| receiver.arrived()).count(), 2);
    for inspector in [one, two] {
        // Two keys, and the owner's own, which is used but of whose use nothing is written down here.
        assert_eq!(inspector.metrics.of(Flag::NeverUsed), 3);
        assert_eq!(inspector.metrics.of(Flag::RotationDue), 0);
    }
}

#[tokio::test]
async fn a_notice_is_not_lost_where_the_catalog_fails() {
    let server = Server::with_two_projects().await;
    let mut receiver = Receiver::start().await;
    create(&server, &receiver.url(), &["key.never_used"], Some("shop")).await;
    server.ingest_key("shop", "checkout").await;
    server.clock.advance(DAY);
    server.take_database_away();
    server.inspector().inspect(Duration::ZERO).await.expect_err("there is no database");
    server.give_database_back();
    assert_eq!(told(&server, &mut receiver).await, ["checkout gridgate.key.never_used 1"]);
}
