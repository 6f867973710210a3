//! JSON becomes the same request as its protobuf form, whatever the spelling, and damage never becomes an invalid one.

use gridgate::domain::Signal;
use gridgate::otlp::json::{JsonError, JsonLimits, to_protobuf as transcode};
use gridgate::otlp::scan::{ScanLimits, scan};
use proptest::prelude::*;
use prost::Message;
use serde::Serialize;

use super::arbitrary::{self, Entropy};
use super::{bodies, to_protobuf};
use crate::checks::reference;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn every_spelling_becomes_the_same_request(
        (signal, entropy) in arbitrary::signal_and_entropy(),
        spelling in prop::collection::vec(any::<u8>(), 0..500),
    ) {
        let request = arbitrary::request(signal, &mut Entropy::new(&entropy));
        let json = arbitrary::json(&request, &mut Entropy::new(&spelling));
        let protobuf = to_protobuf(signal, json.as_bytes(), usize::MAX);
        let protobuf = protobuf.map_err(|error| TestCaseError::fail(format!("{error}: {json}")))?;
        let expected = reference::decode(signal, &request.encode_to_vec()).expect("it is valid");
        let decoded = reference::decode(signal, &protobuf).expect("it is valid");
        prop_assert!(decoded.bytes == expected.bytes, "{}", json);
        let scan = scan(signal, &protobuf, &ScanLimits::default()).expect("it is valid");
        prop_assert_eq!((scan.items, scan.resources), (expected.items as u64, expected.resources as u64));

        let exact = protobuf.len();
        prop_assert_eq!(to_protobuf(signal, json.as_bytes(), exact), Ok(protobuf));
        if let Some(less) = exact.checked_sub(1) {
            prop_assert_eq!(to_protobuf(signal, json.as_bytes(), less), Err(JsonError::TooLarge { limit: less }));
        }
    }

    /// The same limits give the same verdict in either form.
    #[test]
    fn limits_hold_for_both_forms_alike(
        (signal, entropy) in arbitrary::signal_and_entropy(),
        items in 0..20_u64,
        submessages in 0..60_u64,
        depth in 0..4_u32,
    ) {
        let request = arbitrary::request(signal, &mut Entropy::new(&entropy));
        let limits = ScanLimits { items, submessages, depth, ..ScanLimits::default() };
        let expected = scan(signal, &request.encode_to_vec(), &limits).map(|scan| scan.items).map_err(|error| error.reason());
        let json = arbitrary::json(&request, &mut Entropy::new(&entropy));
        let protobuf = transcode(signal, json.as_bytes(), &JsonLimits::new(usize::MAX, &limits), |_| Ok(()));
        let found = protobuf.map_err(|error| error.reason()).and_then(|protobuf| {
            scan(signal, &protobuf, &limits).map(|scan| scan.items).map_err(|error| error.reason())
        });
        // Where several limits are passed, the order of the fields decides which is told.
        prop_assert_eq!(expected.ok(), found.ok());
    }

    #[test]
    fn what_damaged_json_becomes_is_refused_or_valid(
        (signal, entropy) in arbitrary::signal_and_entropy(),
        mutations in prop::collection::vec(arbitrary::mutations(), 8),
    ) {
        let valid = arbitrary::json(&arbitrary::request(signal, &mut Entropy::new(&entropy)), &mut Entropy::new(&entropy));
        for mutations in mutations {
            let mut json = valid.clone().into_bytes();
            arbitrary::mutate(&mut json, &mutations);
            match to_protobuf(signal, &json, usize::MAX) {
                Ok(protobuf) => {
                    let scan = scan(signal, &protobuf, &ScanLimits::default());
                    prop_assert!(scan.is_ok(), "{:?}: {}", scan, String::from_utf8_lossy(&json));
                }
                Err(error) => prop_assert!(error.to_string().is_ascii(), "it tells of the body: {}", error),
            }
        }
    }
}

/// The JSON of `opentelemetry-proto`. That of profiles is not OTLP's: it writes the ids of links as arrays.
#[test]
fn the_json_of_other_implementations_is_read() {
    same(Signal::Traces, &bodies::traces());
    same(Signal::Metrics, &bodies::metrics());
    same(Signal::Logs, &bodies::logs());
}

fn same<M: Message + std::fmt::Debug + Default + PartialEq + Serialize>(signal: Signal, request: &M) {
    let json = serde_json::to_vec(request).expect("it has a JSON form");
    let protobuf = to_protobuf(signal, &json, usize::MAX).expect("it is valid");
    assert_eq!(&M::decode(protobuf.as_slice()).expect("it is valid"), request);
}
