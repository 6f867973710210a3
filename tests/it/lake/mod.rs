//! The lake's files, read back and compared with what `prost` makes of the same bytes.

mod expected;
mod logs;
mod metrics;
mod profiles;
pub(crate) mod rows;
mod traces;
mod wire;

use gridgate::domain::{KeyId, RecordId, Signal, Timestamp};
use gridgate::storage::destination::lake::{LakeError, LakeFile, LakeRecord};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::profiles::v1development::ExportProfilesServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, any_value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::profiles::v1development::{
    KeyValueAndUnit, Location, Mapping, Profile, ProfilesDictionary, ResourceProfiles, Sample, ScopeProfiles,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;
use prost::Message;

use rows::{Row, read};
use wire::Generator;

/// An export of any signal.
fn payload(signal: Signal, entropy: &[u8]) -> Vec<u8> {
    let message = match signal {
        Signal::Traces => &wire::TRACES,
        Signal::Metrics => &wire::METRICS,
        Signal::Logs => &wire::LOGS,
        Signal::Profiles => &wire::PROFILES,
    };
    Generator::new(entropy).message(message, 0)
}

/// The rows that a request should become; `None` where it is not one.
pub(crate) fn expected(signal: Signal, payload: &[u8]) -> Option<Vec<String>> {
    match signal {
        Signal::Traces => traces::expected(payload),
        Signal::Metrics => metrics::expected(payload),
        Signal::Logs => logs::expected(payload),
        Signal::Profiles => profiles::expected(payload),
    }
}

pub(crate) fn actual(signal: Signal, row: &Row) -> String {
    match signal {
        Signal::Traces => traces::actual(row),
        Signal::Metrics => metrics::actual(row),
        Signal::Logs => logs::actual(row),
        Signal::Profiles => profiles::actual(row),
    }
}

fn record(payload: &[u8], number: u8) -> LakeRecord<'_> {
    LakeRecord {
        record: RecordId::from_bytes([number; 16]),
        key: KeyId::from_bare("EXAMPLE00001").unwrap(),
        arrival: Timestamp::from_micros(1_795_256_520_000_000 + i64::from(number)),
        payload,
    }
}

fn file(signal: Signal, payloads: &[Vec<u8>]) -> Result<Vec<u8>, LakeError> {
    let mut file = LakeFile::new(signal)?;
    for (number, payload) in (0..).zip(payloads) {
        file.append(&record(payload, number))?;
    }
    let rows = file.rows();
    let bytes = file.finish()?;
    assert_eq!(read(bytes.clone()).len() as u64, rows);
    Ok(bytes)
}

fn signals() -> impl Strategy<Value = Signal> {
    prop::sample::select(&Signal::ALL[..])
}

fn entropy() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..2000)
}

fn compare(signal: Signal, payloads: &[Vec<u8>], file: Vec<u8>) -> TestCaseResult {
    let rows = read(file);
    let mut rows = rows.iter();
    for (number, payload) in (0..).zip(payloads) {
        for expected in expected(signal, payload).unwrap() {
            let row = rows.next().expect("there are rows enough");
            prop_assert_eq!(row.string("record_id"), RecordId::from_bytes([number; 16]).to_string());
            prop_assert_eq!(row.string("key_id"), "key_EXAMPLE00001");
            prop_assert_eq!(row.micros("arrival_time"), Some(1_795_256_520_000_000 + i64::from(number)));
            let actual = actual(signal, row);
            for (line, expected) in actual.lines().zip(expected.lines()) {
                prop_assert_eq!(line, expected, "in {}", actual);
            }
            prop_assert_eq!(actual, expected);
        }
    }
    prop_assert!(rows.next().is_none());
    Ok(())
}

/// Random bytes of a fixed seed.
fn fixed_entropy(seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[4]
    };
    std::iter::repeat_with(next).take(3000).collect()
}

/// Batches end in the middle of a record; what its rows share must not end with them.
#[test]
fn a_record_of_many_batches() {
    for signal in Signal::ALL {
        let one = (1..2000)
            .map(|seed| payload(signal, &fixed_entropy(seed)))
            .find(|payload| {
                payload.len() < 400
                    && expected(signal, payload).is_some_and(|rows| rows.iter().any(|row| row.len() > 2500))
            })
            .unwrap();
        let rows = expected(signal, &one).unwrap().len();
        // The bytes of two requests are a request with the resources of both.
        let payloads = [one.clone(), one.repeat(40_000 / rows), one];
        compare(signal, &payloads, file(signal, &payloads).unwrap()).unwrap();
    }
}

fn trace(resource_value: &str, spans: usize) -> Vec<u8> {
    let value = AnyValue { value: Some(any_value::Value::StringValue(resource_value.to_owned())) };
    let attribute = KeyValue { key: "a".to_owned(), value: Some(value), key_strindex: 0 };
    let resource = Resource { attributes: vec![attribute], ..Resource::default() };
    let scope_spans = ScopeSpans { spans: vec![Span::default(); spans], ..ScopeSpans::default() };
    let resource_spans =
        ResourceSpans { resource: Some(resource), scope_spans: vec![scope_spans], ..ResourceSpans::default() };
    ExportTraceServiceRequest { resource_spans: vec![resource_spans] }.encode_to_vec()
}

