//! Exports one span, one count and one log record with the SDK for Rust; see ../README.md for the contract.

use std::env;
use std::error::Error;
use std::fmt::Display;
use std::io;
use std::str::FromStr;
use std::time::Duration;

use opentelemetry::logs::{AnyValue, LogRecord, Logger, LoggerProvider, Severity};
use opentelemetry::metrics::MeterProvider;
use opentelemetry::trace::{Span, Tracer, TracerProvider};
use opentelemetry::{Array, KeyValue, Value};
use opentelemetry_otlp::{LogExporter, MetricExporter, SpanExporter};
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::EnvFilter;

const SCOPE: &str = "interop";

fn main() -> Result<(), Box<dyn Error>> {
    // The SDK says through `tracing` what goes wrong in it, and nothing where nobody listens.
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(false).init();

    let wait = Duration::from_secs(number("INTEROP_WAIT_SECONDS", 10)?);
    let count = number("INTEROP_COUNT", 1)?;
    // The gRPC client needs a runtime around it, the HTTP client none.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let sdk = {
        let _inside = runtime.enter();
        Sdk::start()?
    };

    let mut lines = io::stdin().lines();
    for i in 1..=count {
        if i > 1 && lines.next().transpose()?.is_none() {
            break;
        }
        sdk.record();
        sdk.flush();
        println!("sent {i}");
    }
    sdk.shutdown(wait);
    Ok(())
}

struct Sdk {
    traces: SdkTracerProvider,
    metrics: SdkMeterProvider,
    logs: SdkLoggerProvider,
}

impl Sdk {
    // Everything is the exporters' to read from the environment.
    fn start() -> Result<Self, Box<dyn Error>> {
        Ok(Self {
            traces: SdkTracerProvider::builder().with_batch_exporter(SpanExporter::builder().build()?).build(),
            metrics: SdkMeterProvider::builder().with_periodic_exporter(MetricExporter::builder().build()?).build(),
            logs: SdkLoggerProvider::builder().with_batch_exporter(LogExporter::builder().build()?).build(),
        })
    }

    fn record(&self) {
        let mut span = self.traces.tracer(SCOPE).start("interop-span");
        span.set_attributes(attributes());
        span.end();

        self.metrics.meter(SCOPE).u64_counter("interop.count").build().add(1, &attributes());

        let logger = self.logs.logger(SCOPE);
        let mut record = logger.create_log_record();
        record.set_severity_number(Severity::Info);
        record.set_body("interop log".into());
        record.add_attributes(attributes().into_iter().map(|attribute| (attribute.key, any_value(attribute.value))));
        record.add_attribute("interop.bytes", AnyValue::Bytes(Box::new(vec![0x00, 0xff])));
        logger.emit(record);
    }

    fn flush(&self) {
        report(self.traces.force_flush());
        report(self.metrics.force_flush());
        report(self.logs.force_flush());
    }

    fn shutdown(&self, wait: Duration) {
        report(self.traces.shutdown_with_timeout(wait));
        report(self.metrics.shutdown_with_timeout(wait));
        report(self.logs.shutdown_with_timeout(wait));
    }
}

// Attributes of spans and points know no bytes; those of log records do.
fn attributes() -> Vec<KeyValue> {
    vec![
        KeyValue::new("interop.string", "text"),
        KeyValue::new("interop.bool", true),
        KeyValue::new("interop.int", (1_i64 << 53) + 1),
        KeyValue::new("interop.double", 0.5),
        KeyValue::new("interop.strings", Value::Array(Array::String(vec!["a".into(), "b".into()]))),
    ]
}

fn any_value(value: Value) -> AnyValue {
    match value {
        Value::Bool(value) => value.into(),
        Value::I64(value) => value.into(),
        Value::F64(value) => value.into(),
        Value::String(value) => value.into(),
        Value::Array(Array::String(values)) => values.into_iter().collect(),
        other => other.to_string().into(),
    }
}

// A failed export is no failure of this program: what the client says of it is what it is run for.
fn report(outcome: Result<(), impl Display>) {
    if let Err(error) = outcome {
        eprintln!("{error}");
    }
}

fn number<T: FromStr<Err: Error + 'static>>(name: &str, otherwise: T) -> Result<T, Box<dyn Error>> {
    match env::var(name) {
        Ok(text) => Ok(text.parse()?),
        Err(_) => Ok(otherwise),
    }
}
