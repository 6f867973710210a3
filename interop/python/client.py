"""One span, data point and log record at a time by the OpenTelemetry SDK for Python, configured by its standard variables."""

import importlib
import logging
import os
import sys

from opentelemetry._logs import SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

ATTRIBUTES = {
    "interop.string": "text",
    "interop.bool": True,
    "interop.int": 2**53 + 1,
    "interop.double": 0.5,
    "interop.strings": ["a", "b"],
}
# Log records alone may hold bytes.
LOG_ATTRIBUTES = ATTRIBUTES | {"interop.bytes": b"\x00\xff"}


def main():
    # As an application would: what the SDK logs is seen.
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    transport = "grpc" if os.environ["OTEL_EXPORTER_OTLP_PROTOCOL"] == "grpc" else "http"
    if os.environ.get("OTEL_EXPORTER_OTLP_COMPRESSION") == "none" and transport == "grpc":
        # The exporter raises on it.
        del os.environ["OTEL_EXPORTER_OTLP_COMPRESSION"]
    wait = int(float(os.environ.get("INTEROP_WAIT_SECONDS", "10")) * 1000)

    tracer_provider = TracerProvider()
    tracer_provider.add_span_processor(BatchSpanProcessor(_exporter(transport, "trace_exporter", "OTLPSpanExporter")))
    logger_provider = LoggerProvider()
    logger_provider.add_log_record_processor(
        BatchLogRecordProcessor(_exporter(transport, "_log_exporter", "OTLPLogExporter"))
    )
    metrics = _exporter(transport, "metric_exporter", "OTLPMetricExporter")
    meter_provider = MeterProvider([PeriodicExportingMetricReader(metrics, export_timeout_millis=wait)])
    tracer = tracer_provider.get_tracer("interop")
    counter = meter_provider.get_meter("interop").create_counter("counter")
    logger = logger_provider.get_logger("interop")

    for batch in range(1, int(os.environ.get("INTEROP_COUNT", "1")) + 1):
        if batch > 1 and not sys.stdin.readline():
            break
        with tracer.start_as_current_span("span", attributes=ATTRIBUTES):
            counter.add(1, ATTRIBUTES)
            logger.emit(body="log", severity_number=SeverityNumber.INFO, attributes=LOG_ATTRIBUTES)
        for provider in (tracer_provider, meter_provider, logger_provider):
            provider.force_flush(wait)
        print("sent", batch, flush=True)
    for provider in (tracer_provider, meter_provider, logger_provider):
        provider.shutdown()


def _exporter(transport, module, name):
    return getattr(importlib.import_module(f"opentelemetry.exporter.otlp.proto.{transport}.{module}"), name)()


main()
