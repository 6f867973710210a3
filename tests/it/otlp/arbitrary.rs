//! Arbitrary requests with all their fields, made from the published descriptors, and their JSON in every allowed spelling.

#![expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "any bits will do")]

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use gridgate::domain::Signal;
use proptest::prelude::*;
use protox::prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, ReflectMessage, Value,
};

/// Decisions, taken from bytes so that fewer and smaller bytes make a smaller message.
pub(super) struct Entropy<'a>(&'a [u8]);

impl<'a> Entropy<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        first
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::from(self.byte()) % limit
    }

    fn bits(&mut self) -> u64 {
        let width = self.below(9);
        (0..width).fold(0, |bits, _| bits << 8 | u64::from(self.byte()))
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.byte()).collect()
    }
}

/// A signal, and the bytes to make a request from.
pub(super) fn signal_and_entropy() -> impl Strategy<Value = (Signal, Vec<u8>)> {
    (prop::sample::select(&Signal::ALL[..]), prop::collection::vec(any::<u8>(), 0..3000))
}

/// A valid request.
pub(super) fn request(signal: Signal, entropy: &mut Entropy<'_>) -> DynamicMessage {
    static POOL: LazyLock<DescriptorPool> =
        LazyLock::new(|| DescriptorPool::decode(opentelemetry_proto::DESCRIPTORS).expect("the published descriptors"));
    let name = match signal {
        Signal::Traces => "trace.v1.ExportTraceServiceRequest",
        Signal::Metrics => "metrics.v1.ExportMetricsServiceRequest",
        Signal::Logs => "logs.v1.ExportLogsServiceRequest",
        Signal::Profiles => "profiles.v1development.ExportProfilesServiceRequest",
    };
    let descriptor = POOL.get_message_by_name(&format!("opentelemetry.proto.collector.{name}")).expect("a request");
    message(&descriptor, entropy, 0)
}

fn message(descriptor: &MessageDescriptor, entropy: &mut Entropy<'_>, mut depth: u32) -> DynamicMessage {
    if descriptor.name() == "AnyValue" {
        depth += 1;
    }
    let mut message = DynamicMessage::new(descriptor.clone());
    for group in descriptor.oneofs() {
        let members: Vec<_> = group.fields().collect();
        if let Some(field) = members.get(entropy.below(members.len() + 1)) {
            let nests = matches!(field.name(), "array_value" | "kvlist_value");
            if !nests || depth < 24 {
                message.set_field(field, value(field, entropy, depth));
            }
        }
    }
    for field in descriptor.fields().filter(|field| field.containing_oneof().is_none()) {
        if field.is_list() {
            let values = (0..entropy.below(4)).map(|_| value(&field, entropy, depth)).collect();
            message.set_field(&field, Value::List(values));
        } else if entropy.below(3) > 0 {
            message.set_field(&field, value(&field, entropy, depth));
        }
    }
    message
}

fn value(field: &FieldDescriptor, entropy: &mut Entropy<'_>, depth: u32) -> Value {
    match field.kind() {
        Kind::Double => Value::F64(double(entropy)),
        Kind::Fixed64 | Kind::Uint64 => Value::U64(entropy.bits()),
        Kind::Fixed32 | Kind::Uint32 => Value::U32(entropy.bits() as u32),
        Kind::Int32 | Kind::Sint32 => Value::I32(entropy.bits() as i32),
        Kind::Int64 | Kind::Sfixed64 => Value::I64(entropy.bits() as i64),
        Kind::Bool => Value::Bool(entropy.below(2) == 1),
        Kind::Enum(_) if entropy.below(4) == 0 => Value::EnumNumber(entropy.bits() as i32),
        Kind::Enum(names) => Value::EnumNumber(entropy.below(names.values().len()) as i32),
        Kind::String => Value::String(text(entropy)),
        Kind::Bytes => {
            let length = match field.name() {
                "trace_id" | "profile_id" => 16 * entropy.below(2),
                "span_id" | "parent_span_id" => 8 * entropy.below(2),
                _ => entropy.below(40),
            };
            Value::Bytes(entropy.bytes(length).into())
        }
        Kind::Message(descriptor) => Value::Message(message(&descriptor, entropy, depth)),
        other => panic!("OTLP has no field of type {other:?}"),
    }
}

fn double(entropy: &mut Entropy<'_>) -> f64 {
    const SPECIAL: [f64; 8] =
        [0.0, -0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN_POSITIVE, 9_007_199_254_740_993.0];
    let random = f64::from_bits(entropy.bits());
    match SPECIAL.get(entropy.below(16)) {
        Some(&special) => special,
        None if random.is_nan() => f64::NAN,
        None => random,
    }
}

fn text(entropy: &mut Entropy<'_>) -> String {
    const TEXTS: [&str; 8] =
        ["", "service.name", "grün", "\u{10ffff}", "\"\\/\u{8}\u{0}\n", "日本語のテキスト", "host.name", "a"];
    if let Some(&text) = TEXTS.get(entropy.below(12)) {
        return text.to_owned();
    }
    let length = entropy.below(200);
    (0..length).map(|_| char::from(entropy.byte())).collect()
}

