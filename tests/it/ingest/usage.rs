//! Usage through the whole gate: every export that came in is counted once, as what its client was told, whatever happens.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use gridgate::catalog::{self, Catalog, Dimension, Paging, UsageFilter, UsageRow};
use gridgate::config::{Config, Span};
use gridgate::domain::limit::ScopeId;
use gridgate::domain::usage::{Fate, Step};
use gridgate::domain::{Signal, Timestamp, Transport};
use gridgate::server::catalog_settings;
use prost::Message as _;
use tonic_types::pb;

use super::client::{Answer, Export, Form, Raw};
use super::{Gate, Issued, serve};
use crate::catalog::slug;

/// How often each outcome was told, by key (none: empty), signal and outcome.
type Counts = BTreeMap<(String, String, String), u64>;

/// What the gate has told its client.
fn outcome(answer: &Answer, form: Form) -> String {
    let message = match form {
        Form::Grpc => match answer.headers.get("grpc-message") {
            None => return "accepted".to_owned(),
            Some(message) => message.to_str().expect("text").to_owned(),
        },
        _ if answer.status == 200 => return "accepted".to_owned(),
        Form::Protobuf => pb::Status::decode(&*answer.data).expect("a status").message,
        Form::Json => {
            let status: serde_json::Value = serde_json::from_slice(&answer.data).expect("JSON");
            status["message"].as_str().expect("a text").to_owned()
        }
    };
    message.split(|c: char| c != '_' && !c.is_ascii_lowercase()).next().expect("a reason").to_owned()
}

fn count(counts: &mut Counts, key: &str, signal: &str, outcome: &str, exports: u64) {
    *counts.entry((key.to_owned(), signal.to_owned(), outcome.to_owned())).or_default() += exports;
}

/// Sends one export of each form and signal, again and again, with `key`, and every fifth of them broken.
async fn load(gate: &Gate, key: Option<&Issued>, rounds: usize) -> Counts {
    let mut counts = Counts::new();
    for round in 0..rounds {
        for (place, signal) in Signal::ALL.into_iter().enumerate() {
            let form = Form::ALL[(round + place) % Form::ALL.len()];
            let mut export = Export::new(form, signal, "marker");
            if let Some(key) = key {
                export = export.key(&key.token);
            }
            if (round + place) % 5 == 4 {
                export = export.message("\u{7}no request");
            }
            let answer = export.send(gate).await;
            let id = key.map_or("", |key| &key.id);
            count(&mut counts, id, signal.as_str(), &outcome(&answer, form), 1);
        }
    }
    counts
}

fn merge(all: &mut Counts, some: Counts) {
    for ((key, signal, outcome), exports) in some {
        count(all, &key, &signal, &outcome, exports);
    }
}

fn filter(step: Step, by: &[Dimension]) -> UsageFilter {
    UsageFilter {
        step,
        from: Timestamp::from_micros(0),
        to: Timestamp::from_micros(i64::MAX),
        by: by.to_vec(),
        project: None,
        grid: None,
        environment: None,
        keys: Vec::new(),
        signal: None,
    }
}

async fn usage(catalog: &dyn Catalog, step: Step, by: &[Dimension]) -> Vec<UsageRow> {
    let paging = Paging { limit: 10_000, after: None };
    catalog.usage(&filter(step, by), &paging).await.expect("usage").items
}

/// What is written down, received left out; and whether it is consistent with itself.
async fn written(config: &Config) -> Counts {
    let catalog = catalog::connect(&catalog_settings(config)).await.expect("a catalog");
    let mut by_step = Vec::new();
    for step in Step::ALL {
        for by in [&[][..], &[Dimension::Project], &[Dimension::Key], &[Dimension::Signal], &Dimension::ALL] {
            for row in usage(&*catalog, step, by).await {
                assert_balanced(&row);
            }
        }
        let mut counts = Counts::new();
        for row in usage(&*catalog, step, &[Dimension::Key, Dimension::Signal]).await {
            for (fate, amount) in row.amounts.iter().filter(|(fate, _)| *fate != Fate::Received) {
                count(&mut counts, &row.names[0], &row.names[1], fate.as_str(), amount.exports);
            }
        }
        by_step.push(counts);
    }
    assert!(by_step.iter().all(|counts| *counts == by_step[0]), "minute, hour and day differ: {by_step:#?}");
    by_step.remove(0)
}

