//! Refusals: the one closed list of reasons for which an export is turned away, and what each looks like to a client.
//!
//! The pairs of codes follow the OTLP specification («Failures», «Failures 1»): clients retry 429, 502, 503 and 504, and
//! of gRPC UNAVAILABLE and the like; on everything else they drop the data. A reason is retryable here only where the
//! same export can succeed a few seconds later.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use super::clock::enough_seconds;
use super::{BudgetExceeded, KeyId, Over};

/// Status codes of gRPC (`google.rpc.Code`) that an export can get.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(i32)]
pub enum GrpcCode {
    /// The request can never succeed as it is.
    InvalidArgument = 3,
    /// The credentials are good, but not for this.
    PermissionDenied = 7,
    /// Something is used up; retryable only with `RetryInfo`.
    ResourceExhausted = 8,
    /// No such method or encoding.
    Unimplemented = 12,
    /// The client broke the protocol below OTLP.
    Internal = 13,
    /// Retryable.
    Unavailable = 14,
    /// The credentials are missing or not good.
    Unauthenticated = 16,
}

impl GrpcCode {
    /// The code's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidArgument => "INVALID_ARGUMENT",
            Self::PermissionDenied => "PERMISSION_DENIED",
            Self::ResourceExhausted => "RESOURCE_EXHAUSTED",
            Self::Unimplemented => "UNIMPLEMENTED",
            Self::Internal => "INTERNAL",
            Self::Unavailable => "UNAVAILABLE",
            Self::Unauthenticated => "UNAUTHENTICATED",
        }
    }
}

/// Declares [`Reason`] with its whole answer in one row: label, HTTP status, gRPC code, retry hint in seconds (0: the
/// client must not retry) and what to do about it.
macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident = $label:literal, $http:literal, $grpc:ident, $retry:literal, $advice:literal;)*) => {
        /// Why an export is turned away.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Reason {
            $($(#[$doc])* $variant,)*
        }

        impl Reason {
            /// Every reason, in the order of their discriminants.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The label in metrics, API and command line; in upper case it is the `reason` of `google.rpc.ErrorInfo`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $label,)* }
            }

            /// The HTTP status.
            #[must_use]
            pub const fn http_status(self) -> u16 {
                match self { $(Self::$variant => $http,)* }
            }

            /// The gRPC status code.
            #[must_use]
            pub const fn grpc_code(self) -> GrpcCode {
                match self { $(Self::$variant => GrpcCode::$grpc,)* }
            }

            /// After how many seconds the client should try again; `None`: never with this export. Hints stay within 1 to
            /// 5 s, because most SDKs drop an export whose hint exceeds their deadline of 10 s.
            #[must_use]
            pub const fn retry_after(self) -> Option<NonZeroU32> {
                match self { $(Self::$variant => NonZeroU32::new($retry),)* }
            }

            /// What the sender can do about it.
            #[must_use]
            pub const fn advice(self) -> &'static str {
                match self { $(Self::$variant => $advice,)* }
            }
        }
    };
}

