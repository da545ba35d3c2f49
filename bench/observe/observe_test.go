package observe

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// One gateway, watched from its start to its end.
func TestTheGatewayAsOthersSeeIt(t *testing.T) {
	s := startScene(t)
	t.Run("what Prometheus computes of it", func(t *testing.T) { s.series(t) })
	t.Run("each panel of the dashboard shows something", func(t *testing.T) { s.panels(t) })
	t.Run("each name in dashboard and rules is one that it exports", func(t *testing.T) { s.names(t) })
	t.Run("no text in any series", func(t *testing.T) {
		text, code, err := fetch(t.Context(), "GET", s.watcherURL+"/api/v1/series?match[]="+url.QueryEscape(`{__name__=~".+"}`), "")
		if err != nil || code != 200 || !strings.Contains(text, "kaizen_overhead_seconds_bucket") {
			t.Fatalf("%d, %v", code, err)
		}
		secret(t, "Prometheus", []byte(text))
		secret(t, "/metrics", []byte(s.exposition(t)))
	})
	s.end()
	t.Run("the spans that arrive", func(t *testing.T) { s.spans(t) })
	t.Run("the traces that are kept", func(t *testing.T) { s.kept(t) })
	t.Run("the metrics that arrive by way of the collector", func(t *testing.T) { s.pushed(t) })
	t.Run("no text in what arrives, nor in the log", func(t *testing.T) {
		secret(t, "what the collector sent", s.sink.raw)
		secret(t, "the gateway's log", []byte(s.gateway.said.String()))
		if len(s.sink.refused) > 0 {
			t.Errorf("the collector sent what cannot be read: %v", s.sink.refused)
		}
	})
	// That the canaries would have been found: the answers that callers get have them.
	for _, trace := range []string{traceClean, traceStumble, traceCode} {
		if !strings.Contains(s.asked[trace], replyCanary) {
			t.Errorf("no reply came through in %s", s.asked[trace])
		}
	}
}

// series holds counts against the requests that were made.
func (s *scene) series(t *testing.T) {
	for _, tt := range []struct {
		name, expr string
		want       float64
	}{
		{"verdicts", `sum(kaizen_deliberations_total)`, 10},
		{"carried by tier", `kaizen_deliberations_total{kaizen_status="carried", kaizen_tier="high"}`, 3},
		{"contested", `sum(kaizen_deliberations_total{kaizen_status="contested"})`, 1},
		{"refused", `sum(kaizen_deliberations_total{kaizen_status="refused"})`, 1},
		{"answers", `http_server_request_duration_seconds_count{http_route="/v1/deliberate", http_response_status_class="2xx"}`, 9},
		{"refusals", `http_server_request_duration_seconds_count{http_route="/v1/deliberate", http_response_status_class="4xx"}`, 2},
		{"late ballots", `kaizen_ballots_total{kaizen_outcome="late"}`, 1},
		{"a companion's failure", `gen_ai_client_operation_duration_seconds_count{kaizen_companion="BROKEN", error_type="status"}`, 1},
		{"its own names", `count(gen_ai_client_operation_duration_seconds_count{kaizen_companion="JADE", gen_ai_provider_name="openai", gen_ai_request_model="jade-1", gen_ai_operation_name="chat", error_type=""})`, 1},
		{"a stream", `kaizen_streams_total{kaizen_end="told"}`, 1},
		{"a judge's opinions", `count(kaizen_judge_requests_total{kaizen_judge="own"}) > bool 0`, 1},
		{"what a judge that is gone leaves", `count(kaizen_judge_unjudged_total{kaizen_judge="gone"}) > bool 0`, 1},
		{"syntheses", `sum(kaizen_steps_total{kaizen_step="synthesis"})`, 1},
		{"programs", `kaizen_run_duration_seconds_count{kaizen_outcome="ran"}`, 6},
		{"the reachable witness", `kaizen_witness_lag{witness="witness.test/w1"}`, 0},
		{"breakers", `count(kaizen_breaker_state == 0)`, 6},
		{"tiers with slack", `count(kaizen_quorum_slack >= 0)`, 4},
		{"rules that work", `count(kaizen:overhead_seconds:p99_5m)`, 1},
		{"nothing amiss beside the witness that is gone", `count(ALERTS{alertstate="firing"}) or vector(0)`, 0},
	} {
		s.watcher.eventually("knows "+tt.name, func() error {
			got, err := s.number(tt.expr)
			if err == nil && got != tt.want {
				err = fmt.Errorf("%s is %v, want %v", tt.expr, got, tt.want)
			}
			return err
		})
	}
	// Every rule can be evaluated on what the gateway exports.
	text, code, err := fetch(t.Context(), "GET", s.watcherURL+"/api/v1/rules", "")
	var answer struct {
		Data struct {
			Groups []struct {
				Rules []struct{ Name, Health, LastError string }
			}
		}
	}
	if err != nil || code != 200 || json.Unmarshal([]byte(text), &answer) != nil {
		t.Fatalf("%d, %v: %s", code, err, text)
	}
	rules := 0
	for _, g := range answer.Data.Groups {
		for _, r := range g.Rules {
			rules++
			if r.Health == "err" || r.LastError != "" {
				t.Errorf("rule %s: %s", r.Name, r.LastError)
			}
		}
	}
	if rules != len(rulesOf(t)) {
		t.Errorf("Prometheus has %d rules, the file %d", rules, len(rulesOf(t)))
	}
}

