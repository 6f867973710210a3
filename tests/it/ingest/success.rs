//! What an accepted export gets, and where it goes.

use std::collections::BTreeMap;

use gridgate::domain::Signal;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use prost::Message as _;
use tonic::codec::CompressionEncoding;

use super::Gate;
use super::client::{Export, Form, gzip, json_of, protobuf_of};

/// Every signal in every form, plain and with gzip, for two tenants: each item is in the lake of its own tenant once.
#[tokio::test]
async fn every_signal_reaches_its_tenants_lake_and_no_other() {
    let gate = Gate::start().await;
    let mut expected = BTreeMap::<String, Vec<String>>::new();
    for (project, environment) in [("shop", "production"), ("shop", "staging"), ("bank", "production")] {
        let key = gate.key_of(project, environment).await;
        for signal in Signal::ALL {
            for (form, packed) in Form::ALL.into_iter().flat_map(|form| [(form, false), (form, true)]) {
                let marker = format!("{project} {environment} {signal} {form:?} {packed}");
                let mut export = Export::new(form, signal, &marker).key(&key.token);
                if packed {
                    let json = form == Form::Json;
                    let message =
                        if json { json_of(signal, &marker).to_string().into() } else { protobuf_of(signal, &marker) };
                    export = export.gzip(&message);
                }
                export.send(&gate).await.assert_success(form);
                let owner = format!("{project}/web/{environment}/{signal}");
                expected.entry(owner).or_default().push(marker);
            }
        }
    }
    for names in expected.values_mut() {
        names.sort();
    }
    assert_eq!(gate.stop().await.lake(), expected);
}

/// OTLP specification, «OTLP/gRPC Request» and «OTLP/HTTP Request»: an export without items is a success.
#[tokio::test]
async fn an_export_of_nothing_is_a_success() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    for signal in Signal::ALL {
        for form in Form::ALL {
            let group = match signal {
                Signal::Traces => "resourceSpans",
                Signal::Metrics => "resourceMetrics",
                Signal::Logs => "resourceLogs",
                Signal::Profiles => "resourceProfiles",
            };
            let bodies = if form == Form::Json {
                vec![
                    "{}".to_owned().into_bytes(),
                    format!("{{\"{group}\": []}}").into(),
                    format!("{{\"{group}\": [{{}}]}}").into(),
                ]
            } else {
                // The second has one empty group: field 1, length 0.
                vec![Vec::new(), vec![0x0a, 0]]
            };
            for body in bodies {
                let export = Export::new(form, signal, "").key(&key.token);
                export.clone().message(body.clone()).send(&gate).await.assert_success(form);
                export.gzip(&body).send(&gate).await.assert_success(form);
            }
        }
    }
    assert_eq!(gate.stop().await.lake(), BTreeMap::new());
}

/// The content type is answered bare, whatever its case and parameters were.
#[tokio::test]
async fn headers_may_be_written_in_many_ways() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    let bearer = |scheme: &str| format!("{scheme} {}", key.token);
    let plain = |form| Export::new(form, Signal::Logs, "marker");
    for (form, name, value) in [
        (Form::Protobuf, "content-type", "APPLICATION/X-Protobuf".to_owned()),
        (Form::Json, "content-type", "application/json; charset=utf-8".to_owned()),
        (Form::Grpc, "content-type", "application/grpc+proto".to_owned()),
        (Form::Protobuf, "content-encoding", "identity".to_owned()),
        (Form::Protobuf, "content-encoding", String::new()),
        (Form::Grpc, "grpc-encoding", "identity".to_owned()),
        (Form::Grpc, "grpc-timeout", "10S".to_owned()),
        (Form::Grpc, "user-agent", String::new()),
        (Form::Json, "x-scope-orgid", "bank".to_owned()),
    ] {
        plain(form).key(&key.token).with(name, &value).send(&gate).await.assert_success(form);
    }
    for form in Form::ALL {
        plain(form).with("authorization", bearer("Bearer")).send(&gate).await.assert_success(form);
        plain(form).with("authorization", bearer("bearer ")).send(&gate).await.assert_success(form);
        plain(form).with("authorization", &key.token).send(&gate).await.assert_success(form);
        plain(form).with("x-api-key", &key.token).send(&gate).await.assert_success(form);
        let twice = plain(form).key(&key.token).with("authorization", bearer("Bearer"));
        twice.send(&gate).await.assert_success(form);
        plain(form).key(&key.token).with("user-agent", b"\xff\xfe \x80").send(&gate).await.assert_success(form);
    }
    // Several members are one body (RFC 1952, section 2.2).
    let message = protobuf_of(Signal::Logs, "marker");
    let (head, tail) = message.split_at(5);
    let members = [gzip(head), gzip(tail)].concat();
    let export = plain(Form::Protobuf).key(&key.token).with("content-encoding", "gzip").raw(members);
    export.send(&gate).await.assert_success(Form::Protobuf);
    let lake = gate.stop().await.lake();
    assert_eq!(lake.keys().collect::<Vec<_>>(), ["shop/web/production/logs"]);
    assert_eq!(lake["shop/web/production/logs"], vec!["marker"; 9 + 18 + 1]);
}

/// Many calls of the client that `tonic` generates, at the same time on one connection.
#[tokio::test]
async fn a_generated_client_has_its_calls_answered_on_one_connection() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    let channel = tonic::transport::Channel::from_shared(format!("http://{}", gate.grpc)).expect("a url");
    let channel = channel.connect().await.expect("a connection");
    let calls = (0..100).map(|number| {
        let client = TraceServiceClient::new(channel.clone());
        let mut client = if number % 2 == 0 { client.send_compressed(CompressionEncoding::Gzip) } else { client };
        let bytes = protobuf_of(Signal::Traces, &format!("{number:03}"));
        let mut request = tonic::Request::new(ExportTraceServiceRequest::decode(&*bytes).expect("a request"));
        request.metadata_mut().insert("api-key", key.token.parse().expect("a header"));
        tokio::spawn(async move { client.export(request).await })
    });
    for call in calls.collect::<Vec<_>>() {
        let response = call.await.expect("no panic").expect("a success").into_inner();
        assert_eq!(response, ExportTraceServiceResponse { partial_success: None });
    }
    drop(channel);
    let expected: Vec<_> = (0..100).map(|number| format!("{number:03}")).collect();
    assert_eq!(gate.stop().await.lake()["shop/web/production/traces"], expected);
}

/// HTTP/2 with prior knowledge on the port of OTLP/HTTP.
#[tokio::test]
async fn http_2_is_spoken_on_both_ports() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    for form in [Form::Protobuf, Form::Json] {
        let export = Export::traces(form, &key.token);
        let answer = super::client::exchange(gate.http, true, export.builder(), export.body.clone()).await;
        answer.assert_success(form);
    }
    assert_eq!(gate.stop().await.lake()["shop/web/production/traces"], ["marker"; 2]);
}
