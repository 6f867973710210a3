//! Public ids: safe to log, to list and to paste into a ticket.

use std::fmt;
use std::str::FromStr;

use super::Timestamp;
use super::base62::{is_base62, random_base62};
use super::random::{Random, RandomError};

/// The number of base62 characters in a key's id.
pub const KEY_ID_LENGTH: usize = 12;

/// The immutable public id of a key: 12 base62 characters, shown as `key_<id>`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId([u8; KEY_ID_LENGTH]);

impl KeyId {
    /// A new random id.
    ///
    /// # Errors
    /// Where `random` gives no bytes.
    pub fn random(random: &dyn Random) -> Result<Self, RandomError> {
        Ok(Self(random_base62(random)?))
    }

    /// The id from its 12 characters without the `key_` prefix, as tokens embed it.
    #[must_use]
    pub fn from_bare(text: &str) -> Option<Self> {
        let bytes: [u8; KEY_ID_LENGTH] = text.as_bytes().try_into().ok()?;
        is_base62(&bytes).then_some(Self(bytes))
    }

    /// The 12 characters without the prefix.
    #[must_use]
    pub fn bare(&self) -> &str {
        // Only base62 characters get in.
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// The text is not `key_` and 12 characters of `0-9A-Za-z`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a key id is key_ and 12 characters of 0-9A-Za-z")]
pub struct KeyIdError;

impl FromStr for KeyId {
    type Err = KeyIdError;

    fn from_str(text: &str) -> Result<Self, KeyIdError> {
        text.strip_prefix("key_").and_then(Self::from_bare).ok_or(KeyIdError)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "key_{}", self.bare())
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The id of one accepted export: 48 bits of its arrival in milliseconds, then 80 random bits, so that ids sort by time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordId([u8; 16]);

impl RecordId {
    /// A new id for an export that arrived at `arrival`.
    ///
    /// # Errors
    /// Where `random` gives no bytes.
    pub fn new(arrival: Timestamp, random: &dyn Random) -> Result<Self, RandomError> {
        let mut bytes = [0; 16];
        random.fill(&mut bytes[6..])?;
        let millis = arrival.micros() / 1_000;
        bytes[..6].copy_from_slice(&millis.to_be_bytes()[2..]);
        Ok(Self(bytes))
    }

    /// The id from its 16 bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// 32 lower-case hexadecimal digits.
impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