// panels asks Prometheus what each panel would.
func (s *scene) panels(t *testing.T) {
	for _, p := range dashboardQueries(t) {
		if strings.Contains(p.expr, "ALERTS") || p.title == "Starts" {
			continue // nothing fires here, and it started once
		}
		s.watcher.eventually("has something for "+p.title, func() error { _, err := s.query(p.expr); return err })
	}
}

// attributes are those that spans may have. Another one is looked at by a person
// first: nothing of a prompt or a reply may be in it.
var attributes = []string{
	"http.route", "url.scheme", "http.request.method", "http.response.status_code",
	"gen_ai.operation.name", "gen_ai.workflow.name", "gen_ai.provider.name", "gen_ai.request.model", "gen_ai.response.model", "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens",
	"server.address", "server.port", "error.type",
	"kaizen.deliberation", "kaizen.tier", "kaizen.chamber", "kaizen.kind", "kaizen.status", "kaizen.panel", "kaizen.companion", "kaizen.outcome", "kaizen.attempts",
	"kaizen.judge", "kaizen.cached",
}

// spans holds the trace of the deliberation in which one companion stumbled and one
// was silent: who is whose child, what each is called, and what it says.
func (s *scene) spans(t *testing.T) {
	all := s.sink.trace(traceStumble)
	byName := map[string][]span{}
	for _, one := range all {
		byName[one.Name()] = append(byName[one.Name()], one)
		if one.resource["service.name"] != "kaizen" || one.resource["service.namespace"] != "kaizen-os" || !strings.HasPrefix(one.scope, "github.com/kaizen-os/deliberation/") {
			t.Errorf("%s is from %v, scope %s", one.Name(), one.resource, one.scope)
		}
		if one.StartTimestamp() > one.EndTimestamp() || one.StartTimestamp() == 0 {
			t.Errorf("%s goes from %v to %v", one.Name(), one.StartTimestamp(), one.EndTimestamp())
		}
	}
	want := map[string]int{"POST /v1/deliberate": 1, "invoke_workflow deliberation": 1, "decide": 1, "ledger.append": 1, "score": 4}
	for _, c := range s.panel {
		want["chat "+c.model] = 1
	}
	got := map[string]int{}
	for name, spans := range byName {
		got[name] = len(spans)
	}
	if !maps.Equal(got, want) {
		t.Fatalf("spans %v, want %v", got, want)
	}
	check := func(one span, kind ptrace.SpanKind, parent string, status ptrace.StatusCode, attrs map[string]any) {
		t.Helper()
		if one.Kind() != kind || one.ParentSpanID().String() != parent || one.Status().Code() != status {
			t.Errorf("%s is %v under %s, status %v; want %v under %s, %v", one.Name(), one.Kind(), one.ParentSpanID(), one.Status().Code(), kind, parent, status)
		}
		if has := one.Attributes().AsRaw(); !maps.Equal(has, attrs) {
			t.Errorf("%s has %v\nwant %v", one.Name(), has, attrs)
		}
	}
	server, workflow := byName["POST /v1/deliberate"][0], byName["invoke_workflow deliberation"][0]
	check(server, ptrace.SpanKindServer, parentSpan, ptrace.StatusCodeUnset, map[string]any{
		"http.route": "/v1/deliberate", "url.scheme": "http", "http.request.method": "POST", "http.response.status_code": int64(200)})
	check(workflow, ptrace.SpanKindInternal, server.SpanID().String(), ptrace.StatusCodeUnset, map[string]any{
		"gen_ai.operation.name": "invoke_workflow", "gen_ai.workflow.name": "deliberation", "kaizen.deliberation": s.answered(traceStumble, "id"),
		"kaizen.tier": "standard", "kaizen.chamber": workflow.Attributes().AsRaw()["kaizen.chamber"], "kaizen.kind": "number",
		"kaizen.status": s.answered(traceStumble, "status"), "kaizen.panel": int64(len(s.panel))})
	under := workflow.SpanID().String()
	for _, c := range s.panel {
		address, port, _ := strings.Cut(strings.TrimPrefix(c.url, "http://"), ":")
		attrs := map[string]any{"gen_ai.operation.name": "chat", "gen_ai.provider.name": c.provider, "gen_ai.request.model": c.model, "kaizen.companion": c.id,
			"server.address": address, "server.port": number(t, port), "kaizen.outcome": "ok", "kaizen.attempts": int64(1)}
		status := ptrace.StatusCodeUnset
		switch c.id {
		case "BROKEN":
			attrs["kaizen.outcome"], attrs["error.type"], status = "error", "status", ptrace.StatusCodeError
		case "SILENT":
			attrs["kaizen.outcome"], attrs["error.type"], status = "late", "late", ptrace.StatusCodeError
		default:
			attrs["gen_ai.response.model"], attrs["gen_ai.usage.input_tokens"], attrs["gen_ai.usage.output_tokens"] = c.model, int64(20), int64(10)
		}
		chat := byName["chat "+c.model][0]
		check(chat, ptrace.SpanKindClient, under, status, attrs)
		if !c.told(traceStumble, chat.SpanID().String()) {
			t.Errorf("%s was not told the span of its own call", c.id)
		}
		// The silent one's call may be listened to for longer than anybody waits.
		if chat.StartTimestamp() < workflow.StartTimestamp() || chat.EndTimestamp() > workflow.EndTimestamp() && c.id != "SILENT" {
			t.Errorf("%s is outside its workflow", chat.Name())
		}
	}
	scored := []string{}
	for _, one := range byName["score"] {
		id, _ := one.Attributes().AsRaw()["kaizen.companion"].(string)
		scored = append(scored, id)
		check(one, ptrace.SpanKindInternal, under, ptrace.StatusCodeUnset, map[string]any{"kaizen.companion": id})
	}
	if slices.Sort(scored); !slices.Equal(scored, []string{"ATLAS", "AUREA", "JADE", "ZENITH"}) {
		t.Errorf("scored were %v", scored)
	}
	check(byName["decide"][0], ptrace.SpanKindInternal, under, ptrace.StatusCodeUnset, map[string]any{})
	check(byName["ledger.append"][0], ptrace.SpanKindInternal, under, ptrace.StatusCodeUnset, map[string]any{})
	if decided, appended := byName["decide"][0], byName["ledger.append"][0]; decided.EndTimestamp() > appended.StartTimestamp() {
		t.Error("it was recorded before it was decided")
	}
	for _, one := range s.sink.spans {
		for name := range one.Attributes().All() {
			if !slices.Contains(attributes, name) {
				t.Errorf("span %q has the attribute %s, which is not known here", one.Name(), name)
			}
		}
		if one.Events().Len() > 0 {
			t.Errorf("span %q has events", one.Name())
		}
	}
}

