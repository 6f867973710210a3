//! Ids of events that webhooks are told of.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

use super::random::{Random, RandomError};
use super::{RecordId, Timestamp};

/// The id of an event, shown as `evt_` and 32 hexadecimal digits; ids sort by time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct EventId(RecordId);

impl EventId {
    /// A new id for an event noticed at `now`.
    ///
    /// # Errors
    /// Where `random` gives no bytes.
    pub fn new(now: Timestamp, random: &dyn Random) -> Result<Self, RandomError> {
        RecordId::new(now, random).map(Self)
    }

    /// The id of the event of this name at `at`, the same whoever makes it.
    #[must_use]
    pub fn named(at: Timestamp, name: &str) -> Self {
        let digest: [u8; 32] = Sha256::digest(name).into();
        let mut bytes = [0; 16];
        bytes[..6].copy_from_slice(&(at.micros() / 1_000).to_be_bytes()[2..]);
        bytes[6..].copy_from_slice(&digest[..10]);
        Self(RecordId::from_bytes(bytes))
    }
}

impl FromStr for EventId {
    type Err = EventIdError;

    fn from_str(text: &str) -> Result<Self, EventIdError> {
        let (pairs, []) = text.strip_prefix("evt_").ok_or(EventIdError)?.as_bytes().as_chunks::<2>() else {
            return Err(EventIdError);
        };
        let digit =
            |byte: u8| b"0123456789abcdef".iter().zip(0_u8..).find(|&(&one, _)| one == byte).map(|(_, value)| value);
        let bytes = pairs.iter().map(|&[high, low]| Some(digit(high)? << 4 | digit(low)?)).collect::<Option<Vec<_>>>();
        let bytes = bytes.and_then(|bytes| <[u8; 16]>::try_from(bytes).ok()).ok_or(EventIdError)?;
        Ok(Self(RecordId::from_bytes(bytes)))
    }
}

/// The text is not `evt_` and 32 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("an event's id is evt_ and 32 hexadecimal digits")]
pub struct EventIdError;

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "evt_{}", self.0)
    }
}
