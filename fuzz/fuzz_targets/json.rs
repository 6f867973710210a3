//! OTLP/JSON never panics, and what becomes of it passes the scan.

#![no_main]

use gridgate::domain::Signal;
use gridgate::otlp::json::to_protobuf;
use gridgate::otlp::scan::{ScanError, ScanLimits, scan};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((&first, json)) = input.split_first() else { return };
    let signal = Signal::ALL[usize::from(first) % Signal::ALL.len()];
    if let Ok(protobuf) = to_protobuf(signal, json, 64 << 20) {
        let scan = scan(signal, &protobuf, &ScanLimits::default());
        assert!(matches!(scan, Ok(_) | Err(ScanError::TooManyItems { .. })), "{scan:?}");
    }
});
