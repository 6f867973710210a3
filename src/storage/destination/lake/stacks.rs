//! The stacks of profile samples: lists of frames.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, ListArray};
use arrow_buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};

use super::LakeError;
use super::columns::{Column, Int64s, UInt64s, Values, element, position, structure};
use super::dictionary::{Budget, Dictionary, Location, Texts, UnitAttributes, entry, text_column};
use super::repeated::{RepeatedLists, Stretch, Stretches, stretch};

/// The frames of the rows of a batch. Lines and attributes are read once per location and mapping of the dictionary;
/// frames refer to them.
#[derive(Default)]
pub(super) struct Frames {
    /// The location table of the request.
    locations: Vec<Frame>,
    present: Vec<bool>,
    addresses: UInt64s,
    lines: Lines,
    line_lists: Stretches,
    attributes: RepeatedLists<UnitAttributes>,
    has_mapping: Vec<bool>,
    mapping_starts: UInt64s,
    mapping_limits: UInt64s,
    mapping_offsets: UInt64s,
    mapping_filenames: Vec<Option<i32>>,
    mapping_attributes: RepeatedLists<UnitAttributes>,
}

/// A location of the request with what it refers to.
#[derive(Clone, Copy, Default)]
struct Frame {
    address: u64,
    lines: Stretch,
    attributes: Stretch,
    mapping: Option<MappingFrame>,
    bytes: usize,
}

#[derive(Clone, Copy, Default)]
struct MappingFrame {
    start: u64,
    limit: u64,
    offset: u64,
    filename: Option<i32>,
    attributes: Stretch,
    bytes: usize,
}

/// What a stack is made of.
pub(super) struct StackSize {
    /// What the batch holds for this stack alone.
    pub(super) own_bytes: usize,
    /// What it refers to.
    pub(super) shared_bytes: usize,
}

/// About what a frame takes in memory without the values that it refers to.
const FRAME_BYTES: usize = 96;

impl Frames {
    /// The stacks to come are of this request. `budget` is asked before attributes are read.
    pub(super) fn request(
        &mut self,
        dictionary: &Dictionary,
        texts: &Texts,
        budget: &mut Budget,
    ) -> Result<(), LakeError> {
        let mut mappings = Vec::with_capacity(dictionary.mappings.len());
        for mapping in &dictionary.mappings {
            let attribute_bytes = dictionary.attribute_bytes(&mapping.attributes);
            budget.spend(attribute_bytes)?;
            let start = self.mapping_attributes.values.count();
            self.mapping_attributes.values.push(&mapping.attributes, dictionary)?;
            mappings.push(MappingFrame {
                start: mapping.start,
                limit: mapping.limit,
                offset: mapping.offset,
                filename: texts.index(mapping.filename),
                attributes: self.mapping_attributes.since(start)?,
                bytes: dictionary.text_bytes(mapping.filename) + attribute_bytes,
            });
        }
        self.locations.clear();
        for location in &dictionary.locations {
            budget.spend(dictionary.attribute_bytes(&location.attributes))?;
            let lines = self.lines.count();
            self.lines.push(location, dictionary, texts);
            let attributes = self.attributes.values.count();
            self.attributes.values.push(&location.attributes, dictionary)?;
            // Index 0 is OTLP's «not set».
            let mapping = entry(&mappings, location.mapping).filter(|_| location.mapping != 0).copied();
            self.locations.push(Frame {
                address: location.address,
                lines: stretch(lines, self.lines.count())?,
                attributes: self.attributes.since(attributes)?,
                mapping,
                bytes: dictionary.location_bytes(location) + mapping.map_or(0, |mapping| mapping.bytes),
            });
        }
        Ok(())
    }

    /// Adds the frames of a stack. A location that the table does not have becomes a null.
    pub(super) fn push(&mut self, locations: &[i32]) -> Result<StackSize, LakeError> {
        let own_bytes = locations.len() * FRAME_BYTES;
        Budget::check(own_bytes)?;
        let mut shared_bytes = 0_usize;
        for index in locations {
            let known = entry(&self.locations, *index);
            let frame = known.copied().unwrap_or_default();
            shared_bytes = shared_bytes.saturating_add(frame.bytes);
            self.present.push(known.is_some());
            self.addresses.push(frame.address);
            self.line_lists.refer(frame.lines);
            self.attributes.refer(frame.attributes);
            self.has_mapping.push(frame.mapping.is_some());
            let mapping = frame.mapping.unwrap_or_default();
            self.mapping_starts.push(mapping.start);
            self.mapping_limits.push(mapping.limit);
            self.mapping_offsets.push(mapping.offset);
            self.mapping_filenames.push(mapping.filename);
            self.mapping_attributes.refer(mapping.attributes);
        }
        Ok(StackSize { own_bytes, shared_bytes })
    }

