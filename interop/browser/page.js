// What runs in the page: one span, data point and log record at a time by the OpenTelemetry SDK, in a browser.
import { DiagConsoleLogger, DiagLogLevel, SeverityNumber, diag } from '@opentelemetry/api';
import { OTLPLogExporter as JsonLogs } from '@opentelemetry/exporter-logs-otlp-http';
import { OTLPLogExporter as ProtobufLogs } from '@opentelemetry/exporter-logs-otlp-proto';
import { AggregationTemporalityPreference, OTLPMetricExporter as JsonMetrics } from '@opentelemetry/exporter-metrics-otlp-http';
import { OTLPMetricExporter as ProtobufMetrics } from '@opentelemetry/exporter-metrics-otlp-proto';
import { OTLPTraceExporter as JsonTraces } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter as ProtobufTraces } from '@opentelemetry/exporter-trace-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchLogRecordProcessor, LoggerProvider } from '@opentelemetry/sdk-logs';
import { MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';

// A number of JavaScript has no 2^53 + 1; 2^53 + 2 it has.
const ATTRIBUTES = {
  'interop.string': 'text',
  'interop.bool': true,
  'interop.int.even': 2 ** 53 + 2,
  'interop.double': 0.5,
  'interop.strings': ['a', 'b'],
};

const EXPORTERS = {
  'http/json': { traces: JsonTraces, metrics: JsonMetrics, logs: JsonLogs },
  'http/protobuf': { traces: ProtobufTraces, metrics: ProtobufMetrics, logs: ProtobufLogs },
};

let providers;
let wait;

window.start = ({ endpoint, headers, protocol, service, waitMillis }) => {
  diag.setLogger(new DiagConsoleLogger(), DiagLogLevel.WARN);
  wait = waitMillis;
  const exporter = (signal, more) => new EXPORTERS[protocol][signal]({ url: `${endpoint}/v1/${signal}`, headers, ...more });
  const temporalityPreference = AggregationTemporalityPreference.DELTA;
  const resource = resourceFromAttributes({ 'service.name': service });
  providers = {
    traces: new TracerProvider({
      resource,
      forceFlushTimeoutMillis: wait,
      spanProcessors: [new BatchSpanProcessor({ exporter: exporter('traces') })],
    }),
    metrics: new MeterProvider({
      resource,
      readers: [new PeriodicExportingMetricReader({ exporter: exporter('metrics', { temporalityPreference }) })],
    }),
    logs: new LoggerProvider({ resource, processors: [new BatchLogRecordProcessor({ exporter: exporter('logs') })] }),
  };
};

window.send = async () => {
  providers.traces.getTracer('interop').startSpan('span', { attributes: ATTRIBUTES }).end();
  providers.metrics.getMeter('interop').createCounter('counter').add(1, ATTRIBUTES);
  providers.logs.getLogger('interop').emit({
    body: 'log',
    severityNumber: SeverityNumber.INFO,
    attributes: { ...ATTRIBUTES, 'interop.bytes': new Uint8Array([0x00, 0xff]) },
  });
  // A flush fails where its export did. The SDK has logged that, and so it does where a page ignores it.
  await Promise.allSettled(Object.values(providers).map((provider) => provider.forceFlush({ timeoutMillis: wait })));
};

window.stop = () => Promise.allSettled(Object.values(providers).map((provider) => provider.shutdown()));
