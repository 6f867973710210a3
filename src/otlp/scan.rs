//! One pass over a payload: is it a valid export, how much is in it, who sent it.
//!
//! Nothing is built and nothing is allocated. What `prost` refuses to decode is refused here, and more: ids of a wrong length
//! (as the OpenTelemetry Collector does), values nested too deeply, groups nested over 24 deep, too many items or submessages.
//! What a message repeats on the wire counts every time, also where a decoder would keep only the last.

use crate::domain::origin::MAX_SOURCES;
use crate::domain::{Reason, Signal};

use super::schema::{self, Field, Kind, Label, Message, Role};
use super::wire::{Reader, Value, WireError};

/// How much one export may hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ScanLimits {
    /// Items, resources and scopes together.
    pub items: u64,
    /// Messages inside the request, of any kind. Two wire bytes make one, so a limit on bytes does not bound them.
    pub submessages: u64,
    /// How deep attribute values may nest; a plain value is 1 deep.
    pub depth: u32,
    /// Bytes of what items share (resource, scope, metric, profile), counted once for each item that shares them: so much would
    /// be written if every item stood alone, as it does in a table.
    pub shared_bytes: u64,
}

impl Default for ScanLimits {
    fn default() -> Self {
        Self { items: 250_000, submessages: 4_000_000, depth: 24, shared_bytes: 2 << 30 }
    }
}

/// What one export holds.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Scan<'a> {
    /// Spans, metric data points, log records or profile samples.
    pub items: u64,
    /// `ResourceSpans` and the like.
    pub resources: u64,
    /// Who sends, by the resources' own account: each once, in the order of the resources, the first few of them.
    pub sources: [Option<Source<'a>>; MAX_SOURCES],
    /// `deployment.environment.name`, or else its former name `deployment.environment`, of the first resource that has one.
    pub deployment_environment: Option<&'a str>,
}

/// What one resource says of who sends.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Source<'a> {
    /// `service.name`.
    pub service_name: Option<&'a str>,
    /// `host.name`.
    pub host_name: Option<&'a str>,
    /// `telemetry.sdk.language`.
    pub sdk_language: Option<&'a str>,
    /// `telemetry.sdk.name`.
    pub sdk_name: Option<&'a str>,
    /// `telemetry.sdk.version`.
    pub sdk_version: Option<&'a str>,
}

/// As many resources are asked who sends. A Collector's batch can hold many thousands, and each costs a second look at its attributes.
const MAX_ASKED: u64 = 64;

/// Why a payload is no acceptable export. Offsets count bytes from the beginning of the decompressed payload.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ScanError {
    /// Not well-formed protobuf.
    #[error("not protobuf: {cause} ({message} at byte {offset})")]
    Wire {
        /// What is not well-formed.
        cause: WireError,
        /// The message that was being read.
        message: &'static str,
        /// Where its field begins.
        offset: usize,
    },
    /// A known field of a type that it does not have.
    #[error("not OTLP of this signal: {message}.{field} has another wire type (at byte {offset})")]
    WrongWireType {
        /// The message.
        message: &'static str,
        /// Its field.
        field: &'static str,
        /// Where the field begins.
        offset: usize,
    },
    /// Text that is not UTF-8.
    #[error("{message}.{field} is not UTF-8 (at byte {offset})")]
    Utf8 {
        /// The message.
        message: &'static str,
        /// Its field.
        field: &'static str,
        /// Where the field begins.
        offset: usize,
    },
    /// A trace, span or profile id of a length that it cannot have.
    #[error("{message}.{field} has {length} bytes instead of {expected} or none (at byte {offset})")]
    IdLength {
        /// The message.
        message: &'static str,
        /// Its field.
        field: &'static str,
        /// How many bytes it has.
        length: usize,
        /// How many it has to have, if any.
        expected: usize,
        /// Where the field begins.
        offset: usize,
    },
    /// Attribute values nested too deeply.
    #[error("an attribute's value is nested over {limit} deep (at byte {offset})")]
    TooDeep {
        /// The limit.
        limit: u32,
        /// Where the value begins that is too deep.
        offset: usize,
    },
    /// Too many items, resources and scopes.
    #[error("more than {limit} items, resources and scopes")]
    TooManyItems {
        /// The limit.
        limit: u64,
    },
    /// Too many messages of any kind.
    #[error("more than {limit} submessages")]
    TooManySubmessages {
        /// The limit.
        limit: u64,
    },
    /// Too much that too many items share.
    #[error("what items share (resource, scope, metric) has more than {limit} bytes, counted for each of them")]
    TooMuchShared {
        /// The limit in bytes.
        limit: u64,
    },
}

