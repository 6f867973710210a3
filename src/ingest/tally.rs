//! Tally: the one outcome of each export, told to whoever counts.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, header};

use super::Gate;
use super::append::Stored;
use crate::domain::uses::MAX_USER_AGENT_LENGTH;
use crate::domain::{Clock, KeyId, Origin, Refusal, Signal, Timestamp, Transport};
use crate::metering::{Books, Decided, Identified, Measured, Outcome};
use crate::observe::metrics::Metrics;

/// An export on its way to its outcome. Dropped undecided, its client was gone before anything of it was stored.
pub struct Tally {
    /// `None` once it is decided, or somebody else decides it.
    open: Option<Box<Open>>,
}

struct Open {
    metrics: Arc<Metrics>,
    books: Arc<Books>,
    clock: Arc<dyn Clock>,
    at: Timestamp,
    transport: Transport,
    signal: Option<Signal>,
    address: IpAddr,
    agent: Box<[u8]>,
    claimed: Option<KeyId>,
    identified: Option<Identified>,
    measured: Option<Measured>,
    origin: Option<Origin>,
}

impl Tally {
    /// An export's headers have arrived at `at`: from here on it has one outcome, whatever happens.
    #[must_use]
    pub fn begin(
        gate: &Gate,
        at: Timestamp,
        transport: Transport,
        signal: Option<Signal>,
        address: IpAddr,
        headers: &HeaderMap,
    ) -> Self {
        gate.metrics.received(transport, signal);
        let agent = headers.get(header::USER_AGENT).map_or(&b""[..], |agent| agent.as_bytes());
        let open = Open {
            metrics: Arc::clone(&gate.metrics),
            books: Arc::clone(&gate.books),
            clock: Arc::clone(&gate.clock),
            at,
            transport,
            signal,
            address: address.to_canonical(),
            agent: agent[..agent.len().min(MAX_USER_AGENT_LENGTH)].into(),
            claimed: None,
            identified: None,
            measured: None,
            origin: None,
        };
        Self { open: Some(Box::new(open)) }
    }

    /// Its token names a key. Nothing is proved.
    pub fn claims(&mut self, key: KeyId) {
        if let Some(open) = &mut self.open {
            open.claimed = Some(key);
        }
    }

    /// Its sender has proved possession of a secret.
    pub fn identified(&mut self, identified: Identified) {
        if let Some(open) = &mut self.open {
            open.claimed = Some(identified.key);
            open.identified = Some(identified);
        }
    }

    /// Its payload is valid, and so large.
    pub fn measured(&mut self, measured: Measured, origin: Origin) {
        if let Some(open) = &mut self.open {
            (open.measured, open.origin) = (Some(measured), Some(origin));
        }
    }

    /// The export was accepted.
    pub fn accepted(mut self, stored: &Stored) {
        if let Some(open) = self.open.take() {
            open.metrics.accepted(open.transport, open.signal, stored.items, stored.wire_size, open.took());
            open.decide(Outcome::Accepted, stored.would_refuse);
        }
    }

    /// The export was refused.
    pub fn refused(mut self, refusal: &Refusal) {
        if let Some(open) = self.open.take() {
            open.metrics.refused(open.transport, open.signal, refusal.reason);
            open.decide(Outcome::Refused(refusal), false);
        }
    }

    /// The same tally, for somebody else to decide. The one that stays behind counts nothing.
    #[must_use]
    pub fn hand_over(&mut self) -> Self {
        Self { open: self.open.take() }
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        if let Some(open) = self.open.take() {
            open.metrics.gone(open.transport, open.signal);
            open.decide(Outcome::Gone, false);
        }
    }
}

impl Open {
    fn took(&self) -> Duration {
        self.clock.now().since(self.at)
    }

    fn decide(&self, outcome: Outcome<'_>, would_refuse: bool) {
        self.books.decided(&Decided {
            at: self.at,
            took: self.took(),
            transport: self.transport,
            signal: self.signal,
            address: self.address,
            agent: &self.agent,
            claimed: self.claimed,
            identified: self.identified.as_ref(),
            measured: self.measured,
            origin: self.origin.as_ref(),
            outcome,
            would_refuse,
        });
    }
}

impl fmt::Debug for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let identified = self.open.as_ref().and_then(|open| open.identified.as_ref());
        f.debug_struct("Tally").field("open", &self.open.is_some()).field("identified", &identified).finish()
    }
}
