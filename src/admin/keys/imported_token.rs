//! The tokens of keys that are imported: as they are, or what is known of them.

use crate::admin::check::Check;
use crate::admin::problem::Place;
use crate::domain::key::{DigestAlgorithm, SecretFormat};
use crate::domain::secret::Peppers;
use crate::domain::{Digest, LegacyToken, Secret, Timestamp};

/// What a row says of its token.
pub(super) struct Known {
    /// What is stored of it.
    pub(super) secret: Secret,
    /// Its SHA-256.
    pub(super) plain: Digest,
    /// Every digest that it may be stored under already.
    pub(super) digests: Vec<Digest>,
}

/// Reads the fields `token` and `sha256`, of which one must be there.
pub(super) fn read(
    check: &mut Check,
    token: (Option<String>, Option<String>),
    peppers: &Peppers,
    at: Timestamp,
) -> Option<Known> {
    let place = Place::field;
    let (digest, algorithm, plain, digests) = match token {
        (Some(token), None) => {
            let Some(token) = LegacyToken::parse(&token) else {
                check.refuse(place("token"), "it is no UUID", "a UUID, with its hyphens or without");
                return None;
            };
            let (newest, plain) = (peppers.newest(), Digest::sha_256(token.text()));
            let mut digests: Vec<_> = peppers.iter().map(|pepper| pepper.digest(token.text())).collect();
            digests.push(plain);
            let algorithm = DigestAlgorithm::HmacSha256 { pepper: newest.version() };
            (newest.digest(token.text()), algorithm, plain, digests)
        }
        (None, Some(text)) => {
            let Some(digest) = hexadecimal(&text).map(Digest::from_bytes) else {
                check.refuse(place("sha256"), "it is no SHA-256", "64 hexadecimal digits");
                return None;
            };
            (digest, DigestAlgorithm::Sha256, digest, vec![digest])
        }
        (None, None) if check.has(&place("token")) || check.has(&place("sha256")) => return None,
        (token, _) => {
            let detail = if token.is_some() { "sha256 is there as well" } else { "it is missing" };
            check.refuse(place("token"), detail, "send token or sha256");
            return None;
        }
    };
    let secret = Secret {
        version: 1,
        digest,
        algorithm,
        format: SecretFormat::Uuid,
        created_at: at,
        retires_at: None,
        drained_after: None,
        used: None,
    };
    Some(Known { secret, plain, digests })
}

fn hexadecimal(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    let mut bytes = [0; 32];
    if digits.len() != 64 {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
        let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}
