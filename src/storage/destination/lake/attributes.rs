//! Attributes and other values of any type, each in the column of its type.

use std::borrow::Cow;
use std::sync::Arc;

use arrow_array::builder::{BinaryBuilder, BooleanBuilder, Float64Builder, Int64Builder, StringBuilder};
use arrow_array::types::Int8Type;
use arrow_array::{ArrayRef, DictionaryArray, Int8Array, StringArray};

use super::LakeError;
use super::columns::{Column, Values, structure};
use super::dictionary::Strings;
use super::fields::{Merged, boolean, bytes, double, int32, int64, text};
use super::json::json;
use crate::otlp::wire::{Reader, Value};

/// The value of an `AnyValue`, its nested values unread.
pub(super) enum AnyValue<'a> {
    /// None of the fields is set.
    Empty,
    Text(&'a str),
    Bool(bool),
    Int(i64),
    Double(f64),
    /// The message `ArrayValue`.
    Array(Cow<'a, [u8]>),
    /// The message `KeyValueList`.
    KeyValueList(Cow<'a, [u8]>),
    Bytes(&'a [u8]),
    /// A text by its position in the string table of a profiles request.
    TextIndex(i32),
}

impl<'a> AnyValue<'a> {
    /// Reads the message `AnyValue`. The last field wins; where it is a message, occurrences of it in a row are merged.
    pub(super) fn read(message: &'a [u8]) -> Result<Self, LakeError> {
        let mut any = Self::Empty;
        let mut reader = Reader::new(message);
        while let Some((number, value)) = reader.field()? {
            any = match number {
                1 => Self::Text(text(value)?),
                2 => Self::Bool(boolean(value)?),
                3 => Self::Int(int64(value)?),
                4 => Self::Double(double(value)?),
                5 => match any {
                    Self::Array(before) => Self::Array(joined(before, value)?),
                    _ => Self::Array(Cow::Borrowed(bytes(value)?)),
                },
                6 => match any {
                    Self::KeyValueList(before) => Self::KeyValueList(joined(before, value)?),
                    _ => Self::KeyValueList(Cow::Borrowed(bytes(value)?)),
                },
                7 => Self::Bytes(bytes(value)?),
                8 => Self::TextIndex(int32(value)?),
                _ => any,
            };
        }
        Ok(any)
    }
}

fn joined<'a>(mut before: Cow<'a, [u8]>, value: Value<'a>) -> Result<Cow<'a, [u8]>, LakeError> {
    before.to_mut().extend_from_slice(bytes(value)?);
    Ok(before)
}

/// The message `KeyValue`.
#[derive(Default)]
pub(super) struct KeyValue<'a> {
    key: &'a str,
    /// The key's position in the string table of a profiles request; 0: `key` is meant.
    pub(super) key_index: i32,
    /// The message `AnyValue`.
    pub(super) value: Merged<'a>,
}

impl<'a> KeyValue<'a> {
    /// Reads the message.
    pub(super) fn read(message: &'a [u8]) -> Result<Self, LakeError> {
        let mut pair = Self::default();
        let mut reader = Reader::new(message);
        while let Some((number, value)) = reader.field()? {
            match number {
                1 => pair.key = text(value)?,
                2 => pair.value.add(value)?,
                3 => pair.key_index = int32(value)?,
                _ => {}
            }
        }
        Ok(pair)
    }

    /// The key; `None` where it is given by an index that the string table does not have.
    pub(super) fn key<'s>(&'s self, strings: &'s Strings) -> Option<&'s str> {
        if self.key_index == 0 || !self.key.is_empty() { Some(self.key) } else { strings.get(self.key_index) }
    }
}

/// Values of any type: the fields `type`, `string_value`, … of a struct.
#[derive(Default)]
pub(super) struct AnyValues {
    types: Vec<Option<i8>>,
    strings: StringBuilder,
    bools: BooleanBuilder,
    ints: Int64Builder,
    doubles: Float64Builder,
    bytes: BinaryBuilder,
    json: StringBuilder,
}

/// The texts in the field `type`, by number.
const TYPES: [&str; 9] = ["empty", "string", "bool", "int", "double", "bytes", "array", "kvlist", "strindex"];

impl AnyValues {
    /// Adds the message `AnyValue`, or none.
    pub(super) fn push(&mut self, message: Option<&[u8]>, strings: &Strings) -> Result<(), LakeError> {
        let value = message.map(AnyValue::read).transpose()?;
        let (mut string, mut bool, mut int, mut double, mut bytes, mut text) = (None, None, None, None, None, None);
        let kind = match &value {
            None => None,
            Some(AnyValue::Empty) => Some(0),
            Some(AnyValue::Text(value)) => {
                string = Some(*value);
                Some(1)
            }
            Some(AnyValue::Bool(value)) => {
                bool = Some(*value);
                Some(2)
            }
            Some(AnyValue::Int(value)) => {
                int = Some(*value);
                Some(3)
            }
            Some(AnyValue::Double(value)) => {
                double = Some(*value);
                Some(4)
            }
            Some(AnyValue::Bytes(value)) => {
                bytes = Some(*value);
                Some(5)
            }
            Some(any @ AnyValue::Array(_)) => {
                text = Some(json(any, strings)?);
                Some(6)
            }
            Some(any @ AnyValue::KeyValueList(_)) => {
                text = Some(json(any, strings)?);
                Some(7)
            }
            Some(AnyValue::TextIndex(index)) => {
                string = strings.get(*index);
                int = string.is_none().then(|| i64::from(*index));
                Some(if string.is_some() { 1 } else { 8 })
            }
        };
        self.types.push(kind);
        self.strings.append_option(string);
        self.bools.append_option(bool);
        self.ints.append_option(int);
        self.doubles.append_option(double);
        self.bytes.append_option(bytes);
        self.json.append_option(text);
        Ok(())
    }

    /// The fields of the struct.
    pub(super) fn columns(&self) -> Result<Vec<Column>, LakeError> {
        let names = Arc::new(StringArray::from_iter_values(TYPES));
        let types = DictionaryArray::<Int8Type>::try_new(Int8Array::from(self.types.clone()), names)?;
        Ok(vec![
            Column::optional("type", Arc::new(types)),
            Column::optional("string_value", self.strings.array()?),
            Column::optional("bool_value", self.bools.array()?),
            Column::optional("int_value", self.ints.array()?),
            Column::optional("double_value", self.doubles.array()?),
            Column::optional("bytes_value", self.bytes.array()?),
            Column::optional("json_value", self.json.array()?),
        ])
    }
}

impl Values for AnyValues {
    fn count(&self) -> usize {
        self.types.len()
    }

    fn array(&self) -> Result<ArrayRef, LakeError> {
        structure(self.columns()?, None)
    }
}

/// Attributes: structs of a key and a value, in the order in which they were sent.
#[derive(Default)]
pub(super) struct Attributes {
    keys: StringBuilder,
    values: AnyValues,
}

impl Attributes {
    /// Adds the message `KeyValue`.
    pub(super) fn push(&mut self, value: Value<'_>, strings: &Strings) -> Result<(), LakeError> {
        let pair = KeyValue::read(bytes(value)?)?;
        self.push_parts(pair.key(strings), pair.value.get(), strings)
    }

    /// Adds a key and the message `AnyValue`.
    pub(super) fn push_parts(
        &mut self,
        key: Option<&str>,
        value: Option<&[u8]>,
        strings: &Strings,
    ) -> Result<(), LakeError> {
        self.keys.append_option(key);
        self.values.push(value, strings)
    }

    /// The fields of the struct.
    pub(super) fn columns(&self) -> Result<Vec<Column>, LakeError> {
        let mut columns = vec![Column::optional("key", self.keys.array()?)];
        columns.extend(self.values.columns()?);
        Ok(columns)
    }
}

impl Values for Attributes {
    fn count(&self) -> usize {
        self.values.count()
    }

    fn array(&self) -> Result<ArrayRef, LakeError> {
        structure(self.columns()?, None)
    }
}
