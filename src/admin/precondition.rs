//! `If-Match` (RFC 9110 section 13.1.1): a change that is meant for one version of a thing.

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderName, header};

use super::AdminState;
use super::problem::{Code, Problem};

/// The version that a change is meant for, where the request says so; `None`: any.
pub(super) struct IfMatch(pub(super) Option<u64>);

/// The same, for requests that have to say so.
pub(super) struct RequiredIfMatch(pub(super) Option<u64>);

/// The header that names the version of what an answer shows.
pub(super) fn etag(version: u64) -> [(HeaderName, String); 1] {
    [(header::ETAG, format!("\"{version}\""))]
}

impl FromRequestParts<AdminState> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &AdminState) -> Result<Self, Problem> {
        read(parts).map(|named| Self(named.flatten()))
    }
}

impl FromRequestParts<AdminState> for RequiredIfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &AdminState) -> Result<Self, Problem> {
        let detail = "send if-match with the etag of what is to be changed, or * to change it whatever it is";
        read(parts)?.map(Self).ok_or_else(|| Problem::new(Code::PreconditionRequired, detail))
    }
}

/// What `If-Match` names: nothing, any version, or one. A list of several, or something that is no `ETag` of ours, matches nothing.
fn read(parts: &Parts) -> Result<Option<Option<u64>>, Problem> {
    let mut values = parts.headers.get_all(header::IF_MATCH).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    let version = || text.strip_prefix('"')?.strip_suffix('"')?.parse().ok();
    match version() {
        _ if values.next().is_some() => {}
        _ if text == "*" => return Ok(Some(None)),
        Some(version) => return Ok(Some(Some(version))),
        None => {}
    }
    Err(Problem::new(
        Code::VersionConflict,
        "if-match names none of our versions: send one etag as it was answered, or *",
    ))
}
