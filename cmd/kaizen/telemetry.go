package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	otelprom "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/exemplar"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/kaizen-os/deliberation/fanout"
)

// exporters send what the packages report: metrics always to /metrics, and with
// a collector configured, metrics and traces to it. Nothing of it blocks a
// request: spans queue and are dropped when the queue is full.
type exporters struct {
	metrics  *sdkmetric.MeterProvider
	traces   *sdktrace.TracerProvider // nil without a collector: then no spans are made
	registry *prometheus.Registry
}

const (
	metricsEvery   = 15 * time.Second
	exportTimeout  = 10 * time.Second
	instrumentName = "github.com/kaizen-os/deliberation/"
)

func newExporters(ctx context.Context, cfg *TelemetryConfig) (*exporters, error) {
	e := &exporters{registry: prometheus.NewRegistry()}
	e.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	prom, err := otelprom.New(otelprom.WithRegisterer(e.registry))
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	about := resource.NewWithAttributes(fanout.SchemaURL, attribute.String("service.name", "kaizen"), attribute.String("service.namespace", "kaizen-os"))
	options := []sdkmetric.Option{sdkmetric.WithReader(prom), sdkmetric.WithResource(about)}
	if cfg.OTLP != "" {
		base := strings.TrimSuffix(cfg.OTLP, "/")
		push, err := otlpmetrichttp.New(ctx, otlpmetrichttp.WithEndpointURL(base+"/v1/metrics"), otlpmetrichttp.WithTimeout(exportTimeout))
		if err != nil {
			return nil, fmt.Errorf("telemetry.otlp: %w", err)
		}
		options = append(options, sdkmetric.WithReader(sdkmetric.NewPeriodicReader(push, sdkmetric.WithInterval(metricsEvery))))
		spans, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(base+"/v1/traces"), otlptracehttp.WithTimeout(exportTimeout))
		if err != nil {
			return nil, fmt.Errorf("telemetry.otlp: %w", err)
		}
		e.traces = sdktrace.NewTracerProvider(sdktrace.WithBatcher(spans), sdktrace.WithResource(about),
			sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(cfg.Sample))))
	}
	if e.traces == nil {
		// Exemplars point at traces: without any, each measurement is spared the look.
		options = append(options, sdkmetric.WithExemplarFilter(exemplar.AlwaysOffFilter))
	}
	e.metrics = sdkmetric.NewMeterProvider(options...)
	return e, nil
}

func (e *exporters) meter(pkg string) metric.Meter {
	return e.metrics.Meter(instrumentName+pkg, metric.WithSchemaURL(fanout.SchemaURL))
}

func (e *exporters) tracer(pkg string) trace.Tracer {
	if e.traces == nil {
		return nil
	}
	return e.traces.Tracer(instrumentName+pkg, trace.WithSchemaURL(fanout.SchemaURL))
}

func (e *exporters) metricsHandler() http.Handler {
	return promhttp.HandlerFor(e.registry, promhttp.HandlerOpts{})
}

func (e *exporters) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), exportTimeout)
	defer cancel()
	err := e.metrics.Shutdown(ctx)
	if e.traces != nil {
		err = errors.Join(err, e.traces.Shutdown(ctx))
	}
	if err != nil {
		// A collector that is gone is no reason to fail a clean end.
		return nil
	}
	return nil
}
