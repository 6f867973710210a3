//! Authenticate: from headers alone, before one byte of the body is read.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, header};

use super::Gate;
use super::accept::Arrival;
use super::key_cache::CachedKey;
use crate::domain::token::PresentedToken;
use crate::domain::{
    Digest, Key, KeyStatus, Permission, Reason, Refusal, Secret, SecretState, Tenant, Timestamp, TokenKind,
};

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
        return Err(Refusal::because(
            Reason::KeyMalformed,
            "it is an admin token (gga_), which never exports; use an ingest token (ggi_)",
        ));
    }
    let cached = gate.keys.get(&token.id).await.map_err(|_| Refusal::new(Reason::CatalogUnavailable))?;
    let Some((cached, secret_version)) = prove(gate, cached, &token) else {
        return Err(Reason::KeyInvalid.into());
    };
    let Some(tenant) = cached.tenant.clone() else { return Err(Reason::KeyInvalid.into()) };
    let authenticated = Authenticated { arrival, tenant, cached, secret_version };
    judge(&authenticated, arrival.at)?;
    Ok(authenticated)
}

/// Judges once more, just before the export joins a batch: its body took time to arrive. Where the key was changed meanwhile, it
/// is looked up again and the export gets the new reason.
///
/// # Errors
/// The refusal.
pub async fn confirm<'a>(gate: &Gate, authenticated: Authenticated<'a>) -> Result<Authenticated<'a>, Refusal> {
    let authenticated = if gate.keys.is_current(&authenticated.cached) {
        authenticated
    } else {
        let id = authenticated.cached.key.id;
        let found = gate.keys.get(&id).await.map_err(|_| Refusal::new(Reason::CatalogUnavailable).of_key(id))?;
        let cached = found.ok_or(Refusal::new(Reason::KeyInvalid))?;
        Authenticated { cached, ..authenticated }
    };
    judge(&authenticated, gate.clock.now())?;
    Ok(authenticated)
}

/// The credential that the headers carry.
fn presented<'a>(headers: &'a HeaderMap, accepted: &[HeaderName]) -> Result<&'a str, Refusal> {
    let mut found: Option<&str> = None;
    for name in accepted {
        for value in headers.get_all(name) {
            let text = value.to_str().map_err(|_| {
                Refusal::because(
                    Reason::KeyMalformed,
                    format_args!("the {name} header has characters that no token has"),
                )
            })?;
            let token = if name == header::AUTHORIZATION { bearer(text)? } else { text.trim_ascii() };
            match found {
                Some(other) if other != token => return Err(Reason::CredentialsAmbiguous.into()),
                _ => found = Some(token),
            }
        }
    }
    found.ok_or(Refusal::new(Reason::CredentialsMissing))
}

/// The token of an `Authorization` header: `Bearer <token>` in any case, or the bare token.
fn bearer(value: &str) -> Result<&str, Refusal> {
    let value = value.trim_ascii();
    match value.split_once(' ') {
        None if value.eq_ignore_ascii_case("bearer") => Ok(""),
        None => Ok(value),
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim_ascii()),
        Some(_) => Err(Refusal::because(Reason::KeyMalformed, "the authorization scheme is not Bearer")),
    }
}

/// The key whose secret was presented, and the secret's version. The work is the same whether the key exists or not.
fn prove(gate: &Gate, cached: Option<Arc<CachedKey>>, token: &PresentedToken<'_>) -> Option<(Arc<CachedKey>, u32)> {
    let newest = gate.peppers.newest();
    let digest = newest.digest(token.text);
    let Some(cached) = cached else {
        let _ = digest.matches(&Digest::from_bytes([0; 32]));
        return None;
    };
    let matches = |secret: &&Secret| {
        if secret.pepper == newest.version() {
            digest.matches(&secret.digest)
        } else {
            gate.peppers.get(secret.pepper).is_some_and(|pepper| pepper.digest(token.text).matches(&secret.digest))
        }
    };
    let version = cached.key.secrets.iter().find(matches)?.version;
    Some((cached, version))
}

/// The checks after possession is proved, in the order of the answer table. The reason is then safe to tell.
fn judge(authenticated: &Authenticated<'_>, now: Timestamp) -> Result<(), Refusal> {
    let Authenticated { arrival, tenant, cached, secret_version } = authenticated;
    let key = &cached.key;
    let refuse = |reason| Err(Refusal::new(reason).of_key(key.id));
    match (key.status(now), is_retired(key, *secret_version, now)) {
        (KeyStatus::Revoked, _) => return refuse(Reason::KeyRevoked),
        (_, true) => return refuse(Reason::SecretRetired),
        (KeyStatus::Expired, false) => return refuse(Reason::KeyExpired),
        (KeyStatus::Disabled, false) => return refuse(Reason::KeyDisabled),
        (KeyStatus::Active, false) => {}
    }
    if let Some(environment) = &arrival.entrance.environment
        && *environment != tenant.environment
    {
        let detail = format!("this endpoint is for {environment}, the key for {}", tenant.environment);
        return Err(Refusal::because(Reason::EnvironmentMismatch, detail).of_key(key.id));
    }
    if !key.permissions.contains(Permission::write(arrival.signal)) {
        let detail = format!("the key lacks {}", Permission::write(arrival.signal));
        return Err(Refusal::because(Reason::PermissionDenied, detail).of_key(key.id));
    }
    Ok(())
}

fn is_retired(key: &Key, version: u32, now: Timestamp) -> bool {
    let secret = key.secrets.iter().find(|secret| secret.version == version);
    secret.is_none_or(|secret| secret.state(now) == SecretState::Retired)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    const ACCEPTED: [HeaderName; 3] =
        [header::AUTHORIZATION, HeaderName::from_static("api-key"), HeaderName::from_static("x-api-key")];

    fn of(pairs: &[(&'static str, &[u8])]) -> Result<String, Reason> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_bytes(value).expect("a header value"));
        }
        presented(&headers, &ACCEPTED).map(str::to_owned).map_err(|refusal| refusal.reason)
    }

    #[test]
    fn each_header_carries_a_token() {
        let token = || Ok("ggi_x".to_owned());
        assert_eq!(of(&[("authorization", b"Bearer ggi_x")]), token());
        assert_eq!(of(&[("authorization", b"bEARER  ggi_x ")]), token());
        assert_eq!(of(&[("authorization", b"ggi_x")]), token());
        assert_eq!(of(&[("api-key", b" ggi_x")]), token());
        assert_eq!(of(&[("x-api-key", b"ggi_x")]), token());
    }

    #[test]
    fn one_token_twice_is_fine_and_two_are_not() {
        assert_eq!(of(&[("authorization", b"Bearer a"), ("api-key", b"a")]), Ok("a".to_owned()));
        assert_eq!(of(&[("authorization", b"Bearer a"), ("api-key", b"b")]), Err(Reason::CredentialsAmbiguous));
        assert_eq!(of(&[("api-key", b"a"), ("api-key", b"b")]), Err(Reason::CredentialsAmbiguous));
    }

    #[test]
    fn what_is_no_token_is_told_apart() {
        assert_eq!(of(&[]), Err(Reason::CredentialsMissing));
        assert_eq!(of(&[("other", b"a")]), Err(Reason::CredentialsMissing));
        assert_eq!(of(&[("authorization", b"Basic YTpi")]), Err(Reason::KeyMalformed));
        assert_eq!(of(&[("authorization", b"Bearer")]), Ok(String::new()));
        assert_eq!(of(&[("api-key", b"\xff\xfe")]), Err(Reason::KeyMalformed));
    }
}
