//! Log records: what a request says and what its rows say.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use prost::Message;

use super::expected::{Owner, resolve_all, resolve_value, time};
use super::rows::Row;

pub(super) fn expected(payload: &[u8]) -> Option<Vec<String>> {
    let request = ExportLogsServiceRequest::decode(payload).ok()?;
    let mut rows = Vec::new();
    for resource in &request.resource_logs {
        for scope in &resource.scope_logs {
            let owner = Owner::new(
                resource.resource.as_ref(),
                &resource.schema_url,
                scope.scope.as_ref(),
                &scope.schema_url,
                &[],
            );
            for record in &scope.log_records {
                let mut record = record.clone();
                resolve_all(&mut record.attributes, &[]);
                record.body.iter_mut().for_each(|body| resolve_value(body, &[]));
                let at =
                    if record.time_unix_nano == 0 { record.observed_time_unix_nano } else { record.time_unix_nano };
                rows.push(format!("{:#?}", (&owner, time(at), &record)));
            }
        }
    }
    Some(rows)
}

pub(super) fn actual(row: &Row) -> String {
    let record = LogRecord {
        time_unix_nano: row.u64("time_unix_nano").unwrap(),
        observed_time_unix_nano: row.u64("observed_time_unix_nano").unwrap(),
        severity_number: row.i32("severity_number").unwrap(),
        severity_text: row.string("severity_text"),
        body: row.structure("body").unwrap().any_value(),
        attributes: row.attributes("attributes").unwrap(),
        dropped_attributes_count: row.u32("dropped_attributes_count").unwrap(),
        flags: row.u32("flags").unwrap(),
        trace_id: row.id("trace_id"),
        span_id: row.id("span_id"),
        event_name: row.string("event_name"),
    };
    format!("{:#?}", (&Owner::of_row(row), row.nanos("time"), &record))
}
