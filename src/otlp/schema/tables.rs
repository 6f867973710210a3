//! The tables themselves, in the order of the `.proto` files.

use super::Kind::{
    Bool, Bytes, Double, Enum, Fixed32, Fixed64, Int32, Int64, ProfileId, Sfixed64, Sint32, SpanId, String, TraceId,
    Uint32, Uint64,
};
use super::{Field, Kind, Label, Message, Role};

const fn one(number: u32, name: &'static str, kind: Kind) -> Field {
    Field { number, name, kind, label: Label::Single }
}

const fn optional(number: u32, name: &'static str, kind: Kind) -> Field {
    Field { number, name, kind, label: Label::Optional }
}

const fn member(number: u32, name: &'static str, kind: Kind) -> Field {
    Field { number, name, kind, label: Label::Member }
}

const fn many(number: u32, name: &'static str, kind: Kind) -> Field {
    Field { number, name, kind, label: Label::Repeated }
}

const fn message(message: &'static Message) -> Kind {
    Kind::Message(message)
}

macro_rules! messages {
    ($($constant:ident = $name:literal, $role:ident { $($label:ident($number:literal, $field:literal, $kind:expr);)* })*) => {
        $(pub(super) static $constant: Message =
            Message::new($name, Role::$role, &[$($label($number, $field, $kind)),*]);)*
    };
}

// common, resource
messages! {
    ANY_VALUE = "AnyValue", AnyValue {
        member(1, "stringValue", String);
        member(2, "boolValue", Bool);
        member(3, "intValue", Int64);
        member(4, "doubleValue", Double);
        member(5, "arrayValue", message(&ARRAY_VALUE));
        member(6, "kvlistValue", message(&KEY_VALUE_LIST));
        member(7, "bytesValue", Bytes);
        member(8, "stringValueStrindex", Int32);
    }
    ARRAY_VALUE = "ArrayValue", Part {
        many(1, "values", message(&ANY_VALUE));
    }
    KEY_VALUE_LIST = "KeyValueList", Part {
        many(1, "values", message(&KEY_VALUE));
    }
    KEY_VALUE = "KeyValue", KeyValue {
        one(1, "key", String);
        one(2, "value", message(&ANY_VALUE));
        one(3, "keyStrindex", Int32);
    }
    SCOPE = "InstrumentationScope", Part {
        one(1, "name", String);
        one(2, "version", String);
        many(3, "attributes", message(&KEY_VALUE));
        one(4, "droppedAttributesCount", Uint32);
    }
    ENTITY_REF = "EntityRef", Part {
        one(1, "schemaUrl", String);
        one(2, "type", String);
        many(3, "idKeys", String);
        many(4, "descriptionKeys", String);
    }
    RESOURCE = "Resource", Resource {
        many(1, "attributes", message(&KEY_VALUE));
        one(2, "droppedAttributesCount", Uint32);
        many(3, "entityRefs", message(&ENTITY_REF));
    }
}

// trace
messages! {
    TRACES = "ExportTraceServiceRequest", Part {
        many(1, "resourceSpans", message(&RESOURCE_SPANS));
    }
    RESOURCE_SPANS = "ResourceSpans", ResourceGroup {
        one(1, "resource", message(&RESOURCE));
        many(2, "scopeSpans", message(&SCOPE_SPANS));
        one(3, "schemaUrl", String);
    }
    SCOPE_SPANS = "ScopeSpans", ScopeGroup {
        one(1, "scope", message(&SCOPE));
        many(2, "spans", message(&SPAN));
        one(3, "schemaUrl", String);
    }
    SPAN = "Span", Item {
        one(1, "traceId", TraceId);
        one(2, "spanId", SpanId);
        one(3, "traceState", String);
        one(4, "parentSpanId", SpanId);
        one(5, "name", String);
        one(6, "kind", Enum(SPAN_KIND));
        one(7, "startTimeUnixNano", Fixed64);
        one(8, "endTimeUnixNano", Fixed64);
        many(9, "attributes", message(&KEY_VALUE));
        one(10, "droppedAttributesCount", Uint32);
        many(11, "events", message(&EVENT));
        one(12, "droppedEventsCount", Uint32);
        many(13, "links", message(&SPAN_LINK));
        one(14, "droppedLinksCount", Uint32);
        one(15, "status", message(&STATUS));
        one(16, "flags", Fixed32);
    }
    EVENT = "Span.Event", Part {
        one(1, "timeUnixNano", Fixed64);
        one(2, "name", String);
        many(3, "attributes", message(&KEY_VALUE));
        one(4, "droppedAttributesCount", Uint32);
    }
    SPAN_LINK = "Span.Link", Part {
        one(1, "traceId", TraceId);
        one(2, "spanId", SpanId);
        one(3, "traceState", String);
        many(4, "attributes", message(&KEY_VALUE));
        one(5, "droppedAttributesCount", Uint32);
        one(6, "flags", Fixed32);
    }
    STATUS = "Status", Part {
        one(2, "message", String);
        one(3, "code", Enum(STATUS_CODE));
    }
}

