//! One row per sample of a profile, the references into the request's dictionary resolved.

use arrow_array::builder::{BinaryBuilder, StringBuilder, UInt32Builder};

use super::LakeError;
use super::columns::{Column, Int64s, Lists, Times, UInt32s, UInt64s, Values, append_id};
use super::dictionary::{Budget, Dictionary, Strings, Texts, UnitAttributes, entry, text_column};
use super::fields::{Merged, bytes, fixed64, fixed64s, int32, int32s, int64, text, uint32, uint64, varints};
use super::repeated::RepeatedLists;
use super::stacks::Frames;
use super::table::{Batch, Rows};
use crate::otlp::wire::Reader;

/// The columns of a profile and its samples.
#[derive(Default)]
pub(super) struct Profiles {
    dictionary: Dictionary,
    texts: Texts,
    budget: Budget,
    next_profile: u32,
    profile_attributes: RepeatedLists<UnitAttributes>,
    frames: Frames,
    rows: SampleRows,
}

/// What a batch leaves nothing of.
#[derive(Default)]
struct SampleRows {
    profile_index: UInt32s,
    profile_id: StringBuilder,
    time: Times,
    time_unix_nano: UInt64s,
    duration: UInt64s,
    sample_type: Vec<Option<i32>>,
    sample_unit: Vec<Option<i32>>,
    period_type: Vec<Option<i32>>,
    period_unit: Vec<Option<i32>>,
    period: Int64s,
    dropped_attributes: UInt32s,
    payload_format: StringBuilder,
    payload: BinaryBuilder,
    sample_index: UInt32Builder,
    values: Lists<Int64s>,
    timestamps: Lists<UInt64s>,
    attributes: Lists<UnitAttributes>,
    trace_id: StringBuilder,
    span_id: StringBuilder,
    /// The number of frames up to the end of each row, and whether the row has a stack.
    stack: Vec<(i32, bool)>,
}

/// The message `Profile` without its samples.
#[derive(Default)]
struct Profile<'a> {
    index: u32,
    sample_type: ValueType,
    period_type: ValueType,
    time: u64,
    duration: u64,
    period: i64,
    id: &'a [u8],
    dropped_attributes: u32,
    payload_format: &'a str,
    payload: &'a [u8],
    attribute_bytes: usize,
}

impl Rows for Profiles {
    fn request(&mut self, payload: &[u8]) -> Result<(), LakeError> {
        self.dictionary = Dictionary::read(payload)?;
        self.budget.start();
        self.next_profile = 0;
        self.texts.request(&self.dictionary.strings)?;
        self.frames.request(&self.dictionary, &self.texts, &mut self.budget)
    }

    fn strings(&self) -> &Strings {
        &self.dictionary.strings
    }

    fn shared_bytes(&self) -> usize {
        self.budget.batch
    }

    fn append(&mut self, item: &[u8], batch: &mut Batch<'_>) -> Result<(), LakeError> {
        let profile = self.read_profile(item)?;
        let mut samples = 0;
        let mut reader = Reader::new(item);
        while let Some((number, value)) = reader.field()? {
            if number == 2 {
                self.append_sample(&profile, Some(samples), bytes(value)?, batch)?;
                samples += 1;
            }
        }
        if samples == 0 { self.append_sample(&profile, None, &[], batch) } else { Ok(()) }
    }

    fn columns(&self) -> Result<Vec<Column>, LakeError> {
        let rows = &self.rows;
        let texts = &self.texts.array();
        Ok(vec![
            Column::required("profile_index", rows.profile_index.array()?),
            Column::optional("profile_id", rows.profile_id.array()?),
            Column::optional("time", rows.time.array()?),
            Column::required("time_unix_nano", rows.time_unix_nano.array()?),
            Column::required("duration_nano", rows.duration.array()?),
            Column::optional("sample_type", text_column(&rows.sample_type, texts)?),
            Column::optional("sample_unit", text_column(&rows.sample_unit, texts)?),
            Column::optional("period_type", text_column(&rows.period_type, texts)?),
            Column::optional("period_unit", text_column(&rows.period_unit, texts)?),
            Column::required("period", rows.period.array()?),
            Column::required("profile_attributes", self.profile_attributes.array()?),
            Column::required("profile_dropped_attributes_count", rows.dropped_attributes.array()?),
            Column::required("original_payload_format", rows.payload_format.array()?),
            Column::optional("original_payload", rows.payload.array()?),
            Column::optional("sample_index", rows.sample_index.array()?),
            Column::optional("values", rows.values.array()?),
            Column::optional("timestamps_unix_nano", rows.timestamps.array()?),
            Column::optional("attributes", rows.attributes.array()?),
            Column::optional("trace_id", rows.trace_id.array()?),
            Column::optional("span_id", rows.span_id.array()?),
            Column::optional("stack", self.frames.stacks(&rows.stack, texts)?),
        ])
    }

    fn clear(&mut self, values: bool) {
        self.profile_attributes.clear(values);
        self.frames.clear(values);
        self.rows = SampleRows::default();
        if values {
            self.budget = Budget::default();
            self.texts = Texts::default();
        }
    }
}

