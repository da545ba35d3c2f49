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

	"github.com/kaizen-os/deliberation/fanout/upstream"
	"github.com/kaizen-os/deliberation/quorum"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

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
			`{"model":"m","messages":[{"role":"system","content":` + quoted(instructNumber) + `},{"role":"user","content":"p"}]}`},
		{"a choice and its options", Config{Model: "m"}, quorum.Deliberation{Prompt: "p", Kind: quorum.Choice, Options: []string{"red", "blue"}},
			`{"model":"m","messages":[{"role":"system","content":` + quoted(instructChoice+"\nThe options are:\nA) red\nB) blue") + `},{"role":"user","content":"p"}]}`},
		{"an instruction joins the client's own", Config{Model: "m"}, quorum.Deliberation{Kind: quorum.VoteKind, Messages: []quorum.Message{{Role: "system", Content: "s"}, {Role: "user", Content: "p"}}},
			`{"model":"m","messages":[{"role":"system","content":` + quoted("s\n\n"+instructVote) + `},{"role":"user","content":"p"}]}`},
	} {
		tt.cfg.Upstream.Origin = "https://api.example.com/v1"
		a, err := New(tt.cfg)
		if err != nil {
			t.Fatal(err)
		}
		got := appendRequest(nil, a.head, &tt.d)
		if string(got) != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.name, got, tt.want)
		}
	}
	for _, kind := range quorum.Kinds {
		told := instruction(kind)
		if (told == "") != (kind == quorum.Auto || kind == quorum.Text) || kind.Closed() && !strings.Contains(told, `{"answer":`) {
			t.Errorf("%v is told %q", kind, told)
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

		{"a refusal", head + `"message":{"content":null,"refusal":"I cannot help with that."},"finish_reason":"stop"}]}`, quorum.Reply{}, errRefusal},
		{"filtered", head + `"message":{"content":"The"},"finish_reason":"content_filter"}]}`, quorum.Reply{}, errFiltered},
		{"no content", head + `"message":{"content":null},"finish_reason":"tool_calls"}]}`, quorum.Reply{}, errNoContent},
		{"parts without text", head + `"message":{"content":[{"type":"image_url"}]}}]}`, quorum.Reply{}, errNoContent},
		{"no choice", `{"choices":[]}`, quorum.Reply{}, errNoChoice},
		{"an error sent as 200", `{"error":{"message":"overloaded"}}`, quorum.Reply{}, errInStream},
		{"garbage", `<html>`, quorum.Reply{}, errMalformed},
		{"nothing", ``, quorum.Reply{}, errMalformed},
		{"a list", `[]`, quorum.Reply{}, errMalformed},
		{"a number for content", head + `"message":{"content":42}}]}`, quorum.Reply{}, errMalformed},
		{"half", head + `"message":{"conte`, quorum.Reply{}, errMalformed},
		{"tokens below 0", head + `"message":{"content":"a"}}],"usage":{"prompt_tokens":-1}}`, quorum.Reply{}, errTokens},
		{"tokens beyond belief", head + `"message":{"content":"a"}}],"usage":{"completion_tokens":9223372036854775807}}`, quorum.Reply{}, errTokens},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := quorum.Reply{Confidence: -1}
			err := DecodeReply([]byte(tt.body), &got)
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
	a, err := New(Config{Upstream: upstream.Config{Origin: server.URL + "/v1"}, Model: "m", Key: func() string { return key }})
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
		{400, `{"error":{"message":"The prompt ... filtered","code":"content_filter"}}`, upstream.Refused, errFiltered.Reason},
		{400, `{"error":{"message":"secret","code":"content_policy_violation"}}`, upstream.Refused, errFiltered.Reason},
		{400, `{"error":{"message":"secret","code":"context_length_exceeded"}}`, upstream.Status, "http 400"},
		{400, `{"error":{"message":"secret","code":400}}`, upstream.Status, "http 400"},
		{400, `secret`, upstream.Status, "http 400"},
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

func FuzzDecodeReply(f *testing.F) {
	for _, seed := range []string{
		`{"model":"m","choices":[{"message":{"content":"42","refusal":null},"finish_reason":"stop"}],"usage":{"prompt_tokens":31,"completion_tokens":120}}`,
		`{"choices":[{"message":{"content":[{"type":"text","text":"4"}]}}]}`, `{"error":"x"}`, `[]`, ``, `{"choices":[{"message":{"content":[1]}}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var r quorum.Reply
		err := DecodeReply(body, &r)
		if err != nil {
			if e, ok := errors.AsType[*upstream.Error](err); !ok || e.Reason == "" || r != (quorum.Reply{}) {
				t.Fatalf("%v, %+v", err, r)
			}
			return
		}
		if strings.ToValidUTF8(r.Text, "") != r.Text || r.Usage.InputTokens < 0 || r.Usage.OutputTokens > maxTokens {
			t.Fatalf("%+v", r)
		}
		explain(&upstream.Error{Class: upstream.Status}, body)
	})
}
