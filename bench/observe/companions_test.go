package observe

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// What prompts and replies hold and nothing else may: words that would be found in
// any name, attribute, label or line that carried a piece of either.
const (
	promptCanary = "walrusquixote"
	replyCanary  = "zanzibarquokka"
)

// A companion answers as its prompt says and its name has it, and keeps what it was
// told of the trace.
type companion struct {
	id, tier, vendor, provider, model, limits string
	url                                       string

	mu           sync.Mutex // guards traceparents
	traceparents []string
}

// A panel has one that stumbles, one that is silent, and one that is held up by its
// own limits.
func panel() []*companion {
	return []*companion{
		{id: "AUREA", tier: "critical", vendor: "v-aurea", provider: "kaizen", model: "aurea-1"},
		{id: "ATLAS", tier: "critical", vendor: "v-atlas", provider: "kaizen", model: "atlas-1"},
		{id: "JADE", tier: "high", vendor: "v-jade", provider: "openai", model: "jade-1"},
		{id: "ZENITH", tier: "high", vendor: "v-zenith", provider: "kaizen", model: "zenith-1", limits: "{perSecond: 1000, inFlight: 1}"},
		{id: "BROKEN", tier: "standard", vendor: "v-broken", provider: "kaizen", model: "broken-1"},
		{id: "SILENT", tier: "standard", vendor: "v-silent", provider: "kaizen", model: "silent-1"},
	}
}

func (c *companion) start(t *testing.T) {
	s := httptest.NewServer(c)
	t.Cleanup(s.Close)
	c.url = s.URL
}

func (c *companion) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	prompt := string(body)
	c.mu.Lock()
	c.traceparents = append(c.traceparents, r.Header.Get("traceparent"))
	c.mu.Unlock()
	switch {
	case strings.Contains(prompt, "stumble") && c.id == "BROKEN":
		http.Error(w, replyCanary+" has gone wrong", http.StatusInternalServerError)
		return
	case strings.Contains(prompt, "stumble") && c.id == "SILENT":
		<-r.Context().Done()
		return
	}
	select { // the time that a call to ZENITH must wait for the one before
	case <-time.After(20 * time.Millisecond):
	case <-r.Context().Done():
		return
	}
	c.reply(w, c.text(prompt))
}

func (c *companion) text(prompt string) string {
	answer := 391
	if strings.Contains(prompt, "dispute") {
		answer = 100*int(c.id[0]) + int(c.id[1]) // nobody's but its own
	}
	if strings.Contains(prompt, "program") {
		return fmt.Sprintf("Here is a %s:\n```\nprint(391)\n```\n", replyCanary)
	}
	return fmt.Sprintf("By way of a %s, the answer is %d.", replyCanary, answer)
}

func (c *companion) reply(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "application/json")
	var body any = map[string]any{"response": text, "model": c.model, "usage": map[string]int{"inputTokens": 20, "outputTokens": 10}}
	if c.provider == "openai" {
		body = map[string]any{"id": "x", "object": "chat.completion", "created": 1, "model": c.model, "usage": map[string]int{"prompt_tokens": 20, "completion_tokens": 10, "total_tokens": 30},
			"choices": []any{map[string]any{"index": 0, "finish_reason": "stop", "message": map[string]string{"role": "assistant", "content": text}}}}
	}
	json.NewEncoder(w).Encode(body)
}

// config is its entry in the gateway's file.
func (c *companion) config() string {
	limits := c.limits
	if limits == "" {
		limits = "{perSecond: 1000, burst: 1000, inFlight: 64}"
	}
	return fmt.Sprintf("  - {id: %s, provider: %s, endpoint: %q, model: %s, tier: %s, vendor: %s, family: %s, limits: %s}\n", c.id, c.provider, c.url, c.model, c.tier, c.vendor, c.id, limits)
}

// told reports whether it was given span of trace.
func (c *companion) told(trace, span string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.traceparents {
		if p == "00-"+trace+"-"+span+"-01" {
			return true
		}
	}
	return false
}

// startJudge starts an external judge that finds nothing wrong with any reply.
func startJudge(t *testing.T) (url string) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"score":100,"violations":[]}`)
	}))
	t.Cleanup(s.Close)
	return s.URL
}
