//! When a certificate expires. This is all that is read of its inside; whether it is good is for clients to judge.

use crate::domain::Timestamp;

const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
/// `[0] EXPLICIT`, the version.
const VERSION: u8 = 0xa0;

/// The `notAfter` of a certificate in DER (RFC 5280 section 4.1), where it can be read.
pub(super) fn not_after(certificate: &[u8]) -> Option<Timestamp> {
    let (certificate, _) = element(certificate, SEQUENCE)?;
    let (fields, _) = element(certificate, SEQUENCE)?;
    let fields = element(fields, VERSION).map_or(fields, |(_, rest)| rest);
    let (_serial_number, fields) = element(fields, INTEGER)?;
    let (_signature, fields) = element(fields, SEQUENCE)?;
    let (_issuer, fields) = element(fields, SEQUENCE)?;
    let (validity, _) = element(fields, SEQUENCE)?;
    let (_, validity) = time(validity)?;
    let (not_after, _) = time(validity)?;
    Some(not_after)
}

/// The first element's content, if it has this tag, and what follows it.
fn element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    let (&length, rest) = rest.split_first()?;
    let (length, rest) = if length < 0x80 {
        (usize::from(length), rest)
    } else {
        let (digits, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
        let known = (1..=4).contains(&digits.len());
        (known.then(|| digits.iter().fold(0, |length, &digit| length << 8 | usize::from(digit)))?, rest)
    };
    let (content, rest) = rest.split_at_checked(length)?;
    (first == tag).then_some((content, rest))
}

/// A time of one of both kinds (RFC 5280 section 4.1.2.5), and what follows it.
fn time(bytes: &[u8]) -> Option<(Timestamp, &[u8])> {
    let (text, rest) = element(bytes, UTC_TIME).or_else(|| element(bytes, GENERALIZED_TIME))?;
    let text = std::str::from_utf8(text).ok().filter(|text| text.is_ascii())?;
    let (year, text) = match text.len() {
        13 => (if text < "5" { "20" } else { "19" }.to_owned() + &text[..2], &text[2..]),
        15 => (text[..4].to_owned(), &text[4..]),
        _ => return None,
    };
    let part = |at: usize| &text[at..at + 2];
    let date = format!("{year}-{}-{}T{}:{}:{}{}", part(0), part(2), part(4), part(6), part(8), &text[10..]);
    Some((date.parse().ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    fn certificate(year: i32) -> Vec<u8> {
        let mut params = CertificateParams::new(["gate".to_owned()]).expect("a name");
        params.not_after = date_time_ymd(year, 2, 28);
        params.self_signed(&KeyPair::generate().expect("a key")).expect("a certificate").der().to_vec()
    }

    /// From 2050 on the other form of a time is used.
    #[test]
    fn both_forms_of_a_time() {
        for year in [1999, 2030, 2049, 2050, 4096] {
            let expected = format!("{year}-02-28T00:00:00Z").parse().ok();
            assert_eq!(not_after(&certificate(year)), expected, "{year}");
        }
    }

    #[test]
    fn what_is_cut_off_or_damaged_has_no_time_or_another_and_no_panic() {
        let good = certificate(2030);
        for at in 0..good.len() {
            assert_eq!(not_after(&good[..at]), None, "{at}");
            for byte in [0, 0x17, 0x30, 0x7f, 0x80, 0x81, 0x84, 0xff] {
                let _ = not_after(&[&good[..at], &[byte], &good[at + 1..]].concat());
            }
        }
    }

    proptest! {
        #[test]
        fn anything_may_stand_in_a_time(text: Vec<u8>) {
            let length = u8::try_from(text.len()).expect("at most 100 by default");
            let _ = time(&[&[UTC_TIME, length], &text[..]].concat());
        }
    }
}
