//! Webhooks are told of alerts.

use std::sync::Arc;
use std::time::Duration;

use gridgate::catalog::UsageFlush;
use gridgate::domain::limit::{Limits, Terms};
use gridgate::domain::usage::{Amount, Counted, Fate, Step};
use gridgate::domain::{KeyId, Permissions, RecordId, Signal, Tenant};
use gridgate::metering::Measured;
use gridgate::metering::limiter::Limiter;
use gridgate::upkeep::alerts::Alerter;
use http::Method;
use serde_json::{Value, json};

use super::receiver::{Receiver, Reply};
use super::{create, round};
use crate::admin::Server;
use crate::admin::senders::sends;
use crate::catalog::slug;

async fn told(server: &Server, alerter: &Alerter, receiver: &mut Receiver) -> Vec<Value> {
    let unwritten = server.state().books.senders.take(server.now());
    server.state().catalog.record_senders(&unwritten.senders, &unwritten.others).await.expect("written");
    alerter.look().await.expect("a look");
    round(&mut server.courier()).await;
    std::iter::from_fn(|| receiver.arrived()).map(|message| message.json()).collect()
}

fn shop() -> Tenant {
    Tenant { project: slug("shop"), grid: slug("web"), environment: slug("production") }
}

async fn key(server: &Server) -> KeyId {
    server.ingest_key("shop", "a").await["key"]["id"].as_str().expect("an id").parse().expect("an id")
}

#[tokio::test]
async fn a_shared_key_is_told_of_once_although_the_receiver_fails_first() {
    let server = Server::with_two_projects().await;
    let mut receiver = Receiver::start().await;
    create(&server, &receiver.url(), &["key.shared"], Some("shop")).await;
    let id = key(&server).await.to_string();
    let (alerter, other_node) =
        (server.alerter(&Arc::new(Limiter::new(1))), server.alerter(&Arc::new(Limiter::new(1))));
    sends(&server, &id, "shop", "cart");
    assert!(told(&server, &alerter, &mut receiver).await.is_empty());
    sends(&server, &id, "shop", "check\u{1b}out");
    receiver.reply([Reply::Status(500)]);
    let first = told(&server, &alerter, &mut receiver).await;
    assert_eq!(first.len(), 1);
    assert_eq!((&first[0]["type"], &first[0]["subject"]), (&json!("gridgate.key.shared"), &json!(id)));
    let data = &first[0]["data"];
    assert_eq!((&data["key"], &data["project"]), (&json!(id), &json!("shop")));
    let mut services: Vec<_> =
        data["senders"].as_array().expect("senders").iter().map(|one| one["service"].as_str()).collect();
    services.sort();
    assert_eq!(services, [Some("cart"), Some("check\u{1b}out")]);
    server.clock.advance(Duration::from_mins(1));
    assert_eq!(told(&server, &other_node, &mut receiver).await, first, "the same message again");
    assert!(told(&server, &alerter, &mut receiver).await.is_empty());

    // A project's admin sees it, and another one's does not.
    for (project, expected) in [("shop", 1), ("bank", 0)] {
        let admin = server.admin(project, Some(project), Permissions::owner()).await;
        let seen = server.call(&admin, Method::GET, "/alerts", None).await.expect(200);
        assert_eq!(seen["data"].as_array().map(Vec::len), Some(expected), "{project}");
    }
    for query in ["alert=key.created", "key=x", "project=-", "nothing=1", "limit=0"] {
        server.get(&format!("/alerts?{query}")).await.problem(422, "invalid");
    }
}

#[tokio::test]
async fn a_quota_is_told_of_once_for_each_step_by_all_nodes() {
    let server = Server::with_two_projects().await;
    let mut receiver = Receiver::start().await;
    create(&server, &receiver.url(), &["quota.warning"], Some("shop")).await;
    let key = key(&server).await;
    let limits: Limits = "100 items/day".parse().expect("limits");
    let terms = Terms { limits: [limits, Limits::default(), Limits::default()], ..Terms::default() };
    let nodes = [0, 1].map(|_| Arc::new(Limiter::new(10)));
    let alerters = [0, 1].map(|node| server.alerter(&nodes[node]));
    let mut percents = Vec::new();
    for _ in 0..10 {
        for (limiter, alerter) in nodes.iter().zip(&alerters) {
            let scopes = Arc::new(limiter.scopes(key, &shop(), &terms));
            let items = Measured { items: 10, ..Measured::default() };
            scopes.charge(Signal::Logs, items, server.now(), server.now()).expect("it is let in").keep();
            // What could not be written down is told of later.
            server.take_database_away();
            let _ = alerter.look().await;
            server.give_database_back();
            percents
                .extend(told(&server, alerter, &mut receiver).await.iter().map(|one| one["data"]["percent"].clone()));
        }
    }
    assert_eq!(percents, [80, 90, 100].map(Value::from));
}

#[tokio::test]
async fn a_jump_in_volume_is_told_of_and_what_is_usual_is_not() {
    let server = Server::with_two_projects().await;
    let mut receiver = Receiver::start().await;
    create(&server, &receiver.url(), &["key.volume_jump"], None).await;
    let (jumping, usual, nightly) =
        (key(&server).await, KeyId::from_bare("usual1234567"), KeyId::from_bare("nightly12345"));
    let (usual, nightly) = (usual.expect("an id"), nightly.expect("an id"));
    let hour = |hours: u64| server.now().before(Duration::from_hours(hours));
    let of = |key, hours, exports| Counted {
        at: Step::Minute.start(hour(hours)),
        tenant: Some(Arc::new(shop())),
        key: Some(key),
        secret: None,
        signal: Some(Signal::Logs),
        fate: Fate::Received,
        amount: Amount { exports, items: exports, wire_bytes: 1, bytes: 1 },
    };
    let mut counted: Vec<_> = (1..50).flat_map(|hours| [of(jumping, hours, 200), of(usual, hours, 400)]).collect();
    counted.extend([of(jumping, 0, 1_001), of(usual, 0, 1_900)]);
    counted.extend([0, 24, 48, 72].map(|hours| of(nightly, hours, 50_000)));
    let flush = UsageFlush { writer: RecordId::from_bytes([1; 16]), number: 1, at: server.now() };
    server.state().catalog.record_usage(&flush, &counted).await.expect("written");
    let alerter = server.alerter(&Arc::new(Limiter::new(1)));
    let events = told(&server, &alerter, &mut receiver).await;
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(events[0]["subject"], json!(jumping.to_string()));
    let data = &events[0]["data"];
    assert_eq!((&data["exports"], &data["mean_exports"]), (&json!(1_001), &json!(200)));
    assert!(told(&server, &alerter, &mut receiver).await.is_empty());
}
