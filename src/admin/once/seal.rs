//! What follows from an `Idempotency-Key`: the name that its request is found by, what tells the request from others, and the seal
//! of its answer. The catalog holds the first two and what the third has closed; from them nobody gets back to the key, or to the
//! answer.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::error::Unspecified;
use ring::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use ring::hmac;

use crate::domain::{KeyId, Random};

/// What an `Idempotency-Key` opens for one caller and one request.
pub(super) struct Seal {
    /// What the request is found by.
    pub(super) name: [u8; 32],
    /// What tells it from other requests.
    pub(super) request: [u8; 32],
    key: LessSafeKey,
}

/// The answer could not be sealed, or what is there was not sealed by this.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the answer could not be sealed or opened")]
pub(super) struct SealError;

impl From<Unspecified> for SealError {
    fn from(_: Unspecified) -> Self {
        Self
    }
}

/// Separates these keys from whatever else may one day be derived from the same text.
const SALT: &[u8] = b"gridgate idempotent answer 1";

impl Seal {
    /// What `key` opens for `caller` and the request that consists of `parts`.
    pub(super) fn new(key: &str, caller: &KeyId, parts: &[&[u8]]) -> Result<Self, SealError> {
        let secret = Salt::new(HKDF_SHA256, SALT).extract(key.as_bytes());
        let caller = caller.to_string();
        let mut told =
            hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, &derive(&secret, "request", &caller)?));
        for part in parts {
            told.update(&(part.len() as u64).to_be_bytes());
            told.update(part);
        }
        let mut request = [0; 32];
        request.copy_from_slice(told.sign().as_ref());
        let key = UnboundKey::new(&AES_256_GCM, &derive(&secret, "answer", &caller)?)?;
        Ok(Self { name: derive(&secret, "name", &caller)?, request, key: LessSafeKey::new(key) })
    }

    /// `answer`, closed under a fresh nonce, which stands in front.
    pub(super) fn close(&self, answer: &[u8], random: &dyn Random) -> Result<Vec<u8>, SealError> {
        let mut nonce = [0; NONCE_LEN];
        random.fill(&mut nonce).map_err(|_| SealError)?;
        let mut sealed = zstd::bulk::compress(answer, LEVEL).map_err(|_| SealError)?;
        self.key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(self.request), &mut sealed)?;
        sealed.splice(..0, nonce);
        Ok(sealed)
    }

    /// The answer that was closed.
    pub(super) fn open(&self, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let (nonce, closed) = sealed.split_first_chunk::<NONCE_LEN>().ok_or(SealError)?;
        let mut closed = closed.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let answer = self.key.open_in_place(nonce, Aad::from(self.request), &mut closed)?;
        zstd::decode_all(&*answer).map_err(|_| SealError)
    }
}

/// What zstd takes for its fast end that still finds what rows of a list repeat.
const LEVEL: i32 = 3;

/// 32 bytes for one purpose and caller.
fn derive(secret: &Prk, purpose: &str, caller: &str) -> Result<[u8; 32], SealError> {
    struct Length;
    impl KeyType for Length {
        fn len(&self) -> usize {
            32
        }
    }
    let mut bytes = [0; 32];
    secret.expand(&[purpose.as_bytes(), b"/", caller.as_bytes()], Length)?.fill(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::random::SeededRandom;

    fn seal(key: &str, caller: &str, parts: &[&[u8]]) -> Seal {
        Seal::new(key, &caller.parse().expect("an id"), parts).expect("a seal")
    }

    const KEY: &str = "a-key-of-twenty-two-ch";
    const CALLER: &str = "key_000000000001";

    #[test]
    fn only_the_same_key_caller_and_request_open() {
        let random = SeededRandom::new(1);
        let own = seal(KEY, CALLER, &[b"POST /keys", b"{}"]);
        let sealed = own.close(b"token", &random).expect("sealed");
        assert!(!sealed.windows(5).any(|window| window == b"token"));
        assert_eq!(own.open(&sealed).as_deref(), Ok(b"token".as_slice()));
        for other in [
            seal("a-key-of-twenty-two-cH", CALLER, &[b"POST /keys", b"{}"]),
            seal(KEY, "key_000000000002", &[b"POST /keys", b"{}"]),
            seal(KEY, CALLER, &[b"POST /key", b"s{}"]),
        ] {
            assert_eq!(other.open(&sealed), Err(SealError));
        }
        let mut damaged = sealed.clone();
        *damaged.last_mut().expect("a byte") ^= 1;
        assert_eq!(own.open(&damaged), Err(SealError));
        assert_eq!(own.open(&sealed[..5]), Err(SealError));
        assert_ne!(own.close(b"token", &random).expect("sealed"), sealed, "a nonce is used once");
    }

    #[test]
    fn one_key_has_one_name_for_each_caller() {
        let (one, again) = (seal(KEY, CALLER, &[b"a"]), seal(KEY, CALLER, &[b"b"]));
        assert_eq!(one.name, again.name);
        assert_ne!(one.request, again.request);
        assert_ne!(one.name, seal(KEY, "key_000000000002", &[b"a"]).name);
    }
}
