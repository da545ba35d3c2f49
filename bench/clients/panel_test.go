package clients

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// companionKey is what every companion wants to see.
const companionKey = "sk-companion"

// A question is what a companion is asked, whatever the dialect.
type question struct {
	system   string
	turns    []turn
	tools    []tool
	choice   string // of tools: "", none, required, or a name
	schema   any    // of the reply, where the dialect has a place for it
	object   bool   // it is to be a JSON object
	stop     []string
	heat     float64 // temperature, or -1
	streamed bool
}

type turn struct {
	role   string // user, assistant or tool
	text   string
	calls  []call
	callID string // whose result this is; Gemini knows it by the function's name
}

type call struct{ id, name, arguments string }

type tool struct {
	name       string
	parameters any
}

func (q *question) last() turn { return q.turns[len(q.turns)-1] }

// says is what a companion says to it.
type says struct {
	text   string
	calls  []call
	fails  int  // an HTTP status, in place of a reply
	broken bool // the stream ends half-way with an error
	hangs  bool // until the gateway ends the call
}

// A mind makes what a companion says of what it is asked.
type mind func(id string, q *question) says

// What every companion says it has used.
const (
	inputTokens  = 20
	outputTokens = 7
)

// A companion is a server that speaks one provider's dialect in that provider's
// own types.
type companion struct {
	*httptest.Server
	id, provider string
	streamed     bool
	panel        *panel
}

// A panel is six companions: each dialect whole and streamed.
type panel struct {
	t         *testing.T
	mind      mind
	all       []*companion
	hanging   chan string // the ids of those that have begun to hang
	abandoned chan string // and of those whose call was then ended

	mu    sync.Mutex            // guards what follows
	asked map[string][]question // by companion, in order
}

var dialects = map[string]func(c *companion, w http.ResponseWriter, r *http.Request, body []byte){
	"openai":    (*companion).openAI,
	"anthropic": (*companion).anthropic,
	"gemini":    (*companion).gemini,
}

func seat(t *testing.T, m mind) *panel {
	t.Helper()
	p := &panel{t: t, mind: m, hanging: make(chan string, 64), abandoned: make(chan string, 64), asked: make(map[string][]question)}
	for i, id := range []string{"AUREA", "ATLAS", "ZENITH", "JADE", "EVE", "SOLARA"} {
		c := &companion{id: id, provider: []string{"openai", "anthropic", "gemini"}[i%3], streamed: i >= 3, panel: p}
		c.Server = httptest.NewServer(c)
		t.Cleanup(c.Close)
		p.all = append(p.all, c)
	}
	return p
}

// config is the panel as a section of the configuration: everybody may sit
// anywhere.
func (p *panel) config() string {
	var b strings.Builder
	b.WriteString("companions:\n")
	for _, c := range p.all {
		url := c.URL
		if c.provider == "openai" {
			url += "/v1"
		}
		fmt.Fprintf(&b, "  - {id: %s, provider: %s, endpoint: %q, model: model-of-%s, tier: critical, vendor: vendor-of-%s, family: %s, key: {env: COMPANION_KEY}, stream: %t,\n"+
			"     limits: {perSecond: 10000, burst: 10000, inFlight: 256}, price: {input: \"0.001\", output: \"0.002\"}}\n",
			c.id, c.provider, url, strings.ToLower(c.id), strings.ToLower(c.id), strings.ToLower(c.id), c.streamed)
	}
	return b.String()
}

func (p *panel) heard(id string, q *question) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked[id] = append(p.asked[id], *q)
}

// forget gives what everybody was asked since the last time, by companion.
func (p *panel) forget() map[string][]question {
	p.mu.Lock()
	defer p.mu.Unlock()
	was := p.asked
	p.asked = make(map[string][]question)
	return was
}

func (c *companion) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil || r.Method != http.MethodPost {
		http.Error(w, "what?", http.StatusBadRequest)
		return
	}
	dialects[c.provider](c, w, r, body)
}

