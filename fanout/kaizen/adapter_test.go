package kaizen

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/kaizen-os/deliberation/fanout/upstream"
	"github.com/kaizen-os/deliberation/quorum"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAppendRequest(t *testing.T) {
	d := &quorum.Deliberation{ID: "dlb_1", Client: "secret", Prompt: "say \"hi\"\n\u2028é", Tier: quorum.Standard,
		Chamber: "thought-broker", Cycle: "C-114", Topic: "greetings", Kind: quorum.Text}
	for _, tt := range []struct {
		name   string
		change func()
		due    time.Duration
		want   string
	}{
		{"a prompt", func() {}, 9500 * time.Millisecond,
			`{"deliberationId":"dlb_1","prompt":"say \"hi\"\n` + "\u2028é" + `","context":{"tier":"standard","chamber":"thought-broker","cycle":"C-114"},"kind":"text","options":[],"deadlineMs":9500}`},
		{"without a deadline", func() { d.Prompt = "p" }, -1,
			`{"deliberationId":"dlb_1","prompt":"p","context":{"tier":"standard","chamber":"thought-broker","cycle":"C-114"},"kind":"text","options":[]}`},
		{"a choice", func() { d.Kind, d.Options = quorum.Choice, []string{"A", "B"} }, 0,
			`{"deliberationId":"dlb_1","prompt":"p","context":{"tier":"standard","chamber":"thought-broker","cycle":"C-114"},"kind":"choice","options":["A","B"],"deadlineMs":0}`},
		{"calls of tools and their results", func() {
			d.Kind, d.Options, d.Messages = quorum.Text, nil, []quorum.Message{{Role: "user", Content: "p"}, {Role: "assistant", Calls: []quorum.ToolCall{{ID: "1", Name: "f", Arguments: "{}"}}}, {Role: "tool", Content: "r", CallID: "1"}}
		}, time.Second,
			`{"deliberationId":"dlb_1","prompt":"p","messages":[{"role":"user","content":"p"},{"role":"assistant","content":"{\"toolCalls\":[{\"name\":\"f\",\"arguments\":{}}]}"},{"role":"tool","content":"r"}],"context":{"tier":"standard","chamber":"thought-broker","cycle":"C-114"},"kind":"text","options":[],"deadlineMs":1000}`},
		{"a conversation", func() {
			d.Kind, d.Options, d.Messages = quorum.VoteKind, nil, []quorum.Message{{Role: "system", Content: "s"}, {Role: "user", Content: "p"}}
		}, time.Second,
			`{"deliberationId":"dlb_1","prompt":"p","messages":[{"role":"system","content":"s"},{"role":"user","content":"p"}],"context":{"tier":"standard","chamber":"thought-broker","cycle":"C-114"},"kind":"vote","options":[],"deadlineMs":1000}`},
	} {
		tt.change()
		if got := string(AppendRequest([]byte("+"), d, tt.due)); got != "+"+tt.want {
			t.Errorf("%s:\n got %s\nwant +%s", tt.name, got, tt.want)
		}
	}
	body := AppendRequest(nil, d, time.Second)
	if n := testing.AllocsPerRun(100, func() { body = AppendRequest(body[:0], d, time.Second) }); n != 0 {
		t.Errorf("%v allocations with room in dst", n)
	}
}

// dueContext tells when an answer is due apart from when the call ends.
type dueContext struct {
	context.Context
	at time.Time
}

func (c dueContext) Due() time.Time { return c.at }

func TestAdapter(t *testing.T) {
	type seen struct {
		path, auth string
		body       map[string]any
	}
	got := make(chan seen, 1)
	status, answer := 200, `{"response":"42","confidence":1}`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := seen{path: r.Method + " " + r.URL.Path, auth: r.Header.Get("Authorization")}
		json.NewDecoder(r.Body).Decode(&s.body)
		got <- s
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		io.WriteString(w, answer)
	}))
	defer server.Close()
	key := "first"
	a, err := New(Config{Upstream: upstream.Config{Origin: server.URL}, Key: func(context.Context) (string, error) { return key, nil }})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if host, port := a.Address(); host != "127.0.0.1" || port == 0 {
		t.Errorf("address %s %d", host, port)
	}
	d := &quorum.Deliberation{ID: "dlb_1", Prompt: "p", Tier: quorum.High}
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()

	r := quorum.Reply{Companion: "AUREA", Confidence: -1}
	if err := a.Ask(dueContext{ctx, time.Now().Add(time.Minute)}, d, &r); err != nil {
		t.Fatal(err)
	}
	s := <-got
	if s.path != "POST /v1/deliberate" || s.auth != "Bearer first" || s.body["prompt"] != "p" {
		t.Errorf("asked %+v", s)
	}
	if ms, _ := s.body["deadlineMs"].(float64); ms < 50_000 || ms > 60_000 {
		t.Errorf("deadlineMs %v, want when the answer is due, not when the call ends", s.body["deadlineMs"])
	}
	if want := (quorum.Reply{Companion: "AUREA", Text: "42", Confidence: quorum.One}); !reflect.DeepEqual(r, want) {
		t.Errorf("reply %+v", r)
	}

	key = "second"
	if err := a.Ask(ctx, d, &r); err != nil {
		t.Fatal(err)
	}
	if s := <-got; s.auth != "Bearer second" {
		t.Errorf("after rotation: %q", s.auth)
	}

	for _, tt := range []struct {
		status int
		answer string
		class  string
	}{
		{200, `{}`, upstream.Malformed}, {401, `{}`, upstream.Refused}, {429, `{}`, upstream.RateLimited}, {500, `{"response":"no"}`, upstream.Status},
	} {
		status, answer = tt.status, tt.answer
		err := a.Ask(ctx, d, &r)
		<-got
		if e, ok := errors.AsType[*upstream.Error](err); !ok || e.Class != tt.class {
			t.Errorf("%d %s: %v, want class %s", tt.status, tt.answer, err, tt.class)
		}
	}

	for _, tt := range []struct {
		status int
		answer string
		want   HealthStatus
		err    error
	}{
		{200, ``, Healthy, nil}, {200, `{"status":"degraded","latency":7}`, Degraded, nil}, {200, `{"status":"unhealthy"}`, Unhealthy, ErrUnhealthy},
	} {
		status, answer = tt.status, tt.answer
		h, err := a.Health(ctx)
		if s := <-got; s.path != "GET /health" || h.Status != tt.want || err != tt.err {
			t.Errorf("health %s: asked %s, %+v, %v", tt.answer, s.path, h, err)
		}
	}
	status = 503
	_, err = a.Health(ctx)
	<-got
	if e, ok := errors.AsType[*upstream.Error](err); !ok || e.Status != 503 {
		t.Errorf("health 503: %v", err)
	}
	if _, err := New(Config{Upstream: upstream.Config{Origin: "nowhere"}}); !errors.Is(err, upstream.ErrOrigin) {
		t.Errorf("a bad origin: %v", err)
	}
}
