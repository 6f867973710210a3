//! One row per span.

use arrow_array::ArrayRef;
use arrow_array::builder::{Int64Builder, StringBuilder};

use super::LakeError;
use super::attributes::Attributes;
use super::columns::{Column, Lists, Times, UInt32s, UInt64s, Values, append_id, append_name, structure};
use super::dictionary::Strings;
use super::fields::{Merged, bytes, fixed32, fixed64, int32, text, uint32};
use super::table::{Batch, Rows};
use crate::otlp::wire::{Reader, Value};

/// The columns of a span.
#[derive(Default)]
pub(super) struct Traces {
    strings: Strings,
    trace_id: StringBuilder,
    span_id: StringBuilder,
    parent_span_id: StringBuilder,
    trace_state: StringBuilder,
    flags: UInt32s,
    name: StringBuilder,
    kind: StringBuilder,
    time: Times,
    start_time: UInt64s,
    end_time: UInt64s,
    duration: Int64Builder,
    attributes: Lists<Attributes>,
    dropped_attributes: UInt32s,
    events: Lists<Events>,
    dropped_events: UInt32s,
    links: Lists<Links>,
    dropped_links: UInt32s,
    status_code: StringBuilder,
    status_message: StringBuilder,
}

const KINDS: [&str; 6] = ["unspecified", "internal", "server", "client", "producer", "consumer"];
const STATUS_CODES: [&str; 3] = ["unset", "ok", "error"];

impl Rows for Traces {
    fn strings(&self) -> &Strings {
        &self.strings
    }

    fn append(&mut self, item: &[u8], batch: &mut Batch<'_>) -> Result<(), LakeError> {
        let (mut trace_id, mut span_id, mut parent_span_id): (&[u8], &[u8], &[u8]) = (&[], &[], &[]);
        let (mut trace_state, mut name) = ("", "");
        let (mut flags, mut kind, mut start, mut end) = (0, 0, 0, 0);
        let (mut dropped_attributes, mut dropped_events, mut dropped_links) = (0, 0, 0);
        let mut status = Merged::default();
        let mut reader = Reader::new(item);
        while let Some((number, value)) = reader.field()? {
            match number {
                1 => trace_id = bytes(value)?,
                2 => span_id = bytes(value)?,
                3 => trace_state = text(value)?,
                4 => parent_span_id = bytes(value)?,
                5 => name = text(value)?,
                6 => kind = int32(value)?,
                7 => start = fixed64(value)?,
                8 => end = fixed64(value)?,
                9 => self.attributes.values.push(value, &self.strings)?,
                10 => dropped_attributes = uint32(value)?,
                11 => self.events.values.push(value, &self.strings)?,
                12 => dropped_events = uint32(value)?,
                13 => self.links.values.push(value, &self.strings)?,
                14 => dropped_links = uint32(value)?,
                15 => status.add(value)?,
                16 => flags = fixed32(value)?,
                _ => {}
            }
        }
        append_id(&mut self.trace_id, trace_id);
        append_id(&mut self.span_id, span_id);
        append_id(&mut self.parent_span_id, parent_span_id);
        self.trace_state.append_value(trace_state);
        self.flags.push(flags);
        self.name.append_value(name);
        append_name(&mut self.kind, &KINDS, kind);
        self.time.push(start);
        self.start_time.push(start);
        self.end_time.push(end);
        self.duration.append_option(i64::try_from(i128::from(end) - i128::from(start)).ok());
        self.attributes.close()?;
        self.dropped_attributes.push(dropped_attributes);
        self.events.close()?;
        self.dropped_events.push(dropped_events);
        self.links.close()?;
        self.dropped_links.push(dropped_links);
        self.append_status(status.get())?;
        batch.end_row(self, item.len(), 0)
    }

    fn columns(&self) -> Result<Vec<Column>, LakeError> {
        Ok(vec![
            Column::optional("trace_id", self.trace_id.array()?),
            Column::optional("span_id", self.span_id.array()?),
            Column::optional("parent_span_id", self.parent_span_id.array()?),
            Column::required("trace_state", self.trace_state.array()?),
            Column::required("flags", self.flags.array()?),
            Column::required("name", self.name.array()?),
            Column::required("kind", self.kind.array()?),
            Column::optional("time", self.time.array()?),
            Column::required("start_time_unix_nano", self.start_time.array()?),
            Column::required("end_time_unix_nano", self.end_time.array()?),
            Column::optional("duration_nano", self.duration.array()?),
            Column::required("attributes", self.attributes.array()?),
            Column::required("dropped_attributes_count", self.dropped_attributes.array()?),
            Column::required("events", self.events.array()?),
            Column::required("dropped_events_count", self.dropped_events.array()?),
            Column::required("links", self.links.array()?),
            Column::required("dropped_links_count", self.dropped_links.array()?),
            Column::optional("status_code", self.status_code.array()?),
            Column::optional("status_message", self.status_message.array()?),
        ])
    }

