//! Authenticate: from headers alone, before one byte of the body is read.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, header};

use super::Gate;
use super::accept::Arrival;
use super::key_cache::CachedKey;
use crate::domain::credential::{self, CredentialError};
use crate::domain::judge::Use;
use crate::domain::token::PresentedToken;
use crate::domain::{Reason, Refusal, Tenant, Timestamp, TokenKind};

/// An export whose sender has proved possession of a secret, and may send this signal here.
#[derive(Debug)]
pub struct Authenticated<'a> {
    /// The export as it arrived.
    pub arrival: Arrival<'a>,
    /// Whose it is: from the key alone.
    pub tenant: Arc<Tenant>,
    /// The key.
    pub cached: Arc<CachedKey>,
    /// The version of the secret that was presented.
    pub secret_version: u32,
}

/// Finds out whose export this is and whether its key is good for it.
///
/// # Errors
/// The refusal. Until possession of a secret is proved, an unknown id and a wrong secret are the same refusal.
pub async fn authenticate<'a>(gate: &Gate, arrival: Arrival<'a>) -> Result<Authenticated<'a>, Refusal> {
    let token = presented(arrival.headers, &gate.credential_headers)?;
    let token = PresentedToken::parse(token).map_err(|error| Refusal::because(Reason::KeyMalformed, error))?;
    if token.kind == TokenKind::Admin {
        return Err(Refusal::because(Reason::KeyMalformed, "it is an admin token (gga_), which never exports"));
    }
    let cached = gate.keys.get(&token.id).await.map_err(|_| Refusal::new(Reason::CatalogUnavailable))?;
    let proved = credential::prove(cached.as_ref().map(|cached| &cached.key), token.text, &gate.peppers);
    let Some(secret_version) = proved.map(|secret| secret.version) else { return Err(Reason::KeyInvalid.into()) };
    let Some((cached, tenant)) = cached.and_then(|cached| cached.tenant.clone().map(|tenant| (cached, tenant))) else {
        return Err(Reason::KeyInvalid.into());
    };
    let authenticated = Authenticated { arrival, tenant, cached, secret_version };
    judge(&authenticated, arrival.at)?;
    Ok(authenticated)
}

/// Judges once more, just before the export joins a batch: its body took time to arrive. Where the key was changed meanwhile, it
/// is looked up again and the export gets the new reason.
///
/// # Errors
/// The refusal.
pub async fn confirm<'a>(gate: &Gate, mut authenticated: Authenticated<'a>) -> Result<Authenticated<'a>, Refusal> {
    // A change can also overtake the look-up that an earlier one made necessary.
    while !gate.keys.is_current(&authenticated.cached) {
        let id = authenticated.cached.key.id;
        let found = gate.keys.get(&id).await.map_err(|_| Refusal::new(Reason::CatalogUnavailable).of_key(id))?;
        authenticated.cached = found.ok_or(Refusal::new(Reason::KeyInvalid))?;
    }
    judge(&authenticated, gate.clock.now())?;
    Ok(authenticated)
}

/// The credential that the headers carry.
fn presented<'a>(headers: &'a HeaderMap, accepted: &[HeaderName]) -> Result<&'a str, Refusal> {
    let of_name =
        |name| headers.get_all(name).iter().map(move |value| (name == header::AUTHORIZATION, value.as_bytes()));
    credential::single(accepted.iter().flat_map(of_name)).map_err(|error| match error {
        CredentialError::Missing => Reason::CredentialsMissing.into(),
        CredentialError::Ambiguous => Reason::CredentialsAmbiguous.into(),
        CredentialError::Characters | CredentialError::Scheme => Refusal::because(Reason::KeyMalformed, error),
    })
}

/// The checks after possession is proved.
fn judge(authenticated: &Authenticated<'_>, now: Timestamp) -> Result<(), Refusal> {
    let Authenticated { arrival, cached, secret_version, .. } = authenticated;
    let used = Use {
        key: &cached.key,
        secret_version: *secret_version,
        environment: arrival.entrance.environment.as_ref(),
        address: arrival.peer,
        at: now,
    };
    used.judge_export(arrival.signal)
}