impl ScanError {
    /// The reason for which the export is refused.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match self {
            Self::TooManyItems { .. } | Self::TooManySubmessages { .. } | Self::TooMuchShared { .. } => {
                Reason::TooManyItems
            }
            Self::Wire { .. }
            | Self::WrongWireType { .. }
            | Self::Utf8 { .. }
            | Self::IdLength { .. }
            | Self::TooDeep { .. } => Reason::BodyUndecodable,
        }
    }
}

/// Validates and counts the Export request of `signal` in `body`. An empty body is a valid export of nothing.
///
/// # Errors
/// [`ScanError`] tells what is wrong and where.
pub fn scan<'a>(signal: Signal, body: &'a [u8], limits: &ScanLimits) -> Result<Scan<'a>, ScanError> {
    let mut scanner =
        Scanner { body, limits, scan: Scan::default(), counted: 0, submessages: 0, shared: 0, carried: 0 };
    scanner.fields(schema::request(signal), body, 0)?;
    Ok(scanner.scan)
}

struct Scanner<'a, 'l> {
    body: &'a [u8],
    limits: &'l ScanLimits,
    scan: Scan<'a>,
    /// Items, resources and scopes so far.
    counted: u64,
    submessages: u64,
    /// Shared bytes, counted for each item.
    shared: u64,
    /// Bytes of those parts of the present message that have items inside, or are one.
    carried: u64,
}

