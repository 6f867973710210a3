//! OTLP specification, «OTLP/gRPC», «OTLP/HTTP» and «OTLP/HTTP Request»: ports, paths, methods, versions of HTTP.

use gridgate::config::Config;
use gridgate::domain::Signal;
use http::Request;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use prost::Message as _;
use tonic::codec::CompressionEncoding;

use crate::ingest::Gate;
use crate::ingest::client::{Export, Form, Raw, exchange, grpc_path, protobuf_of};
use crate::ingest::told::told;

/// «OTLP/gRPC Default Port», «OTLP/HTTP Default Port».
#[test]
fn t01_the_default_ports() {
    let listen = Config::default().listen;
    assert_eq!((listen.grpc.port(), listen.http.port()), (4317, 4318));
}

/// «OTLP/HTTP Request»: the default paths, for POST.
#[tokio::test]
async fn t02_each_signal_has_its_path() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    let paths = [(Signal::Traces, "/v1/traces"), (Signal::Metrics, "/v1/metrics"), (Signal::Logs, "/v1/logs")];
    for (signal, path) in paths {
        for form in [Form::Protobuf, Form::Json] {
            Export::new(form, signal, "marker").to(path).key(&key.token).send(&gate).await.assert_success(form);
        }
    }
    gate.stop().await;
}

/// «OTLP/HTTP Request», and the service's definition: profiles are in development. They are accepted.
#[tokio::test]
async fn t03_profiles_are_accepted() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    let grpc = "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export";
    for (form, path) in
        [(Form::Grpc, grpc), (Form::Protobuf, "/v1development/profiles"), (Form::Json, "/v1development/profiles")]
    {
        Export::new(form, Signal::Profiles, "marker").to(path).key(&key.token).send(&gate).await.assert_success(form);
    }
    assert_eq!(gate.stop().await.lake()["shop/web/production/profiles"], ["marker"; 3]);
}

/// «OTLP/HTTP» (MAY): HTTP/1.1, and HTTP/2 with prior knowledge, with the same answers.
#[tokio::test]
async fn t04_both_versions_of_http_are_answered_the_same() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    for form in [Form::Protobuf, Form::Json] {
        let good = Export::traces(form, &key.token);
        let refused = good.clone().message("nonsense");
        let undecodable = told("body_undecodable").key(&key.id);
        for two in [false, true] {
            let send = async |export: &Export| exchange(gate.http, two, export.builder(), export.body.clone()).await;
            send(&good).await.assert_success(form);
            undecodable.check(&send(&refused).await, form);
        }
    }
    assert_eq!(gate.stop().await.lake()["shop/web/production/traces"], ["marker"; 4]);
}

/// «OTLP/HTTP» (SHOULD): both encodings on one port, here on one connection.
#[tokio::test]
async fn t05_protobuf_and_json_share_a_port() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    let mut raw = Raw::connect(gate.http).await;
    for form in [Form::Protobuf, Form::Json, Form::Protobuf, Form::Json] {
        let export = Export::traces(form, &key.token);
        raw.head(&export, &format!("content-length: {}\r\n", export.body.len())).await;
        raw.write(&export.body).await;
        let (head, _) = raw.read_answer().await;
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert!(head.contains(&format!("\r\ncontent-type: {}\r\n", form.content_type())), "{head}");
    }
    drop(raw);
    assert_eq!(gate.stop().await.lake()["shop/web/production/traces"], ["marker"; 4]);
}

/// «OTLP/HTTP Request», «Endpoint URLs for OTLP/HTTP» of exporters: an endpoint for one signal is used as it is, so that paths which
/// are nearly right do come. They are 404, before the key is looked at, and never a redirect, which some clients take for a success.
/// Clause T46 of docs/otlp.md.
#[tokio::test]
async fn t07_odd_paths_are_404_never_a_redirect() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    for path in
        ["/", "/v1/traces/", "//v1/traces", "/V1/traces", "/v1/spans", "/v1/%74races", "/otlp/v1/traces", "/v1", "/?"]
    {
        for form in [Form::Protobuf, Form::Json] {
            let export = Export::traces(form, &key.token).to(path);
            told("path_unknown").check(&export.send(&gate).await, form);
            told("path_unknown").check(&Export { method: "GET", ..export.without("api-key") }.send(&gate).await, form);
        }
    }
    let elsewhere = told("path_unknown").detail("this is OTLP/HTTP, and the path one of OTLP/gRPC; ");
    let export = Export::traces(Form::Protobuf, &key.token).to(grpc_path(Signal::Traces));
    elsewhere.check(&export.send(&gate).await, Form::Protobuf);
    gate.stop().await;
}

