//! The scan agrees with a decoder, and refuses what a decoder would choke on.

use gridgate::domain::origin::MAX_SOURCES;
use gridgate::domain::{Reason, Signal};
use gridgate::otlp::scan::{Scan, ScanError, ScanLimits, Source, scan};
use gridgate::otlp::wire::WireError;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use proptest::prelude::*;
use prost::Message;

use super::arbitrary::{self, Entropy};
use super::bodies;
use crate::checks::{reference, same_verdict};

fn scan_default(signal: Signal, body: &[u8]) -> Result<Scan<'_>, ScanError> {
    scan(signal, body, &ScanLimits::default())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn every_valid_request_is_accepted_and_counted((signal, entropy) in arbitrary::signal_and_entropy()) {
        let body = arbitrary::request(signal, &mut Entropy::new(&entropy)).encode_to_vec();
        let decoded = reference::decode(signal, &body).expect("it is valid");
        let scan = scan_default(signal, &body).expect("it is valid");
        prop_assert_eq!((scan.items, scan.resources), (decoded.items as u64, decoded.resources as u64));
    }

    #[test]
    fn damaged_requests_get_the_decoders_verdict(
        (signal, entropy) in arbitrary::signal_and_entropy(),
        mutations in prop::collection::vec(arbitrary::mutations(), 8),
        other in prop::sample::select(&Signal::ALL[..]),
    ) {
        let valid = arbitrary::request(signal, &mut Entropy::new(&entropy)).encode_to_vec();
        for mutations in mutations {
            let mut body = valid.clone();
            arbitrary::mutate(&mut body, &mutations);
            same_verdict(signal, &body);
        }
        same_verdict(other, &valid);
    }
}

#[test]
fn nothing_is_a_valid_export() {
    for signal in Signal::ALL {
        assert_eq!(scan_default(signal, &[]), Ok(Scan::default()));
    }
}

#[test]
fn who_sends_is_told() {
    let body = bodies::traces().encode_to_vec();
    let expected = Scan {
        items: 100,
        resources: 1,
        sources: sources(&[Source {
            service_name: Some("checkout"),
            host_name: Some("ip-10-12-3-77.eu-central-1.compute.internal"),
            sdk_language: Some("python"),
            sdk_name: Some("opentelemetry"),
            sdk_version: Some("1.45.2"),
        }]),
        deployment_environment: Some("production"),
    };
    assert_eq!(scan_default(Signal::Traces, &body), Ok(expected));
    let counts = [
        (Signal::Metrics, bodies::metrics().encode_to_vec(), 100),
        (Signal::Logs, bodies::logs().encode_to_vec(), 100),
        (Signal::Profiles, bodies::profiles().encode_to_vec(), 200),
    ];
    for (signal, body, items) in counts {
        assert_eq!(scan_default(signal, &body), Ok(Scan { items, ..expected }));
    }
}

/// As a scan holds them.
fn sources<'a>(known: &[Source<'a>]) -> [Option<Source<'a>>; MAX_SOURCES] {
    std::array::from_fn(|place| known.get(place).copied())
}

/// Field `number` of wire type 2.
fn bytes(number: u8, content: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2];
    prost::encode_length_delimiter(content.len(), &mut field).expect("a vector grows");
    field.extend_from_slice(content);
    field
}

fn attribute(key: &str, value: &[u8]) -> Vec<u8> {
    [bytes(1, key.as_bytes()), bytes(2, value)].concat()
}

/// A request with one resource of these attributes.
fn of_resource(attributes: &[Vec<u8>]) -> Vec<u8> {
    let attributes: Vec<_> = attributes.iter().map(|attribute| bytes(1, attribute)).collect();
    bytes(1, &bytes(1, &attributes.concat()))
}