impl<'a> Scanner<'a, '_> {
    /// One message inside another; `depth` attribute values are around it. Messages nest as deep as the schema and the limit
    /// on `depth` allow, and so does this recursion.
    fn message(&mut self, message: &'static Message, bytes: &'a [u8], mut depth: u32) -> Result<(), ScanError> {
        match message.role {
            Role::Part => {}
            Role::KeyValue => {
                if depth < self.limits.depth && is_plain_key_value(bytes) {
                    return self.count_submessages(2);
                }
            }
            Role::AnyValue => {
                depth += 1;
                if depth > self.limits.depth {
                    return Err(ScanError::TooDeep { limit: self.limits.depth, offset: self.offset(bytes) });
                }
            }
            Role::ResourceGroup => {
                self.scan.resources += 1;
                self.count()?;
            }
            Role::ScopeGroup => self.count()?,
            Role::Item => {
                self.scan.items += 1;
                self.count()?;
            }
            Role::Resource => {
                self.count_submessages(1)?;
                self.fields(message, bytes, depth)?;
                self.identify(bytes);
                return Ok(());
            }
        }
        self.count_submessages(1)?;
        let (items, carried) = (self.scan.items, std::mem::take(&mut self.carried));
        self.fields(message, bytes, depth)?;
        let (inside, length) = (self.scan.items - items, bytes.len() as u64);
        if inside > 0 {
            self.shared = self.shared.saturating_add((length - self.carried).saturating_mul(inside));
            if self.shared > self.limits.shared_bytes {
                return Err(ScanError::TooMuchShared { limit: self.limits.shared_bytes });
            }
        }
        self.carried = carried + if inside > 0 || message.role == Role::Item { length } else { 0 };
        Ok(())
    }

    fn fields(&mut self, message: &'static Message, bytes: &'a [u8], depth: u32) -> Result<(), ScanError> {
        let mut reader = Reader::new(bytes);
        loop {
            let start = reader.rest();
            let (number, value) = match reader.field() {
                Ok(Some(field)) => field,
                Ok(None) => return Ok(()),
                Err(cause) => {
                    return Err(ScanError::Wire { cause, message: message.name, offset: self.offset(start) });
                }
            };
            let Some(field) = message.field(number) else { continue };
            match (field.kind, value) {
                (Kind::Message(inner), Value::Bytes(bytes)) => self.message(inner, bytes, depth)?,
                _ => check(field, value).map_err(|flaw| flaw.at(message, field, self.offset(start)))?,
            }
        }
    }

    fn count(&mut self) -> Result<(), ScanError> {
        self.counted += 1;
        if self.counted > self.limits.items {
            return Err(ScanError::TooManyItems { limit: self.limits.items });
        }
        Ok(())
    }

    fn count_submessages(&mut self, more: u64) -> Result<(), ScanError> {
        self.submessages += more;
        if self.submessages > self.limits.submessages {
            return Err(ScanError::TooManySubmessages { limit: self.limits.submessages });
        }
        Ok(())
    }

    /// Where `part`, a part of the body, begins.
    fn offset(&self, part: &[u8]) -> usize {
        part.as_ptr().addr().saturating_sub(self.body.as_ptr().addr())
    }

    /// Picks out who sends from the attributes of a valid `resource`, one of the first.
    fn identify(&mut self, resource: &'a [u8]) {
        if self.scan.resources > MAX_ASKED {
            return;
        }
        let mut source = Source::default();
        let (mut environment, mut former_environment) = (None, None);
        let mut reader = Reader::new(resource);
        while let Ok(Some((number, value))) = reader.field() {
            let (1, Value::Bytes(attribute)) = (number, value) else { continue };
            let place = match last_bytes(attribute, 1) {
                Some(b"service.name") => &mut source.service_name,
                Some(b"host.name") => &mut source.host_name,
                Some(b"telemetry.sdk.language") => &mut source.sdk_language,
                Some(b"telemetry.sdk.name") => &mut source.sdk_name,
                Some(b"telemetry.sdk.version") => &mut source.sdk_version,
                Some(b"deployment.environment.name") => &mut environment,
                Some(b"deployment.environment") => &mut former_environment,
                _ => continue,
            };
            if place.is_none() {
                let text = last_bytes(attribute, 2).and_then(|value| last_bytes(value, 1));
                *place = text.and_then(|text| str::from_utf8(text).ok()).filter(|text| !text.is_empty());
            }
        }
        let Scan { sources, deployment_environment, .. } = &mut self.scan;
        *deployment_environment = deployment_environment.or(environment).or(former_environment);
        if source != Source::default() {
            let place = sources.iter_mut().find(|place| place.is_none_or(|known| known == source));
            if let Some(place) = place {
                *place = Some(source);
            }
        }
    }
}

/// What is wrong with one value.
enum Flaw {
    WireType,
    Utf8,
    Length { length: usize, expected: usize },
    Packed(WireError),
}

impl Flaw {
    #[cold]
    fn at(self, message: &'static Message, field: &'static Field, offset: usize) -> ScanError {
        let (message, field) = (message.name, field.name);
        match self {
            Self::WireType => ScanError::WrongWireType { message, field, offset },
            Self::Utf8 => ScanError::Utf8 { message, field, offset },
            Self::Length { length, expected } => ScanError::IdLength { message, field, length, expected, offset },
            Self::Packed(cause) => ScanError::Wire { cause, message, offset },
        }
    }
}

