//! What the console says of each thing that can be wrong: one row for every reason of the answer table, and for every warning.

use crate::console::parts::note::Severity;
use crate::domain::Reason;
use crate::domain::trouble::Cause;

/// A row of the table.
pub(super) struct Words {
    /// How grave it is.
    pub(super) severity: Severity,
    /// What happened, as a title.
    pub(super) title: &'static str,
    /// What it means, in a sentence or two.
    pub(super) meaning: &'static str,
    /// What came.
    pub(super) got: &'static str,
    /// What has to come in its place.
    pub(super) needs: &'static str,
    /// What to do.
    pub(super) fix: &'static str,
    /// Where that is done, the first best.
    pub(super) ways: &'static [Way],
}

/// Where something is mended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Way {
    /// The settings for the key's senders.
    Snippets,
    /// A new secret in the place of a lost one.
    Regenerate,
    /// The key's page.
    Key,
    /// The key is enabled.
    Enable,
    /// The key gets a later expiry.
    Renew,
    /// The key's role, addresses and limits.
    Settings,
    /// Another key.
    NewKey,
    /// Limits of tenants and projects.
    Limits,
    /// The project.
    Project,
    /// The check of a token.
    Check,
    /// The state of the gate.
    Jobs,
}

use Severity::{Danger, Info, Warning};

