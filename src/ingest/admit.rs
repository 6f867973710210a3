//! Admit: whether there is room for this export, first before its body is read, then once its size is known.

use http::HeaderMap;

use super::Gate;
use super::accept::header_bytes;
use super::authenticate::Authenticated;
use super::scan::Scanned;
use crate::domain::{Reason, RecordId, Refusal};
use crate::storage::record::{Record, RecordMeta};

/// An export that is let in: a record, and on whose authority.
#[derive(Debug)]
pub struct Admitted<'a> {
    /// Whose it is.
    pub authenticated: Authenticated<'a>,
    /// What is about to be stored.
    pub record: Record,
    /// The number of bytes that were sent.
    pub wire_size: u64,
}

/// Refuses what could not be stored anyway, so that a flood costs headers only.
///
/// # Errors
/// The refusal.
pub fn before_body(gate: &Gate, authenticated: &Authenticated<'_>) -> Result<(), Refusal> {
    let reason = if are_too_large(gate, authenticated.arrival.headers) {
        Reason::HeadersTooLarge
    } else if gate.stopping.is_cancelled() {
        Reason::ShuttingDown
    } else if gate.log.is_full_for(&authenticated.tenant, authenticated.arrival.signal) {
        Reason::BacklogFull
    } else {
        return Ok(());
    };
    Err(Refusal::new(reason).of_key(authenticated.cached.key.id))
}

/// Whether a request has more header fields than the limits allow.
pub(super) fn are_too_large(gate: &Gate, headers: &HeaderMap) -> bool {
    headers.len() > gate.limits.header_fields || header_bytes(headers) > gate.limits.header_bytes
}

/// Makes the record of a scanned export.
///
/// # Errors
/// Where there are no random bytes for its id; the client may try again.
pub fn admit<'a>(gate: &Gate, scanned: Scanned<'a>) -> Result<Admitted<'a>, Refusal> {
    let Scanned { authenticated, message } = scanned;
    let arrival = &authenticated.arrival;
    let id = RecordId::new(arrival.at, &*gate.random).map_err(|_| Refusal::new(Reason::Overloaded))?;
    let meta = RecordMeta {
        id,
        tenant: authenticated.tenant.clone(),
        key: authenticated.cached.key.id,
        secret_version: authenticated.secret_version,
        signal: arrival.signal,
        arrival: arrival.at,
        items: message.measured.items,
        encoding: message.encoding,
        decompressed_size: message.measured.bytes,
    };
    let record = Record { meta, payload: message.payload, reservation: Some(message.reservation) };
    Ok(Admitted { authenticated, record, wire_size: message.measured.wire_bytes })
}
