//! Single values: what JSON writes as a number, a string or a boolean.

use std::fmt;

use base64::Engine;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, Visitor};

use crate::otlp::schema::{Field, Kind, Label};

use super::{Context, Expected};

/// One value that is no message. Gives whether there was one: `null` is the same as nothing.
pub(super) struct ScalarSeed<'c, 'l> {
    pub(super) context: &'c mut Context<'l>,
    pub(super) field: &'static Field,
    pub(super) form: Form,
}

/// How a value is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// The value of a field that has at most one; left out where that means the same.
    Alone,
    /// One of many, each with its own key.
    Element,
    /// One of many numbers behind one key.
    Packed,
}

/// The wire type of a value.
pub(super) const fn wire_type(kind: Kind) -> u8 {
    match kind {
        Kind::Int32 | Kind::Int64 | Kind::Uint32 | Kind::Uint64 | Kind::Sint32 | Kind::Bool | Kind::Enum(_) => 0,
        Kind::Double | Kind::Fixed64 | Kind::Sfixed64 => 1,
        Kind::String | Kind::Bytes | Kind::TraceId | Kind::SpanId | Kind::ProfileId | Kind::Message(_) => 2,
        Kind::Fixed32 => 5,
    }
}

impl<'de> DeserializeSeed<'de> for ScalarSeed<'_, '_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for ScalarSeed<'_, '_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.field.kind {
            Kind::Double => f.write_str("a number, \"NaN\", \"Infinity\" or \"-Infinity\""),
            Kind::Bool => f.write_str("true or false"),
            Kind::String => f.write_str("a string"),
            Kind::Bytes => f.write_str("a string of base64"),
            Kind::TraceId => f.write_str("a string of 32 hexadecimal digits"),
            Kind::SpanId => f.write_str("a string of 16 hexadecimal digits"),
            Kind::ProfileId => f.write_str("16 bytes as a string of hexadecimal digits or base64"),
            Kind::Enum(_) => f.write_str("the number or name of a value of the enumeration"),
            Kind::Message(message) => f.write_str(message.name),
            kind => match range(kind) {
                Some((least, greatest)) => write!(f, "an integer from {least} to {greatest}, as a number or a string"),
                None => f.write_str("an integer"),
            },
        }
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_bool<E: Error>(mut self, value: bool) -> Result<bool, E> {
        let fits = matches!(self.field.kind, Kind::Bool).then(|| self.put_varint(u64::from(value)));
        self.done(fits)
    }

    #[expect(clippy::cast_precision_loss, reason = "an integer is a number too, and becomes the nearest one")]
    fn visit_i64<E: Error>(mut self, value: i64) -> Result<bool, E> {
        let fits = self.put_number(i128::from(value), value as f64);
        self.done(fits)
    }

    #[expect(clippy::cast_precision_loss, reason = "an integer is a number too, and becomes the nearest one")]
    fn visit_u64<E: Error>(mut self, value: u64) -> Result<bool, E> {
        let fits = self.put_number(i128::from(value), value as f64);
        self.done(fits)
    }

    fn visit_f64<E: Error>(mut self, value: f64) -> Result<bool, E> {
        let fits = match self.field.kind {
            Kind::Double => {
                self.put_double(value);
                Some(())
            }
            _ => exact_integer(value).and_then(|value| self.put_integer(value)),
        };
        self.done(fits)
    }

    fn visit_str<E: Error>(mut self, text: &str) -> Result<bool, E> {
        let fits = self.put_text(text);
        self.done(fits)
    }
}

/// The methods that give an option give `None` where the value is none of the field's type.
impl ScalarSeed<'_, '_> {
    fn done<E: Error>(self, fits: Option<()>) -> Result<bool, E> {
        if fits.is_none() {
            return Err(E::custom(Expected(&self)));
        }
        self.context.check_size()?;
        Ok(true)
    }

    fn put_text(&mut self, text: &str) -> Option<()> {
        match self.field.kind {
            Kind::String => self.put_bytes(text.as_bytes()),
            Kind::TraceId | Kind::SpanId | Kind::ProfileId if text.is_empty() => self.put_bytes(&[]),
            Kind::TraceId => self.put_bytes(&hexadecimal::<16>(text)?),
            Kind::SpanId => self.put_bytes(&hexadecimal::<8>(text)?),
            Kind::ProfileId => self.put_bytes(&profile_id(text)?),
            Kind::Bytes => self.put_bytes(&base64(text)?),
            Kind::Double => self.put_double(double(text)?),
            Kind::Enum(names) => {
                let &(_, number) = names.iter().find(|&&(name, _)| name == text)?;
                return self.put_integer(i128::from(number));
            }
            Kind::Bool | Kind::Message(_) => return None,
            _ => return self.put_integer(integer(text)?),
        }
        Some(())
    }

    fn put_number(&mut self, integer: i128, double: f64) -> Option<()> {
        match self.field.kind {
            Kind::Double => {
                self.put_double(double);
                Some(())
            }
            _ => self.put_integer(integer),
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the value is in the kind's range, and in two's complement its lowest bits are the same at every width"
    )]
    fn put_integer(&mut self, value: i128) -> Option<()> {
        let (least, greatest) = range(self.field.kind)?;
        if !(least..=greatest).contains(&value) {
            return None;
        }
        let bits = value as u64;
        match self.field.kind {
            Kind::Fixed64 | Kind::Sfixed64 => self.put_fixed(bits == 0, &bits.to_le_bytes()),
            Kind::Fixed32 => self.put_fixed(bits == 0, &(bits as u32).to_le_bytes()),
            Kind::Sint32 => self.put_varint(zigzag(value as i32)),
            _ => self.put_varint(bits),
        }
        Some(())
    }