impl Profiles {
    fn read_profile<'a>(&mut self, item: &'a [u8]) -> Result<Profile<'a>, LakeError> {
        let mut profile = Profile { index: self.next_profile, ..Profile::default() };
        self.next_profile += 1;
        let (mut sample_type, mut period_type) = (Merged::default(), Merged::default());
        let mut attributes = Vec::new();
        let mut reader = Reader::new(item);
        while let Some((number, value)) = reader.field()? {
            match number {
                1 => sample_type.add(value)?,
                3 => profile.time = fixed64(value)?,
                4 => profile.duration = uint64(value)?,
                5 => period_type.add(value)?,
                6 => profile.period = int64(value)?,
                7 => profile.id = bytes(value)?,
                8 => profile.dropped_attributes = uint32(value)?,
                9 => profile.payload_format = text(value)?,
                10 => profile.payload = bytes(value)?,
                11 => int32s(value, &mut attributes)?,
                _ => {}
            }
        }
        profile.sample_type = ValueType::read(sample_type.get(), &self.texts)?;
        profile.period_type = ValueType::read(period_type.get(), &self.texts)?;
        profile.attribute_bytes = self.dictionary.attribute_bytes(&attributes);
        self.budget.spend(profile.attribute_bytes)?;
        let start = self.profile_attributes.values.count();
        self.profile_attributes.values.push(&attributes, &self.dictionary)?;
        self.profile_attributes.set(Some(start))?;
        Ok(profile)
    }

    /// Appends the row of a sample, or of a profile that has none.
    fn append_sample(
        &mut self,
        profile: &Profile<'_>,
        index: Option<u32>,
        message: &[u8],
        batch: &mut Batch<'_>,
    ) -> Result<(), LakeError> {
        let (mut stack, mut link) = (0, 0);
        let mut attributes = Vec::new();
        let rows = &mut self.rows;
        let mut reader = Reader::new(message);
        while let Some((number, value)) = reader.field()? {
            match number {
                1 => stack = int32(value)?,
                2 => int32s(value, &mut attributes)?,
                3 => link = int32(value)?,
                4 => varints(value, |number| rows.values.values.push(number.cast_signed()))?,
                5 => fixed64s(value, |time| rows.timestamps.values.push(time))?,
                _ => {}
            }
        }
        let is_sample = index.is_some();
        rows.sample_index.append_option(index);
        rows.values.close_as(is_sample)?;
        rows.timestamps.close_as(is_sample)?;
        let attribute_bytes = self.dictionary.attribute_bytes(&attributes);
        Budget::check(attribute_bytes)?;
        rows.attributes.values.push(&attributes, &self.dictionary)?;
        rows.attributes.close_as(is_sample)?;
        // Index 0 is OTLP's «not set».
        let link = entry(&self.dictionary.links, link).filter(|_| link != 0);
        append_id(&mut rows.trace_id, link.map_or(&[], |link| &link.trace_id));
        append_id(&mut rows.span_id, link.map_or(&[], |link| &link.span_id));
        let stack = entry(&self.dictionary.stacks, stack).filter(|_| is_sample);
        let frames = self.frames.push(stack.map_or(&[], Vec::as_slice))?;
        self.rows.stack.push((self.frames.count()?, stack.is_some()));
        // It can be megabytes: once for a profile is enough.
        let payload = (index.unwrap_or(0) == 0).then_some(profile.payload);
        self.rows.payload.append_option(payload);
        self.append_profile(profile);
        let own = message.len()
            + payload.map_or(0, <[u8]>::len)
            + frames.own_bytes
            + profile.payload_format.len()
            + attribute_bytes;
        batch.end_row(self, own, frames.shared_bytes + profile.attribute_bytes)
    }

    fn append_profile(&mut self, profile: &Profile<'_>) {
        let rows = &mut self.rows;
        rows.profile_index.push(profile.index);
        append_id(&mut rows.profile_id, profile.id);
        rows.time.push(profile.time);
        rows.time_unix_nano.push(profile.time);
        rows.duration.push(profile.duration);
        rows.sample_type.push(profile.sample_type.kind);
        rows.sample_unit.push(profile.sample_type.unit);
        rows.period_type.push(profile.period_type.kind);
        rows.period_unit.push(profile.period_type.unit);
        rows.period.push(profile.period);
        self.profile_attributes.repeat();
        rows.dropped_attributes.push(profile.dropped_attributes);
        rows.payload_format.append_value(profile.payload_format);
    }
}

/// The message `ValueType`, as positions among the texts of the batch.
#[derive(Clone, Copy, Default)]
struct ValueType {
    kind: Option<i32>,
    unit: Option<i32>,
}

impl ValueType {
    fn read(message: Option<&[u8]>, texts: &Texts) -> Result<Self, LakeError> {
        let Some(message) = message else { return Ok(Self::default()) };
        let (mut kind, mut unit) = (0, 0);
        let mut reader = Reader::new(message);
        while let Some((number, value)) = reader.field()? {
            match number {
                1 => kind = int32(value)?,
                2 => unit = int32(value)?,
                _ => {}
            }
        }
        Ok(Self { kind: texts.index(kind), unit: texts.index(unit) })
    }
}