// reply asks the mind, and sees to what no dialect has a part in. It reports
// whether there is something to say.
func (c *companion) reply(r *http.Request, q *question) (says, bool) {
	if q.streamed != c.streamed {
		c.panel.t.Errorf("%s is asked to stream: %t", c.id, q.streamed)
	}
	c.panel.heard(c.id, q)
	s := c.panel.mind(c.id, q)
	if s.hangs {
		c.panel.hanging <- c.id
		<-r.Context().Done()
		c.panel.abandoned <- c.id
		return s, false
	}
	return s, true
}

// understood reports whether the provider's own types have a place for all that
// stands in a request: params was read from body. Which names are members of one
// another is compared, since the types have forms of their own for some values.
func (c *companion) understood(body []byte, params any) {
	again, err := json.Marshal(params)
	if err != nil {
		c.panel.t.Errorf("%s: %v", c.id, err)
		return
	}
	kept := paths(c.panel.t, again)
	for _, p := range paths(c.panel.t, body) {
		if _, found := slices.BinarySearch(kept, p); !found && p != "/stream" {
			c.panel.t.Errorf("%s was sent %s, for which its provider's types have no place", c.id, p)
		}
	}
}

// paths are the names of all members of doc that are not null, sorted.
func paths(t *testing.T, doc []byte) []string {
	var v any
	if err := json.Unmarshal(doc, &v); err != nil {
		t.Errorf("%v: %s", err, doc)
	}
	var list []string
	var walk func(at string, v any)
	walk = func(at string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for name, member := range v {
				if member != nil {
					list = append(list, at+"/"+name)
					walk(at+"/"+name, member)
				}
			}
		case []any:
			for _, element := range v {
				walk(at, element)
			}
		}
	}
	walk("", v)
	slices.Sort(list)
	return slices.Compact(list)
}

// written is v, a value of a provider's own type, as JSON without what is not set:
// those types are made to be read, and write a zero for all that was never there.
func written(v any) []byte {
	raw, err := json.Marshal(v)
	if err != nil {
		panic("bug: " + err.Error())
	}
	var doc any
	if err := json.Unmarshal(raw, &doc); err != nil {
		panic("bug: " + err.Error())
	}
	doc, _ = set(doc)
	if raw, err = json.Marshal(doc); err != nil {
		panic("bug: " + err.Error())
	}
	return raw
}

// unset are members that have a constant in them though they are not set.
var unset = map[string]string{"stop_details": "refusal", "content": "web_search_tool_result_error"}

// set is v without what is not set in it, and whether there is anything.
func set(v any) (any, bool) {
	switch v := v.(type) {
	case map[string]any:
		some := false
		for name, member := range v {
			if m, ok := member.(map[string]any); ok && m["type"] != nil && m["type"] == unset[name] {
				delete(v, name)
				continue
			}
			kept, there := set(member)
			v[name], some = kept, some || there
			if _, number := kept.(float64); !there && !number && name != "input" { // 0 is a number, and {} an input
				delete(v, name)
			}
		}
		return v, some
	case []any:
		for i := range v {
			v[i], _ = set(v[i])
		}
		return v, len(v) > 0
	case string:
		return v, v != "" && v != "0001-01-01T00:00:00Z"
	case float64:
		return v, v != 0
	case bool:
		return v, v
	}
	return v, v != nil
}

// events writes server-sent events, each by itself.
type events struct{ w http.ResponseWriter }

func newEvents(w http.ResponseWriter) events {
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	return events{w}
}

func (e events) send(name string, data []byte) {
	if name != "" {
		fmt.Fprintf(e.w, "event: %s\n", name)
	}
	fmt.Fprintf(e.w, "data: %s\n\n", data)
	e.w.(http.Flusher).Flush()
}

// halves cuts s in two, between characters.
func halves(s string) [2]string {
	r := []rune(s)
	return [2]string{string(r[:len(r)/2]), string(r[len(r)/2:])}
}
