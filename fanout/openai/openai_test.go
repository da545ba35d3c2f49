package openai

import (
	"context"
	"encoding/json"
	"errors"
	"io"
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

// told is what dialect tells a model about a kind.
func told(d quorum.Deliberation) string { return string(dialect.AppendInstruction(nil, &d, 0)) }

var (
	toldNumber = told(quorum.Deliberation{Kind: quorum.Number})
	toldChoice = told(quorum.Deliberation{Kind: quorum.Choice})
	toldVote   = told(quorum.Deliberation{Kind: quorum.VoteKind})
)

var asJSON = &quorum.Generation{Temperature: quorum.NotGiven, TopP: quorum.NotGiven, Format: quorum.FormatJSON}

func TestRequest(t *testing.T) {
	for _, tt := range []struct {
		name string
		cfg  Config
		d    quorum.Deliberation
		want string
	}{
		{"a prompt", Config{Model: "m"}, quorum.Deliberation{Prompt: "say \"hi\""},
			`{"model":"m","messages":[{"role":"user","content":"say \"hi\""}]}`},
		{"a limit", Config{Model: "m", MaxTokens: 512}, quorum.Deliberation{Prompt: "p", Kind: quorum.Text},
			`{"model":"m","max_tokens":512,"messages":[{"role":"user","content":"p"}]}`},
		{"a limit by its newer name", Config{Model: "m", MaxTokens: 512, MaxTokensField: MaxCompletionTokens}, quorum.Deliberation{Prompt: "p"},
			`{"model":"m","max_completion_tokens":512,"messages":[{"role":"user","content":"p"}]}`},
		{"a conversation", Config{Model: "m"}, quorum.Deliberation{Prompt: "c", Messages: []quorum.Message{{Role: "user", Content: "a"}, {Role: "assistant", Content: "b"}, {Role: "user", Content: "c"}}},
			`{"model":"m","messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"c"}]}`},
		{"a number", Config{Model: "m"}, quorum.Deliberation{Prompt: "p", Kind: quorum.Number},
			`{"model":"m","messages":[{"role":"system","content":` + quoted(toldNumber) + `},{"role":"user","content":"p"}]}`},
		{"a choice and its options", Config{Model: "m"}, quorum.Deliberation{Prompt: "p", Kind: quorum.Choice, Options: []string{"red", "blue"}},
			`{"model":"m","messages":[{"role":"system","content":` + quoted(toldChoice+"\nThe options are:\nA) red\nB) blue") + `},{"role":"user","content":"p"}]}`},
		{"an instruction joins the client's own", Config{Model: "m"}, quorum.Deliberation{Kind: quorum.VoteKind, Messages: []quorum.Message{{Role: "system", Content: "s"}, {Role: "user", Content: "p"}}},
			`{"model":"m","messages":[{"role":"system","content":` + quoted("s\n\n"+toldVote) + `},{"role":"user","content":"p"}]}`},
		{"an object for a client that speaks of JSON", Config{Model: "m"}, quorum.Deliberation{Prompt: "a colour as Json", Generation: asJSON},
			`{"model":"m","messages":[{"role":"user","content":"a colour as Json"}],"response_format":{"type":"json_object"}}`},
		{"and for one that does not", Config{Model: "m"}, quorum.Deliberation{Messages: []quorum.Message{{Role: "system", Content: "s"}, {Role: "user", Content: "a colour"}}, Generation: asJSON},
			`{"model":"m","messages":[{"role":"system","content":"s\n\nReply with one JSON object and nothing else."},{"role":"user","content":"a colour"}],"response_format":{"type":"json_object"}}`},
	} {
		tt.cfg.Upstream.Origin = "https://api.example.com/v1"
		a, err := New(tt.cfg)
		if err != nil {
			t.Fatal(err)
		}
		got := a.appendRequest(nil, &tt.d)
		if string(got) != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.name, got, tt.want)
		}
	}
}

