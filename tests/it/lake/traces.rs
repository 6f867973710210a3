//! Spans: what a request says and what its rows say.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{Span, Status};
use prost::Message;

use super::expected::{Owner, resolve_all, time};
use super::rows::Row;

pub(super) fn expected(payload: &[u8]) -> Option<Vec<String>> {
    let request = ExportTraceServiceRequest::decode(payload).ok()?;
    let mut rows = Vec::new();
    for resource in &request.resource_spans {
        for scope in &resource.scope_spans {
            let owner = Owner::new(
                resource.resource.as_ref(),
                &resource.schema_url,
                scope.scope.as_ref(),
                &scope.schema_url,
                &[],
            );
            for span in &scope.spans {
                let mut span = span.clone();
                resolve_all(&mut span.attributes, &[]);
                span.events.iter_mut().for_each(|event| resolve_all(&mut event.attributes, &[]));
                span.links.iter_mut().for_each(|link| resolve_all(&mut link.attributes, &[]));
                let duration = i128::from(span.end_time_unix_nano) - i128::from(span.start_time_unix_nano);
                let duration = i64::try_from(duration).ok();
                let event_times: Vec<_> = span.events.iter().map(|event| time(event.time_unix_nano)).collect();
                rows.push(format!("{:#?}", (&owner, time(span.start_time_unix_nano), duration, event_times, &span)));
            }
        }
    }
    Some(rows)
}

pub(super) fn actual(row: &Row) -> String {
    let events = row.list("events").unwrap();
    let event_times: Vec<_> = events.iter().map(|event| event.nanos("time")).collect();
    let span = Span {
        trace_id: row.id("trace_id"),
        span_id: row.id("span_id"),
        trace_state: row.string("trace_state"),
        parent_span_id: row.id("parent_span_id"),
        flags: row.u32("flags").unwrap(),
        name: row.string("name"),
        kind: row.named("kind", &["unspecified", "internal", "server", "client", "producer", "consumer"]),
        start_time_unix_nano: row.u64("start_time_unix_nano").unwrap(),
        end_time_unix_nano: row.u64("end_time_unix_nano").unwrap(),
        attributes: row.attributes("attributes").unwrap(),
        dropped_attributes_count: row.u32("dropped_attributes_count").unwrap(),
        events: events
            .iter()
            .map(|event| Event {
                time_unix_nano: event.u64("time_unix_nano").unwrap(),
                name: event.string("name"),
                attributes: event.attributes("attributes").unwrap(),
                dropped_attributes_count: event.u32("dropped_attributes_count").unwrap(),
            })
            .collect(),
        dropped_events_count: row.u32("dropped_events_count").unwrap(),
        links: row
            .list("links")
            .unwrap()
            .iter()
            .map(|link| Link {
                trace_id: link.id("trace_id"),
                span_id: link.id("span_id"),
                trace_state: link.string("trace_state"),
                attributes: link.attributes("attributes").unwrap(),
                dropped_attributes_count: link.u32("dropped_attributes_count").unwrap(),
                flags: link.u32("flags").unwrap(),
            })
            .collect(),
        dropped_links_count: row.u32("dropped_links_count").unwrap(),
        status: row.text("status_code").map(|_| Status {
            message: row.string("status_message"),
            code: row.named("status_code", &["unset", "ok", "error"]),
        }),
    };
    format!("{:#?}", (&Owner::of_row(row), row.nanos("time"), row.i64("duration_nano"), event_times, &span))
}
