//! The tables that a profiles request shares among its profiles, and the columns that refer to its texts.

use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, DictionaryArray, Int32Array};

use super::LakeError;
use super::attributes::Attributes;
use super::columns::{Column, Values, position, structure};
use super::fields::{Merged, bytes, int32, int32s, int64, text, uint64};
use crate::otlp::wire::Reader;

/// A string table. That of the other signals is empty.
#[derive(Default)]
pub(super) struct Strings(Vec<String>);

impl Strings {
    /// The text at `index`, `None` where there is none.
    pub(super) fn get(&self, index: i32) -> Option<&str> {
        usize::try_from(index).ok().and_then(|index| self.0.get(index)).map(String::as_str)
    }

    fn bytes(&self, index: i32) -> usize {
        self.get(index).map_or(0, str::len)
    }
}

/// The message `ProfilesDictionary`, read once for a request.
#[derive(Default)]
pub(super) struct Dictionary {
    pub(super) strings: Strings,
    pub(super) mappings: Vec<Mapping>,
    pub(super) locations: Vec<Location>,
    pub(super) functions: Vec<Function>,
    pub(super) links: Vec<Link>,
    pub(super) attributes: Vec<KeyValueAndUnit>,
    pub(super) stacks: Vec<Vec<i32>>,
}

/// The message `Mapping`.
#[derive(Default)]
pub(super) struct Mapping {
    pub(super) start: u64,
    pub(super) limit: u64,
    pub(super) offset: u64,
    pub(super) filename: i32,
    pub(super) attributes: Vec<i32>,
}

/// The message `Location`.
#[derive(Default)]
pub(super) struct Location {
    pub(super) mapping: i32,
    pub(super) address: u64,
    pub(super) lines: Vec<Line>,
    pub(super) attributes: Vec<i32>,
}

/// The message `Line`.
#[derive(Default)]
pub(super) struct Line {
    pub(super) function: i32,
    pub(super) number: i64,
    pub(super) column: i64,
}

/// The message `Function`.
#[derive(Default)]
pub(super) struct Function {
    pub(super) name: i32,
    pub(super) system_name: i32,
    pub(super) filename: i32,
    pub(super) start_line: i64,
}

/// The message `Link`.
#[derive(Default)]
pub(super) struct Link {
    pub(super) trace_id: Vec<u8>,
    pub(super) span_id: Vec<u8>,
}

/// The message `KeyValueAndUnit`.
#[derive(Default)]
pub(super) struct KeyValueAndUnit {
    key: i32,
    value: Option<Vec<u8>>,
    unit: i32,
}

impl Dictionary {
    /// Reads the dictionary of an `ExportProfilesServiceRequest`.
    pub(super) fn read(request: &[u8]) -> Result<Self, LakeError> {
        let mut message = Merged::default();
        let mut reader = Reader::new(request);
        while let Some((number, value)) = reader.field()? {
            if number == 2 {
                message.add(value)?;
            }
        }
        let mut dictionary = Self::default();
        let mut reader = Reader::new(message.get().unwrap_or_default());
        while let Some((number, value)) = reader.field()? {
            match number {
                1 => dictionary.mappings.push(Mapping::read(bytes(value)?)?),
                2 => dictionary.locations.push(Location::read(bytes(value)?)?),
                3 => dictionary.functions.push(Function::read(bytes(value)?)?),
                4 => dictionary.links.push(Link::read(bytes(value)?)?),
                5 => dictionary.strings.0.push(text(value)?.to_owned()),
                6 => dictionary.attributes.push(KeyValueAndUnit::read(bytes(value)?)?),
                7 => dictionary.stacks.push(read_stack(bytes(value)?)?),
                _ => {}
            }
        }
        Ok(dictionary)
    }

    /// The length of the text at `index`.
    pub(super) fn text_bytes(&self, index: i32) -> usize {
        self.strings.bytes(index)
    }