#[test]
fn the_first_resource_that_knows_tells() {
    let text = |text: &str| bytes(1, text.as_bytes());
    let body = [
        of_resource(&[attribute("service.name", &[0x18, 1]), attribute("host.name", &text("a"))]),
        of_resource(&[attribute("service.name", &text("")), attribute("deployment.environment", &text("old"))]),
        of_resource(&[
            attribute("deployment.environment.name", &text("new")),
            attribute("service.name", &text("bücher")),
            attribute("host.name", &text("b")),
        ]),
    ]
    .concat();
    let scan = scan_default(Signal::Logs, &body).expect("it is valid");
    assert_eq!((scan.items, scan.resources), (0, 3));
    let one = |host_name| Source { host_name: Some(host_name), ..Source::default() };
    assert_eq!(scan.sources, sources(&[one("a"), Source { service_name: Some("bücher"), ..one("b") }]));
    assert_eq!(scan.deployment_environment, Some("old"));

    let both =
        [attribute("deployment.environment", &text("old")), attribute("deployment.environment.name", &text("new"))];
    let body = of_resource(&both);
    assert_eq!(scan_default(Signal::Logs, &body).expect("it is valid").deployment_environment, Some("new"));
}

/// Of many resources the first few senders are told, each once; thousands of resources are not asked.
#[test]
fn senders_are_told_apart_up_to_a_bound() {
    let named = |name: String| of_resource(&[attribute("service.name", &bytes(1, name.as_bytes()))]);
    let told = |body: &[u8]| -> Vec<String> {
        let scan = scan_default(Signal::Traces, body).expect("it is valid");
        let services = scan.sources.iter().flatten().filter_map(|source| source.service_name);
        services.map(str::to_owned).collect()
    };
    let some: Vec<_> = (0..40).flat_map(|number| named(format!("s{}", number % 3))).collect();
    assert_eq!(told(&some), ["s0", "s1", "s2"]);
    let many: Vec<_> = (0..40).flat_map(|number| named(format!("s{number}"))).collect();
    assert_eq!(told(&many), (0..MAX_SOURCES).map(|number| format!("s{number}")).collect::<Vec<_>>());
    let late: Vec<_> = (0..100).flat_map(|number| named(if number < 64 { "s" } else { "late" }.to_owned())).collect();
    assert_eq!(told(&late), ["s"]);
}

/// A request with one span of these fields.
fn of_span(fields: &[u8]) -> Vec<u8> {
    bytes(1, &bytes(2, &bytes(2, fields)))
}

#[test]
fn what_is_wrong_and_where() {
    let cases = [
        (of_span(&[0x0a]), "not protobuf: the bytes end inside a field (Span at byte 6)"),
        (of_span(&bytes(1, &[7; 15])), "Span.traceId has 15 bytes instead of 16 or none (at byte 6)"),
        (of_span(&bytes(4, &[7; 9])), "Span.parentSpanId has 9 bytes instead of 8 or none (at byte 6)"),
        (of_span(&bytes(5, b"\xff")), "Span.name is not UTF-8 (at byte 6)"),
        (of_span(&[0x28, 1]), "not OTLP of this signal: Span.name has another wire type (at byte 6)"),
        (of_span(&[0x0b, 0x0c]), "not OTLP of this signal: Span.traceId has another wire type (at byte 6)"),
    ];
    for (body, expected) in cases {
        let error = scan_default(Signal::Traces, &body).expect_err(expected);
        assert_eq!((error.to_string().as_str(), error.reason()), (expected, Reason::BodyUndecodable));
    }
    for fields in [bytes(1, &[7; 16]), bytes(2, &[]), bytes(2, &[7; 8]), vec![0xf8, 0xff, 0xff, 0xff, 0x0f, 1]] {
        assert_eq!(scan_default(Signal::Traces, &of_span(&fields)).map(|scan| scan.items), Ok(1), "{fields:?}");
    }
}