    /// The number of frames.
    pub(super) fn count(&self) -> Result<i32, LakeError> {
        position(self.present.len())
    }

    /// The column: for each row the frames up to its end, and whether it has a stack.
    pub(super) fn stacks(&self, ends: &[(i32, bool)], texts: &ArrayRef) -> Result<ArrayRef, LakeError> {
        let frames = self.array(texts)?;
        let offsets: Vec<i32> = std::iter::once(0).chain(ends.iter().map(|(end, _)| *end)).collect();
        let nulls: NullBuffer = ends.iter().map(|(_, present)| *present).collect();
        let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
        Ok(Arc::new(ListArray::try_new(element(&frames), offsets, frames, Some(nulls))?))
    }

    fn array(&self, texts: &ArrayRef) -> Result<ArrayRef, LakeError> {
        let mapping = vec![
            Column::required("memory_start", self.mapping_starts.array()?),
            Column::required("memory_limit", self.mapping_limits.array()?),
            Column::required("file_offset", self.mapping_offsets.array()?),
            Column::optional("filename", text_column(&self.mapping_filenames, texts)?),
            Column::optional("attributes", self.mapping_attributes.array()?),
        ];
        let has_mapping = NullBuffer::from(self.has_mapping.as_slice());
        let columns = vec![
            Column::required("address", self.addresses.array()?),
            Column::optional("mapping", structure(mapping, Some(has_mapping))?),
            Column::optional("lines", self.line_lists.array(self.lines.array(texts)?)?),
            Column::optional("attributes", self.attributes.array()?),
        ];
        structure(columns, Some(NullBuffer::from(self.present.as_slice())))
    }

    /// Drops the frames; what they refer to only where `values` says so.
    pub(super) fn clear(&mut self, values: bool) {
        if values {
            self.lines = Lines::default();
        }
        self.line_lists.clear();
        self.attributes.clear(values);
        self.mapping_attributes.clear(values);
        self.present.clear();
        self.addresses.0.clear();
        self.has_mapping.clear();
        self.mapping_starts.0.clear();
        self.mapping_limits.0.clear();
        self.mapping_offsets.0.clear();
        self.mapping_filenames.clear();
    }
}

/// Messages `Line` as structs, with the function that each refers to.
#[derive(Default)]
struct Lines {
    names: Vec<Option<i32>>,
    system_names: Vec<Option<i32>>,
    filenames: Vec<Option<i32>>,
    starts: Vec<Option<i64>>,
    numbers: Int64s,
    columns: Int64s,
}

impl Lines {
    fn push(&mut self, location: &Location, dictionary: &Dictionary, texts: &Texts) {
        for line in &location.lines {
            let function = entry(&dictionary.functions, line.function);
            self.names.push(function.and_then(|function| texts.index(function.name)));
            self.system_names.push(function.and_then(|function| texts.index(function.system_name)));
            self.filenames.push(function.and_then(|function| texts.index(function.filename)));
            self.starts.push(function.map(|function| function.start_line));
            self.numbers.push(line.number);
            self.columns.push(line.column);
        }
    }

    fn count(&self) -> usize {
        self.numbers.count()
    }

    fn array(&self, texts: &ArrayRef) -> Result<ArrayRef, LakeError> {
        let columns = vec![
            Column::optional("function_name", text_column(&self.names, texts)?),
            Column::optional("function_system_name", text_column(&self.system_names, texts)?),
            Column::optional("function_filename", text_column(&self.filenames, texts)?),
            Column::optional("function_start_line", Arc::new(Int64Array::from(self.starts.clone()))),
            Column::required("line", self.numbers.array()?),
            Column::required("column", self.columns.array()?),
        ];
        structure(columns, None)
    }
}
