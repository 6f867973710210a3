//! OTLP/JSON, translated to the protobuf wire format while it is parsed: no tree and no structs in between.
//!
//! OTLP specification, «JSON Protobuf Encoding»: `ProtoJSON` with hexadecimal trace and span ids, numbers for enumerations, and
//! unknown fields ignored. Where a sender may be forgiven, it is: names of enumeration values are accepted, and fields may
//! be named as in the `.proto` files. What is ambiguous is refused: a field given twice, two members of one `oneof`.

mod error;
mod output;
mod scalar;
mod surrogates;

use std::fmt::{self, Write};

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::domain::{BudgetExceeded, Signal};

use super::scan::ScanLimits;
use super::schema::{self, Field, Kind, Label, Message, Role};
use output::Output;
use scalar::{Form, ScalarSeed, wire_type};

pub use error::JsonError;

/// Translates the Export request of `signal` in `json` to protobuf. `reserve(bytes)` is asked, as the translation grows, for what
/// it takes besides `json` in all.
///
/// # Errors
/// [`JsonError`] tells what is wrong and where.
pub fn to_protobuf(
    signal: Signal,
    json: &[u8],
    limits: &JsonLimits,
    mut reserve: impl FnMut(usize) -> Result<(), BudgetExceeded>,
) -> Result<Vec<u8>, JsonError> {
    if json.is_empty() {
        return Err(JsonError::Empty);
    }
    let json = simdutf8::compat::from_utf8(json).map_err(|error| JsonError::Utf8 { offset: error.valid_up_to() })?;
    let surrogate = surrogates::find(json, 0);
    let copied = surrogate.map_or(0, |_| json.len());
    let mut reserve = |bytes: usize| reserve(copied + bytes);
    // As protobuf it is shorter, unless it is made to be longer.
    let capacity = json.len().min(limits.output);
    reserve(capacity)?;
    let replaced = surrogate.map(|first| surrogates::replaced(json, first));
    let json = replaced.as_deref().unwrap_or(json);
    let mut context = Context {
        output: Output::new(capacity),
        reserved: capacity,
        reserve: &mut reserve,
        limits,
        submessages: 0,
        exceeded: None,
        path: Vec::new(),
    };
    let mut deserializer = serde_json::Deserializer::from_str(json);
    // What is known nests as deep as the schema and the limit on depth allow; what is not, is passed over without recursion.
    deserializer.disable_recursion_limit();
    let root = MessageSeed { context: &mut context, message: schema::request(signal), number: None, depth: 0 };
    match root.deserialize(&mut deserializer).and_then(|_| deserializer.end()) {
        Ok(()) => context.finish(),
        Err(error) => Err(context.error(&error)),
    }
}

/// How much one export in JSON may become.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct JsonLimits {
    /// Bytes of protobuf.
    pub output: usize,
    /// Messages inside the request, of any kind.
    pub submessages: u64,
    /// How deep attribute values may nest; a plain value is 1 deep.
    pub depth: u32,
}

impl JsonLimits {
    /// At most `output` bytes, which the scan then lets through as far as submessages and depth go.
    #[must_use]
    pub const fn new(output: usize, scan: &ScanLimits) -> Self {
        Self { output, submessages: scan.submessages, depth: scan.depth }
    }
}

/// What all parts of the translation share.
struct Context<'c> {
    output: Output,
    /// How much memory of the output is reserved.
    reserved: usize,
    reserve: &'c mut dyn FnMut(usize) -> Result<(), BudgetExceeded>,
    limits: &'c JsonLimits,
    submessages: u64,
    /// The limit that was exceeded, if that is what ended the translation.
    exceeded: Option<JsonError>,
    /// Where an error arose, innermost first: filled while the error travels outwards.
    path: Vec<Segment>,
}

enum Segment {
    Field(&'static str),
    Index(usize),
}

impl Context<'_> {
    fn finish(self) -> Result<Vec<u8>, JsonError> {
        if self.output.len() > self.limits.output {
            return Err(JsonError::TooLarge { limit: self.limits.output });
        }
        // Whole once more, with the lengths put in.
        (self.reserve)(self.output.memory() + self.output.len())?;
        Ok(self.output.into_bytes())
    }

    fn error(self, error: &serde_json::Error) -> JsonError {
        if let Some(exceeded) = self.exceeded {
            return exceeded;
        }
        let mut path = "$".to_owned();
        for segment in self.path.iter().rev() {
            // Writing to a string cannot fail.
            let _ = match segment {
                Segment::Field(name) => write!(path, ".{name}"),
                Segment::Index(index) => write!(path, "[{index}]"),
            };
        }
        let detail = error.to_string();
        if error.is_data() { JsonError::Invalid { path, detail } } else { JsonError::Syntax { path, detail } }
    }

    fn exceed<E: Error>(&mut self, limit: JsonError) -> E {
        let error = E::custom(&limit);
        self.exceeded = Some(limit);
        error
    }

    /// After each value: whether the output is still within its limit, and the memory that it has come to take in the budget.
    fn check_size<E: Error>(&mut self) -> Result<(), E> {
        if self.output.len() > self.limits.output {
            return Err(self.exceed(JsonError::TooLarge { limit: self.limits.output }));
        }
        let memory = self.output.memory();
        if memory > self.reserved {
            if let Err(error) = (self.reserve)(memory) {
                return Err(self.exceed(error.into()));
            }
            self.reserved = memory;
        }
        Ok(())
    }

    /// Adds where an error arose, if it is one.
    fn locate<T, E>(&mut self, result: Result<T, E>, segment: Segment) -> Result<T, E> {
        if result.is_err() {
            self.path.push(segment);
        }
        result
    }
}

