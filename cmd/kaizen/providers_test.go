package main

import (
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

	mu    sync.Mutex // guards what follows
	key   string     // the right one
	asked int
}

func newProvider(t *testing.T, header, key string, events ...string) *provider {
	t.Helper()
	p := &provider{header: header, key: key, events: events}
	p.Server = httptest.NewServer(p)
	t.Cleanup(p.Close)
	return p
}

func (p *provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var asked struct {
		Stream *bool `json:"stream"`
	}
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil || r.Method != http.MethodPost {
		http.Error(w, "what?", http.StatusBadRequest)
		return
	}
	p.mu.Lock()
	right := r.Header.Get(p.header) == p.key
	p.asked++
	p.mu.Unlock()
	if !right {
		http.Error(w, `{"error":{"message":"not with this key"}}`, http.StatusUnauthorized)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	for _, e := range p.events {
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
		fmt.Fprintf(w, `{"access_token":"token-of-%s","token_type":"Bearer","expires_in":2}`, secret)
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

	// New keys: the providers take no other from now on, the files hold them, and
	// nobody tells the gateway.
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
