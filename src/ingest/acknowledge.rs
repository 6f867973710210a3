//! Acknowledge: `Result<Stored, Refusal>` as the OTLP answer of either transport.
//!
//! Sources: OTLP specification, «OTLP/gRPC Response» and «OTLP/HTTP Response»; gRPC over HTTP/2, «Responses»;
//! `google/rpc/status.proto` and `error_details.proto`; draft-ietf-httpapi-ratelimit-headers. A success leaves `partial_success` unset,
//! so its message is empty, but where its sender is to be warned of a limit («Partial Success»).

use std::collections::HashMap;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use http_body::{Body, Frame, SizeHint};
use hyper::ext::ReasonPhrase;
use prost::Message;
use serde_json::{Value, json};
use tonic::metadata::MetadataValue;
use tonic_types::pb;
use tonic_types::{ErrorDetails, StatusExt};

use super::accept::Format;
use super::append::Stored;
use crate::domain::clock::enough_seconds;
use crate::domain::limit::{Limit, Scope, Unit};
use crate::domain::{Encoding, Over, Reason, Refusal, Reopens};
use crate::metering::limiter::Standing;

/// The domain of our reasons in `google.rpc.ErrorInfo`.
const DOMAIN: &str = "gridgate";

/// A gRPC message of no bytes: uncompressed, length zero.
const EMPTY_GRPC_MESSAGE: &[u8] = &[0; 5];

/// The answer over HTTP, in the form that the client used.
#[must_use]
pub fn http(result: Result<&Stored, &Refusal>, format: Option<Format>) -> Response<Answer> {
    // Where the form is unknown, JSON can be read by whoever looks.
    let format = format.unwrap_or(Format::Json);
    match result {
        Ok(stored) => {
            let message = match (&stored.warned, format) {
                (None, Format::Protobuf) => Bytes::new(),
                (None, Format::Json) => Bytes::from_static(b"{}"),
                (Some(over), Format::Protobuf) => Warned::of(over).encode_to_vec().into(),
                (Some(over), Format::Json) => {
                    json!({ "partialSuccess": { "errorMessage": warning(over) } }).to_string().into()
                }
            };
            let mut response = Response::new(Answer::of(message));
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
            if let Some((scope, Standing { limit, left, resets: Reopens::In(full) })) = &stored.rate {
                tell_rate(headers, *scope, limit, *left, *full);
            }
            response
        }
        Err(refusal) => http_refusal(refusal, format),
    }
}

fn http_refusal(refusal: &Refusal, format: Format) -> Response<Answer> {
    let reason = refusal.reason;
    let body = match format {
        Format::Protobuf => status(refusal).encode_to_vec(),
        Format::Json => json_status(refusal).into_bytes(),
    };
    let mut response = Response::new(Answer::of(body.into()));
    *response.status_mut() = StatusCode::from_u16(reason.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
    if let Some(seconds) = refusal.retry_after() {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds.get()));
    }
    if let Some(Over { id, limit, reopens: Reopens::In(wait) }) = refusal.over.as_deref() {
        tell_rate(headers, id.scope(), limit, 0, *wait);
    }
    if reason.is_unauthenticated() {
        // RFC 6750 section 3.1: no error code where nothing was presented.
        let challenge = match reason {
            Reason::CredentialsMissing => "Bearer realm=\"otlp\"",
            _ => "Bearer realm=\"otlp\", error=\"invalid_token\"",
        };
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    }
    match reason {
        Reason::MethodNotAllowed => {
            headers.insert(header::ALLOW, HeaderValue::from_static("POST"));
        }
        Reason::CompressionUnsupported => {
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(Encoding::ACCEPTED));
        }
        _ => {}
    }
    // Some SDKs show their users nothing of a refusal but the reason phrase of HTTP/1.1.
    if let Ok(phrase) = ReasonPhrase::try_from(phrase(refusal)) {
        response.extensions_mut().insert(phrase);
    }
    response
}

/// The most bytes of a reason phrase. What a client reads as one line is often kept in a small buffer.
const MAX_PHRASE: usize = 256;

