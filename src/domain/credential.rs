//! Credentials: the one token that a request carries, and the proof that it belongs to a key.

use std::hint::black_box;

use super::key::DigestAlgorithm;
use super::secret::Peppers;
use super::token::{PresentedToken, TokenError};
use super::uses::Renewal;
use super::{Digest, Key, LegacyToken, Secret};

/// Why the headers of a request carry no single credential.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CredentialError {
    /// There is none.
    #[error("no header carries a credential")]
    Missing,
    /// There are two, and they differ.
    #[error("the headers carry two different credentials")]
    Ambiguous,
    /// A header has other characters than printable ASCII.
    #[error("a credential has characters that no token has")]
    Characters,
    /// The `Authorization` header names a scheme that is not `Bearer`.
    #[error("the authorization scheme is not Bearer")]
    Scheme,
}

/// The one credential among the `values` of those headers that may carry one; the same one several times is fine. A value
/// comes with whether its header is `Authorization`, whose scheme is then taken off.
///
/// # Errors
/// [`CredentialError`].
pub fn single<'a>(values: impl IntoIterator<Item = (bool, &'a [u8])>) -> Result<&'a str, CredentialError> {
    let mut found = None;
    for (is_authorization, value) in values {
        let text = str::from_utf8(value).ok().filter(|text| text.is_ascii()).ok_or(CredentialError::Characters)?;
        let token = if is_authorization { bearer(text.trim_ascii())? } else { text.trim_ascii() };
        if found.is_some_and(|other| other != token) {
            return Err(CredentialError::Ambiguous);
        }
        found = Some(token);
    }
    found.ok_or(CredentialError::Missing)
}

/// The token after `Bearer`, written in any case, or the bare token.
fn bearer(value: &str) -> Result<&str, CredentialError> {
    match value.split_once(' ') {
        None if value.eq_ignore_ascii_case("bearer") => Ok(""),
        None => Ok(value),
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim_ascii()),
        Some(_) => Err(CredentialError::Scheme),
    }
}

/// A presented credential whose form is right. Possession of a valid secret is not proved by that.
#[derive(Debug)]
pub enum Presented<'a> {
    /// A token of Gridgate's. It says which key it belongs to.
    Token(PresentedToken<'a>),
    /// A UUID, whose key only its digest finds.
    Legacy(LegacyToken),
}

impl<'a> Presented<'a> {
    /// Reads a credential. White space around it is ignored.
    ///
    /// # Errors
    /// [`TokenError`] says what looks wrong.
    pub fn parse(text: &'a str) -> Result<Self, TokenError> {
        match LegacyToken::parse(text) {
            Some(token) => Ok(Self::Legacy(token)),
            None => PresentedToken::parse(text).map(Self::Token),
        }
    }

    /// The text over which digests are taken.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::Token(token) => token.text,
            Self::Legacy(token) => token.text(),
        }
    }
}

/// The secret of `key` whose token is `text`, whatever its state.
///
/// An absent key costs the same digest and comparison as one with a single secret, so that time does not tell which ids exist.
/// A secret whose pepper is missing is never proved.
#[must_use]
pub fn prove<'k>(key: Option<&'k Key>, text: &str, peppers: &Peppers) -> Option<&'k Secret> {
    let newest = peppers.newest();
    let digest = newest.digest(text);
    let Some(key) = key else {
        black_box(digest.matches(&Digest::from_bytes([0; 32])));
        return None;
    };
    key.secrets.iter().find(|secret| match secret.algorithm {
        DigestAlgorithm::HmacSha256 { pepper } if pepper == newest.version() => digest.matches(&secret.digest),
        DigestAlgorithm::HmacSha256 { pepper } => {
            peppers.get(pepper).is_some_and(|pepper| pepper.digest(text).matches(&secret.digest))
        }
        DigestAlgorithm::Sha256 => Digest::sha_256(text).matches(&secret.digest),
    })
}

