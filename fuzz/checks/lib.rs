//! What must hold for any bytes at all, one function for each fuzz target. Each panics where it does not hold, and tells whether
//! the bytes were good. `tests/it/fuzz.rs` runs them, too.

pub mod reference;

use std::io::Read;

use gridgate::domain::credential;
use gridgate::domain::token::PresentedToken;
use gridgate::domain::{Encoding, Signal};
use gridgate::ingest::accept::{Format, header_bytes, is_grpc};
use gridgate::otlp::compression::{InflateError, with_inflated};
use gridgate::otlp::frame::{FrameError, PREFIX, only_message};
use gridgate::otlp::json::{JsonError, JsonLimits, to_protobuf};
use gridgate::otlp::scan::{ScanError, ScanLimits, scan as scan_body};
use gridgate::otlp::wire::{Reader, Value, WireError};
use http::{HeaderMap, HeaderName, HeaderValue, header};

/// A token is read as it is written, and its checksum finds every change of one character.
pub fn token(input: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(input) else { return false };
    let Ok(token) = PresentedToken::parse(text) else { return false };
    assert_eq!(token.text, text.trim_ascii(), "only spaces around it are left out");
    let text = token.text;
    assert!(text.is_ascii() && text.contains(token.id.bare()));
    for at in 0..text.len() {
        let mut other = text.as_bytes().to_vec();
        other[at] = if other[at] == b'x' { b'y' } else { b'x' };
        let other = String::from_utf8(other).expect("it is still ASCII");
        assert!(PresentedToken::parse(&other).is_err(), "{other} is as good as {text}");
    }
    true
}

/// The headers that decide about an export, as lines of name and value: case does not matter, and values of one list may stand in
/// one header or in several.
pub fn headers(input: &[u8]) -> bool {
    let mut headers = HeaderMap::new();
    for line in input.split(|&byte| byte == b'\n') {
        let Some(colon) = line.iter().position(|&byte| byte == b':') else { continue };
        let name = HeaderName::from_bytes(&line[..colon]);
        let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii());
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    let least: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    assert!(header_bytes(&headers) >= least);

    let values = |name: &HeaderName| -> Vec<Vec<u8>> {
        headers.get_all(name).iter().map(|value| value.as_bytes().to_vec()).collect()
    };
    let (authorization, api_key) = (values(&header::AUTHORIZATION), values(&HeaderName::from_static("api-key")));
    let of = |is_authorization: bool, values: &[Vec<u8>]| -> Vec<(bool, Vec<u8>)> {
        values.iter().map(|value| (is_authorization, value.clone())).collect()
    };
    let all = [of(true, &authorization), of(false, &api_key)].concat();
    let found = credential::single(all.iter().map(|(authorization, value)| (*authorization, value.as_slice())));
    if let Ok(token) = found {
        let holds = |value: &Vec<u8>| value.windows(token.len().max(1)).any(|part| part == token.as_bytes());
        assert!(token.is_empty() || authorization.iter().chain(&api_key).all(holds));
        let again =
            credential::single(all.iter().rev().map(|(authorization, value)| (*authorization, value.as_slice())));
        assert_eq!(again, Ok(token), "the order of headers matters");
    }

    let encodings = values(&header::CONTENT_ENCODING);
    let encoding = Encoding::of_content(encodings.iter().map(Vec::as_slice));
    assert_eq!(Encoding::of_content([encodings.join(&b","[..]).to_ascii_uppercase().as_slice()]), encoding);
    for value in values(&HeaderName::from_static("grpc-encoding")) {
        let named = Encoding::of_grpc(&value);
        assert_eq!(Encoding::of_grpc(&value.to_ascii_uppercase()), named);
        assert!(named.is_none() || Encoding::of_content([value.as_slice()]) == named);
    }

    let format = Format::of(&headers);
    if let Some(value) = headers.get(header::CONTENT_TYPE) {
        let upper = HeaderValue::from_bytes(&value.as_bytes().to_ascii_uppercase()).expect("it stays a header's value");
        let upper = HeaderMap::from_iter([(header::CONTENT_TYPE, upper)]);
        assert_eq!((Format::of(&upper), is_grpc(&upper)), (format, is_grpc(&headers)));
        assert!(format.is_none() || !is_grpc(&headers));
    }
    found.is_ok() && encoding.is_some() && (format.is_some() || is_grpc(&headers))
}

