//! The rules of OTLP/JSON, one by one.

use gridgate::domain::{BudgetExceeded, Reason, Signal};
use gridgate::otlp::json::{JsonError, JsonLimits, to_protobuf as transcode};
use gridgate::otlp::scan::{ScanLimits, scan};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::profiles::v1development::ExportProfilesServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{ArrayValue, KeyValueList};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{HistogramDataPoint, number_data_point};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

use super::to_protobuf;

fn span(fields: &str) -> Result<Span, JsonError> {
    let json = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{fields}]}}]}}]}}"#);
    let protobuf = to_protobuf(Signal::Traces, json.as_bytes(), usize::MAX)?;
    let mut request = ExportTraceServiceRequest::decode(protobuf.as_slice()).expect("it is valid");
    Ok(request.resource_spans.remove(0).scope_spans.remove(0).spans.remove(0))
}

/// The value of a log record's body.
fn value(json: &str) -> Result<Option<Value>, JsonError> {
    let json = format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{{"body":{json}}}]}}]}}]}}"#);
    let protobuf = to_protobuf(Signal::Logs, json.as_bytes(), usize::MAX)?;
    let mut request = ExportLogsServiceRequest::decode(protobuf.as_slice()).expect("it is valid");
    let record = request.resource_logs.remove(0).scope_logs.remove(0).log_records.remove(0);
    Ok(record.body.expect("a body").value)
}

fn metric(json: &str) -> Result<Data, JsonError> {
    let json = format!(r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{{json}}}]}}]}}]}}"#);
    let protobuf = to_protobuf(Signal::Metrics, json.as_bytes(), usize::MAX)?;
    let mut request = ExportMetricsServiceRequest::decode(protobuf.as_slice()).expect("it is valid");
    Ok(request.resource_metrics.remove(0).scope_metrics.remove(0).metrics.remove(0).data.expect("points"))
}

