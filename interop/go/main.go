// Exports one span, one count and one log record with the SDK for Go; see ../README.md for the contract.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploggrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/log"
	"go.opentelemetry.io/otel/metric"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

const scope = "interop"

var attributes = []attribute.KeyValue{
	attribute.String("interop.string", "text"),
	attribute.Bool("interop.bool", true),
	attribute.Int64("interop.int", 1<<53+1),
	attribute.Float64("interop.double", 0.5),
	attribute.StringSlice("interop.strings", []string{"a", "b"}),
	attribute.ByteSlice("interop.bytes", []byte{0x00, 0xff}),
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "interop/go:", err)
		os.Exit(1)
	}
}

// What it returns is what keeps it from exporting at all; failed exports are the SDK's to report.
func run() error {
	wait, err := number("INTEROP_WAIT_SECONDS", 10)
	if err != nil {
		return err
	}
	count, err := number("INTEROP_COUNT", 1)
	if err != nil {
		return err
	}
	sdk, err := start(context.Background())
	if err != nil {
		return err
	}
	flush := func(step func(context.Context) error) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(wait)*time.Second)
		defer cancel()
		if err := step(ctx); err != nil {
			otel.Handle(err)
		}
	}

	next := bufio.NewScanner(os.Stdin)
	for i := 1; i <= count && (i == 1 || next.Scan()); i++ {
		if err := sdk.record(); err != nil {
			return err
		}
		flush(sdk.flush)
		fmt.Println("sent", i)
	}
	flush(sdk.shutdown)
	return nil
}

type sdk struct {
	traces  *sdktrace.TracerProvider
	metrics *sdkmetric.MeterProvider
	logs    *sdklog.LoggerProvider
}

// Everything but the transport is the exporters' to read from the environment.
func start(ctx context.Context) (*sdk, error) {
	var (
		spans   sdktrace.SpanExporter
		points  sdkmetric.Exporter
		records sdklog.Exporter
		failed  [3]error
	)
	switch protocol := os.Getenv("OTEL_EXPORTER_OTLP_PROTOCOL"); protocol {
	case "grpc":
		spans, failed[0] = otlptracegrpc.New(ctx)
		points, failed[1] = otlpmetricgrpc.New(ctx)
		records, failed[2] = otlploggrpc.New(ctx)
	case "http/protobuf":
		spans, failed[0] = otlptracehttp.New(ctx)
		points, failed[1] = otlpmetrichttp.New(ctx)
		records, failed[2] = otlploghttp.New(ctx)
	case "http/json":
		// The other two would send protobuf whatever the variable says.
		spans, failed[0] = otlptracehttp.New(ctx)
	default:
		return nil, fmt.Errorf("no such protocol: %q", protocol)
	}
	if err := errors.Join(failed[:]...); err != nil {
		return nil, err
	}

	var metrics []sdkmetric.Option
	if points != nil {
		metrics = append(metrics, sdkmetric.WithReader(sdkmetric.NewPeriodicReader(points)))
	}
	var logs []sdklog.LoggerProviderOption
	if records != nil {
		logs = append(logs, sdklog.WithProcessor(sdklog.NewBatchProcessor(records)))
	}
	return &sdk{
		sdktrace.NewTracerProvider(sdktrace.WithBatcher(spans)),
		sdkmetric.NewMeterProvider(metrics...),
		sdklog.NewLoggerProvider(logs...),
	}, nil
}

func (s *sdk) record() error {
	ctx, span := s.traces.Tracer(scope).Start(context.Background(), "interop-span", trace.WithAttributes(attributes...))
	defer span.End()

	counter, err := s.metrics.Meter(scope).Int64Counter("interop.count")
	if err != nil {
		return err
	}
	counter.Add(ctx, 1, metric.WithAttributes(attributes...))

	var record log.Record
	record.SetTimestamp(time.Now())
	record.SetSeverity(log.SeverityInfo)
	record.SetBody(attribute.StringValue("interop log"))
	record.AddAttributes(attributes...)
	s.logs.Logger(scope).Emit(ctx, record)
	return nil
}

func (s *sdk) flush(ctx context.Context) error {
	return errors.Join(s.traces.ForceFlush(ctx), s.metrics.ForceFlush(ctx), s.logs.ForceFlush(ctx))
}

func (s *sdk) shutdown(ctx context.Context) error {
	return errors.Join(s.traces.Shutdown(ctx), s.metrics.Shutdown(ctx), s.logs.Shutdown(ctx))
}

func number(name string, otherwise int) (int, error) {
	text, set := os.LookupEnv(name)
	if !set {
		return otherwise, nil
	}
	value, err := strconv.Atoi(text)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", name, err)
	}
	return value, nil
}
