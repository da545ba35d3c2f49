package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/valyala/fasthttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"github.com/kaizen-os/deliberation/fanout"
	"github.com/kaizen-os/deliberation/quorum"
	"github.com/kaizen-os/deliberation/scoring/run"
)

// telemetry holds the gateway's spans and instruments (DESIGN §12). Attribute
// sets are made once; what is recorded on the request path looks them up.
type telemetry struct {
	tracer     trace.Tracer
	propagator propagation.TraceContext

	requests      metric.Float64Histogram
	gatewayTime   metric.Float64Histogram
	deliberations metric.Int64Counter
	ballots       metric.Int64Counter
	steps         metric.Int64Counter
	agreement     metric.Float64Histogram
	runs          metric.Float64Histogram
	streams       metric.Int64Counter
	judgeRequests metric.Int64Counter
	judgeDuration metric.Float64Histogram
	unjudged      metric.Int64Counter

	byTier    [5][]metric.RecordOption
	byVerdict [7][5][]metric.AddOption
	byOutcome [7][]metric.AddOption
	byStep    [len(stepNames)][7][]metric.AddOption
	byEnd     [len(endNames)][]metric.AddOption
	byRun     [run.Outcomes][]metric.RecordOption
}

// routeLabels are the attributes of one route.
type routeLabels struct {
	name    string
	options []trace.SpanStartOption
	byClass [6][]metric.RecordOption // by status class, 1xx to 5xx
}

// The steps that may follow a first round, as spans and metrics name them.
const (
	stepSecond = iota
	stepJudge
	stepSynthesis
)

var stepNames = [...]string{"second round", "judge", "synthesis"}

// User values of a request.
const (
	spanKey   = "kaizen.span"   // its context
	streamKey = "kaizen.stream" // its response, where that is a stream
)

var (
	overheadBuckets = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1}
	requestBuckets  = []float64{.005, .01, .025, .05, .075, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10}
	shareBuckets    = []float64{.1, .2, .3, .4, .5, .6, .7, .8, .9, .95, 1}
)

func newTelemetry(tracer trace.Tracer, meter metric.Meter, g *Gateway) (*telemetry, error) {
	if tracer == nil {
		tracer = tracenoop.NewTracerProvider().Tracer("")
	}
	if meter == nil {
		meter = metricnoop.Meter{}
	}
	t := &telemetry{tracer: tracer}
	var errs [12]error
	t.requests, errs[0] = meter.Float64Histogram("http.server.request.duration", metric.WithUnit("s"),
		metric.WithDescription("Duration of HTTP server requests."), metric.WithExplicitBucketBoundaries(requestBuckets...))
	t.gatewayTime, errs[1] = meter.Float64Histogram("kaizen.overhead", metric.WithUnit("s"),
		metric.WithDescription("Time of a deliberation less the wait for companions."), metric.WithExplicitBucketBoundaries(overheadBuckets...))
	t.deliberations, errs[2] = meter.Int64Counter("kaizen.deliberations", metric.WithDescription("Deliberations by status and tier."))
	t.ballots, errs[3] = meter.Int64Counter("kaizen.ballots", metric.WithDescription("Ballots by outcome."))
	t.agreement, errs[4] = meter.Float64Histogram("kaizen.agreement", metric.WithUnit("1"),
		metric.WithDescription("The leader's share of all seated weight."), metric.WithExplicitBucketBoundaries(shareBuckets...))
	t.steps, errs[7] = meter.Int64Counter("kaizen.steps", metric.WithDescription("What was wanted after first rounds: second rounds, judges and syntheses, by outcome."))
	var gauge metric.Int64ObservableGauge
	gauge, errs[5] = meter.Int64ObservableGauge("kaizen.quorum.slack",
		metric.WithDescription("Companions that can be reached beyond what a tier's quorum needs; -1 when it cannot be had."))
	t.runs, errs[6] = meter.Float64Histogram("kaizen.run.duration", metric.WithUnit("s"),
		metric.WithDescription("Time of running a companion's code, the wait for a turn included."), metric.WithExplicitBucketBoundaries(requestBuckets...))
	t.streams, errs[11] = meter.Int64Counter("kaizen.streams", metric.WithDescription("Streamed responses by how they ended: told, failed, or left by their client."))
	for how, name := range endNames {
		t.byEnd[how] = []metric.AddOption{metric.WithAttributeSet(attribute.NewSet(attribute.String("kaizen.end", name)))}
	}
	t.judgeRequests, errs[8] = meter.Int64Counter("kaizen.judge.requests", metric.WithDescription("Opinions that external judges were asked for, by how that ended; cached: without a call."))
	t.judgeDuration, errs[9] = meter.Float64Histogram("kaizen.judge.duration", metric.WithUnit("s"),
		metric.WithDescription("Time of asking an external judge, waits and a retry included."), metric.WithExplicitBucketBoundaries(requestBuckets...))
	t.unjudged, errs[10] = meter.Int64Counter("kaizen.judge.unjudged", metric.WithDescription("Replies that an external judge should have judged and did not, by why."))
	if err := errors.Join(errs[:]...); err != nil {
		return nil, fmt.Errorf("gateway instruments: %w", err)
	}
	var tierOption [5]metric.ObserveOption
	for _, tier := range quorum.Tiers {
		attr := attribute.String("kaizen.tier", tier.String())
		t.byTier[tier] = []metric.RecordOption{metric.WithAttributeSet(attribute.NewSet(attr))}
		tierOption[tier] = metric.WithAttributeSet(attribute.NewSet(attr))
		for status := quorum.RefusedPrompt; status <= quorum.Expired; status++ {
			t.byVerdict[status][tier] = []metric.AddOption{metric.WithAttributeSet(attribute.NewSet(attr, attribute.String("kaizen.status", status.String())))}
		}
	}
	for o := quorum.OK; o <= quorum.Unneeded; o++ {
		for step, name := range stepNames {
			t.byStep[step][o] = []metric.AddOption{metric.WithAttributeSet(attribute.NewSet(attribute.String("kaizen.step", name), attribute.String("kaizen.outcome", o.String())))}
		}
		t.byOutcome[o] = []metric.AddOption{metric.WithAttributeSet(attribute.NewSet(attribute.String("kaizen.outcome", o.String())))}
	}
	for o := range t.byRun {
		t.byRun[o] = []metric.RecordOption{metric.WithAttributeSet(attribute.NewSet(attribute.String("kaizen.outcome", run.Outcome(o).String())))}
	}
	_, err := meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		st, view := g.book.State(), g.view.Load()
		if st.Policy == nil || view == nil {
			return nil
		}
		for _, tier := range quorum.Tiers {
			p := seat(st, view.lines, &quorum.Deliberation{Tier: tier, Chamber: view.limits.Chamber}, panelLimits{})
			o.ObserveInt64(gauge, int64(slack(st.Policy, tier, p, "")), tierOption[tier])
		}
		return nil
	}, gauge)
	if err != nil {
		return nil, fmt.Errorf("gateway instruments: %w", err)
	}
	return t, nil
}

