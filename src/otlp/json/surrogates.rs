//! Surrogates that stand alone (`"\ud83d"`), as JavaScript writes them where a limit on the length of an attribute cut a character
//! in two. They are no text and cannot be stored; like the Collector, Gridgate reads U+FFFD instead of refusing the export.

use memchr::memchr;

use super::scalar::digit;

/// Where the first escape of a surrogate begins that is no half of a pair, at or after the byte `from`.
pub(super) fn find(json: &str, from: usize) -> Option<usize> {
    let json = json.as_bytes();
    let mut at = from;
    loop {
        // Outside of strings there is no backslash in JSON, and inside one begins an escape.
        at += memchr(b'\\', json.get(at..)?)?;
        at += match (unit(json, at), unit(json, at + ESCAPE)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 2 * ESCAPE,
            (Some(0xd800..=0xdfff), _) => return Some(at),
            (Some(_), _) => ESCAPE,
            (None, _) => 2,
        };
    }
}

/// `json`, of the same length, with U+FFFD in place of each, of which the first is at `first`.
pub(super) fn replaced(json: &str, first: usize) -> String {
    let mut whole = String::with_capacity(json.len());
    let mut next = Some(first);
    while let Some(at) = next {
        whole.push_str(&json[whole.len()..at]);
        whole.push_str("\\ufffd");
        next = find(json, whole.len());
    }
    whole.push_str(&json[whole.len()..]);
    whole
}

/// The bytes of `\uXXXX`.
const ESCAPE: usize = 6;

/// The unit of UTF-16 whose escape begins at `at`, if one does.
fn unit(json: &[u8], at: usize) -> Option<u16> {
    let digits = json.get(at..)?.strip_prefix(b"\\u")?.first_chunk::<4>()?;
    digits.iter().try_fold(0, |unit, &character| Some(unit << 4 | u16::from(digit(character)?)))
}
