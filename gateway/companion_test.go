package gateway

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kaizen-os/deliberation/fanout"
	"github.com/kaizen-os/deliberation/fanout/kaizen"
	"github.com/kaizen-os/deliberation/fanout/upstream"
	"github.com/kaizen-os/deliberation/quorum"
)

// members are the companions that tests seat, in roster order.
var members = []quorum.Companion{
	{ID: "AUREA", Vendor: "openai", Tier: quorum.Critical},
	{ID: "ATLAS", Vendor: "anthropic", Tier: quorum.Critical, Sentinel: true},
	{ID: "ZENITH", Vendor: "google", Tier: quorum.High},
	{ID: "JADE", Vendor: "oaa", Tier: quorum.High},
	{ID: "SOLARA", Vendor: "deepseek", Tier: quorum.Standard},
	{ID: "ZEUS", Vendor: "oaa", Tier: quorum.Standard, Weight: 800_000},
	{ID: "ECHO", Vendor: "small", Tier: quorum.Research},
}

// A companion is a real HTTP server that speaks the native protocol and says what
// its test has it say.
type companion struct {
	quorum.Companion
	url     string
	line    *fanout.Line
	behave  atomic.Pointer[behaviour]
	asked   chan *call   // every call to a companion that holds
	count   atomic.Int64 // calls so far, of any behaviour
	end     chan struct{}
	endOnce sync.Once
}

// A behaviour answers one call.
type behaviour func(w http.ResponseWriter, c *call)

// A call is one request to a companion.
type call struct {
	ctx    context.Context // done when the gateway hangs up
	header http.Header
	body   []byte
	answer chan string   // what a held call is to answer
	gone   chan struct{} // closed when the gateway has hung up on a held call
	end    chan struct{} // closed when the test lets go of everybody
}

// member makes the companion of that name, which has the behaviour given.
func member(t testing.TB, id string, b behaviour) *companion {
	t.Helper()
	for _, m := range members {
		if string(m.ID) == id {
			return newCompanion(t, m, b)
		}
	}
	t.Fatalf("no member %s", id)
	return nil
}

// panelOf makes the first companions in roster order, one a behaviour.
func panelOf(t testing.TB, behaviours ...behaviour) []*companion {
	t.Helper()
	var panel []*companion
	for i, b := range behaviours {
		panel = append(panel, newCompanion(t, members[i], b))
	}
	return panel
}

func newCompanion(t testing.TB, m quorum.Companion, b behaviour) *companion {
	t.Helper()
	c := &companion{asked: make(chan *call, 64), end: make(chan struct{})}
	c.behave.Store(&b)
	server := httptest.NewServer(http.HandlerFunc(c.serve))
	t.Cleanup(func() {
		c.letGo()
		server.Close()
	})
	c.describe(m)
	c.reach(t, server.URL, fanout.LineConfig{})
	return c
}

// describe fills in what tests do not care to say.
func (c *companion) describe(m quorum.Companion) {
	m.Provider, m.Family, m.Model = "kaizen", strings.ToLower(string(m.ID)), "model-"+strings.ToLower(string(m.ID))
	if m.Status == "" {
		m.Status = quorum.Active
	}
	m.Price = quorum.Price{Input: 1000, Output: 2000}
	c.Companion = m
}

// reach makes the line by which the companion is asked at url.
func (c *companion) reach(t testing.TB, url string, cfg fanout.LineConfig) {
	t.Helper()
	adapter := must(kaizen.New(kaizen.Config{Upstream: upstream.Config{Origin: url}}))(t)
	t.Cleanup(adapter.Close)
	c.url = url
	cfg.Companion, cfg.Asker, cfg.Provider, cfg.Model, cfg.Price = c.ID, adapter, c.Provider, c.Model, c.Price
	c.line = must(fanout.NewLine(cfg))(t)
}

func (c *companion) seat() Seat { return Seat{Companion: c.Companion, Line: c.line} }

// does changes the behaviour from the next call on.
func (c *companion) does(b behaviour) { c.behave.Store(&b) }

// letGo hangs up on whatever is held, now and from now on.
func (c *companion) letGo() { c.endOnce.Do(func() { close(c.end) }) }

func (c *companion) serve(w http.ResponseWriter, r *http.Request) {
	c.count.Add(1)
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	h := &call{ctx: r.Context(), header: r.Header, body: body, answer: make(chan string, 1), gone: make(chan struct{}), end: c.end}
	select {
	case c.asked <- h:
	default: // nobody listens: the test is not about calls
	}
	w.Header().Set("Content-Type", "application/json")
	if b := *c.behave.Load(); b != nil {
		b(w, h)
		return
	}
	select {
	case text := <-h.answer:
		io.WriteString(w, text)
	case <-r.Context().Done():
		close(h.gone)
	case <-c.end:
	}
}

// held answers when its test says so: see companion.next.
var held behaviour

// saying is a reply of the protocol, with the members given as name, value.
func saying(members ...string) string {
	said := map[string]any{"model": "said-model", "usage": map[string]int{"inputTokens": 31, "outputTokens": 120}}
	for i := 0; i < len(members); i += 2 {
		said[members[i]] = members[i+1]
		if n, err := strconv.ParseFloat(members[i+1], 64); err == nil && members[i] == "confidence" {
			said[members[i]] = n
		}
	}
	body, err := json.Marshal(said)
	if err != nil {
		panic(err)
	}
	return string(body)
}

// sends answers with exactly that body, as JSON.
func sends(body string) behaviour {
	return func(w http.ResponseWriter, _ *call) { io.WriteString(w, body) }
}

func says(text string) behaviour { return sends(saying("response", text)) }

func votes(stance string) behaviour {
	return sends(saying("response", "I have weighed the motion and "+stance+" it.", "stance", stance))
}

func fails(status int) behaviour {
	return func(w http.ResponseWriter, _ *call) { w.WriteHeader(status) }
}

// next is the next call that c gets.
func (c *companion) next(t testing.TB) *call {
	t.Helper()
	return within(t, "a call to "+string(c.ID), c.asked)
}

// says answers a held call.
func (h *call) says(text string) { h.answer <- saying("response", text) }

// barrier answers text once n calls are out at the same time.
func barrier(n int32, text string) behaviour {
	var out atomic.Int32
	whole := make(chan struct{})
	say := says(text)
	return func(w http.ResponseWriter, h *call) {
		if out.Add(1) == n {
			close(whole)
		}
		timer := time.NewTimer(patience)
		defer timer.Stop()
		select {
		case <-whole:
			say(w, h)
		case <-timer.C:
		}
	}
}
