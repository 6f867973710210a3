//! The four signals of OTLP and their names on the wire.

use std::fmt;
use std::str::FromStr;

/// A kind of telemetry that OTLP carries.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Signal {
    /// Spans.
    Traces,
    /// Metric data points.
    Metrics,
    /// Log records.
    Logs,
    /// Profile samples.
    Profiles,
}

impl Signal {
    /// Every signal, in the order of their discriminants.
    pub const ALL: [Self; 4] = [Self::Traces, Self::Metrics, Self::Logs, Self::Profiles];

    /// The name in paths, metrics, permissions and the lake.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Traces => "traces",
            Self::Metrics => "metrics",
            Self::Logs => "logs",
            Self::Profiles => "profiles",
        }
    }

    /// The path of OTLP/HTTP (OTLP specification, «OTLP/HTTP Request»).
    #[must_use]
    pub const fn http_path(self) -> &'static str {
        match self {
            Self::Traces => "/v1/traces",
            Self::Metrics => "/v1/metrics",
            Self::Logs => "/v1/logs",
            Self::Profiles => "/v1development/profiles",
        }
    }

    /// The path of the unary method of OTLP/gRPC.
    #[must_use]
    pub const fn grpc_path(self) -> &'static str {
        match self {
            Self::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
            Self::Metrics => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
            Self::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
            Self::Profiles => "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export",
        }
    }

    /// What one item of this signal is called, in the plural.
    #[must_use]
    pub const fn items(self) -> &'static str {
        match self {
            Self::Traces => "spans",
            Self::Metrics => "data points",
            Self::Logs => "log records",
            Self::Profiles => "samples",
        }
    }

    /// The position in [`Signal::ALL`], for tables indexed by signal.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// The text is none of the four names.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a signal is one of traces, metrics, logs, profiles")]
pub struct SignalError;

impl FromStr for Signal {
    type Err = SignalError;

    fn from_str(text: &str) -> Result<Self, SignalError> {
        Self::ALL.into_iter().find(|signal| signal.as_str() == text).ok_or(SignalError)
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