/// What is said of `cause`.
#[expect(clippy::too_many_lines, reason = "it is a table, whose rows belong together")]
pub(super) const fn of(cause: Cause) -> Words {
    use Reason as R;
    let reason = match cause {
        Cause::Refused(reason) => reason,
        Cause::EnvironmentDrift => {
            return Words {
                severity: Warning,
                title: "Accepted, but from another environment",
                meaning: "The resource names another environment than the key's. Nothing is lost: it is stored with the key's.",
                got: "deployment.environment.name of another environment",
                needs: "the key's environment, or a key of the other one",
                fix: "Send with a key of the environment that the resource names, or correct deployment.environment.name in OTEL_RESOURCE_ATTRIBUTES.",
                ways: &[Way::Key, Way::NewKey],
            };
        }
    };
    match reason {
        R::PathUnknown => Words {
            severity: Danger,
            title: "Sent to a path that is not OTLP's",
            meaning: "The endpoint is incomplete, or something stands in front of it.",
            got: "a path that ends in no signal",
            needs: "/v1/traces, /v1/metrics, /v1/logs or /v1development/profiles",
            fix: "Set OTEL_EXPORTER_OTLP_ENDPOINT, to which the SDK adds the path. OTEL_EXPORTER_OTLP_TRACES_ENDPOINT and its like are used as they are.",
            ways: &[Way::Snippets],
        },
        R::WrongPort => Words {
            severity: Danger,
            title: "gRPC and HTTP mixed up",
            meaning: "OTLP/HTTP was sent to the port of gRPC, or the other way round.",
            got: "the protocol of the other port",
            needs: "gRPC on its port (usually 4317), HTTP on its own (4318)",
            fix: "Change the port in OTEL_EXPORTER_OTLP_ENDPOINT, or set OTEL_EXPORTER_OTLP_PROTOCOL to grpc or http/protobuf.",
            ways: &[Way::Snippets],
        },
        R::MethodNotAllowed => Words {
            severity: Warning,
            title: "Not sent with POST",
            meaning: "A probe, a browser or a redirect on the way: exporters send POST.",
            got: "another method",
            needs: "POST",
            fix: "Send straight to the gate, without a redirect. Let probes ask /healthz.",
            ways: &[],
        },
        R::CredentialsMissing => Words {
            severity: Danger,
            title: "No token sent",
            meaning: "The exporter has no key. Its address and client are all that is known of it.",
            got: "no api-key and no authorization header",
            needs: "api-key: ggi_…",
            fix: "Set OTEL_EXPORTER_OTLP_HEADERS=api-key=<token> where the exporter runs, and restart it.",
            ways: &[Way::NewKey],
        },
        R::CredentialsAmbiguous => Words {
            severity: Danger,
            title: "Two different tokens sent",
            meaning: "Which of them counts cannot be told. A proxy or a second setting adds one.",
            got: "two tokens that differ",
            needs: "one token",
            fix: "Look for a second header: OTEL_EXPORTER_OTLP_HEADERS, one of a single signal, the Collector's headers, or a proxy. Remove one.",
            ways: &[Way::Snippets],
        },
        R::KeyMalformed => Words {
            severity: Danger,
            title: "Token damaged, or no token",
            meaning: "What came in place of a token cannot be one, whichever keys there are.",
            got: "something that is no ingest token",
            needs: "ggi_… exactly as it was shown",
            fix: "Copy the token again, without quotes and line ends. Where nobody kept it, regenerate the key's secret.",
            ways: &[Way::Snippets, Way::Regenerate, Way::Check],
        },
        R::KeyInvalid => Words {
            severity: Danger,
            title: "Unknown key, or a wrong secret",
            meaning: "The token has the right form, and is none of this installation, or its secret was replaced long ago.",
            got: "a token that is not good here",
            needs: "the newest token of a key of this installation",
            fix: "Check that the token is from this installation. If its secret was regenerated, use the new one.",
            ways: &[Way::Check, Way::Snippets, Way::Regenerate],
        },
        R::KeyRevoked => Words {
            severity: Danger,
            title: "Revoked key still in use",
            meaning: "The key was revoked for ever, and somebody still sends with it.",
            got: "a token of a revoked key",
            needs: "a token of another key",
            fix: "Create a key for this sender and give it the new token, or stop the sender.",
            ways: &[Way::NewKey, Way::Key],
        },
        R::SecretRetired => Words {
            severity: Danger,
            title: "Secret was retired by a rotation",
            meaning: "The key goes on with a newer secret. This sender was not restarted with it.",
            got: "a retired secret",
            needs: "the key's current secret",
            fix: "Give these senders the token that the rotation showed, and restart them. Where nobody kept it, rotate again.",
            ways: &[Way::Key, Way::Snippets],
        },
        R::KeyExpired => Words {
            severity: Danger,
            title: "Expired key still in use",
            meaning: "The key was good until an instant that is over.",
            got: "a token of an expired key",
            needs: "a later expiry, or a token of another key",
            fix: "Renew the key: its senders go on by themselves. Or give them another one.",
            ways: &[Way::Renew, Way::Key],
        },
        R::KeyDisabled => Words {
            severity: Danger,
            title: "Inactive key still in use",
            meaning: "Somebody disabled the key. Exports are refused until it is enabled again.",
            got: "a token of an inactive key",
            needs: "an active key",
            fix: "Enable the key if it was meant for a while only. Its audit log says who disabled it.",
            ways: &[Way::Enable, Way::Key],
        },
        R::EnvironmentMismatch => Words {
            severity: Warning,
            title: "Key on the endpoint of another environment",
            meaning: "The endpoint takes keys of one environment, and this one is of another.",
            got: "a key of another environment than the endpoint's",
            needs: "the endpoint of the key's environment, or a key of this one",
            fix: "Correct OTEL_EXPORTER_OTLP_ENDPOINT, or give the sender a key of the environment that it runs in.",
            ways: &[Way::Snippets, Way::Key, Way::NewKey],
        },
        R::ProjectSuspended => Words {
            severity: Danger,
            title: "Project is suspended",
            meaning: "Nothing is taken for the project: it was suspended, or its plan has ended.",
            got: "a key of a suspended project",
            needs: "a project that goes on",
            fix: "Resume the project, or give it a plan that has not ended.",
            ways: &[Way::Project],
        },
        R::IpNotAllowed => Words {
            severity: Warning,
            title: "Sent from an address that is not allowed",
            meaning: "The key may be used from certain addresses only. If nobody knows this one, the token may have leaked.",
            got: "an address that is not on the key's list",
            needs: "an address on the list",
            fix: "Add the address to the key, or send from one that is on its list. A token that has leaked has to be rotated.",
            ways: &[Way::Settings, Way::Key],
        },
        R::PermissionDenied => Words {
            severity: Warning,
            title: "Key may not send this signal",
            meaning: "The key's role or permissions leave this signal out.",
            got: "a signal that the key may not send",
            needs: "telemetry.<signal>.write",
            fix: "Give the key a role with this signal, or switch the exporter of the signal off.",
            ways: &[Way::Settings, Way::Key],
        },
        R::RateLimited => Words {
            severity: Info,
            title: "Rate limit reached",
            meaning: "More came in a short time than is allowed.",
            got: "more than the limit",
            needs: "less at once, or a higher limit",
            fix: "If it goes on: send larger batches less often, sample, or raise the limit.",
            ways: &[Way::Limits, Way::Settings],
        },
        R::QuotaExhausted => Words {
            severity: Warning,
            title: "Quota used up",
            meaning: "The quota of the day or month is used up. Everything until its end is refused.",
            got: "more than the quota",
            needs: "the next period, or a larger quota",
            fix: "Raise the quota, or send less: sampling, fewer labels, no debug logs.",
            ways: &[Way::Limits, Way::Settings],
        },
        R::QueryInvalid => Words {
            severity: Info,
            title: "Question about a key not understood",
            meaning: "Somebody asked whoami with a parameter that it does not have. No telemetry is concerned.",
            got: "another parameter",
            needs: "permission=<name>",
            fix: "Take nothing but permission, once for each one that is asked about.",
            ways: &[],
        },
        R::ContentTypeUnsupported => Words {
            severity: Danger,
            title: "Content type that OTLP does not have",
            meaning: "A proxy rewrites requests, or the sender is no OTLP exporter.",
            got: "another content type",
            needs: "application/x-protobuf or application/json, application/grpc over gRPC",
            fix: "Let the exporter speak OTLP, and let no proxy change its headers.",
            ways: &[Way::Snippets],
        },
        R::CompressionUnsupported => Words {
            severity: Danger,
            title: "Compression that is not supported",
            meaning: "The body is compressed in a way that cannot be read here.",
            got: "another compression",
            needs: "gzip, zstd, deflate or none",
            fix: "Set OTEL_EXPORTER_OTLP_COMPRESSION=gzip, or leave it unset.",
            ways: &[Way::Snippets],
        },
        R::CompressionUndeclared => Words {
            severity: Danger,
            title: "Compressed without saying so",
            meaning: "A gRPC message is marked as compressed, and no header says how.",
            got: "a compressed message without grpc-encoding",
            needs: "grpc-encoding: gzip",
            fix: "Let no proxy remove grpc-encoding, or switch compression off at the sender.",
            ways: &[],
        },
        R::CompressionInvalid => Words {
            severity: Danger,
            title: "Compressed body is damaged",
            meaning: "The body cannot be decompressed as its headers say.",
            got: "bytes that are not compressed as declared",
            needs: "a body as its content-encoding says",
            fix: "Look for a proxy that decompresses bodies and leaves the header, or compresses twice.",
            ways: &[],
        },
        R::BodyUndecodable => Words {
            severity: Danger,
            title: "Body is no export of this signal",
            meaning: "Such as JSON that is declared as protobuf, or metrics at the path of traces.",
            got: "bytes that are no such export",
            needs: "the signal that the path names, in the content type that is declared",
            fix: "Compare path and content type of each exporter: OTEL_EXPORTER_OTLP_TRACES_ENDPOINT and its like are used as they are.",
            ways: &[Way::Snippets],
        },
        R::BodyTooLarge => Words {
            severity: Danger,
            title: "Export too large",
            meaning: "It has more bytes than an export may have.",
            got: "too many bytes",
            needs: "smaller batches",
            fix: "Lower OTEL_BSP_MAX_EXPORT_BATCH_SIZE or OTEL_BLRP_MAX_EXPORT_BATCH_SIZE, or send_batch_max_size of the Collector.",
            ways: &[],
        },
        R::TooManyItems => Words {
            severity: Danger,
            title: "Too many items in one export",
            meaning: "It has more spans, points or records than an export may have.",
            got: "too many items",
            needs: "smaller batches",
            fix: "Lower OTEL_BSP_MAX_EXPORT_BATCH_SIZE or OTEL_BLRP_MAX_EXPORT_BATCH_SIZE, or send_batch_max_size of the Collector.",
            ways: &[],
        },
        R::HeadersTooLarge => Words {
            severity: Danger,
            title: "Headers too large",
            meaning: "The request has more or longer headers than it may have.",
            got: "too many bytes of headers",
            needs: "fewer and shorter headers",
            fix: "Look at OTEL_EXPORTER_OTLP_HEADERS, and at what proxies add, such as cookies and baggage.",
            ways: &[],
        },
        R::RequestTimeout => Words {
            severity: Warning,
            title: "Body did not arrive in time",
            meaning: "The export began and did not end: a slow network, or a sender that was stopped.",
            got: "a part of the body",
            needs: "the whole body in time",
            fix: "Check the network between sender and gate, and proxies that hold bodies back.",
            ways: &[],
        },
        R::Overloaded => Words {
            severity: Info,
            title: "Gate was at its memory budget",
            meaning: "Nothing is wrong with the sender. More came at once than there is memory for.",
            got: "an export at a bad moment",
            needs: "the same one, a few seconds later",
            fix: "If it goes on: raise the memory budget of the gate, or add a node.",
            ways: &[Way::Jobs],
        },
        R::ShuttingDown => Words {
            severity: Info,
            title: "Gate was restarting",
            meaning: "Nothing is wrong with the sender.",
            got: "an export while the gate stopped",
            needs: "the same one, a moment later",
            fix: "Nothing to do: clients send again.",
            ways: &[],
        },
        R::CatalogUnavailable => Words {
            severity: Warning,
            title: "Keys could not be looked up",
            meaning: "The gate's database did not answer for a key that was not in memory.",
            got: "a key that had to be looked up",
            needs: "a database that answers",
            fix: "Look at the database of the gate.",
            ways: &[Way::Jobs],
        },
        R::LogUnavailable => Words {
            severity: Danger,
            title: "Gate could not store data",
            meaning: "The export could not be made durable, so it was not acknowledged.",
            got: "an export that could not be written",
            needs: "a disk with room, in good order",
            fix: "Look at the disk of the gate.",
            ways: &[Way::Jobs],
        },
        R::BacklogFull => Words {
            severity: Danger,
            title: "Too much waits for delivery",
            meaning: "The gate's storage takes less than comes in.",
            got: "an export behind a full backlog",
            needs: "storage that keeps up",
            fix: "Look at the delivery job, and at the storage that it writes to.",
            ways: &[Way::Jobs],
        },
    }
}

/// What it means for the data: whether clients send it again.
pub(super) fn outcome(reason: Reason) -> String {
    match reason.retry_after() {
        Some(_) => format!("Clients send these again after a {}: nothing is lost while they do.", reason.http_status()),
        None => format!("Clients do not retry a {}: these exports are lost.", reason.http_status()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_row_has_words_of_its_own() {
        let all: Vec<_> = Cause::ALL.iter().map(|&cause| of(cause)).collect();
        let titles: BTreeSet<_> = all.iter().map(|words| words.title).collect();
        assert_eq!(titles.len(), Cause::ALL.len());
        for words in &all {
            for sentence in [words.meaning, words.fix] {
                assert!(sentence.ends_with('.') && !sentence.contains("please"), "{sentence}");
            }
            assert!(!words.got.is_empty() && !words.needs.is_empty() && words.got != words.needs, "{}", words.title);
            assert!(!words.title.ends_with('.'), "{}", words.title);
        }
    }

    #[test]
    fn what_happens_to_the_data_follows_from_the_status() {
        assert_eq!(outcome(Reason::KeyRevoked), "Clients do not retry a 401: these exports are lost.");
        assert!(outcome(Reason::RateLimited).starts_with("Clients send these again after a 429"));
    }
}
