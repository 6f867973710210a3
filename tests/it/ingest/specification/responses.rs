//! OTLP specification, «OTLP/gRPC Response» and «OTLP/HTTP Response»: full success, partial success, and their bounds.

use std::collections::BTreeMap;

use gridgate::domain::Signal;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceResponse;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceResponse;
use opentelemetry_proto::tonic::collector::profiles::v1development::ExportProfilesServiceResponse;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message as _;
use serde_json::{Value, json};

use super::rows;
use crate::ingest::Gate;
use crate::ingest::client::{Export, Form, protobuf_of};
use crate::ingest::told::told;

/// «Full Success» (MUST): 200 with the signal's response, in which `partial_success` is not set.
#[tokio::test]
async fn t36_a_success_is_the_signals_response() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    for (signal, form) in Signal::ALL.into_iter().flat_map(|signal| Form::ALL.map(|form| (signal, form))) {
        let answer = Export::new(form, signal, "marker").key(&key.token).send(&gate).await;
        answer.assert_success(form);
        let message = match form {
            Form::Json => {
                assert_eq!(serde_json::from_slice::<Value>(&answer.data).expect("JSON"), json!({}));
                continue;
            }
            Form::Grpc => answer.data.slice(5..),
            Form::Protobuf => answer.data,
        };
        let partial = match signal {
            Signal::Traces => ExportTraceServiceResponse::decode(message).expect("it is one").partial_success.is_some(),
            Signal::Metrics => {
                ExportMetricsServiceResponse::decode(message).expect("it is one").partial_success.is_some()
            }
            Signal::Logs => ExportLogsServiceResponse::decode(message).expect("it is one").partial_success.is_some(),
            Signal::Profiles => {
                ExportProfilesServiceResponse::decode(message).expect("it is one").partial_success.is_some()
            }
        };
        assert!(!partial, "{signal} {form:?}");
    }
    gate.stop().await;
}

/// «OTLP/HTTP Response» (MUST): the content type is the request's, without its parameters, in successes and refusals.
#[tokio::test]
async fn t37_the_content_type_is_the_requests_and_bare() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    for (form, content_type) in [
        (Form::Json, "application/json; charset=utf-8"),
        (Form::Json, "application/JSON;charset=UTF-8"),
        (Form::Protobuf, "application/x-protobuf; messageType=\"a\""),
    ] {
        let export = Export::traces(form, &key.token).with("content-type", content_type);
        export.send(&gate).await.assert_success(form);
        told("body_undecodable").key(&key.id).check(&export.clone().message("nonsense").send(&gate).await, form);
        told("credentials_missing").check(&export.without("api-key").send(&gate).await, form);
    }
    gate.stop().await;
}

/// «OTLP/gRPC Request», «OTLP/HTTP Request» (SHOULD): an export without items is a success. A JSON body of no bytes is no JSON.
#[tokio::test]
async fn t38_an_export_of_nothing_is_a_success() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    for (signal, form) in Signal::ALL.into_iter().flat_map(|signal| Form::ALL.map(|form| (signal, form))) {
        let group = match signal {
            Signal::Traces => "resourceSpans",
            Signal::Metrics => "resourceMetrics",
            Signal::Logs => "resourceLogs",
            Signal::Profiles => "resourceProfiles",
        };
        let bodies = if form == Form::Json {
            let groups = ["", "[]", "[{}]"].map(|groups| format!("{{\"{group}\": {groups}}}").into_bytes());
            [vec![b"{}".to_vec()], groups[1..].to_vec()].concat()
        } else {
            // The second has one empty group: field 1, length 0.
            vec![Vec::new(), vec![0x0a, 0]]
        };
        let export = Export::new(form, signal, "").key(&key.token);
        for body in bodies {
            export.clone().message(body.clone()).send(&gate).await.assert_success(form);
            export.clone().gzip(&body).send(&gate).await.assert_success(form);
        }
        if form == Form::Json {
            told("body_undecodable").key(&key.id).check(&export.message("").send(&gate).await, form);
        }
    }
    assert_eq!(gate.stop().await.lake(), BTreeMap::new());
}

/// «Partial Success» (MUST, where a part is accepted): Gridgate accepts an export whole or refuses it whole. One bad item among many
/// leaves nothing of the export behind, and the refusal says which it was.
#[tokio::test]
async fn t39_one_bad_item_refuses_the_whole_export() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    let good = json!({"traceId": "0102030405060708090a0b0c0d0e0f10", "name": "good"});
    let mut spans = vec![good; 99];
    spans.insert(50, json!({"traceId": "01", "name": "bad"}));
    let json = json!({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}).to_string();
    let protobuf = protobuf_of(Signal::Traces, "marker");
    // A second group whose span has an id of one byte: `trace_id` is field 1 of field 2 of field 2 of field 1.
    let protobuf = [&protobuf[..], &[0x0a, 7, 0x12, 5, 0x12, 3, 0x0a, 1, 1]].concat();
    for form in Form::ALL {
        let body = if form == Form::Json { json.clone().into_bytes() } else { protobuf.clone() };
        let answer = Export::traces(form, &key.token).message(body).send(&gate).await;
        told("body_undecodable").key(&key.id).check(&answer, form);
        let place = if form == Form::Json { "spans[50].traceId" } else { "Span.traceId has 1 bytes" };
        assert!(form == Form::Grpc || answer.text().contains(place), "{}", answer.text());
    }
    assert_eq!(gate.stop().await.lake(), BTreeMap::new());
}

/// «Partial Success» (MAY): there are no warnings but of limits. What is accepted is accepted without a word, however odd it is.
#[tokio::test]
async fn t40_there_are_no_warnings() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    let odd = json!({"resourceSpans": [{"instrumentationLibrarySpans": [], "scopeSpans": [{"spans": [
        {"name": "", "startTimeUnixNano": "2", "endTimeUnixNano": "1", "kind": 99, "novel": 1,
         "attributes": [{"key": "a"}, {"key": "a"}]}]}]}]});
    let odd = Export::traces(Form::Json, &key.token).message(odd.to_string());
    odd.send(&gate).await.assert_success(Form::Json);
    assert_eq!(rows(&gate.stop().await).len(), 1);
}

/// «Known Limitations, Request Acknowledgements, Duplicate Data»: an export that comes twice is accepted twice.
#[tokio::test]
async fn t41_duplicates_are_accepted() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    for form in Form::ALL {
        let export = Export::traces(form, &key.token);
        for _ in 0..2 {
            export.send(&gate).await.assert_success(form);
        }
    }
    assert_eq!(gate.stop().await.lake()["shop/web/production/traces"], ["marker"; 6]);
}