    /// About how many bytes the attributes at `indices` are made of.
    pub(super) fn attribute_bytes(&self, indices: &[i32]) -> usize {
        let entries = indices.iter().filter_map(|index| entry(&self.attributes, *index));
        entries
            .map(|entry| {
                let value = entry.value.as_ref().map_or(0, Vec::len);
                16 + self.strings.bytes(entry.key) + self.strings.bytes(entry.unit) + value
            })
            .sum()
    }

    /// About how many bytes a location is made of, without its mapping.
    pub(super) fn location_bytes(&self, location: &Location) -> usize {
        let line = |line: &Line| {
            let function = entry(&self.functions, line.function);
            let texts = function.map_or([0; 3], |function| [function.name, function.system_name, function.filename]);
            32 + texts.into_iter().map(|index| self.strings.bytes(index)).sum::<usize>()
        };
        32 + location.lines.iter().map(line).sum::<usize>() + self.attribute_bytes(&location.attributes)
    }
}

/// Bounds what references expand to: a few bytes can refer to a long value many times.
#[derive(Default)]
pub(super) struct Budget {
    /// What was spent since the values of the batch were dropped.
    pub(super) batch: usize,
    record: usize,
}

impl Budget {
    const RECORD: usize = 256 << 20;

    /// A record begins.
    pub(super) fn start(&mut self) {
        self.record = 0;
    }

    /// Spends `bytes`, which stay in memory until the batch is written and its record has ended.
    pub(super) fn spend(&mut self, bytes: usize) -> Result<(), LakeError> {
        self.batch = self.batch.saturating_add(bytes);
        self.record = self.record.saturating_add(bytes);
        Self::check(self.record)
    }

    /// Whether `bytes` are not too many at once.
    pub(super) fn check(bytes: usize) -> Result<(), LakeError> {
        if bytes > Self::RECORD { Err(LakeError::TooLarge) } else { Ok(()) }
    }
}

/// The entry of a table at an index that a client sent.
pub(super) fn entry<T>(table: &[T], index: i32) -> Option<&T> {
    usize::try_from(index).ok().and_then(|index| table.get(index))
}

impl Mapping {
    fn read(message: &[u8]) -> Result<Self, LakeError> {
        let mut mapping = Self::default();
        let mut reader = Reader::new(message);
        while let Some((number, value)) = reader.field()? {
            match number {
                1 => mapping.start = uint64(value)?,
                2 => mapping.limit = uint64(value)?,
                3 => mapping.offset = uint64(value)?,
                4 => mapping.filename = int32(value)?,
                5 => int32s(value, &mut mapping.attributes)?,
                _ => {}
            }
        }
        Ok(mapping)
    }
}

impl Location {
    fn read(message: &[u8]) -> Result<Self, LakeError> {
        let mut location = Self::default();
        let mut reader = Reader::new(message);
        while let Some((number, value)) = reader.field()? {
            match number {
                1 => location.mapping = int32(value)?,
                2 => location.address = uint64(value)?,
                3 => location.lines.push(Line::read(bytes(value)?)?),
                4 => int32s(value, &mut location.attributes)?,
                _ => {}
            }
        }
        Ok(location)
    }
}

impl Line {
    fn read(message: &[u8]) -> Result<Self, LakeError> {
        let mut line = Self::default();
        let mut reader = Reader::new(message);
        while let Some((number, value)) = reader.field()? {
            match number {
                1 => line.function = int32(value)?,
                2 => line.number = int64(value)?,
                3 => line.column = int64(value)?,
                _ => {}
            }
        }
        Ok(line)
    }
}

impl Function {
    fn read(message: &[u8]) -> Result<Self, LakeError> {
        let mut function = Self::default();
        let mut reader = Reader::new(message);
        while let Some((number, value)) = reader.field()? {
            match number {
                1 => function.name = int32(value)?,
                2 => function.system_name = int32(value)?,
                3 => function.filename = int32(value)?,
                4 => function.start_line = int64(value)?,
                _ => {}
            }
        }
        Ok(function)
    }
}

