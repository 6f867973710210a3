//! OTLP payloads: what is accepted, what is counted, what is refused.

mod arbitrary;
mod json;
mod json_rules;
mod scan;

#[path = "../../../benches/bodies/mod.rs"]
mod bodies;

use gridgate::domain::Signal;
use gridgate::otlp::json::{JsonError, JsonLimits, to_protobuf as transcode};
use gridgate::otlp::scan::ScanLimits;

/// JSON to at most `output` bytes of protobuf, within the limits that are the default.
fn to_protobuf(signal: Signal, json: &[u8], output: usize) -> Result<Vec<u8>, JsonError> {
    transcode(signal, json, &JsonLimits::new(output, &ScanLimits::default()), |_| Ok(()))
}
