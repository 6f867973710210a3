//! What a refused client is told: every byte of it that has a meaning.

use std::collections::BTreeMap;

use http::Version;
use prost::Message as _;
use serde_json::{Value, json};
use tonic_types::pb;

use super::client::{Answer, Form};

/// A refusal as the design's table has it, and what is particular to one export.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    label: &'static str,
    /// The key that is named.
    key: Option<String>,
    /// What is said to be wrong, from its beginning.
    detail: Option<String>,
    /// The hint, where it is not its reason's.
    retry: Option<u32>,
    /// The limit that was exceeded: scope, whose it is, its text.
    limit: Option<[String; 3]>,
    /// When the period of a quota ends.
    resets_at: Option<String>,
    /// What `RateLimit-Policy` and `RateLimit` say over HTTP.
    rate: Option<[String; 2]>,
}

pub(crate) fn told(label: &'static str) -> Told {
    Told { label, key: None, detail: None, retry: None, limit: None, resets_at: None, rate: None }
}

/// Label, HTTP status, gRPC code, retry hint in seconds (DESIGN, «Decisions» 7).
pub(super) const TABLE: &[(&str, u16, i32, Option<u32>)] = &[
    ("path_unknown", 404, 12, None),
    ("wrong_port", 404, 12, None),
    ("method_not_allowed", 405, 12, None),
    ("credentials_missing", 401, 16, None),
    ("credentials_ambiguous", 400, 3, None),
    ("key_malformed", 401, 16, None),
    ("key_invalid", 401, 16, None),
    ("key_revoked", 401, 16, None),
    ("secret_retired", 401, 16, None),
    ("key_expired", 401, 16, None),
    ("key_disabled", 401, 16, None),
    ("environment_mismatch", 401, 16, None),
    ("project_suspended", 403, 7, None),
    ("ip_not_allowed", 403, 7, None),
    ("permission_denied", 403, 7, None),
    ("rate_limited", 429, 8, Some(1)),
    ("quota_exhausted", 403, 7, None),
    ("query_invalid", 400, 3, None),
    ("content_type_unsupported", 415, 12, None),
    ("compression_unsupported", 415, 12, None),
    ("compression_undeclared", 400, 13, None),
    ("compression_invalid", 400, 3, None),
    ("body_undecodable", 400, 3, None),
    ("body_too_large", 413, 8, None),
    ("too_many_items", 413, 8, None),
    ("headers_too_large", 431, 8, None),
    ("request_timeout", 503, 14, Some(1)),
    ("overloaded", 503, 14, Some(2)),
    ("shutting_down", 503, 14, Some(1)),
    ("catalog_unavailable", 503, 14, Some(5)),
    ("log_unavailable", 503, 14, Some(2)),
    ("backlog_full", 503, 14, Some(5)),
];

impl Told {
    pub(crate) fn key(mut self, id: &str) -> Self {
        self.key = Some(id.to_owned());
        self
    }

    pub(crate) fn detail(mut self, detail: &str) -> Self {
        self.detail = Some(detail.to_owned());
        self
    }

    pub(crate) fn retry(mut self, seconds: u32) -> Self {
        self.retry = Some(seconds);
        self
    }

    /// The limit that was exceeded.
    pub(crate) fn over(mut self, scope: &str, id: &str, limit: &str) -> Self {
        self.limit = Some([scope, id, limit].map(str::to_owned));
        self.detail(&format!("the limit of {scope} {id} is {limit}"))
    }

    /// The end of the quota's period.
    pub(crate) fn resets_at(mut self, end: &str) -> Self {
        let detail = format!("{}; it is used up until {end}", self.detail.unwrap_or_default());
        (self.resets_at, self.detail) = (Some(end.to_owned()), Some(detail));
        self
    }

    /// The headers of a rate.
    pub(crate) fn rate(mut self, policy: &str, standing: &str) -> Self {
        self.rate = Some([policy, standing].map(str::to_owned));
        self
    }

