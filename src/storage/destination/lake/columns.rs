//! Columns under construction: what the builders of Arrow lack for the lake's schema.

use std::sync::Arc;

use arrow_array::builder::{ArrayBuilder, StringBuilder};
use arrow_array::types::{Float64Type, Int32Type, Int64Type, TimestampNanosecondType, UInt32Type, UInt64Type};
use arrow_array::{ArrayRef, ArrowPrimitiveType, ListArray, PrimitiveArray, StructArray};
use arrow_buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{Field, FieldRef};

use super::LakeError;

/// A finished column of a batch or a field of a struct.
pub(super) struct Column {
    /// What it is and whether it may be null.
    pub(super) field: FieldRef,
    /// Its values.
    pub(super) array: ArrayRef,
}

impl Column {
    /// A column in which every row has a value.
    pub(super) fn required(name: &str, array: ArrayRef) -> Self {
        Self { field: Arc::new(Field::new(name, array.data_type().clone(), false)), array }
    }

    /// A column that may be null.
    pub(super) fn optional(name: &str, array: ArrayRef) -> Self {
        Self { field: Arc::new(Field::new(name, array.data_type().clone(), true)), array }
    }
}

/// Values that are being collected, for a column or for the elements of a list.
pub(super) trait Values: Default {
    /// How many there are.
    fn count(&self) -> usize;

    /// An array of all of them. They stay.
    fn array(&self) -> Result<ArrayRef, LakeError>;
}

impl<B: ArrayBuilder + Default> Values for B {
    fn count(&self) -> usize {
        self.len()
    }

    fn array(&self) -> Result<ArrayRef, LakeError> {
        Ok(self.finish_cloned())
    }
}

/// Numbers none of which is null.
pub(super) struct Numbers<T: ArrowPrimitiveType>(pub(super) Vec<T::Native>);

pub(super) type UInt32s = Numbers<UInt32Type>;
pub(super) type UInt64s = Numbers<UInt64Type>;
pub(super) type Int32s = Numbers<Int32Type>;
pub(super) type Int64s = Numbers<Int64Type>;
pub(super) type Float64s = Numbers<Float64Type>;

impl<T: ArrowPrimitiveType> Default for Numbers<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: ArrowPrimitiveType> Numbers<T> {
    pub(super) fn push(&mut self, number: T::Native) {
        self.0.push(number);
    }
}

impl<T: ArrowPrimitiveType> Values for Numbers<T> {
    fn count(&self) -> usize {
        self.0.len()
    }

    fn array(&self) -> Result<ArrayRef, LakeError> {
        Ok(Arc::new(PrimitiveArray::<T>::new(self.0.clone().into(), None)))
    }
}

/// Instants for people: a `Timestamp(ns, UTC)` that is null where the nanoseconds are 0 (OTLP's «unknown») or beyond the
/// year 2262.
#[derive(Default)]
pub(super) struct Times(Vec<Option<i64>>);

impl Times {
    pub(super) fn push(&mut self, unix_nano: u64) {
        self.0.push(i64::try_from(unix_nano).ok().filter(|nanos| *nanos != 0));
    }
}

impl Values for Times {
    fn count(&self) -> usize {
        self.0.len()
    }

    fn array(&self) -> Result<ArrayRef, LakeError> {
        Ok(Arc::new(self.0.iter().copied().collect::<PrimitiveArray<TimestampNanosecondType>>().with_timezone("UTC")))
    }
}

/// A list per row.
#[derive(Default)]
pub(super) struct Lists<V> {
    /// The elements of all rows; those of the row under construction are at the end.
    pub(super) values: V,
    ends: Vec<i32>,
    present: Vec<bool>,
}

impl<V: Values> Lists<V> {
    /// Ends a row: its list is what was added to `values` since the row before.
    pub(super) fn close(&mut self) -> Result<(), LakeError> {
        self.close_as(true)
    }

    /// Ends a row; it has no list where `present` is false, and nothing may have been added then.
    pub(super) fn close_as(&mut self, present: bool) -> Result<(), LakeError> {
        self.ends.push(position(self.values.count())?);
        self.present.push(present);
        Ok(())
    }
}

impl<V: Values> Values for Lists<V> {
    fn count(&self) -> usize {
        self.ends.len()
    }

    fn array(&self) -> Result<ArrayRef, LakeError> {
        let values = self.values.array()?;
        let offsets: Vec<i32> = std::iter::once(0).chain(self.ends.iter().copied()).collect();
        let nulls = self.present.contains(&false).then(|| NullBuffer::from(self.present.as_slice()));
        let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
        Ok(Arc::new(ListArray::try_new(element(&values), offsets, values, nulls)?))
    }
}

/// The field of a list's elements, named as the Parquet specification wants it.
pub(super) fn element(values: &ArrayRef) -> FieldRef {
    Arc::new(Field::new("element", values.data_type().clone(), true))
}

/// A struct of `columns`, null where `nulls` says so.
pub(super) fn structure(columns: Vec<Column>, nulls: Option<NullBuffer>) -> Result<ArrayRef, LakeError> {
    let (fields, arrays): (Vec<_>, Vec<_>) = columns.into_iter().map(|column| (column.field, column.array)).unzip();
    Ok(Arc::new(StructArray::try_new(fields.into(), arrays, nulls)?))
}

/// A position in an array, as the offsets of Arrow hold it.
pub(super) fn position(count: usize) -> Result<i32, LakeError> {
    i32::try_from(count).map_err(|_| LakeError::TooLarge)
}

/// Appends an id as lower-case hexadecimal, null where it is empty: protobuf does not tell «empty» from «not set».
pub(super) fn append_id(column: &mut StringBuilder, id: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    if id.is_empty() {
        column.append_null();
        return;
    }
    let digit = |half: u8| char::from(DIGITS[usize::from(half)]);
    let text: String = id.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect();
    column.append_value(text);
}

/// Appends the name of an enumeration's value, or its number as text where `names` has none.
pub(super) fn append_name(column: &mut StringBuilder, names: &[&str], number: i32) {
    match usize::try_from(number).ok().and_then(|index| names.get(index)) {
        Some(name) => column.append_value(name),
        None => column.append_value(number.to_string()),
    }
}