func (t *telemetry) route(path string) *routeLabels {
	l := &routeLabels{name: path, options: []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindServer),
		trace.WithAttributes(attribute.String("http.route", path), attribute.String("url.scheme", "http"))}}
	for class := 1; class <= 5; class++ {
		l.byClass[class] = []metric.RecordOption{metric.WithAttributeSet(attribute.NewSet(
			attribute.String("http.route", path), attribute.String("http.response.status_class", fmt.Sprintf("%dxx", class))))}
	}
	return l
}

// carrier lets the propagator read a request's headers.
type carrier struct{ h *fasthttp.RequestHeader }

func (c carrier) Get(key string) string {
	if key == "tracestate" {
		return "" // words of the caller's own, which would stand in every span
	}
	return string(c.h.Peek(key))
}
func (c carrier) Set(key, value string) { c.h.Set(key, value) }
func (c carrier) Keys() []string        { return nil } // the propagator asks by name

// server starts the request's span, under the caller's if it sent one.
func (t *telemetry) server(ctx *fasthttp.RequestCtx, l *routeLabels) trace.Span {
	parent := context.Background()
	if len(ctx.Request.Header.Peek("traceparent")) > 0 {
		parent = t.propagator.Extract(parent, carrier{&ctx.Request.Header})
	}
	work, span := t.tracer.Start(parent, string(ctx.Method())+" "+l.name, l.options...)
	ctx.SetUserValue(spanKey, work)
	return span
}

// context is what a handler's work runs under: not the request's own, which is
// used again, but one that carries its span.
func (t *telemetry) context(ctx *fasthttp.RequestCtx) context.Context {
	work, _ := ctx.UserValue(spanKey).(context.Context)
	return work
}

// announce tells the caller its trace.
func (t *telemetry) announce(ctx *fasthttp.RequestCtx, span trace.Span) {
	if sc := span.SpanContext(); sc.IsValid() {
		var header [55]byte
		ctx.Response.Header.SetBytesV("traceparent", appendTraceparent(header[:0], sc))
	}
}