// kept holds the collector to its policies, with none of the unremarkable wanted.
func (s *scene) kept(t *testing.T) {
	for _, tt := range []struct {
		name, trace string
		kept        bool
	}{
		{"one in which calls failed", traceStumble, true},
		{"one that was contested", traceDispute, true},
		{"one that went well", traceClean, false},
		{"one whose prompt was refused", traceRefused, false},
		{"one that was not sampled by its caller, or is none", traceInvalid, false},
	} {
		if spans := s.sink.trace(tt.trace); len(spans) > 0 != tt.kept {
			t.Errorf("%s: %d spans arrived", tt.name, len(spans))
		}
	}
	names := map[string]int{}
	for _, one := range s.sink.trace(traceDispute) {
		names[one.Name()]++
	}
	if names["decide"] == 0 || names["ledger.append"] != 1 || names["chat aurea-1"] < 2 {
		t.Errorf("a second round, a judge and a synthesis are %v", names)
	}
}

// instrument finds the names of instruments where they are made.
var instrument = regexp.MustCompile(`meter\.\w+\("([a-z_.]+)"`)

// pushed holds the metrics as the collector hands them on.
func (s *scene) pushed(t *testing.T) {
	// Each that the code makes has been made to say something; one that is new needs a
	// panel, and a request here that moves it.
	for _, m := range instrument.FindAllStringSubmatch(goSources(t), -1) {
		if _, ok := s.sink.metrics[m[1]]; !ok {
			t.Errorf("%s is measured, and nothing here moves it", m[1])
		}
	}
	for name, want := range map[string]struct {
		kind pmetric.MetricType
		unit string
	}{
		"http.server.request.duration":     {pmetric.MetricTypeHistogram, "s"},
		"gen_ai.client.operation.duration": {pmetric.MetricTypeHistogram, "s"},
		"gen_ai.client.token.usage":        {pmetric.MetricTypeHistogram, "{token}"},
		"kaizen.overhead":                  {pmetric.MetricTypeHistogram, "s"},
		"kaizen.deliberations":             {pmetric.MetricTypeSum, ""},
		"kaizen.ballots":                   {pmetric.MetricTypeSum, ""},
		"kaizen.steps":                     {pmetric.MetricTypeSum, ""},
		"kaizen.streams":                   {pmetric.MetricTypeSum, ""},
		"kaizen.judge.requests":            {pmetric.MetricTypeSum, ""},
		"kaizen.judge.duration":            {pmetric.MetricTypeHistogram, "s"},
		"kaizen.judge.unjudged":            {pmetric.MetricTypeSum, ""},
		"kaizen.agreement":                 {pmetric.MetricTypeHistogram, "1"},
		"kaizen.limiter.wait":              {pmetric.MetricTypeHistogram, "s"},
		"kaizen.in_flight":                 {pmetric.MetricTypeGauge, "{call}"},
		"kaizen.breaker.state":             {pmetric.MetricTypeGauge, ""},
		"kaizen.quorum.slack":              {pmetric.MetricTypeGauge, ""},
		"kaizen.run.duration":              {pmetric.MetricTypeHistogram, "s"},
		"kaizen.ledger.batch.size":         {pmetric.MetricTypeHistogram, "{entry}"},
		"kaizen.ledger.sync.duration":      {pmetric.MetricTypeHistogram, "s"},
		"kaizen.ledger.queue":              {pmetric.MetricTypeGauge, "{entry}"},
		"kaizen.ledger.size":               {pmetric.MetricTypeGauge, "{entry}"},
		"kaizen.witness.failures":          {pmetric.MetricTypeSum, "{submission}"},
		"kaizen.witness.lag":               {pmetric.MetricTypeGauge, "{entry}"},
		"kaizen.witness.cosigned.age":      {pmetric.MetricTypeGauge, "s"},
	} {
		m, ok := s.sink.metrics[name]
		if !ok {
			t.Errorf("%s has not arrived", name)
			continue
		}
		// Of spans, tail sampling does not hand on by which conventions they are named.
		if schema := s.sink.schemas[name]; !strings.HasSuffix(schema, "/1.41.0") {
			t.Errorf("%s is named by %q", name, schema)
		}
		if m.Type() != want.kind || m.Unit() != want.unit || m.Description() == "" {
			t.Errorf("%s is a %v in %q, %q; want a %v in %q", name, m.Type(), m.Unit(), m.Description(), want.kind, want.unit)
		}
	}
}
