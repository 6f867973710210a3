//! Senders: who uses a key, by their own account and by where they come from.

use std::net::IpAddr;

use sha2::{Digest as _, Sha256};

use super::{KeyId, Slug, Timestamp};

/// As many senders of one key are told apart: those that were seen last.
pub const MAX_SENDERS: usize = 50;

/// Somebody who uses a key. All but the key, its secret's version and the address is what they say of themselves.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Sender {
    /// The key.
    pub key: KeyId,
    /// The version of its secret.
    pub secret_version: u32,
    /// `service.name`.
    pub service: Option<Box<str>>,
    /// `host.name`.
    pub host: Option<Box<str>>,
    /// Language, name and version of the SDK.
    pub sdk: Option<Box<str>>,
    /// What the `User-Agent` header says.
    pub agent: Option<String>,
    /// Where they come from.
    pub address: IpAddr,
}

/// How often a sender was seen, and when.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seen {
    /// The first time.
    pub first_at: Timestamp,
    /// The last time.
    pub last_at: Timestamp,
    /// The last time that an export was accepted; `None`: never.
    pub accepted_at: Option<Timestamp>,
    /// Exports, refused ones included.
    pub exports: u64,
    /// Exports that were refused.
    pub refused: u64,
}

/// A sender and how often it was seen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SeenSender {
    /// The project of its key.
    pub project: Slug,
    /// Who it is.
    pub sender: Sender,
    /// How often, and when.
    pub seen: Seen,
}

/// What is left of those senders of a key that there was no room for.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct OtherSenders {
    /// How many there were; one that came back counts again.
    pub senders: u64,
    /// Their exports, refused ones included.
    pub exports: u64,
    /// Those that were refused.
    pub refused: u64,
    /// The last time that one of them was seen.
    pub last_at: Option<Timestamp>,
}

impl Sender {
    /// 32 hexadecimal digits that are the same for the same sender of a key.
    #[must_use]
    pub fn id(&self) -> String {
        let mut hasher = Sha256::new();
        hasher.update(self.secret_version.to_be_bytes());
        let texts = [self.service.as_deref(), self.host.as_deref(), self.sdk.as_deref(), self.agent.as_deref()];
        for text in texts {
            // Neither of two texts can be taken for part of the other, nor none for an empty one.
            hasher.update(text.map_or(-1, |text| i64::try_from(text.len()).unwrap_or(i64::MAX)).to_be_bytes());
            hasher.update(text.unwrap_or_default());
        }
        hasher.update(self.address.to_string());
        let digest = hasher.finalize();
        let half = digest.iter().take(16).fold(0_u128, |all, byte| all << 8 | u128::from(*byte));
        format!("{half:032x}")
    }
}

impl Seen {
    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            first_at: self.first_at.min(other.first_at),
            last_at: self.last_at.max(other.last_at),
            accepted_at: self.accepted_at.max(other.accepted_at),
            exports: self.exports.saturating_add(other.exports),
            refused: self.refused.saturating_add(other.refused),
        }
    }
}

impl OtherSenders {
    /// With one more sender that was seen so.
    #[must_use]
    pub fn with(self, seen: &Seen) -> Self {
        let one = Self { senders: 1, exports: seen.exports, refused: seen.refused, last_at: Some(seen.last_at) };
        self.and(one)
    }

    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            senders: self.senders.saturating_add(other.senders),
            exports: self.exports.saturating_add(other.exports),
            refused: self.refused.saturating_add(other.refused),
            last_at: self.last_at.max(other.last_at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn senders_that_differ_have_different_ids() {
        let sender = |service: Option<&str>, host: Option<&str>, version, address: [u8; 4]| Sender {
            key: KeyId::from_bare("7Hq2mZxK9wPa").expect("an id"),
            secret_version: version,
            service: service.map(Into::into),
            host: host.map(Into::into),
            sdk: None,
            agent: None,
            address: address.into(),
        };
        let different = [
            sender(Some("a"), None, 1, [192, 0, 2, 1]),
            sender(None, Some("a"), 1, [192, 0, 2, 1]),
            sender(Some("a"), Some(""), 1, [192, 0, 2, 1]),
            sender(Some("a"), None, 2, [192, 0, 2, 1]),
            sender(Some("a"), None, 1, [192, 0, 2, 11]),
            sender(Some("ab"), Some("c"), 1, [192, 0, 2, 1]),
            sender(Some("a"), Some("bc"), 1, [192, 0, 2, 1]),
        ];
        let ids: std::collections::HashSet<_> = different.iter().map(Sender::id).collect();
        assert_eq!(ids.len(), different.len());
        assert!(ids.iter().all(|id| id.len() == 32));
        assert_eq!(different[0].id(), sender(Some("a"), None, 1, [192, 0, 2, 1]).id());
    }
}