    /// Whether `answer`, to a request in `form`, is this refusal and nothing else.
    pub(crate) fn check(&self, answer: &Answer, form: Form) {
        let &(_, http, code, retry) = TABLE.iter().find(|row| row.0 == self.label).expect("a row");
        let retry = self.retry.or(retry);
        let mut headers = BTreeMap::new();
        let mut header = |name: &str, value: &str| headers.insert(name.to_owned(), value.to_owned());
        let mut status = match form {
            Form::Grpc => self.status_of_grpc(answer, code),
            Form::Protobuf => pb::Status::decode(&*answer.data).expect("a google.rpc.Status"),
            Form::Json => {
                // The message is read by people, in whatever of the body is logged.
                assert!(answer.text().starts_with(&format!("{{\"code\":{code},\"message\":\"{}", self.label)));
                status_of_json(&serde_json::from_slice(&answer.data).expect("JSON"))
            }
        };
        status.details.sort_by(|left, right| left.type_url.cmp(&right.type_url));
        assert_eq!(status.code, code, "{self:?} {form:?}: {answer:?}");
        self.check_message(&status.message);
        let details: Vec<_> = self.details(retry, &status.message).into_iter().map(in_order).collect();
        status.details = status.details.into_iter().map(in_order).collect();
        assert_eq!(status.details, details, "{self:?} {form:?}: {}", status.message);

        header("content-type", form.content_type());
        if form == Form::Grpc {
            let raw = |name: &str| answer.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
            for name in ["grpc-status", "grpc-message", "grpc-status-details-bin"] {
                header(name, raw(name));
            }
            match self.label {
                "method_not_allowed" => header("allow", "POST"),
                "compression_unsupported" => header("grpc-accept-encoding", "identity,gzip,deflate,zstd"),
                _ => None,
            };
            if let Some(seconds) = retry {
                let info = base64_of(&retry_info(seconds).value);
                header("google.rpc.retryinfo-bin", &info);
            }
            let status = if matches!(http, 405) || self.label == "content_type_unsupported" { http } else { 200 };
            assert_eq!(answer.status, status, "{self:?}: {answer:?}");
            // Trailers-only: everything is in the first and last block of headers.
            assert_eq!((&*answer.data, &answer.trailers), (&b""[..], &None), "{self:?}");
        } else {
            let phrase = (answer.version < Version::HTTP_2).then(|| phrase_of(&status.message));
            assert_eq!((answer.status, &answer.phrase), (http, &phrase), "{self:?}: {answer:?}");
            match self.label {
                "credentials_missing" => header("www-authenticate", "Bearer realm=\"otlp\""),
                _ if http == 401 => header("www-authenticate", "Bearer realm=\"otlp\", error=\"invalid_token\""),
                "method_not_allowed" => header("allow", "POST"),
                "compression_unsupported" => header("accept-encoding", "identity,gzip,deflate,zstd"),
                _ => None,
            };
            if let Some(seconds) = retry {
                header("retry-after", &seconds.to_string());
            }
            if let Some([policy, standing]) = &self.rate {
                header("ratelimit-policy", policy);
                header("ratelimit", standing);
            }
        }
        assert_eq!(answer.headers(), headers.into_iter().collect::<Vec<_>>(), "{self:?} {form:?}");
    }

    fn check_message(&self, message: &str) {
        let key = self.key.as_ref().map_or_else(String::new, |key| format!(" ({key})"));
        let start = format!("{}{key}: {}", self.label, self.detail.as_deref().unwrap_or_default());
        assert!(message.starts_with(&start), "{message:?} does not begin with {start:?}");
        assert!(message.len() > start.len() && message.len() <= 1024, "{message:?} tells what to do");
    }

    fn details(&self, retry: Option<u32>, message: &str) -> Vec<prost_types::Any> {
        let limit = self.limit.iter().flat_map(|limit| ["scope", "id", "limit"].into_iter().zip(limit));
        let metadata = self.key.iter().map(|key| ("key", key)).chain(limit);
        let metadata = metadata.chain(self.resets_at.iter().map(|end| ("resets_at", end)));
        let metadata = metadata.map(|(name, value)| (name.to_owned(), value.clone())).collect();
        let reason = self.label.to_ascii_uppercase();
        let info = pb::ErrorInfo { reason, domain: "gridgate".to_owned(), metadata };
        let mut details = Vec::new();
        details.extend(retry.map(retry_info));
        details.push(any("ErrorInfo", &info));
        if matches!(self.label, "body_undecodable" | "compression_invalid") {
            let (_, rest) = message.split_once(": ").expect("a detail");
            let (description, _) = rest.rsplit_once("; ").unwrap_or((rest, ""));
            let violation = pb::bad_request::FieldViolation {
                field: "body".to_owned(),
                description: description.to_owned(),
                ..pb::bad_request::FieldViolation::default()
            };
            details.push(any("BadRequest", &pb::BadRequest { field_violations: vec![violation] }));
        }
        if let Some([scope, id, limit]) = &self.limit {
            details.push(quota_failure(&format!("{scope}:{id}"), limit));
        }
        details.sort_by(|left, right| left.type_url.cmp(&right.type_url));
        details
    }

    fn status_of_grpc(&self, answer: &Answer, code: i32) -> pb::Status {
        let raw = |name: &str| answer.headers.get(name).unwrap_or_else(|| panic!("{self:?}: {name}: {answer:?}"));
        let status = pb::Status::decode(&*from_base64(raw("grpc-status-details-bin").as_bytes())).expect("a Status");
        assert_eq!(raw("grpc-status"), &*code.to_string(), "{self:?}: {answer:?}");
        assert_eq!(percent_decoded(raw("grpc-message").as_bytes()), status.message);
        status
    }
}