/// `received = accepted + Σ refused + gone`, in exports, and of what was read also in items and bytes.
fn assert_balanced(row: &UsageRow) {
    let sums = |received: bool| {
        let amounts = row.amounts.iter().filter(|(fate, _)| (*fate == Fate::Received) == received);
        amounts.filter(|(fate, _)| *fate != Fate::WouldRefuse).fold([0; 4], |sums, (_, amount)| {
            let one = [amount.exports, amount.items, amount.wire_bytes, amount.bytes];
            std::array::from_fn(|place| sums[place] + one[place])
        })
    };
    assert_eq!(sums(true), sums(false), "{row:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_export_is_counted_once_as_what_its_client_was_told() {
    let gate = Gate::with(|config| config.usage.flush_interval = Span(Duration::from_millis(5))).await;
    let (shop, bank, leaver) = (gate.key("shop").await, gate.key("bank").await, gate.key("shop").await);
    let revoked = gate.key("shop").await;
    let mut told = Counts::new();

    // Many at once, over some hours, and a key that is revoked while it is used.
    let half = load(&gate, Some(&revoked), 8).await;
    let (first, second, nobody, third, ()) = tokio::join!(
        load(&gate, Some(&shop), 40),
        load(&gate, Some(&bank), 40),
        load(&gate, None, 20),
        load(&gate, Some(&revoked), 30),
        async {
            for _ in 0..5 {
                gate.until("gridgate_unwritten_usage", |_| true).await;
                gate.clock.advance(Duration::from_mins(17));
            }
            gate.change(&revoked, "revoke").await;
        },
    );
    for counts in [half, first, second, nobody, third, load(&gate, Some(&revoked), 2).await] {
        merge(&mut told, counts);
    }
    let of_revoked = |outcome: &str| told.iter().any(|((key, _, told), _)| *key == revoked.id && told == outcome);
    assert!(of_revoked("accepted") && of_revoked("key_revoked") && of_revoked("body_undecodable"));
    let unknown = Export::traces(Form::Protobuf, &shop.token).to("/v1/spans").send(&gate).await;
    count(&mut told, "", "", &outcome(&unknown, Form::Protobuf), 1);

    // Clients that leave.
    for _ in 0..7 {
        let export = Export::new(Form::Protobuf, Signal::Logs, "marker").key(&leaver.token);
        let mut client = Raw::connect(gate.http).await;
        client.head(&export, "content-length: 1000\r\nexpect: 100-continue\r\n").await;
        client.read_head().await;
        client.write(&export.body).await;
    }
    gate.until("gridgate_exports_gone_total{transport=\"http\",signal=\"logs\"}", |gone| gone == 7).await;
    count(&mut told, &leaver.id, "logs", "gone", 7);

    // A log that cannot be written.
    gate.until("gridgate_backlog_bytes", |bytes| bytes == 0).await;
    let segments = gate.config.log_folder().join("segments");
    fs::remove_dir_all(&segments).expect("the folder is removed");
    fs::write(&segments, "in the way").expect("a file takes its place");
    let failed = load(&gate, Some(&shop), 4).await;
    assert!(failed.keys().any(|(_, _, outcome)| outcome == "log_unavailable"), "{failed:?}");
    merge(&mut told, failed);
    fs::remove_file(&segments).expect("the file is removed");
    assert_eq!(gate.get("/readyz").await.status, 200);
    merge(&mut told, load(&gate, Some(&shop), 3).await);

    // What is counted beside it is the same.
    let metrics = gate.metrics().await;
    let sum = |name: &str| -> u64 {
        metrics.iter().filter(|(sample, _)| sample.starts_with(name)).map(|(_, value)| value).sum()
    };
    assert_eq!(sum("gridgate_exports_received_total"), told.values().sum::<u64>());
    let clock = Arc::clone(&gate.clock);
    let mut stopped = gate.stop().await;
    assert_eq!(written(&stopped.config).await, told);

    // A restart goes on where it stopped; what comes then is written down at the end alone.
    clock.advance(Duration::from_hours(24));
    stopped.config.usage.flush_interval = Span(Duration::from_mins(5));
    let (server, ending) = serve(&stopped.config, &clock).await;
    let http = server.ingest_address(Transport::Http).expect("an address");
    let running = tokio::spawn(server.run());
    for (key, id) in [(&shop, &*shop.id), (&revoked, &*revoked.id)] {
        let answer = Export::new(Form::Json, Signal::Metrics, "marker").key(&key.token).send_to(http).await;
        count(&mut told, id, "metrics", &outcome(&answer, Form::Json), 1);
    }
    ending.cancel();
    running.await.expect("it does not panic").expect("it stops in good order");
    assert_eq!(written(&stopped.config).await, told);

    // And it is what the lake holds: each export was of one item, those without a key excepted.
    let catalog = catalog::connect(&catalog_settings(&stopped.config)).await.expect("a catalog");
    let lake = stopped.lake();
    let (from, to) = (Step::Day.start(crate::admin::START), Timestamp::from_micros(i64::MAX));
    for project in ["shop", "bank"] {
        let used = catalog.used(&ScopeId::Project(slug(project)), from, to).await.expect("an answer");
        for signal in Signal::ALL {
            let rows = lake.get(&format!("{project}/web/production/{signal}")).map_or(0, Vec::len);
            assert_eq!(used[signal.index()].items, rows as u64, "{project} {signal}");
        }
    }
}

/// What is counted while the catalog does not answer is written when it does again.
#[tokio::test]
async fn usage_waits_for_a_catalog_that_is_away() {
    let gate = Gate::with(|config| config.usage.flush_interval = Span(Duration::from_millis(5))).await;
    let key = gate.key("shop").await;
    Export::traces(Form::Grpc, &key.token).send(&gate).await.assert_success(Form::Grpc);
    gate.until("gridgate_unwritten_usage", |minutes| minutes == 0).await;
    crate::catalog::execute_at(&gate.config.catalog_url(), "ALTER TABLE usage RENAME TO hidden").await;
    for _ in 0..10 {
        Export::traces(Form::Grpc, &key.token).send(&gate).await.assert_success(Form::Grpc);
        gate.clock.advance(Duration::from_secs(1));
    }
    crate::catalog::execute_at(&gate.config.catalog_url(), "ALTER TABLE hidden RENAME TO usage").await;
    Export::traces(Form::Grpc, &key.token).send(&gate).await.assert_success(Form::Grpc);
    let stopped = gate.stop().await;
    let expected = Counts::from([((key.id, "traces".to_owned(), "accepted".to_owned()), 12)]);
    assert_eq!(written(&stopped.config).await, expected);
}

#[tokio::test]
async fn nothing_is_counted_where_that_is_switched_off() {
    let gate = Gate::with(|config| config.usage.enabled = false).await;
    let key = gate.key("shop").await;
    Export::traces(Form::Grpc, &key.token).send(&gate).await.assert_success(Form::Grpc);
    let stopped = gate.stop().await;
    assert_eq!(written(&stopped.config).await, Counts::new());
}
