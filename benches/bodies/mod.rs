//! Export bodies like those of a mid-sized web service, the same in every run.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "made-up numbers that are small"
)]

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::profiles::v1development::ExportProfilesServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint, Metric,
    NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary, SummaryDataPoint, exemplar, number_data_point,
};
use opentelemetry_proto::tonic::profiles::v1development::{
    Function, KeyValueAndUnit, Line, Link, Location, Mapping, Profile, ProfilesDictionary, ResourceProfiles, Sample,
    ScopeProfiles, Stack, ValueType,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, SpanKind};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};

/// 100 spans with 11 attributes each, about 48 KB, 9 KB compressed by gzip.
pub(crate) fn traces() -> ExportTraceServiceRequest {
    traces_of(1)
}

/// The same with other values.
pub(crate) fn traces_of(seed: u64) -> ExportTraceServiceRequest {
    let mut random = Random(seed);
    let spans = (0..100).map(|index| span(index, &mut random)).collect();
    let scope_spans = vec![ScopeSpans { scope: Some(scope("http.server")), spans, schema_url: String::new() }];
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(resource()),
            scope_spans,
            schema_url: SCHEMA_URL.to_owned(),
        }],
    }
}

/// 100 log records.
pub(crate) fn logs() -> ExportLogsServiceRequest {
    let mut random = Random(2);
    let log_records = (0..100).map(|index| log_record(index, &mut random)).collect();
    let scope_logs = vec![ScopeLogs { scope: Some(scope("checkout")), log_records, schema_url: String::new() }];
    ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs { resource: Some(resource()), scope_logs, schema_url: SCHEMA_URL.to_owned() }],
    }
}

/// 100 data points, 20 of each of the five kinds.
pub(crate) fn metrics() -> ExportMetricsServiceRequest {
    let mut random = Random(3);
    let metrics = (0..5).map(|kind| metric(kind, &mut random)).collect();
    let scope_metrics = vec![ScopeMetrics { scope: Some(scope("runtime")), metrics, schema_url: String::new() }];
    let resource = Some(resource());
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics { resource, scope_metrics, schema_url: SCHEMA_URL.to_owned() }],
    }
}

/// One CPU profile of 200 samples over 40 functions.
pub(crate) fn profiles() -> ExportProfilesServiceRequest {
    let mut random = Random(4);
    let samples = (0..200).map(|index| sample(index, &mut random)).collect();
    let profile = Profile {
        sample_type: Some(ValueType { type_strindex: 1, unit_strindex: 2 }),
        samples,
        time_unix_nano: START,
        duration_nano: 10_000_000_000,
        period_type: Some(ValueType { type_strindex: 3, unit_strindex: 4 }),
        period: 10_000_000,
        profile_id: random.bytes(16),
        ..Profile::default()
    };
    let scope_profiles =
        vec![ScopeProfiles { scope: Some(scope("profiler")), profiles: vec![profile], schema_url: String::new() }];
    ExportProfilesServiceRequest {
        resource_profiles: vec![ResourceProfiles {
            resource: Some(resource()),
            scope_profiles,
            schema_url: SCHEMA_URL.to_owned(),
        }],
        dictionary: Some(dictionary(&mut random)),
    }
}

const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.37.0";
const START: u64 = 1_795_256_520_000_000_000;
const ROUTES: [&str; 8] = [
    "/api/v1/orders",
    "/api/v1/orders/{id}",
    "/api/v1/carts/{cart}/items",
    "/api/v1/payments",
    "/api/v1/customers/{id}/addresses",
    "/api/v1/products/search",
    "/health",
    "/api/v1/recommendations",
];
const METHODS: [&str; 4] = ["GET", "POST", "PUT", "DELETE"];
const STATUSES: [i64; 6] = [200, 200, 201, 204, 404, 500];

/// `SplitMix64`.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }

    fn of<T: Copy>(&mut self, values: &[T]) -> T {
        values[self.below(values.len() as u64) as usize]
    }
}

fn value(value: Value) -> AnyValue {
    AnyValue { value: Some(value) }
}

fn text(key: &str, text: impl Into<String>) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(value(Value::StringValue(text.into()))), ..KeyValue::default() }
}

fn int(key: &str, int: u64) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(value(Value::IntValue(int as i64))), ..KeyValue::default() }
}

fn resource() -> Resource {
    let attributes = vec![
        text("service.name", "checkout"),
        text("service.version", "2026.11.3"),
        text("service.instance.id", "checkout-7d9f8b6c5-x2x7k"),
        text("host.name", "ip-10-12-3-77.eu-central-1.compute.internal"),
        text("deployment.environment.name", "production"),
        text("telemetry.sdk.language", "python"),
        text("telemetry.sdk.name", "opentelemetry"),
        text("telemetry.sdk.version", "1.45.2"),
        int("process.pid", 4711),
    ];
    Resource { attributes, ..Resource::default() }
}

