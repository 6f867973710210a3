//! Reads the rows of a Parquet file back into OTLP's messages.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Float64Type, Int32Type, Int64Type, TimestampMicrosecondType, TimestampNanosecondType, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, StructArray};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, EntityRef, InstrumentationScope, KeyValue, KeyValueList, any_value,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;

/// A row of the file, or an element of a list of structs.
#[derive(Clone)]
pub(crate) struct Row(StructArray, usize);

/// Every row of a file.
pub(crate) fn read(file: Vec<u8>) -> Vec<Row> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(file)).unwrap().build().unwrap();
    reader
        .flat_map(|batch| {
            let batch = StructArray::from(batch.unwrap());
            (0..batch.len()).map(move |row| Row(batch.clone(), row))
        })
        .collect()
}

impl Row {
    fn cell(&self, name: &str) -> Option<&ArrayRef> {
        let column = self.0.column_by_name(name).unwrap_or_else(|| panic!("there is no column {name}"));
        column.is_valid(self.1).then_some(column)
    }

    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.cell(name).map(|column| column.as_string::<i32>().value(self.1).to_owned())
    }

    pub(crate) fn string(&self, name: &str) -> String {
        self.text(name).unwrap_or_else(|| panic!("{name} is null"))
    }

    pub(super) fn id(&self, name: &str) -> Vec<u8> {
        let text = self.text(name).unwrap_or_default();
        assert!(text == text.to_lowercase());
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
    }

    pub(super) fn u32(&self, name: &str) -> Option<u32> {
        self.cell(name).map(|column| column.as_primitive::<UInt32Type>().value(self.1))
    }

    pub(super) fn i32(&self, name: &str) -> Option<i32> {
        self.cell(name).map(|column| column.as_primitive::<Int32Type>().value(self.1))
    }

    pub(super) fn u64(&self, name: &str) -> Option<u64> {
        self.cell(name).map(|column| column.as_primitive::<UInt64Type>().value(self.1))
    }

    pub(super) fn i64(&self, name: &str) -> Option<i64> {
        self.cell(name).map(|column| column.as_primitive::<Int64Type>().value(self.1))
    }

    pub(super) fn f64(&self, name: &str) -> Option<f64> {
        self.cell(name).map(|column| column.as_primitive::<Float64Type>().value(self.1))
    }

    pub(super) fn nanos(&self, name: &str) -> Option<i64> {
        self.cell(name).map(|column| column.as_primitive::<TimestampNanosecondType>().value(self.1))
    }

    pub(super) fn micros(&self, name: &str) -> Option<i64> {
        self.cell(name).map(|column| column.as_primitive::<TimestampMicrosecondType>().value(self.1))
    }

    pub(super) fn boolean(&self, name: &str) -> Option<bool> {
        self.cell(name).map(|column| column.as_boolean().value(self.1))
    }

    pub(super) fn bytes(&self, name: &str) -> Option<Vec<u8>> {
        self.cell(name).map(|column| column.as_binary::<i32>().value(self.1).to_vec())
    }

    pub(super) fn structure(&self, name: &str) -> Option<Self> {
        self.cell(name).map(|column| Self(column.as_struct().clone(), self.1))
    }

    /// The elements of a list of structs; null elements are `None`.
    pub(super) fn elements(&self, name: &str) -> Option<Vec<Option<Self>>> {
        let list = self.cell(name)?.as_list::<i32>().value(self.1);
        let list = list.as_struct().clone();
        Some((0..list.len()).map(|at| list.is_valid(at).then(|| Self(list.clone(), at))).collect())
    }

    pub(super) fn list(&self, name: &str) -> Option<Vec<Self>> {
        Some(self.elements(name)?.into_iter().map(|element| element.expect("no element is null")).collect())
    }

    pub(super) fn u64s(&self, name: &str) -> Option<Vec<u64>> {
        let list = self.cell(name)?.as_list::<i32>().value(self.1);
        Some(list.as_primitive::<UInt64Type>().values().to_vec())
    }

    pub(super) fn i64s(&self, name: &str) -> Option<Vec<i64>> {
        let list = self.cell(name)?.as_list::<i32>().value(self.1);
        Some(list.as_primitive::<Int64Type>().values().to_vec())
    }

    pub(super) fn f64s(&self, name: &str) -> Option<Vec<f64>> {
        let list = self.cell(name)?.as_list::<i32>().value(self.1);
        Some(list.as_primitive::<Float64Type>().values().to_vec())
    }

    fn strings(&self, name: &str) -> Vec<String> {
        let list = self.cell(name).unwrap().as_list::<i32>().value(self.1);
        list.as_string::<i32>().iter().map(|text| text.unwrap().to_owned()).collect()
    }

    /// The number behind the name of an enumeration's value.
    pub(super) fn named(&self, name: &str, names: &[&str]) -> i32 {
        let text = self.string(name);
        match names.iter().position(|name| *name == text) {
            Some(index) => i32::try_from(index).unwrap(),
            None => text.parse().unwrap(),
        }
    }

    pub(super) fn attributes(&self, name: &str) -> Option<Vec<KeyValue>> {
        Some(self.list(name)?.iter().map(Self::key_value).collect())
    }

    /// A null key, which stands for an index that cannot be resolved, becomes the index -1.
    pub(super) fn key_value(&self) -> KeyValue {
        let key = self.text("key");
        KeyValue {
            key_strindex: if key.is_none() { -1 } else { 0 },
            key: key.unwrap_or_default(),
            value: self.any_value(),
        }
    }

    pub(super) fn any_value(&self) -> Option<AnyValue> {
        use any_value::Value::{BoolValue, BytesValue, DoubleValue, IntValue, StringValue, StringValueStrindex};
        let kind = self.text("type")?;
        let fields = ["string_value", "bool_value", "int_value", "double_value", "bytes_value", "json_value"];
        let set = fields.iter().filter(|field| self.cell(field).is_some()).count();
        assert_eq!(set, usize::from(kind != "empty"), "{kind}");
        let value = match kind.as_str() {
            "empty" => None,
            "string" => Some(StringValue(self.string("string_value"))),
            "bool" => Some(BoolValue(self.boolean("bool_value").unwrap())),
            "int" => Some(IntValue(self.i64("int_value").unwrap())),
            "double" => Some(DoubleValue(self.f64("double_value").unwrap())),
            "bytes" => Some(BytesValue(self.bytes("bytes_value").unwrap())),
            "strindex" => Some(StringValueStrindex(self.i64("int_value").unwrap().try_into().unwrap())),
            "array" | "kvlist" => {
                let value: Value = serde_json::from_str(&quote_doubles(&self.string("json_value"))).unwrap();
                assert!(value.get(format!("{kind}Value")).is_some());
                return Some(from_json(&value));
            }
            other => panic!("{other} is no type"),
        };
        Some(AnyValue { value })
    }

    pub(super) fn resource(&self) -> Option<Resource> {
        let entity_refs = self.list("resource_entity_refs");
        let attributes = self.attributes("resource_attributes");
        assert_eq!(entity_refs.is_some(), attributes.is_some());
        Some(Resource {
            attributes: attributes?,
            dropped_attributes_count: self.u32("resource_dropped_attributes_count").unwrap(),
            entity_refs: entity_refs?
                .iter()
                .map(|entity| EntityRef {
                    schema_url: entity.string("schema_url"),
                    r#type: entity.string("type"),
                    id_keys: entity.strings("id_keys"),
                    description_keys: entity.strings("description_keys"),
                })
                .collect(),
        })
    }

    pub(super) fn scope(&self) -> Option<InstrumentationScope> {
        Some(InstrumentationScope {
            attributes: self.attributes("scope_attributes")?,
            name: self.string("scope_name"),
            version: self.string("scope_version"),
            dropped_attributes_count: self.u32("scope_dropped_attributes_count").unwrap(),
        })
    }
}

