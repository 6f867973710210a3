//! Admit: whether there is room for this export and its limits have something left, first before its body is read, then once its
//! size is known.

use http::HeaderMap;

use super::Gate;
use super::accept::header_bytes;
use super::authenticate::Authenticated;
use super::scan::Scanned;
use crate::domain::{Reason, RecordId, Refusal};
use crate::metering::Measured;
use crate::metering::limiter::Charge;
use crate::storage::record::{Record, RecordMeta};

/// An export that is let in: a record, and on whose authority.
#[derive(Debug)]
pub struct Admitted<'a> {
    /// Whose it is.
    pub authenticated: Authenticated<'a>,
    /// What is about to be stored.
    pub record: Record,
    /// How much it holds.
    pub measured: Measured,
}

/// Refuses what could not be stored or is over a limit already, so that a flood costs headers only.
///
/// # Errors
/// The refusal.
pub fn before_body(gate: &Gate, authenticated: &Authenticated<'_>) -> Result<(), Refusal> {
    let Authenticated { arrival, cached, .. } = authenticated;
    let reason = if are_too_large(gate, arrival.headers) {
        Reason::HeadersTooLarge
    } else if gate.stopping.is_cancelled() {
        Reason::ShuttingDown
    } else if gate.log.is_full_for(&authenticated.tenant, arrival.signal) {
        Reason::BacklogFull
    } else {
        let checked = cached.scopes.check(arrival.signal, arrival.at, gate.clock.now());
        return checked.map_err(|over| Refusal::from(over).of_key(cached.key.id));
    };
    Err(Refusal::new(reason).of_key(cached.key.id))
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
    let Authenticated { arrival, cached, .. } = &authenticated;
    let id = RecordId::new(arrival.at, &*gate.random).map_err(|_| Refusal::new(Reason::Overloaded))?;
    let meta = RecordMeta {
        id,
        tenant: authenticated.tenant.clone(),
        key: cached.key.id,
        secret_version: authenticated.secret_version,
        signal: arrival.signal,
        arrival: arrival.at,
        items: message.measured.items,
        encoding: message.encoding,
        decompressed_size: message.measured.bytes,
    };
    let record = Record { meta, payload: message.payload, reservation: Some(message.reservation) };
    Ok(Admitted { authenticated, record, measured: message.measured })
}

/// Charges an export to the limits that hold for its key by now. What is not kept is taken back.
///
/// # Errors
/// The limit that has nothing left.
pub(super) fn charge(gate: &Gate, authenticated: &Authenticated<'_>, measured: Measured) -> Result<Charge, Refusal> {
    let Authenticated { arrival, cached, .. } = authenticated;
    let charged = cached.scopes.charge(arrival.signal, measured, arrival.at, gate.clock.now());
    charged.map_err(|over| Refusal::from(over).of_key(cached.key.id))
}
