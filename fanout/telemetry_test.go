package fanout_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/kaizen-os/deliberation/fanout"
	"github.com/kaizen-os/deliberation/quorum"
)

// instruments is a fan whose telemetry can be read.
type instruments struct {
	fan    *fanout.Fan
	spans  *tracetest.SpanRecorder
	traces *sdktrace.TracerProvider
	reader *sdkmetric.ManualReader
	log    bytes.Buffer
}

func newInstruments(t testing.TB) *instruments {
	t.Helper()
	in := &instruments{spans: tracetest.NewSpanRecorder(), reader: sdkmetric.NewManualReader()}
	in.traces = sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(in.spans))
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(in.reader))
	var err error
	in.fan, err = fanout.New(fanout.Config{
		Tracer: in.traces.Tracer("fanout", trace.WithSchemaURL(fanout.SchemaURL)),
		Meter:  meters.Meter("fanout"),
		Logger: slog.New(slog.NewTextHandler(&in.log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// metrics returns each data point as "name{attributes}" with its value: the
// count of a histogram, or a gauge's.
func (in *instruments) metrics(t testing.TB) map[string]int64 {
	t.Helper()
	var rm metricdata.ResourceMetrics
	if err := in.reader.Collect(context.Background(), &rm); err != nil {
		t.Fatal(err)
	}
	points := map[string]int64{}
	put := func(m metricdata.Metrics, set attribute.Set, n int64) {
		points[fmt.Sprintf("%s[%s]{%s}", m.Name, m.Unit, set.Encoded(attribute.DefaultEncoder()))] = n
	}
	for _, scope := range rm.ScopeMetrics {
		for _, m := range scope.Metrics {
			switch data := m.Data.(type) {
			case metricdata.Histogram[float64]:
				for _, p := range data.DataPoints {
					put(m, p.Attributes, int64(p.Count))
				}
			case metricdata.Histogram[int64]:
				for _, p := range data.DataPoints {
					put(m, p.Attributes, p.Sum)
				}
			case metricdata.Gauge[int64]:
				for _, p := range data.DataPoints {
					put(m, p.Attributes, p.Value)
				}
			default:
				t.Errorf("%s has data of type %T", m.Name, data)
			}
		}
	}
	return points
}

func telemetryPanel(t testing.TB) []*fanout.Line {
	return []*fanout.Line{
		newLine(t, fanout.LineConfig{Companion: "AUREA", Provider: "openai", Model: "m-1", Host: "api.example.com", Port: 443,
			Asker: asker(func(_ context.Context, _ *quorum.Deliberation, r *quorum.Reply) error {
				r.Text, r.Rationale, r.Model = "secret text", "secret reason", "m-1-2024"
				r.Usage.InputTokens, r.Usage.OutputTokens = 31, 120
				return nil
			})}),
		newLine(t, fanout.LineConfig{Companion: "ATLAS", Provider: "kaizen", Model: "m-2", Breaker: fanout.BreakerConfig{Failures: 1},
			Asker: fails(&fanout.AskError{Class: fanout.ClassStatus, Reason: "http 500", Err: errors.New("secret cause")})}),
		newLine(t, fanout.LineConfig{Companion: "ZENITH", Provider: "gemini", Model: "m-3", Asker: hangs}),
	}
}

func TestSpans(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := newInstruments(t)
		ctx, parent := in.traces.Tracer("test").Start(t.Context(), "deliberation")
		round := in.fan.Ask(ctx, question, telemetryPanel(t), nil)
		<-round.Arrivals()
		<-round.Arrivals()
		round.Cancel()
		in.fan.Drain(ctx)
		parent.End()

		got := map[string]map[string]string{}
		for _, s := range in.spans.Ended() {
			if s.Name() == "deliberation" {
				continue
			}
			if s.SpanKind() != trace.SpanKindClient || s.Parent().SpanID() != parent.SpanContext().SpanID() {
				t.Errorf("%s: kind %v, parent %v", s.Name(), s.SpanKind(), s.Parent().SpanID())
			}
			if failed := s.Name() == "chat m-2"; (s.Status().Code == codes.Error) != failed || failed && s.Status().Description != "http 500" {
				t.Errorf("%s: status %+v", s.Name(), s.Status())
			}
			attrs := map[string]string{}
			for _, kv := range s.Attributes() {
				attrs[string(kv.Key)] = kv.Value.String()
			}
			got[s.Name()] = attrs
		}
		// The names of the GenAI semantic conventions v1.41, in full: a newer
		// version of the conventions must not change them unseen.
		want := map[string]map[string]string{
			"chat m-1": {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "m-1",
				"gen_ai.response.model": "m-1-2024", "gen_ai.usage.input_tokens": "31", "gen_ai.usage.output_tokens": "120",
				"server.address": "api.example.com", "server.port": "443",
				"kaizen.companion": "AUREA", "kaizen.outcome": "ok", "kaizen.attempts": "1"},
			"chat m-2": {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "kaizen", "gen_ai.request.model": "m-2", "error.type": "status",
				"kaizen.companion": "ATLAS", "kaizen.outcome": "error", "kaizen.attempts": "1"},
			"chat m-3": {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "gcp.gemini", "gen_ai.request.model": "m-3", "error.type": "unneeded",
				"kaizen.companion": "ZENITH", "kaizen.outcome": "unneeded", "kaizen.attempts": "1"},
		}
		for name, attrs := range want {
			if !maps.Equal(got[name], attrs) {
				t.Errorf("%s:\n got %v\nwant %v", name, got[name], attrs)
			}
		}
		if len(got) != len(want) {
			t.Errorf("%d spans, want %d", len(got), len(want))
		}
		if fanout.SchemaURL != "https://opentelemetry.io/schemas/1.41.0" {
			t.Errorf("conventions %s", fanout.SchemaURL)
		}
	})
}

func TestWithoutASampledTraceThereAreNoSpans(t *testing.T) {
	in := newInstruments(t)
	span := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}})
	for name, ctx := range map[string]context.Context{"no trace": t.Context(), "not sampled": trace.ContextWithSpanContext(t.Context(), span)} {
		var seen trace.SpanContext
		line := newLine(t, fanout.LineConfig{Asker: asker(func(ctx context.Context, _ *quorum.Deliberation, _ *quorum.Reply) error {
			seen = trace.SpanContextFromContext(ctx)
			return nil
		})})
		all(in.fan.Ask(ctx, question, []*fanout.Line{line}, nil))
		if len(in.spans.Started()) != 0 {
			t.Errorf("%s: %d spans", name, len(in.spans.Started()))
		}
		if want := trace.SpanContextFromContext(ctx); !seen.Equal(want) {
			t.Errorf("%s: the companion is told of %v, want %v", name, seen, want)
		}
	}
}

