//! Metrics of TLS: why handshakes fail, and how old certificates are.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::domain::Timestamp;

/// Declares [`HandshakeFailure`]: label and message of each.
macro_rules! failures {
    ($($(#[$doc:meta])* $variant:ident = $label:literal, $message:literal;)*) => {
        /// Why a connection came to nothing before its first request.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
        pub enum HandshakeFailure {
            $($(#[$doc])* #[error($message)] $variant,)*
        }

        impl HandshakeFailure {
            /// Every failure, in the order of their discriminants.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The label in metrics.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $label,)* }
            }
        }
    };
}

failures! {
    /// The client began with HTTP on a port that speaks TLS.
    PlainText = "plain_text", "plain HTTP on a port that speaks TLS";
    /// The client began with TLS on a port that does not speak it.
    TlsOnPlainPort = "tls_on_plain_port", "TLS on a port that speaks plain HTTP";
    /// It took longer than `limits.header_time`.
    Timeout = "timeout", "the TLS handshake took too long (limits.header_time)";
    /// The client left.
    Left = "left", "the client left during the TLS handshake";
    /// No version, cipher suite or group in common.
    NothingInCommon = "nothing_in_common", "client and gate have no version or cipher of TLS in common";
    /// No protocol in common (ALPN).
    NoProtocol = "no_protocol", "the client offers no version of HTTP that this port speaks (ALPN)";
    /// The client sent no certificate where it needs one.
    ClientCertificateMissing = "client_certificate_missing", "the client sent no certificate (client_ca is set)";
    /// The client's certificate is not good.
    ClientCertificateInvalid = "client_certificate_invalid", "the client's certificate is not of client_ca, or no longer valid";
    /// The client did not like what it was shown, the certificate as a rule.
    RefusedByClient = "refused_by_client", "the client ended the TLS handshake: it probably does not trust the certificate";
    /// What was sent is no TLS.
    Malformed = "malformed", "the client's TLS messages break the protocol";
}

/// The metrics of TLS.
#[derive(Debug)]
pub struct TlsMetrics {
    failures: Vec<Counter>,
    reloads: Family<Vec<(&'static str, String)>, Counter>,
    expiry: Family<Vec<(&'static str, String)>, Gauge>,
}

impl TlsMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let failures = Family::<Vec<(&str, &str)>, Counter>::default();
        registry.register("tls_handshakes_failed", "Connections without a first request, by reason", failures.clone());
        let (reloads, expiry) = (Family::default(), Family::default());
        registry.register(
            "tls_reloads",
            "Changed certificate files, and whether they are used",
            Family::clone(&reloads),
        );
        registry.register(
            "tls_certificate_expiry_timestamp_seconds",
            "When the certificate in use expires, in seconds since 1970",
            Family::clone(&expiry),
        );
        let of = |failure: &HandshakeFailure| failures.get_or_create_owned(&vec![("reason", failure.as_str())]);
        Self { failures: HandshakeFailure::ALL.iter().map(of).collect(), reloads, expiry }
    }

    /// A connection came to nothing.
    pub fn failed(&self, failure: HandshakeFailure) {
        self.failures[failure as usize].inc();
    }

    /// The files of the listener with TLS from `option` have changed, and are used or not.
    pub fn reloaded(&self, option: &str, used: bool) {
        let result = if used { "used" } else { "refused" };
        self.reloads.get_or_create(&vec![("listener", option.to_owned()), ("result", result.to_owned())]).inc();
    }

    /// The certificate from `option` that is used from now on expires at this time.
    pub fn expires(&self, option: &str, at: Timestamp) {
        self.expiry.get_or_create(&vec![("listener", option.to_owned())]).set(at.micros().div_euclid(1_000_000));
    }
}