// served gives what ends the request's span and measures it. It refers to ctx no
// more.
func (t *telemetry) served(ctx *fasthttp.RequestCtx, span trace.Span, l *routeLabels, received time.Time) func() {
	status, work, method := ctx.Response.StatusCode(), t.context(ctx), ""
	if span.IsRecording() {
		method = string(ctx.Method())
	}
	return func() {
		t.requests.Record(work, time.Since(received).Seconds(), l.byClass[min(max(status/100, 1), 5)]...)
		if span.IsRecording() {
			span.SetAttributes(attribute.String("http.request.method", method), attribute.Int("http.response.status_code", status))
			if status >= 500 {
				span.SetStatus(codes.Error, "")
			}
		}
		span.End()
	}
}

// streamed counts a stream by how it ended.
func (t *telemetry) streamed(how int) { t.streams.Add(context.Background(), 1, t.byEnd[how]...) }

func appendTraceparent(dst []byte, sc trace.SpanContext) []byte {
	const digits = "0123456789abcdef"
	hex := func(b []byte) {
		for _, c := range b {
			dst = append(dst, digits[c>>4], digits[c&15])
		}
	}
	id, span := sc.TraceID(), sc.SpanID()
	dst = append(dst, "00-"...)
	hex(id[:])
	dst = append(dst, '-')
	hex(span[:])
	dst = append(dst, '-')
	hex([]byte{byte(sc.TraceFlags())})
	return dst
}

// sampled reports whether spans under ctx are kept: for the others none is made.
func (t *telemetry) sampled(ctx context.Context) bool {
	return trace.SpanContextFromContext(ctx).IsSampled()
}

// workflow starts the span that the companions' calls are siblings under.
func (t *telemetry) workflow(ctx context.Context, d *quorum.Deliberation) (context.Context, trace.Span) {
	if !t.sampled(ctx) {
		return ctx, tracenoop.Span{}
	}
	return t.tracer.Start(ctx, fanout.WorkflowSpan, trace.WithAttributes(fanout.WorkflowAttributes(d)...))
}

// start starts an internal span.
func (t *telemetry) start(ctx context.Context, name string, attrs ...attribute.KeyValue) (context.Context, trace.Span) {
	if !t.sampled(ctx) {
		return ctx, tracenoop.Span{}
	}
	return t.tracer.Start(ctx, name, trace.WithAttributes(attrs...))
}

// client starts the span of a call to somebody outside.
func (t *telemetry) client(ctx context.Context, name string, attrs ...attribute.KeyValue) (context.Context, trace.Span) {
	if !t.sampled(ctx) {
		return ctx, tracenoop.Span{}
	}
	return t.tracer.Start(ctx, name, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(attrs...))
}

// timed runs do under an internal span.
func (t *telemetry) timed(ctx context.Context, name string, do func()) {
	_, span := t.start(ctx, name)
	do()
	span.End()
}

// decided counts a deliberation whose proof is durable.
func (t *telemetry) decided(ctx context.Context, p *quorum.Proof, v *quorum.Verdict) {
	t.deliberations.Add(ctx, 1, t.byVerdict[v.Status][p.Tier]...)
	var outcomes [len(t.byOutcome)]int64
	for i := range p.Ballots {
		outcomes[p.Ballots[i].Outcome]++
	}
	for o, n := range outcomes {
		if n > 0 {
			t.ballots.Add(ctx, n, t.byOutcome[o]...)
		}
	}
	if p.Second != nil {
		t.steps.Add(ctx, 1, t.byStep[stepSecond][p.Second.Outcome]...)
	}
	if p.Judge != nil {
		t.steps.Add(ctx, 1, t.byStep[stepJudge][p.Judge.Outcome]...)
	}
	if p.Synthesis != nil {
		t.steps.Add(ctx, 1, t.byStep[stepSynthesis][p.Synthesis.Outcome]...)
	}
	if len(v.Positions) > 0 {
		t.agreement.Record(ctx, float64(v.Agreement)/float64(quorum.One), t.byTier[p.Tier]...)
	}
	if span := trace.SpanFromContext(ctx); span.IsRecording() {
		span.SetAttributes(attribute.String("kaizen.deliberation", p.ID), attribute.String("kaizen.status", v.Status.String()),
			attribute.String("kaizen.tier", p.Tier.String()), attribute.Int("kaizen.panel", len(p.Ballots)))
	}
}

// overhead records the number people quote: total less the wait for companions.
func (t *telemetry) overhead(ctx context.Context, tier quorum.Tier, took time.Duration) {
	t.gatewayTime.Record(ctx, took.Seconds(), t.byTier[tier]...)
}

// panicked logs a panic by its type and place; its value might quote a text.
func (t *telemetry) panicked(log *slog.Logger, thrown any) {
	log.Error("panic in a request", "panic", fmt.Sprintf("%T", thrown), "stack", string(debug.Stack()))
}