const SPAN_KIND: &[(&str, i32)] = &[
    ("SPAN_KIND_UNSPECIFIED", 0),
    ("SPAN_KIND_INTERNAL", 1),
    ("SPAN_KIND_SERVER", 2),
    ("SPAN_KIND_CLIENT", 3),
    ("SPAN_KIND_PRODUCER", 4),
    ("SPAN_KIND_CONSUMER", 5),
];

const STATUS_CODE: &[(&str, i32)] = &[("STATUS_CODE_UNSET", 0), ("STATUS_CODE_OK", 1), ("STATUS_CODE_ERROR", 2)];

// metrics
messages! {
    METRICS = "ExportMetricsServiceRequest", Part {
        many(1, "resourceMetrics", message(&RESOURCE_METRICS));
    }
    RESOURCE_METRICS = "ResourceMetrics", ResourceGroup {
        one(1, "resource", message(&RESOURCE));
        many(2, "scopeMetrics", message(&SCOPE_METRICS));
        one(3, "schemaUrl", String);
    }
    SCOPE_METRICS = "ScopeMetrics", ScopeGroup {
        one(1, "scope", message(&SCOPE));
        many(2, "metrics", message(&METRIC));
        one(3, "schemaUrl", String);
    }
    METRIC = "Metric", Part {
        one(1, "name", String);
        one(2, "description", String);
        one(3, "unit", String);
        member(5, "gauge", message(&GAUGE));
        member(7, "sum", message(&SUM));
        member(9, "histogram", message(&HISTOGRAM));
        member(10, "exponentialHistogram", message(&EXPONENTIAL_HISTOGRAM));
        member(11, "summary", message(&SUMMARY));
        many(12, "metadata", message(&KEY_VALUE));
    }
    GAUGE = "Gauge", Part {
        many(1, "dataPoints", message(&NUMBER_DATA_POINT));
    }
    SUM = "Sum", Part {
        many(1, "dataPoints", message(&NUMBER_DATA_POINT));
        one(2, "aggregationTemporality", Enum(AGGREGATION_TEMPORALITY));
        one(3, "isMonotonic", Bool);
    }
    HISTOGRAM = "Histogram", Part {
        many(1, "dataPoints", message(&HISTOGRAM_DATA_POINT));
        one(2, "aggregationTemporality", Enum(AGGREGATION_TEMPORALITY));
    }
    EXPONENTIAL_HISTOGRAM = "ExponentialHistogram", Part {
        many(1, "dataPoints", message(&EXPONENTIAL_HISTOGRAM_DATA_POINT));
        one(2, "aggregationTemporality", Enum(AGGREGATION_TEMPORALITY));
    }
    SUMMARY = "Summary", Part {
        many(1, "dataPoints", message(&SUMMARY_DATA_POINT));
    }
    NUMBER_DATA_POINT = "NumberDataPoint", Item {
        one(2, "startTimeUnixNano", Fixed64);
        one(3, "timeUnixNano", Fixed64);
        member(4, "asDouble", Double);
        many(5, "exemplars", message(&EXEMPLAR));
        member(6, "asInt", Sfixed64);
        many(7, "attributes", message(&KEY_VALUE));
        one(8, "flags", Uint32);
    }
    HISTOGRAM_DATA_POINT = "HistogramDataPoint", Item {
        one(2, "startTimeUnixNano", Fixed64);
        one(3, "timeUnixNano", Fixed64);
        one(4, "count", Fixed64);
        optional(5, "sum", Double);
        many(6, "bucketCounts", Fixed64);
        many(7, "explicitBounds", Double);
        many(8, "exemplars", message(&EXEMPLAR));
        many(9, "attributes", message(&KEY_VALUE));
        one(10, "flags", Uint32);
        optional(11, "min", Double);
        optional(12, "max", Double);
    }
    EXPONENTIAL_HISTOGRAM_DATA_POINT = "ExponentialHistogramDataPoint", Item {
        many(1, "attributes", message(&KEY_VALUE));
        one(2, "startTimeUnixNano", Fixed64);
        one(3, "timeUnixNano", Fixed64);
        one(4, "count", Fixed64);
        optional(5, "sum", Double);
        one(6, "scale", Sint32);
        one(7, "zeroCount", Fixed64);
        one(8, "positive", message(&BUCKETS));
        one(9, "negative", message(&BUCKETS));
        one(10, "flags", Uint32);
        many(11, "exemplars", message(&EXEMPLAR));
        optional(12, "min", Double);
        optional(13, "max", Double);
        one(14, "zeroThreshold", Double);
    }
    BUCKETS = "ExponentialHistogramDataPoint.Buckets", Part {
        one(1, "offset", Sint32);
        many(2, "bucketCounts", Uint64);
    }
    SUMMARY_DATA_POINT = "SummaryDataPoint", Item {
        one(2, "startTimeUnixNano", Fixed64);
        one(3, "timeUnixNano", Fixed64);
        one(4, "count", Fixed64);
        one(5, "sum", Double);
        many(6, "quantileValues", message(&VALUE_AT_QUANTILE));
        many(7, "attributes", message(&KEY_VALUE));
        one(8, "flags", Uint32);
    }
    VALUE_AT_QUANTILE = "SummaryDataPoint.ValueAtQuantile", Part {
        one(1, "quantile", Double);
        one(2, "value", Double);
    }
    EXEMPLAR = "Exemplar", Part {
        one(2, "timeUnixNano", Fixed64);
        member(3, "asDouble", Double);
        one(4, "spanId", SpanId);
        one(5, "traceId", TraceId);
        member(6, "asInt", Sfixed64);
        many(7, "filteredAttributes", message(&KEY_VALUE));
    }
}

