//! Who calls: the extractor that stands first in every handler, so that nothing of a request is read before.

use std::net::IpAddr;

use axum::extract::{FromRequestParts, MatchedPath};
use http::request::Parts;
use http::{HeaderMap, StatusCode, header};

use super::AdminState;
use super::check::Check;
use super::limits::Credentials;
use super::openapi;
use super::page::Parameters;
use super::problem::{Code, Problem};
use super::request::{Peer, RequestId};
use super::sessions::SignedIn;
use crate::catalog::{CatalogError, Entity};
use crate::domain::audit::{Actor, Via};
use crate::domain::credential::{self, CredentialError};
use crate::domain::session::SessionId;
use crate::domain::token::PresentedToken;
use crate::domain::uses::{MAX_USER_AGENT_LENGTH, Renewal, Used};
use crate::domain::{
    Binding, Key, KeyId, KeyStatus, Permission, Permissions, Secret, SecretState, Slug, Timestamp, TokenKind,
};

/// The admin key behind a request: possession of its secret is proved, and the key is active.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    /// The key.
    pub(super) key: KeyId,
    /// What it administers.
    pub(super) binding: Binding,
    /// What it may do there.
    pub(super) permissions: Permissions,
    /// Who changes something, if the request does, as of its arrival.
    pub(super) actor: Actor,
    /// The session of the console that the request comes with.
    pub(super) session: Option<SessionId>,
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

    /// Whether the caller is still let in and still has `permission`, for answers that go on for long.
    ///
    /// # Errors
    /// `key` where not, `catalog` where that cannot be found out.
    pub(super) async fn still_may(&self, state: &AdminState, permission: Permission) -> Result<(), &'static str> {
        let key = state.catalog.key(&self.key).await.map_err(|_| "catalog")?.ok_or("key")?;
        let now = state.clock.now();
        let presented = key.secrets.iter().find(|secret| Some(secret.version) == self.actor.secret);
        let is_good = key.status(now) == KeyStatus::Active
            && presented.is_some_and(|secret| key.secret_state(secret, now) != SecretState::Retired)
            && key.permissions.contains(permission)
            && self.actor.address.map_or(key.allowed.is_any(), |address| key.allowed.contains(address));
        if !is_good {
            return Err("key");
        }
        let Some(session) = &self.session else { return Ok(()) };
        let sessions = state.catalog.sessions_of(&self.key).await.map_err(|_| "catalog")?;
        let goes_on = sessions.iter().any(|one| one.id == *session && one.is_alive(now, state.sessions.idle));
        if goes_on { Ok(()) } else { Err("session") }
    }

    /// Requires that the caller may see `project`; if not, the project looks as if it did not exist.
    pub(super) fn require_sight(&self, project: &Slug) -> Result<(), Problem> {
        if self.binding.covers(Some(project)) { Ok(()) } else { Err(Problem::not_found(Entity::Project)) }
    }
}

impl FromRequestParts<AdminState> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AdminState) -> Result<Self, Problem> {
        let signed_in = parts.extensions.get::<SignedIn>().cloned();
        let caller = match &signed_in {
            Some(signed_in) => Self::of_session(parts, state, signed_in).await?,
            None => Self::of_token(parts, state).await?,
        };
        refuse_query(parts, state).await?;
        Ok(caller)
    }
}

impl Caller {
    /// Who presents a token. It is counted, whether it is good or not.
    pub(super) async fn of_token(parts: &Parts, state: &AdminState) -> Result<Self, Problem> {
        let token = token(&parts.headers);
        state.limits.before(parts, token.as_ref().ok().map(|token| Credentials::Token(token.id))).await?;
        let token = token?;
        let credentials = Credentials::Token(token.id);
        let now = state.clock.now();
        let (key, secret) = match authenticate(state, &token, now).await {
            Ok(found) => found,
            Err(problem) if problem.code.status() == StatusCode::UNAUTHORIZED => {
                state.limits.failed(parts, credentials).await?;
                return Err(problem);
            }
            Err(problem) => return Err(problem),
        };
        let address = match allowed_address(&key, parts) {
            Ok(address) => address,
            Err(problem) => {
                state.limits.failed(parts, credentials).await?;
                return Err(problem);
            }
        };
        state.limits.succeeded(parts, credentials, &key.id).await?;
        remember(state, parts, &key, &secret, now, || credential::renewal(&secret, token.text, &state.peppers));
        Ok(Self::new(key, &secret, parts, address, now, Via::Api))
    }

    /// Who has the session `signed_in`: its key is looked at as if its secret were presented. The console has counted the request.
    pub(super) async fn of_session(parts: &Parts, state: &AdminState, signed_in: &SignedIn) -> Result<Self, Problem> {
        let now = state.clock.now();
        let found = state.catalog.key(&signed_in.key).await?.filter(|key| key.binding.kind() == TokenKind::Admin);
        let gone = || Problem::new(Code::CredentialsRevoked, format!("{} is no longer there", signed_in.key));
        let key = found.ok_or_else(gone)?;
        let presented = key.secrets.iter().find(|secret| secret.version == signed_in.secret_version);
        let secret = presented.cloned().ok_or_else(|| retired(key.id))?;
        let_in(&key, &secret, now)?;
        let address = allowed_address(&key, parts)?;
        remember(state, parts, &key, &secret, now, || None);
        let caller = Self::new(key, &secret, parts, address, now, Via::Console);
        Ok(Self { session: Some(signed_in.session.clone()), ..caller })
    }

