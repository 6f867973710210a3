//! What the answers of a backend mean for a record.
//!
//! | HTTP | gRPC | the record |
//! |---|---|---|
//! | 2xx | `OK` | delivered; what `partial_success` rejects is not sent again |
//! | 429, 502, 503, 504 | `CANCELLED`, `DEADLINE_EXCEEDED`, `ABORTED`, `OUT_OF_RANGE`, `UNAVAILABLE`, `DATA_LOSS` | later, not before the pause that the backend asks for (`Retry-After`, `RetryInfo`; 5 minutes at most) |
//! | – | `RESOURCE_EXHAUSTED` with `RetryInfo` | the same |
//! | no connection, no whole answer, no answer in time | the same, also an answer without `grpc-status` | later |
//! | 3xx, 401, 402, 403, 404, 405, 407, 415, 421; 2xx with a web page | `UNAUTHENTICATED`, `PERMISSION_DENIED`, `UNIMPLEMENTED`; an answer that is not gRPC | later, in half a minute: not the record is at fault but the configuration |
//! | every other status | every other code, also `RESOURCE_EXHAUSTED` without `RetryInfo` | never |
//! | over 4 MiB of answer to a success | over 4 MiB of answer | never |
//!
//! gRPC that is answered by a status of HTTP alone is judged by the column of HTTP.
//!
//! The fifth row departs from the letter of the specification, which counts all of it among what is not retried. It asks that
//! of clients that can do nothing but drop. The sender of this record has been told that it is stored, the log still has it,
//! and a token that ran out says nothing about it: it waits until somebody has mended the configuration.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};

use crate::domain::Timestamp;
use crate::otlp::wire::{Reader, Value, WireError};
use crate::storage::destination::Sent;

/// An answer, read to its end or to what may be read of it.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Result<Bytes, Unread>,
    pub(super) trailers: HeaderMap,
}

/// Why an answer has no body.
pub(super) enum Unread {
    /// It has more than 4 MiB.
    TooLarge,
    /// The connection ended in the middle of it.
    Broken(String),
}

/// There is no answer at all, and this is why.
pub(super) struct Unanswered(pub(super) String);

/// What the specification says of an answer that is too large: not to be sent again.
pub(super) const TOO_LARGE: &str = "the backend's answer has more than 4 MiB";

/// A backend that pauses for longer is asked again after this.
const MAX_PAUSE: Duration = Duration::from_mins(5);

/// How long a record waits for its configuration to be mended before it is tried again.
const MENDING: Duration = Duration::from_secs(30);

/// The most of a message that is kept, in bytes.
const MAX_MESSAGE: usize = 1024;

/// May be sent again, at the earliest after the pause that the backend asks for.
pub(super) fn later(pause: Option<Duration>, why: String) -> Sent {
    // No pause at all is no wish: whoever sends has a pause of his own.
    Sent::Later { after: pause.filter(|pause| !pause.is_zero()).map(|pause| pause.min(MAX_PAUSE)), why }
}

/// Waits until the configuration is mended; `advice` says what to look at.
pub(super) fn mend(what: &str, advice: &str, message: &str) -> Sent {
    Sent::Later { after: Some(MENDING), why: said(&format!("{what} ({advice})"), message) }
}

/// What happened, and what the backend says about it.
pub(super) fn said(what: &str, message: &str) -> String {
    if message.is_empty() { what.to_owned() } else { format!("{what}: {message}") }
}

/// A success, and what the `Export*ServiceResponse` in `message` has to say about it. The four have the same numbers.
pub(super) fn delivered(message: &[u8]) -> Sent {
    match partial_success(message) {
        Ok((rejected, message)) => Sent::Delivered { rejected, message },
        // The data is accepted all the same.
        Err(unreadable) => {
            Sent::Delivered { rejected: 0, message: format!("the backend's answer cannot be read: {unreadable}") }
        }
    }
}