/// The digests that a token may be stored as: under each of the peppers, and as it was imported.
#[must_use]
pub fn digests(text: &str, peppers: &Peppers) -> Vec<Digest> {
    peppers.iter().map(|pepper| pepper.digest(text)).chain([Digest::sha_256(text)]).collect()
}

/// What the digest of `secret`, which `text` has proved, is to be replaced by: imported digests become HMAC, and those under an
/// older pepper such under the newest. `None` where it is so already.
#[must_use]
pub fn renewal(secret: &Secret, text: &str, peppers: &Peppers) -> Option<Renewal> {
    let newest = peppers.newest();
    match secret.algorithm {
        DigestAlgorithm::HmacSha256 { pepper } if pepper >= newest.version() => None,
        DigestAlgorithm::HmacSha256 { .. } | DigestAlgorithm::Sha256 => {
            Some(Renewal { old: secret.digest, new: newest.digest(text), pepper: newest.version() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::key::SecretFormat;
    use crate::domain::{Binding, KeyId, Pepper, Timestamp};
    use zeroize::Zeroizing;

    #[test]
    fn a_credential_comes_bare_or_as_bearer() {
        for (is_authorization, value) in
            [(true, &b"Bearer ggi_x"[..]), (true, b"bEARER  ggi_x "), (true, b"ggi_x"), (false, b" ggi_x")]
        {
            assert_eq!(single([(is_authorization, value)]), Ok("ggi_x"));
        }
        assert_eq!(single([(true, &b"Bearer"[..])]), Ok(""));
        assert_eq!(single([(true, &b"Basic YTpi"[..])]), Err(CredentialError::Scheme));
        assert_eq!(single([(false, &b"\xff\xfe"[..])]), Err(CredentialError::Characters));
        assert_eq!(single([(false, "ключ".as_bytes())]), Err(CredentialError::Characters));
        assert_eq!(single([]), Err(CredentialError::Missing));
    }

    /// Clause T66 of docs/otlp.md.
    #[test]
    fn one_credential_twice_is_fine_and_two_are_not() {
        assert_eq!(single([(true, &b"Bearer a"[..]), (false, b"a")]), Ok("a"));
        assert_eq!(single([(true, &b"Bearer a"[..]), (false, b"b")]), Err(CredentialError::Ambiguous));
    }

    /// Clause T68 of docs/otlp.md.
    #[test]
    fn only_the_right_token_under_the_right_pepper_proves_a_secret() {
        let pepper = |version| Pepper::new(version, Zeroizing::new([7; 32]));
        let both = Peppers::new(vec![pepper(1), pepper(2)]).expect("two versions");
        let secret = |version, algorithm, digest| Secret {
            version,
            digest,
            algorithm,
            format: SecretFormat::Token,
            created_at: Timestamp::from_micros(0),
            retires_at: None,
            drained_after: None,
            used: None,
        };
        let under = |pepper: u32| DigestAlgorithm::HmacSha256 { pepper };
        let id = KeyId::from_bare("7Hq2mZxK9wPa").expect("an id");
        let mut key = Key::new(id, Binding::Installation, "", Timestamp::from_micros(0));
        key.secrets = vec![
            secret(3, DigestAlgorithm::Sha256, Digest::sha_256("imported")),
            secret(2, under(2), pepper(2).digest("new")),
            secret(1, under(1), pepper(1).digest("old")),
        ];
        let proved = |key, text, peppers| prove(key, text, peppers).map(|secret| secret.version);
        assert_eq!(proved(Some(&key), "new", &both), Some(2));
        assert_eq!(proved(Some(&key), "old", &both), Some(1));
        assert_eq!(proved(Some(&key), "imported", &both), Some(3));
        assert_eq!(proved(Some(&key), "other", &both), None);
        assert_eq!(proved(None, "new", &both), None);
        let newest = Peppers::new(vec![pepper(2)]).expect("one version");
        assert_eq!(proved(Some(&key), "old", &newest), None);
    }
}
