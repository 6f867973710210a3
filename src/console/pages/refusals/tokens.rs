//! What the console says of a text that is no token: more than that it is none.

use super::words::{Words, of};
use crate::domain::token::without_tokens;
use crate::domain::trouble::Cause;
use crate::domain::{Reason, TokenError};

/// What is said of a token that cannot be one, where more is known than that.
pub(super) const fn of_token(error: &TokenError) -> Words {
    let (title, got, fix) = match error {
        TokenError::Empty => (
            "Token is empty",
            "nothing",
            "A variable in the exporter's settings is not set where it runs. Set it, and restart the exporter.",
        ),
        TokenError::KeyId => (
            "Key id pasted instead of the secret",
            "api-key: key_…",
            "Put the secret in OTEL_EXPORTER_OTLP_HEADERS. It was shown when the key was created. If nobody kept it, regenerate.",
        ),
        TokenError::Quoted => ("Token in quotation marks", "\"ggi_…\"", "Remove the quotation marks."),
        TokenError::PercentEncoded => ("Token is percent-encoded", "ggi%5F…", "Use the token as it was shown."),
        TokenError::WhiteSpace => (
            "Token with white space inside",
            "ggi_… …",
            "It was broken by a line end, or pasted together with something else. Copy it again.",
        ),
        TokenError::Placeholder => (
            "Placeholder sent instead of a token",
            "${…} or <…>",
            "Nobody filled the placeholder in. Set the variable where the exporter runs.",
        ),
        TokenError::Truncated { .. } => (
            "Token cut off",
            "a token that is too short",
            "Copy it again as a whole. Where nobody kept it, regenerate the key's secret.",
        ),
        TokenError::TooLong { .. } => {
            ("Something behind the token", "a token that is too long", "Remove what was pasted behind it.")
        }
        TokenError::Checksum => (
            "Token with a changed character",
            "a token with a wrong checksum",
            "A character was changed or lost on the way. Copy it again; where nobody kept it, regenerate the key's secret.",
        ),
        TokenError::Foreign => (
            "No token of Gridgate",
            "something that does not begin with ggi_",
            "It belongs to another product. Create a key here and use its token.",
        ),
    };
    Words { title, got, fix, ..of(Cause::Refused(Reason::KeyMalformed)) }
}

/// Every way in which a token can be no token.
const TOKEN_ERRORS: [TokenError; 10] = [
    TokenError::Empty,
    TokenError::KeyId,
    TokenError::Quoted,
    TokenError::PercentEncoded,
    TokenError::WhiteSpace,
    TokenError::Placeholder,
    TokenError::Truncated { missing: 0 },
    TokenError::TooLong { extra: 0 },
    TokenError::Checksum,
    TokenError::Foreign,
];

/// What is said of `cause` where the gate has told a sender `detail`.
pub(super) fn of_detail(cause: Cause, detail: Option<&str>) -> Words {
    let told = detail.filter(|_| cause == Cause::Refused(Reason::KeyMalformed)).map(plain);
    let found = told.and_then(|told| TOKEN_ERRORS.iter().find(|error| plain(&error.to_string()) == told));
    found.map_or_else(|| of(cause), of_token)
}

/// What is said of the finding `code` of a token that was checked.
pub(super) fn of_finding(code: &str) -> Option<Words> {
    let token = TOKEN_ERRORS.iter().find(|error| error.as_str() == code).map(of_token);
    token.or_else(|| code.parse().ok().map(of))
}

/// A detail as it is compared: without what differs from export to export, and as the books keep it.
fn plain(detail: &str) -> String {
    without_tokens(detail).chars().filter(|c| !c.is_ascii_digit() && *c != '…').collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// What the gate tells a sender, and keeps, leads to the row of its own.
    #[test]
    fn what_is_wrong_with_a_token_is_known_by_its_detail() {
        let malformed = Cause::Refused(Reason::KeyMalformed);
        let mut titles = BTreeSet::new();
        let ten_missing = [TokenError::Truncated { missing: 10 }, TokenError::TooLong { extra: 3 }];
        for error in TOKEN_ERRORS.iter().chain(&ten_missing) {
            let kept = without_tokens(&error.to_string()).into_owned();
            let words = of_detail(malformed, Some(&kept));
            assert_eq!(words.title, of_token(error).title);
            assert_eq!(of_finding(error.as_str()).map(|words| words.title), Some(words.title));
            titles.insert(words.title);
        }
        assert_eq!(titles.len(), TOKEN_ERRORS.len());
        assert_eq!(of_detail(malformed, Some("something else")).title, of(malformed).title);
        let other = Cause::Refused(Reason::KeyInvalid);
        assert_eq!(of_detail(other, Some(&TokenError::KeyId.to_string())).title, of(other).title);
        assert!(of_finding("secret_retiring").is_none());
    }
}