/// Stricter by design: a decoder takes ids of any length.
#[test]
fn ids_have_their_length_or_none() {
    for (field, length) in [(1, 15), (1, 17), (1, 32), (2, 7), (4, 16)] {
        let body = of_span(&bytes(field, &vec![7; length]));
        assert!(reference::decode(Signal::Traces, &body).is_ok());
        let error = scan_default(Signal::Traces, &body).expect_err("no id is so long");
        assert!(matches!(error, ScanError::IdLength { length: found, .. } if found == length), "{error}");
    }
    // ResourceProfiles, ScopeProfiles, Profile, and its id.
    let body = bytes(1, &bytes(2, &bytes(2, &bytes(7, &[7; 8]))));
    assert!(reference::decode(Signal::Profiles, &body).is_ok());
    assert!(matches!(scan_default(Signal::Profiles, &body), Err(ScanError::IdLength { expected: 16, .. })));
}

/// Stricter by design: a decoder goes into groups up to a hundred deep, though OTLP has none.
#[test]
fn groups_nest_24_deep_and_no_deeper() {
    let groups = |depth: usize| of_span(&[[0xfb, 0x07].repeat(depth), [0xfc, 0x07].repeat(depth)].concat());
    for depth in [1, 24, 25, 90] {
        assert!(reference::decode(Signal::Traces, &groups(depth)).is_ok(), "{depth}");
        let found = scan_default(Signal::Traces, &groups(depth)).map(|scan| scan.items);
        if depth <= 24 {
            assert_eq!(found, Ok(1));
        } else {
            assert!(matches!(found, Err(ScanError::Wire { cause: WireError::Depth, .. })), "{depth}: {found:?}");
        }
    }
}

/// Stricter by design: of two kinds of data a decoder forgets the first. It was sent, and it counts.
#[test]
fn data_of_two_kinds_counts_for_both() {
    let points = |count: usize| bytes(1, &[]).repeat(count);
    // A gauge of two points, then a sum of three.
    let metric = [bytes(5, &points(2)), bytes(7, &points(3))].concat();
    let body = bytes(1, &bytes(2, &bytes(2, &metric)));
    assert_eq!(reference::decode(Signal::Metrics, &body).map(|decoded| decoded.items), Ok(3));
    assert_eq!(scan_default(Signal::Metrics, &body).map(|scan| scan.items), Ok(5));
    // Of the same kind twice a decoder makes one, and the counts agree.
    let metric = [bytes(7, &points(2)), bytes(7, &points(3))].concat();
    assert!(same_verdict(Signal::Metrics, &bytes(1, &bytes(2, &bytes(2, &metric)))));
}

#[test]
fn packed_and_single_numbers_are_both_accepted() {
    // ScopeMetrics, Metric, ExponentialHistogram, data point, Buckets.
    let buckets = |content: &[u8]| {
        let metric = bytes(2, &bytes(10, &bytes(1, &bytes(8, content))));
        scan_default(Signal::Metrics, &bytes(1, &bytes(2, &metric)))
            .map(|scan| scan.items)
            .map_err(|error| error.reason())
    };
    assert_eq!(buckets(&[0x10, 0x80, 0x01, 0x12, 3, 1, 0x80, 0x01, 0x08, 5]), Ok(1));
    assert_eq!(buckets(&[0x12, 2, 1, 0x80]), Err(Reason::BodyUndecodable));
    assert_eq!(buckets(&[0x0a, 1, 1]), Err(Reason::BodyUndecodable));
}

/// The span attribute's value nested `depth` deep, arrays and lists by turns.
fn nested(depth: usize) -> Vec<u8> {
    let value = (1..depth).fold(vec![0x10, 1], |inner, level| {
        if level % 2 == 0 { bytes(5, &bytes(1, &inner)) } else { bytes(6, &bytes(1, &attribute("k", &inner))) }
    });
    of_span(&bytes(9, &attribute("k", &value)))
}

