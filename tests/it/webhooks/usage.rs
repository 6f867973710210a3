//! What was used, told by the hour: whoever counts each id once knows exactly what was accepted.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use gridgate::catalog::UsageFlush;
use gridgate::domain::usage::{Amount, Counted, Fate, Step};
use gridgate::domain::{KeyId, RecordId, Signal, Tenant, Timestamp};
use gridgate::upkeep::usage::told::UsageTeller;
use serde_json::{Value, json};

use super::receiver::{Message, Receiver, Reply};
use super::{create, deliveries, round};
use crate::admin::{START, Server};
use crate::catalog::slug;

const HOUR: Duration = Duration::from_hours(1);

fn teller(server: &Server) -> UsageTeller {
    UsageTeller {
        catalog: Arc::clone(&server.state().catalog),
        clock: Arc::clone(&server.clock) as _,
        patience: Duration::from_mins(2),
        keep: [2 * 24 * HOUR, 62 * 24 * HOUR, 365 * 24 * HOUR],
    }
}

/// Writes down `exports` accepted exports, by the key of that number, and as many that were refused.
async fn used(server: &Server, number: u64, at: Timestamp, project: &str, key: u32, exports: u64) {
    let tenant = Tenant { project: slug(project), grid: slug("web"), environment: slug("production") };
    let of = |fate| Counted {
        at: Step::Minute.start(at),
        tenant: Some(Arc::new(tenant.clone())),
        key: KeyId::from_bare(&format!("{key:012}")),
        secret: None,
        signal: Some(Signal::Logs),
        fate,
        amount: Amount { exports, items: 2 * exports, wire_bytes: 3 * exports, bytes: 4 * exports },
    };
    let flush = UsageFlush { writer: RecordId::from_bytes([1; 16]), number, at: server.now() };
    let counted = [of(Fate::Received), of(Fate::Accepted), of(Fate::Gone)];
    assert!(server.state().catalog.record_usage(&flush, &counted).await.expect("it is written"));
}

/// What a receiver makes of messages: each id once.
#[derive(Default)]
struct Bills {
    seen: BTreeMap<String, String>,
    /// Exports and bytes by hour and key.
    sums: BTreeMap<(String, String), (u64, u64)>,
}

impl Bills {
    fn take(&mut self, message: &Message) {
        let id = message.header("webhook-id").to_owned();
        let event = message.json();
        assert_eq!(event["id"], id);
        if let Some(before) = self.seen.insert(id, message.text.clone()) {
            assert_eq!(before, message.text, "an id has two messages");
            return;
        }
        let data = &event["data"];
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let number = |value: &Value| value.as_u64().expect("a number");
        let sum = self.sums.entry((text(&data["from"]), text(&data["key"]))).or_default();
        *sum = (sum.0 + number(&data["exports"]), sum.1 + number(&data["bytes"]));
    }
}

#[tokio::test]
async fn an_hour_that_is_over_is_told() {
    let server = Server::with_two_projects().await;
    let (mut all, mut bank) = (Receiver::start().await, Receiver::start().await);
    create(&server, &all.url(), &["usage.recorded"], None).await;
    create(&server, &bank.url(), &["usage.recorded"], Some("bank")).await;
    used(&server, 1, START, "shop", 1, 5).await;
    used(&server, 2, START, "bank", 2, 7).await;
    let mut courier = server.courier();
    // 10:22, then 11:01: the hour is over, and may still be written about.
    for minutes in [0, 39] {
        server.clock.advance(Duration::from_mins(minutes));
        teller(&server).round().await.expect("a round");
        round(&mut courier).await;
        assert!(all.arrived().is_none());
    }
    server.clock.advance(Duration::from_mins(1));
    teller(&server).round().await.expect("a round");
    round(&mut courier).await;
    let event = bank.arrived().expect("a message").json();
    let data = json!({
        "from": "2026-11-21T10:00:00.000000Z",
        "to": "2026-11-21T11:00:00.000000Z",
        "project": "bank",
        "grid": "web",
        "environment": "production",
        "key": "key_000000000002",
        "signal": "logs",
        "number": 1,
        "exports": 7,
        "items": 14,
        "wire_bytes": 21,
        "bytes": 28,
    });
    assert_eq!((&event["data"], &event["type"]), (&data, &json!("gridgate.usage.recorded")));
    assert_eq!((&event["subject"], &event["time"]), (&data["key"], &data["to"]));
    let mut told: Vec<_> = [all.arrived(), all.arrived()].map(|message| message.expect("a message").json()).into();
    told.sort_by_key(|event| event["data"]["project"].to_string());
    assert_eq!(told[0], event);
    assert_eq!((&told[1]["data"]["project"], &told[1]["data"]["exports"]), (&json!("shop"), &json!(5)));
    assert!(all.arrived().is_none() && bank.arrived().is_none());
}

