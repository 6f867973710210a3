//! The scan accepts what `prost` decodes, except what it says it refuses beyond that.

#![no_main]

use gridgate::domain::Signal;
use gridgate::otlp::scan::{ScanError, ScanLimits, scan};
use gridgate::otlp::wire::WireError;
use libfuzzer_sys::fuzz_target;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::profiles::v1development::ExportProfilesServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;

fuzz_target!(|input: &[u8]| {
    let Some((&first, body)) = input.split_first() else { return };
    let signal = Signal::ALL[usize::from(first) % Signal::ALL.len()];
    let decodes = match signal {
        Signal::Traces => ExportTraceServiceRequest::decode(body).is_ok(),
        Signal::Metrics => ExportMetricsServiceRequest::decode(body).is_ok(),
        Signal::Logs => ExportLogsServiceRequest::decode(body).is_ok(),
        Signal::Profiles => ExportProfilesServiceRequest::decode(body).is_ok(),
    };
    match scan(signal, body, &ScanLimits::default()) {
        Ok(_) => assert!(decodes),
        Err(
            ScanError::IdLength { .. }
            | ScanError::TooDeep { .. }
            | ScanError::TooManyItems { .. }
            | ScanError::TooManySubmessages { .. }
            | ScanError::Wire { cause: WireError::Depth, .. },
        ) => {}
        Err(error) => assert!(!decodes, "{error}"),
    }
});
