//! The messages of an OTLP export as tables: one description serves the scan of wire bytes and the reading of JSON.
//!
//! Source: `opentelemetry-proto` 1.10, `opentelemetry/proto/**`. A test compares every table with the published descriptors.

mod tables;
use crate::domain::Signal;

/// One message type.
#[derive(Debug)]
pub struct Message {
    /// The name in its package, `Span.Event` for a nested one.
    pub name: &'static str,
    /// What it stands for in the counts.
    pub role: Role,
    /// Its fields.
    pub fields: &'static [Field],
    /// For each field number the position in `fields`, [`ABSENT`] where there is none.
    positions: [u8; MAX_FIELD_NUMBER + 1],
}

/// What a message stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// `ResourceSpans` and the like: one resource with what it sent.
    ResourceGroup,
    /// `ScopeSpans` and the like.
    ScopeGroup,
    /// A span, data point, log record or sample.
    Item,
    /// The resource itself, whose attributes say who sends.
    Resource,
    /// One attribute.
    KeyValue,
    /// The value of an attribute or a body: the only message that can contain itself.
    AnyValue,
    /// Anything else.
    Part,
}

/// One field of a message.
#[derive(Debug)]
pub struct Field {
    /// The number on the wire, 1 to 16.
    pub number: u32,
    /// The name in JSON, lowerCamelCase.
    pub name: &'static str,
    /// The type of its values.
    pub kind: Kind,
    /// How many values it has, and what an absent one means.
    pub label: Label,
}

/// How many values a field has, and what an absent one means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Label {
    /// At most one; the default value is the same as none.
    Single,
    /// At most one; the default value differs from none (`optional`).
    Optional,
    /// At most one among the members of the message's only `oneof`; the default value differs from none.
    Member,
    /// Any number. Numbers are packed when written.
    Repeated,
}

/// The type of a field's values.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// `double`.
    Double,
    /// `fixed64`.
    Fixed64,
    /// `sfixed64`.
    Sfixed64,
    /// `fixed32`.
    Fixed32,
    /// `int32`.
    Int32,
    /// `int64`.
    Int64,
    /// `uint32`.
    Uint32,
    /// `uint64`.
    Uint64,
    /// `sint32`.
    Sint32,
    /// `bool`.
    Bool,
    /// `string`.
    String,
    /// `bytes` of any length.
    Bytes,
    /// `bytes`: 16 of them, or none; hexadecimal in JSON.
    TraceId,
    /// `bytes`: 8 of them, or none; hexadecimal in JSON.
    SpanId,
    /// `bytes`: 16 of them, or none; hexadecimal or base64 in JSON.
    ProfileId,
    /// An open enumeration with the names of its known values.
    Enum(&'static [(&'static str, i32)]),
    /// A message.
    Message(&'static Message),
}

/// The request message of `signal`'s Export method.
#[must_use]
pub fn request(signal: Signal) -> &'static Message {
    match signal {
        Signal::Traces => &tables::TRACES,
        Signal::Metrics => &tables::METRICS,
        Signal::Logs => &tables::LOGS,
        Signal::Profiles => &tables::PROFILES,
    }
}

impl Message {
    /// The field with `number`.
    #[must_use]
    #[inline]
    pub fn field(&self, number: u32) -> Option<&'static Field> {
        let position = *self.positions.get(usize::try_from(number).ok()?)?;
        self.fields.get(usize::from(position))
    }

    /// The field with this name in JSON: lowerCamelCase or as in the `.proto` file, both of which parsers of `ProtoJSON` must
    /// accept.
    #[must_use]
    pub fn field_named(&self, name: &str) -> Option<&'static Field> {
        let as_declared = name.contains('_');
        self.fields
            .iter()
            .find(|field| if as_declared { is_snake_case_of(name, field.name) } else { field.name == name })
    }

    #[expect(clippy::cast_possible_truncation, reason = "no message has 256 fields")]
    const fn new(name: &'static str, role: Role, fields: &'static [Field]) -> Self {
        let mut positions = [ABSENT; MAX_FIELD_NUMBER + 1];
        let mut position = 0;
        while position < fields.len() {
            positions[fields[position].number as usize] = position as u8;
            position += 1;
        }
        Self { name, role, fields, positions }
    }
}

const MAX_FIELD_NUMBER: usize = 16;
const ABSENT: u8 = u8::MAX;

