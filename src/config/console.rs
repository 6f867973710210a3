//! `[console]`: the web console.

use serde::Deserialize;

use super::{Prefix, Span};

/// `[console]`
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConsoleConfig {
    /// Whether there is one.
    pub enabled: bool,
    /// What stands before its paths at the proxy in front of it.
    pub prefix: Prefix,
    /// How long a session may be unused.
    pub session_idle: Span,
    /// How long a session lasts at the most.
    pub session_time: Span,
    /// The OTLP/gRPC endpoint that senders are told; empty: the listener's.
    pub grpc_endpoint: String,
    /// The OTLP/HTTP endpoint that senders are told; empty: the listener's.
    pub http_endpoint: String,
}

impl Default for ConsoleConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            prefix: Prefix::default(),
            session_idle: Span::seconds(30 * 60),
            session_time: Span::seconds(12 * 3600),
            grpc_endpoint: String::new(),
            http_endpoint: String::new(),
        }
    }
}
