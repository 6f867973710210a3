//! What a sender needs, ready to paste. Every text holds the secret at [`SECRET`], so that it can be shown masked and be copied whole.
//!
//! Names of keys are free text, and these texts are pasted into shells and programs: nothing of a name gets here but
//! letters, digits, points, hyphens and underscores, which need no quoting in any of them.

use crate::admin::keys::KeyView;
use crate::console::Endpoint;

/// Stands in a text where the secret belongs.
pub(super) const SECRET: char = '\u{1}';

/// One way to use a key.
pub(super) struct Snippet {
    /// Its name in short: a part of an `id`.
    pub(super) id: &'static str,
    /// What its tab says.
    pub(super) tab: &'static str,
    /// The text, with [`SECRET`] in it.
    pub(super) text: String,
    /// What is to be known besides.
    pub(super) hint: &'static str,
}

/// Where to send to, and as whom.
struct Target {
    /// The base of OTLP/HTTP, to which SDKs append `/v1/traces`.
    base: String,
    service: String,
}

/// The ways to use the ingest key `key`, with the OTLP/HTTP `endpoint`; `host` is where the console was opened.
pub(super) fn of_ingest(key: &KeyView, endpoint: &Endpoint, host: &str) -> Vec<Snippet> {
    let target = Target { base: base(endpoint, host), service: service(&key.name) };
    let may = |signal: &str| {
        let wanted = format!("telemetry.{signal}.write");
        key.permissions.iter().any(|held| *held == wanted || held == "*")
    };
    let mut all = vec![
        snippet(
            "env",
            "Env vars",
            target.shell(),
            "For the shell that starts the sender. Every SDK reads these variables.",
        ),
        snippet("dotenv", ".env", target.dotenv(), "Keep the file out of version control."),
        snippet(
            "collector",
            "Collector",
            target.collector(),
            "Name the exporter in your pipelines. Before 0.144 it is called otlphttp.",
        ),
        snippet(
            "compose",
            "Compose",
            target.compose(),
            "Merge it into your service, or save it as compose.override.yaml. Keep it out of version control.",
        ),
        snippet(
            "actions",
            "Actions",
            target.actions(),
            "Store the secret as GRIDGATE_KEY in the settings of the repository. It does not belong into the file.",
        ),
    ];
    if let Some(signal) = ["logs", "traces", "metrics"].into_iter().find(|signal| may(signal)) {
        all.push(snippet("curl", "curl", target.curl(signal), "Sends one record, in any shell of Unix."));
    }
    // What follows sends a span.
    if may("traces") {
        all.extend([
            snippet(
                "python",
                "Python",
                target.python(),
                "pip install opentelemetry-sdk opentelemetry-exporter-otlp-proto-http",
            ),
            snippet(
                "typescript",
                "TypeScript",
                target.typescript(),
                "npm install @opentelemetry/api @opentelemetry/sdk-node @opentelemetry/exporter-trace-otlp-proto",
            ),
            snippet(
                "go",
                "Go",
                target.go(),
                "go get go.opentelemetry.io/otel/sdk go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp",
            ),
            snippet(
                "java",
                "Java",
                target.java(),
                "Needs io.opentelemetry:opentelemetry-sdk and io.opentelemetry:opentelemetry-exporter-otlp.",
            ),
            snippet(
                "dotnet",
                ".NET",
                target.dotnet(),
                "dotnet add package OpenTelemetry.Exporter.OpenTelemetryProtocol",
            ),
            snippet("rust", "Rust", target.rust(), "cargo add opentelemetry opentelemetry_sdk opentelemetry-otlp"),
        ]);
    }
    all
}

/// The ways to use an admin key; `url` is where the admin API is.
pub(super) fn of_admin(url: &str) -> Vec<Snippet> {
    vec![
        snippet(
            "env",
            "Command line",
            format!("export GRIDGATE_ADMIN_URL={url}\nexport GRIDGATE_ADMIN_KEY={SECRET}\ngridgate me"),
            "The command line reads both variables.",
        ),
        snippet(
            "curl",
            "curl",
            format!("curl --fail-with-body -H 'x-api-key: {SECRET}' \\\n  {url}/api/v1/me"),
            "Shows the key itself.",
        ),
    ]
}

fn snippet(id: &'static str, tab: &'static str, text: String, hint: &'static str) -> Snippet {
    Snippet { id, tab, text, hint }
}

/// The URL that SDKs append their paths to.
pub(in crate::console) fn base(endpoint: &Endpoint, host: &str) -> String {
    match endpoint {
        Endpoint::At(url) => url.clone(),
        Endpoint::Here { scheme, port, prefix } => format!("{scheme}://{}:{port}{prefix}", name_of(host)),
    }
}

/// The name or address in the `Host` of a request, without its port; this machine's where it is none.
pub(super) fn name_of(host: &str) -> &str {
    let port = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
    let name = port.map_or(host, |(name, _)| name);
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte));
    if plain && !name.is_empty() { name } else { "localhost" }
}

