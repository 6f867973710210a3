//! Authenticate: from headers alone, before one byte of the body is read.

use std::net::IpAddr;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, header};

use super::Gate;
use super::accept::Arrival;
use super::key_cache::CachedKey;
use super::tally::Tally;
use crate::domain::credential::{self, CredentialError, Presented};
use crate::domain::judge::Use;
use crate::domain::token;
use crate::domain::uses::Used;
use crate::domain::{KeyId, Reason, Refusal, Tenant, Timestamp, TokenKind};
use crate::metering::Identified;

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
pub async fn authenticate<'a>(
    gate: &Gate,
    arrival: Arrival<'a>,
    tally: &mut Tally,
) -> Result<Authenticated<'a>, Refusal> {
    let claimed = |key| tally.claims(key);
    let Proved { cached, secret_version, presented } = prove(gate, arrival.headers, arrival.peer, claimed).await?;
    let Some(tenant) = cached.tenant.clone() else { return Err(Reason::KeyInvalid.into()) };
    let (key, rotating) = (cached.key.id, cached.key.rotation(arrival.at).is_some());
    tally.identified(Identified { key, secret_version, rotating, tenant: Arc::clone(&tenant) });
    let authenticated = Authenticated { arrival, tenant, cached, secret_version };
    let used = used(&authenticated, arrival.at);
    used.judge_export(arrival.signal)?;
    remember(gate, arrival.headers, &used, presented.text());
    Ok(authenticated)
}

/// A key, and the version of its secret that a request carries.
#[derive(Debug)]
pub(super) struct Proved<'h> {
    pub(super) cached: Arc<CachedKey>,
    pub(super) secret_version: u32,
    pub(super) presented: Presented<'h>,
}

/// The key whose secret `headers` carry. What it is good for is not judged yet. `claimed` is told which key the token names, before
/// anything is proved.
///
/// # Errors
/// The refusal.
pub(super) async fn prove<'h>(
    gate: &Gate,
    headers: &'h HeaderMap,
    peer: IpAddr,
    claimed: impl FnOnce(KeyId),
) -> Result<Proved<'h>, Refusal> {
    let proved = possession(gate, headers, peer, claimed).await;
    if let Err(refusal) = &proved {
        gate.failures.count(peer, refusal).await;
    }
    proved
}

async fn possession<'h>(
    gate: &Gate,
    headers: &'h HeaderMap,
    peer: IpAddr,
    claimed: impl FnOnce(KeyId),
) -> Result<Proved<'h>, Refusal> {
    let text = presented(headers, &gate.credential_headers)?;
    let presented = Presented::parse(text).map_err(|error| Refusal::because(Reason::KeyMalformed, error))?;
    let limited = gate.failures.check(peer).await;
    let found = match &presented {
        Presented::Token(token) if token.kind == TokenKind::Admin => {
            return Err(Refusal::because(Reason::KeyMalformed, "it is an admin token (gga_), which never exports"));
        }
        Presented::Token(token) => {
            claimed(token.id);
            if let Err(limited) = limited
                && !gate.keys.knows(&token.id).await
            {
                return Err(limited);
            }
            gate.keys.get(&token.id).await
        }
        Presented::Legacy(token) => {
            if let Err(limited) = limited
                && !gate.keys.knows_token(token, &gate.peppers).await
            {
                return Err(limited);
            }
            gate.keys.find(token, &gate.peppers).await
        }
    };
    let cached = found.map_err(|_| Refusal::new(Reason::CatalogUnavailable))?;
    let proved = credential::prove(cached.as_ref().map(|cached| &cached.key), presented.text(), &gate.peppers);
    let secret_version = proved.map(|secret| secret.version);
    match cached.zip(secret_version) {
        Some((cached, secret_version)) => Ok(Proved { cached, secret_version, presented }),
        None => Err(Reason::KeyInvalid.into()),
    }
}

/// The key that `headers` speak of, whatever else is wrong with them: nothing is looked up, nothing is proved.
pub(super) fn claimed(gate: &Gate, headers: &HeaderMap) -> Option<KeyId> {
    token::claimed(presented(headers, &gate.credential_headers).ok()?)
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
    used(&authenticated, gate.clock.now()).judge_export(authenticated.arrival.signal)?;
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

/// What is judged, after possession is proved.
fn used<'a>(authenticated: &'a Authenticated<'_>, at: Timestamp) -> Use<'a> {
    let Authenticated { arrival, cached, secret_version, .. } = authenticated;
    Use {
        key: &cached.key,
        terms: &cached.terms,
        secret_version: *secret_version,
        environment: arrival.entrance.environment.as_ref(),
        address: arrival.peer,
        at,
    }
}

/// What a good key is used for counts as its use, whatever becomes of it.
pub(super) fn remember(gate: &Gate, headers: &HeaderMap, used: &Use<'_>, text: &str) {
    let agent = headers.get(header::USER_AGENT).map_or(&b""[..], |agent| agent.as_bytes());
    let (key, version) = (used.key.id, used.secret_version);
    let used_by = Used { key, version, at: used.at, address: used.address.to_canonical(), agent };
    gate.uses.record(&used_by, || credential::renewal(used.secret()?, text, &gate.peppers));
}