reasons! {
    /// The path is none of OTLP's.
    PathUnknown = "path_unknown", 404, Unimplemented, 0,
        "paths end in /v1/traces, /v1/metrics, /v1/logs or /v1development/profiles; OTEL_EXPORTER_OTLP_TRACES_ENDPOINT and its like \
         are used as they are, and have to contain it";
    /// The port serves the other transport.
    WrongPort = "wrong_port", 404, Unimplemented, 0,
        "OTLP/gRPC usually goes to port 4317, OTLP/HTTP to 4318: change OTEL_EXPORTER_OTLP_ENDPOINT or OTEL_EXPORTER_OTLP_PROTOCOL";
    /// Only POST is allowed.
    MethodNotAllowed = "method_not_allowed", 405, Unimplemented, 0,
        "send exports with POST";
    /// No credential at all.
    CredentialsMissing = "credentials_missing", 401, Unauthenticated, 0,
        "set OTEL_EXPORTER_OTLP_HEADERS=api-key=<token>, or send authorization: Bearer <token>";
    /// Two different credentials.
    CredentialsAmbiguous = "credentials_ambiguous", 400, InvalidArgument, 0,
        "send one token; a second one probably comes from another header setting or a proxy";
    /// The credential does not have the form of a token.
    KeyMalformed = "key_malformed", 401, Unauthenticated, 0,
        "send an ingest token (ggi_) exactly as it was shown; where it is lost, regenerate the key's secret";
    /// No such key, or the wrong secret: which of both is not told.
    KeyInvalid = "key_invalid", 401, Unauthenticated, 0,
        "check that the token belongs to this installation; if its secret was regenerated, use the new one";
    /// The key is revoked.
    KeyRevoked = "key_revoked", 401, Unauthenticated, 0,
        "the key was revoked for ever; ask an admin of its project for a new one";
    /// The secret was replaced.
    SecretRetired = "secret_retired", 401, Unauthenticated, 0,
        "this secret was replaced; use the key's newer one";
    /// The key has expired.
    KeyExpired = "key_expired", 401, Unauthenticated, 0,
        "ask an admin of its project to extend the key or for a new one";
    /// The key is disabled.
    KeyDisabled = "key_disabled", 401, Unauthenticated, 0,
        "ask an admin of its project to enable the key";
    /// The listener serves another environment than the key's.
    EnvironmentMismatch = "environment_mismatch", 401, Unauthenticated, 0,
        "send to the endpoint of the key's environment, or use a key of this one";
    /// The project is suspended.
    ProjectSuspended = "project_suspended", 403, PermissionDenied, 0,
        "ask the installation's admin why the project is suspended";
    /// The address is not on the key's allow-list.
    IpNotAllowed = "ip_not_allowed", 403, PermissionDenied, 0,
        "send from an address on the key's allow-list, or have this one added";
    /// The key may not send this signal.
    PermissionDenied = "permission_denied", 403, PermissionDenied, 0,
        "use a key with the permission for this signal, or have it added to the key";
    /// A rate limit is in debt.
    RateLimited = "rate_limited", 429, ResourceExhausted, 1,
        "retry after the hint; if it goes on, send less or have the limit raised";
    /// A quota is used up.
    QuotaExhausted = "quota_exhausted", 403, PermissionDenied, 0,
        "wait for the next period or have the quota raised";
    /// The query of whoami is not as it must be.
    QueryInvalid = "query_invalid", 400, InvalidArgument, 0,
        "whoami takes no parameter but permission=<name>, once for each permission that the key has to have";
    /// The content type is none that OTLP knows.
    ContentTypeUnsupported = "content_type_unsupported", 415, Unimplemented, 0,
        "send application/x-protobuf or application/json over HTTP, application/grpc over gRPC";
    /// The compression is not supported.
    CompressionUnsupported = "compression_unsupported", 415, Unimplemented, 0,
        "set OTEL_EXPORTER_OTLP_COMPRESSION=gzip, or leave it unset";
    /// A compressed gRPC message without `grpc-encoding`.
    CompressionUndeclared = "compression_undeclared", 400, Internal, 0,
        "declare the compression in the grpc-encoding header";
    /// The compressed bytes are damaged.
    CompressionInvalid = "compression_invalid", 400, InvalidArgument, 0,
        "compress the body as its headers say, and let no proxy in between change it";
    /// The bytes are no OTLP request of this signal.
    BodyUndecodable = "body_undecodable", 400, InvalidArgument, 0,
        "check that the exporter sends this signal to this path in the declared content type";
    /// More bytes than allowed, on the wire or decompressed.
    BodyTooLarge = "body_too_large", 413, ResourceExhausted, 0,
        "send smaller batches (OTEL_BSP_ or OTEL_BLRP_MAX_EXPORT_BATCH_SIZE, or send_batch_max_size of the Collector)";
    /// More items or submessages than allowed.
    TooManyItems = "too_many_items", 413, ResourceExhausted, 0,
        "send smaller batches (OTEL_BSP_ or OTEL_BLRP_MAX_EXPORT_BATCH_SIZE, or send_batch_max_size of the Collector)";
    /// Header fields too large.
    HeadersTooLarge = "headers_too_large", 431, ResourceExhausted, 0,
        "send fewer and shorter headers";
    /// The body did not arrive in time.
    RequestTimeout = "request_timeout", 503, Unavailable, 1,
        "the body did not arrive in time; check the network between sender and gate";
    /// The memory budget for bodies is used up.
    Overloaded = "overloaded", 503, Unavailable, 2,
        "retry after the hint; the gate is at its memory budget";
    /// The gate is about to stop.
    ShuttingDown = "shutting_down", 503, Unavailable, 1,
        "retry; the gate is restarting or another node takes over";
    /// The catalog cannot be asked about a key that is not cached.
    CatalogUnavailable = "catalog_unavailable", 503, Unavailable, 5,
        "retry after the hint; the gate cannot look up keys at the moment";
    /// The export could not be made durable.
    LogUnavailable = "log_unavailable", 503, Unavailable, 2,
        "retry after the hint; the gate cannot store data at the moment";
    /// Too much is waiting for delivery.
    BacklogFull = "backlog_full", 503, Unavailable, 5,
        "retry after the hint; the gate's storage has too much waiting for delivery";
}

