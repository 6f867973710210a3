//! Versions and `If-Match` (RFC 9110 section 13.1.1): a change that is meant for a version of a thing is not made to another.

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::AdminState;
use super::problem::{Code, FieldError, Place, Problem};

/// The `ETag` header of an answer that shows a thing at `version`.
pub(super) fn etag(version: u64) -> [(HeaderName, String); 1] {
    [(header::ETAG, format!("\"{version}\""))]
}

/// The versions that a change is meant for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum IfMatch {
    /// The request does not say so.
    Absent,
    /// `*`: whichever there is.
    Any,
    /// One of these. Tags that are weak, or none that we gave out, match nothing.
    OneOf(Vec<u64>),
}

impl IfMatch {
    /// What the catalog is to expect of a thing that is at version `current`: `None`, whatever comes.
    ///
    /// # Errors
    /// `version_conflict` where the change is meant for another version.
    pub(super) fn expected(&self, current: u64) -> Result<Option<u64>, Problem> {
        match self {
            Self::Absent | Self::Any => Ok(None),
            Self::OneOf(versions) if versions.contains(&current) => Ok(Some(current)),
            Self::OneOf(_) => Err(Problem::version_conflict(current)),
        }
    }

    /// The same for a request that has to say what it is meant for.
    ///
    /// # Errors
    /// `precondition_required` where it does not, and `version_conflict`.
    pub(super) fn required(&self, current: u64) -> Result<Option<u64>, Problem> {
        if *self == Self::Absent {
            let detail = "send if-match with the etag of what you read, so that nobody else's change is lost; or *";
            return Err(Problem::new(Code::PreconditionRequired, detail));
        }
        self.expected(current)
    }
}

impl FromRequestParts<AdminState> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &AdminState) -> Result<Self, Problem> {
        read(&parts.headers).ok_or_else(|| {
            let detail = "it is no list of entity tags".to_owned();
            let fix =
                "the etag of an answer with its quotation marks, such as \"3\"; several with commas between them; or *";
            Problem::invalid(vec![FieldError {
                place: Place::Header(header::IF_MATCH.to_string()),
                detail,
                fix: fix.to_owned(),
            }])
        })
    }
}

/// `None` where the header's lines together are neither `*` nor a list of entity tags.
fn read(headers: &HeaderMap) -> Option<IfMatch> {
    let lines: Vec<_> = headers.get_all(header::IF_MATCH).iter().map(HeaderValue::as_bytes).collect();
    let text = lines.join(&b","[..]);
    let mut rest = text.as_slice();
    if lines.is_empty() {
        return Some(IfMatch::Absent);
    }
    if rest.trim_ascii() == b"*" {
        return Some(IfMatch::Any);
    }
    let (mut versions, mut any) = (Vec::new(), false);
    loop {
        // A list may have empty places.
        rest = rest.trim_ascii_start();
        if let Some(after) = rest.strip_prefix(b",") {
            rest = after;
            continue;
        }
        if rest.is_empty() {
            return any.then_some(IfMatch::OneOf(versions));
        }
        let (tag, after) = entity_tag(rest)?;
        rest = after.trim_ascii_start();
        if !rest.is_empty() && !rest.starts_with(b",") {
            return None;
        }
        any = true;
        versions.extend(tag.and_then(version));
    }
}

/// The entity tag that `text` begins with, without its quotation marks and `None` where it is weak, and what follows it.
fn entity_tag(text: &[u8]) -> Option<(Option<&[u8]>, &[u8])> {
    let (weak, quoted) = text.strip_prefix(b"W/").map_or((false, text), |rest| (true, rest));
    let inside = quoted.strip_prefix(b"\"")?;
    let end = inside.iter().position(|&byte| byte == b'"')?;
    let tag = &inside[..end];
    let fits = tag.iter().all(|&byte| byte > b' ' && byte != 0x7f);
    fits.then_some(((!weak).then_some(tag), &inside[end + 1..]))
}

/// The version whose tag this is.
fn version(tag: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(tag).ok()?;
    text.parse().ok().filter(|version: &u64| version.to_string() == text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(lines: &[&[u8]]) -> Option<IfMatch> {
        let value = |line: &&[u8]| (header::IF_MATCH, HeaderValue::from_bytes(line).expect("a value"));
        read(&lines.iter().map(value).collect())
    }

    #[test]
    fn lists_of_tags_are_read() {
        let these = |versions: &[u64]| Some(IfMatch::OneOf(versions.to_vec()));
        assert_eq!(of(&[]), Some(IfMatch::Absent));
        for (text, expected) in [
            ("*", Some(IfMatch::Any)),
            (" * ", Some(IfMatch::Any)),
            ("\"3\"", these(&[3])),
            ("\"3\", \"4\",, \"5\" ,", these(&[3, 4, 5])),
            ("W/\"3\"", these(&[])),
            ("W/\"3\",\"4\"", these(&[4])),
            ("\"a,b\", \"4\"", these(&[4])),
            ("\"\", \"03\", \"+3\", \"-3\", \"99999999999999999999\"", these(&[])),
            ("", None),
            (",", None),
            ("3", None),
            ("\"3", None),
            ("\"3\" \"4\"", None),
            ("\"3\"; \"4\"", None),
            ("*, \"3\"", None),
            ("w/\"3\"", None),
            ("\"3 \"", None),
        ] {
            assert_eq!(of(&[text.as_bytes()]), expected, "{text}");
        }
        assert_eq!(of(&[b"\"3\"", b"\"4\""]), these(&[3, 4]));
        assert_eq!(of(&[b"\"\xff\""]), these(&[]));
    }

    #[test]
    fn a_version_is_required_where_it_has_to_be() {
        let code = |result: Result<Option<u64>, Problem>| result.map_err(|problem| problem.code);
        assert_eq!(code(IfMatch::Absent.expected(3)), Ok(None));
        assert_eq!(code(IfMatch::Absent.required(3)), Err(Code::PreconditionRequired));
        assert_eq!(code(IfMatch::Any.required(3)), Ok(None));
        assert_eq!(code(IfMatch::OneOf(vec![2, 3]).required(3)), Ok(Some(3)));
        assert_eq!(code(IfMatch::OneOf(vec![2]).expected(3)), Err(Code::VersionConflict));
        let problem = IfMatch::OneOf(Vec::new()).expected(3).expect_err("it matches nothing");
        assert_eq!(problem.current_version, Some(3));
    }

    proptest! {
        #[test]
        fn what_was_given_out_is_read_back(versions in proptest::collection::vec(any::<u64>(), 1..5)) {
            let tags: Vec<_> = versions.iter().map(|version| etag(*version)[0].1.clone()).collect();
            prop_assert_eq!(of(&[tags.join(", ").as_bytes()]), Some(IfMatch::OneOf(versions)));
        }

        #[test]
        fn any_header_is_read_or_refused(text in "[ -~\u{80}-\u{ff}]{0,60}|[\"W/,0-9 *]{0,20}") {
            let bytes: Vec<_> = text.chars().map(|c| u8::try_from(c).unwrap_or(b'?')).collect();
            let _ = of(&[&bytes]);
        }
    }
}
