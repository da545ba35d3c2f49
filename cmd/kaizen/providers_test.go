package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// A provider is a server that answers like one: in events, and only whoever has
// the right key.
type provider struct {
	*httptest.Server
	header string // that has the key
	events []string
	answer func(asked string) []string // in place of events, if it is there

	mu  sync.Mutex // guards what follows
	key string     // the right one
}

func newProvider(t *testing.T, header, key string, events ...string) *provider {
	t.Helper()
	p := &provider{header: header, key: key, events: events}
	p.Server = httptest.NewServer(p)
	t.Cleanup(p.Close)
	return p
}

func (p *provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	asked, err := io.ReadAll(r.Body)
	if err != nil || r.Method != http.MethodPost || !json.Valid(asked) {
		http.Error(w, "what?", http.StatusBadRequest)
		return
	}
	p.mu.Lock()
	right := r.Header.Get(p.header) == p.key
	p.mu.Unlock()
	if !right {
		http.Error(w, `{"error":{"message":"not with this key"}}`, http.StatusUnauthorized)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	events := p.events
	if p.answer != nil {
		events = p.answer(string(asked))
	}
	for _, e := range events {
		io.WriteString(w, "data: "+e+"\n\n")
		w.(http.Flusher).Flush()
	}
}

func (p *provider) rotate(key string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.key = key
}

// Every dialect and every way to a key, from the configuration to the verdict; and
// keys that are rotated while the gateway runs.
func TestProvidersEndToEnd(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		// As keys are replaced that nobody may read half of.
		if err := os.WriteFile(path+".new", []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
		return path
	}
	anthropic := newProvider(t, "X-Api-Key", "sk-ant-1",
		`{"type":"message_start","message":{"model":"claude-x","usage":{"input_tokens":20,"output_tokens":1}}}`,
		`{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`,
		`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"{\"answer\":391}"}}`,
		`{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":7}}`, `{"type":"message_stop"}`)
	gemini := newProvider(t, "X-Goog-Api-Key", "sk-goog",
		`{"candidates":[{"content":{"parts":[{"text":"{\"answer\":"}],"role":"model"}}]}`,
		`{"candidates":[{"content":{"parts":[{"text":"391}"}],"role":"model"},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":20,"candidatesTokenCount":7},"modelVersion":"gemini-x"}`)
	openai := newProvider(t, "Authorization", "Bearer token-of-secret-1",
		`{"model":"gpt-x","choices":[{"index":0,"delta":{"role":"assistant","content":"{\"answer\":391}"},"finish_reason":"stop"}]}`,
		`{"choices":[],"usage":{"prompt_tokens":20,"completion_tokens":7}}`, `[DONE]`)
	tokens := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, secret, _ := r.BasicAuth()
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"access_token":"token-of-%s","token_type":"Bearer","expires_in":3600}`, secret)
	}))
	defer tokens.Close()

	keyFile, secretFile := file("key", "sk-ant-1"), file("secret", "secret-1")
	s := startServer(t, dir, anyPort+`companions:
  - {id: ATLAS, provider: anthropic, endpoint: "`+anthropic.URL+`", model: claude-x, tier: critical, vendor: anthropic, key: {file: `+keyFile+`}, price: {input: "0.003", output: "0.015"}}
  - {id: ZENITH, provider: gemini, endpoint: "`+gemini.URL+`", model: gemini-x, tier: high, vendor: google, key: {env: GOOG_KEY}, stream: true}
  - {id: AUREA, provider: openai, endpoint: "`+openai.URL+`", model: gpt-x, tier: critical, vendor: openai,
     oauth: {tokenURL: "`+tokens.URL+`/token", clientID: kaizen, clientSecret: {file: `+secretFile+`}}}
`, "GOOG_KEY=sk-goog")
	const request = `{"prompt":"What is 17 * 23?","kind":"number","wait":"all","include":["ballots","replies"]}`
	v := s.mustAsk("", request)
	if v.Value != "391" || len(v.Ballots) != 3 {
		t.Fatalf("value %q of %d ballots", v.Value, len(v.Ballots))
	}
	for _, b := range v.Ballots {
		if b.Outcome != "ok" || !b.Counted || b.Usage.InputTokens != 20 || b.Usage.OutputTokens != 7 || !strings.HasSuffix(b.Model, "-x") {
			t.Errorf("%+v", b)
		}
	}
	if cost := v.Ballots[0].Usage.CostMicroUSD; cost != 165 { // 20 * 0.003 + 7 * 0.015 a thousand
		t.Errorf("ATLAS cost %d", cost)
	}

	// New keys: the providers take no other from now on, not even tokens that have
	// not ended; the files hold them, and nobody tells the gateway.
	anthropic.rotate("sk-ant-2")
	openai.rotate("Bearer token-of-secret-2")
	file("key", "sk-ant-2")
	file("secret", "secret-2")
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for begun := time.Now(); ; <-tick.C {
		v = s.mustAsk("", request)
		well := 0
		for _, b := range v.Ballots {
			if b.Outcome == "ok" {
				well++
			} else if b.Outcome != "refused" || b.Reason != "http 401" {
				t.Fatalf("%+v", b)
			}
		}
		if well == 3 {
			break
		}
		if time.Since(begun) > patience {
			t.Fatalf("the new keys are not in use: %+v", v.Ballots)
		}
	}
	s.stop()
	if all := s.errOut.String() + s.out.String(); strings.Contains(all, "sk-") || strings.Contains(all, "secret-") || strings.Contains(all, "token-of") {
		t.Error("a key is in what the gateway prints")
	}
}

// One client's tools, put to three providers in their own dialects: equal calls are
// one position, however they are written, and the client gets them as it knows
// them. Then the tool's result, the same way.
func TestToolsThroughEveryDialect(t *testing.T) {
	const result = "21 degrees and dry"
	// turn is what a provider's model does: it calls the tool until it has its result.
	turn := func(calls, says []string) func(string) []string {
		return func(asked string) []string {
			if strings.Contains(asked, result) {
				return says
			}
			return calls
		}
	}
	anthropic := newProvider(t, "X-Api-Key", "k")
	anthropic.answer = turn([]string{
		`{"type":"message_start","message":{"model":"claude-x","usage":{"input_tokens":20}}}`,
		`{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"toolu_1","name":"weather","input":{}}}`,
		`{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"place\": \"Os"}}`,
		`{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"lo\", \"unit\": \"C\"}"}}`,
		`{"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":7}}`, `{"type":"message_stop"}`,
	}, []string{
		`{"type":"content_block_start","index":0,"content_block":{"type":"text","text":"It is 21 °C in Oslo."}}`,
		`{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":7}}`, `{"type":"message_stop"}`,
	})
	gemini := newProvider(t, "X-Goog-Api-Key", "k")
	gemini.answer = turn([]string{
		`{"candidates":[{"content":{"parts":[{"functionCall":{"name":"weather","args":{"unit":"C","place":"Oslo"}}}],"role":"model"},"finishReason":"STOP"}]}`,
	}, []string{
		`{"candidates":[{"content":{"parts":[{"text":"It is 21 °C in Oslo."}],"role":"model"},"finishReason":"STOP"}]}`,
	})
	openai := newProvider(t, "Authorization", "Bearer k")
	openai.answer = turn([]string{
		`{"choices":[{"index":0,"delta":{"role":"assistant","tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"weather","arguments":"{\"unit\":\"C\","}}]}}]}`,
		`{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":" \"place\":\"Oslo\"}"}}]},"finish_reason":"tool_calls"}]}`, `[DONE]`,
	}, []string{
		`{"choices":[{"index":0,"delta":{"content":"It is 21 °C in Oslo."},"finish_reason":"stop"}]}`, `[DONE]`,
	})
	s := startServer(t, t.TempDir(), anyPort+`companions:
  - {id: ATLAS, provider: anthropic, endpoint: "`+anthropic.URL+`", model: claude-x, tier: critical, vendor: anthropic, key: {env: KEY}}
  - {id: ZENITH, provider: gemini, endpoint: "`+gemini.URL+`", model: gemini-x, tier: high, vendor: google, key: {env: KEY}}
  - {id: AUREA, provider: openai, endpoint: "`+openai.URL+`", model: gpt-x, tier: critical, vendor: openai, key: {env: KEY}}
`, "KEY=k")
	type message struct {
		Role       string          `json:"role"`
		Content    *string         `json:"content"`
		ToolCalls  json.RawMessage `json:"tool_calls,omitempty"`
		ToolCallID string          `json:"tool_call_id,omitempty"`
	}
	say := func(text string) *string { return &text }
	conversation := []message{{Role: "user", Content: say("What is the weather in Oslo?")}}
	complete := func() message {
		t.Helper()
		request, err := json.Marshal(map[string]any{"model": "kaizen/standard", "messages": conversation, "tools": []any{map[string]any{
			"type": "function", "function": map[string]any{"name": "weather", "parameters": map[string]any{"type": "object"}}}}})
		if err != nil {
			t.Fatal(err)
		}
		status, body, err := s.do(t.Context(), "POST", "/v1/chat/completions", "", string(request))
		var v struct {
			Choices []struct{ Message message } `json:"choices"`
			Kaizen  struct {
				Status    string
				Positions []struct{ Companions []string }
			} `json:"kaizen"`
		}
		if err != nil || status != 200 || json.Unmarshal(body, &v) != nil || len(v.Choices) != 1 {
			t.Fatalf("%d, %v: %s", status, err, body)
		}
		if v.Kaizen.Status != "carried" {
			t.Errorf("not carried: %s", body)
		}
		return v.Choices[0].Message
	}
	called := complete()
	var calls []struct {
		ID       string `json:"id"`
		Function struct{ Name, Arguments string }
	}
	if err := json.Unmarshal(called.ToolCalls, &calls); err != nil || len(calls) != 1 || calls[0].Function.Name != "weather" {
		t.Fatalf("calls %s, %v", called.ToolCalls, err)
	}
	var arguments map[string]string
	if err := json.Unmarshal([]byte(calls[0].Function.Arguments), &arguments); err != nil || len(arguments) != 2 || arguments["place"] != "Oslo" || arguments["unit"] != "C" {
		t.Errorf("arguments %s, %v", calls[0].Function.Arguments, err)
	}
	conversation = append(conversation, called, message{Role: "tool", Content: say(result), ToolCallID: calls[0].ID})
	if said := complete(); said.ToolCalls != nil || said.Content == nil || *said.Content != "It is 21 °C in Oslo." {
		t.Errorf("after the result: %+v", said)
	}
	s.stop()
}

