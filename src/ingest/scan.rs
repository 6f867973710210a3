//! Scan: the payload is validated and its items are counted, over the wire bytes and without decoding.

use bytes::Bytes;

use super::accept::Format;
use super::authenticate::Authenticated;
use super::read::{Payload, Received};
use super::{ExportLimits, Gate};
use crate::domain::origin::Other;
use crate::domain::{Budget, Encoding, Origin, Reason, Refusal, Reservation, Signal};
use crate::metering::Measured;
use crate::otlp::compression::{InflateError, for_log, with_inflated};
use crate::otlp::json::{self, JsonError, JsonLimits};
use crate::otlp::scan::{self, Scan, Source};

/// An export whose payload is a valid OTLP request in protobuf.
#[derive(Debug)]
pub struct Scanned<'a> {
    /// Whose it is.
    pub authenticated: Authenticated<'a>,
    /// Its payload.
    pub message: Message,
}

/// A valid `Export*ServiceRequest` in protobuf.
#[derive(Debug)]
pub struct Message {
    /// How much it holds.
    pub measured: Measured,
    /// Who sent it, by its own account.
    pub origin: Origin,
    /// Its bytes: as they were sent, or transcoded from JSON; compressed for the log where they were not.
    pub payload: Bytes,
    /// How they are compressed.
    pub encoding: Encoding,
    /// The memory that the payload holds.
    pub reservation: Reservation,
}

/// From this size on a payload is scanned on a thread of its own, so that it does not hold up the other exports of this one.
const OWN_THREAD: usize = 256 << 10;

/// Validates and counts.
///
/// # Errors
/// The refusal, which says what is wrong and where.
pub async fn scan<'a>(gate: &Gate, received: Received<'a>) -> Result<Scanned<'a>, Refusal> {
    let Received { authenticated, payload } = received;
    let signal = authenticated.arrival.signal;
    let scanned = if payload.bytes.len() < OWN_THREAD {
        scan_payload(signal, payload, &gate.limits, &gate.budget)
    } else {
        let (limits, budget) = (gate.limits, gate.budget.clone());
        let task = tokio::task::spawn_blocking(move || scan_payload(signal, payload, &limits, &budget));
        task.await.unwrap_or(Err(Reason::Overloaded.into()))
    };
    let message = scanned.map_err(|refusal| refusal.of_key(authenticated.cached.key.id))?;
    Ok(Scanned { authenticated, message })
}

fn scan_payload(signal: Signal, payload: Payload, limits: &ExportLimits, budget: &Budget) -> Result<Message, Refusal> {
    let Payload { format, encoding, bytes, mut reservation } = payload;
    let wire_size = bytes.len() as u64;
    // What inflating takes is on top of the body, for as long as it takes.
    let received = reservation.bytes();
    let reserve = |output: usize| reservation.grow_to(received + output as u64);
    let inflated = with_inflated(encoding, &bytes, limits.body_bytes, reserve, |body| match format {
        Format::Protobuf => scan_protobuf(signal, body, limits).map(|found| (found, body.len() as u64, None)),
        Format::Json => {
            // And so is what transcoding takes.
            let mut transcoding = budget.reserve(0)?;
            let reserve = |memory: usize| transcoding.grow_to(memory as u64);
            let json = JsonLimits::new(limits.body_bytes, &limits.scan);
            let body = json::to_protobuf(signal, body, &json, reserve).map_err(refuse_json)?;
            Ok((scan_protobuf(signal, &body, limits)?, body.len() as u64, Some((body, transcoding))))
        }
    });
    let ((items, origin), decompressed_size, transcoded) = inflated.map_err(refuse_inflating)??;
    let (mut payload, mut encoding, mut held) = (bytes, encoding, received);
    if let Some((body, transcoding)) = transcoded {
        (payload, encoding, held) = (Bytes::from(body), Encoding::Identity, decompressed_size);
        reservation = transcoding;
    }
    if encoding == Encoding::Identity
        && let Some(smaller) = for_log(&payload, |more| reservation.grow(more as u64))
    {
        held = smaller.len() as u64;
        (payload, encoding) = (smaller, Encoding::Zstd);
    }
    reservation.shrink_to(held);
    let measured = Measured { items, wire_bytes: wire_size, bytes: decompressed_size };
    Ok(Message { measured, origin, payload, encoding, reservation })
}

fn scan_protobuf(signal: Signal, body: &[u8], limits: &ExportLimits) -> Result<(u64, Origin), Refusal> {
    let scanned = scan::scan(signal, body, &limits.scan).map_err(|error| Refusal::because(error.reason(), error))?;
    Ok((scanned.items, origin(&scanned)))
}

/// Who sent it, as far as that is kept.
fn origin(scanned: &Scan<'_>) -> Origin {
    let mut sources = scanned.sources.iter().flatten().map(|source| {
        let text = |found: Option<&str>| found.map(Origin::text);
        Other { service: text(source.service_name), host: text(source.host_name), sdk: sdk(source) }
    });
    let Other { service, host, sdk } = sources.next().unwrap_or_default();
    let environment = scanned.deployment_environment.map(Origin::text);
    Origin { service, host, sdk, environment, others: sources.collect() }
}

fn sdk(source: &Source<'_>) -> Option<Box<str>> {
    let words = [source.sdk_language, source.sdk_name, source.sdk_version];
    let words: Vec<_> = words.into_iter().flatten().collect();
    (!words.is_empty()).then(|| Origin::text(&words.join(" ")))
}

fn refuse_json(error: JsonError) -> Refusal {
    match error {
        JsonError::Budget(error) => error.into(),
        _ => Refusal::because(error.reason(), error),
    }
}

fn refuse_inflating(error: InflateError) -> Refusal {
    match error {
        InflateError::Damaged => Refusal::because(Reason::CompressionInvalid, error),
        InflateError::Window | InflateError::Dictionary | InflateError::Members => {
            Refusal::because(Reason::CompressionUnsupported, error)
        }
        InflateError::TooLarge { .. } => Refusal::because(Reason::BodyTooLarge, error),
        InflateError::Budget(error) => error.into(),
    }
}
