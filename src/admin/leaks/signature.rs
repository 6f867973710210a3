//! Who signs reports: ECDSA on P-256 over SHA-256 of the body, as GitHub's secret-scanning partner programme has it.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::pki_types::pem::PemObject;
use serde::Deserialize;

/// The public keys of those whose reports are taken, by their identifiers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PublicKeys(BTreeMap<String, Point>);

/// A point of the curve, uncompressed.
type Point = [u8; 65];

/// Why a file holds no public keys.
#[derive(Debug, thiserror::Error)]
pub enum PublicKeysError {
    /// It is not of the form that GitHub publishes.
    #[error("it is not {{\"public_keys\": [{{\"key_identifier\": …, \"key\": …}}]}}: {0}")]
    Form(#[from] serde_json::Error),
    /// There is no key in it.
    #[error("there is no public key in it")]
    Empty,
    /// A key is not one of the kind that signs reports.
    #[error("key {0:?} is no public key of P-256 in PEM")]
    Key(String),
}

/// The form of `https://api.github.com/meta/public_keys/secret_scanning`.
#[derive(Deserialize)]
struct Published {
    public_keys: Vec<PublishedKey>,
}

#[derive(Deserialize)]
struct PublishedKey {
    key_identifier: String,
    key: String,
}

/// What stands before the point of every public key of P-256 (RFC 5480 section 2).
const HEAD: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

impl PublicKeys {
    /// The keys in `json`, which has the form that GitHub publishes its own in. Fields beside the two that are needed are passed over.
    ///
    /// # Errors
    /// [`PublicKeysError`].
    pub fn parse(json: &str) -> Result<Self, PublicKeysError> {
        let published: Published = serde_json::from_str(json)?;
        let keys = published.public_keys.into_iter().map(|PublishedKey { key_identifier, key }| match point(&key) {
            Some(point) => Ok((key_identifier, point)),
            None => Err(PublicKeysError::Key(key_identifier)),
        });
        let keys = keys.collect::<Result<BTreeMap<_, _>, _>>()?;
        if keys.is_empty() { Err(PublicKeysError::Empty) } else { Ok(Self(keys)) }
    }

    /// Whether `signature`, DER in base64, is that of the key `identifier` over `body`.
    pub(super) fn verify(&self, identifier: &str, signature: &str, body: &[u8]) -> bool {
        let Some(point) = self.0.get(identifier) else { return false };
        let Ok(signature) = STANDARD.decode(signature) else { return false };
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point).verify(body, &signature).is_ok()
    }
}

fn point(pem: &str) -> Option<Point> {
    let der = SubjectPublicKeyInfoDer::from_pem_slice(pem.as_bytes()).ok()?;
    der.strip_prefix(&HEAD)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const IDENTIFIER: &str = "90a421169f0a406205f1563a953312f0be898d3c7b6c06b681aa86a874555f4a";
    const KEY: &str = "-----BEGIN PUBLIC KEY-----\n\
        MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE9MJJHnMfn2+H4xL4YaPDA4RpJqUq\n\
        kCmRCBnYERxZanmcpzQSXs1X/AljlKkbJ8qpVIW4clayyef9gWhFbNHWAA==\n\
        -----END PUBLIC KEY-----\n";
    const SIGNATURE: &str =
        "MEUCIQDKZokqnCjrRtw0tni+2Ltvl/uiMJ1EGumEsp1BsNr32AIgQY1YXD2nlj+XNfGK4rBfkMJ1JDOQcYXxa2sY8FNkrKc=";
    const BODY: &[u8] = br#"[{"token":"some_token","type":"some_type","url":"some_url"}]"#;

    fn published(key: &str) -> String {
        serde_json::json!({"public_keys": [{"key_identifier": IDENTIFIER, "key": key, "is_current": true}]}).to_string()
    }

    /// A report that GitHub signed, as its documentation shows it.
    #[test]
    fn a_report_of_githubs_own_is_verified() {
        let keys = PublicKeys::parse(&published(KEY)).expect("keys");
        assert!(keys.verify(IDENTIFIER, SIGNATURE, BODY));
        assert!(!keys.verify(&IDENTIFIER[1..], SIGNATURE, BODY));
        assert!(!keys.verify(IDENTIFIER, SIGNATURE, &BODY[1..]));
        assert!(!keys.verify(IDENTIFIER, &SIGNATURE[4..], BODY));
        assert!(!keys.verify(IDENTIFIER, "", BODY));
    }

    #[test]
    fn what_are_no_keys_is_refused() {
        let told = |json: &str| PublicKeys::parse(json).expect_err(json).to_string();
        assert!(told("{}").contains("public_keys"), "{}", told("{}"));
        assert_eq!(told(r#"{"public_keys": []}"#), "there is no public key in it");
        let other = format!("key {IDENTIFIER:?} is no public key of P-256 in PEM");
        for key in [
            "",
            "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE",
            &KEY.replace("AQcD", "ACID"),
            &KEY.replace("PUBLIC", "PRIVATE"),
        ] {
            assert_eq!(told(&published(key)), other);
        }
    }

    proptest! {
        #[test]
        fn no_signature_makes_it_panic(signature: String, bytes: Vec<u8>) {
            let keys = PublicKeys::parse(&published(KEY)).expect("keys");
            prop_assert!(!keys.verify(IDENTIFIER, &signature, BODY));
            prop_assert!(!keys.verify(IDENTIFIER, &STANDARD.encode(&bytes), BODY));
            prop_assert!(!keys.verify(IDENTIFIER, SIGNATURE, &bytes));
        }
    }
}