/// The signal that the first byte selects, and the body behind it.
fn signal_and_body(input: &[u8]) -> Option<(Signal, &[u8])> {
    let (&first, body) = input.split_first()?;
    Some((Signal::ALL[usize::from(first) % Signal::ALL.len()], body))
}

/// See [`same_verdict`].
pub fn scan(input: &[u8]) -> bool {
    let Some((signal, body)) = signal_and_body(input) else { return false };
    same_verdict(signal, body)
}

/// The scan accepts and counts what `opentelemetry-proto` decodes. It differs only where it says so:
///
/// 1. ids of a length that they cannot have are refused;
/// 2. attribute values nested deeper than `limits.depth` are refused;
/// 3. groups, which only unknown fields can be, are refused when they nest over 24 deep;
/// 4. more items, submessages or shared bytes than the limits allow are refused;
/// 5. where a metric has data of two kinds, a decoder keeps the last; all of it counts.
pub fn same_verdict(signal: Signal, body: &[u8]) -> bool {
    match (scan_body(signal, body, &ScanLimits::default()), reference::decode(signal, body)) {
        (Ok(scan), Ok(decoded)) => {
            assert_eq!(scan.resources, decoded.resources as u64);
            if signal == Signal::Metrics && has_two_kinds_of_data(body) {
                assert!(scan.items >= decoded.items as u64, "{scan:?}, decoded: {}", decoded.items);
            } else {
                assert_eq!(scan.items, decoded.items as u64);
            }
            true
        }
        (Err(error), Ok(_)) => {
            let is_stricter = matches!(
                error,
                ScanError::IdLength { .. }
                    | ScanError::TooDeep { .. }
                    | ScanError::Wire { cause: WireError::Depth, .. }
                    | ScanError::TooManyItems { .. }
                    | ScanError::TooManySubmessages { .. }
                    | ScanError::TooMuchShared { .. }
            );
            assert!(is_stricter, "{error}");
            false
        }
        (Ok(scan), Err(error)) => panic!("accepted as {scan:?}, but not decoded: {error}"),
        (Err(_), Err(_)) => false,
    }
}

/// Whether a metric in this body, which is known to be good, has data of two kinds.
fn has_two_kinds_of_data(body: &[u8]) -> bool {
    fields(body, 1).flat_map(|resource| fields(resource, 2)).flat_map(|scope| fields(scope, 2)).any(|metric| {
        [5, 7, 9, 10, 11].into_iter().filter(|&number| fields(metric, number).next().is_some()).count() > 1
    })
}

/// The messages in field `number`.
fn fields(message: &[u8], number: u32) -> impl Iterator<Item = &[u8]> {
    let mut reader = Reader::new(message);
    std::iter::from_fn(move || reader.field().ok().flatten()).filter_map(move |(at, value)| match value {
        Value::Bytes(bytes) if at == number => Some(bytes),
        _ => None,
    })
}

