//! What the answer to an export means: at which stage the export stopped, if it did.
//!
//! Sources: OTLP specification, «OTLP/gRPC Response» and «OTLP/HTTP Response»; gRPC over HTTP/2, «Responses»;
//! `google/rpc/status.proto` and `error_details.proto`.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::{HeaderMap, StatusCode, header};

use super::export::Reply;
use super::report::{Stage, Stop};
use super::settings::decoded;
use crate::cli::Exit;
use crate::domain::Transport;
use crate::domain::{GrpcCode, Reason};
use crate::otlp::frame::only_message;
use crate::otlp::wire::{Reader, Value, WireError};

/// Whether `reply` says that the span is stored.
pub(super) fn judge(transport: Transport, reply: &Reply) -> Result<(), Stop> {
    match transport {
        Transport::Grpc => grpc(reply),
        Transport::Http => http(reply),
    }
}

fn grpc(reply: &Reply) -> Result<(), Stop> {
    let code = |metadata: &HeaderMap| metadata.get("grpc-status")?.to_str().ok()?.parse::<i32>().ok();
    let (code, metadata) = match (code(&reply.headers), code(&reply.trailers)) {
        // Trailers only: they came as headers.
        (Some(code), _) => (code, &reply.headers),
        (None, Some(code)) => (code, &reply.trailers),
        (None, None) => {
            let detail = format!("the answer is not gRPC: {}", described(reply));
            let advice = "the port is perhaps one of OTLP/HTTP, or a proxy in front does not pass gRPC on";
            return Err(Stop::new(Stage::Port, Exit::Refused, detail, advice));
        }
    };
    if code == 0 {
        return stored(only_message(&reply.body).map(|frame| frame.message).unwrap_or_default());
    }
    let details = metadata.get("grpc-status-details-bin").and_then(|value| binary(value.as_bytes()));
    let mut status = details.and_then(|bytes| Status::read(&bytes).ok()).unwrap_or_default();
    if status.message.is_empty() {
        let message = metadata.get("grpc-message").map(|value| decoded(&String::from_utf8_lossy(value.as_bytes())));
        status.message = clean(&String::from_utf8_lossy(&message.unwrap_or_default()));
    }
    status.stopped().map_or_else(|| Err(foreign_grpc(code, &status.message)), Err)
}

fn http(reply: &Reply) -> Result<(), Stop> {
    let content_type = content_type(reply);
    if reply.status == StatusCode::OK && content_type.starts_with("application/x-protobuf") {
        return stored(&reply.body);
    }
    if reply.status.is_success() {
        let detail = format!("the answer is not OTLP: {}", described(reply));
        return Err(Stop::new(Stage::Path, Exit::Refused, detail, "check host, port and path of the endpoint"));
    }
    let status = Status::read(&reply.body).ok().filter(|_| content_type.starts_with("application/x-protobuf"));
    status.and_then(|status| status.stopped()).map_or_else(|| Err(foreign_http(reply)), Err)
}

/// An `ExportTraceServiceResponse`: a success, perhaps a partial one.
fn stored(message: &[u8]) -> Result<(), Stop> {
    let unreadable = |error: WireError| {
        let detail = format!("the answer cannot be read: {error}");
        Stop::new(Stage::Span, Exit::Failed, detail, "check that the endpoint is one of OTLP")
    };
    let mut response = Reader::new(message);
    while let Some(field) = response.field().map_err(unreadable)? {
        let (1, Value::Bytes(partial)) = field else { continue };
        let (mut rejected, mut why) = (0, String::new());
        let mut partial = Reader::new(partial);
        while let Some(field) = partial.field().map_err(unreadable)? {
            match field {
                (1, Value::Varint(count)) => rejected = count,
                (2, Value::Bytes(text)) => why = clean(&String::from_utf8_lossy(text)),
                _ => {}
            }
        }
        if rejected > 0 {
            let detail = format!("the span was rejected: {why}");
            return Err(Stop::new(Stage::Span, Exit::Refused, detail, "ask whoever runs the endpoint"));
        }
    }
    Ok(())
}

