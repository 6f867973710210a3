//! Errors of the admin API: RFC 9457 problem details. Ingest answers otherwise, see the domain's refusals.

use std::fmt;

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::senders::SenderView;
use crate::catalog::{CatalogError, Entity};
use crate::domain::key::ChangeRefused;
use crate::domain::project::ProjectRefused;
use crate::domain::random::RandomError;

/// Declares [`Code`] with its whole answer in one row: label, HTTP status, title.
macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $label:literal, $status:ident, $title:literal;)*) => {
        /// Why a request to the admin API is not served.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum Code {
            $($(#[$doc])* $variant,)*
        }

        impl Code {
            /// Every code.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The `code` of the answer; part of the API.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $label,)* }
            }

            /// The HTTP status.
            #[must_use]
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status,)* }
            }

            /// The `title` of the answer: the same for every problem with this code.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }
        }
    };
}

codes! {
    /// No route has this path.
    PathUnknown = "path_unknown", NOT_FOUND, "Unknown path";
    /// The path has no such method.
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED, "Method not allowed";
    /// No credential at all.
    CredentialsMissing = "credentials_missing", UNAUTHORIZED, "Credentials missing";
    /// Two different credentials.
    CredentialsAmbiguous = "credentials_ambiguous", BAD_REQUEST, "Two different credentials";
    /// The credential does not have the form of a token.
    CredentialsMalformed = "credentials_malformed", UNAUTHORIZED, "Malformed credentials";
    /// An ingest token, which exports and never administers.
    CredentialsIngest = "credentials_ingest", UNAUTHORIZED, "Ingest token";
    /// No such key, or the wrong secret: which of both is not told.
    CredentialsInvalid = "credentials_invalid", UNAUTHORIZED, "Invalid credentials";
    /// The caller's secret was replaced.
    CredentialsRetired = "credentials_retired", UNAUTHORIZED, "Retired credentials";
    /// The caller's key is revoked.
    CredentialsRevoked = "credentials_revoked", UNAUTHORIZED, "Revoked credentials";
    /// The caller's key has expired.
    CredentialsExpired = "credentials_expired", UNAUTHORIZED, "Expired credentials";
    /// The caller's key is disabled.
    CredentialsDisabled = "credentials_disabled", UNAUTHORIZED, "Disabled credentials";
    /// The caller's address is not on its key's list.
    IpNotAllowed = "ip_not_allowed", FORBIDDEN, "Address not allowed";
    /// The caller's key lacks the permission for this.
    PermissionDenied = "permission_denied", FORBIDDEN, "Permission denied";
    /// A report is not signed by somebody whose reports are taken.
    SignatureInvalid = "signature_invalid", FORBIDDEN, "Invalid signature";
    /// Only keys of the whole installation may do this.
    InstallationOnly = "installation_only", FORBIDDEN, "Only for the installation's admins";
    /// The caller would grant what it lacks.
    GrantRefused = "grant_refused", FORBIDDEN, "Cannot grant what is not held";
    /// No such project, or none that the caller may see.
    ProjectNotFound = "project_not_found", NOT_FOUND, "Project not found";
    /// No such grid, or none that the caller may see.
    GridNotFound = "grid_not_found", NOT_FOUND, "Grid not found";
    /// No such environment.
    EnvironmentNotFound = "environment_not_found", NOT_FOUND, "Environment not found";
    /// No such webhook, or none that the caller may see.
    WebhookNotFound = "webhook_not_found", NOT_FOUND, "Webhook not found";
    /// The caller's key has no such session.
    SessionNotFound = "session_not_found", NOT_FOUND, "Session not found";
    /// No such key, or none that the caller may see.
    KeyNotFound = "key_not_found", NOT_FOUND, "Key not found";
    /// The project's slug is taken.
    ProjectExists = "project_exists", CONFLICT, "Project exists already";
    /// The grid's slug is taken.
    GridExists = "grid_exists", CONFLICT, "Grid exists already";
    /// The environment's slug or code is taken.
    EnvironmentExists = "environment_exists", CONFLICT, "Environment exists already";
    /// The key's name is taken.
    KeyExists = "key_exists", CONFLICT, "Key name taken";
    /// No such role, or none that the caller may see.
    RoleNotFound = "role_not_found", NOT_FOUND, "Role not found";
    /// The role's slug is taken.
    RoleExists = "role_exists", CONFLICT, "Role exists already";
    /// The role is built in.
    RoleBuiltIn = "role_built_in", CONFLICT, "Role is built in";
    /// Keys have the role.
    RoleInUse = "role_in_use", CONFLICT, "Role is in use";
    /// No such plan.
    PlanNotFound = "plan_not_found", NOT_FOUND, "Plan not found";
    /// The plan's slug is taken.
    PlanExists = "plan_exists", CONFLICT, "Plan exists already";
    /// Projects have the plan.
    PlanInUse = "plan_in_use", CONFLICT, "Plan is in use";
    /// The project's plan has ended.
    PlanEnded = "plan_ended", CONFLICT, "Plan has ended";
    /// Nobody would be left who may do everything.
    LastOwner = "last_owner", CONFLICT, "Last owner";
    /// The thing is at another version than the one that the change was meant for.
    VersionConflict = "version_conflict", PRECONDITION_FAILED, "Changed meanwhile";
    /// The request has to say which version it is meant for.
    PreconditionRequired = "precondition_required", PRECONDITION_REQUIRED, "If-Match required";
    /// There are as many webhooks as there can be.
    WebhookLimitReached = "webhook_limit_reached", CONFLICT, "Too many webhooks";
    /// There are as many watchers of the live feed as there can be.
    WatchLimitReached = "watch_limit_reached", CONFLICT, "Too many watchers";
    /// Somebody sends with the key.
    KeyInUse = "key_in_use", CONFLICT, "Key is in use";
    /// The key is disabled.
    KeyDisabled = "key_disabled", CONFLICT, "Key is disabled";
    /// Two secrets of the key are good already.
    RotationInProgress = "rotation_in_progress", CONFLICT, "Rotation under way";
    /// The tenant has as many active keys as it may have.
    KeyLimitReached = "key_limit_reached", CONFLICT, "Enough active keys";
    /// Only revoked keys are purged.
    KeyNotRevoked = "key_not_revoked", CONFLICT, "Key is not revoked";
    /// The record of a revoked key is kept for some time.
    RetentionNotOver = "retention_not_over", CONFLICT, "Kept for some time";
    /// The key is revoked, which is permanent.
    KeyRevoked = "key_revoked", CONFLICT, "Key is revoked";
    /// The key has expired.
    KeyExpired = "key_expired", CONFLICT, "Key has expired";
    /// The caller, or its address, asks more than it may.
    RateLimited = "rate_limited", TOO_MANY_REQUESTS, "Too many requests";
    /// The request with this `Idempotency-Key` is under way, or ended without an answer.
    IdempotencyInFlight = "idempotency_in_flight", CONFLICT, "Request under way";
    /// The `Idempotency-Key` came with another request before.
    IdempotencyMismatch = "idempotency_mismatch", UNPROCESSABLE_ENTITY, "Another request";
    /// The body is not JSON.
    BodyMalformed = "body_malformed", BAD_REQUEST, "Malformed JSON";
    /// The body did not arrive whole.
    BodyIncomplete = "body_incomplete", BAD_REQUEST, "Incomplete body";
    /// The body has more bytes than any request needs.
    BodyTooLarge = "body_too_large", PAYLOAD_TOO_LARGE, "Body too large";
    /// The body took too long.
    BodyTimeout = "body_timeout", REQUEST_TIMEOUT, "Body too slow";
    /// The body is declared as something else than JSON.
    ContentTypeUnsupported = "content_type_unsupported", UNSUPPORTED_MEDIA_TYPE, "Unsupported content type";
    /// Fields or parameters are out of range, unknown, repeated or missing; `errors` names each.
    Invalid = "invalid", UNPROCESSABLE_ENTITY, "Invalid request";
    /// The catalog's database does not answer.
    CatalogUnavailable = "catalog_unavailable", SERVICE_UNAVAILABLE, "Catalog unavailable";
    /// An import took longer than others can wait for it.
    ImportTimeout = "import_timeout", SERVICE_UNAVAILABLE, "Import took too long";
    /// A fault of Gridgate's own.
    Internal = "internal", INTERNAL_SERVER_ERROR, "Internal error";
}

