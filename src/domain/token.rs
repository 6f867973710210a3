//! The token: the text a sender presents. Its format is published in `docs/token-format.md`, with test vectors.
//!
//! Ingest tokens are `ggi_<env>_<id>_<secret><crc>`, admin tokens `gga_<id>_<secret><crc>`.

use std::borrow::Cow;
use std::fmt;

use zeroize::Zeroizing;

use super::base62::{DIGITS, is_base62, random_base62};
use super::random::{Random, RandomError};
use super::{EnvironmentCode, KeyId};

const SECRET_LENGTH: usize = 32;
const CHECKSUM_LENGTH: usize = 6;
/// Longer text is refused without a further look.
const MAX_TOKEN_LENGTH: usize = 128;

/// What a token opens: the ingest ports or the admin API, never both.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum TokenKind {
    /// `ggi_`: exports telemetry.
    Ingest,
    /// `gga_`: administers.
    Admin,
}

impl TokenKind {
    /// The kind's name in the API and the catalog.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Admin => "admin",
        }
    }
}

/// A newly minted token, the only place where a secret exists in the clear. It is shown once, wiped when dropped, and its
/// `Debug` form tells nothing.
pub struct Token(Zeroizing<String>);

impl Token {
    /// Mints a token for the key `id`; an ingest token names its `environment`.
    ///
    /// # Errors
    /// Where `random` gives no bytes.
    pub fn mint(environment: Option<&EnvironmentCode>, id: KeyId, random: &dyn Random) -> Result<Self, RandomError> {
        let secret = Zeroizing::new(random_base62::<SECRET_LENGTH>(random)?);
        Ok(Self::assemble(environment, id, &secret))
    }

    /// Mints a UUID of version 4, for senders that take nothing else. No key's id and no checksum is in it.
    ///
    /// # Errors
    /// Where `random` gives no bytes.
    pub fn mint_uuid(random: &dyn Random) -> Result<Self, RandomError> {
        let mut bytes = Zeroizing::new([0; 16]);
        random.fill(&mut *bytes)?;
        let uuid = uuid::Builder::from_random_bytes(*bytes).into_uuid();
        let mut text = Zeroizing::new([0; uuid::fmt::Hyphenated::LENGTH]);
        Ok(Self(Zeroizing::new(uuid.hyphenated().encode_lower(&mut *text).to_owned())))
    }

    fn assemble(environment: Option<&EnvironmentCode>, id: KeyId, secret: &[u8; SECRET_LENGTH]) -> Self {
        // Reserved whole, so that no half-built copy is left behind by a reallocation.
        let mut text = Zeroizing::new(String::with_capacity(MAX_TOKEN_LENGTH));
        match environment {
            Some(code) => text.extend(["ggi_", code.as_str(), "_"]),
            None => text.push_str("gga_"),
        }
        text.extend([id.bare(), "_"]);
        text.extend(secret.iter().map(|&byte| char::from(byte)));
        let checksum = checksum(&text);
        text.extend(checksum.iter().map(|&byte| char::from(byte)));
        Self(text)
    }

    /// What may be shown of a token of the key `id` at any time: everything before its secret.
    #[must_use]
    pub fn masked(environment: Option<&EnvironmentCode>, id: &KeyId) -> String {
        let id = id.bare();
        environment.map_or_else(|| format!("gga_{id}_…"), |code| format!("ggi_{code}_{id}_…"))
    }

    /// The token's text, to be shown once.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(redacted)")
    }
}

/// A presented token whose form and checksum are right. Possession of a valid secret is not proved by that.
#[derive(Clone, Copy)]
pub struct PresentedToken<'a> {
    /// What it claims to open.
    pub kind: TokenKind,
    /// The code of the environment it claims, of an ingest token.
    pub environment: Option<&'a str>,
    /// The key it claims.
    pub id: KeyId,
    /// The whole text, over which the digest is taken.
    pub text: &'a str,
}

impl fmt::Debug for PresentedToken<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PresentedToken").field("kind", &self.kind).field("id", &self.id).finish_non_exhaustive()
    }
}