fn scope(name: &str) -> InstrumentationScope {
    InstrumentationScope { name: name.to_owned(), version: "0.66b1".to_owned(), ..InstrumentationScope::default() }
}

fn span(index: u64, random: &mut Random) -> Span {
    let (route, method, status) = (random.of(&ROUTES), random.of(&METHODS), random.of(&STATUSES));
    let start = START + index * 3_000_000 + random.below(3_000_000);
    let attributes = vec![
        text("http.request.method", method),
        text("url.path", route),
        text("http.route", route),
        int("http.response.status_code", status as u64),
        text("server.address", "checkout.internal"),
        int("server.port", 8080),
        text("app.request.id", format!("req-{:016x}", random.next())),
        text("client.address", format!("10.12.{}.{}", random.below(4), random.below(256))),
        text("user_agent.original", random.of(&["python-requests/2.32.5", "okhttp/4.12.0", "curl/8.14.1"])),
        KeyValue {
            key: "app.cache_hit".to_owned(),
            value: Some(value(Value::BoolValue(random.below(2) == 1))),
            ..KeyValue::default()
        },
        KeyValue {
            key: "app.cart_total".to_owned(),
            value: Some(value(Value::DoubleValue(random.below(100_000) as f64 / 100.0))),
            ..KeyValue::default()
        },
    ];
    let events = if index.is_multiple_of(10) {
        let attributes = vec![
            text("exception.type", "TimeoutError"),
            text("exception.message", format!("no answer from payments after {} ms", random.below(5000))),
        ];
        vec![Event { time_unix_nano: start + 1_000, name: "exception".to_owned(), attributes, ..Event::default() }]
    } else {
        Vec::new()
    };
    Span {
        trace_id: random.bytes(16),
        span_id: random.bytes(8),
        parent_span_id: if index.is_multiple_of(4) { Vec::new() } else { random.bytes(8) },
        flags: 0x101,
        name: format!("{method} {route}"),
        kind: SpanKind::Server as i32,
        start_time_unix_nano: start,
        end_time_unix_nano: start + 100_000 + random.below(40_000_000),
        attributes,
        events,
        status: Some(Status { code: if status == 500 { 2 } else { 0 }, ..Status::default() }),
        ..Span::default()
    }
}

fn log_record(index: u64, random: &mut Random) -> LogRecord {
    let time = START + index * 1_700_000 + random.below(1_000_000);
    let body = format!("order {} of customer {} was placed", random.below(1_000_000), random.below(10_000));
    let tags = ["web", "eu", "v2"].map(|tag| value(Value::StringValue(tag.to_owned())));
    LogRecord {
        time_unix_nano: time,
        observed_time_unix_nano: time + 90_000,
        severity_number: 9,
        severity_text: "INFO".to_owned(),
        body: Some(value(Value::StringValue(body))),
        attributes: vec![
            text("code.function.name", "checkout.orders.place"),
            text("code.file.path", "/srv/checkout/orders.py"),
            int("code.line.number", 100 + random.below(400)),
            text("thread.name", format!("worker-{}", random.below(16))),
            KeyValue {
                key: "app.tags".to_owned(),
                value: Some(value(Value::ArrayValue(ArrayValue { values: tags.to_vec() }))),
                ..KeyValue::default()
            },
        ],
        flags: 1,
        trace_id: random.bytes(16),
        span_id: random.bytes(8),
        ..LogRecord::default()
    }
}

fn point_attributes(random: &mut Random) -> Vec<KeyValue> {
    vec![
        text("http.route", random.of(&ROUTES)),
        text("http.request.method", random.of(&METHODS)),
        int("http.response.status_code", random.of(&STATUSES) as u64),
    ]
}

fn metric(kind: u64, random: &mut Random) -> Metric {
    let (start, time) = (START, START + 60_000_000_000);
    let points = 0..20;
    let data = match kind {
        0 => Data::Gauge(Gauge { data_points: points.map(|_| number(time, random)).collect() }),
        1 => Data::Sum(Sum {
            data_points: points.map(|_| number(time, random)).collect(),
            aggregation_temporality: 2,
            is_monotonic: true,
        }),
        2 => Data::Histogram(Histogram {
            data_points: points.map(|_| histogram(start, time, random)).collect(),
            aggregation_temporality: 2,
        }),
        3 => Data::ExponentialHistogram(ExponentialHistogram {
            data_points: points.map(|_| exponential(start, time, random)).collect(),
            aggregation_temporality: 1,
        }),
        _ => Data::Summary(Summary { data_points: points.map(|_| summary(start, time, random)).collect() }),
    };
    Metric {
        name: format!("http.server.measure_{kind}"),
        description: "What a request took".to_owned(),
        unit: "s".to_owned(),
        data: Some(data),
        ..Metric::default()
    }
}

