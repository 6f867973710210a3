//! OTLP specification, «Failures» of OTLP/gRPC and «Failures» of OTLP/HTTP: what is refused, and what its client is told.

use std::time::Duration;

use gridgate::domain::{KeyId, Reason, Refusal, Signal};
use gridgate::ingest::accept::Format;
use gridgate::ingest::acknowledge;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use prost::Message as _;
use tonic::Code;
use tonic_types::{StatusExt as _, pb};

use crate::catalog::execute_at;
use crate::ingest::Gate;
use crate::ingest::client::{Answer, Export, Form, exchange, frame, grpc_path, http_path, protobuf_of};
use crate::ingest::told::{TABLE, told};

/// The answer to `refusal`, as it leaves the gate.
pub(super) async fn answer(refusal: &Refusal, form: Form) -> Answer {
    Answer::of(match form {
        Form::Grpc => acknowledge::grpc(Err(refusal)),
        Form::Protobuf => acknowledge::http(Err(refusal), Some(Format::Protobuf)),
        Form::Json => acknowledge::http(Err(refusal), Some(Format::Json)),
    })
    .await
}

/// «Failures» (MUST): every refusal is a `google.rpc.Status`, in the encoding of the request, with the codes of its row. All
/// rows, those too that no request leads to yet; the other tests hold what leads to which.
/// Clauses T47, T49 and T53 of docs/otlp.md.
#[tokio::test]
async fn t42_every_reason_is_told_as_its_row_says() {
    let labels: Vec<_> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
    assert_eq!(TABLE.iter().map(|row| row.0).collect::<Vec<_>>(), labels);
    let key = KeyId::from_bare("7Hq2mZxK9wPa").expect("an id");
    for (&reason, form) in Reason::ALL.iter().flat_map(|reason| Form::ALL.map(|form| (reason, form))) {
        let plain = told(reason.as_str());
        plain.check(&answer(&Refusal::new(reason), form).await, form);
        let of_key = answer(&Refusal::new(reason).of_key(key), form).await;
        plain.clone().key(&key.to_string()).check(&of_key, form);
        let detailed = Refusal::because(reason, "it is no dog").of_key(key);
        plain.key(&key.to_string()).detail("it is no dog; ").check(&answer(&detailed, form).await, form);
    }
}

/// «OTLP/gRPC Response», «OTLP/HTTP Response» (MUST): at most 4 MiB. An answer of Gridgate is less than 8 KiB whatever its detail
/// says, as are its header fields, of which gRPC clients accept no more; its message still ends with what to do.
#[tokio::test]
async fn t34_every_answer_is_small() {
    let key = KeyId::from_bare("7Hq2mZxK9wPa").expect("an id");
    for (&reason, form) in Reason::ALL.iter().flat_map(|reason| Form::ALL.map(|form| (reason, form))) {
        for detail in ["ж\r\n".repeat(2000), "\0".repeat(2000), "x".repeat(2000)] {
            let refusal = Refusal::because(reason, &detail).of_key(key);
            assert!(refusal.message().len() <= 1024 && refusal.message().ends_with(reason.advice()));
            let answer = answer(&refusal, form).await;
            let cut = detail.chars().take(200).collect::<String>();
            told(reason.as_str()).key(&key.to_string()).detail(&cut).check(&answer, form);
            let headers: usize =
                answer.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 32).sum();
            assert!(headers < 8 << 10 && answer.data.len() < 8 << 10, "{headers} {}", answer.data.len());
            let phrase = answer.phrase.unwrap_or_default();
            assert!(phrase.len() <= 256 && phrase.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{phrase:?}");
        }
    }
}

/// «Failures» of OTLP/gRPC, «Bad Data» of OTLP/HTTP (MUST): what cannot be decoded is 400 and `INVALID_ARGUMENT`, and the details say
/// what is wrong.
#[tokio::test]
async fn t43_what_cannot_be_decoded_is_bad_data() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    let good = protobuf_of(Signal::Traces, "marker");
    let undecodable = |detail: &str| told("body_undecodable").key(&key.id).detail(detail);
    let cut_off = good[..good.len() - 1].to_vec();
    for body in [cut_off, b"\xff\xff\xff\xff".to_vec(), vec![0x0a, 0x7f], vec![0x0b], vec![0x09; 8]] {
        for form in [Form::Grpc, Form::Protobuf] {
            let export = Export::traces(form, &key.token);
            undecodable("").check(&export.clone().message(body.clone()).send(&gate).await, form);
            undecodable("").check(&export.gzip(&body).send(&gate).await, form);
        }
    }
    for body in [
        "",
        "{",
        "[]",
        "null",
        "\"\"",
        "{\"resourceSpans\": 1}",
        "{}{}",
        "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"traceId\":\"xyz\"}]}]}]}",
    ] {
        let answer = Export::traces(Form::Json, &key.token).message(body).send(&gate).await;
        undecodable("").check(&answer, Form::Json);
    }
    // JSON where protobuf is declared, and the other way round.
    let swapped = Export::traces(Form::Json, &key.token).with("content-type", "application/x-protobuf");
    undecodable("").check(&swapped.send(&gate).await, Form::Protobuf);
    let swapped = Export::traces(Form::Protobuf, &key.token).with("content-type", "application/json");
    undecodable("").check(&swapped.send(&gate).await, Form::Json);
    for (raw, detail) in [
        (Vec::new(), "the gRPC message is cut off before its length"),
        (vec![0, 0, 0, 0], "the gRPC message is cut off before its length"),
        (frame(2, &good), "the gRPC message has unknown flags"),
        (frame(0, &good)[..20].to_vec(), "the gRPC message is shorter than its length says"),
        ([frame(0, &good), frame(0, &good)].concat(), "an export has exactly one gRPC message"),
    ] {
        let export = Export::traces(Form::Grpc, &key.token).raw(raw);
        undecodable(detail).check(&export.send(&gate).await, Form::Grpc);
    }
    assert!(gate.stop().await.lake().is_empty());
}

