//! The data path, read from top to bottom.
//!
//! ```text
//! accept → authenticate → read → scan → admit → append → acknowledge
//! ```
//!
//! Each stage consumes what the one before it built, so that a handler which skips authentication does not compile. The two
//! transports differ in their first and last step only.

pub mod accept;
pub mod acknowledge;
pub mod admit;
pub mod append;
pub mod authenticate;
pub mod cors;
pub mod failures;
pub mod grpc;
pub mod http;
pub mod key_cache;
pub mod others;
pub mod read;
pub mod scan;
pub mod tally;
pub mod whoami;

use std::error::Error;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ::http::{HeaderName, request};
use bytes::Bytes;
use http_body::Body;
use tokio_util::sync::CancellationToken;

use crate::domain::secret::Peppers;
use crate::domain::uses::Uses;
use crate::domain::{Budget, Clock, Random, Reason, Refusal};
use crate::metering::Books;
use crate::observe::metrics::Metrics;
use crate::otlp::scan::ScanLimits;
use crate::storage::log::Log;
use accept::{Arrival, Entrance};
use append::Stored;
use cors::Cors;
use failures::Failures;
use key_cache::KeyCache;
use tally::Tally;

/// Everything that the path of an export needs. There is one of it, shared by all listeners.
pub struct Gate {
    /// Keys, as the catalog has them.
    pub keys: Arc<KeyCache>,
    /// The pepper ring of the tokens' digests.
    pub peppers: Arc<Peppers>,
    /// Who failed to authenticate.
    pub failures: Failures,
    /// When keys were last used, until that is written down.
    pub uses: Arc<Uses>,
    /// The headers that may carry a token, in order.
    pub credential_headers: Vec<HeaderName>,
    /// Which web pages may export; `None`: none.
    pub cors: Option<Cors>,
    /// Where accepted exports become durable.
    pub log: Log,
    /// What all bodies together may hold in memory.
    pub budget: Budget,
    /// What one export may be.
    pub limits: ExportLimits,
    /// The present instant.
    pub clock: Arc<dyn Clock>,
    /// Ids of records.
    pub random: Arc<dyn Random>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// What is remembered of each export.
    pub books: Arc<Books>,
    /// Cancelled once the process is about to stop.
    pub stopping: CancellationToken,
}

/// What one export may be.
#[derive(Clone, Copy, Debug)]
pub struct ExportLimits {
    /// Bytes of all header fields together.
    pub header_bytes: usize,
    /// The number of header fields.
    pub header_fields: usize,
    /// Bytes of a body on the wire.
    pub wire_bytes: usize,
    /// Bytes of a body once decompressed.
    pub body_bytes: usize,
    /// From the headers to the last byte of the body.
    pub body_time: Duration,
    /// Items, submessages and nesting.
    pub scan: ScanLimits,
}

/// How the path of an export ends without its being stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ended {
    /// It was turned away, and its client is told why.
    Refused(Refusal),
    /// Its client left while the body was still arriving.
    Gone,
}

impl<T: Into<Refusal>> From<T> for Ended {
    fn from(refusal: T) -> Self {
        Self::Refused(refusal.into())
    }
}

/// What both transports do between their own first and last step: one request, from its headers to its one outcome, which is
/// counted here.
async fn answer<B>(
    gate: &Gate,
    entrance: &Entrance,
    peer: IpAddr,
    parts: &request::Parts,
    body: B,
) -> Result<Stored, Refusal>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Error + 'static,
{
    let at = gate.clock.now();
    let signal = accept::signal(entrance, parts.uri.path());
    let named = signal.as_ref().ok().copied();
    let mut tally = Tally::begin(gate, at, entrance.transport, named, peer, &parts.headers);
    let result = match signal.and_then(|signal| accept::method(&parts.method).map(|()| signal)) {
        Ok(signal) => {
            let arrival = Arrival { signal, entrance, peer, at, headers: &parts.headers };
            export(gate, arrival, body, &mut tally).await
        }
        Err(refusal) => Err(refusal.into()),
    };
    match result {
        Ok(stored) => {
            tally.accepted(&stored);
            Ok(stored)
        }
        Err(Ended::Refused(refusal)) => {
            tracing::debug!(reason = refusal.reason.as_str(), key = ?refusal.key, "an export was refused");
            // Whose it may be, so that somebody can find it.
            if refusal.key.is_none()
                && let Some(key) = authenticate::claimed(gate, &parts.headers)
            {
                tally.claims(key);
            }
            tally.refused(&refusal);
            Err(refusal)
        }
        // Nobody reads this answer. The tally counts the export as gone.
        Err(Ended::Gone) => Err(Reason::RequestTimeout.into()),
    }
}

/// The path of one export, from its headers to the moment it may be acknowledged. `tally` learns on the way what there is to know of
/// it; of the one whose client leaves when the log has it, it counts what becomes of it.
///
/// # Errors
/// [`Ended`] where it is not stored.
pub async fn export<B>(gate: &Gate, arrival: Arrival<'_>, body: B, tally: &mut Tally) -> Result<Stored, Ended>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Error + 'static,
{
    let authenticated = authenticate::authenticate(gate, arrival, tally).await?;
    admit::before_body(gate, &authenticated)?;
    let received = read::read(gate, authenticated, body).await?;
    let mut scanned = scan::scan(gate, received).await?;
    tally.measured(scanned.message.measured, std::mem::take(&mut scanned.message.origin));
    let admitted = admit::admit(gate, scanned)?;
    Ok(append::append(gate, admitted, tally).await?)
}
