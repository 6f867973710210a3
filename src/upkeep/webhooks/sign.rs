//! Signatures as the Standard Webhooks specification describes them (version 1, symmetric).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::domain::Timestamp;
use crate::domain::secret::Peppers;
use crate::domain::webhook::{SigningSecret, WebhookId};

/// A webhook's signing secret in the clear. It is derived from a pepper whenever it is needed.
pub struct Signer(Zeroizing<[u8; 32]>);

impl Signer {
    /// The secret of `webhook`; `None` where its pepper is no longer there.
    #[must_use]
    pub fn new(webhook: WebhookId, secret: SigningSecret, peppers: &Peppers) -> Option<Self> {
        let pepper = peppers.get(secret.pepper)?;
        Some(Self(pepper.derive("gridgate webhook signing secret", &format!("{webhook} {}", secret.version))))
    }

    /// The secret as its receiver is given it, once: `whsec_` and base64.
    #[must_use]
    pub fn reveal(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(64));
        text.push_str("whsec_");
        STANDARD.encode_string(*self.0, &mut text);
        text
    }

    /// The signature of a message sent at `at`: `v1,` and the base64 of an HMAC-SHA-256.
    #[must_use]
    pub fn sign(&self, id: &str, at: Timestamp, payload: &str) -> String {
        // RFC 2104 pads a shorter key with zeros to the block of the hash, 64 bytes.
        let mut block = Zeroizing::new([0; 64]);
        block[..32].copy_from_slice(&*self.0);
        let mut mac = Hmac::<Sha256>::new(&(*block).into());
        mac.update(format!("{id}.{}.", seconds(at)).as_bytes());
        mac.update(payload.as_bytes());
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

/// What `webhook-timestamp` says: whole seconds since the Unix epoch.
#[must_use]
pub fn seconds(at: Timestamp) -> i64 {
    at.micros().div_euclid(1_000_000)
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Signer(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Pepper;

    fn signer(version: u32, pepper: u32) -> Option<Signer> {
        let peppers =
            Peppers::new(vec![Pepper::new(1, Zeroizing::new([1; 32])), Pepper::new(2, Zeroizing::new([2; 32]))]);
        Signer::new(
            "whk_7Hq2mZxK9wPa".parse().expect("an id"),
            SigningSecret { version, pepper },
            &peppers.expect("a ring"),
        )
    }

    /// `printf '%s' 'evt_1.1614265330.{"test": 2432232314}' | openssl dgst -sha256 -mac HMAC -macopt hexkey:0909… -binary | base64`
    #[test]
    fn the_signature_is_hmac_sha_256_of_id_time_and_payload() {
        let signer = Signer(Zeroizing::new([9; 32]));
        let at = Timestamp::from_micros(1_614_265_330_999_999);
        assert_eq!(signer.sign("evt_1", at, r#"{"test": 2432232314}"#), EXPECTED);
        assert_eq!(*signer.reveal(), format!("whsec_{}=", "CQkJ".repeat(10) + "CQk"));
    }

    const EXPECTED: &str = "v1,duHX95FaniDuFn9RRVN5JpRtPF4YSC1CnLZ+cz8qMHE=";

    #[test]
    fn each_version_and_pepper_has_its_own_secret() {
        let reveal = |version, pepper| signer(version, pepper).expect("a secret").reveal().to_string();
        assert_eq!(reveal(1, 1), reveal(1, 1));
        assert_ne!(reveal(1, 1), reveal(2, 1));
        assert_ne!(reveal(1, 1), reveal(1, 2));
        assert!(signer(1, 3).is_none());
        assert_eq!(format!("{:?}", signer(1, 1)), "Some(Signer(redacted))");
    }
}
