"""Telemetry made by the OpenTelemetry SDK for Python, and the exporters that send it."""

import grpc
from opentelemetry import trace
from opentelemetry._logs import SeverityNumber
from opentelemetry.exporter.otlp.proto.grpc import _log_exporter as grpc_logs
from opentelemetry.exporter.otlp.proto.grpc import metric_exporter as grpc_metrics
from opentelemetry.exporter.otlp.proto.grpc import trace_exporter as grpc_traces
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http import _log_exporter as http_logs
from opentelemetry.exporter.otlp.proto.http import metric_exporter as http_metrics
from opentelemetry.exporter.otlp.proto.http import trace_exporter as http_traces
from opentelemetry.proto.collector.profiles.v1development.profiles_service_pb2 import ExportProfilesServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.profiles.v1development import profiles_pb2
from opentelemetry.proto.resource.v1.resource_pb2 import Resource as ResourceProto
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import AlwaysOnExemplarFilter, MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Link, SpanKind, StatusCode

# Values of every type, with what tends to break on the way: beyond 2^53 a double cannot hold every integer.
ATTRIBUTES = {
    "text": 'größer "than"\n\x01 \N{GRINNING FACE}',
    "text.empty": "",
    "bool": True,
    "int": 1,
    "int.beyond": 2**53 + 1,
    "int.max": 2**63 - 1,
    "int.min": -(2**63),
    "double": 0.1,
    "double.whole": 3.0,
    "double.large": 1.7976931348623157e308,
    "texts": ["a", "", "c"],
    "bools": [True, False],
    "ints": [2**53 + 1, -(2**63), 0],
    "doubles": [0.5, 1e300],
}

_TRANSPORTS = {
    "grpc": {"traces": grpc_traces.OTLPSpanExporter, "metrics": grpc_metrics.OTLPMetricExporter,
             "logs": grpc_logs.OTLPLogExporter},
    "http": {"traces": http_traces.OTLPSpanExporter, "metrics": http_metrics.OTLPMetricExporter,
             "logs": http_logs.OTLPLogExporter},
}  # fmt: skip


def exporter(gate, signal, transport="grpc", compression="none", token=None):
    """An exporter of the SDK, with a token other than quickstart's if one is given."""
    make = _TRANSPORTS[transport][signal]
    headers = {"api-key": token or gate.token}
    if transport == "grpc":
        compressions = {"none": grpc.Compression.NoCompression, "gzip": grpc.Compression.Gzip}
        return make(endpoint=gate.grpc, insecure=True, headers=headers, compression=compressions[compression])
    return make(
        endpoint=f"http://{gate.http}/v1/{signal}", headers=headers, compression=Compression(compression)
    )


def export(exporter, telemetry):
    """Whether the export succeeded."""
    return exporter.export(telemetry).name == "SUCCESS"


def spans(service):
    """Two spans: a root with everything that a span can have, and its child."""
    finished = InMemorySpanExporter()
    provider = TracerProvider(resource=resource(service))
    provider.add_span_processor(SimpleSpanProcessor(finished))
    tracer = provider.get_tracer("tracer", "1.2.3", attributes={"scope.int": 2**53 + 1})
    linked = tracer.start_span("linked").get_span_context()
    with tracer.start_as_current_span(
        "root", kind=SpanKind.SERVER, attributes=ATTRIBUTES, links=[Link(linked, {"link.int": 2**53 + 1})]
    ) as root:
        root.add_event("event", {"event.ints": [2**53 + 1]})
        root.set_status(StatusCode.ERROR, "broken")
        with tracer.start_as_current_span("child"):
            pass
    return finished.get_finished_spans()


def logs(service):
    """Two log records: one of a span, with a structured body, and one with nothing but a text."""
    finished = InMemoryLogRecordExporter()
    provider = LoggerProvider(resource=resource(service))
    provider.add_log_record_processor(SimpleLogRecordProcessor(finished))
    logger = provider.get_logger("logger", "1.2.3")
    with TracerProvider().get_tracer("tracer").start_as_current_span("span"):
        logger.emit(
            timestamp=1_700_000_000_000_000_001,
            observed_timestamp=1_700_000_000_000_000_002,
            severity_number=SeverityNumber.WARN,
            severity_text="WARN",
            body=dict(LOG_BODY),
            attributes=LOG_ATTRIBUTES,
            event_name="happened",
        )
    logger.emit(body="only text")
    return finished.get_finished_logs()


