//! What is told of a body that is no acceptable export in JSON.

use crate::domain::{BudgetExceeded, Reason};

/// Why a body is no acceptable export in JSON. No variant tells more of the body than names of fields.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum JsonError {
    /// No bytes at all.
    #[error("the body is empty; an export of nothing is {{}}")]
    Empty,
    /// Not text.
    #[error("not JSON: not UTF-8 (at byte {offset})")]
    Utf8 {
        /// Where the first byte is that is not UTF-8.
        offset: usize,
    },
    /// Not JSON, or something else after it.
    #[error("not JSON: {path}: {detail}")]
    Syntax {
        /// The innermost known field, `$.resourceSpans[0].resource`.
        path: String,
        /// What is wrong, with line and column.
        detail: String,
    },
    /// JSON, but not an export of this signal.
    #[error("not OTLP of this signal: {path}: {detail}")]
    Invalid {
        /// The field, `$.resourceSpans[0].scopeSpans[0].spans[3].traceId`.
        path: String,
        /// What was expected, with line and column.
        detail: String,
    },
    /// Attribute values nested too deeply.
    #[error("an attribute's value is nested over {limit} deep")]
    TooDeep {
        /// The limit.
        limit: u32,
    },
    /// More bytes of protobuf than allowed.
    #[error("more than {limit} bytes as protobuf")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// Too many messages of any kind.
    #[error("more than {limit} submessages")]
    TooManySubmessages {
        /// The limit.
        limit: u64,
    },
    /// The memory budget has no room for the translation.
    #[error(transparent)]
    Budget(#[from] BudgetExceeded),
}

impl JsonError {
    /// The reason for which the export is refused.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match self {
            Self::Empty | Self::Utf8 { .. } | Self::Syntax { .. } | Self::Invalid { .. } | Self::TooDeep { .. } => {
                Reason::BodyUndecodable
            }
            Self::TooLarge { .. } | Self::Budget(BudgetExceeded::Ever) => Reason::BodyTooLarge,
            Self::Budget(BudgetExceeded::Now) => Reason::Overloaded,
            Self::TooManySubmessages { .. } => Reason::TooManyItems,
        }
    }
}
