//! Data points: what a request says and what its rows say, each point as a metric of its own.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint, Metric,
    NumberDataPoint, Sum, Summary, SummaryDataPoint, exemplar, number_data_point,
};
use prost::Message;

use super::expected::{Owner, resolve_all, time};
use super::rows::Row;

pub(super) fn expected(payload: &[u8]) -> Option<Vec<String>> {
    let request = ExportMetricsServiceRequest::decode(payload).ok()?;
    let mut rows = Vec::new();
    for resource in &request.resource_metrics {
        for scope in &resource.scope_metrics {
            let owner = Owner::new(
                resource.resource.as_ref(),
                &resource.schema_url,
                scope.scope.as_ref(),
                &scope.schema_url,
                &[],
            );
            for metric in &scope.metrics {
                let mut metric = metric.clone();
                resolve_all(&mut metric.metadata, &[]);
                for (at, data) in points(metric.data.take()) {
                    let metric = Metric { data: Some(data), ..metric.clone() };
                    rows.push(format!("{:#?}", (&owner, time(at), &metric)));
                }
            }
        }
    }
    Some(rows)
}

/// The time of each point, and the data with that point alone.
fn points(data: Option<Data>) -> Vec<(u64, Data)> {
    macro_rules! split {
        ($data:ident, $variant:ident, $resolve:expr) => {
            std::mem::take(&mut $data.data_points)
                .into_iter()
                .map(|mut point| {
                    resolve_all(&mut point.attributes, &[]);
                    $resolve(&mut point);
                    let mut data = $data.clone();
                    let at = point.time_unix_nano;
                    data.data_points.push(point);
                    (at, Data::$variant(data))
                })
                .collect()
        };
    }
    let exemplars = |exemplars: &mut Vec<Exemplar>| {
        for exemplar in exemplars {
            resolve_all(&mut exemplar.filtered_attributes, &[]);
        }
    };
    match data {
        None => Vec::new(),
        Some(Data::Gauge(mut data)) => {
            split!(data, Gauge, |point: &mut NumberDataPoint| exemplars(&mut point.exemplars))
        }
        Some(Data::Sum(mut data)) => split!(data, Sum, |point: &mut NumberDataPoint| exemplars(&mut point.exemplars)),
        Some(Data::Histogram(mut data)) => {
            split!(data, Histogram, |point: &mut HistogramDataPoint| exemplars(&mut point.exemplars))
        }
        Some(Data::ExponentialHistogram(mut data)) => {
            split!(data, ExponentialHistogram, |point: &mut ExponentialHistogramDataPoint| exemplars(
                &mut point.exemplars
            ))
        }
        Some(Data::Summary(mut data)) => split!(data, Summary, |_: &mut SummaryDataPoint| {}),
    }
}

pub(super) fn actual(row: &Row) -> String {
    let metric = Metric {
        name: row.string("name"),
        description: row.string("description"),
        unit: row.string("unit"),
        metadata: row.attributes("metadata").unwrap(),
        data: Some(data(row)),
    };
    format!("{:#?}", (&Owner::of_row(row), row.nanos("time"), &metric))
}

fn data(row: &Row) -> Data {
    let kind = row.string("type");
    let aggregation_temporality = || row.named("aggregation_temporality", &["unspecified", "delta", "cumulative"]);
    assert_nulls(row, &kind);
    match kind.as_str() {
        "gauge" => Data::Gauge(Gauge { data_points: vec![number_point(row)] }),
        "sum" => Data::Sum(Sum {
            data_points: vec![number_point(row)],
            aggregation_temporality: aggregation_temporality(),
            is_monotonic: row.boolean("is_monotonic").unwrap(),
        }),
        "histogram" => Data::Histogram(Histogram {
            data_points: vec![histogram_point(row)],
            aggregation_temporality: aggregation_temporality(),
        }),
        "exponential_histogram" => Data::ExponentialHistogram(ExponentialHistogram {
            data_points: vec![exponential_point(row)],
            aggregation_temporality: aggregation_temporality(),
        }),
        "summary" => Data::Summary(Summary { data_points: vec![summary_point(row)] }),
        other => panic!("{other} is no type of metric"),
    }
}