# Logs alone may hold bytes and nested values in the SDK.
LOG_BODY = {"int": 2**53 + 1, "nested": {"texts": ["a", "b"]}, "double": 0.1}
LOG_ATTRIBUTES = ATTRIBUTES | {"bytes": b"\x00\xff", "nested": {"int": 2**53 + 1, "list": [1, 2]}}


def metrics(service):
    """One metric of each kind that the SDK makes, with one data point of `ATTRIBUTES`."""
    reader = InMemoryMetricReader()
    provider = MeterProvider(
        metric_readers=[reader],
        resource=resource(service),
        exemplar_filter=AlwaysOnExemplarFilter(),
        views=[View(instrument_name="exponential", aggregation=ExponentialBucketHistogramAggregation())],
    )
    meter = provider.get_meter("meter", "1.2.3")
    with TracerProvider().get_tracer("tracer").start_as_current_span("span") as span:
        meter.create_counter("counter", "By", "counts up").add(2**53 + 1, ATTRIBUTES)
        meter.create_up_down_counter("updown").add(-7, ATTRIBUTES)
        meter.create_gauge("gauge").set(0.1, ATTRIBUTES)
        for name in ("histogram", "exponential"):
            histogram = meter.create_histogram(name, "ms")
            for value in (1.5, 3.0, 700.0):
                histogram.record(value, ATTRIBUTES)
        data = reader.get_metrics_data()
    return data, span.get_span_context()


def hex_trace_id(context):
    """The trace id as the lake has it."""
    return trace.format_trace_id(context.trace_id)


def hex_span_id(context):
    """The span id as the lake has it."""
    return trace.format_span_id(context.span_id)


def resource(service):
    """The resource of a service."""
    return Resource.create({"service.name": service, "resource.ints": [2**53 + 1]})


def profiles(service):
    """A request with one CPU profile of one sample, as protobuf: the SDK makes none yet.

    Everything that repeats stands in tables of the request's dictionary, the first entry of each being empty.
    """
    strings = ["", "cpu", "nanoseconds", "samples", "count", "main", "work", "main.py", "thread.id"]
    index = strings.index
    dictionary = profiles_pb2.ProfilesDictionary(
        string_table=strings,
        mapping_table=[profiles_pb2.Mapping(), profiles_pb2.Mapping(filename_strindex=index("main.py"))],
        function_table=[
            profiles_pb2.Function(),
            profiles_pb2.Function(name_strindex=index("work"), filename_strindex=index("main.py"), start_line=3),
            profiles_pb2.Function(name_strindex=index("main"), filename_strindex=index("main.py"), start_line=9),
        ],
        location_table=[
            profiles_pb2.Location(),
            profiles_pb2.Location(mapping_index=1, lines=[profiles_pb2.Line(function_index=1, line=5)]),
            profiles_pb2.Location(mapping_index=1, lines=[profiles_pb2.Line(function_index=2, line=10)]),
        ],
        stack_table=[profiles_pb2.Stack(), profiles_pb2.Stack(location_indices=[1, 2])],
        link_table=[profiles_pb2.Link(), profiles_pb2.Link(trace_id=bytes(range(16)), span_id=bytes(range(8)))],
        attribute_table=[
            profiles_pb2.KeyValueAndUnit(),
            profiles_pb2.KeyValueAndUnit(key_strindex=index("thread.id"), value=AnyValue(int_value=2**53 + 1)),
        ],
    )
    profile = profiles_pb2.Profile(
        sample_type=profiles_pb2.ValueType(type_strindex=index("samples"), unit_strindex=index("count")),
        period_type=profiles_pb2.ValueType(type_strindex=index("cpu"), unit_strindex=index("nanoseconds")),
        period=10_000_000,
        time_unix_nano=1_700_000_000_000_000_001,
        duration_nano=1_000_000_000,
        profile_id=bytes(range(16)),
        samples=[
            profiles_pb2.Sample(
                stack_index=1,
                link_index=1,
                attribute_indices=[1],
                values=[2**53 + 1],
                timestamps_unix_nano=[1_700_000_000_000_000_002],
            )
        ],
    )
    resource = ResourceProto(attributes=[KeyValue(key="service.name", value=AnyValue(string_value=service))])
    scope = profiles_pb2.ScopeProfiles(scope=InstrumentationScope(name="profiler"), profiles=[profile])
    return ExportProfilesServiceRequest(
        resource_profiles=[profiles_pb2.ResourceProfiles(resource=resource, scope_profiles=[scope])],
        dictionary=dictionary,
    ).SerializeToString()
