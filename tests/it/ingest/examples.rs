//! Payloads with every construct of the specification's examples: in every form and compression they are the same rows, and say
//! what was sent. The files are in `tests/it/otlp/examples/`.

use std::collections::BTreeMap;

use gridgate::domain::Signal;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::profiles::v1development::ExportProfilesServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::profiles::v1development::{
    Function, KeyValueAndUnit, Line, Link, Location, Mapping, Profile, ProfilesDictionary, ResourceProfiles, Sample,
    ScopeProfiles, Stack, ValueType,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message as _;

use super::client::{Export, Form};
use super::compression::{COMPRESSED, declared, pack};
use super::{Gate, files};
use crate::lake;

const TRACE: &str = include_str!("../otlp/examples/trace.json");
const METRICS: &str = include_str!("../otlp/examples/metrics.json");
const LOGS: &str = include_str!("../otlp/examples/logs.json");
const EVENTS: &str = include_str!("../otlp/examples/events.json");
const PROFILES: &str = include_str!("../otlp/examples/profiles.json");

const EXAMPLES: [(Signal, &str); 5] = [
    (Signal::Traces, TRACE),
    (Signal::Metrics, METRICS),
    (Signal::Logs, LOGS),
    (Signal::Logs, EVENTS),
    (Signal::Profiles, PROFILES),
];

/// The protobuf twin, which other software makes of the JSON.
fn twin(signal: Signal, json: &str) -> Vec<u8> {
    match signal {
        Signal::Traces => serde_json::from_str::<ExportTraceServiceRequest>(json).expect("OTLP").encode_to_vec(),
        Signal::Metrics => serde_json::from_str::<ExportMetricsServiceRequest>(json).expect("OTLP").encode_to_vec(),
        Signal::Logs => serde_json::from_str::<ExportLogsServiceRequest>(json).expect("OTLP").encode_to_vec(),
        Signal::Profiles => profiles().encode_to_vec(),
    }
}

/// `profiles.json` by hand: the JSON of profiles that `opentelemetry-proto` reads is not OTLP's.
fn profiles() -> ExportProfilesServiceRequest {
    let span_id = vec![0xee, 0xe1, 0x9b, 0x7e, 0xc3, 0xc1, 0xb1, 0x74];
    let trace_id = [0x5b, 0x8e, 0xff, 0xf7, 0x98, 0x03, 0x81, 0x03, 0xd2, 0x69, 0xb6, 0x33, 0x81, 0x3f, 0xc6, 0x0c];
    let texts = ["", "cpu", "nanoseconds", "main.rs", "main", "thread.name", "worker"];
    let mapping =
        Mapping { memory_start: 4096, memory_limit: 8192, file_offset: 64, filename_strindex: 3, ..Mapping::default() };
    let function = Function { name_strindex: 4, system_name_strindex: 4, filename_strindex: 3, start_line: 7 };
    let lines = vec![Line { function_index: 1, line: 9, column: 2 }];
    let location = Location { mapping_index: 1, address: 5000, lines, ..Location::default() };
    let value = Some(AnyValue { value: Some(Value::StringValueStrindex(6)) });
    let attribute = KeyValueAndUnit { key_strindex: 5, value, unit_strindex: 0 };
    let dictionary = ProfilesDictionary {
        string_table: texts.map(str::to_owned).into(),
        mapping_table: vec![Mapping::default(), mapping],
        function_table: vec![Function::default(), function],
        location_table: vec![Location::default(), location],
        link_table: vec![Link::default(), Link { trace_id: trace_id.into(), span_id }],
        attribute_table: vec![KeyValueAndUnit::default(), attribute],
        stack_table: vec![Stack::default(), Stack { location_indices: vec![1] }],
    };
    let first = Sample {
        stack_index: 1,
        attribute_indices: vec![1],
        link_index: 1,
        values: vec![10, 20],
        timestamps_unix_nano: vec![1_795_256_520_000_000_000, 1_795_256_520_000_000_001],
    };
    let second = Sample { stack_index: 1, values: vec![-1], ..Sample::default() };
    let kind = || Some(ValueType { type_strindex: 1, unit_strindex: 2 });
    let profile = Profile {
        sample_type: kind(),
        samples: vec![first, second],
        time_unix_nano: 1_795_256_520_000_000_000,
        duration_nano: 60_000_000_000,
        period_type: kind(),
        period: 10_000_000,
        profile_id: (1..=16).collect(),
        original_payload_format: "example".to_owned(),
        original_payload: vec![0xde, 0xad, 0xbe, 0xef],
        attribute_indices: vec![1],
        ..Profile::default()
    };
    let scope = Some(InstrumentationScope {
        name: "gridgate.example/profiler".to_owned(),
        version: "1".to_owned(),
        ..InstrumentationScope::default()
    });
    let name = AnyValue { value: Some(Value::StringValue("renderer".to_owned())) };
    let name = KeyValue { key: "service.name".to_owned(), value: Some(name), ..KeyValue::default() };
    let resource = Some(Resource { attributes: vec![name], ..Resource::default() });
    let scope_profiles = vec![ScopeProfiles { scope, profiles: vec![profile], ..ScopeProfiles::default() }];
    let resource_profiles = vec![ResourceProfiles { resource, scope_profiles, ..ResourceProfiles::default() }];
    ExportProfilesServiceRequest { resource_profiles, dictionary: Some(dictionary) }
}

#[tokio::test]
async fn every_twin_of_every_example_is_read_back_as_it_was_sent() {
    let gate = Gate::start().await;
    let key = gate.key("shop").await;
    let mut expected = BTreeMap::<_, Vec<_>>::new();
    for (signal, json) in EXAMPLES {
        let protobuf = twin(signal, json);
        let rows = lake::expected(signal, &protobuf).expect("it is a request");
        for form in Form::ALL {
            let message = if form == Form::Json { json.as_bytes() } else { &protobuf };
            let export = Export::new(form, signal, "").key(&key.token);
            export.clone().message(message).send(&gate).await.assert_success(form);
            for encoding in COMPRESSED {
                let packed = pack(encoding, message);
                declared(export.clone(), encoding.as_str(), &packed).send(&gate).await.assert_success(form);
            }
            let twins = 1 + COMPRESSED.len();
            expected.entry(signal.to_string()).or_default().extend(vec![rows.clone(); twins]);
        }
    }
    let stopped = gate.stop().await;
    let mut found = BTreeMap::<_, BTreeMap<String, Vec<String>>>::new();
    for file in files(&stopped.config.lake_folder()) {
        let path = file.to_string_lossy();
        let signal = Signal::ALL.into_iter().find(|signal| path.contains(&format!("/web/production/{signal}/")));
        let signal = signal.expect("it is in a signal's folder");
        let records = found.entry(signal.to_string()).or_default();
        for row in lake::rows::read(std::fs::read(&file).expect("a file")) {
            records.entry(row.string("record_id")).or_default().push(lake::actual(signal, &row));
        }
    }
    let mut found: BTreeMap<_, Vec<_>> =
        found.into_iter().map(|(signal, records)| (signal, records.into_values().collect())).collect();
    for records in expected.values_mut().chain(found.values_mut()) {
        records.sort();
    }
    assert_eq!(found, expected);
}

/// What the examples are for: nothing of the specification's is missing in them.
#[test]
fn the_examples_hold_every_construct() {
    let traces: ExportTraceServiceRequest = serde_json::from_str(TRACE).expect("OTLP");
    let group = &traces.resource_spans[0];
    assert!(group.resource.is_some() && !group.schema_url.is_empty() && group.scope_spans[0].scope.is_some());
    let span = &group.scope_spans[0].spans[0];
    assert!(!span.events.is_empty() && !span.links.is_empty() && span.status.is_some() && !span.trace_state.is_empty());
    let of_span: Vec<_> = span.attributes.iter().map(|attribute| kind(attribute.value.as_ref())).collect();
    assert_eq!(of_span, ["string", "int", "double", "bool", "array", "list", "bytes", "none"]);

    let metrics: ExportMetricsServiceRequest = serde_json::from_str(METRICS).expect("OTLP");
    let metrics = &metrics.resource_metrics[0].scope_metrics[0].metrics;
    let kinds: Vec<_> = metrics.iter().map(|metric| metric.data.as_ref().map(data)).collect();
    let all = ["sum", "gauge", "histogram", "exponential histogram", "summary"].map(Some);
    assert_eq!(kinds, all);

    let logs: ExportLogsServiceRequest = serde_json::from_str(LOGS).expect("OTLP");
    let records = &logs.resource_logs[0].scope_logs[0].log_records;
    let of_record: Vec<_> = records[0].attributes.iter().map(|attribute| kind(attribute.value.as_ref())).collect();
    let all = ["string", "bool", "int", "double", "bytes", "array", "list", "none"];
    assert_eq!(of_record, all);
    let events: ExportLogsServiceRequest = serde_json::from_str(EVENTS).expect("OTLP");
    assert!(!events.resource_logs[0].scope_logs[0].log_records[0].event_name.is_empty());
}

fn kind(value: Option<&AnyValue>) -> &'static str {
    match value.and_then(|value| value.value.as_ref()) {
        None => "none",
        Some(Value::StringValue(_) | Value::StringValueStrindex(_)) => "string",
        Some(Value::BoolValue(_)) => "bool",
        Some(Value::IntValue(_)) => "int",
        Some(Value::DoubleValue(_)) => "double",
        Some(Value::ArrayValue(_)) => "array",
        Some(Value::KvlistValue(_)) => "list",
        Some(Value::BytesValue(_)) => "bytes",
    }
}

const fn data(data: &Data) -> &'static str {
    match data {
        Data::Gauge(_) => "gauge",
        Data::Sum(_) => "sum",
        Data::Histogram(_) => "histogram",
        Data::ExponentialHistogram(_) => "exponential histogram",
        Data::Summary(_) => "summary",
    }
}