impl Link {
    fn read(message: &[u8]) -> Result<Self, LakeError> {
        let mut link = Self::default();
        let mut reader = Reader::new(message);
        while let Some((number, value)) = reader.field()? {
            match number {
                1 => link.trace_id = bytes(value)?.to_vec(),
                2 => link.span_id = bytes(value)?.to_vec(),
                _ => {}
            }
        }
        Ok(link)
    }
}

impl KeyValueAndUnit {
    fn read(message: &[u8]) -> Result<Self, LakeError> {
        let (mut key, mut value_message, mut unit) = (0, Merged::default(), 0);
        let mut reader = Reader::new(message);
        while let Some((number, value)) = reader.field()? {
            match number {
                1 => key = int32(value)?,
                2 => value_message.add(value)?,
                3 => unit = int32(value)?,
                _ => {}
            }
        }
        Ok(Self { key, value: value_message.get().map(<[u8]>::to_vec), unit })
    }
}

/// The message `Stack`: positions in the location table.
fn read_stack(message: &[u8]) -> Result<Vec<i32>, LakeError> {
    let mut locations = Vec::new();
    let mut reader = Reader::new(message);
    while let Some((number, value)) = reader.field()? {
        if number == 1 {
            int32s(value, &mut locations)?;
        }
    }
    Ok(locations)
}

/// The texts of the requests whose rows are in the batch, for all columns that refer to them by index.
#[derive(Default)]
pub(super) struct Texts {
    values: StringBuilder,
    base: i32,
    count: i32,
}

impl Texts {
    /// The references to come are to this table.
    pub(super) fn request(&mut self, strings: &Strings) -> Result<(), LakeError> {
        self.base = position(self.values.count())?;
        self.count = position(strings.0.len())?;
        strings.0.iter().for_each(|text| self.values.append_value(text));
        position(self.values.count()).map(|_| ())
    }

    /// The position of the text at `index` of the request's table.
    pub(super) fn index(&self, index: i32) -> Option<i32> {
        (0..self.count).contains(&index).then(|| self.base + index)
    }

    /// The texts themselves.
    pub(super) fn array(&self) -> ArrayRef {
        Arc::new(self.values.finish_cloned())
    }
}

/// The column of the `texts` at `indices`.
pub(super) fn text_column(indices: &[Option<i32>], texts: &ArrayRef) -> Result<ArrayRef, LakeError> {
    let keys = Int32Array::from(indices.to_vec());
    Ok(Arc::new(DictionaryArray::<Int32Type>::try_new(keys, Arc::clone(texts))?))
}

/// Attributes from the attribute table: as others, with a unit.
#[derive(Default)]
pub(super) struct UnitAttributes {
    attributes: Attributes,
    units: StringBuilder,
}

impl UnitAttributes {
    /// Adds the attributes at `indices`; an index that the table does not have adds one without key and value.
    pub(super) fn push(&mut self, indices: &[i32], dictionary: &Dictionary) -> Result<(), LakeError> {
        let strings = &dictionary.strings;
        for index in indices {
            let (key, value, unit) = match entry(&dictionary.attributes, *index) {
                Some(entry) => (strings.get(entry.key), entry.value.as_deref(), strings.get(entry.unit)),
                None => (None, None, None),
            };
            self.attributes.push_parts(key, value, strings)?;
            self.units.append_option(unit);
        }
        Ok(())
    }
}

impl Values for UnitAttributes {
    fn count(&self) -> usize {
        self.attributes.count()
    }

    fn array(&self) -> Result<ArrayRef, LakeError> {
        let mut columns = self.attributes.columns()?;
        columns.push(Column::optional("unit", self.units.array()?));
        structure(columns, None)
    }
}
