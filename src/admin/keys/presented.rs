//! Tokens in bodies: whose they are, as far as the caller may know.

use std::net::{IpAddr, Ipv4Addr};

use crate::admin::AdminState;
use crate::admin::caller::Caller;
use crate::admin::problem::Problem;
use crate::domain::credential::{self, Presented};
use crate::domain::limit::Terms;
use crate::domain::token::{TokenError, claimed};
use crate::domain::{Binding, Key, TokenKind};

/// What a token is to a caller.
pub(in crate::admin) enum Found {
    /// It has not the form of one. The key that it speaks of, if there is one to be seen.
    Malformed(TokenError, Option<Box<Key>>),
    /// No key that the caller may see has it.
    Unknown,
    /// The key that it names is there, and has another secret.
    Wrong(Box<Key>),
    /// Possession of a secret is proved.
    Proved {
        /// The key.
        key: Box<Key>,
        /// The version of the secret.
        version: u32,
    },
}

/// Finds out whose token `text` is. A key that `caller` may not see is unknown; `None` sees all.
pub(in crate::admin) async fn look_up(
    state: &AdminState,
    caller: Option<&Caller>,
    text: &str,
) -> Result<Found, Problem> {
    let visible = |key: &Key| caller.is_none_or(|caller| caller.binding.covers(key.binding.project()));
    let catalog = &state.catalog;
    let (presented, id) = match Presented::parse(text) {
        Ok(Presented::Token(token)) => (Presented::Token(token), Some(token.id)),
        Ok(Presented::Legacy(token)) => {
            let id = catalog.key_of_digest(&credential::digests(token.text(), &state.peppers)).await?;
            (Presented::Legacy(token), id)
        }
        Err(error) => {
            let key = match claimed(text) {
                Some(id) => catalog.key(&id).await?.filter(visible),
                None => None,
            };
            return Ok(Found::Malformed(error, key.map(Box::new)));
        }
    };
    let key = match id {
        Some(id) => catalog.key(&id).await?.filter(visible),
        None => None,
    };
    let Some(key) = key else { return Ok(Found::Unknown) };
    Ok(match credential::prove(Some(&key), presented.text(), &state.peppers).map(|secret| secret.version) {
        Some(version) => Found::Proved { key: Box::new(key), version },
        None => Found::Wrong(Box::new(key)),
    })
}

/// What holds for the exports of a key beside the key itself; nothing of one that never exports.
pub(super) async fn terms(state: &AdminState, found: &Found) -> Result<Terms, Problem> {
    let Found::Proved { key, .. } = found else { return Ok(Terms::default()) };
    match &key.binding {
        Binding::Tenant(tenant) => Ok(state.catalog.terms(tenant, &key.limits).await?),
        Binding::Project(_) | Binding::Installation => Ok(Terms::default()),
    }
}

/// An address from which the key may be used, where nobody said which one to judge.
pub(super) fn good_address(key: &Key) -> IpAddr {
    let first = key.allowed.iter().next();
    let address = first.and_then(|range| range.split('/').next()?.parse().ok());
    address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
}

/// Whether the key is one for exports.
pub(super) fn is_ingest(key: &Key) -> bool {
    key.binding.kind() == TokenKind::Ingest
}