/// HTTP, «405 Method Not Allowed» and «HEAD»: a method that is not POST is told which is, before the key is looked at; HEAD gets no
/// body, on either version.
#[tokio::test]
async fn t08_other_methods_are_405() {
    let gate = Gate::start().await;
    for method in ["GET", "PUT", "DELETE", "OPTIONS"] {
        let export = Export { method, ..Export::new(Form::Grpc, Signal::Traces, "") };
        told("method_not_allowed").check(&export.send(&gate).await, Form::Grpc);
    }
    for method in ["GET", "PUT", "HEAD", "DELETE", "PATCH", "TRACE", "OPTIONS"] {
        for (form, two) in [Form::Protobuf, Form::Json].into_iter().flat_map(|form| [(form, false), (form, true)]) {
            let export = Export { method, ..Export::new(form, Signal::Traces, "").raw("") };
            let answer = exchange(gate.http, two, export.builder(), "").await;
            if method == "HEAD" {
                assert_eq!((answer.status, &answer.headers["allow"]), (405, &"POST".parse().expect("a value")));
                assert_eq!(&*answer.data, b"", "{two}");
            } else {
                told("method_not_allowed").check(&answer, form);
            }
        }
    }
    // Without a content type the answer is JSON, which a person can read.
    let browser = exchange(gate.http, false, Request::get("/v1/logs"), "").await;
    told("method_not_allowed").check(&browser, Form::Json);
    gate.stop().await;
}

/// «OTLP/gRPC Concurrent Requests» (SHOULD, for clients): many calls of the client that `tonic` generates, at the same time on one
/// connection.
#[tokio::test]
async fn t09_a_hundred_calls_at_once_are_answered() {
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

/// «User Agent» of exporters (SHOULD, for clients): whatever it is, it decides nothing.
#[tokio::test]
async fn t10_any_user_agent_is_accepted() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    for form in Form::ALL {
        let export = Export::traces(form, &key.token);
        export.send(&gate).await.assert_success(form);
        for agent in [&b""[..], b"OTel-OTLP-Exporter-Python/1.45.2", b"\xff\xfe \x80", &[b'x'; 8 << 10]] {
            export.clone().with("user-agent", agent).send(&gate).await.assert_success(form);
        }
    }
    gate.stop().await;
}

/// A header may hold bytes that are no text. Where it decides something, the export is refused; anywhere else it is not looked at.
#[tokio::test]
async fn t11_headers_that_are_no_text_are_answered() {
    const BYTES: &[u8] = b"\xff\xfe\x80";
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    for form in Form::ALL {
        let export = Export::traces(form, &key.token);
        let with = async |name: &str| export.clone().with(name, BYTES).send(&gate).await;
        let malformed = told("key_malformed");
        malformed.check(&with("api-key").await, form);
        for name in ["authorization", "x-api-key"] {
            told("key_malformed").check(&export.clone().without("api-key").with(name, BYTES).send(&gate).await, form);
        }
        // What the type of such a body is nobody knows, so the answer is JSON.
        told("content_type_unsupported").key(&key.id).check(&with("content-type").await, Form::Json);
        let encoding = if form == Form::Grpc { "grpc-encoding" } else { "content-encoding" };
        told("compression_unsupported").key(&key.id).check(&with(encoding).await, form);
        for name in ["accept", "accept-encoding", "grpc-timeout", "origin", "referer", "tracestate", "x-forwarded-for"]
        {
            with(name).await.assert_success(form);
        }
    }
    gate.stop().await;
}