const AGGREGATION_TEMPORALITY: &[(&str, i32)] = &[
    ("AGGREGATION_TEMPORALITY_UNSPECIFIED", 0),
    ("AGGREGATION_TEMPORALITY_DELTA", 1),
    ("AGGREGATION_TEMPORALITY_CUMULATIVE", 2),
];

// logs
messages! {
    LOGS = "ExportLogsServiceRequest", Part {
        many(1, "resourceLogs", message(&RESOURCE_LOGS));
    }
    RESOURCE_LOGS = "ResourceLogs", ResourceGroup {
        one(1, "resource", message(&RESOURCE));
        many(2, "scopeLogs", message(&SCOPE_LOGS));
        one(3, "schemaUrl", String);
    }
    SCOPE_LOGS = "ScopeLogs", ScopeGroup {
        one(1, "scope", message(&SCOPE));
        many(2, "logRecords", message(&LOG_RECORD));
        one(3, "schemaUrl", String);
    }
    LOG_RECORD = "LogRecord", Item {
        one(1, "timeUnixNano", Fixed64);
        one(2, "severityNumber", Enum(SEVERITY_NUMBER));
        one(3, "severityText", String);
        one(5, "body", message(&ANY_VALUE));
        many(6, "attributes", message(&KEY_VALUE));
        one(7, "droppedAttributesCount", Uint32);
        one(8, "flags", Fixed32);
        one(9, "traceId", TraceId);
        one(10, "spanId", SpanId);
        one(11, "observedTimeUnixNano", Fixed64);
        one(12, "eventName", String);
    }
}

