//! Bodies and path segments of requests.

use std::str::FromStr;

use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::StatusCode;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, header};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

use super::AdminState;
use super::check::Check;
use super::problem::{Code, Problem};
use super::strict;
use crate::catalog::Entity;
use crate::domain::session::SessionId;
use crate::domain::webhook::WebhookId;
use crate::domain::{KeyId, Slug, Tenant};

/// A JSON body. It must be an extractor's last place, so that everything else is decided before a byte of it is read.
pub(super) struct Json<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<AdminState> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &AdminState) -> Result<Self, Problem> {
        let Checked(value, check) = Checked::from_request(request, state).await?;
        check.finish(Some(Self(value)))
    }
}

/// A JSON body with what is wrong with its form, so that the handler adds what is wrong with its values; in an extractor's last place
/// as [`Json`].
pub(super) struct Checked<T>(pub(super) T, pub(super) Check);

impl<T: DeserializeOwned> FromRequest<AdminState> for Checked<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &AdminState) -> Result<Self, Problem> {
        let bytes = read(request, state, &[JSON]).await?;
        strict::object(&bytes, &[]).map(|(value, check)| Self(value, check))
    }
}

/// A body that is declared as JSON, unread; in an extractor's last place as [`Json`].
pub(super) struct Text(pub(super) Bytes);

impl FromRequest<AdminState> for Text {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &AdminState) -> Result<Self, Problem> {
        read(request, state, &[JSON]).await.map(Self)
    }
}

/// As [`Checked`], where a request may have no body at all.
pub(super) struct Optional<T>(pub(super) T, pub(super) Check);

impl<T: DeserializeOwned + Default> FromRequest<AdminState> for Optional<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &AdminState) -> Result<Self, Problem> {
        let declared = request.headers().contains_key(header::CONTENT_TYPE);
        let bytes = if declared { read(request, state, &[JSON]).await? } else { bytes(request, state).await? };
        if bytes.is_empty() {
            return Ok(Self(T::default(), Check::default()));
        }
        if !declared {
            return Err(undeclared(&[JSON]));
        }
        strict::object(&bytes, &[]).map(|(value, check)| Self(value, check))
    }
}

/// No body, or an object without fields.
pub(super) struct Empty;

impl FromRequest<AdminState> for Empty {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &AdminState) -> Result<Self, Problem> {
        #[derive(Default, Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Nothing {}

        let Optional(Nothing {}, check) = Optional::from_request(request, state).await?;
        check.finish(Some(Self))
    }
}

/// What can be edited by a merge patch.
pub(super) trait Patch: DeserializeOwned {
    /// Fields that are shown and never edited, each with what to do instead.
    const FIXED: &[(&str, &str)];
}

/// A JSON merge patch (RFC 7396) with what is wrong with its form, in an extractor's last place as [`Json`].
pub(super) struct CheckedPatch<T>(pub(super) T, pub(super) Check);

impl<T: Patch> FromRequest<AdminState> for CheckedPatch<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &AdminState) -> Result<Self, Problem> {
        let bytes = read(request, state, &[MERGE_PATCH, JSON]).await?;
        strict::object(&bytes, T::FIXED).map(|(value, check)| Self(value, check))
    }
}

/// The same, of which nothing needs to be told but what is edited.
pub(super) struct MergePatch<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<AdminState> for MergePatch<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &AdminState) -> Result<Self, Problem> {
        let bytes = read(request, state, &[MERGE_PATCH, JSON]).await?;
        let (value, check) = strict::object(&bytes, &[])?;
        check.finish(Some(Self(value)))
    }
}

/// Reads a field of a merge patch that is absent, null or has a value. The field needs `#[serde(default)]`.
#[expect(clippy::option_option, reason = "absent, null and a value are three cases")]
pub(super) fn nullable<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Reads a field of a merge patch that cannot be removed. The field needs `#[serde(default)]`.
pub(super) fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

pub(super) const JSON: &str = "application/json";
const MERGE_PATCH: &str = "application/merge-patch+json";

/// A body of one of these types.
async fn read(request: Request, state: &AdminState, types: &[&str]) -> Result<Bytes, Problem> {
    if !is_one_of(request.headers(), types) {
        return Err(undeclared(types));
    }
    bytes(request, state).await
}