/// Two nodes that stop and start, a receiver that fails, and counts that come late.
#[tokio::test]
async fn whoever_counts_each_id_once_is_exact() {
    let server = Server::with_two_projects().await;
    let mut receiver = Receiver::start().await;
    let webhook = create(&server, &receiver.url(), &["usage.recorded"], None).await;
    receiver.reply((0..40).map(|number| Reply::Status(if number % 3 == 0 { 204 } else { 503 })));
    let (mut bills, mut flushes) = (Bills::default(), 0);
    let mut expected = BTreeMap::<(String, String), (u64, u64)>::new();
    for hour in 0..6_u32 {
        for (key, late) in [(1, 0), (2, 0), (3, 0), (1, 1), (2, 2)] {
            // Of this hour, of the last, and of the one before.
            if late > hour {
                continue;
            }
            flushes += 1;
            let at = server.now().before(HOUR * late);
            used(&server, flushes, at, "shop", key, 1 + u64::from(hour + key)).await;
            let name = (Step::Hour.start(at).to_string(), format!("key_{key:012}"));
            let sum = expected.entry(name).or_default();
            *sum = (sum.0 + 1 + u64::from(hour + key), sum.1 + 4 * (1 + u64::from(hour + key)));
        }
        server.clock.advance(HOUR);
        // The database goes away and comes back; two nodes that know nothing of each other have just been started.
        server.take_database_away();
        teller(&server).round().await.expect_err("there is no database");
        server.give_database_back();
        let (one, other) = (teller(&server), teller(&server));
        let (one, other) = tokio::join!(one.round(), other.round());
        one.and(other).expect("rounds");
        let (mut one, mut other) = (server.courier(), server.courier());
        let (first, second) = tokio::join!(one.round(), other.round());
        first.and(second).expect("rounds");
        one.settle().await;
        other.settle().await;
        while let Some(message) = receiver.arrived() {
            bills.take(&message);
        }
    }
    // What failed is sent again.
    for _ in 0..8 {
        server.clock.advance(20 * HOUR);
        let mut courier = server.courier();
        for _ in 0..20 {
            round(&mut courier).await;
        }
        while let Some(message) = receiver.arrived() {
            bills.take(&message);
        }
    }
    assert!(deliveries(&server, &webhook).await.iter().all(|delivery| delivery["state"] == "delivered"));
    assert_eq!(bills.sums, expected);
    // Late counts have events of their own.
    assert!(bills.seen.len() > bills.sums.len(), "{} events", bills.seen.len());
}

/// A webhook that is made later is told of what is over from then on.
#[tokio::test]
async fn what_was_over_before_is_not_told() {
    let server = Server::with_two_projects().await;
    let mut receiver = Receiver::start().await;
    used(&server, 1, START, "shop", 1, 5).await;
    server.clock.advance(HOUR);
    teller(&server).round().await.expect("a round");
    create(&server, &receiver.url(), &["usage.recorded"], None).await;
    used(&server, 2, server.now(), "shop", 1, 6).await;
    server.clock.advance(HOUR);
    teller(&server).round().await.expect("a round");
    round(&mut server.courier()).await;
    assert_eq!(receiver.arrived().expect("a message").json()["data"]["exports"], 6);
    assert!(receiver.arrived().is_none());
    // And nothing is told again once it is forgotten.
    server.clock.advance(100 * 24 * HOUR);
    teller(&server).round().await.expect("a round");
    round(&mut server.courier()).await;
    assert!(receiver.arrived().is_none());
    assert_eq!(server.count("usage_hours").await, 0);
}
