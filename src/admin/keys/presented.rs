//! Tokens in bodies: whose they are, as far as the caller may know.

use std::net::{IpAddr, Ipv4Addr};

use crate::admin::AdminState;
use crate::admin::caller::Caller;
use crate::admin::problem::Problem;
use crate::domain::token::{PresentedToken, TokenError, claimed};
use crate::domain::{Key, TokenKind, credential};

/// What a token is to a caller.
pub(super) enum Presented {
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

/// Finds out whose token `text` is. A key that the caller may not see is unknown.
pub(super) async fn look_up(state: &AdminState, caller: &Caller, text: &str) -> Result<Presented, Problem> {
    let visible = |key: &Key| caller.binding.covers(key.binding.project());
    let token = match PresentedToken::parse(text) {
        Ok(token) => token,
        Err(error) => {
            let key = match claimed(text) {
                Some(id) => state.catalog.key(&id).await?.filter(visible),
                None => None,
            };
            return Ok(Presented::Malformed(error, key.map(Box::new)));
        }
    };
    let Some(key) = state.catalog.key(&token.id).await?.filter(visible) else { return Ok(Presented::Unknown) };
    Ok(match credential::prove(Some(&key), token.text, &state.peppers).map(|secret| secret.version) {
        Some(version) => Presented::Proved { key: Box::new(key), version },
        None => Presented::Wrong(Box::new(key)),
    })
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