/// What looks wrong with a presented token. No message repeats any of its characters.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TokenError {
    /// Nothing at all.
    #[error("it is empty; an unset variable in the exporter's configuration looks like this")]
    Empty,
    /// `key_…` instead of the secret.
    #[error("it is a key id; the exporter needs the secret token that was shown once when the key was created")]
    KeyId,
    /// The text stands in quotation marks.
    #[error("it stands in quotation marks; remove them")]
    Quoted,
    /// `%20` and the like.
    #[error("it is percent-encoded; use the token as it was shown")]
    PercentEncoded,
    /// White space inside.
    #[error("it has white space inside; it was probably broken by a line end or pasted together with something else")]
    WhiteSpace,
    /// `${…}` or `<…>`: a placeholder that nobody filled in.
    #[error("it is a placeholder that was not filled in")]
    Placeholder,
    /// It begins like a token, but is too short.
    #[error("it is {missing} characters too short; it was probably cut off when it was copied")]
    Truncated {
        /// How many characters are missing.
        missing: usize,
    },
    /// It begins like a token, but is too long.
    #[error("it has {extra} characters too many; something was probably pasted after it")]
    TooLong {
        /// How many characters there are too many.
        extra: usize,
    },
    /// Form and length are right, but not the checksum.
    #[error("its checksum is wrong; a character was changed or lost on the way")]
    Checksum,
    /// None of Gridgate's.
    #[error("it is not a Gridgate token; those begin with ggi_ or gga_")]
    Foreign,
}

impl TokenError {
    /// The fault's name in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::KeyId => "key_id",
            Self::Quoted => "quoted",
            Self::PercentEncoded => "percent_encoded",
            Self::WhiteSpace => "white_space",
            Self::Placeholder => "placeholder",
            Self::Truncated { .. } => "truncated",
            Self::TooLong { .. } => "too_long",
            Self::Checksum => "checksum",
            Self::Foreign => "foreign",
        }
    }
}

/// The key that `text` speaks of: a key id, or what is left of a token that was cut, quoted, encoded or changed. Nothing is proved
/// by it.
#[must_use]
pub fn claimed(text: &str) -> Option<KeyId> {
    let after = |start: &str| text.find(start).and_then(|at| text.get(at + start.len()..));
    let rest = after("ggi_").and_then(|rest| rest.split_once('_')).map(|(_, rest)| rest);
    let rest = rest.or_else(|| after("gga_")).or_else(|| after("key_"))?;
    KeyId::from_bare(rest.get(..super::id::KEY_ID_LENGTH)?)
}

impl<'a> PresentedToken<'a> {
    /// Reads a token. White space around it is ignored.
    ///
    /// # Errors
    /// [`TokenError`] says what looks wrong.
    pub fn parse(text: &'a str) -> Result<Self, TokenError> {
        let text = text.trim_ascii();
        Self::parse_form(text).map_err(|found| misuse(text).unwrap_or(found))
    }

    fn parse_form(text: &'a str) -> Result<Self, TokenError> {
        let (kind, environment, rest) = if let Some(rest) = text.strip_prefix("gga_") {
            (TokenKind::Admin, None, rest)
        } else {
            let rest = text.strip_prefix("ggi_").ok_or(TokenError::Foreign)?;
            let (code, rest) = rest.split_once('_').ok_or(TokenError::Truncated { missing: TAIL_LENGTH })?;
            if !EnvironmentCode::is_valid(code) {
                return Err(TokenError::Foreign);
            }
            (TokenKind::Ingest, Some(code), rest)
        };
        if rest.len() < TAIL_LENGTH {
            return Err(TokenError::Truncated { missing: TAIL_LENGTH - rest.len() });
        }
        if rest.len() > TAIL_LENGTH {
            return Err(TokenError::TooLong { extra: rest.len() - TAIL_LENGTH });
        }
        let (id, secret) = rest.split_once('_').ok_or(TokenError::Checksum)?;
        let id = KeyId::from_bare(id).ok_or(TokenError::Checksum)?;
        let (body, digits) = text.split_at(text.len() - CHECKSUM_LENGTH);
        if !is_base62(secret.as_bytes()) || checksum(body) != digits.as_bytes() {
            return Err(TokenError::Checksum);
        }
        Ok(Self { kind, environment, id, text })
    }
}