impl Reason {
    /// The position in [`Reason::ALL`], for tables indexed by reason.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Whether the answer is HTTP 401, which carries `WWW-Authenticate`.
    #[must_use]
    pub const fn is_unauthenticated(self) -> bool {
        self.http_status() == 401
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One refusal: the reason, and what may be told about it to the sender.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// Why.
    pub reason: Reason,
    /// The key, where possession of its secret was proved.
    pub key: Option<KeyId>,
    /// What was wrong, in words for the sender. Never part of a credential or of the body.
    pub detail: Option<String>,
    /// A better hint than its reason's: the seconds after which it can succeed.
    pub retry: Option<NonZeroU32>,
    /// The limit that was exceeded, where it was one.
    pub over: Option<Box<Over>>,
}

/// The longest hint: most SDKs drop an export whose hint exceeds their deadline of 10 s.
const MAX_RETRY: u64 = 5;

/// Longer details are cut, in bytes, so that a message stays within 1 KiB and always ends with what to do.
const MAX_DETAIL: usize = 512;

impl Refusal {
    /// A refusal for `reason`, without details.
    #[must_use]
    pub const fn new(reason: Reason) -> Self {
        Self { reason, key: None, detail: None, retry: None, over: None }
    }

    /// A refusal that says what was wrong, in 512 bytes at the most.
    #[must_use]
    pub fn because(reason: Reason, detail: impl fmt::Display) -> Self {
        let mut detail = detail.to_string();
        if detail.len() > MAX_DETAIL {
            detail.truncate(detail.floor_char_boundary(MAX_DETAIL));
        }
        Self { reason, key: None, detail: Some(detail), retry: None, over: None }
    }

    /// The same refusal of an export whose sender proved possession of `key`.
    #[must_use]
    pub const fn of_key(mut self, key: KeyId) -> Self {
        self.key = Some(key);
        self
    }

    /// The same refusal of an export that can succeed in `wait`. The hint is in whole seconds, from 1 to 5.
    #[must_use]
    pub fn retry_in(mut self, wait: Duration) -> Self {
        self.retry = u32::try_from(enough_seconds(wait).min(MAX_RETRY)).ok().and_then(NonZeroU32::new);
        self
    }

