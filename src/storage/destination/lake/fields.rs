//! Values of protobuf fields as the types that OTLP declares, with the semantics of protobuf's own decoders.

use std::borrow::Cow;

use super::LakeError;
use crate::otlp::wire::{Reader, Value};

/// A singular field that holds a message. Where it occurs more than once the occurrences are merged, which for protobuf is
/// the concatenation of their bytes.
#[derive(Default)]
pub(super) struct Merged<'a>(Option<Cow<'a, [u8]>>);

impl<'a> Merged<'a> {
    /// Adds one occurrence.
    pub(super) fn add(&mut self, value: Value<'a>) -> Result<(), LakeError> {
        let bytes = bytes(value)?;
        match &mut self.0 {
            None => self.0 = Some(Cow::Borrowed(bytes)),
            Some(before) => before.to_mut().extend_from_slice(bytes),
        }
        Ok(())
    }

    /// Drops what was added, as another member of the same `oneof` does.
    pub(super) fn clear(&mut self) {
        self.0 = None;
    }

    /// The merged bytes, `None` where the field did not occur.
    pub(super) fn get(&self) -> Option<&[u8]> {
        self.0.as_deref()
    }

    /// The number of bytes.
    pub(super) fn len(&self) -> usize {
        self.get().map_or(0, <[u8]>::len)
    }
}

/// A message or `bytes`.
pub(super) fn bytes(value: Value<'_>) -> Result<&[u8], LakeError> {
    match value {
        Value::Bytes(bytes) => Ok(bytes),
        _ => Err(LakeError::FieldType),
    }
}

/// A `string`.
pub(super) fn text(value: Value<'_>) -> Result<&str, LakeError> {
    simdutf8::basic::from_utf8(bytes(value)?).map_err(|_| LakeError::Text)
}

/// A `uint64`.
pub(super) fn uint64(value: Value<'_>) -> Result<u64, LakeError> {
    match value {
        Value::Varint(number) => Ok(number),
        _ => Err(LakeError::FieldType),
    }
}

/// A `uint32`: the low 32 bits of what was sent.
pub(super) fn uint32(value: Value<'_>) -> Result<u32, LakeError> {
    uint64(value).map(low_half)
}

/// An `int64`.
pub(super) fn int64(value: Value<'_>) -> Result<i64, LakeError> {
    uint64(value).map(u64::cast_signed)
}

/// An `int32` or an enumeration: the low 32 bits of what was sent.
pub(super) fn int32(value: Value<'_>) -> Result<i32, LakeError> {
    uint32(value).map(u32::cast_signed)
}

/// A `sint32`: the sign is in the lowest bit.
pub(super) fn sint32(value: Value<'_>) -> Result<i32, LakeError> {
    uint32(value).map(|number| (number >> 1).cast_signed() ^ -(number & 1).cast_signed())
}

/// A `bool`.
pub(super) fn boolean(value: Value<'_>) -> Result<bool, LakeError> {
    uint64(value).map(|number| number != 0)
}

/// A `fixed64`.
pub(super) fn fixed64(value: Value<'_>) -> Result<u64, LakeError> {
    match value {
        Value::Fixed64(number) => Ok(number),
        _ => Err(LakeError::FieldType),
    }
}

/// A `fixed32`.
pub(super) fn fixed32(value: Value<'_>) -> Result<u32, LakeError> {
    match value {
        Value::Fixed32(number) => Ok(number),
        _ => Err(LakeError::FieldType),
    }
}

/// A `double`.
pub(super) fn double(value: Value<'_>) -> Result<f64, LakeError> {
    fixed64(value).map(f64::from_bits)
}

/// A `repeated` field of variable-length numbers, packed or not.
pub(super) fn varints(value: Value<'_>, mut each: impl FnMut(u64)) -> Result<(), LakeError> {
    match value {
        Value::Varint(number) => each(number),
        Value::Bytes(packed) => {
            let mut reader = Reader::new(packed);
            while !reader.rest().is_empty() {
                each(reader.varint()?);
            }
        }
        _ => return Err(LakeError::FieldType),
    }
    Ok(())
}

/// A `repeated` field of 64-bit numbers, packed or not.
pub(super) fn fixed64s(value: Value<'_>, mut each: impl FnMut(u64)) -> Result<(), LakeError> {
    match value {
        Value::Fixed64(number) => each(number),
        Value::Bytes(packed) => {
            let (numbers, rest) = packed.as_chunks::<8>();
            if !rest.is_empty() {
                return Err(LakeError::FieldType);
            }
            for number in numbers {
                each(u64::from_le_bytes(*number));
            }
        }
        _ => return Err(LakeError::FieldType),
    }
    Ok(())
}

/// The elements of a packed or unpacked `repeated int32`.
pub(super) fn int32s(value: Value<'_>, into: &mut Vec<i32>) -> Result<(), LakeError> {
    varints(value, |number| into.push(low_half(number).cast_signed()))
}

#[expect(clippy::cast_possible_truncation, reason = "protobuf takes the low 32 bits of a number that is too long")]
const fn low_half(number: u64) -> u32 {
    number as u32
}
