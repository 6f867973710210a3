//! Append: into the open batch, and back once it is durable.

use tokio::runtime::Handle;

use super::admit::Admitted;
use super::tally::Tally;
use super::{Gate, admit, authenticate};
use crate::domain::limit::Scope;
use crate::domain::{KeyId, Over, Reason, Refusal, Signal, Transport};
use crate::metering::limiter::{Charge, Standing};
use crate::storage::log::{AppendError, HandedIn};

/// An export that may be acknowledged: it is durable.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stored {
    /// Spans, data points, log records or samples.
    pub items: u64,
    /// The number of bytes that were sent.
    pub wire_size: u64,
    /// Whether a limit that is not enforced would have refused it.
    pub would_refuse: bool,
    /// The limit that its sender is to be warned of.
    pub warned: Option<Box<Over>>,
    /// Where it stands with the rate that is used the most, for transports that tell: HTTP.
    pub rate: Option<(Scope, Standing)>,
}

/// Stores an admitted export, unless its key was changed while its body was arriving, or a limit has nothing left by now. Should its
/// client leave meanwhile, `tally` counts what becomes of it all the same.
///
/// # Errors
/// The refusal: the key's new state, or that the export could not be made durable.
pub async fn append(gate: &Gate, admitted: Admitted<'_>, tally: &mut Tally) -> Result<Stored, Refusal> {
    let Admitted { authenticated, record, measured } = admitted;
    let refused = |error| Refusal::new(reason(error)).of_key(authenticated.cached.key.id);
    // A place first: behind the last look at the key there is nothing to wait for.
    let place = gate.log.reserve().await.map_err(refused)?;
    let authenticated = authenticate::confirm(gate, authenticated).await?;
    let mut charge = admit::charge(gate, &authenticated, measured)?;
    let key = authenticated.cached.key.id;
    let (would_refuse, warned) = (charge.would_refuse, charge.warned.take().map(Box::new));
    let rate = match authenticated.arrival.entrance.transport {
        Transport::Http => authenticated.cached.scopes.most_used(record.meta.signal, gate.clock.now()),
        Transport::Grpc => None,
    };
    let stored = Stored { items: measured.items, wire_size: measured.wire_bytes, would_refuse, warned, rate };
    if stored.items == 0 && record.meta.signal != Signal::Profiles {
        // An export of nothing is a success (OTLP specification, «OTLP/gRPC Request»), and there is nothing to keep of it. A
        // profile without samples is something: it says what was profiled, and when.
        charge.keep();
        return Ok(stored);
    }
    let appended = match place.hand_in(record) {
        Ok(handed_in) => {
            Waiting { under_way: Some(UnderWay { handed_in, stored, charge }), key, tally }.durable().await
        }
        Err(error) => Err(error),
    };
    appended.map_err(|error| Refusal::new(reason(error)).of_key(authenticated.cached.key.id))
}

/// An export that the log has, and whose client waits.
struct Waiting<'a> {
    /// `None` once somebody else waits for it.
    under_way: Option<UnderWay>,
    key: KeyId,
    tally: &'a mut Tally,
}

/// What is known of it once it is durable.
struct UnderWay {
    handed_in: HandedIn,
    stored: Stored,
    /// Dropped where the export is not stored, so that nothing stays charged.
    charge: Charge,
}

impl UnderWay {
    fn kept(self) -> Stored {
        self.charge.keep();
        self.stored
    }
}

impl Waiting<'_> {
    async fn durable(mut self) -> Result<Stored, AppendError> {
        let durable = match &mut self.under_way {
            Some(under_way) => under_way.handed_in.durable().await,
            None => Err(AppendError::Closed),
        };
        let ended = self.under_way.take().ok_or(AppendError::Closed)?;
        durable.map(|()| ended.kept())
    }
}

impl Drop for Waiting<'_> {
    /// The client left. Its export is stored or refused like any other, which somebody has to wait for and count.
    fn drop(&mut self) {
        let Some(mut under_way) = self.under_way.take() else { return };
        let Ok(runtime) = Handle::try_current() else { return };
        let (tally, key) = (self.tally.hand_over(), self.key);
        runtime.spawn(async move {
            match under_way.handed_in.durable().await {
                Ok(()) => tally.accepted(&under_way.kept()),
                Err(error) => {
                    drop(under_way);
                    tally.refused(&Refusal::new(reason(error)).of_key(key));
                }
            }
        });
    }
}

const fn reason(error: AppendError) -> Reason {
    match error {
        AppendError::Put => Reason::LogUnavailable,
        AppendError::BacklogFull => Reason::BacklogFull,
        AppendError::Closed => Reason::ShuttingDown,
    }
}