// A client that leaves a stream stops the models that still write for it.
func TestAClientThatLeavesStopsTheModels(t *testing.T) {
	writing, gone := make(chan struct{}, 3), make(chan struct{}, 3)
	model := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/event-stream")
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for first := true; ; <-tick.C {
			if _, err := io.WriteString(w, `data: {"choices":[{"index":0,"delta":{"content":"and "}}]}`+"\n\n"); err != nil {
				break
			}
			w.(http.Flusher).Flush()
			if r.Context().Err() != nil {
				break
			}
			if first {
				first = false
				writing <- struct{}{}
			}
		}
		gone <- struct{}{}
	}))
	defer model.Close()
	config := anyPort + "limits: {deadline: 10m}\ncompanions:\n"
	for _, id := range []string{"AUREA", "ATLAS", "ZENITH"} {
		config += `  - {id: ` + id + `, provider: openai, endpoint: "` + model.URL + `/v1", model: m, tier: critical, vendor: ` + id + ", deadline: 10m}\n"
	}
	s := startServer(t, t.TempDir(), config)
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	req, err := http.NewRequestWithContext(ctx, "POST", s.url+"/v1/chat/completions",
		strings.NewReader(`{"model":"kaizen/critical","stream":true,"messages":[{"role":"user","content":"Tell me everything."}]}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := s.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	for range 3 {
		<-writing
	}
	leave()
	for range 3 {
		select {
		case <-gone:
		case <-time.After(patience):
			t.Fatal("a model still writes for a client that has left")
		}
	}
	s.stop()
}
