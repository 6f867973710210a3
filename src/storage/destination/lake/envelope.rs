//! The columns that every signal has: of the record, of the resource and of the scope.

use std::sync::Arc;

use arrow_array::builder::{ListBuilder, StringBuilder};
use arrow_array::{ArrayRef, TimestampMicrosecondArray};
use arrow_schema::{DataType, Field};

use super::attributes::{AnyValue, Attributes, KeyValue};
use super::columns::{Column, UInt32s, Values, structure};
use super::dictionary::Strings;
use super::fields::{bytes, text, uint32};
use super::repeated::{RepeatedLists, RepeatedText};
use super::{LakeError, LakeRecord};
use crate::otlp::wire::{Reader, Value};

/// What the rows to come share, and the rows so far.
#[derive(Default)]
pub(super) struct Envelope {
    record_id: RepeatedText,
    key_id: RepeatedText,
    arrival: i64,
    arrivals: Vec<i64>,
    service_name: RepeatedText,
    resource_attributes: RepeatedLists<Attributes>,
    resource_dropped: u32,
    resource_droppeds: UInt32s,
    entity_refs: RepeatedLists<EntityRefs>,
    resource_schema_url: RepeatedText,
    scope_name: RepeatedText,
    scope_version: RepeatedText,
    scope_attributes: RepeatedLists<Attributes>,
    scope_dropped: u32,
    scope_droppeds: UInt32s,
    scope_schema_url: RepeatedText,
}

impl Envelope {
    /// The rows to come are of this record.
    pub(super) fn record(&mut self, record: &LakeRecord<'_>) -> Result<(), LakeError> {
        self.record_id.set(Some(&record.record.to_string()))?;
        self.key_id.set(Some(&record.key.to_string()))?;
        self.arrival = record.arrival.micros();
        Ok(())
    }

    /// The rows to come are of the resource in this message, or of none.
    pub(super) fn resource(
        &mut self,
        message: Option<&[u8]>,
        schema_url: &str,
        strings: &Strings,
    ) -> Result<(), LakeError> {
        let attributes = self.resource_attributes.values.count();
        let entities = self.entity_refs.values.count();
        self.resource_dropped = 0;
        let mut service_name = None;
        let mut reader = Reader::new(message.unwrap_or_default());
        while let Some((number, value)) = reader.field()? {
            match number {
                1 => {
                    self.resource_attributes.values.push(value, strings)?;
                    if service_name.is_none() {
                        service_name = read_service_name(value, strings)?;
                    }
                }
                2 => self.resource_dropped = uint32(value)?,
                3 => self.entity_refs.values.push(value)?,
                _ => {}
            }
        }
        self.service_name.set(service_name.as_deref())?;
        self.resource_attributes.set(message.map(|_| attributes))?;
        self.entity_refs.set(message.map(|_| entities))?;
        self.resource_schema_url.set(Some(schema_url))
    }

    /// The rows to come are of the scope in this message, or of none.
    pub(super) fn scope(
        &mut self,
        message: Option<&[u8]>,
        schema_url: &str,
        strings: &Strings,
    ) -> Result<(), LakeError> {
        let attributes = self.scope_attributes.values.count();
        self.scope_dropped = 0;
        let (mut name, mut version) = ("", "");
        let mut reader = Reader::new(message.unwrap_or_default());
        while let Some((number, value)) = reader.field()? {
            match number {
                1 => name = text(value)?,
                2 => version = text(value)?,
                3 => self.scope_attributes.values.push(value, strings)?,
                4 => self.scope_dropped = uint32(value)?,
                _ => {}
            }
        }
        self.scope_name.set(message.map(|_| name))?;
        self.scope_version.set(message.map(|_| version))?;
        self.scope_attributes.set(message.map(|_| attributes))?;
        self.scope_schema_url.set(Some(schema_url))
    }

    /// Ends a row.
    pub(super) fn repeat(&mut self) {
        self.arrivals.push(self.arrival);
        self.resource_droppeds.push(self.resource_dropped);
        self.scope_droppeds.push(self.scope_dropped);
        self.resource_attributes.repeat();
        self.entity_refs.repeat();
        self.scope_attributes.repeat();
        self.texts().into_iter().for_each(RepeatedText::repeat);
    }