    /// After how many seconds the client should try again; `None`: never with this export.
    #[must_use]
    pub fn retry_after(&self) -> Option<NonZeroU32> {
        let hint = self.reason.retry_after()?;
        Some(self.retry.unwrap_or(hint))
    }

    /// The message for the sender: reason, key, what was wrong, what to do. At most 1024 bytes.
    #[must_use]
    pub fn message(&self) -> String {
        let mut message = self.reason.as_str().to_owned();
        if let Some(key) = self.key {
            message.push_str(&format!(" ({key})"));
        }
        message.push_str(": ");
        if let Some(detail) = &self.detail {
            message.push_str(detail);
            message.push_str("; ");
        }
        message.push_str(self.reason.advice());
        message
    }
}

/// What never fits is not to be sent again: the client would do so until it gives up.
impl From<BudgetExceeded> for Refusal {
    fn from(error: BudgetExceeded) -> Self {
        match error {
            BudgetExceeded::Now => Self::new(Reason::Overloaded),
            BudgetExceeded::Ever => Self::because(Reason::BodyTooLarge, error),
        }
    }
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Self::new(reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// OTLP specification, «Failures 1»: of HTTP only 429, 502, 503 and 504 are retried; «Failures»: of gRPC
    /// `RESOURCE_EXHAUSTED` only with `RetryInfo`, and UNAVAILABLE. A hint stands exactly where a client retries.
    /// Clause T44 of docs/otlp.md.
    #[test]
    fn hints_stand_exactly_where_clients_retry() {
        for &reason in Reason::ALL {
            let http = matches!(reason.http_status(), 429 | 502 | 503 | 504);
            let grpc = match reason.grpc_code() {
                GrpcCode::Unavailable => true,
                GrpcCode::ResourceExhausted => reason.retry_after().is_some(),
                _ => false,
            };
            assert_eq!((http, grpc), (reason.retry_after().is_some(), reason.retry_after().is_some()), "{reason}");
            assert!(reason.retry_after().is_none_or(|seconds| seconds.get() <= 5), "{reason}");
        }
    }

    #[test]
    fn labels_are_distinct_snake_case() {
        let mut labels: Vec<_> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
        assert!(labels.iter().all(|label| label.bytes().all(|b| b == b'_' || b.is_ascii_lowercase())));
        labels.sort_unstable();
        labels.dedup();
        assert_eq!(labels.len(), Reason::ALL.len());
        assert!(Reason::ALL.iter().enumerate().all(|(index, reason)| reason.index() == index));
    }

    /// Most SDKs drop an export whose hint exceeds their deadline of 10 s; 0 would be no pause at all.
    #[test]
    fn a_better_hint_is_rounded_up_and_stays_between_1_and_5_seconds() {
        let hint = |millis| {
            let refusal = Refusal::new(Reason::RateLimited).retry_in(Duration::from_millis(millis));
            refusal.retry_after().expect("a hint").get()
        };
        assert_eq!([0, 1, 1000, 1001, 5000, 5001, u64::MAX].map(hint), [1, 1, 1, 2, 5, 5, 5]);
        assert_eq!(Refusal::new(Reason::QuotaExhausted).retry_in(Duration::from_secs(2)).retry_after(), None);
        assert_eq!(Refusal::new(Reason::RateLimited).retry_after(), Reason::RateLimited.retry_after());
    }

    #[test]
    fn the_message_says_reason_key_detail_and_advice() {
        let key = KeyId::from_bare("7Hq2mZxK9wPa").expect("an id");
        assert_eq!(
            Refusal::new(Reason::KeyDisabled).of_key(key).message(),
            "key_disabled (key_7Hq2mZxK9wPa): ask an admin of its project to enable the key"
        );
        for &reason in Reason::ALL {
            let long = Refusal::because(reason, "ж".repeat(2000)).of_key(key).message();
            assert!(long.len() <= 1024 && long.ends_with(&format!("ж; {}", reason.advice())), "{long}");
        }
    }
}
