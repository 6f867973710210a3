//! The test span: an `ExportTraceServiceRequest` with one of them, written by hand.
//!
//! Source: opentelemetry-proto, `trace.proto`, `resource.proto` and `common.proto`.

use std::time::Duration;

use prost::encoding::encode_varint;

use crate::domain::random::RandomError;
use crate::domain::{Random, Timestamp};

/// The `service.name` of the span: how it is told from real ones.
pub(super) const SERVICE: &str = "gridgate-doctor";

/// How long the span says that it lasted.
const LENGTH: Duration = Duration::from_millis(1);

/// The message with one span that ended at `now`.
pub(super) fn message(now: Timestamp, random: &dyn Random) -> Result<Vec<u8>, RandomError> {
    let (mut trace_id, mut span_id) = ([0; 16], [0; 8]);
    random.fill(&mut trace_id)?;
    random.fill(&mut span_id)?;
    let end = u64::try_from(now.micros()).unwrap_or_default().saturating_mul(1000);
    let start = end.saturating_sub(u64::try_from(LENGTH.as_nanos()).unwrap_or_default());
    let span = [
        bytes(1, &trace_id),
        bytes(2, &span_id),
        bytes(5, b"gridgate doctor"),
        // Internal.
        vec![6 << 3, 1],
        fixed(7, start),
        fixed(8, end),
    ];
    let name = [bytes(1, b"service.name"), bytes(2, &bytes(1, SERVICE.as_bytes()))].concat();
    let resource = bytes(1, &name);
    let scope = [bytes(1, b"gridgate"), bytes(2, env!("CARGO_PKG_VERSION").as_bytes())].concat();
    let scope_spans = [bytes(1, &scope), bytes(2, &span.concat())].concat();
    let resource_spans = [bytes(1, &resource), bytes(2, &scope_spans)].concat();
    Ok(bytes(1, &resource_spans))
}

/// A field of wire type 2.
fn bytes(number: u8, value: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2];
    encode_varint(value.len() as u64, &mut field);
    field.extend_from_slice(value);
    field
}

/// A field of wire type 1.
fn fixed(number: u8, value: u64) -> Vec<u8> {
    [&[number << 3 | 1][..], &value.to_le_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::random::SeededRandom;
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::common::v1::any_value::Value;
    use prost::Message as _;

    #[test]
    fn another_reader_finds_one_whole_span() {
        let now = Timestamp::from_micros(1_795_256_520_000_000);
        let message = message(now, &SeededRandom::new(1)).expect("bytes");
        let read = ExportTraceServiceRequest::decode(&*message).expect("a request");
        let [resource_spans] = &*read.resource_spans else { panic!("{read:?}") };
        let resource = resource_spans.resource.as_ref().expect("a resource");
        let value = resource.attributes[0].value.clone().and_then(|value| value.value);
        assert_eq!(resource.attributes[0].key, "service.name");
        assert_eq!(value, Some(Value::StringValue(SERVICE.to_owned())));
        let [scope_spans] = &*resource_spans.scope_spans else { panic!("{read:?}") };
        assert_eq!(scope_spans.scope.as_ref().map(|scope| &*scope.name), Some("gridgate"));
        let [span] = &*scope_spans.spans else { panic!("{read:?}") };
        assert_eq!((span.trace_id.len(), span.span_id.len(), &*span.name), (16, 8, "gridgate doctor"));
        assert_eq!((span.end_time_unix_nano, span.kind), (1_795_256_520_000_000_000, 1));
        assert_eq!(span.end_time_unix_nano - span.start_time_unix_nano, 1_000_000);
        assert_eq!(read.encode_to_vec(), message);
    }
}
