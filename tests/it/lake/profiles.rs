//! Profile samples: what a request says with its dictionary resolved, and what its rows say.

use opentelemetry_proto::tonic::collector::profiles::v1development::ExportProfilesServiceRequest;
use opentelemetry_proto::tonic::common::v1::AnyValue;
use opentelemetry_proto::tonic::profiles::v1development::{Location, Profile, ProfilesDictionary, Sample, ValueType};
use prost::Message;

use super::expected::{Owner, lookup, resolve_value, time};
use super::rows::Row;

#[derive(Debug)]
#[expect(dead_code, reason = "the fields are compared through their debug form")]
struct Line {
    name: Option<String>,
    system_name: Option<String>,
    filename: Option<String>,
    function_start: Option<i64>,
    number: i64,
    column: i64,
}

#[derive(Debug)]
#[expect(dead_code, reason = "the fields are compared through their debug form")]
struct Attribute {
    key: Option<String>,
    value: Option<AnyValue>,
    unit: Option<String>,
}

#[derive(Debug)]
#[expect(dead_code, reason = "the fields are compared through their debug form")]
struct Mapping {
    numbers: [u64; 3],
    filename: Option<String>,
    attributes: Vec<Attribute>,
}

#[derive(Debug)]
#[expect(dead_code, reason = "the fields are compared through their debug form")]
struct Frame {
    address: u64,
    mapping: Option<Mapping>,
    lines: Vec<Line>,
    attributes: Vec<Attribute>,
}

#[derive(Debug)]
#[expect(dead_code, reason = "the fields are compared through their debug form")]
struct SampleRow {
    index: u32,
    values: Vec<i64>,
    timestamps: Vec<u64>,
    attributes: Vec<Attribute>,
    link: (Vec<u8>, Vec<u8>),
    stack: Option<Vec<Option<Frame>>>,
}

#[derive(Debug)]
#[expect(dead_code, reason = "the fields are compared through their debug form")]
struct ProfileRow {
    owner: Owner,
    index: u32,
    id: Vec<u8>,
    time: (Option<i64>, u64),
    duration: u64,
    types: [Option<String>; 4],
    period: i64,
    attributes: Vec<Attribute>,
    dropped_attributes: u32,
    payload_format: String,
    payload: Option<Vec<u8>>,
    sample: Option<SampleRow>,
}

pub(super) fn expected(payload: &[u8]) -> Option<Vec<String>> {
    let request = ExportProfilesServiceRequest::decode(payload).ok()?;
    let tables = Tables(request.dictionary.unwrap_or_default());
    let strings = &tables.0.string_table;
    let mut rows = Vec::new();
    let mut index = 0;
    for resource in &request.resource_profiles {
        for scope in &resource.scope_profiles {
            let (resource_url, scope_url) = (&resource.schema_url, &scope.schema_url);
            let owner = Owner::new(resource.resource.as_ref(), resource_url, scope.scope.as_ref(), scope_url, strings);
            for profile in &scope.profiles {
                let samples: Vec<_> = profile.samples.iter().map(Some).collect();
                let samples = if samples.is_empty() { vec![None] } else { samples };
                for (at, sample) in samples.into_iter().enumerate() {
                    let at = u32::try_from(at).unwrap();
                    let row = tables.row(owner.clone(), index, profile, sample.map(|sample| (at, sample)));
                    rows.push(format!("{row:#?}"));
                }
                index += 1;
            }
        }
    }
    Some(rows)
}

struct Tables(ProfilesDictionary);

fn entry<T>(table: &[T], index: i32) -> Option<&T> {
    table.get(usize::try_from(index).ok()?)
}

impl Tables {
    fn row(&self, owner: Owner, index: u32, profile: &Profile, sample: Option<(u32, &Sample)>) -> ProfileRow {
        let text = |value: Option<&ValueType>, of: fn(&ValueType) -> i32| value.and_then(|value| self.text(of(value)));
        let (sample_type, period_type) = (profile.sample_type.as_ref(), profile.period_type.as_ref());
        ProfileRow {
            owner,
            index,
            id: profile.profile_id.clone(),
            time: (time(profile.time_unix_nano), profile.time_unix_nano),
            duration: profile.duration_nano,
            types: [
                text(sample_type, |value| value.type_strindex),
                text(sample_type, |value| value.unit_strindex),
                text(period_type, |value| value.type_strindex),
                text(period_type, |value| value.unit_strindex),
            ],
            period: profile.period,
            attributes: self.attributes(&profile.attribute_indices),
            dropped_attributes: profile.dropped_attributes_count,
            payload_format: profile.original_payload_format.clone(),
            payload: sample.is_none_or(|(at, _)| at == 0).then(|| profile.original_payload.clone()),
            sample: sample.map(|(at, sample)| self.sample(at, sample)),
        }
    }

