//! What the rows should say, in the words of `prost`: each item with its resource and scope, references resolved.

use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::resource::v1::Resource;

use super::rows::Row;

/// What a row says of its resource and scope.
#[derive(Clone, Debug)]
#[expect(dead_code, reason = "the fields are compared through their debug form")]
pub(super) struct Owner {
    pub(super) service_name: Option<String>,
    pub(super) resource: Option<Resource>,
    pub(super) resource_schema_url: String,
    pub(super) scope: Option<InstrumentationScope>,
    pub(super) scope_schema_url: String,
}

impl Owner {
    pub(super) fn of_row(row: &Row) -> Self {
        Self {
            service_name: row.text("service_name"),
            resource: row.resource(),
            resource_schema_url: row.string("resource_schema_url"),
            scope: row.scope(),
            scope_schema_url: row.string("scope_schema_url"),
        }
    }

    pub(super) fn new(
        resource: Option<&Resource>,
        resource_schema_url: &str,
        scope: Option<&InstrumentationScope>,
        scope_schema_url: &str,
        strings: &[String],
    ) -> Self {
        let resource = resource.cloned().map(|mut resource| {
            resolve_all(&mut resource.attributes, strings);
            resource
        });
        let scope = scope.cloned().map(|mut scope| {
            resolve_all(&mut scope.attributes, strings);
            scope
        });
        let named = resource.iter().flat_map(|resource| &resource.attributes).find_map(|attribute| {
            let value = attribute.value.as_ref()?.value.as_ref()?;
            match value {
                any_value::Value::StringValue(name) if attribute.key == "service.name" => Some(name.clone()),
                _ => None,
            }
        });
        Self {
            service_name: named,
            resource,
            resource_schema_url: resource_schema_url.to_owned(),
            scope,
            scope_schema_url: scope_schema_url.to_owned(),
        }
    }
}

/// Resolves references into the string table; the key of an attribute that cannot be resolved becomes the index -1.
pub(super) fn resolve_all(attributes: &mut [KeyValue], strings: &[String]) {
    for attribute in attributes {
        resolve_pair(attribute, strings);
        if attribute.key_strindex != 0 {
            attribute.key_strindex = -1;
        }
    }
}

fn resolve_pair(pair: &mut KeyValue, strings: &[String]) {
    if !pair.key.is_empty() {
        pair.key_strindex = 0;
    } else if pair.key_strindex != 0
        && let Some(key) = lookup(strings, pair.key_strindex)
    {
        pair.key = key;
        pair.key_strindex = 0;
    }
    if let Some(value) = &mut pair.value {
        resolve_value(value, strings);
    }
}

pub(super) fn resolve_value(value: &mut AnyValue, strings: &[String]) {
    match &mut value.value {
        Some(any_value::Value::StringValueStrindex(index)) => {
            if let Some(text) = lookup(strings, *index) {
                value.value = Some(any_value::Value::StringValue(text));
            }
        }
        Some(any_value::Value::ArrayValue(array)) => {
            array.values.iter_mut().for_each(|value| resolve_value(value, strings));
        }
        Some(any_value::Value::KvlistValue(list)) => {
            list.values.iter_mut().for_each(|pair| resolve_pair(pair, strings));
        }
        _ => {}
    }
}

pub(super) fn lookup(strings: &[String], index: i32) -> Option<String> {
    strings.get(usize::try_from(index).ok()?).cloned()
}

/// The convenience column `time`.
pub(super) fn time(unix_nano: u64) -> Option<i64> {
    i64::try_from(unix_nano).ok().filter(|time| *time > 0)
}