const SEVERITY_NUMBER: &[(&str, i32)] = &[
    ("SEVERITY_NUMBER_UNSPECIFIED", 0),
    ("SEVERITY_NUMBER_TRACE", 1),
    ("SEVERITY_NUMBER_TRACE2", 2),
    ("SEVERITY_NUMBER_TRACE3", 3),
    ("SEVERITY_NUMBER_TRACE4", 4),
    ("SEVERITY_NUMBER_DEBUG", 5),
    ("SEVERITY_NUMBER_DEBUG2", 6),
    ("SEVERITY_NUMBER_DEBUG3", 7),
    ("SEVERITY_NUMBER_DEBUG4", 8),
    ("SEVERITY_NUMBER_INFO", 9),
    ("SEVERITY_NUMBER_INFO2", 10),
    ("SEVERITY_NUMBER_INFO3", 11),
    ("SEVERITY_NUMBER_INFO4", 12),
    ("SEVERITY_NUMBER_WARN", 13),
    ("SEVERITY_NUMBER_WARN2", 14),
    ("SEVERITY_NUMBER_WARN3", 15),
    ("SEVERITY_NUMBER_WARN4", 16),
    ("SEVERITY_NUMBER_ERROR", 17),
    ("SEVERITY_NUMBER_ERROR2", 18),
    ("SEVERITY_NUMBER_ERROR3", 19),
    ("SEVERITY_NUMBER_ERROR4", 20),
    ("SEVERITY_NUMBER_FATAL", 21),
    ("SEVERITY_NUMBER_FATAL2", 22),
    ("SEVERITY_NUMBER_FATAL3", 23),
    ("SEVERITY_NUMBER_FATAL4", 24),
];

// profiles
messages! {
    PROFILES = "ExportProfilesServiceRequest", Part {
        many(1, "resourceProfiles", message(&RESOURCE_PROFILES));
        one(2, "dictionary", message(&DICTIONARY));
    }
    DICTIONARY = "ProfilesDictionary", Part {
        many(1, "mappingTable", message(&MAPPING));
        many(2, "locationTable", message(&LOCATION));
        many(3, "functionTable", message(&FUNCTION));
        many(4, "linkTable", message(&PROFILE_LINK));
        many(5, "stringTable", String);
        many(6, "attributeTable", message(&KEY_VALUE_AND_UNIT));
        many(7, "stackTable", message(&STACK));
    }
    RESOURCE_PROFILES = "ResourceProfiles", ResourceGroup {
        one(1, "resource", message(&RESOURCE));
        many(2, "scopeProfiles", message(&SCOPE_PROFILES));
        one(3, "schemaUrl", String);
    }
    SCOPE_PROFILES = "ScopeProfiles", ScopeGroup {
        one(1, "scope", message(&SCOPE));
        many(2, "profiles", message(&PROFILE));
        one(3, "schemaUrl", String);
    }
    PROFILE = "Profile", Part {
        one(1, "sampleType", message(&VALUE_TYPE));
        many(2, "samples", message(&SAMPLE));
        one(3, "timeUnixNano", Fixed64);
        one(4, "durationNano", Uint64);
        one(5, "periodType", message(&VALUE_TYPE));
        one(6, "period", Int64);
        one(7, "profileId", ProfileId);
        one(8, "droppedAttributesCount", Uint32);
        one(9, "originalPayloadFormat", String);
        one(10, "originalPayload", Bytes);
        many(11, "attributeIndices", Int32);
    }
    PROFILE_LINK = "Link", Part {
        one(1, "traceId", TraceId);
        one(2, "spanId", SpanId);
    }
    VALUE_TYPE = "ValueType", Part {
        one(1, "typeStrindex", Int32);
        one(2, "unitStrindex", Int32);
    }
    SAMPLE = "Sample", Item {
        one(1, "stackIndex", Int32);
        many(2, "attributeIndices", Int32);
        one(3, "linkIndex", Int32);
        many(4, "values", Int64);
        many(5, "timestampsUnixNano", Fixed64);
    }
    MAPPING = "Mapping", Part {
        one(1, "memoryStart", Uint64);
        one(2, "memoryLimit", Uint64);
        one(3, "fileOffset", Uint64);
        one(4, "filenameStrindex", Int32);
        many(5, "attributeIndices", Int32);
    }
    STACK = "Stack", Part {
        many(1, "locationIndices", Int32);
    }
    LOCATION = "Location", Part {
        one(1, "mappingIndex", Int32);
        one(2, "address", Uint64);
        many(3, "lines", message(&LINE));
        many(4, "attributeIndices", Int32);
    }
    LINE = "Line", Part {
        one(1, "functionIndex", Int32);
        one(2, "line", Int64);
        one(3, "column", Int64);
    }
    FUNCTION = "Function", Part {
        one(1, "nameStrindex", Int32);
        one(2, "systemNameStrindex", Int32);
        one(3, "filenameStrindex", Int32);
        one(4, "startLine", Int64);
    }
    KEY_VALUE_AND_UNIT = "KeyValueAndUnit", Part {
        one(1, "keyStrindex", Int32);
        one(2, "value", message(&ANY_VALUE));
        one(3, "unitStrindex", Int32);
    }
}
