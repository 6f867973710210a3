//! OTLP specification, «Binary Protobuf Encoding» and «JSON Protobuf Encoding»: what is the same export in other words.

use gridgate::domain::Signal;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, metric};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message as _;
use serde_json::{Value, json};

use super::rows;
use crate::ingest::Gate;
use crate::ingest::client::{Export, Form, frame};
use crate::ingest::told::told;

/// A request with this span, in protobuf.
fn span(span: Span) -> (Form, Vec<u8>) {
    let scope_spans = vec![ScopeSpans { spans: vec![span], ..ScopeSpans::default() }];
    let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
    (Form::Protobuf, ExportTraceServiceRequest { resource_spans }.encode_to_vec())
}

/// A request with a span of these fields, in JSON.
fn span_of(fields: &str) -> (Form, Vec<u8>) {
    (Form::Json, format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{{fields}}}]}}]}}]}}"#).into())
}

/// A request with a log record that has this body.
fn log(body: Option<AnyValue>) -> (Form, Vec<u8>) {
    let record = LogRecord { body, ..LogRecord::default() };
    let scope_logs = vec![ScopeLogs { log_records: vec![record], ..ScopeLogs::default() }];
    let resource_logs = vec![ResourceLogs { scope_logs, ..ResourceLogs::default() }];
    (Form::Protobuf, ExportLogsServiceRequest { resource_logs }.encode_to_vec())
}

/// The same in JSON, where the body is written as it stands here.
fn log_of(body: &str) -> (Form, Vec<u8>) {
    (Form::Json, format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{{"body":{body}}}]}}]}}]}}"#).into())
}

fn any(value: Any) -> AnyValue {
    AnyValue { value: Some(value) }
}

/// Whether all of these requests are accepted, and become one and the same row, which is returned.
async fn same(signal: Signal, bodies: impl IntoIterator<Item = (Form, Vec<u8>)>) -> String {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    let mut count = 0;
    for (form, body) in bodies {
        let answer = Export::new(form, signal, "").key(&key.token).message(body.clone()).send(&gate).await;
        assert_eq!(answer.status, 200, "{}: {}", String::from_utf8_lossy(&body), answer.text());
        answer.assert_success(form);
        count += 1;
    }
    let mut rows = rows(&gate.stop().await);
    assert_eq!(rows.len(), count);
    let first = rows.pop().expect("a row");
    for row in rows {
        assert_eq!(row, first);
    }
    first
}

/// Whether each of these requests is refused as undecodable, with words that name `place`.
async fn undecodable(signal: Signal, place: &str, bodies: impl IntoIterator<Item = (Form, Vec<u8>)>) {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    for (form, body) in bodies {
        let answer = Export::new(form, signal, "").key(&key.token).message(body).send(&gate).await;
        told("body_undecodable").key(&key.id).check(&answer, form);
        assert!(answer.text().contains(place), "{}", answer.text());
    }
    assert_eq!(rows(&gate.stop().await), Vec::<String>::new());
}

/// «Binary Protobuf Encoding», «JSON Protobuf Encoding» (MUST): the two content types, in any case and with parameters.
#[tokio::test]
async fn t12_content_types() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    for (form, content_type) in [
        (Form::Protobuf, "application/x-protobuf"),
        (Form::Protobuf, "Application/X-Protobuf; a=b"),
        (Form::Json, "application/json"),
        (Form::Json, "application/json; charset=utf-8"),
        (Form::Json, "APPLICATION/JSON"),
        (Form::Grpc, "application/grpc"),
        (Form::Grpc, "application/grpc+proto"),
    ] {
        let export = Export::traces(form, &key.token).with("content-type", content_type);
        export.send(&gate).await.assert_success(form);
    }
    gate.stop().await;
}

