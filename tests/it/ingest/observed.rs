//! Health, and the counters of outcomes.

use std::collections::BTreeMap;

use gridgate::domain::Signal;

use super::Gate;
use super::client::{Export, Form, Raw, frame};
use super::unread::Call;

#[tokio::test]
async fn health_needs_no_key() {
    let gate = Gate::start().await;
    for (path, text) in [("/healthz", "alive\n"), ("/readyz", "ready\n")] {
        let answer = gate.get(path).await;
        assert_eq!((answer.status, &*answer.text()), (200, text));
    }
    let metrics = gate.get("/metrics").await;
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!((metrics.status, metrics.headers()[0].1.as_str()), (200, content_type));
    assert!(metrics.text().ends_with("# EOF\n"));
    // `HealthCheckResponse` with the status SERVING.
    let check = Export::new(Form::Grpc, Signal::Logs, "").to("/grpc.health.v1.Health/Check").message("");
    let answer = check.with("te", "trailers").send(&gate).await;
    assert_eq!((answer.status, &*answer.data), (200, &*frame(0, &[8, 1])));
    assert_eq!(answer.trailers.expect("trailers")["grpc-status"], "0");
    // None of this is an export.
    assert!(received(&gate.metrics().await) == 0);
    gate.stop().await;
}

fn received(metrics: &BTreeMap<String, u64>) -> u64 {
    sum(metrics, "gridgate_exports_received_total", "")
}

/// The sum of all samples of `name` with `label` among their labels.
pub(super) fn sum(metrics: &BTreeMap<String, u64>, name: &str, label: &str) -> u64 {
    let is_it = |sample: &str| sample.starts_with(&format!("{name}{{")) && sample.contains(label);
    metrics.iter().filter(|(sample, _)| is_it(sample)).map(|(_, value)| value).sum()
}

/// `received = accepted + Σ refused(reason) + gone`, by transport and signal.
#[tokio::test]
async fn every_export_has_one_outcome() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    for form in Form::ALL {
        for _ in 0..5 {
            Export::traces(form, &key.token).send(&gate).await.assert_success(form);
        }
        let export = || Export::traces(form, &key.token);
        for refused in [
            export().to("/nowhere"),
            Export { method: "GET", ..export() },
            export().without("api-key"),
            export().key("nonsense"),
            export().with("content-type", "text/plain"),
            export().gzip(b"").raw("damaged"),
            export().message("nonsense"),
            Export::new(form, Signal::Logs, "").key("nonsense"),
        ] {
            assert_ne!(refused.send(&gate).await.headers().len(), 0);
        }
    }
    // Clients that leave in the middle of a body.
    let mut http = Raw::connect(gate.http).await;
    http.head(&Export::traces(Form::Protobuf, &key.token), "expect: 100-continue\r\ncontent-length: 100\r\n").await;
    assert_eq!(http.read_head().await, "HTTP/1.1 100 Continue\r\n\r\n");
    http.write(&[1, 2, 3]).await;
    let export = Export::traces(Form::Grpc, &key.token);
    let grpc = Call::begin(&gate, &export).await;
    grpc.send(&export.body[..50]);
    // Room for the hundred bytes that are claimed, and for the fifty that came without a claim.
    gate.until("gridgate_body_memory_bytes", |bytes| bytes == 150).await;
    drop(http);
    grpc.abandon().await;
    gate.until("gridgate_exports_gone_total{transport=\"http\",signal=\"traces\"}", |gone| gone == 1).await;
    gate.until("gridgate_exports_gone_total{transport=\"grpc\",signal=\"traces\"}", |gone| gone == 1).await;
    gate.until("gridgate_body_memory_bytes", |bytes| bytes == 0).await;

    let metrics = gate.metrics().await;
    for label in ["grpc", "http"].map(|transport| format!("transport=\"{transport}\"")) {
        for signal in ["traces", "metrics", "logs", "profiles", "none"] {
            let label = format!("{label},signal=\"{signal}\"");
            let of = |outcome: &str| sum(&metrics, &format!("gridgate_exports_{outcome}_total"), &label);
            assert_eq!(of("received"), of("accepted") + of("refused") + of("gone"), "{label}");
        }
    }
    let refused = |transport: &str, signal: &str, reason: &str| {
        metrics[&format!(
            "gridgate_exports_refused_total{{transport=\"{transport}\",signal=\"{signal}\",reason=\"{reason}\"}}"
        )]
    };
    for (transport, forms) in [("grpc", 1), ("http", 2)] {
        for reason in [
            "method_not_allowed",
            "credentials_missing",
            "key_malformed",
            "content_type_unsupported",
            "body_undecodable",
        ] {
            // A damaged gRPC frame is undecodable, a damaged body over HTTP is badly compressed.
            let twice = transport == "grpc" && reason == "body_undecodable";
            assert_eq!(refused(transport, "traces", reason), forms + u64::from(twice), "{transport} {reason}");
        }
        assert_eq!(refused(transport, "none", "path_unknown"), forms);
        assert_eq!(refused(transport, "logs", "key_malformed"), forms);
    }
    assert_eq!(refused("http", "traces", "compression_invalid"), 2);
    assert_eq!(sum(&metrics, "gridgate_exports_accepted_total", ""), 15);
    assert_eq!(sum(&metrics, "gridgate_items_accepted_total", ""), 15);
    assert_eq!(received(&metrics), 15 + 24 + 2);
    gate.stop().await;
}
