//! Columns whose value stays the same over many rows: read once, referred to by each row.
//!
//! The values are kept when a batch is written in the middle of a record, so that the rows to come can still refer to
//! them; they are dropped at the start of the next record.

use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, DictionaryArray, Int32Array, ListViewArray};
use arrow_buffer::{NullBuffer, ScalarBuffer};

use super::LakeError;
use super::columns::{Values, element, position};

/// Text, encoded as a dictionary.
#[derive(Default)]
pub(super) struct RepeatedText {
    values: StringBuilder,
    current: Option<i32>,
    rows: Vec<Option<i32>>,
}

impl RepeatedText {
    /// The value of the rows to come.
    pub(super) fn set(&mut self, text: Option<&str>) -> Result<(), LakeError> {
        self.current = match text {
            Some(text) => {
                let index = position(self.values.count())?;
                self.values.append_value(text);
                Some(index)
            }
            None => None,
        };
        Ok(())
    }

    /// Ends a row.
    pub(super) fn repeat(&mut self) {
        self.rows.push(self.current);
    }

    /// Drops the rows, and the values too where no row to come refers to them.
    pub(super) fn clear(&mut self, values: bool) {
        self.rows.clear();
        if values {
            *self = Self::default();
        }
    }

    /// The column.
    pub(super) fn array(&self) -> Result<ArrayRef, LakeError> {
        let keys = Int32Array::from(self.rows.clone());
        Ok(Arc::new(DictionaryArray::<Int32Type>::try_new(keys, Arc::new(self.values.finish_cloned()))?))
    }
}

/// Lists of `V`; rows refer to stretches of the same elements.
#[derive(Default)]
pub(super) struct RepeatedLists<V> {
    /// The elements.
    pub(super) values: V,
    current: Stretch,
    rows: Stretches,
}

impl<V: Values> RepeatedLists<V> {
    /// The value of the rows to come: what was added to `values` since it counted `start`; none without a `start`.
    pub(super) fn set(&mut self, start: Option<usize>) -> Result<(), LakeError> {
        self.current = start.map_or(Ok(None), |start| self.since(start))?;
        Ok(())
    }

    /// What was added to `values` since it counted `start`, for rows to refer to.
    pub(super) fn since(&self, start: usize) -> Result<Stretch, LakeError> {
        stretch(start, self.values.count())
    }

    /// Ends a row.
    pub(super) fn repeat(&mut self) {
        self.rows.refer(self.current);
    }

    /// Ends a row with this list instead of the current one.
    pub(super) fn refer(&mut self, stretch: Stretch) {
        self.rows.refer(stretch);
    }

    /// Drops the rows, and the values too where no row to come refers to them.
    pub(super) fn clear(&mut self, values: bool) {
        self.rows.clear();
        if values {
            *self = Self::default();
        }
    }

    /// The column.
    pub(super) fn array(&self) -> Result<ArrayRef, LakeError> {
        self.rows.array(self.values.array()?)
    }
}

/// Where a list begins among the elements and how long it is; `None`: there is no list.
pub(super) type Stretch = Option<(i32, i32)>;

/// The stretch from `start` to `end`.
pub(super) fn stretch(start: usize, end: usize) -> Result<Stretch, LakeError> {
    Ok(Some((position(start)?, position(end - start)?)))
}

/// A stretch per row.
#[derive(Default)]
pub(super) struct Stretches(Vec<Stretch>);

impl Stretches {
    /// Ends a row.
    pub(super) fn refer(&mut self, stretch: Stretch) {
        self.0.push(stretch);
    }

    /// Drops the rows.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// The column of lists of these elements.
    pub(super) fn array(&self, values: ArrayRef) -> Result<ArrayRef, LakeError> {
        let (starts, lengths): (Vec<i32>, Vec<i32>) = self.0.iter().map(|row| row.unwrap_or_default()).unzip();
        let nulls: NullBuffer = self.0.iter().map(Option::is_some).collect();
        let (starts, lengths) = (ScalarBuffer::from(starts), ScalarBuffer::from(lengths));
        Ok(Arc::new(ListViewArray::try_new(element(&values), starts, lengths, values, Some(nulls))?))
    }
}
