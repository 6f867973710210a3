//! One row per log record.

use arrow_array::builder::StringBuilder;

use super::LakeError;
use super::attributes::{AnyValues, Attributes};
use super::columns::{Column, Int32s, Lists, Times, UInt32s, UInt64s, Values, append_id};
use super::dictionary::Strings;
use super::fields::{Merged, bytes, fixed32, fixed64, int32, text, uint32};
use super::table::{Batch, Rows};
use crate::otlp::wire::Reader;

/// The columns of a log record.
#[derive(Default)]
pub(super) struct Logs {
    strings: Strings,
    time: Times,
    time_unix_nano: UInt64s,
    observed_time: UInt64s,
    severity_number: Int32s,
    severity_text: StringBuilder,
    event_name: StringBuilder,
    body: AnyValues,
    attributes: Lists<Attributes>,
    dropped_attributes: UInt32s,
    flags: UInt32s,
    trace_id: StringBuilder,
    span_id: StringBuilder,
}

impl Rows for Logs {
    fn strings(&self) -> &Strings {
        &self.strings
    }

    fn append(&mut self, item: &[u8], batch: &mut Batch<'_>) -> Result<(), LakeError> {
        let (mut trace_id, mut span_id): (&[u8], &[u8]) = (&[], &[]);
        let (mut time, mut observed_time, mut severity_number) = (0, 0, 0);
        let (mut severity_text, mut event_name) = ("", "");
        let (mut dropped_attributes, mut flags) = (0, 0);
        let mut body = Merged::default();
        let mut reader = Reader::new(item);
        while let Some((number, value)) = reader.field()? {
            match number {
                1 => time = fixed64(value)?,
                2 => severity_number = int32(value)?,
                3 => severity_text = text(value)?,
                5 => body.add(value)?,
                6 => self.attributes.values.push(value, &self.strings)?,
                7 => dropped_attributes = uint32(value)?,
                8 => flags = fixed32(value)?,
                9 => trace_id = bytes(value)?,
                10 => span_id = bytes(value)?,
                11 => observed_time = fixed64(value)?,
                12 => event_name = text(value)?,
                _ => {}
            }
        }
        // OpenTelemetry's logs data model recommends the observed time where the event's own is not known.
        self.time.push(if time == 0 { observed_time } else { time });
        self.time_unix_nano.push(time);
        self.observed_time.push(observed_time);
        self.severity_number.push(severity_number);
        self.severity_text.append_value(severity_text);
        self.event_name.append_value(event_name);
        self.body.push(body.get(), &self.strings)?;
        self.attributes.close()?;
        self.dropped_attributes.push(dropped_attributes);
        self.flags.push(flags);
        append_id(&mut self.trace_id, trace_id);
        append_id(&mut self.span_id, span_id);
        batch.end_row(self, item.len(), 0)
    }

    fn columns(&self) -> Result<Vec<Column>, LakeError> {
        Ok(vec![
            Column::optional("time", self.time.array()?),
            Column::required("time_unix_nano", self.time_unix_nano.array()?),
            Column::required("observed_time_unix_nano", self.observed_time.array()?),
            Column::required("severity_number", self.severity_number.array()?),
            Column::required("severity_text", self.severity_text.array()?),
            Column::required("event_name", self.event_name.array()?),
            Column::required("body", self.body.array()?),
            Column::required("attributes", self.attributes.array()?),
            Column::required("dropped_attributes_count", self.dropped_attributes.array()?),
            Column::required("flags", self.flags.array()?),
            Column::optional("trace_id", self.trace_id.array()?),
            Column::optional("span_id", self.span_id.array()?),
        ])
    }

    fn clear(&mut self, _values: bool) {
        *self = Self::default();
    }
}