fn histogram_point(json: &str) -> Result<HistogramDataPoint, JsonError> {
    match metric(&format!(r#""histogram":{{"dataPoints":[{json}]}}"#))? {
        Data::Histogram(mut histogram) => Ok(histogram.data_points.remove(0)),
        other => panic!("{other:?}"),
    }
}

fn profile_id(json: &str) -> Result<Vec<u8>, JsonError> {
    let json = format!(r#"{{"resourceProfiles":[{{"scopeProfiles":[{{"profiles":[{{"profileId":{json}}}]}}]}}]}}"#);
    let protobuf = to_protobuf(Signal::Profiles, json.as_bytes(), usize::MAX)?;
    let mut request = ExportProfilesServiceRequest::decode(protobuf.as_slice()).expect("it is valid");
    Ok(request.resource_profiles.remove(0).scope_profiles.remove(0).profiles.remove(0).profile_id)
}

#[test]
fn an_export_of_nothing() {
    for signal in Signal::ALL {
        assert_eq!(to_protobuf(signal, b"", usize::MAX), Err(JsonError::Empty));
        for json in ["{}", " {} \n", r#"{"resourceSpan":1}"#, r#"{"resourceSpans":null,"resourceLogs":[]}"#] {
            assert_eq!(to_protobuf(signal, json.as_bytes(), 0), Ok(Vec::new()), "{signal} {json}");
        }
    }
}

/// Clause T14 of docs/otlp.md.
#[test]
fn ids_are_hexadecimal_in_either_case() {
    let id = [0x5b, 0x8e, 0xff, 0xf7, 0x98, 0x03, 0x81, 0x03, 0xd2, 0x69, 0xb6, 0x33, 0x81, 0x3f, 0xc6, 0x0c];
    for text in ["5B8EFFF798038103D269B633813FC60C", "5b8efff798038103d269b633813fc60c"] {
        assert_eq!(span(&format!(r#"{{"traceId":"{text}"}}"#)).map(|span| span.trace_id), Ok(id.to_vec()));
        assert_eq!(profile_id(&format!("\"{text}\"")), Ok(id.to_vec()));
    }
    assert_eq!(span(r#"{"parentSpanId":"EEE19B7EC3C1B173"}"#).map(|span| span.parent_span_id.len()), Ok(8));
    assert_eq!(span(r#"{"traceId":"","spanId":null}"#), Ok(Span::default()));
    assert_eq!(profile_id(r#""W47/95gDgQPSabYzgT/GDA==""#), Ok(id.to_vec()));
    for text in ["5B8EFFF798038103", "5B8EFFF798038103D269B633813FC60", "5B8EFFF798038103D269B633813FC60G"] {
        assert!(span(&format!(r#"{{"traceId":"{text}"}}"#)).is_err(), "{text}");
        assert!(profile_id(&format!("\"{text}\"")).is_err(), "{text}");
    }
}

/// Clause T17 of docs/otlp.md.
#[test]
fn names_in_either_spelling() {
    for json in [r#"{"startTimeUnixNano":"7"}"#, r#"{"start_time_unix_nano":7}"#] {
        assert_eq!(span(json).map(|span| span.start_time_unix_nano), Ok(7));
    }
    for json in [r#"{"start_TimeUnixNano":7}"#, r#"{"StartTimeUnixNano":7}"#, r#"{"start_time_unix_nano_":7}"#] {
        assert_eq!(span(json), Ok(Span::default()), "{json}");
    }
}

/// Clause T15 of docs/otlp.md.
#[test]
fn enumerations_as_numbers_and_known_names() {
    for (json, expected) in [("2", 2), ("99", 99), ("-1", -1), ("\"SPAN_KIND_SERVER\"", 2), ("null", 0), ("2.0", 2)] {
        assert_eq!(span(&format!(r#"{{"kind":{json}}}"#)).map(|span| span.kind), Ok(expected), "{json}");
    }
    for json in ["\"SERVER\"", "\"2\"", "4294967296", "2.5", "true", "[]"] {
        assert!(span(&format!(r#"{{"kind":{json}}}"#)).is_err(), "{json}");
    }
}

/// Clause T18 of docs/otlp.md.
#[test]
fn integers_as_numbers_and_strings() {
    let good = [
        ("9223372036854775807", i64::MAX),
        ("\"-9223372036854775808\"", i64::MIN),
        ("1e3", 1000),
        ("\"1e3\"", 1000),
        ("-0", 0),
        ("1.0", 1),
        ("\"1.0\"", 1),
        ("\"-1.50e1\"", -15),
        ("\"1200E-2\"", 12),
        ("\"-0.0e9\"", 0),
        ("\"1.795600000000000001e18\"", 1_795_600_000_000_000_001),
        ("\"9007199254740993.0\"", 9_007_199_254_740_993),
        ("\"9007199254740993\"", 9_007_199_254_740_993),
        ("9007199254740993", 9_007_199_254_740_993),
    ];
    for (json, expected) in good {
        assert_eq!(value(&format!(r#"{{"intValue":{json}}}"#)), Ok(Some(Value::IntValue(expected))), "{json}");
    }
    let bad = [
        "9223372036854775808",
        "1.5",
        "\"\"",
        "\"+1\"",
        "\" 1\"",
        "\"0x10\"",
        "\"NaN\"",
        "1e300",
        "\"1e300\"",
        "\"1e99999999999\"",
        "\"9.3e18\"",
        "\"1.5\"",
        "\"15e-1\"",
        "\"1.e1\"",
        "\".5e1\"",
        "\"1e\"",
        "\"1e1.0\"",
        "\"e1\"",
        "\"-\"",
        "true",
        "[1]",
        // The digits of a bare number with a fraction or an exponent are gone by then: it may have been another.
        "9007199254740993.0",
        "1.7956e18",
    ];
    for json in bad {
        assert!(value(&format!(r#"{{"intValue":{json}}}"#)).is_err(), "{json}");
    }
    assert_eq!(span(r#"{"endTimeUnixNano":18446744073709551615}"#).map(|span| span.end_time_unix_nano), Ok(u64::MAX));
    assert_eq!(span(r#"{"endTimeUnixNano":"1.8e19"}"#).map(|span| span.end_time_unix_nano), Ok(18 * 10_u64.pow(18)));
    assert!(span(r#"{"endTimeUnixNano":18446744073709551616}"#).is_err());
    assert!(span(r#"{"endTimeUnixNano":"1.9e19"}"#).is_err());
    assert!(span(r#"{"endTimeUnixNano":-1}"#).is_err());
    assert!(span(r#"{"droppedEventsCount":4294967296}"#).is_err());
}

/// Clause T19 of docs/otlp.md.
#[test]
fn doubles_as_numbers_and_strings() {
    let good = [
        ("1", 1.0),
        ("0.1", 0.1),
        ("\"-2.5e-3\"", -0.0025),
        ("\"Infinity\"", f64::INFINITY),
        ("\"-Infinity\"", f64::NEG_INFINITY),
        ("18446744073709551616", 18_446_744_073_709_551_616.0),
        ("2.2250738585072011e-308", 2.225_073_858_507_201e-308),
    ];
    for (json, expected) in good {
        assert_eq!(value(&format!(r#"{{"doubleValue":{json}}}"#)), Ok(Some(Value::DoubleValue(expected))), "{json}");
    }
    let nan = value(r#"{"doubleValue":"NaN"}"#);
    assert!(matches!(nan, Ok(Some(Value::DoubleValue(number))) if number.is_nan()), "{nan:?}");
    for json in ["\"inf\"", "\"nan\"", "\"\"", "\"1,5\"", "\"1e999\"", "1e999", "true", "{}"] {
        assert!(value(&format!(r#"{{"doubleValue":{json}}}"#)).is_err(), "{json}");
    }
}

/// Clause T19 of docs/otlp.md.
#[test]
fn bytes_in_every_base64() {
    for text in ["-_8=", "-_8", "+/8=", "+/8"] {
        assert_eq!(value(&format!(r#"{{"bytesValue":"{text}"}}"#)), Ok(Some(Value::BytesValue(vec![0xfb, 0xff]))));
    }
    for text in ["+_8=", "a", "ä", "AA=A"] {
        assert!(value(&format!(r#"{{"bytesValue":"{text}"}}"#)).is_err(), "{text}");
    }
}

#[test]
fn what_is_zero_and_yet_there_is_written() {
    let zeros = [
        (r#"{"stringValue":""}"#, Value::StringValue(String::new())),
        (r#"{"boolValue":false}"#, Value::BoolValue(false)),
        (r#"{"intValue":"0"}"#, Value::IntValue(0)),
        (r#"{"doubleValue":0}"#, Value::DoubleValue(0.0)),
        (r#"{"bytesValue":""}"#, Value::BytesValue(Vec::new())),
        (r#"{"intValue":null,"arrayValue":{}}"#, Value::ArrayValue(ArrayValue::default())),
        (r#"{"kvlistValue":{"values":[]}}"#, Value::KvlistValue(KeyValueList::default())),
    ];
    for (json, expected) in zeros {
        assert_eq!(value(json), Ok(Some(expected)), "{json}");
    }
    assert_eq!(value("{}"), Ok(None));
    let Ok(Data::Sum(sum)) = metric(r#""sum":{"dataPoints":[{"asInt":"0"}]}"#) else { panic!("it is a sum") };
    assert_eq!(sum.data_points[0].value, Some(number_data_point::Value::AsInt(0)));
    let point = histogram_point(r#"{"sum":0,"min":null,"bucketCounts":["1",2],"explicitBounds":[]}"#).expect("valid");
    assert_eq!((point.sum, point.min, point.max), (Some(0.0), None, None));
    assert_eq!(point.bucket_counts, [1, 2]);
}

#[test]
fn errors_say_where_and_what() {
    let place = "$.resourceSpans[0].scopeSpans[0].spans[0]";
    let cases = [
        (r#"{"traceId":"xy"}"#, ".traceId: expected a string of 32 hexadecimal digits at line 1 column 58"),
        (r#"{"spanId":7}"#, ".spanId: expected a string of 16 hexadecimal digits"),
        (r#"{"name":7}"#, ".name: expected a string"),
        (r#"{"flags":"x"}"#, ".flags: expected an integer from 0 to 4294967295, as a number or a string"),
        (r#"{"status":"secret"}"#, ".status: expected an object (Status)"),
        (r#"{"status":[]}"#, ".status: invalid type: sequence, expected an object (Status)"),
        (r#"{"attributes":{}}"#, ".attributes: invalid type: map, expected an array"),
        (r#"{"attributes":"secret"}"#, ".attributes: expected an array"),
        (r#"{"events":[{},null]}"#, ".events[1]: an element of an array cannot be null"),
        (r#"{"name":"a","name":"b"}"#, ".name: the field is there twice"),
        (r#"{"traceId":null,"trace_id":null}"#, ".traceId: the field is there twice"),
        (
            r#"{"attributes":[{"value":{"stringValue":"a","intValue":1}}]}"#,
            ".attributes[0].value.intValue: only one of the fields that exclude each other can be set",
        ),
    ];
    for (json, expected) in cases {
        let error = span(json).expect_err(json);
        let message = error.to_string();
        assert!(message.starts_with(&format!("not OTLP of this signal: {place}{expected}")), "{message}");
        assert!(!message.contains("secret") && message.contains(" at line 1 column "), "{message}");
        assert_eq!(error.reason(), Reason::BodyUndecodable);
    }
}

#[test]
fn what_is_no_json_is_refused() {
    for json in ["{", "{\"name\":}", "{\"name\":\"\u{1}\"}", "{\"name\":\"\\u12\"}", "{\"name\":01}", "{,}", "{}]"] {
        assert!(matches!(span(json), Err(JsonError::Syntax { .. })), "{json}: {:?}", span(json));
    }
    for json in ["null", "[]", "\"\"", "7", "{}{}", "", " ", "\u{feff}{}", "{\"resourceSpans\":{}}"] {
        let error = to_protobuf(Signal::Traces, json.as_bytes(), usize::MAX).expect_err(json);
        assert_eq!(error.reason(), Reason::BodyUndecodable);
    }
    let invalid = [b"{\"resourceLogs\":[{\"schemaUrl\":\"".as_slice(), b"\xff\"}]}"].concat();
    assert_eq!(to_protobuf(Signal::Logs, &invalid, usize::MAX), Err(JsonError::Utf8 { offset: 31 }));
}

/// JavaScript cuts strings between the halves of a pair. The rest of the export is not lost for it.
#[test]
fn surrogates_that_stand_alone_are_replaced() {
    for (text, expected) in [
        (r"\ud83d", "\u{fffd}"),
        (r"a\uDE00b", "a\u{fffd}b"),
        (r"\ud83d\ude00", "\u{1f600}"),
        (r"\ud83d\ud83d\ude00\ude00", "\u{fffd}\u{1f600}\u{fffd}"),
        (r"ж\ud83d\n\ude00ж", "ж\u{fffd}\n\u{fffd}ж"),
        (r"\\ud83d", r"\ud83d"),
        (r"\\\ud83d", "\\\u{fffd}"),
        (r"\u00e9\ufffd\u0041", "\u{e9}\u{fffd}A"),
    ] {
        assert_eq!(span(&format!(r#"{{"name":"{text}"}}"#)).map(|span| span.name), Ok(expected.to_owned()), "{text}");
    }
    for text in [r"\ud83", r"\ud83x", r"\ud83d\"] {
        assert!(matches!(span(&format!(r#"{{"name":"{text}"}}"#)), Err(JsonError::Syntax { .. })), "{text}");
    }
    // The copy in which they are replaced counts, too.
    let most = |json: &str| {
        let mut most = 0;
        let reserve = |memory: usize| {
            most = most.max(memory);
            Ok(())
        };
        let limits = JsonLimits::new(1 << 20, &ScanLimits::default());
        transcode(Signal::Traces, json.as_bytes(), &limits, reserve).expect("it is good");
        most
    };
    let json = format!(r#"{{"unknown":"{}\u1234"}}"#, "x".repeat(10_000));
    assert_eq!(most(&json.replace(r"\u1234", r"\ud83d")), most(&json) + json.len());
}

/// What is not known is passed over, whatever it holds and however it nests.
#[test]
fn unknown_fields_are_ignored() {
    for value in [
        "null",
        "1e999",
        "-0",
        "123456789012345678901234567890",
        r#""\ud800""#,
        r#"{"name":{},"name":[],"":[[],{"a":[null]}]}"#,
        &format!("{}{}", "[".repeat(10_000), "]".repeat(10_000)),
    ] {
        let fields = format!(r#"{{"unknown":{value},"":{value},"Name":{value},"unknown":{value},"name":"n"}}"#);
        assert_eq!(span(&fields), Ok(Span { name: "n".to_owned(), ..Span::default() }), "{value}");
    }
}

#[test]
fn null_is_the_same_as_nothing() {
    let nothing =
        r#"{"traceId":null,"kind":null,"startTimeUnixNano":null,"attributes":null,"status":null,"flags":null}"#;
    assert_eq!(span(nothing), Ok(Span::default()));
    for field in ["stringValue", "boolValue", "intValue", "doubleValue", "arrayValue", "kvlistValue", "bytesValue"] {
        assert_eq!(value(&format!(r#"{{"{field}":null}}"#)), Ok(None), "{field}");
    }
    let point = histogram_point(r#"{"count":null,"bucketCounts":null,"max":null,"exemplars":null}"#);
    assert_eq!(point, Ok(HistogramDataPoint::default()));
    // But not among others, where it would move the ones behind it.
    assert!(histogram_point(r#"{"bucketCounts":["1",null]}"#).is_err());
}

/// A value nested so deep, by arrays and lists in turns.
fn nested(depth: usize) -> String {
    (1..depth).fold("{}".to_owned(), |inner, level| {
        if level % 2 == 0 {
            format!(r#"{{"arrayValue":{{"values":[{inner}]}}}}"#)
        } else {
            format!(r#"{{"kvlistValue":{{"values":[{{"value":{inner}}}]}}}}"#)
        }
    })
}

#[test]
fn values_nest_24_deep_and_no_deeper() {
    assert!(value(&nested(24)).is_ok());
    for depth in [25, 10_000] {
        let error = value(&nested(depth)).expect_err("too deep");
        assert_eq!((&error, error.reason()), (&JsonError::TooDeep { limit: 24 }, Reason::BodyUndecodable));
    }
}

#[test]
fn depth_and_submessages_are_limited_as_configured() {
    let body =
        |depth| format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{{"body":{}}}]}}]}}]}}"#, nested(depth));
    let limits = JsonLimits { output: usize::MAX, submessages: 1000, depth: 32 };
    let translate = |depth, limits: &JsonLimits| transcode(Signal::Logs, body(depth).as_bytes(), limits, |_| Ok(()));
    let scan_limits = ScanLimits { submessages: 1000, depth: 32, ..ScanLimits::default() };
    for (limit, depth) in [(1, 1), (2, 2), (32, 32)] {
        let limits = JsonLimits { depth: limit, ..limits };
        let protobuf = translate(depth, &limits).expect("deep enough");
        assert!(scan(Signal::Logs, &protobuf, &ScanLimits { depth: limit, ..scan_limits }).is_ok());
        assert_eq!(translate(depth + 1, &limits), Err(JsonError::TooDeep { limit }));
    }
    // Resource group, scope group, record and body.
    assert!(translate(1, &JsonLimits { submessages: 4, ..limits }).is_ok());
    let less = JsonLimits { submessages: 3, ..limits };
    assert_eq!(translate(1, &less), Err(JsonError::TooManySubmessages { limit: 3 }));
}

/// What the translation takes is asked for as it grows, and a refusal ends it.
#[test]
fn memory_is_reserved_as_it_grows() {
    let empty_messages = format!(r#"{{"resourceSpans":[{}{{}}]}}"#, "{},".repeat(100_000));
    let numbers = format!(
        r#"{{"resourceProfiles":[{{"scopeProfiles":[{{"profiles":[{{"samples":[{{"timestampsUnixNano":[{}1]}}]}}]}}]}}]}}"#,
        "1,".repeat(100_000)
    );
    for (signal, json) in [(Signal::Traces, empty_messages), (Signal::Profiles, numbers)] {
        let limits = JsonLimits::new(usize::MAX, &ScanLimits::default());
        let mut asked = Vec::new();
        let reserve = |bytes: usize| {
            asked.push(bytes);
            Ok(())
        };
        let protobuf = transcode(signal, json.as_bytes(), &limits, reserve).expect("it is valid");
        let most = asked.last().copied().expect("it asked");
        assert!(asked.is_sorted() && most >= 2 * protobuf.len() && most < 20 * json.len(), "{asked:?}");
        for allowed in [0, json.len(), most - 1] {
            let reserve = |bytes: usize| if bytes > allowed { Err(BudgetExceeded::Now) } else { Ok(()) };
            let error = transcode(signal, json.as_bytes(), &limits, reserve).expect_err("there is no room");
            assert_eq!((&error, error.reason()), (&JsonError::Budget(BudgetExceeded::Now), Reason::Overloaded));
        }
    }
}

#[test]
fn bombs_are_refused() {
    let many = format!(r#"{{"resourceSpans":[{}{{}}]}}"#, "{},".repeat(4_000_000));
    let error = to_protobuf(Signal::Traces, many.as_bytes(), usize::MAX).expect_err("too many");
    assert_eq!((&error, error.reason()), (&JsonError::TooManySubmessages { limit: 4_000_000 }, Reason::TooManyItems));
    let error = to_protobuf(Signal::Traces, many.as_bytes(), 1 << 20).expect_err("too large");
    assert_eq!((&error, error.reason()), (&JsonError::TooLarge { limit: 1 << 20 }, Reason::BodyTooLarge));
}
