//! Where a tenant's data ends up.

pub mod lake;
pub mod otlp;

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::record::RecordMeta;

/// Another OTLP server that records are sent on to.
#[async_trait]
pub trait Backend: Send + Sync + Debug + 'static {
    /// Sends one record, once. `payload` is as the log has it: compressed as [`RecordMeta::encoding`] says.
    async fn send(&self, meta: &RecordMeta, payload: &Bytes) -> Sent;
}

/// What became of a record that was sent on (OTLP specification, «OTLP/gRPC Response», «OTLP/HTTP Response»).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Sent {
    /// The backend has it, or has all of it that it wants.
    Delivered {
        /// Items that the backend has rejected (`partial_success`). They are not to be sent again.
        rejected: u64,
        /// What it said about them, or a warning. Empty where it said nothing.
        message: String,
    },
    /// Not now: it may be sent again.
    Later {
        /// How long the backend asks to be left alone.
        after: Option<Duration>,
        /// What went wrong.
        why: String,
    },
    /// Never: the backend refuses it for good.
    Never {
        /// What it said.
        why: String,
    },
}
