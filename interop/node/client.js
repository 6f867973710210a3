// One span, data point and log record at a time by the OpenTelemetry SDK for Node, configured by its standard variables.
import { createInterface } from 'node:readline';
import { DiagConsoleLogger, DiagLogLevel, context, diag, trace } from '@opentelemetry/api';
import { SeverityNumber } from '@opentelemetry/api-logs';
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
// Log records alone may hold bytes.
const LOG_ATTRIBUTES = { ...ATTRIBUTES, 'interop.bytes': new Uint8Array([0x00, 0xff]) };

const PACKAGES = { grpc: 'grpc', 'http/protobuf': 'proto', 'http/json': 'http' };

async function exporter(signal, name) {
  const kind = PACKAGES[process.env.OTEL_EXPORTER_OTLP_PROTOCOL];
  const module = await import(`@opentelemetry/exporter-${signal}-otlp-${kind}`);
  return new module[name]();
}

diag.setLogger(new DiagConsoleLogger(), DiagLogLevel.WARN);
const wait = Number(process.env.INTEROP_WAIT_SECONDS ?? 10) * 1000;
const resource = resourceFromAttributes({ 'service.name': process.env.OTEL_SERVICE_NAME });
const tracerProvider = new TracerProvider({
  resource,
  forceFlushTimeoutMillis: wait,
  spanProcessors: [new BatchSpanProcessor({ exporter: await exporter('trace', 'OTLPTraceExporter') })],
});
const loggerProvider = new LoggerProvider({
  resource,
  processors: [new BatchLogRecordProcessor({ exporter: await exporter('logs', 'OTLPLogExporter') })],
});
const meterProvider = new MeterProvider({
  resource,
  readers: [new PeriodicExportingMetricReader({ exporter: await exporter('metrics', 'OTLPMetricExporter') })],
});
const providers = [tracerProvider, meterProvider, loggerProvider];
const tracer = tracerProvider.getTracer('interop');
const counter = meterProvider.getMeter('interop').createCounter('counter');
const logger = loggerProvider.getLogger('interop');

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
for (let batch = 1; batch <= Number(process.env.INTEROP_COUNT ?? 1); batch += 1) {
  if (batch > 1 && (await lines.next()).done) break;
  const span = tracer.startSpan('span', { attributes: ATTRIBUTES });
  counter.add(1, ATTRIBUTES);
  logger.emit({
    body: 'log',
    severityNumber: SeverityNumber.INFO,
    attributes: LOG_ATTRIBUTES,
    context: trace.setSpan(context.active(), span),
  });
  span.end();
  // A flush fails where its export did. The SDK has logged that, and so it does where an application ignores it.
  await Promise.allSettled(providers.map((provider) => provider.forceFlush({ timeoutMillis: wait })));
  console.log(`sent ${batch}`);
}
await Promise.allSettled(providers.map((provider) => provider.shutdown()));
process.exit(0);