fn number(time: u64, random: &mut Random) -> NumberDataPoint {
    NumberDataPoint {
        attributes: point_attributes(random),
        start_time_unix_nano: START,
        time_unix_nano: time,
        exemplars: vec![Exemplar {
            time_unix_nano: time - 5,
            span_id: random.bytes(8),
            trace_id: random.bytes(16),
            value: Some(exemplar::Value::AsDouble(random.below(1000) as f64 / 7.0)),
            ..Exemplar::default()
        }],
        value: Some(number_data_point::Value::AsInt(random.below(1_000_000) as i64)),
        ..NumberDataPoint::default()
    }
}

fn histogram(start: u64, time: u64, random: &mut Random) -> HistogramDataPoint {
    let bounds = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];
    let bucket_counts: Vec<_> = (0..=bounds.len()).map(|_| random.below(500)).collect();
    HistogramDataPoint {
        attributes: point_attributes(random),
        start_time_unix_nano: start,
        time_unix_nano: time,
        count: bucket_counts.iter().sum(),
        sum: Some(random.below(100_000) as f64 / 1000.0),
        bucket_counts,
        explicit_bounds: bounds.to_vec(),
        min: Some(0.001),
        max: Some(9.5),
        ..HistogramDataPoint::default()
    }
}

fn exponential(start: u64, time: u64, random: &mut Random) -> ExponentialHistogramDataPoint {
    let bucket_counts: Vec<_> = (0..40).map(|_| random.below(300)).collect();
    ExponentialHistogramDataPoint {
        attributes: point_attributes(random),
        start_time_unix_nano: start,
        time_unix_nano: time,
        count: bucket_counts.iter().sum::<u64>() + 3,
        sum: Some(random.below(100_000) as f64 / 1000.0),
        scale: 3,
        zero_count: 3,
        positive: Some(Buckets { offset: -17, bucket_counts }),
        ..ExponentialHistogramDataPoint::default()
    }
}

fn summary(start: u64, time: u64, random: &mut Random) -> SummaryDataPoint {
    let quantile = |quantile, value| ValueAtQuantile { quantile, value };
    SummaryDataPoint {
        attributes: point_attributes(random),
        start_time_unix_nano: start,
        time_unix_nano: time,
        count: random.below(10_000),
        sum: random.below(100_000) as f64 / 10.0,
        quantile_values: vec![quantile(0.5, 0.031), quantile(0.9, 0.21), quantile(0.99, 1.7)],
        ..SummaryDataPoint::default()
    }
}

fn sample(index: u64, random: &mut Random) -> Sample {
    let timestamps: Vec<_> =
        (0..5).map(|tick| START + index * 50_000_000 + tick * 10_000_000 + random.below(1_000_000)).collect();
    Sample {
        stack_index: random.below(60) as i32,
        attribute_indices: vec![1, 2 + random.below(4) as i32],
        link_index: random.below(8) as i32,
        values: vec![10_000_000 * (1 + random.below(9) as i64)],
        timestamps_unix_nano: timestamps,
    }
}

fn dictionary(random: &mut Random) -> ProfilesDictionary {
    let names = (0..40).map(|function| format!("checkout.module_{}.function_{function}", function % 7));
    let fixed =
        ["", "cpu", "nanoseconds", "samples", "count", "thread.id", "/srv/checkout/app.py", "/usr/bin/python3.13"];
    let address = 0x5555_0000_0000;
    ProfilesDictionary {
        mapping_table: vec![
            Mapping::default(),
            Mapping {
                memory_start: address,
                memory_limit: address + 0x40_0000,
                filename_strindex: 7,
                ..Mapping::default()
            },
        ],
        location_table: (0..80)
            .map(|index| Location {
                mapping_index: 1,
                address: address + 64 * index,
                lines: vec![Line { function_index: (index % 40) as i32, line: random.below(900) as i64, column: 0 }],
                ..Location::default()
            })
            .collect(),
        function_table: (0..40)
            .map(|index| Function {
                name_strindex: 8 + index,
                filename_strindex: 6,
                start_line: 10,
                ..Function::default()
            })
            .collect(),
        link_table: (0..8).map(|_| Link { trace_id: random.bytes(16), span_id: random.bytes(8) }).collect(),
        string_table: fixed.into_iter().map(str::to_owned).chain(names).collect(),
        attribute_table: (0..6)
            .map(|thread| KeyValueAndUnit {
                key_strindex: 5,
                value: Some(value(Value::IntValue(thread))),
                unit_strindex: 0,
            })
            .collect(),
        stack_table: (0..60)
            .map(|_| Stack { location_indices: (0..12).map(|_| random.below(80) as i32).collect() })
            .collect(),
    }
}