/// The message in JSON, spelled one way or another.
pub(super) fn json(message: &DynamicMessage, entropy: &mut Entropy<'_>) -> String {
    let mut members = Vec::new();
    for (field, value) in message.fields() {
        let name = if entropy.below(4) == 1 { field.name() } else { field.json_name() };
        let text = match value.as_list() {
            Some(values) => {
                let values: Vec<_> = values.iter().map(|value| json_value(&field, value, entropy)).collect();
                format!("[{}]", values.join(","))
            }
            None => json_value(&field, value, entropy),
        };
        members.push(format!("\"{name}\":{text}"));
        if entropy.below(8) == 1 {
            members.push(format!("\"unknown_{}\":[{{\"a\":[null,1e999,\"\"]}}]", members.len()));
        }
    }
    for field in message.descriptor().fields().filter(|field| !message.has_field(field)) {
        if entropy.below(8) == 1 {
            members.push(format!("\"{}\":null", field.json_name()));
        }
    }
    format!("{{{}}}", members.join(" ,\n"))
}

fn json_value(field: &FieldDescriptor, value: &Value, entropy: &mut Entropy<'_>) -> String {
    match (value, field.kind()) {
        (Value::Message(message), _) => json(message, entropy),
        (Value::Bool(bool), _) => bool.to_string(),
        (Value::String(text), _) => serde_json::to_string(text).expect("a string"),
        (Value::I32(int), _) => quoted_or_not(int, entropy),
        (Value::I64(int), _) => quoted_or_not(int, entropy),
        (Value::U32(int), _) => quoted_or_not(int, entropy),
        (Value::U64(int), _) => quoted_or_not(int, entropy),
        (Value::F64(double), _) if double.is_nan() => "\"NaN\"".to_owned(),
        (Value::F64(double), _) if double.is_infinite() => {
            format!("\"{}Infinity\"", if double.is_sign_negative() { "-" } else { "" })
        }
        (Value::F64(double), _) => quoted_or_not(&serde_json::to_string(double).expect("a number"), entropy),
        (Value::EnumNumber(number), Kind::Enum(names)) => match names.get_value(*number) {
            Some(name) if entropy.below(2) == 1 => format!("\"{}\"", name.name()),
            _ => number.to_string(),
        },
        (Value::Bytes(bytes), _) => {
            let is_profile_id = field.name() == "profile_id" && entropy.below(2) == 1;
            let text = if is_profile_id || matches!(field.name(), "trace_id" | "span_id" | "parent_span_id") {
                let digits: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                if entropy.below(2) == 1 { digits.concat().to_uppercase() } else { digits.concat() }
            } else {
                [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD][entropy.below(4)].encode(bytes)
            };
            format!("\"{text}\"")
        }
        (value, kind) => panic!("{value:?} is no value of {kind:?}"),
    }
}

fn quoted_or_not(number: &impl ToString, entropy: &mut Entropy<'_>) -> String {
    let number = number.to_string();
    if entropy.below(2) == 1 { format!("\"{number}\"") } else { number }
}

/// One local damage.
#[derive(Clone, Copy, Debug)]
pub(super) enum Mutation {
    Set(usize, u8),
    Flip(usize, u8),
    Insert(usize, u8),
    Remove(usize, usize),
    Repeat(usize, usize),
    Truncate(usize),
}

pub(super) fn mutations() -> impl Strategy<Value = Vec<Mutation>> {
    let at = any::<usize>;
    prop::collection::vec(
        prop_oneof![
            (at(), any::<u8>()).prop_map(|(at, byte)| Mutation::Set(at, byte)),
            (at(), 0..8_u8).prop_map(|(at, bit)| Mutation::Flip(at, 1 << bit)),
            (at(), any::<u8>()).prop_map(|(at, byte)| Mutation::Insert(at, byte)),
            (at(), 1..20_usize).prop_map(|(at, count)| Mutation::Remove(at, count)),
            (at(), 1..40_usize).prop_map(|(at, count)| Mutation::Repeat(at, count)),
            at().prop_map(Mutation::Truncate),
        ],
        1..4,
    )
}

pub(super) fn mutate(bytes: &mut Vec<u8>, mutations: &[Mutation]) {
    for &mutation in mutations {
        let length = bytes.len();
        let place = |at: usize| at % (length + 1);
        match mutation {
            Mutation::Set(at, byte) => bytes.iter_mut().skip(place(at)).take(1).for_each(|old| *old = byte),
            Mutation::Flip(at, bit) => bytes.iter_mut().skip(place(at)).take(1).for_each(|old| *old ^= bit),
            Mutation::Insert(at, byte) => bytes.insert(place(at), byte),
            Mutation::Remove(at, count) => drop(bytes.drain(place(at)..length.min(place(at) + count))),
            Mutation::Repeat(at, count) => bytes.extend_from_within(place(at)..length.min(place(at) + count)),
            Mutation::Truncate(at) => bytes.truncate(place(at)),
        }
    }
}