/// What of a `google.rpc.Status` matters.
#[derive(Default)]
struct Status {
    message: String,
    /// The reason, where it is one of Gridgate's.
    reason: Option<Reason>,
}

impl Status {
    fn read(bytes: &[u8]) -> Result<Self, WireError> {
        let mut status = Self::default();
        let mut reader = Reader::new(bytes);
        while let Some(field) = reader.field()? {
            match field {
                (2, Value::Bytes(message)) => status.message = clean(&String::from_utf8_lossy(message)),
                (3, Value::Bytes(any)) => status.reason = reason(any)?.or(status.reason),
                _ => {}
            }
        }
        Ok(status)
    }

    /// Where Gridgate refused; `None` where the answer is somebody else's.
    fn stopped(&self) -> Option<Stop> {
        let reason = self.reason?;
        let exit = if reason.retry_after().is_some() && reason != Reason::RateLimited {
            Exit::Unreachable
        } else {
            Exit::Refused
        };
        // The message ends with the advice, which is told apart from it.
        let detail = self.message.strip_suffix(reason.advice()).unwrap_or(&self.message);
        let detail = detail.trim_end_matches([' ', ';', ':']);
        Some(Stop { reason: Some(reason), ..Stop::new(stage(reason), exit, detail, reason.advice()) })
    }
}

/// The reason of a `google.protobuf.Any` that is an `ErrorInfo` of Gridgate's.
fn reason(any: &[u8]) -> Result<Option<Reason>, WireError> {
    let (mut is_info, mut value) = (false, &[][..]);
    let mut reader = Reader::new(any);
    while let Some(field) = reader.field()? {
        match field {
            (1, Value::Bytes(url)) => is_info = url.ends_with(b"/google.rpc.ErrorInfo"),
            (2, Value::Bytes(bytes)) => value = bytes,
            _ => {}
        }
    }
    if !is_info {
        return Ok(None);
    }
    let (mut reason, mut domain) = (None, &[][..]);
    let mut info = Reader::new(value);
    while let Some(field) = info.field()? {
        match field {
            (1, Value::Bytes(label)) => {
                let is_it = |one: &&Reason| one.as_str().as_bytes().eq_ignore_ascii_case(label);
                reason = Reason::ALL.iter().find(is_it).copied();
            }
            (2, Value::Bytes(text)) => domain = text,
            _ => {}
        }
    }
    Ok(reason.filter(|_| domain == b"gridgate"))
}

/// The stage at which a gate gives `reason`.
const fn stage(reason: Reason) -> Stage {
    match reason {
        Reason::WrongPort => Stage::Port,
        Reason::PathUnknown | Reason::MethodNotAllowed => Stage::Path,
        Reason::CredentialsMissing
        | Reason::CredentialsAmbiguous
        | Reason::KeyMalformed
        | Reason::KeyInvalid
        | Reason::KeyRevoked
        | Reason::SecretRetired
        | Reason::KeyExpired
        | Reason::KeyDisabled
        | Reason::CatalogUnavailable => Stage::Key,
        Reason::EnvironmentMismatch => Stage::Environment,
        Reason::ProjectSuspended | Reason::IpNotAllowed | Reason::PermissionDenied => Stage::Permission,
        Reason::RateLimited
        | Reason::QuotaExhausted
        | Reason::HeadersTooLarge
        | Reason::Overloaded
        | Reason::ShuttingDown
        | Reason::BacklogFull => Stage::Limit,
        _ => Stage::Span,
    }
}