/// `name` as a `service.name` that is safe to paste anywhere.
fn service(name: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' };
    let text: String = name.chars().map(safe).take(64).collect();
    let text = text.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    if text.is_empty() { "my-service".to_owned() } else { text.to_owned() }
}

impl Target {
    fn shell(&self) -> String {
        self.dotenv().lines().map(|line| format!("export {line}")).collect::<Vec<_>>().join("\n")
    }

    fn dotenv(&self) -> String {
        let Self { base, service } = self;
        format!(
            "OTEL_EXPORTER_OTLP_ENDPOINT={base}\n\
             OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf\n\
             OTEL_EXPORTER_OTLP_HEADERS=api-key={SECRET}\n\
             OTEL_SERVICE_NAME={service}"
        )
    }

    fn collector(&self) -> String {
        let base = &self.base;
        format!(
            "exporters:\n  \
               otlp_http:\n    \
                 endpoint: \"{base}\"\n    \
                 headers:\n      \
                   api-key: \"{SECRET}\""
        )
    }

    fn compose(&self) -> String {
        let Self { base, service } = self;
        format!(
            "services:\n  \
               {service}:\n    \
                 environment:\n      \
                   OTEL_EXPORTER_OTLP_ENDPOINT: \"{base}\"\n      \
                   OTEL_EXPORTER_OTLP_PROTOCOL: \"http/protobuf\"\n      \
                   OTEL_EXPORTER_OTLP_HEADERS: \"api-key={SECRET}\"\n      \
                   OTEL_SERVICE_NAME: \"{service}\""
        )
    }

    fn actions(&self) -> String {
        let Self { base, service } = self;
        format!(
            "env:\n  \
               OTEL_EXPORTER_OTLP_ENDPOINT: \"{base}\"\n  \
               OTEL_EXPORTER_OTLP_PROTOCOL: \"http/protobuf\"\n  \
               OTEL_EXPORTER_OTLP_HEADERS: \"api-key=${{{{ secrets.GRIDGATE_KEY }}}}\"\n  \
               OTEL_SERVICE_NAME: \"{service}\""
        )
    }

    /// One record of `signal` in JSON, of this moment.
    fn curl(&self, signal: &str) -> String {
        let Self { base, service } = self;
        let now = "'$(date +%s)000000000'";
        let (resources, scopes, record) = match signal {
            "traces" => (
                "resourceSpans",
                "scopeSpans",
                format!(
                    "\"spans\": [{{\"traceId\": \"5b8efff798038103d269b633813fc60c\", \"spanId\": \"eee19b7ec3c1b174\",\n        \
                     \"name\": \"first-export\", \"kind\": 1,\n        \
                     \"startTimeUnixNano\": \"{now}\", \"endTimeUnixNano\": \"{now}\"}}]"
                ),
            ),
            "metrics" => (
                "resourceMetrics",
                "scopeMetrics",
                format!(
                    "\"metrics\": [{{\"name\": \"first.export\", \"gauge\": {{\"dataPoints\": [{{\n        \
                     \"timeUnixNano\": \"{now}\", \"asInt\": \"1\"}}]}}}}]"
                ),
            ),
            _ => (
                "resourceLogs",
                "scopeLogs",
                format!(
                    "\"logRecords\": [{{\n        \
                     \"timeUnixNano\": \"{now}\", \"severityNumber\": 9, \"body\": {{\"stringValue\": \"first export\"}}}}]"
                ),
            ),
        };
        format!(
            "curl --fail-with-body {base}/v1/{signal} \\\n  \
               -H 'api-key: {SECRET}' \\\n  \
               -H 'content-type: application/json' \\\n  \
               -d '{{\"{resources}\": [{{\n    \
                 \"resource\": {{\"attributes\": [{{\"key\": \"service.name\", \"value\": {{\"stringValue\": \"{service}\"}}}}]}},\n    \
                 \"{scopes}\": [{{\n      \
                   {record}\n    \
                 }}]\n  \
               }}]}}'"
        )
    }

    fn python(&self) -> String {
        let Self { base, service } = self;
        format!(
            r#"from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

exporter = OTLPSpanExporter(
    endpoint="{base}/v1/traces",
    headers={{"api-key": "{SECRET}"}},
)
provider = TracerProvider(resource=Resource.create({{"service.name": "{service}"}}))
provider.add_span_processor(BatchSpanProcessor(exporter))
trace.set_tracer_provider(provider)

with trace.get_tracer("{service}").start_as_current_span("first-export"):
    print("Hello")
provider.shutdown()"#
        )
    }

    fn typescript(&self) -> String {
        let Self { base, service } = self;
        format!(
            "import {{ trace }} from '@opentelemetry/api';
import {{ OTLPTraceExporter }} from '@opentelemetry/exporter-trace-otlp-proto';
import {{ NodeSDK }} from '@opentelemetry/sdk-node';

const sdk = new NodeSDK({{
  serviceName: '{service}',
  traceExporter: new OTLPTraceExporter({{
    url: '{base}/v1/traces',
    headers: {{ 'api-key': '{SECRET}' }},
  }}),
}});
sdk.start();

trace.getTracer('{service}').startSpan('first-export').end();
await sdk.shutdown();"
        )
    }

