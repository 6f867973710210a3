//! Values with units, as people write them.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{Deserializer, Error, Unexpected, Visitor};

/// A length of time, written like `250ms`, `2s` or `5m`; a year at the most, so that adding it to an instant never overflows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span(pub Duration);

const LONGEST: Duration = Duration::from_hours(365 * 24);

impl Span {
    pub(super) const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    pub(super) const fn millis(millis: u64) -> Self {
        Self(Duration::from_millis(millis))
    }
}

/// A number of bytes, written like `64MiB`, or as a plain number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bytes(pub u64);

impl Bytes {
    pub(super) const fn mebi(mebibytes: u64) -> Self {
        Self(mebibytes << 20)
    }

    /// As a number of bytes in memory.
    #[must_use]
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }

    /// As a 32-bit number of bytes, at most.
    #[must_use]
    pub fn as_u32(self) -> u32 {
        u32::try_from(self.0).unwrap_or(u32::MAX)
    }
}

/// A part of a whole, written from `0` to `1`, with at most six digits behind the point.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Share(u32);

const MILLION: u32 = 1_000_000;

impl Share {
    /// So many of a million; all of it at the most.
    #[must_use]
    pub const fn per_million(parts: u32) -> Self {
        Self(if parts < MILLION { parts } else { MILLION })
    }

    /// How many of a million it is.
    #[must_use]
    pub const fn millionths(self) -> u32 {
        self.0
    }

    /// Reads `0`, `1` and what is between, such as `0.25`.
    fn parse(text: &str) -> Option<Self> {
        let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |text: &str| (1..=6).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(part) {
            return None;
        }
        let parts: u32 = format!("{part:0<6}").parse().ok()?;
        match (whole, parts) {
            ("0", parts) => Some(Self(parts)),
            ("1", 0) => Some(Self(MILLION)),
            _ => None,
        }
    }
}

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Part;
        impl Visitor<'_> for Part {
            type Value = Share;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number from 0 to 1 with at most six digits behind the point")
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Share, E> {
                let share = Share::parse(&number.to_string());
                share.ok_or_else(|| E::invalid_value(Unexpected::Signed(number), &self))
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<Share, E> {
                let share = Share::parse(&number.to_string());
                share.ok_or_else(|| E::invalid_value(Unexpected::Float(number), &self))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Share, E> {
                Share::parse(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_any(Part)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Span;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a length of time like \"250ms\", \"2s\" or \"5m\", up to \"365d\"")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Span, E> {
                let length = humantime::parse_duration(text).ok().filter(|&length| length <= LONGEST);
                length.map(Span).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_any(Text)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Size;
        impl Visitor<'_> for Size {
            type Value = Bytes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of bytes like \"64MiB\" or 67108864")
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Bytes, E> {
                u64::try_from(number).map(Bytes).map_err(|_| E::invalid_value(Unexpected::Signed(number), &self))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Bytes, E> {
                let size = text.parse::<bytesize::ByteSize>();
                size.map(|size| Bytes(size.0)).map_err(|_| E::invalid_value(Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_any(Size)
    }
}