func quoted(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

func TestDecodeReply(t *testing.T) {
	const head = `{"id":"chatcmpl-1","object":"chat.completion","model":"m-2024","choices":[{"index":0,`
	for _, tt := range []struct {
		name, body string
		want       quorum.Reply
		err        error
	}{
		{"a completion", head + `"message":{"role":"assistant","content":"42","refusal":null},"finish_reason":"stop","logprobs":null}],"usage":{"prompt_tokens":31,"completion_tokens":120,"total_tokens":151,"prompt_tokens_details":{"cached_tokens":0}}}`,
			quorum.Reply{Text: "42", Model: "m-2024", Usage: quorum.Usage{InputTokens: 31, OutputTokens: 120}}, nil},
		{"one that ran into its limit", head + `"message":{"content":"4"},"finish_reason":"length"}]}`, quorum.Reply{Text: "4", Model: "m-2024"}, nil},
		{"an empty one", head + `"message":{"content":""}}]}`, quorum.Reply{Model: "m-2024"}, nil},
		{"one in parts", head + `"message":{"content":[{"type":"thinking","thinking":[]},{"type":"text","text":"4"},{"type":"text","text":"2"}]}}]}`, quorum.Reply{Text: "42", Model: "m-2024"}, nil},
		{"null usage", `{"choices":[{"message":{"content":"a"}}],"usage":null,"error":null}`, quorum.Reply{Text: "a"}, nil},

		{"a refusal", head + `"message":{"content":null,"refusal":"I cannot help with that."},"finish_reason":"stop"}]}`, quorum.Reply{}, dialect.ErrRefusal},
		{"filtered", head + `"message":{"content":"The"},"finish_reason":"content_filter"}]}`, quorum.Reply{}, dialect.ErrFiltered},
		{"no content", head + `"message":{"content":null},"finish_reason":"tool_calls"}]}`, quorum.Reply{}, dialect.ErrNoContent},
		{"parts without text", head + `"message":{"content":[{"type":"image_url"}]}}]}`, quorum.Reply{}, dialect.ErrNoContent},
		{"no choice", `{"choices":[]}`, quorum.Reply{}, dialect.ErrNoChoice},
		{"an error sent as 200", `{"error":{"message":"overloaded"}}`, quorum.Reply{}, dialect.ErrInStream},
		{"garbage", `<html>`, quorum.Reply{}, dialect.ErrMalformed},
		{"nothing", ``, quorum.Reply{}, dialect.ErrMalformed},
		{"a list", `[]`, quorum.Reply{}, dialect.ErrMalformed},
		{"a number for content", head + `"message":{"content":42}}]}`, quorum.Reply{}, dialect.ErrMalformed},
		{"half", head + `"message":{"conte`, quorum.Reply{}, dialect.ErrMalformed},
		{"tokens below 0", head + `"message":{"content":"a"}}],"usage":{"prompt_tokens":-1}}`, quorum.Reply{}, dialect.ErrTokens},
		{"tokens beyond belief", head + `"message":{"content":"a"}}],"usage":{"completion_tokens":9223372036854775807}}`, quorum.Reply{}, dialect.ErrTokens},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := quorum.Reply{Confidence: -1}
			err := DecodeReply([]byte(tt.body), new(quorum.Deliberation), &got)
			tt.want.Confidence = -1
			if err != tt.err && !(err == nil && tt.err == nil) || got != tt.want {
				t.Errorf("%+v, %v; want %+v, %v", got, err, tt.want, tt.err)
			}
		})
	}
}

func TestAdapter(t *testing.T) {
	got := make(chan *http.Request, 1)
	status, answer := 200, `{"choices":[{"message":{"content":"42"}}]}`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		got <- r
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		io.WriteString(w, answer)
	}))
	defer server.Close()
	key := "first"
	a, err := New(Config{Upstream: upstream.Config{Origin: server.URL + "/v1"}, Model: "m", Key: func(context.Context) (string, error) { return key, nil }})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	d := &quorum.Deliberation{ID: "dlb_1", Prompt: "p"}
	for _, want := range []string{"Bearer first", "Bearer second"} {
		var r quorum.Reply
		if err := a.Ask(ctx, d, &r); err != nil || r.Text != "42" {
			t.Fatalf("%+v, %v", r, err)
		}
		if req := <-got; req.URL.Path != "/v1/chat/completions" || req.Method != "POST" || req.Header.Get("Authorization") != want {
			t.Errorf("asked %s %s with %q", req.Method, req.URL.Path, req.Header.Get("Authorization"))
		}
		key = "second"
	}
	for _, tt := range []struct {
		status        int
		answer        string
		class, reason string
	}{
		{400, `{"error":{"message":"The prompt ... filtered","code":"content_filter"}}`, upstream.Refused, dialect.ErrFiltered.Reason},
		{400, `{"error":{"message":"secret","code":"content_policy_violation"}}`, upstream.Refused, dialect.ErrFiltered.Reason},
		{400, `{"error":{"message":"secret","code":"context_length_exceeded"}}`, upstream.BadRequest, "http 400"},
		{400, `{"error":{"message":"secret","code":400}}`, upstream.BadRequest, "http 400"},
		{400, `secret`, upstream.BadRequest, "http 400"},
		{401, `{"error":{"message":"Incorrect API key provided: secret","code":"invalid_api_key"}}`, upstream.Refused, "http 401"},
		{429, `{"error":{"code":"content_filter"}}`, upstream.RateLimited, "http 429"},
		{500, ``, upstream.Status, "http 500"},
	} {
		status, answer = tt.status, tt.answer
		var r quorum.Reply
		err := a.Ask(ctx, d, &r)
		<-got
		e, ok := errors.AsType[*upstream.Error](err)
		if !ok || e.Class != tt.class || e.Reason != tt.reason || strings.Contains(err.Error(), "secret") {
			t.Errorf("%d %s: %v, want %s %q", tt.status, tt.answer, err, tt.class, tt.reason)
		}
	}
}