/// HTTP, «415 Unsupported Media Type»: any other content type, and none. The key comes first.
#[tokio::test]
async fn t13_other_content_types_are_415() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    let unsupported = told("content_type_unsupported").key(&key.id);
    for content_type in ["text/plain", "application/jsonx", "application/grpc", "application/x-www-form-urlencoded", ""]
    {
        let export = Export::traces(Form::Json, &key.token).with("content-type", content_type);
        unsupported.check(&export.send(&gate).await, Form::Json);
        told("key_malformed").check(&export.key("nonsense").send(&gate).await, Form::Json);
    }
    let without = Export::traces(Form::Json, &key.token).without("content-type");
    unsupported.check(&without.send(&gate).await, Form::Json);
    for content_type in ["application/grpc+json", "application/grpc-web"] {
        let export = Export::traces(Form::Grpc, &key.token).with("content-type", content_type);
        unsupported.check(&export.send(&gate).await, Form::Grpc);
    }
    gate.stop().await;
}

/// «JSON Protobuf Encoding»: ids are hexadecimal in either case; what has another length or other characters is refused.
#[tokio::test]
async fn t14_ids_are_hexadecimal() {
    let trace_id = vec![0x5b, 0x8e, 0xff, 0xf7, 0x98, 0x03, 0x81, 0x03, 0xd2, 0x69, 0xb6, 0x33, 0x81, 0x3f, 0xc6, 0x0c];
    let span_id = vec![0xee, 0xe1, 0x9b, 0x7e, 0xc3, 0xc1, 0xb1, 0x74];
    let row = same(
        Signal::Traces,
        [
            span(Span { trace_id, span_id, ..Span::default() }),
            span_of(r#""traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"EEE19B7EC3C1B174""#),
            span_of(r#""traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174""#),
        ],
    )
    .await;
    assert!(row.contains("5b8efff798038103d269b633813fc60c") && row.contains("eee19b7ec3c1b174"), "{row}");
    let bad = ["5B8EFFF798038103D269B633813FC60", "5B8EFFF798038103D269B633813FC60C0", "W47/95gDgQPSabYzgT/GDA=="];
    let bad = bad.into_iter().chain(["5B8EFFF798038103D269B633813FC60G", "EEE19B7EC3C1B174"]);
    undecodable(Signal::Traces, "traceId", bad.map(|id| span_of(&format!(r#""traceId":"{id}""#)))).await;
    let short = span(Span { trace_id: vec![1; 15], ..Span::default() });
    undecodable(Signal::Traces, "traceId", [short]).await;
}

/// «JSON Protobuf Encoding» (MUST NOT, for senders): enumerations are numbers. Known names are read all the same, unknown ones are
/// refused; numbers without a name are kept.
#[tokio::test]
async fn t15_enumerations() {
    let server = span(Span { kind: 2, ..Span::default() });
    let row = same(Signal::Traces, [server, span_of(r#""kind":2"#), span_of(r#""kind":"SPAN_KIND_SERVER""#)]).await;
    assert!(row.contains("kind=\"server\""), "{row}");
    same(Signal::Traces, [span(Span { kind: 99, ..Span::default() }), span_of(r#""kind":99"#)]).await;
    let unknown = [r#""kind":"SPAN_KIND_NOVEL""#, r#""kind":"server""#, r#""kind":"2""#];
    undecodable(Signal::Traces, "kind", unknown.map(span_of)).await;
}

/// «JSON Protobuf Encoding», «Future Versions and Interoperability» (MUST): unknown fields are ignored, wherever they are.
#[tokio::test]
async fn t16_unknown_fields_are_ignored() {
    let (_, plain) = span(Span { name: "a".to_owned(), ..Span::default() });
    // Field 1000 as a number and as bytes, around the request and inside of its innermost message.
    let (number, bytes): (&[u8], &[u8]) = (&[0xc0, 0x3e, 0x07], &[0xc2, 0x3e, 0x02, 0xff, 0xff]);
    let around = [number, bytes, &plain, bytes, number].concat();
    let wrap = |inner: &[u8], field| [&[field, u8::try_from(inner.len()).expect("it is short")], inner].concat();
    let nested = wrap(&wrap(&wrap(&[number, &[0x2a, 1, b'a'], bytes].concat(), 0x12), 0x12), 0x0a);
    let unknown = json!({"novel": [{}, null, {"a": "b"}], "resourceSpans": [{"novel": 7, "resource": null, "scopeSpans": [
        {"novel": {"novel": []}, "spans": [{"name": "a", "novel": "NaN", "deprecatedField": {"name": "b"}}]}]}]});
    same(
        Signal::Traces,
        [
            (Form::Protobuf, plain),
            (Form::Protobuf, around),
            (Form::Protobuf, nested),
            (Form::Json, unknown.to_string().into()),
        ],
    )
    .await;
}

/// «JSON Protobuf Encoding»: keys are in lowerCamelCase. The original names are read too, as `ProtoJSON` asks of its readers.
#[tokio::test]
async fn t17_names_in_snake_case_are_read() {
    let snake =
        json!({"resource_spans": [{"scope_spans": [{"spans": [{"start_time_unix_nano": "7", "trace_state": "a"}]}]}]});
    same(
        Signal::Traces,
        [
            span(Span { start_time_unix_nano: 7, trace_state: "a".to_owned(), ..Span::default() }),
            span_of(r#""startTimeUnixNano":"7","traceState":"a""#),
            (Form::Json, snake.to_string().into()),
        ],
    )
    .await;
}

/// «JSON Protobuf Encoding»: 64-bit integers are decimal strings, or numbers.
#[tokio::test]
async fn t18_integers_as_strings_and_as_numbers() {
    let number = 9_007_199_254_740_993;
    let row = same(
        Signal::Logs,
        [
            log(Some(any(Any::IntValue(number)))),
            log_of(r#"{"intValue":"9007199254740993"}"#),
            log_of(r#"{"intValue":9007199254740993}"#),
        ],
    )
    .await;
    assert!(row.contains("9007199254740993"), "{row}");
    let fixed = Span { end_time_unix_nano: u64::MAX, ..Span::default() };
    let texts = [r#""endTimeUnixNano":"18446744073709551615""#, r#""endTimeUnixNano":18446744073709551615"#];
    same(Signal::Traces, [span(fixed)].into_iter().chain(texts.map(span_of))).await;
    undecodable(Signal::Logs, "intValue", [r#"{"intValue":1.5}"#, r#"{"intValue":"1 "}"#].map(log_of)).await;
}

/// `ProtoJSON`: bytes in base64, doubles that are no numbers as names, null for what is not set.
#[tokio::test]
async fn t19_bytes_infinities_and_null() {
    let of = |value| log(Some(any(value)));
    let bytes = [r#"{"bytesValue":"+/8="}"#, r#"{"bytesValue":"-_8"}"#].map(log_of);
    same(Signal::Logs, [of(Any::BytesValue(vec![0xfb, 0xff]))].into_iter().chain(bytes)).await;
    for (text, number) in [("NaN", f64::NAN), ("Infinity", f64::INFINITY), ("-Infinity", f64::NEG_INFINITY)] {
        let json = log_of(&format!(r#"{{"doubleValue":"{text}"}}"#));
        same(Signal::Logs, [of(Any::DoubleValue(number)), json]).await;
    }
    same(Signal::Logs, [log(None), log_of("null")]).await;
    let nothing =
        span_of(r#""traceId":null,"name":null,"kind":null,"startTimeUnixNano":null,"attributes":null,"status":null"#);
    same(Signal::Traces, [span(Span::default()), span_of(""), nothing]).await;
}

/// Protocol Buffers, «Default Field Values»: what is left out has its default, and is not left out of what is stored.
#[tokio::test]
async fn t20_what_is_omitted_has_its_default() {
    let point = NumberDataPoint::default();
    let data = Some(metric::Data::Sum(Sum { data_points: vec![point], ..Sum::default() }));
    let scope_metrics =
        vec![ScopeMetrics { metrics: vec![Metric { data, ..Metric::default() }], ..ScopeMetrics::default() }];
    let resource_metrics = vec![ResourceMetrics { scope_metrics, ..ResourceMetrics::default() }];
    let protobuf = ExportMetricsServiceRequest { resource_metrics }.encode_to_vec();
    let json = json!({"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"sum": {"dataPoints": [{}]}}]}]}]});
    let said = json!({"resourceMetrics": [{"schemaUrl": "", "scopeMetrics": [{"metrics": [{"name": "", "sum":
        {"dataPoints": [{"timeUnixNano": "0", "flags": 0}], "aggregationTemporality": 0, "isMonotonic": false}}]}]}]});
    let of = |json: &Value| (Form::Json, json.to_string().into_bytes());
    let row = same(Signal::Metrics, [(Form::Protobuf, protobuf), of(&json), of(&said)]).await;
    assert!(row.contains("aggregation_temporality=\"unspecified\"") && row.contains("is_monotonic=false"), "{row}");
}

/// `AnyValue` in the protocol's definition: every kind of value is allowed for every attribute.
#[tokio::test]
async fn t21_attributes_of_every_kind() {
    let pair = |key: &str, value| KeyValue { key: key.to_owned(), value, ..KeyValue::default() };
    let attributes = vec![
        pair("bytes", Some(any(Any::BytesValue(vec![1, 2])))),
        pair(
            "mixed",
            Some(any(Any::ArrayValue(ArrayValue {
                values: vec![any(Any::StringValue("a".to_owned())), any(Any::IntValue(1)), AnyValue::default()],
            }))),
        ),
        pair(
            "list",
            Some(any(Any::KvlistValue(KeyValueList { values: vec![pair("b", Some(any(Any::BoolValue(true))))] }))),
        ),
        pair("empty", Some(AnyValue::default())),
        pair("none", None),
        pair("", Some(any(Any::StringValue(String::new())))),
    ];
    let json = span_of(
        r#""attributes":[{"key":"bytes","value":{"bytesValue":"AQI="}},
        {"key":"mixed","value":{"arrayValue":{"values":[{"stringValue":"a"},{"intValue":"1"},{}]}}},
        {"key":"list","value":{"kvlistValue":{"values":[{"key":"b","value":{"boolValue":true}}]}}},
        {"key":"empty","value":{}},{"key":"none"},{"value":{"stringValue":""}}]"#,
    );
    let row = same(Signal::Traces, [span(Span { attributes, ..Span::default() }), json]).await;
    for kind in ["bytes", "array", "kvlist", "empty"] {
        assert!(row.contains(&format!("type: \"{kind}\"")), "{kind}: {row}");
    }
}

/// `SpanFlags` in the protocol's definition: readers must not assume that reserved bits are zero.
#[tokio::test]
async fn t22_reserved_flags_are_kept() {
    let all = Span { flags: u32::MAX, ..Span::default() };
    let row =
        same(Signal::Traces, [span(all), span_of(r#""flags":4294967295"#), span_of(r#""flags":"4294967295""#)]).await;
    assert!(row.contains("flags=4294967295"), "{row}");
}

/// Values nested 200 deep are refused, and cost no stack.
#[tokio::test]
async fn t23_deep_nesting_is_refused() {
    let deep = (0..200).fold(AnyValue::default(), |inner, _| any(Any::ArrayValue(ArrayValue { values: vec![inner] })));
    let json = format!("{}{{}}{}", r#"{"arrayValue":{"values":["#.repeat(200), "]}}".repeat(200));
    let protobuf = log(Some(deep));
    undecodable(Signal::Logs, "", [log_of(&json), protobuf.clone()]).await;
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    let answer = Export::new(Form::Grpc, Signal::Logs, "").key(&key.token).raw(frame(0, &protobuf.1)).send(&gate).await;
    told("body_undecodable").key(&key.id).check(&answer, Form::Grpc);
    gate.stop().await;
}