    fn go(&self) -> String {
        let Self { base, service } = self;
        format!(
            r#"package main

import (
	"context"
	"log"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
)

func main() {{
	ctx := context.Background()
	exporter, err := otlptracehttp.New(ctx,
		otlptracehttp.WithEndpointURL("{base}/v1/traces"),
		otlptracehttp.WithHeaders(map[string]string{{"api-key": "{SECRET}"}}),
	)
	if err != nil {{
		log.Fatal(err)
	}}
	provider := trace.NewTracerProvider(
		trace.WithBatcher(exporter),
		trace.WithResource(resource.NewSchemaless(attribute.String("service.name", "{service}"))),
	)
	otel.SetTracerProvider(provider)

	_, span := otel.Tracer("{service}").Start(ctx, "first-export")
	span.End()
	if err := provider.Shutdown(ctx); err != nil {{
		log.Fatal(err)
	}}
}}"#
        )
    }

    fn java(&self) -> String {
        let Self { base, service } = self;
        format!(
            r#"import io.opentelemetry.api.common.AttributeKey;
import io.opentelemetry.api.common.Attributes;
import io.opentelemetry.exporter.otlp.http.trace.OtlpHttpSpanExporter;
import io.opentelemetry.sdk.resources.Resource;
import io.opentelemetry.sdk.trace.SdkTracerProvider;
import io.opentelemetry.sdk.trace.export.BatchSpanProcessor;

public class FirstExport {{
  public static void main(String[] args) {{
    var exporter = OtlpHttpSpanExporter.builder()
        .setEndpoint("{base}/v1/traces")
        .addHeader("api-key", "{SECRET}")
        .build();
    var service = Attributes.of(AttributeKey.stringKey("service.name"), "{service}");
    try (var provider = SdkTracerProvider.builder()
        .setResource(Resource.getDefault().merge(Resource.create(service)))
        .addSpanProcessor(BatchSpanProcessor.builder(exporter).build())
        .build()) {{
      provider.get("{service}").spanBuilder("first-export").startSpan().end();
    }}
  }}
}}"#
        )
    }

    fn dotnet(&self) -> String {
        let Self { base, service } = self;
        format!(
            r#"using System.Diagnostics;
using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

using var provider = Sdk.CreateTracerProviderBuilder()
    .ConfigureResource(resource => resource.AddService("{service}"))
    .AddSource("{service}")
    .AddOtlpExporter(options =>
    {{
        options.Endpoint = new Uri("{base}/v1/traces");
        options.Protocol = OtlpExportProtocol.HttpProtobuf;
        options.Headers = "api-key={SECRET}";
    }})
    .Build();

using var source = new ActivitySource("{service}");
using (source.StartActivity("first-export")) {{ }}"#
        )
    }

    fn rust(&self) -> String {
        let Self { base, service } = self;
        format!(
            r#"use opentelemetry::trace::{{Tracer as _, TracerProvider as _}};
use opentelemetry_otlp::{{SpanExporter, WithExportConfig as _, WithHttpConfig as _}};
use opentelemetry_sdk::{{Resource, trace::SdkTracerProvider}};

fn main() -> Result<(), Box<dyn std::error::Error>> {{
    let exporter = SpanExporter::builder()
        .with_http()
        .with_endpoint("{base}/v1/traces")
        .with_headers([("api-key".to_owned(), "{SECRET}".to_owned())].into())
        .build()?;
    let provider = SdkTracerProvider::builder()
        .with_resource(Resource::builder().with_service_name("{service}").build())
        .with_batch_exporter(exporter)
        .build();
    drop(provider.tracer("{service}").start("first-export"));
    provider.shutdown()?;
    Ok(())
}}"#
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_becomes_a_service_that_needs_no_quoting() {
        let cases = [
            ("checkout-api", "checkout-api"),
            ("Checkout API (EU)", "Checkout-API--EU"),
            ("x\"; rm -rf / #", "x---rm--rf"),
            ("$(reboot)`id`", "reboot--id"),
            ("\u{43a}\u{43b}\u{44e}\u{447}", "my-service"),
            ("", "my-service"),
        ];
        for (name, expected) in cases {
            assert_eq!(service(name), expected, "{name}");
        }
    }

    #[test]
    fn senders_are_told_the_name_that_the_console_was_opened_by() {
        let here = Endpoint::Here { scheme: "https", port: 4318, prefix: "/otlp".to_owned() };
        let cases = [
            ("gate.example.com:4319", "https://gate.example.com:4318/otlp"),
            ("gate.example.com", "https://gate.example.com:4318/otlp"),
            ("[::1]:4319", "https://[::1]:4318/otlp"),
            ("[::1]", "https://[::1]:4318/otlp"),
            ("$(reboot)", "https://localhost:4318/otlp"),
            ("", "https://localhost:4318/otlp"),
        ];
        for (host, expected) in cases {
            assert_eq!(base(&here, host), expected, "{host}");
        }
        assert_eq!(base(&Endpoint::At("https://otlp.example.com".to_owned()), "gate"), "https://otlp.example.com");
    }
}