    fn put_double(&mut self, value: f64) {
        self.put_fixed(value.to_bits() == 0, &value.to_le_bytes());
    }

    fn put_fixed(&mut self, is_default: bool, bytes: &[u8]) {
        if self.begin(is_default) {
            self.context.output.put(bytes);
        }
    }

    fn put_varint(&mut self, value: u64) {
        if self.begin(value == 0) {
            self.context.output.varint(value);
        }
    }

    fn put_bytes(&mut self, bytes: &[u8]) {
        if self.begin(bytes.is_empty()) {
            self.context.output.varint(bytes.len() as u64);
            self.context.output.put(bytes);
        }
    }

    /// Writes the key, if there has to be one, and tells whether the value has to be written.
    fn begin(&mut self, is_default: bool) -> bool {
        if self.form == Form::Alone && self.field.label == Label::Single && is_default {
            return false;
        }
        if self.form != Form::Packed {
            self.context.output.key(self.field.number, wire_type(self.field.kind));
        }
        true
    }
}

/// The least and the greatest integer of `kind`, if it is one of integers.
const fn range(kind: Kind) -> Option<(i128, i128)> {
    match kind {
        Kind::Int32 | Kind::Sint32 | Kind::Enum(_) => Some((i32::MIN as i128, i32::MAX as i128)),
        Kind::Uint32 | Kind::Fixed32 => Some((0, u32::MAX as i128)),
        Kind::Int64 | Kind::Sfixed64 => Some((i64::MIN as i128, i64::MAX as i128)),
        Kind::Uint64 | Kind::Fixed64 => Some((0, u64::MAX as i128)),
        _ => None,
    }
}

/// The zigzag form of `value`: small also where it is negative.
const fn zigzag(value: i32) -> u64 {
    (value << 1 ^ value >> 31).cast_unsigned() as u64
}

/// An integer in a string, in any notation of JSON.
fn integer(text: &str) -> Option<i128> {
    let plain = if begins_like_a_number(text) { text.parse().ok() } else { None };
    plain.or_else(|| scientific(text))
}

/// An integer with a fraction or an exponent, digit by digit: `1.5e3` is one, `1.5` is not.
#[cold]
fn scientific(text: &str) -> Option<i128> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
    let (mantissa, exponent) = match digits.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (digits, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').map_or((mantissa, None), |(whole, rest)| (whole, Some(rest)));
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(whole) || !fraction.is_none_or(is_digits) {
        return None;
    }
    let fraction = fraction.unwrap_or_default().trim_end_matches('0');
    let places = exponent.checked_sub(i32::try_from(fraction.len()).ok()?)?;
    let value: i128 = format!("{whole}{fraction}").parse().ok()?;
    let value = match u32::try_from(places) {
        _ if value == 0 => 0,
        Ok(places) => value.checked_mul(10_i128.checked_pow(places)?)?,
        Err(_) => exact_quotient(value, 10_i128.checked_pow(places.unsigned_abs())?)?,
    };
    Some(if negative { -value } else { value })
}

fn exact_quotient(value: i128, divisor: i128) -> Option<i128> {
    (value % divisor == 0).then_some(value / divisor)
}

/// A number in a string, in the notation of JSON, or one of the three that JSON has no notation for.
fn double(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ if begins_like_a_number(text) => text.parse().ok().filter(|value: &f64| value.is_finite()),
        _ => None,
    }
}

/// Keeps out what Rust reads as a number and JSON does not: `+1`, `.5`, `inf`, `-infinity`.
fn begins_like_a_number(text: &str) -> bool {
    text.strip_prefix('-').unwrap_or(text).starts_with(|c: char| c.is_ascii_digit())
}

/// The integer that `value` is, if it is one beyond doubt: from 2^53 on, several integers share one floating-point number.
#[expect(clippy::cast_possible_truncation, reason = "it has no fraction and 53 bits")]
fn exact_integer(value: f64) -> Option<i128> {
    (value.fract() == 0.0 && value.abs() < 9_007_199_254_740_992.0).then_some(value as i128)
}

fn hexadecimal<const N: usize>(text: &str) -> Option<[u8; N]> {
    let (digits, rest) = text.as_bytes().as_chunks::<2>();
    if digits.len() != N || !rest.is_empty() {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, &[high, low]) in bytes.iter_mut().zip(digits) {
        *byte = digit(high)? << 4 | digit(low)?;
    }
    Some(bytes)
}

pub(super) const fn digit(character: u8) -> Option<u8> {
    match character {
        b'0'..=b'9' => Some(character - b'0'),
        b'a'..=b'f' => Some(character - b'a' + 10),
        b'A'..=b'F' => Some(character - b'A' + 10),
        _ => None,
    }
}

/// OTLP names only trace and span ids as hexadecimal, which makes this one base64; senders are found that write the other.
/// The two differ in length.
fn profile_id(text: &str) -> Option<[u8; 16]> {
    hexadecimal(text).or_else(|| base64(text)?.try_into().ok())
}

/// Base64 in either alphabet, padded or not.
fn base64(text: &str) -> Option<Vec<u8>> {
    const LENIENT: GeneralPurposeConfig =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    const PLAIN: GeneralPurpose = GeneralPurpose::new(&STANDARD, LENIENT);
    const URL: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, LENIENT);
    let engine = if text.contains(['-', '_']) { &URL } else { &PLAIN };
    engine.decode(text).ok()
}
