import io.opentelemetry.api.common.AttributeKey;
import io.opentelemetry.api.common.Attributes;
import io.opentelemetry.api.common.Value;
import io.opentelemetry.api.logs.Severity;
import io.opentelemetry.api.trace.Span;
import io.opentelemetry.context.Scope;
import io.opentelemetry.sdk.OpenTelemetrySdk;
import io.opentelemetry.sdk.autoconfigure.AutoConfiguredOpenTelemetrySdk;
import io.opentelemetry.sdk.common.CompletableResultCode;
import io.opentelemetry.sdk.metrics.Aggregation;
import io.opentelemetry.sdk.metrics.InstrumentSelector;
import io.opentelemetry.sdk.metrics.View;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** Exports one span, one count and one log record with the SDK for Java; see ../README.md for the contract. */
final class Interop {
  private static final String SCOPE = "interop";

  private static final String COUNTER = "interop.count";

  private static final Attributes ATTRIBUTES =
      Attributes.builder()
          .put("interop.string", "text")
          .put("interop.bool", true)
          .put("interop.int", (1L << 53) + 1)
          .put("interop.double", 0.5)
          .put(AttributeKey.stringArrayKey("interop.strings"), List.of("a", "b"))
          .put(AttributeKey.valueKey("interop.bytes"), Value.of(new byte[] {0x00, (byte) 0xff}))
          .build();

  public static void main(String[] arguments) throws IOException {
    int wait = number("INTEROP_WAIT_SECONDS", 10);
    int count = number("INTEROP_COUNT", 1);
    var next = new BufferedReader(new InputStreamReader(System.in));
    // It reads the standard environment. Its metrics about itself would only be in the way.
    OpenTelemetrySdk sdk =
        AutoConfiguredOpenTelemetrySdk.builder()
            .addMeterProviderCustomizer(
                (metrics, config) ->
                    metrics
                        .registerView(selector("*"), View.builder().setAggregation(Aggregation.drop()).build())
                        .registerView(selector(COUNTER), View.builder().build()))
            .disableShutdownHook()
            .build()
            .getOpenTelemetrySdk();

    for (int i = 1; i <= count && (i == 1 || next.readLine() != null); i++) {
      record(sdk);
      flush(sdk).join(wait, TimeUnit.SECONDS);
      System.out.println("sent " + i);
    }
    sdk.shutdown().join(wait, TimeUnit.SECONDS);
    // Threads of the sender would hold the process for a while.
    System.exit(0);
  }

  private static void record(OpenTelemetrySdk sdk) {
    Span span = sdk.getTracer(SCOPE).spanBuilder("interop-span").setAllAttributes(ATTRIBUTES).startSpan();
    try (Scope ignored = span.makeCurrent()) {
      sdk.getMeter(SCOPE).counterBuilder(COUNTER).build().add(1, ATTRIBUTES);
      sdk.getSdkLoggerProvider()
          .get(SCOPE)
          .logRecordBuilder()
          .setSeverity(Severity.INFO)
          .setBody("interop log")
          .setAllAttributes(ATTRIBUTES)
          .emit();
    } finally {
      span.end();
    }
  }

  private static CompletableResultCode flush(OpenTelemetrySdk sdk) {
    return CompletableResultCode.ofAll(
        List.of(
            sdk.getSdkTracerProvider().forceFlush(),
            sdk.getSdkMeterProvider().forceFlush(),
            sdk.getSdkLoggerProvider().forceFlush()));
  }

  private static InstrumentSelector selector(String name) {
    return InstrumentSelector.builder().setName(name).build();
  }

  private static int number(String name, int otherwise) {
    String text = System.getenv(name);
    return text == null ? otherwise : Integer.parseInt(text);
  }
}