    fn clear(&mut self, _values: bool) {
        *self = Self::default();
    }
}

impl Traces {
    fn append_status(&mut self, message: Option<&[u8]>) -> Result<(), LakeError> {
        let Some(status) = message else {
            self.status_code.append_null();
            self.status_message.append_null();
            return Ok(());
        };
        let (mut message, mut code) = ("", 0);
        let mut reader = Reader::new(status);
        while let Some((number, value)) = reader.field()? {
            match number {
                2 => message = text(value)?,
                3 => code = int32(value)?,
                _ => {}
            }
        }
        append_name(&mut self.status_code, &STATUS_CODES, code);
        self.status_message.append_value(message);
        Ok(())
    }
}

/// Messages `Span.Event` as structs.
#[derive(Default)]
struct Events {
    time: Times,
    times: UInt64s,
    names: StringBuilder,
    attributes: Lists<Attributes>,
    dropped_attributes: UInt32s,
}

impl Events {
    fn push(&mut self, value: Value<'_>, strings: &Strings) -> Result<(), LakeError> {
        let (mut time, mut name, mut dropped_attributes) = (0, "", 0);
        let mut reader = Reader::new(bytes(value)?);
        while let Some((number, value)) = reader.field()? {
            match number {
                1 => time = fixed64(value)?,
                2 => name = text(value)?,
                3 => self.attributes.values.push(value, strings)?,
                4 => dropped_attributes = uint32(value)?,
                _ => {}
            }
        }
        self.time.push(time);
        self.times.push(time);
        self.names.append_value(name);
        self.attributes.close()?;
        self.dropped_attributes.push(dropped_attributes);
        Ok(())
    }
}

impl Values for Events {
    fn count(&self) -> usize {
        self.names.count()
    }

    fn array(&self) -> Result<ArrayRef, LakeError> {
        let columns = vec![
            Column::optional("time", self.time.array()?),
            Column::required("time_unix_nano", self.times.array()?),
            Column::required("name", self.names.array()?),
            Column::required("attributes", self.attributes.array()?),
            Column::required("dropped_attributes_count", self.dropped_attributes.array()?),
        ];
        structure(columns, None)
    }
}

/// Messages `Span.Link` as structs.
#[derive(Default)]
struct Links {
    trace_ids: StringBuilder,
    span_ids: StringBuilder,
    trace_states: StringBuilder,
    attributes: Lists<Attributes>,
    dropped_attributes: UInt32s,
    flags: UInt32s,
}

impl Links {
    fn push(&mut self, value: Value<'_>, strings: &Strings) -> Result<(), LakeError> {
        let (mut trace_id, mut span_id): (&[u8], &[u8]) = (&[], &[]);
        let (mut trace_state, mut dropped_attributes, mut flags) = ("", 0, 0);
        let mut reader = Reader::new(bytes(value)?);
        while let Some((number, value)) = reader.field()? {
            match number {
                1 => trace_id = bytes(value)?,
                2 => span_id = bytes(value)?,
                3 => trace_state = text(value)?,
                4 => self.attributes.values.push(value, strings)?,
                5 => dropped_attributes = uint32(value)?,
                6 => flags = fixed32(value)?,
                _ => {}
            }
        }
        append_id(&mut self.trace_ids, trace_id);
        append_id(&mut self.span_ids, span_id);
        self.trace_states.append_value(trace_state);
        self.attributes.close()?;
        self.dropped_attributes.push(dropped_attributes);
        self.flags.push(flags);
        Ok(())
    }
}

impl Values for Links {
    fn count(&self) -> usize {
        self.flags.count()
    }

    fn array(&self) -> Result<ArrayRef, LakeError> {
        let columns = vec![
            Column::optional("trace_id", self.trace_ids.array()?),
            Column::optional("span_id", self.span_ids.array()?),
            Column::required("trace_state", self.trace_states.array()?),
            Column::required("attributes", self.attributes.array()?),
            Column::required("dropped_attributes_count", self.dropped_attributes.array()?),
            Column::required("flags", self.flags.array()?),
        ];
        structure(columns, None)
    }
}