/// What JSON becomes passes the scan and is decoded, is as long as it may be, and an error never repeats the body.
pub fn json(input: &[u8]) -> bool {
    const MOST: usize = 1 << 20;
    let Some((signal, json)) = signal_and_body(input) else { return false };
    let limits = |output| JsonLimits::new(output, &ScanLimits::default());
    let mut reserved = 0;
    let reserve = |bytes| {
        assert!(bytes >= reserved, "what is reserved only grows");
        reserved = bytes;
        Ok(())
    };
    match to_protobuf(signal, json, &limits(MOST), reserve) {
        Ok(protobuf) => {
            assert!(protobuf.len() <= MOST && protobuf.len() <= reserved);
            match scan_body(signal, &protobuf, &ScanLimits::default()) {
                Ok(_) | Err(ScanError::TooManyItems { .. } | ScanError::TooMuchShared { .. }) => {}
                Err(error) => panic!("{error}"),
            }
            assert!(reference::decode(signal, &protobuf).is_ok());
            let exact = to_protobuf(signal, json, &limits(protobuf.len()), |_| Ok(()));
            assert_eq!(exact.as_ref(), Ok(&protobuf));
            if let Some(limit) = protobuf.len().checked_sub(1) {
                let less = to_protobuf(signal, json, &limits(limit), |_| Ok(()));
                assert_eq!(less, Err(JsonError::TooLarge { limit }));
            }
            true
        }
        Err(error) => {
            assert!(error.to_string().is_ascii());
            false
        }
    }
}

/// Inflating stays within its cap and what it reserved, gives what other decoders give, and takes the payload whole: a byte more or
/// less is refused. The first byte selects the encoding.
pub fn decompression(input: &[u8]) -> bool {
    const CAP: usize = 64 << 10;
    let Some((&first, payload)) = input.split_first() else { return false };
    let encoding = [Encoding::Gzip, Encoding::Deflate, Encoding::Zstd][usize::from(first) % 3];
    let mut reserved = 0;
    let reserve = |bytes: usize| {
        reserved = reserved.max(bytes);
        Ok(())
    };
    let inflate = |payload: &[u8], cap| with_inflated(encoding, payload, cap, |_| Ok(()), <[u8]>::to_vec);
    let result = with_inflated(encoding, payload, CAP, reserve, <[u8]>::to_vec);
    assert!(reserved <= CAP, "{reserved} bytes are reserved");
    let Ok(output) = result else { return false };
    assert!(output.len() <= CAP && output.len() <= reserved);
    if let Some(cap) = output.len().checked_sub(1) {
        assert_eq!(inflate(payload, cap), Err(InflateError::TooLarge { cap }));
    }
    assert!(inflate(&[payload, &[0]].concat(), CAP).is_err(), "a byte more");
    assert!(inflate(&payload[..payload.len() - 1], CAP).is_err(), "a byte less");
    let mut other = Vec::new();
    let read = match encoding {
        Encoding::Deflate => flate2::bufread::ZlibDecoder::new(payload).read_to_end(&mut other),
        Encoding::Zstd => zstd::Decoder::with_buffer(payload).and_then(|mut decoder| decoder.read_to_end(&mut other)),
        _ => flate2::bufread::MultiGzDecoder::new(payload).read_to_end(&mut other),
    };
    match read {
        Ok(_) => assert!(other == output, "other decoders disagree"),
        // A checksum of the header and codes that are never used are of no interest here, while the content's checksum is good.
        Err(error) => assert!(encoding == Encoding::Gzip, "other decoders disagree: {error}"),
    }
    true
}

/// gRPC's frame: what is read is exactly what was written.
pub fn frame(input: &[u8]) -> bool {
    match only_message(input) {
        Ok(frame) => {
            let length = u32::try_from(frame.message.len()).expect("it is not that long").to_be_bytes();
            assert_eq!([&[u8::from(frame.is_compressed)], &length[..], frame.message].concat(), input);
            assert_eq!(only_message(&[input, &[0]].concat()), Err(FrameError::More));
            let less = only_message(&input[..input.len() - 1]);
            assert_eq!(less, Err(if input.len() > PREFIX { FrameError::Short } else { FrameError::Prefix }));
            true
        }
        Err(error) => {
            assert_eq!(error == FrameError::Prefix, input.len() < PREFIX);
            false
        }
    }
}
