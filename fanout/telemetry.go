package fanout

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/trace"
)

// telemetry holds the instruments. Prompt and reply text never reach them.
type telemetry struct {
	tracer   trace.Tracer // nil: no spans
	duration metric.Float64Histogram
	tokens   metric.Int64Histogram
	wait     metric.Float64Histogram
}

// labels are a line's attribute sets, made once so that recording allocates
// nothing. They are as many as there are classes, and hold nothing unbounded.
type labels struct {
	spanName string
	span     []trace.SpanStartOption
	call     [classes][]metric.RecordOption // by how the call ended
	wait     [classes][]metric.RecordOption
	input    []metric.RecordOption
	output   []metric.RecordOption
	gauge    metric.ObserveOption
}

func newLabels(cfg *LineConfig) labels {
	call := []attribute.KeyValue{
		keyOperation.String(operationChat),
		keyProvider.String(providerName(cfg.Provider)),
		keyRequestModel.String(cfg.Model),
		keyCompanion.String(string(cfg.Companion)),
	}
	if cfg.Host != "" {
		call = append(call, keyServerAddress.String(cfg.Host), keyServerPort.Int(cfg.Port))
	}
	companion := keyCompanion.String(string(cfg.Companion))
	l := labels{
		spanName: operationChat + " " + cfg.Model,
		span:     []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(call...)},
		input:    recordWith(call, keyTokenType.String(tokensInput)),
		output:   recordWith(call, keyTokenType.String(tokensOutput)),
		gauge:    metric.WithAttributeSet(attribute.NewSet(companion)),
	}
	for c := range classes {
		if c == ClassNone {
			l.call[c] = recordWith(call)
			l.wait[c] = recordWith(nil, companion)
			continue
		}
		failure := keyErrorType.String(c.String())
		l.call[c] = recordWith(call, failure)
		l.wait[c] = recordWith(nil, companion, failure)
	}
	return l
}

func recordWith(common []attribute.KeyValue, more ...attribute.KeyValue) []metric.RecordOption {
	all := append(append([]attribute.KeyValue(nil), common...), more...)
	return []metric.RecordOption{metric.WithAttributeSet(attribute.NewSet(all...))}
}

func newTelemetry(tracer trace.Tracer, meter metric.Meter, observe func(observe func(l *Line))) (telemetry, error) {
	if meter == nil {
		meter = noop.Meter{}
	}
	t := telemetry{tracer: tracer}
	var errs [6]error
	t.duration, errs[0] = meter.Float64Histogram(metricDuration, metric.WithUnit("s"),
		metric.WithDescription("GenAI operation duration."), metric.WithExplicitBucketBoundaries(durationBuckets...))
	t.tokens, errs[1] = meter.Int64Histogram(metricTokens, metric.WithUnit("{token}"),
		metric.WithDescription("Number of input and output tokens used."), metric.WithExplicitBucketBoundaries(tokenBuckets...))
	t.wait, errs[2] = meter.Float64Histogram(metricLimiterWait, metric.WithUnit("s"),
		metric.WithDescription("How long calls waited for a companion's rate or in-flight limit; calls that did not wait are not in it."),
		metric.WithExplicitBucketBoundaries(durationBuckets...))
	inFlight, err := meter.Int64ObservableGauge(metricInFlight, metric.WithUnit("{call}"),
		metric.WithDescription("Calls out to a companion."))
	errs[3] = err
	state, err := meter.Int64ObservableGauge(metricBreakerState,
		metric.WithDescription("A companion's breaker: 0 closed, 1 half-open, 2 open."))
	errs[4] = err
	if err := errors.Join(errs[:]...); err != nil {
		return t, fmt.Errorf("fanout: instruments: %w", err)
	}
	_, err = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		observe(func(l *Line) {
			o.ObserveInt64(inFlight, int64(l.InFlight()), l.labels.gauge)
			o.ObserveInt64(state, int64(l.Breaker()), l.labels.gauge)
		})
		return nil
	}, inFlight, state)
	if err != nil {
		return t, fmt.Errorf("fanout: instruments: %w", err)
	}
	return t, nil
}

// Observe says whose in-flight calls and breakers the gauges tell of, in place
// of those before: call it at start and after a reload.
func (f *Fan) Observe(lines []*Line) { f.lines.Store(&lines) }

func (f *Fan) observe(each func(l *Line)) {
	if lines := f.lines.Load(); lines != nil {
		for _, l := range *lines {
			each(l)
		}
	}
}

// start opens the seat's span if the request is traced and sampled; else the
// request's own span context is what the companion is told.
func (f *Fan) start(s *seat) trace.Span {
	if f.tracer == nil || !trace.SpanContextFromContext(s.values).IsSampled() {
		return nil
	}
	var span trace.Span
	s.values, span = f.tracer.Start(s.values, s.line.labels.spanName, s.line.labels.span...)
	return span
}

// finish reports how the seat ended. s.reply is filled, scoring not yet begun.
func (f *Fan) finish(s *seat, span trace.Span, e *AskError) {
	class, labels := ClassNone, &s.line.labels
	if e != nil {
		class = e.Class
	}
	// s.values carries the span, for exemplars; s itself may be over.
	if s.waited > 0 {
		f.wait.Record(s.values, s.waited.Seconds(), labels.wait[class]...)
	}
	if !s.asked.IsZero() {
		f.duration.Record(s.values, s.reply.Latency.Seconds(), labels.call[class]...)
	}
	if n := s.reply.Usage.InputTokens; n > 0 {
		f.tokens.Record(s.values, n, labels.input...)
	}
	if n := s.reply.Usage.OutputTokens; n > 0 {
		f.tokens.Record(s.values, n, labels.output...)
	}
	if span == nil {
		return
	}
	attrs := make([]attribute.KeyValue, 0, 6)
	attrs = append(attrs, keyOutcome.String(s.reply.Outcome.String()), keyAttempts.Int(s.reply.Attempts))
	if e == nil {
		attrs = append(attrs, keyResponseModel.String(s.reply.Model),
			keyInputTokens.Int64(s.reply.Usage.InputTokens), keyOutputTokens.Int64(s.reply.Usage.OutputTokens))
	} else {
		attrs = append(attrs, keyErrorType.String(class.String()))
		if class != ClassUnneeded {
			span.SetStatus(codes.Error, e.Reason)
		}
	}
	span.SetAttributes(attrs...)
	span.End()
}

// breakerMoved tells of a breaker's change, the one thing about a companion
// that an operator must hear of at once.
func (f *Fan) breakerMoved(s *seat, to BreakerState) {
	f.log.WarnContext(s.values, "breaker moved", "companion", s.line.cfg.Companion, "state", to.String())
}

// panicked logs a panic by its type and place; its value might quote a reply.
func (f *Fan) panicked(companion string, p any) {
	f.log.Error("panic while asking", "companion", companion, "panic", fmt.Sprintf("%T", p),
		slog.String("stack", string(debug.Stack())))
}