/// «Failures» of OTLP/gRPC: what can never succeed has none of the codes that clients retry, and what passes has one of them; over
/// HTTP the same exports are retried.
#[test]
fn t45_codes_are_retried_exactly_where_that_helps() {
    for &reason in Reason::ALL {
        let code = Code::from(reason.grpc_code() as i32);
        let always = [
            Code::Cancelled,
            Code::DeadlineExceeded,
            Code::Aborted,
            Code::OutOfRange,
            Code::Unavailable,
            Code::DataLoss,
        ];
        let passes = reason.retry_after().is_some();
        let retried = always.contains(&code) || (code == Code::ResourceExhausted && passes);
        assert_eq!(retried, passes, "{reason}");
        assert_eq!([429, 502, 503, 504].contains(&reason.http_status()), passes, "{reason}");
        assert!(!passes || ![Code::Internal, Code::Unknown].contains(&code), "{reason}");
    }
}

/// gRPC, «Status codes»: a service or method that is not there is UNIMPLEMENTED, whatever the key.
#[tokio::test]
async fn t46_unknown_services_and_methods_are_unimplemented() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    for path in [
        "/opentelemetry.proto.collector.trace.v1.TraceService/Import",
        "/opentelemetry.proto.collector.trace.v1.TraceService/Export/",
        "/opentelemetry.proto.collector.nothing.v1.NothingService/Export",
        "/opentelemetry.proto.experimental.arrow.v1.ArrowTracesService/ArrowTraces",
        "/v1/traces",
        "/",
    ] {
        let export = Export::traces(Form::Grpc, &key.token).to(path);
        told("path_unknown").check(&export.send(&gate).await, Form::Grpc);
        told("path_unknown").check(&export.without("api-key").send(&gate).await, Form::Grpc);
    }
    gate.stop().await;
}

/// gRPC over HTTP/2, «Requests» (SHOULD): what is not gRPC gets 415. On the way there it gets what OTLP/HTTP answers, since gRPC's
/// own refusals have the status 200, which an OTLP/HTTP exporter on the wrong port would take for a success.
#[tokio::test]
async fn t48_who_does_not_speak_grpc_on_its_port_gets_answers_of_http() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    let path = grpc_path(Signal::Traces);
    for (content_type, form) in [
        ("text/plain", Form::Json),
        ("", Form::Json),
        ("application/json", Form::Json),
        ("application/x-protobuf", Form::Protobuf),
    ] {
        let export = Export::traces(Form::Grpc, &key.token).with("content-type", content_type);
        told("content_type_unsupported").key(&key.id).check(&export.send(&gate).await, form);
        told("key_malformed").check(&export.clone().key("nonsense").send(&gate).await, form);
        let elsewhere = told("path_unknown").detail("this is OTLP/gRPC, and the path one of OTLP/HTTP; ");
        elsewhere.check(&export.clone().to(http_path(Signal::Traces)).send(&gate).await, form);
        told("method_not_allowed").check(&Export { method: "GET", ..export }.send(&gate).await, form);
    }
    let bare = exchange(gate.grpc, true, http::Request::post(path).header("api-key", &key.token), "").await;
    told("content_type_unsupported").key(&key.id).check(&bare, Form::Json);
    // In HTTP/1.1, what is wrong can only be the port. More is sent than is read at once, and the answer arrives all the same.
    let one = exchange(gate.grpc, false, http::Request::post(http_path(Signal::Traces)), "x".repeat(100_000)).await;
    let text = "this port speaks OTLP/gRPC: use the one for OTLP/HTTP, or a gRPC exporter";
    assert_eq!((one.status, one.text()), (400, format!("{text}\n")));
    assert_eq!(one.phrase.as_deref(), Some(text));
    gate.stop().await;
}

/// «Failures» of OTLP/gRPC (SHOULD): the client that `tonic` generates finds the details of a refusal.
#[tokio::test]
async fn t49_a_generated_client_reads_the_details() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    let channel = tonic::transport::Channel::from_shared(format!("http://{}", gate.grpc)).expect("a url");
    let mut client = LogsServiceClient::new(channel.connect().await.expect("a connection"));
    let mut refused = async |token: &str| {
        let mut request = tonic::Request::new(ExportLogsServiceRequest::default());
        request.metadata_mut().insert("api-key", token.parse().expect("a header"));
        client.export(request).await.expect_err("it is refused")
    };
    let status = refused("nonsense").await;
    assert_eq!(status.code(), Code::Unauthenticated);
    let info = status.get_details_error_info().expect("a reason");
    assert_eq!((&*info.reason, &*info.domain), ("KEY_MALFORMED", "gridgate"));
    execute_at(&gate.config.catalog_url(), "ALTER TABLE keys RENAME TO hidden").await;
    let status = refused(&key.token).await;
    assert_eq!(status.code(), Code::Unavailable);
    let delay = status.get_details_retry_info().and_then(|retry| retry.retry_delay);
    assert_eq!(delay, Some(Duration::from_secs(5)));
    let trailer = status.metadata().get_bin("google.rpc.retryinfo-bin").expect("the trailer that Python reads");
    let retry = pb::RetryInfo::decode(trailer.to_bytes().expect("base64")).expect("a RetryInfo");
    assert_eq!(retry.retry_delay.map(|delay| (delay.seconds, delay.nanos)), Some((5, 0)));
    drop(client);
    gate.stop().await;
}
