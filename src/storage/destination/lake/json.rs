//! Arrays and key-value lists as text: the ProtoJSON of `AnyValue`, from which every type can be read back.
//!
//! 64-bit integers are strings, bytes are base64, doubles that are not finite are `"NaN"`, `"Infinity"` and `"-Infinity"`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::LakeError;
use super::attributes::{AnyValue, KeyValue};
use super::dictionary::Strings;
use super::fields::bytes;
use crate::otlp::wire::Reader;

/// Deeper nesting than the scan lets through, and far from the end of the stack.
const MAX_DEPTH: usize = 32;

/// The ProtoJSON of `value`.
pub(super) fn json(value: &AnyValue<'_>, strings: &Strings) -> Result<String, LakeError> {
    let mut writer = Writer { out: String::new(), strings };
    writer.any_value(value, MAX_DEPTH)?;
    Ok(writer.out)
}

struct Writer<'s> {
    out: String,
    strings: &'s Strings,
}

impl Writer<'_> {
    fn any_value(&mut self, value: &AnyValue<'_>, depth: usize) -> Result<(), LakeError> {
        let depth = depth.checked_sub(1).ok_or(LakeError::Depth)?;
        match value {
            AnyValue::Empty => self.out.push_str("{}"),
            AnyValue::Text(text) => self.string_member("stringValue", text),
            AnyValue::Bool(value) => self.out.push_str(&format!("{{\"boolValue\":{value}}}")),
            AnyValue::Int(value) => self.out.push_str(&format!("{{\"intValue\":\"{value}\"}}")),
            // The debug form is the shortest text that reads back as the same double, with an exponent where it is long.
            AnyValue::Double(value) if value.is_finite() => {
                self.out.push_str(&format!("{{\"doubleValue\":{value:?}}}"));
            }
            AnyValue::Double(value) if value.is_nan() => self.string_member("doubleValue", "NaN"),
            AnyValue::Double(value) if *value > 0.0 => self.string_member("doubleValue", "Infinity"),
            AnyValue::Double(_) => self.string_member("doubleValue", "-Infinity"),
            AnyValue::Bytes(value) => self.string_member("bytesValue", &STANDARD.encode(value)),
            AnyValue::TextIndex(index) => match self.strings.get(*index) {
                Some(text) => self.string_member("stringValue", text),
                None => self.out.push_str(&format!("{{\"stringValueStrindex\":{index}}}")),
            },
            AnyValue::Array(values) => {
                self.values("arrayValue", values, |writer, value| writer.any_value(&AnyValue::read(value)?, depth))?;
            }
            AnyValue::KeyValueList(values) => {
                self.values("kvlistValue", values, |writer, value| writer.key_value(value, depth))?;
            }
        }
        Ok(())
    }

    /// The repeated field 1, `values`, of the message in `list`.
    fn values(
        &mut self,
        name: &str,
        list: &[u8],
        mut each: impl FnMut(&mut Self, &[u8]) -> Result<(), LakeError>,
    ) -> Result<(), LakeError> {
        self.out.push_str(&format!("{{\"{name}\":{{\"values\":["));
        let mut reader = Reader::new(list);
        let mut first = true;
        while let Some((number, value)) = reader.field()? {
            if number == 1 {
                if !first {
                    self.out.push(',');
                }
                first = false;
                each(self, bytes(value)?)?;
            }
        }
        self.out.push_str("]}}");
        Ok(())
    }

    fn key_value(&mut self, bytes: &[u8], depth: usize) -> Result<(), LakeError> {
        let pair = KeyValue::read(bytes)?;
        self.out.push_str("{\"key\":");
        self.string(pair.key(self.strings).unwrap_or_default());
        if pair.key(self.strings).is_none() {
            self.out.push_str(&format!(",\"keyStrindex\":{}", pair.key_index));
        }
        if let Some(value) = pair.value.get() {
            self.out.push_str(",\"value\":");
            self.any_value(&AnyValue::read(value)?, depth)?;
        }
        self.out.push('}');
        Ok(())
    }

    /// An object whose only member is a string.
    fn string_member(&mut self, name: &str, text: &str) {
        self.out.push_str(&format!("{{\"{name}\":"));
        self.string(text);
        self.out.push('}');
    }

    fn string(&mut self, text: &str) {
        self.out.push('"');
        for character in text.chars() {
            match character {
                '"' => self.out.push_str("\\\""),
                '\\' => self.out.push_str("\\\\"),
                '\n' => self.out.push_str("\\n"),
                '\r' => self.out.push_str("\\r"),
                '\t' => self.out.push_str("\\t"),
                control if control < ' ' => self.out.push_str(&format!("\\u{:04x}", u32::from(control))),
                other => self.out.push(other),
            }
        }
        self.out.push('"');
    }
}