/// Whether `snake` is `camel` with every upper-case letter written as `_` and its lower case.
fn is_snake_case_of(snake: &str, camel: &str) -> bool {
    let mut rest = snake.bytes();
    let same = camel.bytes().all(|letter| {
        if letter.is_ascii_uppercase() {
            rest.next() == Some(b'_') && rest.next() == Some(letter.to_ascii_lowercase())
        } else {
            rest.next() == Some(letter)
        }
    });
    same && rest.next().is_none()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use protox::prost_reflect::{Cardinality, DescriptorPool, FieldDescriptor, Kind as Declared, MessageDescriptor};

    use super::*;

    const PACKAGES: [(Signal, &str); 4] = [
        (Signal::Traces, "trace.v1.ExportTraceServiceRequest"),
        (Signal::Metrics, "metrics.v1.ExportMetricsServiceRequest"),
        (Signal::Logs, "logs.v1.ExportLogsServiceRequest"),
        (Signal::Profiles, "profiles.v1development.ExportProfilesServiceRequest"),
    ];

    #[test]
    fn the_tables_are_the_published_messages() {
        let pool = DescriptorPool::decode(opentelemetry_proto::DESCRIPTORS).expect("the published descriptors");
        let mut compared = BTreeMap::new();
        for (signal, name) in PACKAGES {
            let name = format!("opentelemetry.proto.collector.{name}");
            compare(request(signal), &pool.get_message_by_name(&name).expect("a request"), &mut compared);
        }
        assert!(compared.len() > 40, "{} messages compared", compared.len());
    }

    fn compare(ours: &'static Message, theirs: &MessageDescriptor, compared: &mut BTreeMap<String, &'static str>) {
        if compared.insert(theirs.full_name().to_owned(), ours.name).is_some() {
            return;
        }
        assert!(theirs.full_name().ends_with(&format!(".{}", ours.name)), "{} is {}", ours.name, theirs.full_name());
        assert_eq!(ours.fields.len(), theirs.fields().len(), "{}", ours.name);
        for field in theirs.fields() {
            let place = field.full_name();
            let our_field = ours.field(field.number()).unwrap_or_else(|| panic!("{place} is missing"));
            assert_eq!(our_field.name, field.json_name(), "{place}");
            assert!(std::ptr::eq(our_field, ours.field_named(field.name()).expect("its declared name")), "{place}");
            assert!(std::ptr::eq(our_field, ours.field_named(field.json_name()).expect("its JSON name")), "{place}");
            assert_eq!(our_field.label, label(&field), "{place}");
            compare_kind(our_field, &field, compared);
        }
    }

    fn label(field: &FieldDescriptor) -> Label {
        match field.containing_oneof() {
            _ if field.cardinality() == Cardinality::Repeated => Label::Repeated,
            Some(group) if group.fields().len() == 1 => Label::Optional,
            Some(_) => Label::Member,
            None => Label::Single,
        }
    }

    fn compare_kind(ours: &Field, field: &FieldDescriptor, compared: &mut BTreeMap<String, &'static str>) {
        let place = field.full_name();
        match (ours.kind, field.kind()) {
            (Kind::Message(ours), Declared::Message(theirs)) => compare(ours, &theirs, compared),
            (Kind::Enum(names), Declared::Enum(theirs)) => {
                let theirs: Vec<_> = theirs.values().map(|value| (value.name().to_owned(), value.number())).collect();
                let names: Vec<_> = names.iter().map(|&(name, number)| (name.to_owned(), number)).collect();
                assert_eq!(names, theirs, "{place}");
            }
            (Kind::TraceId, Declared::Bytes) => assert_eq!(field.name(), "trace_id", "{place}"),
            (Kind::SpanId, Declared::Bytes) => assert!(field.name().ends_with("span_id"), "{place}"),
            (Kind::ProfileId, Declared::Bytes) => assert_eq!(field.name(), "profile_id", "{place}"),
            (Kind::Bytes, Declared::Bytes) => assert!(!field.name().ends_with("_id"), "{place}"),
            (Kind::Double, Declared::Double)
            | (Kind::Fixed64, Declared::Fixed64)
            | (Kind::Sfixed64, Declared::Sfixed64)
            | (Kind::Fixed32, Declared::Fixed32)
            | (Kind::Int32, Declared::Int32)
            | (Kind::Int64, Declared::Int64)
            | (Kind::Uint32, Declared::Uint32)
            | (Kind::Uint64, Declared::Uint64)
            | (Kind::Sint32, Declared::Sint32)
            | (Kind::Bool, Declared::Bool)
            | (Kind::String, Declared::String) => {}
            (ours, theirs) => panic!("{place} is {theirs:?}, not {ours:?}"),
        }
    }
}