/// Characters after the kind and environment: id, `_`, secret, checksum.
const TAIL_LENGTH: usize = super::id::KEY_ID_LENGTH + 1 + SECRET_LENGTH + CHECKSUM_LENGTH;

/// The commonest ways to present something else than the token.
fn misuse(text: &str) -> Option<TokenError> {
    let quoted = |mark: char| text.starts_with(mark) || text.ends_with(mark);
    if text.is_empty() {
        Some(TokenError::Empty)
    } else if text.starts_with("key_") {
        Some(TokenError::KeyId)
    } else if quoted('"') || quoted('\'') {
        Some(TokenError::Quoted)
    } else if text.starts_with("${") || text.starts_with('<') {
        Some(TokenError::Placeholder)
    } else if text.contains('%') {
        Some(TokenError::PercentEncoded)
    } else if text.contains(|c: char| c.is_ascii_whitespace()) {
        Some(TokenError::WhiteSpace)
    } else {
        None
    }
}

/// CRC-32/ISO-HDLC of `body` as six base62 digits, most significant first.
fn checksum(body: &str) -> [u8; CHECKSUM_LENGTH] {
    let mut value = crc32fast::hash(body.as_bytes());
    let mut digits = [b'0'; CHECKSUM_LENGTH];
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS[(value % 62) as usize];
        value /= 62;
    }
    digits
}

/// How tokens begin.
const TOKENS: [&str; 2] = ["ggi_", "gga_"];

