//! The secrets of a key.

use std::net::IpAddr;
use std::time::Duration;

use crate::domain::{Digest, Timestamp};

/// One secret of a key; only its digest is kept.
#[derive(Clone, Debug)]
pub struct Secret {
    /// 1 for the first, counting up.
    pub version: u32,
    /// What is stored of it.
    pub digest: Digest,
    /// How the digest was taken.
    pub algorithm: DigestAlgorithm,
    /// The form of its token.
    pub format: SecretFormat,
    /// When it was made.
    pub created_at: Timestamp,
    /// From this instant on it is refused; `None`: it is the current one.
    pub retires_at: Option<Timestamp>,
    /// It retires before that instant once it was not used for so long.
    pub drained_after: Option<Duration>,
    /// Its uses; `None` before the first was written down.
    pub used: Option<SecretUse>,
}

/// How a digest was taken of a token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DigestAlgorithm {
    /// HMAC-SHA-256 of the token's text.
    HmacSha256 {
        /// The version of the pepper it was taken under.
        pepper: u32,
    },
    /// SHA-256 of a token's text, as it was imported. It becomes the other at its first use.
    Sha256,
}

/// The form of a token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SecretFormat {
    /// Gridgate's own, which names its key.
    Token,
    /// A UUID, as older products issued them.
    Uuid,
}

impl SecretFormat {
    /// The form's name in the API and the catalog.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Uuid => "uuid",
        }
    }
}

/// When and by whom a secret was used: for good exports and requests, at most a minute old.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SecretUse {
    /// The first use.
    pub first_at: Timestamp,
    /// The last use.
    pub last_at: Timestamp,
    /// From where it was last used.
    pub address: Option<IpAddr>,
    /// What called itself so at the last use; without control characters, and cut where it is long.
    pub agent: Option<String>,
}

/// The state of a secret at an instant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SecretState {
    /// The one that is shown to whoever asks for the newest.
    Current,
    /// Still good until the instant.
    Retiring {
        /// From this instant on it is refused.
        until: Timestamp,
    },
    /// No longer good.
    Retired,
}

impl Secret {
    /// The state at `now`. At the very instant of retirement it is retired.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> SecretState {
        match self.retires_at {
            None => SecretState::Current,
            Some(until) if now < until => SecretState::Retiring { until },
            Some(_) => SecretState::Retired,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_000_000);

    #[test]
    fn a_retiring_secret_is_good_until_its_instant() {
        let mut secret = Secret {
            version: 1,
            digest: Digest::from_bytes([0; 32]),
            algorithm: DigestAlgorithm::HmacSha256 { pepper: 1 },
            format: SecretFormat::Token,
            created_at: NOW,
            retires_at: None,
            drained_after: None,
            used: None,
        };
        assert_eq!(secret.state(NOW), SecretState::Current);
        let until = Timestamp::from_micros(NOW.micros() + 1);
        secret.retires_at = Some(until);
        assert_eq!(secret.state(NOW), SecretState::Retiring { until });
        assert_eq!(secret.state(until), SecretState::Retired);
    }
}
