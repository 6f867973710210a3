//! The lake's files, read back and compared with what `prost` makes of the same bytes.

mod expected;
mod logs;
mod metrics;
mod profiles;
mod rows;
mod traces;
mod wire;

use gridgate::domain::{KeyId, RecordId, Signal, Timestamp};
use gridgate::storage::destination::lake::{LakeError, LakeFile, LakeRecord};
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

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
fn expected(signal: Signal, payload: &[u8]) -> Option<Vec<String>> {
    match signal {
        Signal::Traces => traces::expected(payload),
        Signal::Metrics => metrics::expected(payload),
        Signal::Logs => logs::expected(payload),
        Signal::Profiles => profiles::expected(payload),
    }
}

fn actual(signal: Signal, row: &Row) -> String {
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