/// Columns that a kind does not have are null.
fn assert_nulls(row: &Row, kind: &str) {
    let is_number = matches!(kind, "gauge" | "sum");
    assert_eq!(row.text("aggregation_temporality").is_none(), matches!(kind, "gauge" | "summary"));
    assert_eq!(row.boolean("is_monotonic").is_none(), kind != "sum");
    assert_eq!(row.u64("count").is_none(), is_number);
    assert!(!is_number || row.f64("sum").is_none());
    assert!(is_number || (row.i64("int_value").is_none() && row.f64("double_value").is_none()));
    assert_eq!(row.u64s("bucket_counts").is_none(), kind != "histogram");
    assert_eq!(row.f64s("explicit_bounds").is_none(), kind != "histogram");
    assert_eq!(row.i32("scale").is_none(), kind != "exponential_histogram");
    assert_eq!(row.list("quantile_values").is_none(), kind != "summary");
    assert_eq!(row.list("exemplars").is_none(), kind == "summary");
}

fn number_point(row: &Row) -> NumberDataPoint {
    use number_data_point::Value;
    NumberDataPoint {
        attributes: row.attributes("attributes").unwrap(),
        start_time_unix_nano: row.u64("start_time_unix_nano").unwrap(),
        time_unix_nano: row.u64("time_unix_nano").unwrap(),
        exemplars: exemplars(row),
        flags: row.u32("flags").unwrap(),
        value: match (row.i64("int_value"), row.f64("double_value")) {
            (None, None) => None,
            (Some(int), None) => Some(Value::AsInt(int)),
            (None, Some(double)) => Some(Value::AsDouble(double)),
            both => panic!("two values: {both:?}"),
        },
    }
}

fn histogram_point(row: &Row) -> HistogramDataPoint {
    HistogramDataPoint {
        attributes: row.attributes("attributes").unwrap(),
        start_time_unix_nano: row.u64("start_time_unix_nano").unwrap(),
        time_unix_nano: row.u64("time_unix_nano").unwrap(),
        count: row.u64("count").unwrap(),
        sum: row.f64("sum"),
        bucket_counts: row.u64s("bucket_counts").unwrap(),
        explicit_bounds: row.f64s("explicit_bounds").unwrap(),
        exemplars: exemplars(row),
        flags: row.u32("flags").unwrap(),
        min: row.f64("min"),
        max: row.f64("max"),
    }
}

fn exponential_point(row: &Row) -> ExponentialHistogramDataPoint {
    let buckets = |sign: &str| {
        row.i32(&format!("{sign}_offset"))
            .map(|offset| Buckets { offset, bucket_counts: row.u64s(&format!("{sign}_bucket_counts")).unwrap() })
    };
    ExponentialHistogramDataPoint {
        attributes: row.attributes("attributes").unwrap(),
        start_time_unix_nano: row.u64("start_time_unix_nano").unwrap(),
        time_unix_nano: row.u64("time_unix_nano").unwrap(),
        count: row.u64("count").unwrap(),
        sum: row.f64("sum"),
        scale: row.i32("scale").unwrap(),
        zero_count: row.u64("zero_count").unwrap(),
        positive: buckets("positive"),
        negative: buckets("negative"),
        flags: row.u32("flags").unwrap(),
        exemplars: exemplars(row),
        min: row.f64("min"),
        max: row.f64("max"),
        zero_threshold: row.f64("zero_threshold").unwrap(),
    }
}

fn summary_point(row: &Row) -> SummaryDataPoint {
    SummaryDataPoint {
        attributes: row.attributes("attributes").unwrap(),
        start_time_unix_nano: row.u64("start_time_unix_nano").unwrap(),
        time_unix_nano: row.u64("time_unix_nano").unwrap(),
        count: row.u64("count").unwrap(),
        sum: row.f64("sum").unwrap(),
        quantile_values: row
            .list("quantile_values")
            .unwrap()
            .iter()
            .map(|at| ValueAtQuantile { quantile: at.f64("quantile").unwrap(), value: at.f64("value").unwrap() })
            .collect(),
        flags: row.u32("flags").unwrap(),
    }
}

fn exemplars(row: &Row) -> Vec<Exemplar> {
    use exemplar::Value;
    let read = |exemplar: &Row| Exemplar {
        filtered_attributes: exemplar.attributes("filtered_attributes").unwrap(),
        time_unix_nano: exemplar.u64("time_unix_nano").unwrap(),
        span_id: exemplar.id("span_id"),
        trace_id: exemplar.id("trace_id"),
        value: match (exemplar.i64("int_value"), exemplar.f64("double_value")) {
            (None, None) => None,
            (Some(int), None) => Some(Value::AsInt(int)),
            (None, Some(double)) => Some(Value::AsDouble(double)),
            both => panic!("two values: {both:?}"),
        },
    };
    row.list("exemplars").unwrap().iter().map(read).collect()
}