/// A refusal over HTTP that is not Gridgate's.
fn foreign_http(reply: &Reply) -> Stop {
    let (stage, exit, advice) = match reply.status.as_u16() {
        300..=399 => (Stage::Path, Exit::Refused, "exporters follow no redirects; use the address that it leads to"),
        401 | 407 => (Stage::Key, Exit::Refused, "something in front of the gate wants other credentials"),
        403 => (Stage::Permission, Exit::Refused, "something in front of the gate does not let it through"),
        404 | 405 => (Stage::Path, Exit::Refused, "check the path: SDKs add /v1/traces to OTEL_EXPORTER_OTLP_ENDPOINT"),
        413 | 429 | 431 => (Stage::Limit, Exit::Refused, "something in front of the gate limits requests"),
        502..=504 => {
            (Stage::Limit, Exit::Unreachable, "a proxy cannot reach the gate; check that it runs, and try again")
        }
        500..=599 => (Stage::Span, Exit::Failed, "look into the logs of what answers there"),
        _ => (Stage::Path, Exit::Refused, "check host, port and path of the endpoint"),
    };
    Stop::new(stage, exit, format!("the answer is not Gridgate's: {}", described(reply)), advice)
}

/// A refusal over gRPC that is not Gridgate's.
fn foreign_grpc(code: i32, message: &str) -> Stop {
    const UNAUTHENTICATED: i32 = GrpcCode::Unauthenticated as i32;
    const PERMISSION_DENIED: i32 = GrpcCode::PermissionDenied as i32;
    const UNIMPLEMENTED: i32 = GrpcCode::Unimplemented as i32;
    const RESOURCE_EXHAUSTED: i32 = GrpcCode::ResourceExhausted as i32;
    const UNAVAILABLE: i32 = GrpcCode::Unavailable as i32;
    let (stage, exit, advice) = match code {
        UNAUTHENTICATED => (Stage::Key, Exit::Refused, "something in front of the gate wants other credentials"),
        PERMISSION_DENIED => {
            (Stage::Permission, Exit::Refused, "something in front of the gate does not let it through")
        }
        UNIMPLEMENTED => (Stage::Path, Exit::Refused, "this gRPC server takes no OTLP; check host and port"),
        RESOURCE_EXHAUSTED => (Stage::Limit, Exit::Refused, "something in front of the gate limits calls"),
        UNAVAILABLE => {
            (Stage::Limit, Exit::Unreachable, "a proxy cannot reach the gate; check that it runs, and try again")
        }
        _ => (Stage::Span, Exit::Failed, "look into the logs of what answers there"),
    };
    Stop::new(stage, exit, format!("the answer is not Gridgate's: gRPC status {code}, {message:?}"), advice)
}

fn content_type(reply: &Reply) -> String {
    let value = reply.headers.get(header::CONTENT_TYPE).map(|value| String::from_utf8_lossy(value.as_bytes()));
    value.map_or_else(String::new, |value| clean(&value).to_ascii_lowercase())
}

/// Status and kind of an answer, in words.
fn described(reply: &Reply) -> String {
    let kind = content_type(reply);
    let location = reply.headers.get(header::LOCATION).map(|value| clean(&String::from_utf8_lossy(value.as_bytes())));
    let location = location.map_or_else(String::new, |location| format!(" to {location}"));
    let kind = if kind.is_empty() { "without a content type".to_owned() } else { kind };
    format!("HTTP status {}{location}, {kind}", reply.status.as_u16())
}

/// The longest text of somebody else that is shown, in bytes.
const MAX_TEXT: usize = 1024;

/// `text` on one line, without what could move a cursor, and not long.
fn clean(text: &str) -> String {
    let mut line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    line.truncate(line.floor_char_boundary(MAX_TEXT));
    line.trim().to_owned()
}

/// The bytes of a binary trailer: base64, with padding or without.
fn binary(value: &[u8]) -> Option<Vec<u8>> {
    const CONFIG: GeneralPurposeConfig =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    GeneralPurpose::new(&STANDARD, CONFIG).decode(value).ok()
}