#[test]
fn values_nest_24_deep_and_no_deeper() {
    assert_eq!(scan_default(Signal::Traces, &nested(24)).map(|scan| scan.items), Ok(1));
    for depth in [25, 200, 10_000] {
        let error = scan_default(Signal::Traces, &nested(depth)).expect_err("too deep");
        assert!(matches!(error, ScanError::TooDeep { limit: 24, .. }), "{error}");
        assert_eq!(error.reason(), Reason::BodyUndecodable);
    }
    let limits = ScanLimits { depth: 1, ..ScanLimits::default() };
    assert!(scan(Signal::Traces, &nested(1), &limits).is_ok());
    assert!(matches!(scan(Signal::Traces, &nested(2), &limits), Err(ScanError::TooDeep { limit: 1, .. })));
}

#[test]
fn bombs_of_empty_messages_are_refused() {
    let resources = [0x0a, 0].repeat(2 << 20);
    let error = scan_default(Signal::Traces, &resources).expect_err("too many resources");
    assert_eq!((error, error.reason()), (ScanError::TooManyItems { limit: 250_000 }, Reason::TooManyItems));
    let attributes = of_span(&[0x4a, 0].repeat(4_000_000));
    let error = scan_default(Signal::Traces, &attributes).expect_err("too many attributes");
    assert_eq!((error, error.reason()), (ScanError::TooManySubmessages { limit: 4_000_000 }, Reason::TooManyItems));
    let groups = vec![0x0b; 4 << 20];
    assert!(scan_default(Signal::Traces, &groups).is_err());
}

#[test]
fn limits_count_up_to_and_including() {
    let body = bodies::traces().encode_to_vec();
    let exact = ScanLimits { items: 102, ..ScanLimits::default() };
    assert!(scan(Signal::Traces, &body, &exact).is_ok());
    let less = ScanLimits { items: 101, ..exact };
    assert_eq!(scan(Signal::Traces, &body, &less), Err(ScanError::TooManyItems { limit: 101 }));

    // One resource group, resource, attribute and value: the plain and the general way count alike.
    for key in ["key", "schlüssel"] {
        let body = of_resource(&[attribute(key, &[0x10, 1])]);
        let exact = ScanLimits { submessages: 4, ..ScanLimits::default() };
        assert!(scan(Signal::Logs, &body, &exact).is_ok());
        let less = ScanLimits { submessages: 3, ..exact };
        assert_eq!(scan(Signal::Logs, &body, &less), Err(ScanError::TooManySubmessages { limit: 3 }));
    }
}

/// In a table every item stands alone, with its resource and scope: a few megabytes could become terabytes.
#[test]
fn what_items_share_counts_for_each_of_them() {
    let spans = |count: usize| vec![Span::default(); count];
    let scope = |spans| ScopeSpans { schema_url: "s".repeat(50), spans, ..ScopeSpans::default() };
    let resource = |scope_spans| ResourceSpans { schema_url: "r".repeat(100), scope_spans, ..ResourceSpans::default() };
    // Shared by the spans of a scope are its URL's 52 bytes and what frames them, 2 bytes each; by the spans of the
    // resource its URL's 102 bytes, the scope without spans, and what frames the three scopes.
    let resource_spans = vec![resource(vec![scope(spans(3)), scope(spans(0)), scope(spans(4))])];
    let body = ExportTraceServiceRequest { resource_spans }.encode_to_vec();
    let shared_bytes = 3 * (52 + 3 * 2) + 4 * (52 + 4 * 2) + 7 * (102 + 52 + 3 * 2);
    let exact = ScanLimits { shared_bytes, ..ScanLimits::default() };
    assert_eq!(scan(Signal::Traces, &body, &exact).map(|scan| scan.items), Ok(7));
    let less = ScanLimits { shared_bytes: shared_bytes - 1, ..exact };
    assert_eq!(scan(Signal::Traces, &body, &less), Err(ScanError::TooMuchShared { limit: shared_bytes - 1 }));

    let fat = ResourceSpans { schema_url: "r".repeat(1 << 20), ..resource(vec![scope(spans(3000))]) };
    let body = ExportTraceServiceRequest { resource_spans: vec![fat] }.encode_to_vec();
    let refused = scan_default(Signal::Traces, &body).expect_err("it would be three gigabytes");
    assert_eq!(refused.reason(), Reason::TooManyItems);
}
