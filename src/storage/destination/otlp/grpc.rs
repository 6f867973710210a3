//! OTLP/gRPC, as a client: one unary call.
//!
//! Source: gRPC, «gRPC over HTTP2» and «Compression».

use std::time::Duration;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri, header};

use super::answer::{self, Answer, Status, Unread};
use super::connect::{Body, MAX_ANSWER, body};
use super::encode::Unsendable;
use super::http::{USER_AGENT, content_type, refused};
use crate::domain::{Encoding, Timestamp};
use crate::otlp::compression::with_inflated;
use crate::storage::destination::Sent;

/// The bytes in front of a message: whether it is compressed, and its length.
const PREFIX: usize = 5;

/// The names of the status codes, each at its number.
const CODES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// One call. The payload is not copied.
pub(super) fn request(
    uri: Uri,
    encoding: Encoding,
    payload: Bytes,
    timeout: Duration,
) -> Result<Request<Body>, Unsendable> {
    let is_compressed = encoding != Encoding::Identity;
    let mut prefix = BytesMut::with_capacity(PREFIX);
    prefix.put_u8(u8::from(is_compressed));
    prefix.put_u32(u32::try_from(payload.len()).map_err(|_| Unsendable::TooLong)?);
    let mut request = Request::new(body(prefix.freeze(), payload));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri;
    let headers = request.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(header::TE, HeaderValue::from_static("trailers"));
    headers.insert(header::USER_AGENT, USER_AGENT);
    if is_compressed {
        headers.insert(HeaderName::from_static("grpc-encoding"), HeaderValue::from_static(encoding.as_str()));
    }
    headers.insert(HeaderName::from_static("grpc-accept-encoding"), HeaderValue::from_static("identity,gzip,zstd"));
    // At most eight digits.
    let millis = u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX).clamp(1, 99_999_999);
    if let Ok(value) = HeaderValue::try_from(format!("{millis}m")) {
        headers.insert(HeaderName::from_static("grpc-timeout"), value);
    }
    Ok(request)
}

/// What `answer` means for the record.
pub(super) fn sent(answer: Answer, now: Timestamp) -> Sent {
    // Trailers only: they came as headers, and there is no message.
    if let Some(code) = status_code(&answer.headers) {
        return judged(code, &answer.headers, || Some(answer::delivered(&[])));
    }
    if !answer.status.is_success() {
        return refused(&answer, now);
    }
    if answer.status != StatusCode::OK || !content_type(&answer.headers).starts_with("application/grpc") {
        return answer::mend("the answer is not gRPC", "check endpoint and protocol", "");
    }
    let body = match answer.body {
        Ok(body) => body,
        Err(Unread::TooLarge) => return Sent::Never { why: answer::TOO_LARGE.to_owned() },
        Err(Unread::Broken(why)) => return answer::later(None, why),
    };
    match status_code(&answer.trailers) {
        Some(code) => judged(code, &answer.trailers, || message(&answer.headers, &body)),
        None => answer::later(None, "the answer ends without a grpc-status".to_owned()),
    }
}

/// What status `code` means, with what else `metadata` says, and of a success with what `message` says.
fn judged(code: usize, metadata: &HeaderMap, message: impl FnOnce() -> Option<Sent>) -> Sent {
    let what = CODES[code];
    if what == "OK" {
        let unreadable = || Sent::Delivered { rejected: 0, message: "the backend's answer cannot be read".to_owned() };
        return message().unwrap_or_else(unreadable);
    }
    let details = binary(metadata, "grpc-status-details-bin").and_then(|bytes| Status::read(&bytes).ok());
    let details = details.unwrap_or_default();
    let hint = || binary(metadata, "google.rpc.retryinfo-bin").and_then(|bytes| answer::retry_info(&bytes).ok());
    let retry = details.retry.or_else(hint);
    let message = Some(grpc_message(metadata)).filter(|message| !message.is_empty()).unwrap_or(details.message);
    match what {
        "CANCELLED" | "DEADLINE_EXCEEDED" | "ABORTED" | "OUT_OF_RANGE" | "UNAVAILABLE" | "DATA_LOSS" => {
            answer::later(retry, answer::said(what, &message))
        }
        "RESOURCE_EXHAUSTED" if retry.is_some() => answer::later(retry, answer::said(what, &message)),
        "UNAUTHENTICATED" | "PERMISSION_DENIED" => answer::mend(what, "check the credentials in headers", &message),
        "UNIMPLEMENTED" => {
            answer::mend(what, "check endpoint and compression, and that it takes this signal", &message)
        }
        _ => Sent::Never { why: answer::said(what, &message) },
    }
}

/// The status code, if there is one. One that does not exist is `UNKNOWN`.
fn status_code(metadata: &HeaderMap) -> Option<usize> {
    let value = metadata.get("grpc-status")?.to_str().ok().and_then(|value| value.parse().ok());
    Some(value.filter(|&code| code < CODES.len()).unwrap_or(2))
}

/// What the one message in `body` says. Some servers compress it as the request was, whatever is asked for.
fn message(headers: &HeaderMap, body: &[u8]) -> Option<Sent> {
    let (&[flag, ref length @ ..], message) = body.split_first_chunk::<PREFIX>()?;
    if u32::from_be_bytes(*length) as usize != message.len() {
        return None;
    }
    let encoding = match (flag, headers.get("grpc-encoding").map(HeaderValue::as_bytes)) {
        (0, _) => Encoding::Identity,
        // Nothing, compressed by an encoder that writes nothing for it.
        (1, Some(b"gzip" | b"zstd")) if message.is_empty() => Encoding::Identity,
        (1, Some(b"gzip")) => Encoding::Gzip,
        (1, Some(b"zstd")) => Encoding::Zstd,
        _ => return None,
    };
    with_inflated(encoding, message, MAX_ANSWER, |_| Ok(()), answer::delivered).ok()
}

/// The text of `grpc-message`, which is percent-encoded. What is not properly so is left as it is.
fn grpc_message(metadata: &HeaderMap) -> String {
    let mut rest = metadata.get("grpc-message").map(HeaderValue::as_bytes).unwrap_or_default();
    let mut text = Vec::with_capacity(rest.len());
    while let Some((&first, after)) = rest.split_first() {
        let escaped = (first == b'%').then(|| after.split_first_chunk::<2>()).flatten();
        let escaped = escaped.and_then(|(digits, after)| {
            let digits = str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'))?;
            Some((u8::from_str_radix(digits, 16).ok()?, after))
        });
        let (byte, after) = escaped.unwrap_or((first, after));
        text.push(byte);
        rest = after;
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// The bytes of a binary trailer: base64, with padding or without.
fn binary(metadata: &HeaderMap, name: &str) -> Option<Vec<u8>> {
    const CONFIG: GeneralPurposeConfig =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    GeneralPurpose::new(&STANDARD, CONFIG).decode(metadata.get(name)?.as_bytes()).ok()
}