/// `text` without the tokens in it: a sender may have put its own where a name belongs.
#[must_use]
pub fn without_tokens(text: &str) -> Cow<'_, str> {
    if !TOKENS.iter().any(|prefix| text.contains(prefix)) {
        return text.into();
    }
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = TOKENS.iter().filter_map(|prefix| rest.find(prefix)).min() {
        let (before, token) = rest.split_at(start);
        let (prefix, secret) = token.split_at(TOKENS[0].len());
        clean.push_str(before);
        clean.push_str(prefix);
        clean.push('…');
        rest = secret.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_');
    }
    clean.push_str(rest);
    clean.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::random::SeededRandom;
    use crate::domain::{LegacyToken, Pepper};
    use proptest::prelude::*;

    fn token(environment: Option<&str>) -> Token {
        let code = environment.map(|code| code.parse().expect("a code"));
        let id = KeyId::from_bare("7Hq2mZxK9wPa").expect("an id");
        Token::assemble(code.as_ref(), id, b"EXAMPLEexampleEXAMPLEexample0000")
    }

    /// Every row of the tables in `docs/token-format.md`, which were computed by another implementation.
    #[test]
    fn published_vectors() {
        let mut secret = Zeroizing::new([0; 32]);
        (0..).zip(secret.iter_mut()).for_each(|(byte, place)| *place = byte);
        let pepper = Pepper::new(1, secret);
        let document = include_str!("../../docs/token-format.md");
        for environment in [Some("prd"), Some("stg"), Some("dev"), Some("canary01"), None] {
            let token = token(environment);
            let digest: Vec<_> = pepper.digest(token.reveal()).as_bytes().iter().map(|b| format!("{b:02x}")).collect();
            let row = format!("| {} | `{}` | `{}` |\n", environment.unwrap_or("–"), token.reveal(), digest.concat());
            assert!(document.contains(&row), "docs/token-format.md lacks {row}");
        }
        let refused = document.split("Refused").nth(1).expect("the second table").lines();
        let texts: Vec<_> = refused.filter_map(|line| line.strip_prefix("| `")?.split("` |").next()).collect();
        assert_eq!(texts.len(), 5);
        assert!(texts.iter().all(|text| PresentedToken::parse(text).is_err()));
    }

    #[test]
    fn a_minted_token_is_read_back() {
        let random = SeededRandom::new(1);
        let id = KeyId::random(&random).expect("an id");
        let minted = Token::mint(Some(&"prd".parse().expect("a code")), id, &random).expect("a token");
        let read = PresentedToken::parse(minted.reveal()).expect("it is well-formed");
        assert_eq!((read.kind, read.environment, read.id), (TokenKind::Ingest, Some("prd"), id));
        let admin = Token::mint(None, id, &random).expect("a token");
        let read = PresentedToken::parse(admin.reveal()).expect("it is well-formed");
        assert_eq!((read.kind, read.environment, read.id), (TokenKind::Admin, None, id));
    }

    #[test]
    fn a_minted_uuid_is_a_strong_legacy_token() {
        let random = SeededRandom::new(1);
        let (one, two) = (Token::mint_uuid(&random).expect("a UUID"), Token::mint_uuid(&random).expect("a UUID"));
        let read = LegacyToken::parse(one.reveal()).expect("it is well-formed");
        assert!(!read.is_weak() && read.text() == one.reveal() && one.reveal() != two.reveal());
    }

    #[test]
    fn a_masked_token_ends_before_the_secret() {
        let id = KeyId::from_bare("7Hq2mZxK9wPa").expect("an id");
        for environment in [Some("prd"), None] {
            let code = environment.map(|code| code.parse().expect("a code"));
            let masked = Token::masked(code.as_ref(), &id);
            let (shown, rest) = masked.split_at(masked.len() - "…".len());
            assert_eq!(rest, "…");
            let token = token(environment);
            assert_eq!(token.reveal().strip_prefix(shown).map(str::len), Some(SECRET_LENGTH + CHECKSUM_LENGTH));
        }
    }

    #[test]
    fn what_is_wrong_is_told() {
        let good = token(Some("prd"));
        let good = good.reveal();
        let cases = [
            (String::new(), TokenError::Empty),
            ("key_7Hq2mZxK9wPa".to_owned(), TokenError::KeyId),
            (format!("\"{good}\""), TokenError::Quoted),
            (format!("'{good}"), TokenError::Quoted),
            (format!("Bearer%20{good}"), TokenError::PercentEncoded),
            (format!("{good} {good}"), TokenError::WhiteSpace),
            ("${GRIDGATE_KEY}".to_owned(), TokenError::Placeholder),
            (good[..good.len() - 5].to_owned(), TokenError::Truncated { missing: 5 }),
            (format!("{good}ab"), TokenError::TooLong { extra: 2 }),
            (good.replace("EXAMPLE", "EXAMPLF"), TokenError::Checksum),
            ("ghp_16C7e42F292c6912E7710c838347Ae178B4a".to_owned(), TokenError::Foreign),
            ("ggi_".to_owned(), TokenError::Truncated { missing: 51 }),
        ];
        for (text, expected) in cases {
            assert_eq!(PresentedToken::parse(&text).map(|_| ()), Err(expected), "{text}");
        }
        assert!(PresentedToken::parse(&format!("  {good}\t")).is_ok());
    }

    #[test]
    fn a_spoiled_token_still_says_whose_it_was() {
        let good = token(Some("prd"));
        let good = good.reveal();
        let id = KeyId::from_bare("7Hq2mZxK9wPa");
        for text in [good, &good[..25], &format!("\"{good}\""), &format!("Bearer%20{good}"), "key_7Hq2mZxK9wPa"] {
            assert_eq!(claimed(text), id, "{text}");
        }
        assert_eq!(claimed(token(None).reveal()), id);
        for text in ["", "ggi_", "ggi_prd_", "gga_7Hq2", "key_7Hq2mZxK9wP", "ggi_prd_7Hq2mZxK9wP\u{e4}_", "a key"] {
            assert_eq!(claimed(text), None, "{text}");
        }
    }

    #[test]
    fn no_secret_in_debug_output() {
        let token = token(None);
        assert_eq!(format!("{token:?}"), "Token(redacted)");
        let presented = PresentedToken::parse(token.reveal()).expect("it is well-formed");
        assert!(!format!("{presented:?}").contains("EXAMPLE"));
    }

    proptest! {
        #[test]
        fn reading_never_panics_and_tells_no_character(text in "\\PC{0,200}") {
            if let Err(error) = PresentedToken::parse(&text) {
                prop_assert!(error.to_string().is_ascii());
            }
            let _ = claimed(&text);
        }

        #[test]
        fn one_changed_character_is_noticed(position in 0usize..59, replacement in "[0-9A-Za-z]") {
            let good = token(Some("prd"));
            let mut text = good.reveal().to_owned();
            text.replace_range(position..=position, &replacement);
            prop_assert_eq!(PresentedToken::parse(&text).is_ok(), text == good.reveal());
        }
    }
}
