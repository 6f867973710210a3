//! Append: into the open batch, and back once it is durable.

use tokio::runtime::Handle;

use super::Gate;
use super::admit::Admitted;
use super::authenticate;
use super::tally::Tally;
use crate::domain::{KeyId, Reason, Refusal, Signal};
use crate::storage::log::{AppendError, HandedIn};

/// An export that may be acknowledged: it is durable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stored {
    /// Spans, data points, log records or samples.
    pub items: u64,
    /// The number of bytes that were sent.
    pub wire_size: u64,
}

/// Stores an admitted export, unless its key was changed while its body was arriving. Should its client leave meanwhile, `tally`
/// counts what becomes of it all the same.
///
/// # Errors
/// The refusal: the key's new state, or that the export could not be made durable.
pub async fn append(gate: &Gate, admitted: Admitted<'_>, tally: &mut Tally) -> Result<Stored, Refusal> {
    let Admitted { authenticated, record, wire_size } = admitted;
    let refused = |error| Refusal::new(reason(error)).of_key(authenticated.cached.key.id);
    // A place first: behind the last look at the key there is nothing to wait for.
    let place = gate.log.reserve().await.map_err(refused)?;
    let authenticated = authenticate::confirm(gate, authenticated).await?;
    let key = authenticated.cached.key.id;
    let stored = Stored { items: record.meta.items, wire_size };
    if stored.items == 0 && record.meta.signal != Signal::Profiles {
        // An export of nothing is a success (OTLP specification, «OTLP/gRPC Request»), and there is nothing to keep of it. A
        // profile without samples is something: it says what was profiled, and when.
        return Ok(stored);
    }
    let appended = match place.hand_in(record) {
        Ok(handed_in) => Waiting { handed_in: Some(handed_in), stored, key, tally }.durable().await,
        Err(error) => Err(error),
    };
    appended.map(|()| stored).map_err(|error| Refusal::new(reason(error)).of_key(authenticated.cached.key.id))
}

/// An export that the log has, and whose client waits.
struct Waiting<'a> {
    /// `None` once it is known what became of it.
    handed_in: Option<HandedIn>,
    stored: Stored,
    key: KeyId,
    tally: &'a mut Tally,
}

impl Waiting<'_> {
    async fn durable(mut self) -> Result<(), AppendError> {
        let Some(handed_in) = &mut self.handed_in else { return Ok(()) };
        let durable = handed_in.durable().await;
        self.handed_in = None;
        durable
    }
}

impl Drop for Waiting<'_> {
    /// The client left. Its export is stored or refused like any other, which somebody has to wait for and count.
    fn drop(&mut self) {
        let Some(mut handed_in) = self.handed_in.take() else { return };
        let Ok(runtime) = Handle::try_current() else { return };
        let (tally, stored, key) = (self.tally.hand_over(), self.stored, self.key);
        runtime.spawn(async move {
            match handed_in.durable().await {
                Ok(()) => tally.accepted(&stored),
                Err(error) => tally.refused(&Refusal::new(reason(error)).of_key(key)),
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