/// A long value of a resource is in the file once, not once per row.
#[test]
fn what_rows_share_is_stored_once() {
    let parts: Vec<_> = (0..400_000_u32).map(|number| format!("{:08x}", number.wrapping_mul(0x9e37_79b9))).collect();
    let payload = trace(&parts.concat(), 200);
    let length = payload.len();
    let bytes = file(Signal::Traces, &[payload]).unwrap();
    assert!(bytes.len() < 2 * length, "{} bytes of {length}", bytes.len());
}

#[test]
fn a_record_that_expands_without_end_is_refused_and_its_file_with_it() {
    let mut file = LakeFile::new(Signal::Traces).unwrap();
    let payload = trace(&"x".repeat(1 << 20), 5_000);
    assert!(matches!(file.append(&record(&payload, 0)), Err(LakeError::TooLarge)));
    assert!(matches!(file.append(&record(&[], 1)), Err(LakeError::Abandoned)));
    assert!(matches!(file.finish(), Err(LakeError::Abandoned)));
}

#[test]
fn attributes_that_expand_without_end_are_refused() {
    let value = AnyValue { value: Some(any_value::Value::StringValue("x".repeat(1 << 20))) };
    let attribute = KeyValueAndUnit { value: Some(value), ..KeyValueAndUnit::default() };
    let references = vec![0; 1_000];
    let dictionary = |mapping: &[i32], location: &[i32]| ProfilesDictionary {
        attribute_table: vec![attribute.clone()],
        mapping_table: vec![Mapping { attribute_indices: mapping.to_vec(), ..Mapping::default() }],
        location_table: vec![Location { attribute_indices: location.to_vec(), ..Location::default() }],
        ..ProfilesDictionary::default()
    };
    let profile = |profile: &[i32], sample: &[i32]| {
        let sample = Sample { attribute_indices: sample.to_vec(), ..Sample::default() };
        Profile { attribute_indices: profile.to_vec(), samples: vec![sample], ..Profile::default() }
    };
    for (dictionary, profile) in [
        (dictionary(&references, &[]), profile(&[], &[])),
        (dictionary(&[], &references), profile(&[], &[])),
        (dictionary(&[], &[]), profile(&references, &[])),
        (dictionary(&[], &[]), profile(&[], &references)),
    ] {
        let scope_profiles = ScopeProfiles { profiles: vec![profile], ..ScopeProfiles::default() };
        let resource_profiles =
            ResourceProfiles { scope_profiles: vec![scope_profiles], ..ResourceProfiles::default() };
        let request =
            ExportProfilesServiceRequest { resource_profiles: vec![resource_profiles], dictionary: Some(dictionary) };
        assert!(matches!(file(Signal::Profiles, &[request.encode_to_vec()]), Err(LakeError::TooLarge)));
    }
}

#[test]
fn values_nested_too_deeply_are_refused() {
    let mut value = AnyValue { value: None };
    for depth in 0..40 {
        let payload = log(value.clone());
        match file(Signal::Logs, std::slice::from_ref(&payload)) {
            Ok(bytes) if depth < 32 => compare(Signal::Logs, &[payload], bytes).unwrap(),
            Err(LakeError::Depth) if depth >= 32 => {}
            other => panic!("depth {depth}: {:?}", other.map(|bytes| bytes.len())),
        }
        value = AnyValue { value: Some(any_value::Value::ArrayValue(ArrayValue { values: vec![value] })) };
    }
}

fn log(body: AnyValue) -> Vec<u8> {
    let record = LogRecord { body: Some(body), ..LogRecord::default() };
    let scope_logs = vec![ScopeLogs { log_records: vec![record], ..ScopeLogs::default() }];
    let resource_logs = vec![ResourceLogs { scope_logs, ..ResourceLogs::default() }];
    ExportLogsServiceRequest { resource_logs }.encode_to_vec()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn rows_say_what_the_requests_say(signal in signals(), entropies in prop::collection::vec(entropy(), 1..4)) {
        let payloads: Vec<_> = entropies.iter().map(|entropy| payload(signal, entropy)).collect();
        let bytes = file(signal, &payloads).unwrap();
        prop_assert_eq!(&bytes, &file(signal, &payloads).unwrap(), "the same records give the same bytes");
        compare(signal, &payloads, bytes)?;
    }

    #[test]
    fn damaged_requests_are_refused_or_read_as_prost_reads_them(
        signal in signals(),
        entropy in entropy(),
        damages in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut damaged = payload(signal, &entropy);
        if !damaged.is_empty() {
            for (at, byte) in &damages {
                let at = at.index(damaged.len());
                damaged[at] ^= byte;
            }
            let length = damaged.len();
            damaged.truncate(if damages.len() == 1 { cut.index(length) } else { length });
        }
        let payloads = [damaged];
        match file(signal, &payloads) {
            Ok(bytes) if expected(signal, &payloads[0]).is_some() => compare(signal, &payloads, bytes)?,
            // What it does not need to look at may be damaged.
            Ok(_) => {}
            Err(error) => {
                prop_assert!(expected(signal, &payloads[0]).is_none(), "{}", error);
                prop_assert!(!matches!(error, LakeError::Columns(_) | LakeError::Parquet(_)), "{}", error);
            }
        }
    }

    #[test]
    fn any_bytes_are_refused_or_read(signal in signals(), bytes in entropy()) {
        let known = expected(signal, &bytes).is_some();
        prop_assert!(file(signal, &[bytes]).is_ok() || !known);
    }
}
