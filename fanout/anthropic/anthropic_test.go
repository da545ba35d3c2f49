package anthropic

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/kaizen-os/deliberation/fanout/dialect"
	"github.com/kaizen-os/deliberation/fanout/dialect/recorded"
	"github.com/kaizen-os/deliberation/fanout/upstream"
	"github.com/kaizen-os/deliberation/quorum"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// recordedAdapter is an adapter as an exchange has it.
func recordedAdapter(origin string, s recorded.Settings) (recorded.Adapter, error) {
	lacks, err := dialect.ParseLacks(s.Without)
	if err != nil {
		return nil, err
	}
	return New(Config{Upstream: upstream.Config{Origin: origin + "/v1", MaxBody: s.MaxBody}, Key: func(context.Context) (string, error) { return "the-key", nil },
		Bearer: s.Bearer, Model: s.Model, MaxTokens: s.MaxTokens, Stream: s.Stream, Lacks: lacks})
}

func TestRecordedExchanges(t *testing.T) { recorded.Run(t, recordedAdapter) }

func TestAKeyThatCannotBeHad(t *testing.T) {
	want := &upstream.Error{Class: upstream.Connection, Reason: "no token"}
	a, err := New(Config{Upstream: upstream.Config{Origin: "http://127.0.0.1:1"}, Model: "m", Key: func(context.Context) (string, error) { return "", want }})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if host, port := a.Address(); host != "127.0.0.1" || port != 1 {
		t.Errorf("address %s %d", host, port)
	}
	if err := a.Ask(t.Context(), &quorum.Deliberation{Prompt: "p"}, new(quorum.Reply)); err != want {
		t.Errorf("%v, want %v", err, want)
	}
}

func TestConfig(t *testing.T) {
	ok := upstream.Config{Origin: "https://api.example.com/v1"}
	for name, cfg := range map[string]Config{
		"no model":       {Upstream: ok},
		"negative limit": {Upstream: ok, Model: "m", MaxTokens: -1},
		"no origin":      {Model: "m"},
	} {
		if _, err := New(cfg); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func TestWhenTheLimitsAreFreeAgain(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name    string
		headers map[string]string
		want    time.Duration
	}{
		{"nothing said", nil, 0},
		{"requests are used up", map[string]string{"anthropic-ratelimit-requests-remaining": "0", "anthropic-ratelimit-requests-reset": "2026-03-01T12:00:07Z"}, 7 * time.Second},
		{"they are not", map[string]string{"anthropic-ratelimit-requests-remaining": "3", "anthropic-ratelimit-requests-reset": "2026-03-01T12:00:07Z"}, 0},
		{"the later of two", map[string]string{
			"anthropic-ratelimit-tokens-remaining": "0", "anthropic-ratelimit-tokens-reset": "2026-03-01T12:00:02Z",
			"anthropic-ratelimit-output-tokens-remaining": "0", "anthropic-ratelimit-output-tokens-reset": "2026-03-01T12:00:04Z"}, 4 * time.Second},
		{"past", map[string]string{"anthropic-ratelimit-tokens-remaining": "0", "anthropic-ratelimit-tokens-reset": "2026-03-01T11:00:00Z"}, 0},
		{"far", map[string]string{"anthropic-ratelimit-tokens-remaining": "0", "anthropic-ratelimit-tokens-reset": "2027-03-01T11:00:00Z"}, upstream.MaxRetryAfter},
		{"no time", map[string]string{"anthropic-ratelimit-tokens-remaining": "0", "anthropic-ratelimit-tokens-reset": "soon"}, 0},
	} {
		if got := resetAfter(func(name string) string { return tt.headers[name] }, now); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
	// It is asked where there is no Retry-After.
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Anthropic-Ratelimit-Requests-Remaining", "0")
		w.Header().Set("Anthropic-Ratelimit-Requests-Reset", time.Now().Add(50*time.Second).UTC().Format(time.RFC3339))
		w.WriteHeader(429)
	}))
	defer server.Close()
	a, err := New(Config{Upstream: upstream.Config{Origin: server.URL}, Model: "m", Stream: true})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	err = a.Ask(t.Context(), &quorum.Deliberation{Prompt: "p"}, new(quorum.Reply))
	if e, ok := errors.AsType[*upstream.Error](err); !ok || e.Class != upstream.RateLimited || !e.Retryable || e.RetryAfter < 10*time.Second || e.RetryAfter > 50*time.Second {
		t.Errorf("%+v", err)
	}
}