    fn sample(&self, index: u32, sample: &Sample) -> SampleRow {
        let link = entry(&self.0.link_table, sample.link_index).filter(|_| sample.link_index != 0);
        SampleRow {
            index,
            values: sample.values.clone(),
            timestamps: sample.timestamps_unix_nano.clone(),
            attributes: self.attributes(&sample.attribute_indices),
            link: link.map(|link| (link.trace_id.clone(), link.span_id.clone())).unwrap_or_default(),
            stack: entry(&self.0.stack_table, sample.stack_index).map(|stack| {
                let location = |index: &i32| entry(&self.0.location_table, *index).map(|location| self.frame(location));
                stack.location_indices.iter().map(location).collect()
            }),
        }
    }

    fn frame(&self, location: &Location) -> Frame {
        let mapping = entry(&self.0.mapping_table, location.mapping_index).filter(|_| location.mapping_index != 0);
        let lines = location.lines.iter().map(|line| {
            let function = entry(&self.0.function_table, line.function_index);
            Line {
                name: function.and_then(|function| self.text(function.name_strindex)),
                system_name: function.and_then(|function| self.text(function.system_name_strindex)),
                filename: function.and_then(|function| self.text(function.filename_strindex)),
                function_start: function.map(|function| function.start_line),
                number: line.line,
                column: line.column,
            }
        });
        Frame {
            address: location.address,
            mapping: mapping.map(|mapping| Mapping {
                numbers: [mapping.memory_start, mapping.memory_limit, mapping.file_offset],
                filename: self.text(mapping.filename_strindex),
                attributes: self.attributes(&mapping.attribute_indices),
            }),
            lines: lines.collect(),
            attributes: self.attributes(&location.attribute_indices),
        }
    }

    fn attributes(&self, indices: &[i32]) -> Vec<Attribute> {
        let resolve = |index: &i32| {
            let attribute = entry(&self.0.attribute_table, *index);
            let mut value = attribute.and_then(|attribute| attribute.value.clone());
            if let Some(value) = &mut value {
                resolve_value(value, &self.0.string_table);
            }
            Attribute {
                key: attribute.and_then(|attribute| self.text(attribute.key_strindex)),
                value,
                unit: attribute.and_then(|attribute| self.text(attribute.unit_strindex)),
            }
        };
        indices.iter().map(resolve).collect()
    }

    fn text(&self, index: i32) -> Option<String> {
        lookup(&self.0.string_table, index)
    }
}

pub(super) fn actual(row: &Row) -> String {
    let types = ["sample_type", "sample_unit", "period_type", "period_unit"];
    let sample = row.u32("sample_index").map(|index| SampleRow {
        index,
        values: row.i64s("values").unwrap(),
        timestamps: row.u64s("timestamps_unix_nano").unwrap(),
        attributes: attributes(row, "attributes"),
        link: (row.id("trace_id"), row.id("span_id")),
        stack: row.elements("stack").map(|frames| frames.iter().map(|row| row.as_ref().map(frame)).collect()),
    });
    let row = ProfileRow {
        owner: Owner::of_row(row),
        index: row.u32("profile_index").unwrap(),
        id: row.id("profile_id"),
        time: (row.nanos("time"), row.u64("time_unix_nano").unwrap()),
        duration: row.u64("duration_nano").unwrap(),
        types: types.map(|name| row.text(name)),
        period: row.i64("period").unwrap(),
        attributes: attributes(row, "profile_attributes"),
        dropped_attributes: row.u32("profile_dropped_attributes_count").unwrap(),
        payload_format: row.string("original_payload_format"),
        payload: row.bytes("original_payload"),
        sample,
    };
    format!("{row:#?}")
}

fn frame(row: &Row) -> Frame {
    let lines = row.list("lines").unwrap();
    Frame {
        address: row.u64("address").unwrap(),
        mapping: row.structure("mapping").map(|mapping| Mapping {
            numbers: ["memory_start", "memory_limit", "file_offset"].map(|name| mapping.u64(name).unwrap()),
            filename: mapping.text("filename"),
            attributes: attributes(&mapping, "attributes"),
        }),
        lines: lines
            .iter()
            .map(|line| Line {
                name: line.text("function_name"),
                system_name: line.text("function_system_name"),
                filename: line.text("function_filename"),
                function_start: line.i64("function_start_line"),
                number: line.i64("line").unwrap(),
                column: line.i64("column").unwrap(),
            })
            .collect(),
        attributes: attributes(row, "attributes"),
    }
}

fn attributes(row: &Row, name: &str) -> Vec<Attribute> {
    let read = |row: &Row| Attribute { key: row.text("key"), value: row.any_value(), unit: row.text("unit") };
    row.list(name).unwrap().iter().map(read).collect()
}
