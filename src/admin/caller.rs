//! Who calls: the extractor that stands first in every handler, so that nothing of a request is read before.

use std::hint::black_box;

use axum::extract::FromRequestParts;
use http::HeaderMap;
use http::request::Parts;

use super::AdminState;
use super::problem::{Code, Problem};
use crate::catalog::{CatalogError, Entity};
use crate::domain::secret::Peppers;
use crate::domain::token::PresentedToken;
use crate::domain::{Binding, Digest, Key, KeyId, KeyStatus, Permission, Permissions, SecretState, Slug, TokenKind};

/// The admin key behind a request: possession of its secret is proved, and the key is active.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    /// The key.
    pub(super) key: KeyId,
    /// What it administers.
    pub(super) binding: Binding,
    /// What it may do there.
    pub(super) permissions: Permissions,
}

impl Caller {
    /// Requires `permission`.
    pub(super) fn require(&self, permission: Permission) -> Result<(), Problem> {
        if self.permissions.contains(permission) {
            return Ok(());
        }
        let detail = format!("this needs the permission {permission}, which {} lacks", self.key);
        Err(Problem::new(Code::PermissionDenied, detail))
    }

    /// Requires a key of the whole installation.
    pub(super) fn require_installation(&self) -> Result<(), Problem> {
        match &self.binding {
            Binding::Installation => Ok(()),
            Binding::Project(project) => {
                let detail = format!("this needs an admin key of the installation; {} is one of {project}", self.key);
                Err(Problem::new(Code::InstallationOnly, detail))
            }
            Binding::Tenant(_) => Err(Problem::internal("an ingest key became a caller")),
        }
    }

    /// Requires that the caller may see `project`; if not, the project looks as if it did not exist.
    pub(super) fn require_sight(&self, project: &Slug) -> Result<(), Problem> {
        if self.binding.covers(Some(project)) { Ok(()) } else { Err(Problem::not_found(Entity::Project)) }
    }
}

impl FromRequestParts<AdminState> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AdminState) -> Result<Self, Problem> {
        let text = credential(&parts.headers)?;
        let presented = PresentedToken::parse(text).map_err(|error| {
            Problem::new(Code::CredentialsMalformed, format!("the credential is no admin token: {error}"))
        })?;
        if presented.kind == TokenKind::Ingest {
            let detail = "this is an ingest token, which exports telemetry; the admin API takes admin tokens (gga_…)";
            return Err(Problem::new(Code::CredentialsIngest, detail));
        }
        let key = match state.catalog.key(&presented.id).await {
            Ok(key) => key.filter(|key| key.binding.kind() == TokenKind::Admin),
            // A damaged row is never permission. It is logged here, because the caller is not told.
            Err(CatalogError::Damaged(what)) => {
                tracing::error!(key = %presented.id, what, "a damaged key was presented to the admin API");
                None
            }
            Err(error) => return Err(error.into()),
        };
        let now = state.clock.now();
        let secret = prove(key.as_ref(), presented.text, &state.peppers).map(|index| (key, index));
        let Some((Some(key), index)) = secret else {
            let detail = "no admin key has this token; check that it belongs to this installation and is the newest";
            return Err(Problem::new(Code::CredentialsInvalid, detail));
        };
        // From here on the caller has proved possession of a secret of the key and is told the exact reason.
        match key.status(now) {
            KeyStatus::Active => {}
            KeyStatus::Revoked => {
                return Err(Problem::new(
                    Code::CredentialsRevoked,
                    format!("{} is revoked, which is permanent", key.id),
                ));
            }
            KeyStatus::Expired => {
                return Err(Problem::new(Code::CredentialsExpired, format!("{} has expired", key.id)));
            }
            KeyStatus::Disabled => {
                return Err(Problem::new(Code::CredentialsDisabled, format!("{} is disabled", key.id)));
            }
        }
        if key.secrets[index].state(now) == SecretState::Retired {
            let detail = format!("this secret of {} was replaced; use the newer one", key.id);
            return Err(Problem::new(Code::CredentialsRetired, detail));
        }
        Ok(Self { key: key.id, binding: key.binding, permissions: key.permissions })
    }
}

/// The position of the key's secret whose token is `text`.
///
/// An absent key costs the same digest and comparison as one with a single secret, so that time does not tell which ids
/// exist.
fn prove(key: Option<&Key>, text: &str, peppers: &Peppers) -> Option<usize> {
    let Some(key) = key else {
        black_box(peppers.newest().digest(text).matches(&Digest::from_bytes([0; 32])));
        return None;
    };
    let mut proved = None;
    for (index, secret) in key.secrets.iter().enumerate() {
        let Some(pepper) = peppers.get(secret.pepper) else {
            tracing::error!(key = %key.id, pepper = secret.pepper, "the pepper of a secret is missing");
            continue;
        };
        if pepper.digest(text).matches(&secret.digest) {
            proved = Some(index);
        }
    }
    proved
}

/// The headers that carry a credential.
const HEADERS: [&str; 3] = ["authorization", "x-api-key", "api-key"];

/// The one credential of a request; the same one several times is fine.
fn credential(headers: &HeaderMap) -> Result<&str, Problem> {
    let mut found = None;
    for name in HEADERS {
        for value in headers.get_all(name) {
            let text = value.to_str().map_err(|_| {
                Problem::new(Code::CredentialsMalformed, format!("the {name} header has other characters than ASCII"))
            })?;
            let text = if name == "authorization" { bearer(text)? } else { text.trim_ascii() };
            if found.is_some_and(|before| before != text) {
                let detail = "the headers carry two different credentials; send one";
                return Err(Problem::new(Code::CredentialsAmbiguous, detail));
            }
            found = Some(text);
        }
    }
    found.ok_or_else(|| {
        let detail = "send an admin token: authorization: Bearer gga_…, or x-api-key: gga_…";
        Problem::new(Code::CredentialsMissing, detail)
    })
}

/// The token of an `authorization` header, which may stand there without its scheme.
fn bearer(text: &str) -> Result<&str, Problem> {
    match text.trim_ascii().split_once(' ') {
        None => Ok(text.trim_ascii()),
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim_ascii()),
        Some(_) => {
            let detail = "the authorization header has another scheme than Bearer";
            Err(Problem::new(Code::CredentialsMalformed, detail))
        }
    }
}