/// Whether a value that is no message is one of the field's type.
#[inline]
fn check(field: &Field, value: Value<'_>) -> Result<(), Flaw> {
    match (field.kind, value) {
        (Kind::String, Value::Bytes(bytes)) => utf8(bytes),
        (Kind::TraceId | Kind::ProfileId, Value::Bytes(bytes)) => id(bytes, 16),
        (Kind::SpanId, Value::Bytes(bytes)) => id(bytes, 8),
        (Kind::Fixed64 | Kind::Sfixed64 | Kind::Double, Value::Fixed64(_))
        | (Kind::Fixed32, Value::Fixed32(_))
        | (Kind::Bytes, Value::Bytes(_))
        | (
            Kind::Int32 | Kind::Int64 | Kind::Uint32 | Kind::Uint64 | Kind::Sint32 | Kind::Bool | Kind::Enum(_),
            Value::Varint(_),
        ) => Ok(()),
        (kind, Value::Bytes(bytes)) if field.label == Label::Repeated => packed(kind, bytes),
        _ => Err(Flaw::WireType),
    }
}

#[inline]
fn utf8(bytes: &[u8]) -> Result<(), Flaw> {
    if bytes.is_ascii() || simdutf8::basic::from_utf8(bytes).is_ok() { Ok(()) } else { Err(Flaw::Utf8) }
}

#[inline]
const fn id(bytes: &[u8], expected: usize) -> Result<(), Flaw> {
    let length = bytes.len();
    if length == expected || length == 0 { Ok(()) } else { Err(Flaw::Length { length, expected }) }
}

/// Numbers of one type, one after the other.
fn packed(kind: Kind, bytes: &[u8]) -> Result<(), Flaw> {
    let width = match kind {
        Kind::Fixed64 | Kind::Sfixed64 | Kind::Double => 8,
        Kind::Fixed32 => 4,
        Kind::Message(_) => return Err(Flaw::WireType),
        _ => {
            // Mostly they are small, and a number below 128 is one byte.
            if bytes.is_ascii() {
                return Ok(());
            }
            let mut reader = Reader::new(bytes);
            while !reader.rest().is_empty() {
                reader.varint().map_err(Flaw::Packed)?;
            }
            return Ok(());
        }
    };
    if bytes.len().is_multiple_of(width) { Ok(()) } else { Err(Flaw::Packed(WireError::Truncated)) }
}

/// Whether `bytes` are an attribute as every SDK writes nearly all of them: an ASCII key, then one plain value, ASCII where it
/// is text. Anything else goes the general way, also what is wrong.
#[inline]
fn is_plain_key_value(bytes: &[u8]) -> bool {
    let Some((key, rest)) = short_bytes(bytes, 0x0a) else { return false };
    let Some((value, rest)) = short_bytes(rest, 0x12) else { return false };
    if !rest.is_empty() || !key.is_ascii() {
        return false;
    }
    match *value {
        [0x0a, length, ref text @ ..] => usize::from(length) == text.len() && length < 0x80 && text.is_ascii(),
        [0x10, 0 | 1] | [0x21, _, _, _, _, _, _, _, _] => true,
        [0x18, ref number @ .., last] => last < 0x80 && number.len() < 9 && number.iter().all(|&byte| byte >= 0x80),
        _ => false,
    }
}

/// The bytes of a field that begins with `key` and is shorter than 128 bytes, and what follows it.
#[inline]
fn short_bytes(bytes: &[u8], key: u8) -> Option<(&[u8], &[u8])> {
    match *bytes {
        [first, length, ref rest @ ..] if first == key && length < 0x80 => rest.split_at_checked(usize::from(length)),
        _ => None,
    }
}

/// The bytes of the last field `number` in a valid message: of a field that is repeated though it should not be, the last counts.
fn last_bytes(message: &[u8], number: u32) -> Option<&[u8]> {
    let mut reader = Reader::new(message);
    let mut found = None;
    while let Ok(Some((at, value))) = reader.field() {
        if let (true, Value::Bytes(bytes)) = (at == number, value) {
            found = Some(bytes);
        }
    }
    found
}