impl Code {
    /// After how many seconds the same request can succeed, where nothing else is known; `None`: not without a change.
    #[must_use]
    pub const fn retry_after(self) -> Option<u32> {
        match self {
            Self::CatalogUnavailable | Self::ImportTimeout => Some(5),
            Self::RateLimited => Some(1),
            _ => None,
        }
    }

    /// The `www-authenticate` challenge of a 401 (RFC 6750 section 3): without an error where nothing was presented.
    const fn challenge(self) -> Option<HeaderValue> {
        match self {
            Self::CredentialsMissing => Some(HeaderValue::from_static("Bearer realm=\"gridgate-admin\"")),
            _ if self.status().as_u16() == StatusCode::UNAUTHORIZED.as_u16() => {
                Some(HeaderValue::from_static("Bearer realm=\"gridgate-admin\", error=\"invalid_token\""))
            }
            _ => None,
        }
    }
}

/// A request that is not served: what the client is told, and apart from it what only the log is told.
#[derive(Clone, Debug)]
pub struct Problem {
    /// Why.
    pub code: Code,
    /// What was wrong, in words for the caller. Never part of a credential, never a message of the database.
    pub detail: String,
    /// What was wrong where.
    pub errors: Vec<FieldError>,
    /// The version that the thing is at, where the request was meant for another one.
    pub current_version: Option<u64>,
    /// Who sends with the key that would be cut off.
    pub senders: Vec<SenderView>,
    /// For the log.
    pub cause: Option<String>,
}

