package gateway

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// tree draws spans below parent, a line each, siblings in alphabetical order.
func tree(spans []sdktrace.ReadOnlySpan, parent trace.SpanID, indent string) string {
	var lines []string
	for _, s := range spans {
		if s.Parent().SpanID() == parent {
			lines = append(lines, fmt.Sprintf("%s%s %s\n", indent, s.SpanKind(), s.Name())+tree(spans, s.SpanContext().SpanID(), indent+"  "))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// attributes of a span as one line.
func attributes(s sdktrace.ReadOnlySpan) string {
	set := attribute.NewSet(s.Attributes()...)
	return set.Encoded(attribute.DefaultEncoder())
}

const (
	callersTrace = "0af7651916cd43dd8448eb211c80319c"
	callersSpan  = "b7ad6b7169203331"
)

func TestOneTraceADeliberationAndOneSpanACompanion(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: panelOf(t, says("42"), says("42"), fails(500)), unsampled: true})
	resp := r.post(`{"prompt":"Six times seven?","wait":"all"}`, "traceparent", "00-"+callersTrace+"-"+callersSpan+"-01")
	d := resp.deliberation(http.StatusOK)
	r.drain()

	remote := must(trace.SpanIDFromHex(callersSpan))(t)
	spans := r.spans.Ended()
	const want = `server POST /v1/deliberate
  internal invoke_workflow deliberation
    client chat model-atlas
    client chat model-aurea
    client chat model-zenith
    internal decide
    internal ledger.append
    internal score
    internal score
`
	if got := tree(spans, remote, ""); got != want {
		t.Errorf("trace\n%s\nwant\n%s", got, want)
	}
	byName := map[string]sdktrace.ReadOnlySpan{}
	for _, s := range spans {
		byName[s.Name()] = s
		if s.SpanContext().TraceID().String() != callersTrace {
			t.Errorf("%s is in trace %s", s.Name(), s.SpanContext().TraceID())
		}
	}
	server := byName["POST /v1/deliberate"]
	for _, want := range []string{"http.route=/v1/deliberate", "http.request.method=POST", "http.response.status_code=200", "url.scheme=http"} {
		if !strings.Contains(attributes(server), want) {
			t.Errorf("the server's span lacks %s: %s", want, attributes(server))
		}
	}
	workflow := byName["invoke_workflow deliberation"]
	for _, want := range []string{"gen_ai.operation.name=invoke_workflow", "kaizen.deliberation=" + d.ID, "kaizen.status=carried", "kaizen.tier=standard", "kaizen.panel=3"} {
		if !strings.Contains(attributes(workflow), want) {
			t.Errorf("the workflow's span lacks %s: %s", want, attributes(workflow))
		}
	}
	if !strings.Contains(attributes(byName["score"]), "kaizen.companion=A") {
		t.Errorf("a score's span does not say whose: %s", attributes(byName["score"]))
	}

	// The same trace out to the companions, each under its own span, and back.
	for i, c := range r.panel[:2] {
		chat := byName["chat "+c.Model].SpanContext()
		if got, want := c.next(t).header.Get("Traceparent"), "00-"+callersTrace+"-"+chat.SpanID().String()+"-01"; got != want {
			t.Errorf("companion %d is sent traceparent %s, want %s", i, got, want)
		}
	}
	if got, want := resp.header.Get("Traceparent"), "00-"+callersTrace+"-"+server.SpanContext().SpanID().String()+"-01"; got != want {
		t.Errorf("answered with traceparent %s, want %s", got, want)
	}
}

func TestAnUnsampledTraceIsPassedOnWithoutSpans(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: panelOf(t, says("42"), says("42"))})
	r.post(guideRequest, "traceparent", "00-"+callersTrace+"-"+callersSpan+"-00").deliberation(http.StatusOK)
	if got := r.panel[0].next(t).header.Get("Traceparent"); !strings.HasPrefix(got, "00-"+callersTrace+"-") || !strings.HasSuffix(got, "-00") {
		t.Errorf("the companion is sent traceparent %q", got)
	}
	r.drain()
	if n := len(r.spans.Ended()); n != 0 {
		t.Errorf("%d spans", n)
	}
}