/// The message as a reason phrase (RFC 9112 section 4): one line of visible ASCII, cut where it is too long.
fn phrase(refusal: &Refusal) -> Vec<u8> {
    let message = refusal.message();
    let visible = message.chars().map(|c| if c == ' ' || c.is_ascii_graphic() { c as u8 } else { b'?' });
    let mut phrase: Vec<u8> = visible.collect();
    if phrase.len() > MAX_PHRASE {
        phrase.truncate(MAX_PHRASE - 3);
        phrase.extend_from_slice(b"...");
    }
    phrase
}

/// Where a client stands with a rate: `left` of its burst, and in `time` more of it. A burst and the time in which it comes back are
/// the policy's quota and window.
fn tell_rate(headers: &mut HeaderMap, scope: Scope, limit: &Limit, left: u64, time: Duration) {
    let mut name = format!("\"{scope}-{}", limit.unit);
    if let Some(signal) = limit.signal {
        name.push_str(&format!("-{signal}"));
    }
    name.push('"');
    let (burst, window) = (limit.burst, limit.burst.get().div_ceil(limit.amount.get()));
    // Requests are what is counted where nothing else is said.
    let unit = if limit.unit == Unit::Requests { String::new() } else { format!(";qu=\"{}\"", limit.unit) };
    let policy = format!("{name};q={burst};w={window}{unit}");
    let standing = format!("{name};r={left};t={}", enough_seconds(time));
    for (field, value) in [(RATELIMIT_POLICY, policy), (RATELIMIT, standing)] {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(field, value);
        }
    }
}

const RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// What a sender is warned of.
fn warning(over: &Over) -> String {
    match over.reopens {
        Reopens::In(wait) => {
            format!("accepted, but over a limit: {over}; it has something left in {} s", enough_seconds(wait))
        }
        Reopens::At(_) => format!("accepted, but over a limit: {over}"),
    }
}

/// The response to an export of any signal, as far as the four are the same: nothing is rejected, and there is something to say.
#[derive(Clone, PartialEq, Eq, Message)]
struct Warned {
    #[prost(message, optional, tag = "1")]
    partial_success: Option<PartialSuccess>,
}

#[derive(Clone, PartialEq, Eq, Message)]
struct PartialSuccess {
    #[prost(string, tag = "2")]
    error_message: String,
}

impl Warned {
    fn of(over: &Over) -> Self {
        Self { partial_success: Some(PartialSuccess { error_message: warning(over) }) }
    }
}

/// The answer over gRPC: a message with trailers, or trailers only.
#[must_use]
pub fn grpc(result: Result<&Stored, &Refusal>) -> Response<Answer> {
    match result {
        Ok(stored) => {
            let mut trailers = HeaderMap::with_capacity(1);
            trailers.insert(GRPC_STATUS, HeaderValue::from_static("0"));
            let message = match &stored.warned {
                None => Bytes::from_static(EMPTY_GRPC_MESSAGE),
                Some(over) => grpc_message(&Warned::of(over).encode_to_vec()),
            };
            let mut response = Response::new(Answer { data: Some(message), trailers: Some(trailers) });
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
            response
        }
        Err(refusal) => grpc_refusal(refusal),
    }
}

/// An uncompressed message with its prefix.
fn grpc_message(message: &[u8]) -> Bytes {
    // A warning is far below 4 GiB.
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    [&[0], &length.to_be_bytes()[..], message].concat().into()
}

pub(super) const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

fn grpc_refusal(refusal: &Refusal) -> Response<Answer> {
    let reason = refusal.reason;
    let code = tonic::Code::from_i32(reason.grpc_code() as i32);
    let mut status = tonic::Status::with_error_details(code, refusal.message(), details(refusal));
    if let Some(seconds) = refusal.retry_after() {
        // Python reads the hint from a trailer of its own instead of the status details.
        let retry = pb::RetryInfo { retry_delay: Some(prost_duration(seconds.get())) };
        let value = MetadataValue::from_bytes(&retry.encode_to_vec());
        status.metadata_mut().insert_bin("google.rpc.retryinfo-bin", value);
    }
    let mut response = status.into_http::<Answer>();
    let headers = response.headers_mut();
    match reason {
        // Not gRPC at all: the status of HTTP is all that such a client understands.
        Reason::ContentTypeUnsupported => *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Reason::MethodNotAllowed => {
            headers.insert(header::ALLOW, HeaderValue::from_static("POST"));
            *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
        }
        Reason::CompressionUnsupported => {
            let name = HeaderName::from_static("grpc-accept-encoding");
            headers.insert(name, HeaderValue::from_static(Encoding::ACCEPTED));
        }
        _ => {}
    }
    response
}

