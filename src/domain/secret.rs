//! Digests and peppers: what is stored of a token, and the key that it is stored under.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::random::{Random, RandomError};

/// HMAC-SHA-256 of a whole token under a pepper: it cannot be turned back into the token, and without the pepper a candidate cannot
/// be checked against it. Or, of a token that came from elsewhere, the SHA-256 that came with it.
#[derive(Clone, Copy)]
pub struct Digest([u8; 32]);

impl Digest {
    /// A digest as it was stored.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// SHA-256 of `token`, which has to be long and random for it to be hidden by that.
    #[must_use]
    pub fn sha_256(token: &str) -> Self {
        Self(Sha256::digest(token).into())
    }

    /// The 32 bytes to store.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether both are the same, in a time that does not depend on where they differ.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest(redacted)")
    }
}

/// The secret key of the digests. It lives outside the database, so that who reads the database can check no guess and who
/// writes it can forge no key. Losing it kills every key.
#[derive(Clone)]
pub struct Pepper {
    version: u32,
    secret: Zeroizing<[u8; 32]>,
    /// The keyed state, prepared once instead of at every export.
    keyed: Hmac<Sha256>,
}

impl Pepper {
    /// A new random pepper.
    ///
    /// # Errors
    /// Where `random` gives no bytes.
    pub fn random(version: u32, random: &dyn Random) -> Result<Self, RandomError> {
        let mut secret = Zeroizing::new([0; 32]);
        random.fill(&mut *secret)?;
        Ok(Self::new(version, secret))
    }

    /// The pepper `version` with the given secret.
    #[must_use]
    pub fn new(version: u32, secret: Zeroizing<[u8; 32]>) -> Self {
        // RFC 2104 pads a shorter key with zeros to the block of the hash, 64 bytes.
        let mut block = Zeroizing::new([0; 64]);
        block[..32].copy_from_slice(&*secret);
        let keyed = Hmac::new(&(*block).into());
        Self { version, secret, keyed }
    }

    /// Which pepper this is; stored beside each digest.
    #[must_use]
    pub const fn version(&self) -> u32 {
        self.version
    }

    /// The secret, to be written to the pepper file and nowhere else.
    #[must_use]
    pub fn reveal(&self) -> &[u8; 32] {
        &self.secret
    }

    /// A secret of its own for `purpose` and `name`, the same every time. It tells nothing of the pepper, nor of what is derived
    /// for anything else, nor of a digest.
    #[must_use]
    pub fn derive(&self, purpose: &str, name: &str) -> Zeroizing<[u8; 32]> {
        let of_purpose = {
            let mut mac = self.keyed.clone();
            mac.update(purpose.as_bytes());
            Zeroizing::new(<[u8; 32]>::from(mac.finalize().into_bytes()))
        };
        let mut mac = Self::new(self.version, of_purpose).keyed;
        mac.update(name.as_bytes());
        Zeroizing::new(mac.finalize().into_bytes().into())
    }

    /// The digest of a token's whole text.
    #[must_use]
    pub fn digest(&self, token: &str) -> Digest {
        let mut mac = self.keyed.clone();
        mac.update(token.as_bytes());
        Digest(mac.finalize().into_bytes().into())
    }
}

impl fmt::Debug for Pepper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pepper(version {}, redacted)", self.version)
    }
}

/// Every pepper of an installation. New digests are made with the newest.
#[derive(Clone, Debug)]
pub struct Peppers(Vec<Pepper>);

impl Peppers {
    /// The ring of `peppers`; `None` where there is none, or one version twice.
    #[must_use]
    pub fn new(mut peppers: Vec<Pepper>) -> Option<Self> {
        peppers.sort_by_key(Pepper::version);
        let distinct = peppers.windows(2).all(|pair| pair[0].version < pair[1].version);
        (distinct && !peppers.is_empty()).then_some(Self(peppers))
    }

    /// The newest pepper.
    ///
    /// # Panics
    /// Never: a ring has at least one.
    #[must_use]
    pub fn newest(&self) -> &Pepper {
        &self.0[self.0.len() - 1]
    }

    /// The peppers, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Pepper> {
        self.0.iter()
    }

    /// The pepper of `version`.
    #[must_use]
    pub fn get(&self, version: u32) -> Option<&Pepper> {
        self.0.iter().find(|pepper| pepper.version == version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pepper(version: u32, byte: u8) -> Pepper {
        Pepper::new(version, Zeroizing::new([byte; 32]))
    }

    /// `printf 'Hi There' | openssl dgst -sha256 -mac HMAC -macopt hexkey:0b…` with 32 bytes 0x0b.
    #[test]
    fn the_digest_is_hmac_sha_256() {
        let digest = pepper(1, 0x0b).digest("Hi There");
        let expected = "198a607eb44bfbc69903a0f1cf2bbdc5ba0aa3f3d9ae3c1c7a3b1696a0b68cf7";
        for (index, byte) in digest.as_bytes().iter().enumerate() {
            assert_eq!(format!("{byte:02x}"), expected[2 * index..2 * index + 2]);
        }
    }

    #[test]
    fn digests_differ_by_token_and_by_pepper() {
        let one = pepper(1, 1).digest("a");
        assert!(one.matches(&pepper(2, 1).digest("a")));
        assert!(!one.matches(&pepper(1, 1).digest("b")));
        assert!(!one.matches(&pepper(1, 2).digest("a")));
    }

    #[test]
    fn what_is_derived_differs_by_pepper_purpose_and_name() {
        let all = [
            pepper(1, 1).derive("a", "b"),
            pepper(1, 1).derive("a", "c"),
            pepper(1, 1).derive("b", "b"),
            pepper(1, 2).derive("a", "b"),
            Zeroizing::new(*pepper(1, 1).digest("b").as_bytes()),
        ];
        let distinct: std::collections::HashSet<_> = all.iter().map(|secret| **secret).collect();
        assert_eq!(distinct.len(), all.len());
        assert_eq!(all[0], pepper(2, 1).derive("a", "b"), "it is not the same every time");
    }

    #[test]
    fn a_ring_has_each_version_once_and_mints_with_the_newest() {
        assert!(Peppers::new(Vec::new()).is_none());
        assert!(Peppers::new(vec![pepper(1, 1), pepper(1, 2)]).is_none());
        let ring = Peppers::new(vec![pepper(2, 2), pepper(1, 1)]).expect("two versions");
        assert_eq!(ring.newest().version(), 2);
        assert!(ring.get(3).is_none());
    }

    #[test]
    fn nothing_is_told_by_debug_output() {
        assert_eq!(format!("{:?}", pepper(1, 0xab)), "Pepper(version 1, redacted)");
        assert_eq!(format!("{:?}", pepper(1, 0xab).digest("a")), "Digest(redacted)");
    }
}