/// The methods of a visitor that refuse every value which is no object, array or `null`, without repeating it.
macro_rules! refuse_scalars {
    () => {
        fn visit_bool<E: Error>(self, _: bool) -> Result<bool, E> {
            Err(E::custom(Expected(&self)))
        }

        fn visit_i64<E: Error>(self, _: i64) -> Result<bool, E> {
            Err(E::custom(Expected(&self)))
        }

        fn visit_u64<E: Error>(self, _: u64) -> Result<bool, E> {
            Err(E::custom(Expected(&self)))
        }

        fn visit_f64<E: Error>(self, _: f64) -> Result<bool, E> {
            Err(E::custom(Expected(&self)))
        }

        fn visit_str<E: Error>(self, _: &str) -> Result<bool, E> {
            Err(E::custom(Expected(&self)))
        }
    };
}

struct Expected<'v, V>(&'v V);

impl<'de, V: Visitor<'de>> fmt::Display for Expected<'_, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected ")?;
        self.0.expecting(f)
    }
}

/// One message. Gives whether there was one: `null` is the same as nothing, except as an element of an array.
struct MessageSeed<'c, 'l> {
    context: &'c mut Context<'l>,
    message: &'static Message,
    /// The field that it is the value of; `None`: it is the request.
    number: Option<u32>,
    /// How many attribute values are around it.
    depth: u32,
}

impl<'de> DeserializeSeed<'de> for MessageSeed<'_, '_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for MessageSeed<'_, '_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object ({})", self.message.name)
    }

    refuse_scalars!();

    fn visit_unit<E: Error>(self) -> Result<bool, E> {
        if self.number.is_none() { Err(E::custom(Expected(&self))) } else { Ok(false) }
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<bool, A::Error> {
        let Some(number) = self.number else {
            self.fields(&mut map)?;
            return Ok(true);
        };
        if self.message.role == Role::AnyValue {
            self.depth += 1;
            if self.depth > self.context.limits.depth {
                let limit = self.context.limits.depth;
                return Err(self.context.exceed(JsonError::TooDeep { limit }));
            }
        }
        self.context.submessages += 1;
        if self.context.submessages > self.context.limits.submessages {
            let limit = self.context.limits.submessages;
            return Err(self.context.exceed(JsonError::TooManySubmessages { limit }));
        }
        let open = self.context.output.begin(number);
        self.fields(&mut map)?;
        self.context.output.end(open);
        self.context.check_size()?;
        Ok(true)
    }
}

impl MessageSeed<'_, '_> {
    fn fields<'de, A: MapAccess<'de>>(&mut self, map: &mut A) -> Result<(), A::Error> {
        let mut seen = 0_u32;
        let mut has_member = false;
        while let Some(field) = map.next_key_seed(KeySeed(self.message))? {
            let Some(field) = field else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let segment = || Segment::Field(field.name);
            let bit = 1 << field.number;
            if seen & bit != 0 {
                return self.context.locate(Err(A::Error::custom("the field is there twice")), segment());
            }
            seen |= bit;
            let value = map.next_value_seed(FieldSeed { context: self.context, field, depth: self.depth });
            let is_set = self.context.locate(value, segment())?;
            if is_set && field.label == Label::Member {
                if has_member {
                    let error = A::Error::custom("only one of the fields that exclude each other can be set");
                    return self.context.locate(Err(error), segment());
                }
                has_member = true;
            }
        }
        Ok(())
    }
}

/// The field that a key names, `None` for an unknown one.
struct KeySeed(&'static Message);

impl<'de> DeserializeSeed<'de> for KeySeed {
    type Value = Option<&'static Field>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeySeed {
    type Value = Option<&'static Field>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a field of {}", self.0.name)
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.field_named(name))
    }
}

/// The value of one field, or its values. Gives whether there was one.
struct FieldSeed<'c, 'l> {
    context: &'c mut Context<'l>,
    field: &'static Field,
    depth: u32,
}

impl<'de> DeserializeSeed<'de> for FieldSeed<'_, '_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        let Self { context, field, depth } = self;
        match field.kind {
            _ if field.label == Label::Repeated => deserializer.deserialize_any(Self { context, field, depth }),
            Kind::Message(message) => {
                MessageSeed { context, message, number: Some(field.number), depth }.deserialize(deserializer)
            }
            _ => ScalarSeed { context, field, form: Form::Alone }.deserialize(deserializer),
        }
    }
}

impl<'de> Visitor<'de> for FieldSeed<'_, '_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    refuse_scalars!();

    fn visit_unit<E>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<bool, A::Error> {
        let Self { context, field, depth } = self;
        let is_packed = wire_type(field.kind) != wire_type(Kind::Bytes);
        let open = is_packed.then(|| context.output.begin(field.number));
        for index in 0.. {
            let element = if let Kind::Message(message) = field.kind {
                elements.next_element_seed(MessageSeed { context, message, number: Some(field.number), depth })
            } else {
                let form = if is_packed { Form::Packed } else { Form::Element };
                elements.next_element_seed(ScalarSeed { context, field, form })
            };
            match context.locate(element, Segment::Index(index))? {
                Some(true) => {}
                Some(false) => {
                    let error = A::Error::custom("an element of an array cannot be null");
                    return context.locate(Err(error), Segment::Index(index));
                }
                None => break,
            }
        }
        if let Some(open) = open {
            context.output.end_unless_empty(open);
        }
        context.check_size()?;
        Ok(true)
    }
}
