//! The chain: each entry's hash covers all of it and the hash of the one before.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

/// The hash of an entry. That of the beginning, before the first entry, is all zeros.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EntryHash([u8; 32]);

impl EntryHash {
    /// A hash as it was stored.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// 64 lower-case hexadecimal digits.
impl fmt::Display for EntryHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The text is not 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a hash has 64 hexadecimal digits")]
pub struct EntryHashError;

impl FromStr for EntryHash {
    type Err = EntryHashError;

    fn from_str(text: &str) -> Result<Self, EntryHashError> {
        let mut bytes = [0; 32];
        if text.len() != 64 || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(EntryHashError);
        }
        for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            let digits = str::from_utf8(digits).map_err(|_| EntryHashError)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| EntryHashError)?;
        }
        Ok(Self(bytes))
    }
}

/// An entry as it is stored, without its hash.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link<'a> {
    pub(super) seq: i64,
    pub(super) at: i64,
    pub(super) action: &'a str,
    pub(super) actor: Option<&'a str>,
    pub(super) actor_name: &'a str,
    pub(super) via: &'a str,
    pub(super) address: Option<&'a str>,
    pub(super) user_agent: Option<&'a str>,
    pub(super) request_id: Option<&'a str>,
    pub(super) target_kind: &'a str,
    pub(super) target: &'a str,
    pub(super) project: Option<&'a str>,
    pub(super) before: Option<&'a str>,
    pub(super) after: Option<&'a str>,
}

impl Link<'_> {
    /// SHA-256 of the hash before, then of each column in the order of the table: numbers as eight bytes, texts behind their length
    /// as eight bytes, both most significant byte first, and for an absent text the largest length.
    pub(super) fn hash(&self, previous: &EntryHash) -> EntryHash {
        let mut hash = Sha256::new();
        hash.update(previous.as_bytes());
        hash.update(self.seq.to_be_bytes());
        hash.update(self.at.to_be_bytes());
        for text in [
            Some(self.action),
            self.actor,
            Some(self.actor_name),
            Some(self.via),
            self.address,
            self.user_agent,
            self.request_id,
            Some(self.target_kind),
            Some(self.target),
            self.project,
            self.before,
            self.after,
        ] {
            let length = text.map_or(u64::MAX, |text| text.len() as u64);
            hash.update(length.to_be_bytes());
            hash.update(text.unwrap_or_default());
        }
        EntryHash(hash.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINK: Link<'static> = Link {
        seq: 1,
        at: 2,
        action: "key.created",
        actor: None,
        actor_name: "bootstrap",
        via: "command",
        address: None,
        user_agent: None,
        request_id: None,
        target_kind: "key",
        target: "key_7Hq2mZxK9wPa",
        project: Some("shop"),
        before: None,
        after: Some("{}"),
    };

    #[test]
    fn a_hash_is_read_back() {
        let hash = LINK.hash(&EntryHash::from_bytes([0; 32]));
        assert_eq!(hash.to_string().parse(), Ok(hash));
        for other in ["", "00", &"+1".repeat(32), &"0".repeat(65), &"é".repeat(32)] {
            assert_eq!(other.parse::<EntryHash>(), Err(EntryHashError), "{other}");
        }
    }

    /// Where one text ends and the next begins is part of what is hashed, and so is whether there is one.
    #[test]
    fn every_column_and_the_hash_before_count() {
        let start = EntryHash::from_bytes([0; 32]);
        let links = [
            LINK,
            Link { seq: 2, ..LINK },
            Link { at: 3, ..LINK },
            Link { action: "key.createdb", actor_name: "ootstrap", ..LINK },
            Link { actor: Some(""), ..LINK },
            Link { address: Some("shop"), project: None, ..LINK },
            Link { before: Some("{}"), after: None, ..LINK },
        ];
        let mut hashes: Vec<_> = links.iter().map(|link| link.hash(&start).to_string()).collect();
        hashes.push(LINK.hash(&EntryHash::from_bytes([1; 32])).to_string());
        hashes.sort();
        hashes.dedup();
        assert_eq!(hashes.len(), links.len() + 1);
    }
}