    fn new(key: Key, secret: &Secret, parts: &Parts, address: Option<IpAddr>, now: Timestamp, via: Via) -> Self {
        let route = parts.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str);
        let actor = Actor {
            at: now,
            key: Some(key.id),
            secret: Some(secret.version),
            name: key.name,
            needs: openapi::permissions(&parts.method, route),
            via,
            address,
            user_agent: user_agent(&parts.headers),
            request_id: parts.extensions.get::<RequestId>().map(|id| id.0.clone()),
        };
        Self { key: key.id, binding: key.binding, permissions: key.permissions, actor, session: None }
    }
}

/// Where a request comes from, if `key` may be used from there.
fn allowed_address(key: &Key, parts: &Parts) -> Result<Option<IpAddr>, Problem> {
    let address = parts.extensions.get::<Peer>().map(|peer| peer.0.to_canonical());
    if address.map_or(key.allowed.is_any(), |address| key.allowed.contains(address)) {
        return Ok(address);
    }
    let from = address.map_or_else(|| "nowhere that is known".to_owned(), |address| address.to_string());
    Err(Problem::new(Code::IpNotAllowed, format!("{} may not be used from {from}", key.id)))
}

/// Remembers that `secret` was used, by whom and from where.
fn remember(
    state: &AdminState,
    parts: &Parts,
    key: &Key,
    secret: &Secret,
    now: Timestamp,
    renewal: impl FnOnce() -> Option<Renewal>,
) {
    let Some(Peer(address)) = parts.extensions.get::<Peer>() else { return };
    let agent = parts.headers.get(header::USER_AGENT).map_or(&b""[..], |agent| agent.as_bytes());
    let used = Used { key: key.id, version: secret.version, at: now, address: address.to_canonical(), agent };
    state.uses.record(&used, renewal);
}

/// Refuses parameters of a query where the route has none; the others refuse those that they do not have.
async fn refuse_query(parts: &mut Parts, state: &AdminState) -> Result<(), Problem> {
    let route = parts.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str);
    if parts.uri.query().is_none() || openapi::takes_query(&parts.method, route) {
        return Ok(());
    }
    let mut check = Check::default();
    Parameters::from_request_parts(parts, state).await?.finish(&mut check, &[]);
    check.finish(Some(()))
}

/// The admin key whose token this is, if it is let in at `now`, and the secret that was presented.
async fn authenticate(
    state: &AdminState,
    token: &PresentedToken<'_>,
    now: Timestamp,
) -> Result<(Key, Secret), Problem> {
    let key = match state.catalog.key(&token.id).await {
        Ok(key) => key.filter(|key| key.binding.kind() == TokenKind::Admin),
        // A damaged row is never permission. It is logged here, because the caller is not told.
        Err(CatalogError::Damaged(what)) => {
            tracing::error!(key = %token.id, what, "a damaged key was presented to the admin API");
            None
        }
        Err(error) => return Err(error.into()),
    };
    let proved = credential::prove(key.as_ref(), token.text, &state.peppers).cloned();
    let Some((key, secret)) = key.zip(proved) else {
        let detail = "no admin key has this token; check that it belongs to this installation and is the newest";
        return Err(Problem::new(Code::CredentialsInvalid, detail));
    };
    // From here on the caller has proved possession of a secret of the key and is told the exact reason.
    let_in(&key, &secret, now)?;
    Ok((key, secret))
}

/// Refuses what is not let in at `now`, with the exact reason.
fn let_in(key: &Key, secret: &Secret, now: Timestamp) -> Result<(), Problem> {
    match key.status(now) {
        KeyStatus::Active => {}
        KeyStatus::Revoked => {
            return Err(Problem::new(Code::CredentialsRevoked, format!("{} is revoked, which is permanent", key.id)));
        }
        KeyStatus::Expired => {
            return Err(Problem::new(Code::CredentialsExpired, format!("{} has expired", key.id)));
        }
        KeyStatus::Disabled => {
            return Err(Problem::new(Code::CredentialsDisabled, format!("{} is disabled", key.id)));
        }
    }
    if key.secret_state(secret, now) == SecretState::Retired { Err(retired(key.id)) } else { Ok(()) }
}

fn retired(key: KeyId) -> Problem {
    Problem::new(Code::CredentialsRetired, format!("this secret of {key} was replaced; use the newer one"))
}

/// What the client calls itself, without what is no visible ASCII.
fn user_agent(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(header::USER_AGENT)?.to_str().ok()?;
    Some(text.chars().take(MAX_USER_AGENT_LENGTH).collect())
}

/// The token of a request.
fn token(headers: &HeaderMap) -> Result<PresentedToken<'_>, Problem> {
    let token = PresentedToken::parse(presented(headers)?).map_err(|error| {
        Problem::new(Code::CredentialsMalformed, format!("the credential is no admin token: {error}"))
    })?;
    if token.kind == TokenKind::Ingest {
        let detail = "this is an ingest token, which exports telemetry; the admin API takes admin tokens (gga_…)";
        return Err(Problem::new(Code::CredentialsIngest, detail));
    }
    Ok(token)
}

/// The headers that carry a credential.
const HEADERS: [&str; 3] = ["authorization", "x-api-key", "api-key"];

/// The one credential of a request; the same one several times is fine.
fn presented(headers: &HeaderMap) -> Result<&str, Problem> {
    let of_name = |name| headers.get_all(name).iter().map(move |value| (name == "authorization", value.as_bytes()));
    credential::single(HEADERS.into_iter().flat_map(of_name)).map_err(|error| match error {
        CredentialError::Missing => {
            let detail = "send an admin token: authorization: Bearer gga_…, or x-api-key: gga_…";
            Problem::new(Code::CredentialsMissing, detail)
        }
        CredentialError::Ambiguous => Problem::new(Code::CredentialsAmbiguous, format!("{error}; send one")),
        CredentialError::Characters | CredentialError::Scheme => {
            Problem::new(Code::CredentialsMalformed, error.to_string())
        }
    })
}
