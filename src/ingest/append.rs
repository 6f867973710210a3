//! Append: into the open batch, and back once it is durable.

use super::Gate;
use super::admit::Admitted;
use super::authenticate;
use crate::domain::{Reason, Refusal, Signal};
use crate::storage::log::AppendError;

/// An export that may be acknowledged: it is durable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stored {
    /// Spans, data points, log records or samples.
    pub items: u64,
    /// The number of bytes that were sent.
    pub wire_size: u64,
}

/// Stores an admitted export, unless its key was changed while its body was arriving.
///
/// # Errors
/// The refusal: the key's new state, or that the export could not be made durable.
pub async fn append(gate: &Gate, admitted: Admitted<'_>) -> Result<Stored, Refusal> {
    let Admitted { authenticated, record, wire_size } = admitted;
    let authenticated = authenticate::confirm(gate, authenticated).await?;
    let stored = Stored { items: record.meta.items, wire_size };
    if stored.items == 0 && record.meta.signal != Signal::Profiles {
        // An export of nothing is a success (OTLP specification, «OTLP/gRPC Request»), and there is nothing to keep of it. A
        // profile without samples is something: it says what was profiled, and when.
        return Ok(stored);
    }
    gate.log.append(record).await.map_err(|error| {
        let reason = match error {
            AppendError::Put => Reason::LogUnavailable,
            AppendError::BacklogFull => Reason::BacklogFull,
            AppendError::Closed => Reason::ShuttingDown,
        };
        Refusal::new(reason).of_key(authenticated.cached.key.id)
    })?;
    Ok(stored)
}