fn partial_success(message: &[u8]) -> Result<(u64, String), WireError> {
    let (mut rejected, mut text) = (0, String::new());
    let mut response = Reader::new(message);
    while let Some(field) = response.field()? {
        let (1, Value::Bytes(partial)) = field else { continue };
        let mut partial = Reader::new(partial);
        while let Some(field) = partial.field()? {
            match field {
                // Below zero makes no sense.
                (1, Value::Varint(count)) => rejected = u64::try_from(count.cast_signed()).unwrap_or(0),
                (2, Value::Bytes(bytes)) => text = String::from_utf8_lossy(bytes).into_owned(),
                _ => {}
            }
        }
    }
    Ok((rejected, text))
}

/// What a `google.rpc.Status` says.
#[derive(Default)]
pub(super) struct Status {
    pub(super) message: String,
    /// Of a `RetryInfo` among its details.
    pub(super) retry: Option<Duration>,
}

impl Status {
    pub(super) fn read(bytes: &[u8]) -> Result<Self, WireError> {
        let mut status = Self::default();
        let mut reader = Reader::new(bytes);
        while let Some(field) = reader.field()? {
            match field {
                (2, Value::Bytes(message)) => status.message = String::from_utf8_lossy(message).into_owned(),
                (3, Value::Bytes(any)) => status.retry = retry_in_any(any)?.or(status.retry),
                _ => {}
            }
        }
        Ok(status)
    }
}

/// The delay of a `google.protobuf.Any` that is a `google.rpc.RetryInfo`.
fn retry_in_any(any: &[u8]) -> Result<Option<Duration>, WireError> {
    let (mut is_retry_info, mut value) = (false, &[][..]);
    let mut reader = Reader::new(any);
    while let Some(field) = reader.field()? {
        match field {
            (1, Value::Bytes(url)) => is_retry_info = url.ends_with(b"/google.rpc.RetryInfo"),
            (2, Value::Bytes(bytes)) => value = bytes,
            _ => {}
        }
    }
    if is_retry_info { retry_info(value).map(Some) } else { Ok(None) }
}

/// The delay of a `google.rpc.RetryInfo`, zero where it has none.
pub(super) fn retry_info(bytes: &[u8]) -> Result<Duration, WireError> {
    let (mut seconds, mut nanos) = (0, 0);
    let mut info = Reader::new(bytes);
    while let Some(field) = info.field()? {
        let (1, Value::Bytes(delay)) = field else { continue };
        let mut delay = Reader::new(delay);
        while let Some(field) = delay.field()? {
            match field {
                (1, Value::Varint(value)) => seconds = u64::try_from(value.cast_signed()).unwrap_or(0),
                (2, Value::Varint(value)) => nanos = value.min(999_999_999),
                _ => {}
            }
        }
    }
    Ok(Duration::from_secs(seconds).saturating_add(Duration::from_nanos(nanos)))
}

/// The pause that `Retry-After` asks for: seconds, or an instant (RFC 9110 section 10.2.3).
pub(super) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let value = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let instant = httpdate::parse_http_date(value).ok()?;
    let micros = instant.duration_since(std::time::UNIX_EPOCH).ok()?.as_micros();
    Some(Timestamp::from_micros(i64::try_from(micros).ok()?).since(now))
}

/// `sent` with a text that can be logged: without secrets, on one line, and not long.
pub(super) fn cleaned(sent: Sent, conceal: impl Fn(&str) -> String) -> Sent {
    let clean = |text: String| {
        let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let mut line = conceal(line.trim());
        line.truncate(line.floor_char_boundary(MAX_MESSAGE));
        line
    };
    match sent {
        Sent::Delivered { rejected, message } => Sent::Delivered { rejected, message: clean(message) },
        Sent::Later { after, why } => Sent::Later { after, why: clean(why) },
        Sent::Never { why } => Sent::Never { why: clean(why) },
    }
}
