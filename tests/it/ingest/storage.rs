//! Storage or catalog fail: nothing is acknowledged that is not durable, clients are told to come again, and all is well afterwards.

use std::fs;
use std::time::Duration;

use gridgate::config::{Bytes, Span};

use super::client::{Export, Form};
use super::told::told;
use super::{Gate, eventually};
use crate::catalog::execute_at;

/// Clauses T44 and T54 of docs/otlp.md.
#[tokio::test]
async fn a_log_that_cannot_be_written() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    Export::traces(Form::Protobuf, &key.token).send(&gate).await.assert_success(Form::Protobuf);
    // Delivered, so that nothing is lost with the folder.
    gate.until("gridgate_backlog_bytes", |bytes| bytes == 0).await;
    let segments = gate.config.log_folder().join("segments");
    fs::remove_dir_all(&segments).expect("the folder is removed");
    fs::write(&segments, "in the way").expect("a file takes its place");
    for form in Form::ALL {
        told("log_unavailable").key(&key.id).check(&Export::traces(form, &key.token).send(&gate).await, form);
    }
    let answer = gate.get("/readyz").await;
    assert_eq!((answer.status, &*answer.text()), (503, "not ready: the log cannot be written\n"));
    assert_eq!(gate.get("/healthz").await.status, 200);
    fs::remove_file(&segments).expect("the file is removed");
    // Nobody sends anything to a gate that is not ready, and yet it becomes ready.
    assert_eq!(gate.get("/readyz").await.status, 200);
    assert!(super::files(&segments).is_empty());
    for form in Form::ALL {
        Export::traces(form, &key.token).send(&gate).await.assert_success(form);
    }
    assert_eq!(gate.stop().await.lake()["shop/web/production/traces"], ["marker"; 4]);
}

/// Clause T44 of docs/otlp.md.
#[tokio::test]
async fn a_backlog_that_is_full() {
    let gate = Gate::with(|config| {
        config.log.backlog = Bytes(1);
        config.lake.interval = Span(Duration::from_millis(10));
    })
    .await;
    let key = gate.key("shop").await;
    let tenant = gate.config.lake_folder().join("shop");
    fs::write(&tenant, "in the way").expect("a file is in the place of the tenant's folder");
    Export::traces(Form::Protobuf, &key.token).send(&gate).await.assert_success(Form::Protobuf);
    gate.until("gridgate_delivery_failures_total", |failures| failures > 0).await;
    for form in Form::ALL {
        told("backlog_full").key(&key.id).check(&Export::traces(form, &key.token).send(&gate).await, form);
        // Who has no good key learns nothing of it.
        told("key_malformed").check(&Export::traces(form, "nonsense").send(&gate).await, form);
    }
    let answer = gate.get("/readyz").await;
    assert_eq!((answer.status, &*answer.text()), (503, "not ready: too much waits for delivery (log.backlog)\n"));
    fs::remove_file(&tenant).expect("the file is removed");
    eventually("it is ready", async || gate.get("/readyz").await.status == 200).await;
    Export::traces(Form::Grpc, &key.token).send(&gate).await.assert_success(Form::Grpc);
    assert_eq!(gate.stop().await.lake()["shop/web/production/traces"], ["marker"; 2]);
}

/// Clauses T44 and T62 of docs/otlp.md.
#[tokio::test]
async fn a_catalog_that_does_not_answer() {
    let gate = Gate::start().await;
    let (warm, cold) = (gate.key("shop").await, gate.key("shop").await);
    Export::traces(Form::Protobuf, &warm.token).send(&gate).await.assert_success(Form::Protobuf);
    execute_at(&gate.config.catalog_url(), "ALTER TABLE keys RENAME TO hidden").await;
    for form in Form::ALL {
        let unavailable = told("catalog_unavailable");
        unavailable.check(&Export::traces(form, &cold.token).send(&gate).await, form);
        Export::traces(form, &warm.token).send(&gate).await.assert_success(form);
    }
    // Through the time to live and the grace period, and no further.
    gate.clock.advance(Duration::from_secs(329));
    Export::traces(Form::Grpc, &warm.token).send(&gate).await.assert_success(Form::Grpc);
    gate.clock.advance(Duration::from_secs(1));
    told("catalog_unavailable").check(&Export::traces(Form::Grpc, &warm.token).send(&gate).await, Form::Grpc);
    execute_at(&gate.config.catalog_url(), "ALTER TABLE hidden RENAME TO keys").await;
    gate.clock.advance(Duration::from_secs(1));
    for form in Form::ALL {
        Export::traces(form, &cold.token).send(&gate).await.assert_success(form);
    }
    gate.stop().await;
}