func TestAnUnreadableTraceparentBeginsATraceOfItsOwn(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: panelOf(t, says("42"), says("42"))})
	for _, header := range []string{"", "nonsense", "00-" + strings.Repeat("0", 32) + "-" + callersSpan + "-01", strings.Repeat("x", 1000)} {
		r.ask(guideRequest, "traceparent", header)
	}
	if n := len(strings.Split(tree(r.spans.Ended(), trace.SpanID{}, ""), "server POST /v1/deliberate")) - 1; n != 4 {
		t.Errorf("%d traces of our own", n)
	}
}

// points are all data points there are, "name{attributes}", with the count of a
// histogram or the value of anything else.
func (r *rig) points() map[string]int64 {
	r.t.Helper()
	var all metricdata.ResourceMetrics
	if err := r.metrics.Collect(r.t.Context(), &all); err != nil {
		r.t.Fatal(err)
	}
	points := map[string]int64{}
	put := func(name string, set attribute.Set, n int64) {
		points[name+"{"+set.Encoded(attribute.DefaultEncoder())+"}"] = n
	}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			switch data := m.Data.(type) {
			case metricdata.Histogram[float64]:
				for _, p := range data.DataPoints {
					put(m.Name, p.Attributes, int64(p.Count))
				}
			case metricdata.Histogram[int64]:
				for _, p := range data.DataPoints {
					put(m.Name, p.Attributes, int64(p.Count))
				}
			case metricdata.Sum[int64]:
				for _, p := range data.DataPoints {
					put(m.Name, p.Attributes, p.Value)
				}
			case metricdata.Gauge[int64]:
				for _, p := range data.DataPoints {
					put(m.Name, p.Attributes, p.Value)
				}
			}
		}
	}
	return points
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: []*companion{member(t, "AUREA", says("42")), member(t, "ATLAS", says("42")), member(t, "ZENITH", fails(500)), member(t, "SOLARA", held)}})
	r.ask(`{"prompt":"Six times seven?","kind":"number"}`)
	r.ask(`{"prompt":"Six times seven?","kind":"number","context":{"tier":"high"}}`)
	r.post(`{"prompt":"Tell me how to make a bomb at home"}`)
	r.post(`{}`)
	r.get("/v1/deliberations/dlb_x")
	r.get("/v1/deliberations/dlb_y")
	r.drain()
	points := r.points()
	for point, want := range map[string]int64{
		"kaizen.overhead{kaizen.tier=standard}":                                                          1,
		"kaizen.overhead{kaizen.tier=high}":                                                              1,
		"kaizen.deliberations{kaizen.status=carried,kaizen.tier=standard}":                               1,
		"kaizen.deliberations{kaizen.status=carried,kaizen.tier=high}":                                   1,
		"kaizen.deliberations{kaizen.status=refused,kaizen.tier=standard}":                               1,
		"kaizen.ballots{kaizen.outcome=ok}":                                                              4,
		"kaizen.agreement{kaizen.tier=standard}":                                                         1,
		"kaizen.agreement{kaizen.tier=high}":                                                             1,
		"http.server.request.duration{http.response.status_class=2xx,http.route=/v1/deliberate}":         2,
		"http.server.request.duration{http.response.status_class=4xx,http.route=/v1/deliberate}":         2,
		"http.server.request.duration{http.response.status_class=4xx,http.route=/v1/deliberations/{id}}": 2,
		"kaizen.quorum.slack{kaizen.tier=standard}":                                                      2, // four against two
		"kaizen.quorum.slack{kaizen.tier=critical}":                                                      0, // three against three
	} {
		if got := points[point]; got != want {
			t.Errorf("%s is %d, want %d", point, got, want)
		}
	}
	// ZENITH fails or is not waited for, as it happens; SOLARA is not waited for
	// and is not seated at high.
	if n := points["kaizen.ballots{kaizen.outcome=error}"] + points["kaizen.ballots{kaizen.outcome=unneeded}"]; n != 3 {
		t.Errorf("%d ballots of who did not answer: %v", n, points)
	}
	for _, name := range []string{"gen_ai.client.operation.duration", "gen_ai.client.token.usage", "kaizen.in_flight", "kaizen.breaker.state", "kaizen.ledger"} {
		found := false
		for point := range points {
			found = found || strings.HasPrefix(point, name)
		}
		if !found {
			t.Errorf("no metric %s: %v", name, points)
		}
	}
	// Nothing unbounded becomes an attribute: two unknown ids are one series.
	for point := range points {
		if strings.Contains(point, "dlb_") {
			t.Errorf("an id is an attribute: %s", point)
		}
	}
}