    /// Drops the rows; the shared values too where `values` says so.
    pub(super) fn clear(&mut self, values: bool) {
        self.arrivals.clear();
        self.resource_droppeds.0.clear();
        self.scope_droppeds.0.clear();
        self.resource_attributes.clear(values);
        self.entity_refs.clear(values);
        self.scope_attributes.clear(values);
        self.texts().into_iter().for_each(|text| text.clear(values));
    }

    /// The columns, in the order of the file.
    pub(super) fn columns(&self) -> Result<Vec<Column>, LakeError> {
        let arrivals = TimestampMicrosecondArray::from(self.arrivals.clone()).with_timezone("UTC");
        Ok(vec![
            Column::required("record_id", self.record_id.array()?),
            Column::required("key_id", self.key_id.array()?),
            Column::required("arrival_time", Arc::new(arrivals)),
            Column::optional("service_name", self.service_name.array()?),
            Column::optional("resource_attributes", self.resource_attributes.array()?),
            Column::required("resource_dropped_attributes_count", self.resource_droppeds.array()?),
            Column::optional("resource_entity_refs", self.entity_refs.array()?),
            Column::required("resource_schema_url", self.resource_schema_url.array()?),
            Column::optional("scope_name", self.scope_name.array()?),
            Column::optional("scope_version", self.scope_version.array()?),
            Column::optional("scope_attributes", self.scope_attributes.array()?),
            Column::required("scope_dropped_attributes_count", self.scope_droppeds.array()?),
            Column::required("scope_schema_url", self.scope_schema_url.array()?),
        ])
    }

    fn texts(&mut self) -> [&mut RepeatedText; 7] {
        [
            &mut self.record_id,
            &mut self.key_id,
            &mut self.service_name,
            &mut self.resource_schema_url,
            &mut self.scope_name,
            &mut self.scope_version,
            &mut self.scope_schema_url,
        ]
    }
}

/// The value of this attribute where it is `service.name` and a text.
fn read_service_name(value: Value<'_>, strings: &Strings) -> Result<Option<String>, LakeError> {
    let pair = KeyValue::read(bytes(value)?)?;
    if pair.key(strings) != Some("service.name") {
        return Ok(None);
    }
    Ok(match pair.value.get().map(AnyValue::read).transpose()? {
        Some(AnyValue::Text(name)) => Some(name.to_owned()),
        Some(AnyValue::TextIndex(index)) => strings.get(index).map(str::to_owned),
        _ => None,
    })
}

/// Messages `EntityRef` as structs.
struct EntityRefs {
    schema_urls: StringBuilder,
    types: StringBuilder,
    id_keys: ListBuilder<StringBuilder>,
    description_keys: ListBuilder<StringBuilder>,
}

impl Default for EntityRefs {
    fn default() -> Self {
        let texts =
            || ListBuilder::new(StringBuilder::new()).with_field(Arc::new(Field::new("element", DataType::Utf8, true)));
        Self {
            schema_urls: StringBuilder::new(),
            types: StringBuilder::new(),
            id_keys: texts(),
            description_keys: texts(),
        }
    }
}

impl EntityRefs {
    fn push(&mut self, value: Value<'_>) -> Result<(), LakeError> {
        let (mut schema_url, mut kind) = ("", "");
        let mut reader = Reader::new(bytes(value)?);
        while let Some((number, value)) = reader.field()? {
            match number {
                1 => schema_url = text(value)?,
                2 => kind = text(value)?,
                3 => self.id_keys.values().append_value(text(value)?),
                4 => self.description_keys.values().append_value(text(value)?),
                _ => {}
            }
        }
        self.schema_urls.append_value(schema_url);
        self.types.append_value(kind);
        self.id_keys.append(true);
        self.description_keys.append(true);
        Ok(())
    }
}

impl Values for EntityRefs {
    fn count(&self) -> usize {
        self.types.count()
    }

    fn array(&self) -> Result<ArrayRef, LakeError> {
        let columns = vec![
            Column::required("schema_url", self.schema_urls.array()?),
            Column::required("type", self.types.array()?),
            Column::required("id_keys", self.id_keys.array()?),
            Column::required("description_keys", self.description_keys.array()?),
        ];
        structure(columns, None)
    }
}