func TestConfig(t *testing.T) {
	ok := upstream.Config{Origin: "https://api.example.com/v1"}
	for name, cfg := range map[string]Config{
		"no model":       {Upstream: ok},
		"negative limit": {Upstream: ok, Model: "m", MaxTokens: -1},
		"unknown field":  {Upstream: ok, Model: "m", MaxTokensField: "tokens"},
		"no origin":      {Model: "m"},
		"half of azure":  {Upstream: ok, Model: "m", Azure: Azure{Deployment: "d"}},
	} {
		if _, err := New(cfg); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	a, err := New(Config{Upstream: ok, Model: "m", MaxTokens: 1})
	if err != nil {
		t.Fatal(err)
	}
	if host, port := a.Address(); host != "api.example.com" || port != 443 {
		t.Errorf("address %s %d", host, port)
	}
}

// recordedAdapter is an adapter as an exchange has it.
func recordedAdapter(origin string, s recorded.Settings) (recorded.Adapter, error) {
	lacks, err := dialect.ParseLacks(s.Without)
	if err != nil {
		return nil, err
	}
	cfg := Config{Upstream: upstream.Config{Origin: origin, MaxBody: s.MaxBody}, Key: func(context.Context) (string, error) { return "the-key", nil },
		Model: s.Model, MaxTokensField: s.TokenField, MaxTokens: s.MaxTokens, Stream: s.Stream, Lacks: lacks}
	if s.APIVersion != "" {
		cfg.Azure = Azure{APIVersion: s.APIVersion, Deployment: s.Deployment, Bearer: s.Bearer}
	} else {
		cfg.Upstream.Origin += "/v1"
	}
	return New(cfg)
}

func TestRecordedExchanges(t *testing.T) { recorded.Run(t, recordedAdapter) }

func TestAKeyThatCannotBeHad(t *testing.T) {
	want := &upstream.Error{Class: upstream.Connection, Reason: "no token"}
	a, err := New(Config{Upstream: upstream.Config{Origin: "http://127.0.0.1:1"}, Model: "m", Key: func(context.Context) (string, error) { return "", want }})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if err := a.Ask(t.Context(), &quorum.Deliberation{Prompt: "p"}, new(quorum.Reply)); err != want {
		t.Errorf("%v, want %v", err, want)
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
		explain(&upstream.Error{Class: upstream.RateLimited}, body)
	})
}

// FuzzStream takes each event of a stream as a body is split by empty lines.
func FuzzStream(f *testing.F) {
	for _, body := range recorded.Bodies(f) {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		s := assembly{Gather: dialect.Gather{Limit: 1 << 10}}
		for event := range strings.SplitSeq(string(body), "\n\n") {
			done, err := s.Event(nil, []byte(strings.TrimPrefix(event, "data: ")))
			if err != nil {
				checkReply(t, new(quorum.Reply), err)
				return
			}
			if done {
				var r quorum.Reply
				err := s.Fill(offered, &r)
				checkReply(t, &r, err)
				if len(r.Text) > 8<<10 { // calls are quoted, once more
					t.Fatalf("a text of %d bytes", len(r.Text))
				}
				return
			}
		}
		if s.End() == nil {
			t.Fatal("a reply without its end")
		}
	})
}

func BenchmarkDecodeReply(b *testing.B) {
	body := []byte(`{"id":"chatcmpl-1","object":"chat.completion","model":"m-2024","choices":[{"index":0,"message":{"role":"assistant","content":"` +
		strings.Repeat("The answer is forty-two.\\n ", 18) + `","refusal":null},"finish_reason":"stop"}],"usage":{"prompt_tokens":31,"completion_tokens":120}}`)
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
	piece := []byte(`{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1741569952,"model":"m-2024","choices":[{"index":0,"delta":{"content":" word"},"finish_reason":null}]}`)
	last := []byte(`{"id":"chatcmpl-1","model":"m-2024","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`)
	d := &quorum.Deliberation{Prompt: "p"}
	b.ReportAllocs()
	for b.Loop() {
		s := assembly{Gather: dialect.Gather{Limit: 1 << 20}}
		for range 120 {
			if _, err := s.Event(nil, piece); err != nil {
				b.Fatal(err)
			}
		}
		s.Event(nil, last)
		if done, err := s.Event(nil, []byte("[DONE]")); !done || err != nil {
			b.Fatal(err)
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