/// The `AnyValue` whose ProtoJSON this is.
fn from_json(json: &Value) -> AnyValue {
    use any_value::Value::{
        ArrayValue as Array, BoolValue, BytesValue, DoubleValue, IntValue, KvlistValue, StringValue,
        StringValueStrindex,
    };
    let object = json.as_object().unwrap();
    assert!(object.len() < 2);
    let Some((name, value)) = object.iter().next() else { return AnyValue { value: None } };
    let values = || value["values"].as_array().unwrap().iter();
    let value = match name.as_str() {
        "stringValue" => StringValue(value.as_str().unwrap().to_owned()),
        "boolValue" => BoolValue(value.as_bool().unwrap()),
        "intValue" => IntValue(value.as_str().unwrap().parse().unwrap()),
        "doubleValue" => DoubleValue(match value.as_str() {
            Some("NaN") => f64::NAN,
            Some("Infinity") => f64::INFINITY,
            Some("-Infinity") => f64::NEG_INFINITY,
            text => text.unwrap().parse().unwrap(),
        }),
        "bytesValue" => BytesValue(STANDARD.decode(value.as_str().unwrap()).unwrap()),
        "stringValueStrindex" => StringValueStrindex(value.as_i64().unwrap().try_into().unwrap()),
        "arrayValue" => Array(ArrayValue { values: values().map(from_json).collect() }),
        "kvlistValue" => KvlistValue(KeyValueList {
            values: values()
                .map(|pair| KeyValue {
                    key: pair["key"].as_str().unwrap().to_owned(),
                    value: pair.get("value").map(from_json),
                    key_strindex: pair
                        .get("keyStrindex")
                        .map_or(0, |index| index.as_i64().unwrap().try_into().unwrap()),
                })
                .collect(),
        }),
        other => panic!("{other} is no field of AnyValue"),
    };
    AnyValue { value: Some(value) }
}

/// Doubles as strings, because the JSON reader's own are off by the last bit now and then.
fn quote_doubles(json: &str) -> String {
    let mut parts = json.split("\"doubleValue\":");
    let mut quoted = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (number, rest) = part.split_once('}').unwrap();
        let number = if number.starts_with('"') { number.to_owned() } else { format!("\"{number}\"") };
        quoted.push_str(&format!("\"doubleValue\":{number}}}{rest}"));
    }
    quoted
}