/// The details that clients and people act on.
fn details(refusal: &Refusal) -> ErrorDetails {
    let reason = refusal.reason;
    let mut metadata: HashMap<_, _> = refusal.key.map(|key| ("key".to_owned(), key.to_string())).into_iter().collect();
    if let Some(Over { id, limit, reopens }) = refusal.over.as_deref() {
        let about = [("scope", id.scope().to_string()), ("id", id.to_string()), ("limit", limit.to_string())];
        metadata.extend(about.map(|(name, value)| (name.to_owned(), value)));
        if let Reopens::At(end) = reopens {
            metadata.insert("resets_at".to_owned(), end.to_string());
        }
    }
    let mut details = ErrorDetails::with_error_info(reason.as_str().to_ascii_uppercase(), DOMAIN, metadata);
    if let Some(seconds) = refusal.retry_after() {
        details.set_retry_info(Some(Duration::from_secs(seconds.get().into())));
    }
    // What was wrong; where there is no more to say, what to do.
    let description = || refusal.detail.clone().unwrap_or_else(|| reason.advice().to_owned());
    if matches!(reason, Reason::BodyUndecodable | Reason::CompressionInvalid) {
        details.add_bad_request_violation("body", description());
    }
    if let Some(Over { id, limit, .. }) = refusal.over.as_deref() {
        details.add_quota_failure_violation(format!("{}:{id}", id.scope()), limit.to_string());
    }
    details
}

/// `google.rpc.Status`.
fn status(refusal: &Refusal) -> pb::Status {
    let code = tonic::Code::from_i32(refusal.reason.grpc_code() as i32);
    let status = tonic::Status::with_error_details(code, refusal.message(), details(refusal));
    pb::Status::decode(status.details()).unwrap_or_else(|_| pb::Status {
        code: refusal.reason.grpc_code() as i32,
        message: refusal.message(),
        details: Vec::new(),
    })
}

/// The same in ProtoJSON. The message comes before the details: some SDKs log the body as it is, and perhaps not all of it.
fn json_status(refusal: &Refusal) -> String {
    let all = details(refusal);
    let mut details = Vec::new();
    let mut detail = |name: &str, mut fields: Value| {
        fields["@type"] = format!("type.googleapis.com/google.rpc.{name}").into();
        details.push(fields);
    };
    if let Some(info) = all.error_info() {
        let fields = json!({ "reason": info.reason, "domain": info.domain, "metadata": info.metadata });
        detail("ErrorInfo", fields);
    }
    if let Some(delay) = all.retry_info().and_then(|retry| retry.retry_delay) {
        detail("RetryInfo", json!({ "retryDelay": format!("{}s", delay.as_secs()) }));
    }
    if let Some(request) = all.bad_request() {
        let violations = request.field_violations.iter();
        let violations = violations.map(|it| json!({ "field": it.field, "description": it.description }));
        detail("BadRequest", json!({ "fieldViolations": violations.collect::<Vec<_>>() }));
    }
    if let Some(quota) = all.quota_failure() {
        let violations = quota.violations.iter();
        let violations = violations.map(|it| json!({ "subject": it.subject, "description": it.description }));
        detail("QuotaFailure", json!({ "violations": violations.collect::<Vec<_>>() }));
    }
    let (code, message) = (refusal.reason.grpc_code() as i32, Value::from(refusal.message()));
    format!("{{\"code\":{code},\"message\":{message},\"details\":{}}}", Value::from(details))
}

fn prost_duration(seconds: u32) -> prost_types::Duration {
    prost_types::Duration { seconds: seconds.into(), nanos: 0 }
}

/// The body of an answer: at most one piece of data, then at most one block of trailers.
#[derive(Debug, Default)]
pub struct Answer {
    data: Option<Bytes>,
    trailers: Option<HeaderMap>,
}

impl Answer {
    /// A body of `bytes`.
    #[must_use]
    pub fn of(bytes: Bytes) -> Self {
        Self { data: (!bytes.is_empty()).then_some(bytes), trailers: None }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let frame = self.data.take().map(Frame::data).or_else(|| self.trailers.take().map(Frame::trailers));
        Poll::Ready(frame.map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.data.is_none() && self.trailers.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.data.as_ref().map_or(0, |data| data.len() as u64))
    }
}
