//! Bodies and path segments of requests.

use std::str::FromStr;

use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::StatusCode;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, header};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer};
use serde_path_to_error::{Path as JsonPath, Segment};

use super::AdminState;
use super::problem::{Code, FieldError, Place, Problem};
use crate::catalog::Entity;
use crate::domain::webhook::WebhookId;
use crate::domain::{KeyId, Slug};

/// A JSON body. It must be an extractor's last place, so that everything else is decided before a byte of it is read.
pub(super) struct Json<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<AdminState> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &AdminState) -> Result<Self, Problem> {
        if !is_of_type(request.headers(), &[JSON]) {
            let detail = "the body must be declared as content-type: application/json";
            return Err(Problem::new(Code::ContentTypeUnsupported, detail));
        }
        read(request, state).await.map(Self)
    }
}

/// A change in the form of RFC 7396: what is left out stays, `null` removes. Fields that nothing can remove are read by [`given`].
pub(super) struct MergePatch<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<AdminState> for MergePatch<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &AdminState) -> Result<Self, Problem> {
        if !is_of_type(request.headers(), &["application/merge-patch+json", JSON]) {
            let detail = "the body must be declared as content-type: application/merge-patch+json, or application/json";
            return Err(Problem::new(Code::ContentTypeUnsupported, detail));
        }
        read(request, state).await.map(Self)
    }
}

/// Reads a field of a [`MergePatch`] that is there: of `Option<T>` no `null` is taken, of `Option<Option<T>>` it is the inner `None`.
pub(super) fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

pub(super) const JSON: &str = "application/json";

async fn read<T: DeserializeOwned>(request: Request, state: &AdminState) -> Result<T, Problem> {
    let bytes = Bytes::from_request(request, state).await.map_err(|rejection| unread(&rejection))?;
    // serde would also fill a struct from an array, by position.
    if !bytes.trim_ascii_start().starts_with(b"{") {
        serde_json::from_slice::<IgnoredAny>(&bytes).map_err(|error| undecodable(String::new(), &error))?;
        let (detail, fix) = ("the body is not a JSON object".to_owned(), "send an object".to_owned());
        return Err(Problem::invalid(vec![FieldError { place: Place::Pointer(String::new()), detail, fix }]));
    }
    let mut source = serde_json::Deserializer::from_slice(&bytes);
    let value = serde_path_to_error::deserialize(&mut source).map_err(|error| {
        let pointer = pointer(error.path());
        undecodable(pointer, &error.into_inner())
    })?;
    source.end().map_err(|error| undecodable(String::new(), &error))?;
    Ok(value)
}

pub(super) fn is_of_type(headers: &HeaderMap, types: &[&str]) -> bool {
    let declared = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = declared.split(';').next().unwrap_or_default().trim_ascii();
    types.iter().any(|one| essence.eq_ignore_ascii_case(one))
}

fn unread(rejection: &BytesRejection) -> Problem {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        Problem::new(Code::BodyTooLarge, format!("a body has at most {} bytes", super::MAX_BODY_BYTES))
    } else {
        Problem::new(Code::BodyIncomplete, "the body did not arrive whole")
    }
}

fn undecodable(pointer: String, error: &serde_json::Error) -> Problem {
    let message = error.to_string();
    if !error.is_data() {
        return Problem::new(Code::BodyMalformed, format!("the body is not JSON: {message}"));
    }
    // serde says «what is wrong, expected what is allowed at line 1 column 2»; the place is in the pointer.
    let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(message, _)| message);
    let (detail, fix) = match message.rsplit_once(", expected ") {
        Some((detail, expected)) => (detail, format!("send {expected}")),
        None => (message, "send each field once".to_owned()),
    };
    Problem::invalid(vec![FieldError { place: Place::Pointer(pointer), detail: detail.to_owned(), fix }])
}

/// The JSON pointer (RFC 6901) of `path`.
fn pointer(path: &JsonPath) -> String {
    let mut pointer = String::new();
    for segment in path {
        match segment {
            Segment::Map { key } => pointer.push_str(&format!("/{}", key.replace('~', "~0").replace('/', "~1"))),
            Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    pointer
}

/// The project that a path names.
pub(super) struct ProjectPath(pub(super) Slug);

impl FromRequestParts<AdminState> for ProjectPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AdminState) -> Result<Self, Problem> {
        segment(parts, state).await.map(Self).ok_or_else(|| Problem::not_found(Entity::Project))
    }
}

/// The key that a path names.
pub(super) struct KeyPath(pub(super) KeyId);

impl FromRequestParts<AdminState> for KeyPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AdminState) -> Result<Self, Problem> {
        segment(parts, state).await.map(Self).ok_or_else(|| Problem::not_found(Entity::Key))
    }
}

/// The webhook that a path names.
pub(super) struct WebhookPath(pub(super) WebhookId);

impl FromRequestParts<AdminState> for WebhookPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AdminState) -> Result<Self, Problem> {
        segment(parts, state).await.map(Self).ok_or_else(|| Problem::not_found(Entity::Webhook))
    }
}

/// The path's only variable. What has not the form of a name cannot exist.
async fn segment<T: FromStr>(parts: &mut Parts, state: &AdminState) -> Option<T> {
    let Path(text) = Path::<String>::from_request_parts(parts, state).await.ok()?;
    text.parse().ok()
}