// offered is a deliberation whose tools are those of the recordings.
var offered = &quorum.Deliberation{Prompt: "p", Generation: &quorum.Generation{Temperature: quorum.NotGiven, TopP: quorum.NotGiven,
	Stop: []string{"END"}, Tools: []quorum.Tool{{Name: "get_weather"}, {Name: "now"}}}}

func checkReply(t *testing.T, r *quorum.Reply, err error) {
	t.Helper()
	if err != nil {
		if e, ok := errors.AsType[*upstream.Error](err); !ok || e.Reason == "" || *r != (quorum.Reply{}) {
			t.Fatalf("%v, %+v", err, r)
		}
		return
	}
	if strings.ToValidUTF8(r.Text, "") != r.Text || r.Usage.InputTokens < 0 || r.Usage.OutputTokens < 0 || r.Usage.OutputTokens > 1_000_000_000 {
		t.Fatalf("%+v", r)
	}
}

func FuzzDecodeReply(f *testing.F) {
	for _, body := range recorded.Bodies(f) {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, d := range []*quorum.Deliberation{offered, {Prompt: "p"}} {
			var r quorum.Reply
			err := DecodeReply(body, d, &r)
			checkReply(t, &r, err)
		}
	})
}

func fill(t *testing.T, s *assembly) {
	t.Helper()
	var r quorum.Reply
	err := s.Fill(offered, &r)
	checkReply(t, &r, err)
	if len(r.Text) > 8<<10 { // calls are quoted, once more
		t.Fatalf("a text of %d bytes", len(r.Text))
	}
}

// FuzzStream takes each event of a stream as a body is split by empty lines.
func FuzzStream(f *testing.F) {
	for _, body := range recorded.Bodies(f) {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		s := assembly{Gather: dialect.Gather{Limit: 1 << 10}}
		for event := range strings.SplitSeq(string(body), "\n\n") {
			if at := strings.Index(event, "data: "); at >= 0 {
				event = event[at+len("data: "):]
			}
			done, err := s.Event(nil, []byte(event))
			if err != nil {
				checkReply(t, new(quorum.Reply), err)
				return
			}
			if done {
				fill(t, &s)
				return
			}
		}
		if s.End() == nil {
			t.Fatal("a reply without its end")
		}
	})
}

func BenchmarkDecodeReply(b *testing.B) {
	body := []byte(`{"id":"msg_1","type":"message","role":"assistant","model":"m-1","content":[{"type":"text","text":"` +
		strings.Repeat("The answer is forty-two.\\n ", 18) + `"}],"stop_reason":"end_turn","usage":{"input_tokens":31,"output_tokens":120}}`)
	d := &quorum.Deliberation{Prompt: "p"}
	var r quorum.Reply
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if err := DecodeReply(body, d, &r); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAssembly(b *testing.B) {
	events := [][]byte{}
	for _, first := range []string{`{"type":"message_start","message":{"model":"m-1","usage":{"input_tokens":31}}}`, `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`} {
		events = append(events, []byte(first))
	}
	for range 120 {
		events = append(events, []byte(`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" word"}}`))
	}
	for _, last := range []string{`{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":120}}`, `{"type":"message_stop"}`} {
		events = append(events, []byte(last))
	}
	d := &quorum.Deliberation{Prompt: "p"}
	b.ReportAllocs()
	for b.Loop() {
		s := assembly{Gather: dialect.Gather{Limit: 1 << 20}}
		for _, e := range events {
			if _, err := s.Event(nil, e); err != nil {
				b.Fatal(err)
			}
		}
		var r quorum.Reply
		if err := s.Fill(d, &r); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendRequest(b *testing.B) {
	a, err := New(Config{Upstream: upstream.Config{Origin: "http://127.0.0.1:1"}, Model: "m", MaxTokens: 8192})
	if err != nil {
		b.Fatal(err)
	}
	d := &quorum.Deliberation{Prompt: strings.Repeat("What is six times seven? ", 20), Kind: quorum.Number}
	var body []byte
	b.ReportAllocs()
	for b.Loop() {
		body = a.appendRequest(body[:0], d)
	}
}