pub(super) fn undeclared(types: &[&str]) -> Problem {
    let detail = format!("the body must be declared as content-type: {}", types.join(" or "));
    Problem::new(Code::ContentTypeUnsupported, detail)
}

pub(super) fn is_one_of(headers: &HeaderMap, types: &[&str]) -> bool {
    let declared = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = declared.split(';').next().unwrap_or_default().trim_ascii();
    types.iter().any(|one| essence.eq_ignore_ascii_case(one))
}

async fn bytes(request: Request, state: &AdminState) -> Result<Bytes, Problem> {
    let body = in_time(state, Bytes::from_request(request, state)).await?;
    body.map_err(|rejection| unread(&rejection))
}

/// What `reading` of a body comes to, if it comes in time.
pub(super) async fn in_time<T>(state: &AdminState, reading: impl Future<Output = T>) -> Result<T, Problem> {
    tokio::time::timeout(state.body_time, reading).await.map_err(|_| {
        let seconds = state.body_time.as_secs_f64();
        Problem::new(Code::BodyTimeout, format!("the body did not arrive within {seconds} s; send it again"))
    })
}

fn unread(rejection: &BytesRejection) -> Problem {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        Problem::new(Code::BodyTooLarge, format!("a body has at most {} bytes", super::MAX_BODY_BYTES))
    } else {
        Problem::new(Code::BodyIncomplete, "the body did not arrive whole")
    }
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

/// The session that a path names.
pub(super) struct SessionPath(pub(super) SessionId);

impl FromRequestParts<AdminState> for SessionPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AdminState) -> Result<Self, Problem> {
        segment(parts, state).await.map(Self).ok_or_else(|| Problem::not_found(Entity::Session))
    }
}

/// The role that a path names.
pub(super) struct RolePath(pub(super) Slug);

impl FromRequestParts<AdminState> for RolePath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AdminState) -> Result<Self, Problem> {
        segment(parts, state).await.map(Self).ok_or_else(|| Problem::not_found(Entity::Role))
    }
}

/// The environment that a path names.
pub(super) struct EnvironmentPath(pub(super) Slug);

impl FromRequestParts<AdminState> for EnvironmentPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AdminState) -> Result<Self, Problem> {
        segment(parts, state).await.map(Self).ok_or_else(|| Problem::not_found(Entity::Environment))
    }
}

/// The plan that a path names.
pub(super) struct PlanPath(pub(super) Slug);

impl FromRequestParts<AdminState> for PlanPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AdminState) -> Result<Self, Problem> {
        segment(parts, state).await.map(Self).ok_or_else(|| Problem::not_found(Entity::Plan))
    }
}

/// The grid that a path names, with its project.
pub(super) struct GridPath {
    pub(super) project: Slug,
    pub(super) grid: Slug,
}

impl FromRequestParts<AdminState> for GridPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AdminState) -> Result<Self, Problem> {
        let path = Path::<(String, String)>::from_request_parts(parts, state).await;
        let Path((project, grid)) = path.map_err(|_| Problem::not_found(Entity::Project))?;
        Ok(Self {
            project: project.parse().map_err(|_| Problem::not_found(Entity::Project))?,
            grid: grid.parse().map_err(|_| Problem::not_found(Entity::Grid))?,
        })
    }
}

/// The tenant that a path names by project, grid and environment.
pub(super) struct TenantPath(pub(super) Tenant);

impl FromRequestParts<AdminState> for TenantPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AdminState) -> Result<Self, Problem> {
        let path = Path::<(String, String, String)>::from_request_parts(parts, state).await;
        let Path((project, grid, environment)) = path.map_err(|_| Problem::not_found(Entity::Project))?;
        let missing = |entity| move |_| Problem::not_found(entity);
        Ok(Self(Tenant {
            project: project.parse().map_err(missing(Entity::Project))?,
            grid: grid.parse().map_err(missing(Entity::Grid))?,
            environment: environment.parse().map_err(missing(Entity::Environment))?,
        }))
    }
}

/// The path's only variable. What has not the form of a name cannot exist.
async fn segment<T: FromStr>(parts: &mut Parts, state: &AdminState) -> Option<T> {
    let Path(text) = Path::<String>::from_request_parts(parts, state).await.ok()?;
    text.parse().ok()
}