/// One thing that is wrong with a request.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct FieldError {
    /// Where.
    #[serde(flatten)]
    pub place: Place,
    /// What is wrong.
    pub detail: String,
    /// What is allowed.
    pub fix: String,
}

/// A place in a request.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// A JSON pointer (RFC 6901) into the body.
    Pointer(String),
    /// A parameter of the query.
    Parameter(String),
    /// A header, by its name in lower case.
    Header(String),
}

impl Place {
    /// The field `name` of the body.
    #[must_use]
    pub fn field(name: &str) -> Self {
        Self::Pointer(format!("/{name}"))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pointer(pointer) if pointer.is_empty() => f.write_str("the body"),
            Self::Pointer(pointer) => f.write_str(pointer),
            Self::Parameter(name) => write!(f, "?{name}"),
            Self::Header(name) => write!(f, "the header {name}"),
        }
    }
}

/// The JSON form of a problem.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemView {
    /// `urn:gridgate:problem:` and the code.
    pub r#type: String,
    /// A short text per code.
    pub title: String,
    /// The HTTP status, repeated.
    pub status: u16,
    /// What was wrong, in words.
    pub detail: String,
    /// The code to tell problems apart by.
    pub code: String,
    /// The `x-request-id` of the answer, repeated.
    pub request_id: String,
    /// What was wrong where.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// The version that the thing is at, where the request was meant for another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_version: Option<u64>,
    /// Who sends with the key that would be cut off, as far as that is known and the caller may see it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub senders: Vec<SenderView>,
}

impl Problem {
    /// A problem with `code`; `detail` says what was wrong.
    #[must_use]
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            errors: Vec::new(),
            current_version: None,
            senders: Vec::new(),
            cause: None,
        }
    }

    /// A request with `errors` in its fields or parameters.
    #[must_use]
    pub fn invalid(errors: Vec<FieldError>) -> Self {
        let detail = match errors.as_slice() {
            [one] => format!("{}: {}", one.place, one.detail),
            several => format!("{} fields or parameters are not as they must be", several.len()),
        };
        Self { errors, ..Self::new(Code::Invalid, detail) }
    }

    /// A fault of Gridgate's own; `cause` goes to the log only.
    #[must_use]
    pub fn internal(cause: impl fmt::Display) -> Self {
        Self {
            cause: Some(cause.to_string()),
            ..Self::new(Code::Internal, "the request failed inside Gridgate; its log tells more under the request id")
        }
    }

    /// The same problem, pointing at the place in the request that caused it.
    #[must_use]
    pub fn at(mut self, place: Place, fix: impl Into<String>) -> Self {
        self.errors.push(FieldError { place, detail: self.detail.clone(), fix: fix.into() });
        self
    }

    /// The JSON form in the answer with `request_id`.
    #[must_use]
    pub fn view(&self, request_id: &str) -> ProblemView {
        ProblemView {
            r#type: format!("urn:gridgate:problem:{}", self.code.as_str()),
            title: self.code.title().to_owned(),
            status: self.code.status().as_u16(),
            detail: self.detail.clone(),
            code: self.code.as_str().to_owned(),
            request_id: request_id.to_owned(),
            errors: self.errors.clone(),
            current_version: self.current_version,
            senders: self.senders.clone(),
        }
    }
}

/// Status and headers. The body is written by the router's outermost layer, which knows the request id, from the problem
/// that travels in the response's extensions.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.code.status().into_response();
        let headers = response.headers_mut();
        if let Some(challenge) = self.code.challenge() {
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        if let Some(seconds) = self.code.retry_after() {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        let tag = self.current_version.map(|version| HeaderValue::from_str(&format!("\"{version}\"")));
        if let Some(Ok(tag)) = tag {
            headers.insert(header::ETAG, tag);
        }
        response.extensions_mut().insert(self);
        response
    }
}