func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := newInstruments(t)
		panel := telemetryPanel(t)
		slow := newLine(t, fanout.LineConfig{Companion: "JADE", Provider: "kaizen", Model: "m-4", Asker: says("yes", 0), PerSecond: 1, Burst: 1})
		panel = append(panel, slow, slow)
		in.fan.Observe(panel[:3])
		round := in.fan.Ask(t.Context(), question, panel, nil)
		for range 4 {
			<-round.Arrivals()
		}
		const (
			aurea = "gen_ai.operation.name=chat,gen_ai.provider.name=openai,gen_ai.request.model=m-1,"
			who   = "kaizen.companion=AUREA,server.address=api.example.com,server.port=443"
		)
		want := map[string]int64{
			"gen_ai.client.operation.duration[s]{" + aurea + who + "}": 1,
			"gen_ai.client.operation.duration[s]{error.type=status,gen_ai.operation.name=chat,gen_ai.provider.name=kaizen,gen_ai.request.model=m-2,kaizen.companion=ATLAS}": 1,
			"gen_ai.client.operation.duration[s]{gen_ai.operation.name=chat,gen_ai.provider.name=kaizen,gen_ai.request.model=m-4,kaizen.companion=JADE}":                    2,
			"gen_ai.client.token.usage[{token}]{gen_ai.operation.name=chat,gen_ai.provider.name=openai,gen_ai.request.model=m-1,gen_ai.token.type=input," + who + "}":       31,
			"gen_ai.client.token.usage[{token}]{gen_ai.operation.name=chat,gen_ai.provider.name=openai,gen_ai.request.model=m-1,gen_ai.token.type=output," + who + "}":      120,
			"kaizen.limiter.wait[s]{kaizen.companion=JADE}":     1,
			"kaizen.in_flight[{call}]{kaizen.companion=AUREA}":  0,
			"kaizen.in_flight[{call}]{kaizen.companion=ATLAS}":  0,
			"kaizen.in_flight[{call}]{kaizen.companion=ZENITH}": 1,
			"kaizen.breaker.state[]{kaizen.companion=AUREA}":    0,
			"kaizen.breaker.state[]{kaizen.companion=ATLAS}":    2,
			"kaizen.breaker.state[]{kaizen.companion=ZENITH}":   0,
		}
		got := in.metrics(t)
		for point, n := range want {
			if got[point] != n {
				t.Errorf("%s is %d, want %d", point, got[point], n)
			}
		}
		if len(got) != len(want) {
			t.Errorf("points %q", slices.Sorted(maps.Keys(got)))
		}
		round.Cancel()
		in.fan.Drain(t.Context())
	})
}

func TestNoTextLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := newInstruments(t)
		ctx, parent := in.traces.Tracer("test").Start(t.Context(), "deliberation")
		panel := append(telemetryPanel(t), newLine(t, fanout.LineConfig{Companion: "JADE", Asker: says("secret text", 0)}),
			newLine(t, fanout.LineConfig{Companion: "EVE", Asker: asker(func(context.Context, *quorum.Deliberation, *quorum.Reply) error { panic("secret value") })}))
		round := in.fan.Ask(ctx, &quorum.Deliberation{Prompt: "secret prompt"}, panel, func(seat int, r *quorum.Reply) {
			if seat == 3 {
				panic(r.Text)
			}
		})
		<-time.After(time.Second)
		round.Cancel()
		in.fan.Drain(ctx)
		parent.End()
		told := in.log.String() + fmt.Sprint(in.metrics(t))
		for _, s := range in.spans.Ended() {
			told += fmt.Sprint(s.Name(), s.Attributes(), s.Events(), s.Status())
		}
		if strings.Contains(told, "secret") {
			t.Errorf("told: %s", told)
		}
		for _, line := range []string{"breaker moved", "companion=ATLAS state=open", "panic while asking", "companion=JADE panic=string", "companion=EVE panic=string"} {
			if !strings.Contains(in.log.String(), line) {
				t.Errorf("the log lacks %q: %s", line, in.log.String())
			}
		}
	})
}

func TestRecordingAllocatesNothing(t *testing.T) {
	in := newInstruments(t)
	quiet := newFan(t)
	line := newLine(t, fanout.LineConfig{Model: "m", Asker: asker(func(_ context.Context, _ *quorum.Deliberation, r *quorum.Reply) error {
		r.Usage.InputTokens, r.Usage.OutputTokens = 31, 120
		return nil
	})})
	panel := []*fanout.Line{line}
	measure := func(fan *fanout.Fan) float64 {
		all(fan.Ask(t.Context(), question, panel, nil)) // the first of an attribute set allocates its buckets
		return testing.AllocsPerRun(200, func() { all(fan.Ask(t.Context(), question, panel, nil)) })
	}
	with, without := measure(in.fan), measure(quiet)
	if with > without {
		t.Errorf("%v allocations a call with metrics, %v without", with, without)
	}
}
