//! What is done for an export, and counted of it, when it is refused early or its client leaves.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use gridgate::domain::limit::ScopeId;
use gridgate::domain::{Clock as _, Limits, Signal};
use gridgate::ingest;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::bare::{Bare, answer};
use super::client::{Export, Form};
use super::{Gate, eventually, new_key};

/// T63, and catalogue C3: not one byte.
#[tokio::test]
async fn a_body_is_not_touched_before_its_key_is_good() {
    let server = Gate::start().await;
    let good = server.key("shop").await;
    let revoked = server.created(&new_key("one")).await;
    server.change(&revoked, "revoke").await;
    let Bare { gate, committer } = Bare::of(&server).await;
    let export = Export::new(Form::Protobuf, Signal::Traces, "marker");
    let polls = Arc::new(AtomicUsize::new(0));
    let many = (0..100).fold(export.clone().key(&good.token), |export, number| export.and(&format!("x-{number}"), ""));
    for (refused, status) in [
        (export.clone(), 401),
        (export.clone().key("nonsense"), 401),
        (export.clone().key(&revoked.token), 401),
        (export.clone().key(&good.token).and("api-key", &revoked.token), 400),
        (export.clone().key(&good.token).to("/v1/spans"), 404),
        (Export { method: "PUT", ..export.clone().key(&good.token) }, 405),
        (export.clone().key(&good.token).with("content-type", "text/plain"), 415),
        (export.clone().key(&good.token).with("content-encoding", "br"), 415),
        (many, 431),
    ] {
        assert_eq!(answer(&gate, &refused, &polls).await.status(), status);
    }
    assert_eq!(polls.load(Ordering::Relaxed), 0);
    let closed = CancellationToken::new();
    let committing = tokio::spawn(committer.run(closed.clone()));
    assert_eq!(answer(&gate, &export.key(&good.token), &polls).await.status(), 200);
    assert_ne!(polls.load(Ordering::Relaxed), 0);
    closed.cancel();
    committing.await.expect("the log ends");
    server.stop().await;
}

/// Sends an export whose client leaves when the log has it.
async fn leave(gate: &ingest::Gate, export: &Export) {
    let polls = Arc::new(AtomicUsize::new(0));
    let mut answering = pin!(answer(gate, export, &polls));
    poll_fn(|context| {
        assert!(answering.as_mut().poll(context).is_pending(), "the log does not write yet");
        // From here to the log there is nothing to wait for.
        if gate.budget.used() > 0 { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

fn count(gate: &ingest::Gate, outcome: &str) -> bool {
    gate.metrics.render().contains(&format!("gridgate_{outcome} 1\n"))
}

/// What is stored is counted as accepted, and what is not as refused, whether its client waits or not.
#[tokio::test]
async fn a_client_that_leaves_when_the_log_has_its_export() {
    let server = Gate::start().await;
    let key = server.key("shop").await;
    let export = Export::traces(Form::Protobuf, &key.token);
    let labels = "{transport=\"http\",signal=\"traces\"}";
    let refused = "{transport=\"http\",signal=\"traces\",reason=\"shutting_down\"}";

    let Bare { gate, committer } = Bare::of(&server).await;
    leave(&gate, &export).await;
    let closed = CancellationToken::new();
    closed.cancel();
    committer.run(closed).await;
    eventually("it is accepted", async || count(&gate, &format!("exports_accepted_total{labels}"))).await;
    for counted in ["exports_received_total", "items_accepted_total"] {
        assert!(count(&gate, &format!("{counted}{labels}")), "{counted}");
    }
    assert!(!count(&gate, &format!("exports_gone_total{labels}")));
    assert_eq!(gate.budget.used(), 0);

    let Bare { gate, committer } = Bare::of(&server).await;
    leave(&gate, &export).await;
    drop(committer);
    eventually("it is refused", async || count(&gate, &format!("exports_refused_total{refused}"))).await;
    assert!(count(&gate, &format!("exports_received_total{labels}")));
    assert!(!count(&gate, &format!("exports_accepted_total{labels}")));
    assert!(!count(&gate, &format!("exports_gone_total{labels}")));
    assert_eq!(gate.budget.used(), 0);
    server.stop().await;
}

/// What is not stored is given back to the limits, also when nobody waits for it.
#[tokio::test]
async fn a_client_that_leaves_is_charged_for_what_is_stored() {
    let server = Gate::start().await;
    let mut new = new_key("one");
    new["limits"] = json!([{"unit": "requests", "per": "second", "amount": 5}]);
    let key = server.created(&new).await;
    let (id, limits) = (ScopeId::Key(key.id.parse().expect("an id")), "5 requests/second".parse().expect("a limit"));
    let left =
        |gate: &ingest::Gate, limits: &Limits| gate.keys.limiter().standings(&id, limits, server.clock.now())[0].left;
    let export = Export::traces(Form::Protobuf, &key.token);

    let Bare { gate, committer } = Bare::of(&server).await;
    leave(&gate, &export).await;
    assert_eq!(left(&gate, &limits), 4);
    drop(committer);
    eventually("it is given back", async || left(&gate, &limits) == 5).await;
    // One whose client waits.
    assert_eq!(answer(&gate, &export, &Arc::default()).await.status(), 503);
    assert_eq!(left(&gate, &limits), 5);

    let Bare { gate, committer } = Bare::of(&server).await;
    leave(&gate, &export).await;
    let closed = CancellationToken::new();
    closed.cancel();
    committer.run(closed).await;
    let accepted = "exports_accepted_total{transport=\"http\",signal=\"traces\"}";
    eventually("it is accepted", async || count(&gate, accepted)).await;
    assert_eq!(left(&gate, &limits), 4);
    server.stop().await;
}