impl From<CatalogError> for Problem {
    fn from(error: CatalogError) -> Self {
        let detail = error.to_string();
        match error {
            CatalogError::Missing(entity) => Self::not_found(entity),
            CatalogError::Exists(Entity::Project) => Self::new(Code::ProjectExists, detail),
            CatalogError::Exists(Entity::Grid) => Self::new(Code::GridExists, detail),
            CatalogError::Exists(Entity::Environment) => Self::new(Code::EnvironmentExists, detail),
            CatalogError::Exists(Entity::Key | Entity::Token) => Self::new(Code::KeyExists, detail),
            CatalogError::Exists(Entity::Role) => Self::new(Code::RoleExists, detail),
            CatalogError::TooManyWebhooks => Self::new(Code::WebhookLimitReached, detail),
            CatalogError::VersionConflict { current } => Self::version_conflict(current),
            CatalogError::Exists(Entity::Plan) => Self::new(Code::PlanExists, detail),
            CatalogError::PlanInUse => Self::new(Code::PlanInUse, detail),
            CatalogError::ProjectRefused(refused) => match refused {
                ProjectRefused::NoPlan => Self::new(Code::Invalid, detail),
                ProjectRefused::PlanEnded { .. } => Self::new(Code::PlanEnded, detail),
            },
            CatalogError::RoleInUse => Self::new(Code::RoleInUse, detail),
            CatalogError::KeyLimit { .. } => Self::new(Code::KeyLimitReached, detail),
            CatalogError::NotRevoked => Self::new(Code::KeyNotRevoked, detail),
            CatalogError::RetentionNotOver { .. } => Self::new(Code::RetentionNotOver, detail),
            CatalogError::LastOwner => Self::new(Code::LastOwner, detail),
            CatalogError::Refused(_) => Self::new(Code::GrantRefused, detail),
            CatalogError::ActorGone | CatalogError::PermissionGone { .. } => Self::new(Code::PermissionDenied, detail),
            CatalogError::ChangeRefused(refused) => match refused {
                ChangeRefused::Revoked => Self::new(Code::KeyRevoked, detail),
                ChangeRefused::Expired => Self::new(Code::KeyExpired, detail),
                ChangeRefused::Disabled => Self::new(Code::KeyDisabled, detail),
                ChangeRefused::RotationInProgress => Self::new(Code::RotationInProgress, detail),
                ChangeRefused::Overlap => Self::new(Code::Invalid, detail),
            },
            CatalogError::ImportTimeout(_) => Self::new(Code::ImportTimeout, detail),
            CatalogError::Cursor => Self::invalid(vec![FieldError {
                place: Place::Parameter("cursor".to_owned()),
                detail,
                fix: "pass the next_cursor of the page before, unchanged, or leave it out".to_owned(),
            }]),
            // Ids of webhooks and sessions are random.
            CatalogError::Damaged(_) | CatalogError::Exists(Entity::Webhook | Entity::Session) => {
                Self::internal(detail)
            }
            CatalogError::Unavailable(_) => Self {
                cause: Some(detail),
                ..Self::new(
                    Code::CatalogUnavailable,
                    "the catalog's database does not answer; nothing is known to have changed",
                )
            },
        }
    }
}

impl Problem {
    /// A change that was meant for another version than the `current` one.
    #[must_use]
    pub fn version_conflict(current: u64) -> Self {
        let detail = CatalogError::VersionConflict { current }.to_string();
        Self { current_version: Some(current), ..Self::new(Code::VersionConflict, detail) }
    }

    /// What does not exist, or what the caller may not see: both look the same.
    #[must_use]
    pub fn not_found(entity: Entity) -> Self {
        match entity {
            Entity::Project => Self::new(Code::ProjectNotFound, "there is no such project that this key may see"),
            Entity::Grid => Self::new(Code::GridNotFound, "there is no such grid in the project"),
            Entity::Environment => Self::new(Code::EnvironmentNotFound, "there is no such environment"),
            Entity::Session => Self::new(Code::SessionNotFound, "this key has no such session"),
            Entity::Webhook => Self::new(Code::WebhookNotFound, "there is no such webhook that this key may see"),
            Entity::Key => Self::new(Code::KeyNotFound, "there is no such key that this key may see"),
            Entity::Role => Self::new(Code::RoleNotFound, "there is no such role that this key may see"),
            Entity::Plan => Self::new(Code::PlanNotFound, "there is no such plan"),
            Entity::Token => Self::internal("a token was looked up by name"),
        }
    }
}

impl From<RandomError> for Problem {
    fn from(error: RandomError) -> Self {
        Self::internal(error)
    }
}

#[cfg(test)]
mod tests;
