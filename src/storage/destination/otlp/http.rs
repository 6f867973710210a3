//! OTLP/HTTP with protobuf, as a client.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, header};

use super::answer::{self, Answer, Status, Unread};
use super::connect::{Body, body};
use crate::domain::{Encoding, Timestamp};
use crate::storage::destination::Sent;

/// `Gridgate/<version>`.
pub(super) const USER_AGENT: HeaderValue = HeaderValue::from_static(concat!("Gridgate/", env!("CARGO_PKG_VERSION")));

const PROTOBUF: &str = "application/x-protobuf";

/// One export.
pub(super) fn request(uri: Uri, encoding: Encoding, payload: Bytes) -> Request<Body> {
    let mut request = Request::new(body(Bytes::new(), payload));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri;
    let headers = request.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROTOBUF));
    headers.insert(header::USER_AGENT, USER_AGENT);
    if encoding != Encoding::Identity {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding.as_str()));
    }
    request
}

/// What `answer` means for the record.
pub(super) fn sent(answer: Answer, now: Timestamp) -> Sent {
    if !answer.status.is_success() {
        return refused(&answer, now);
    }
    if content_type(&answer.headers) == "text/html" {
        return answer::mend("a web page answered", "check endpoint", "");
    }
    match answer.body {
        Ok(message) if content_type(&answer.headers) == PROTOBUF => answer::delivered(&message),
        // Not what the specification asks for, but a success.
        Ok(_) => Sent::Delivered { rejected: 0, message: String::new() },
        Err(Unread::TooLarge) => Sent::Never { why: answer::TOO_LARGE.to_owned() },
        Err(Unread::Broken(why)) => answer::later(None, why),
    }
}

/// What an answer means that is not a success of HTTP.
pub(super) fn refused(answer: &Answer, now: Timestamp) -> Sent {
    let status = answer.status;
    let what = status.to_string();
    let message = message(answer);
    match status {
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => {
            answer::later(answer::retry_after(&answer.headers, now), answer::said(&what, &message))
        }
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
            answer::mend(&what, "check the credentials in headers", &message)
        }
        StatusCode::PAYMENT_REQUIRED => answer::mend(&what, "check the account", &message),
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::MISDIRECTED_REQUEST => {
            answer::mend(&what, "check endpoint and protocol, and that it takes this signal", &message)
        }
        StatusCode::UNSUPPORTED_MEDIA_TYPE => answer::mend(&what, "check protocol and compression", &message),
        _ if status.is_redirection() => answer::mend(&what, "check endpoint: redirects are not followed", &message),
        _ => Sent::Never { why: answer::said(&what, &message) },
    }
}

/// What a refusal says in its body.
fn message(answer: &Answer) -> String {
    let Ok(body) = &answer.body else { return String::new() };
    let text = || String::from_utf8_lossy(body).into_owned();
    if answer.headers.contains_key(header::CONTENT_ENCODING) {
        return String::new();
    }
    match content_type(&answer.headers) {
        PROTOBUF => Status::read(body).map(|status| status.message).unwrap_or_default(),
        "application/json" => {
            let json = serde_json::from_slice::<serde_json::Value>(body).unwrap_or_default();
            json.get("message").and_then(|message| message.as_str()).map_or_else(text, str::to_owned)
        }
        "text/plain" => text(),
        _ => String::new(),
    }
}

/// The media type without its parameters.
pub(super) fn content_type(headers: &HeaderMap) -> &str {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim()
}
