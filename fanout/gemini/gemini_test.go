package gemini

import (
	"context"
	"errors"
	"strings"
	"testing"

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
		explain(&upstream.Error{Class: upstream.BadRequest}, body)
		if e, ok := errors.AsType[*upstream.Error](explain(&upstream.Error{Class: upstream.RateLimited}, body)); !ok || e.RetryAfter < 0 || e.RetryAfter > upstream.MaxRetryAfter {
			t.Fatalf("%+v", e)
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
			if !s.finished {
				t.Fatal("a reply without its end")
			}
			fill(t, &s)
		}
	})
}

func BenchmarkDecodeReply(b *testing.B) {
	body := []byte(`{"candidates":[{"content":{"parts":[{"text":"` +
		strings.Repeat("The answer is forty-two.\\n ", 18) + `"}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":31,"candidatesTokenCount":120},"modelVersion":"m-1"}`)
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
	for _, first := range []string{} {
		events = append(events, []byte(first))
	}
	for range 120 {
		events = append(events, []byte(`{"candidates":[{"content":{"parts":[{"text":" word"}],"role":"model"},"index":0}],"usageMetadata":{"promptTokenCount":9,"totalTokenCount":9},"modelVersion":"m-1"}`))
	}
	for _, last := range []string{`{"candidates":[{"content":{"parts":[{"text":"."}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":120},"modelVersion":"m-1"}`} {
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
