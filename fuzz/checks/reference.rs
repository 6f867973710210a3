//! What `prost` and `opentelemetry-proto` make of a payload.

use gridgate::domain::Signal;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::profiles::v1development::ExportProfilesServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use prost::{DecodeError, Message};

/// One decoded request.
pub struct Decoded {
    pub items: usize,
    pub resources: usize,
    /// The request encoded again: equal for equal requests, also where they hold NaN.
    pub bytes: Vec<u8>,
}

pub fn decode(signal: Signal, bytes: &[u8]) -> Result<Decoded, DecodeError> {
    match signal {
        Signal::Traces => {
            let request = ExportTraceServiceRequest::decode(bytes)?;
            let scopes = request.resource_spans.iter().flat_map(|group| &group.scope_spans);
            let items = scopes.map(|scope| scope.spans.len()).sum();
            Ok(Decoded { items, resources: request.resource_spans.len(), bytes: request.encode_to_vec() })
        }
        Signal::Metrics => {
            let request = ExportMetricsServiceRequest::decode(bytes)?;
            let scopes = request.resource_metrics.iter().flat_map(|group| &group.scope_metrics);
            let items = scopes.flat_map(|scope| &scope.metrics).map(|metric| points(metric.data.as_ref())).sum();
            Ok(Decoded { items, resources: request.resource_metrics.len(), bytes: request.encode_to_vec() })
        }
        Signal::Logs => {
            let request = ExportLogsServiceRequest::decode(bytes)?;
            let scopes = request.resource_logs.iter().flat_map(|group| &group.scope_logs);
            let items = scopes.map(|scope| scope.log_records.len()).sum();
            Ok(Decoded { items, resources: request.resource_logs.len(), bytes: request.encode_to_vec() })
        }
        Signal::Profiles => {
            let request = ExportProfilesServiceRequest::decode(bytes)?;
            let scopes = request.resource_profiles.iter().flat_map(|group| &group.scope_profiles);
            let items = scopes.flat_map(|scope| &scope.profiles).map(|profile| profile.samples.len()).sum();
            Ok(Decoded { items, resources: request.resource_profiles.len(), bytes: request.encode_to_vec() })
        }
    }
}

fn points(data: Option<&Data>) -> usize {
    match data {
        Some(Data::Gauge(gauge)) => gauge.data_points.len(),
        Some(Data::Sum(sum)) => sum.data_points.len(),
        Some(Data::Histogram(histogram)) => histogram.data_points.len(),
        Some(Data::ExponentialHistogram(histogram)) => histogram.data_points.len(),
        Some(Data::Summary(summary)) => summary.data_points.len(),
        None => 0,
    }
}