fn any(name: &str, message: &impl prost::Message) -> prost_types::Any {
    prost_types::Any { type_url: format!("type.googleapis.com/google.rpc.{name}"), value: message.encode_to_vec() }
}

/// The same detail with the entries of a map in a certain order.
fn in_order(detail: prost_types::Any) -> prost_types::Any {
    if !detail.type_url.ends_with(".ErrorInfo") {
        return detail;
    }
    let pb::ErrorInfo { reason, domain, metadata } = pb::ErrorInfo::decode(&*detail.value).expect("an ErrorInfo");
    let metadata: BTreeMap<_, _> = metadata.into_iter().collect();
    prost_types::Any { value: format!("{reason} {domain} {metadata:?}").into_bytes(), ..detail }
}

fn retry_info(seconds: u32) -> prost_types::Any {
    let retry_delay = Some(prost_types::Duration { seconds: seconds.into(), nanos: 0 });
    any("RetryInfo", &pb::RetryInfo { retry_delay })
}

fn quota_failure(subject: &str, description: &str) -> prost_types::Any {
    let violation = pb::quota_failure::Violation {
        subject: subject.to_owned(),
        description: description.to_owned(),
        ..pb::quota_failure::Violation::default()
    };
    any("QuotaFailure", &pb::QuotaFailure { violations: vec![violation] })
}

/// The reason phrase that says `message`.
fn phrase_of(message: &str) -> String {
    let visible = |c: char| if c.is_ascii_graphic() || c == ' ' { c } else { '?' };
    let phrase: String = message.chars().map(visible).collect();
    if phrase.len() <= 256 { phrase } else { format!("{}...", &phrase[..253]) }
}

/// Reads a `Status` in ProtoJSON, in which nothing else may be.
fn status_of_json(json: &Value) -> pb::Status {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let detail = |detail: &Value| {
        let type_url = text(&detail["@type"]);
        match type_url.rsplit('.').next() {
            Some("ErrorInfo") => {
                let metadata = detail["metadata"].as_object().expect("an object");
                let metadata = metadata.iter().map(|(key, value)| (key.clone(), text(value))).collect();
                let info = pb::ErrorInfo { reason: text(&detail["reason"]), domain: text(&detail["domain"]), metadata };
                any("ErrorInfo", &info)
            }
            Some("RetryInfo") => {
                let delay = text(&detail["retryDelay"]);
                retry_info(delay.strip_suffix('s').expect("seconds").parse().expect("a number"))
            }
            Some("BadRequest") => {
                let of = |violation: &Value| pb::bad_request::FieldViolation {
                    field: text(&violation["field"]),
                    description: text(&violation["description"]),
                    ..pb::bad_request::FieldViolation::default()
                };
                let violations = detail["fieldViolations"].as_array().expect("a list");
                any("BadRequest", &pb::BadRequest { field_violations: violations.iter().map(of).collect() })
            }
            Some("QuotaFailure") => {
                let [violation] = detail["violations"].as_array().expect("a list").as_slice() else {
                    panic!("one quota at a time: {detail}");
                };
                quota_failure(&text(&violation["subject"]), &text(&violation["description"]))
            }
            _ => panic!("{type_url} is not expected"),
        }
    };
    let details: Vec<_> = json["details"].as_array().expect("a list").iter().map(detail).collect();
    let code = i32::try_from(json["code"].as_i64().expect("a number")).expect("a code");
    let message = text(&json["message"]);
    assert_eq!(json.as_object().map(serde_json::Map::len), Some(3), "{json}");
    assert_ne!(json["details"], json!([]));
    pb::Status { code, message, details }
}

fn base64_of(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD_NO_PAD.encode(bytes)
}

fn from_base64(text: &[u8]) -> Vec<u8> {
    use base64::Engine as _;
    let text = text.strip_suffix(b"==").or(text.strip_suffix(b"=")).unwrap_or(text);
    base64::engine::general_purpose::STANDARD_NO_PAD.decode(text).expect("base64")
}

/// gRPC over HTTP/2, «Percent-Encoded».
fn percent_decoded(text: &[u8]) -> String {
    let mut decoded = Vec::new();
    let mut rest = text;
    while let [first, after @ ..] = rest {
        rest = after;
        if *first == b'%' {
            let (digits, after) = rest.split_at(2);
            decoded.push(u8::from_str_radix(std::str::from_utf8(digits).expect("text"), 16).expect("a byte"));
            rest = after;
        } else {
            decoded.push(*first);
        }
    }
    String::from_utf8(decoded).expect("text")
}
