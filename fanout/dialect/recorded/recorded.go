// Package recorded plays exchanges with a provider, as text files have them,
// against an adapter and a server on loopback. Only tests import it.
//
// A file has four parts, each after a line of four dashes but the first: what is
// asked (JSON, [Asked]), the request that comes of it, the response, and what the
// adapter makes of it. With -update the second and the fourth are written anew;
// whoever does that reads them.
//
// Every recorded reply is also sent cut short, at many places, in both ways that
// it can be: by the end of the connection, and with an end that HTTP takes for a
// good one. What comes of that is a failure, or the whole reply: never a part.
package recorded

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kaizen-os/deliberation/fanout/upstream"
	"github.com/kaizen-os/deliberation/quorum"
)

var update = flag.Bool("update", false, "write the recorded requests and outcomes anew")

// Asked is what an adapter is asked, and how it is set up.
type Asked struct {
	Adapter    Settings `json:"adapter"`
	Prompt     string   `json:"prompt,omitempty"`
	Kind       string   `json:"kind,omitempty"`
	Options    []string `json:"options,omitempty"`
	Messages   []Turn   `json:"messages,omitempty"`
	Generation *struct {
		MaxTokens   int64           `json:"maxTokens"`
		Temperature *quorum.PPM     `json:"temperature"` // parts per million
		TopP        *quorum.PPM     `json:"topP"`
		Stop        []string        `json:"stop"`
		Seed        *int64          `json:"seed"`
		Format      quorum.Format   `json:"format"`
		Schema      json.RawMessage `json:"schema"`
		SchemaName  string          `json:"schemaName"`
		Tools       []struct {
			Name        string          `json:"name"`
			Description string          `json:"description"`
			Parameters  json.RawMessage `json:"parameters"`
			Strict      bool            `json:"strict"`
		} `json:"tools"`
		ToolChoice quorum.ToolChoice `json:"toolChoice"`
		ToolName   string            `json:"toolName"`
		OneCall    bool              `json:"oneCall"`
	} `json:"generation,omitempty"`
}

// Settings are an adapter's, where it has them.
type Settings struct {
	Model      string   `json:"model"`
	Stream     bool     `json:"stream"`
	MaxTokens  int      `json:"maxTokens"`
	TokenField string   `json:"maxTokensField"`
	Without    []string `json:"without"`
	APIVersion string   `json:"apiVersion"`
	Deployment string   `json:"deployment"`
	Bearer     bool     `json:"bearer"`
	MaxBody    int      `json:"maxBody"` // 0 is 64 KiB
}

// Turn is a message of a conversation.
type Turn struct {
	Role    string `json:"role"`
	Content string `json:"content"`
	Calls   []struct {
		ID, Name, Arguments string
	} `json:"calls,omitempty"`
	CallID string `json:"callID,omitempty"`
}

// deliberation is a as the gateway would have admitted it.
func (a *Asked) deliberation(t testing.TB) *quorum.Deliberation {
	kind, err := quorum.ParseKind(a.Kind)
	if err != nil {
		t.Fatal(err)
	}
	d := &quorum.Deliberation{ID: "dlb_1", Prompt: a.Prompt, Kind: kind, Options: a.Options, Tier: quorum.Standard}
	for _, turn := range a.Messages {
		m := quorum.Message{Role: turn.Role, Content: turn.Content, CallID: turn.CallID}
		for _, c := range turn.Calls {
			m.Calls = append(m.Calls, quorum.ToolCall(c))
		}
		d.Messages = append(d.Messages, m)
	}
	if in := a.Generation; in != nil {
		g := &quorum.Generation{MaxTokens: in.MaxTokens, Temperature: quorum.NotGiven, TopP: quorum.NotGiven, Stop: in.Stop, Format: in.Format,
			Schema: in.Schema, SchemaName: in.SchemaName, ToolChoice: in.ToolChoice, ToolName: in.ToolName, OneCall: in.OneCall}
		if in.Temperature != nil {
			g.Temperature = *in.Temperature
		}
		if in.TopP != nil {
			g.TopP = *in.TopP
		}
		if in.Seed != nil {
			g.Seed, g.Seeded = *in.Seed, true
		}
		for _, tool := range in.Tools {
			g.Tools = append(g.Tools, quorum.Tool{Name: tool.Name, Description: tool.Description, Parameters: tool.Parameters, Strict: tool.Strict})
		}
		d.Generation = g
	}
	return d
}

// outcome is what an adapter made of an exchange.
type outcome struct {
	Text         *string `json:"text,omitempty"`
	Model        string  `json:"model,omitempty"`
	Input        int64   `json:"inputTokens,omitempty"`
	Output       int64   `json:"outputTokens,omitempty"`
	Class        string  `json:"class,omitempty"`
	Reason       string  `json:"reason,omitempty"`
	Retryable    bool    `json:"retryable,omitempty"`
	RetryAfterMs int64   `json:"retryAfterMs,omitempty"`
}

// An Adapter is what every adapter is.
type Adapter interface {
	Ask(ctx context.Context, d *quorum.Deliberation, r *quorum.Reply) error
	Close()
}

// shownHeaders are those of a request that a recording has.
var shownHeaders = []string{"Accept", "Authorization", "Api-Key", "X-Api-Key", "X-Goog-Api-Key", "Anthropic-Version", "Content-Type"}

// exchange is a file's parts.
type exchange struct {
	asked                      Asked
	request, response, outcome string
}

// Run plays every file of the test's testdata/exchanges. make gives the adapter
// of settings at an origin; its key is "the-key".
func Run(t *testing.T, make func(origin string, s Settings) (Adapter, error)) {
	files, err := filepath.Glob("testdata/exchanges/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no recorded exchanges: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) { play(t, file, make) })
	}
}

// Bodies gives the body of every recorded response, for fuzzing to begin with.
func Bodies(f *testing.F) (bodies [][]byte) {
	files, err := filepath.Glob("testdata/exchanges/*.txt")
	if err != nil || len(files) == 0 {
		f.Fatalf("no recorded exchanges: %v", err)
	}
	for _, file := range files {
		_, response := read(f, file)
		_, body, _ := strings.Cut(response.response, "\n\n")
		bodies = append(bodies, []byte(body))
	}
	return bodies
}

func read(t testing.TB, file string) (asked string, x exchange) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(string(data), "\n----\n")
	if len(parts) != 4 {
		t.Fatalf("%s has %d parts, want 4", file, len(parts))
	}
	decoder := json.NewDecoder(strings.NewReader(parts[0]))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&x.asked); err != nil {
		t.Fatalf("%s: what is asked: %v", file, err)
	}
	x.request, x.response, x.outcome = parts[1], parts[2], parts[3]
	return parts[0], x
}

func play(t *testing.T, file string, make func(string, Settings) (Adapter, error)) {
	asked, x := read(t, file)
	s := newServer(t, x.response)
	if x.asked.Adapter.MaxBody == 0 {
		x.asked.Adapter.MaxBody = 64 << 10
	}
	a, err := make(s.URL, x.asked.Adapter)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	d := x.asked.deliberation(t)
	reply, err := ask(t, a, d)
	got := describe(t, &reply, err)
	request := s.lastRequest()
	if *update {
		text := strings.Join([]string{asked, request, x.response, got}, "\n----\n")
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	} else {
		if request != x.request {
			t.Errorf("the request is\n%s\nwant\n%s", request, x.request)
		}
		if got != x.outcome {
			t.Errorf("comes to\n%s\nwant\n%s", got, x.outcome)
		}
	}
	if s.status == http.StatusOK && err == nil {
		cutShort(t, s, a, d, reply)
	}
}

// cutShort sends less of a good reply than all, in both ways, at every few bytes.
func cutShort(t *testing.T, s *server, a Adapter, d *quorum.Deliberation, want quorum.Reply) {
	step := max(1, len(s.body)/97)
	for _, abrupt := range []bool{false, true} {
		for sent := 0; sent < len(s.body); sent += step {
			s.cut(sent, abrupt)
			got, err := ask(t, a, d)
			if err == nil && got != want {
				t.Fatalf("of %d bytes the first %d (abruptly: %v) passed for a reply: %+v", len(s.body), sent, abrupt, got)
			}
			if _, ok := errors.AsType[*upstream.Error](err); err != nil && !ok {
				t.Fatalf("of %d bytes the first %d: %v", len(s.body), sent, err)
			}
		}
	}
}

func ask(t testing.TB, a Adapter, d *quorum.Deliberation) (quorum.Reply, error) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	r := quorum.Reply{Confidence: -1}
	err := a.Ask(ctx, d, &r)
	if err != nil && r != (quorum.Reply{Confidence: -1}) {
		t.Errorf("an error, and still a reply: %+v", r)
	}
	return r, err
}

func describe(t testing.TB, r *quorum.Reply, err error) string {
	t.Helper()
	o := outcome{Text: &r.Text, Model: r.Model, Input: r.Usage.InputTokens, Output: r.Usage.OutputTokens}
	if err != nil {
		e, ok := errors.AsType[*upstream.Error](err)
		if !ok {
			t.Fatalf("an error of another kind: %v", err)
		}
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("the provider's words are in %v", err)
		}
		o = outcome{Class: e.Class, Reason: e.Reason, Retryable: e.Retryable, RetryAfterMs: e.RetryAfter.Milliseconds()}
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// A server answers every request with one response, or the beginning of it.
type server struct {
	*httptest.Server
	status  int
	headers [][2]string
	body    string

	mu      sync.Mutex // guards what follows
	request string     // the last one, as recordings have it
	sent    int        // bytes of the body; -1 for all
	abrupt  bool       // and then the connection's end
}

// cut has the next responses end after so many bytes of their body.
func (s *server) cut(sent int, abrupt bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent, s.abrupt = sent, abrupt
}

func (s *server) lastRequest() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.request
}

func newServer(t *testing.T, response string) *server {
	t.Helper()
	head, body, _ := strings.Cut(response, "\n\n")
	lines := strings.Split(head, "\n")
	s := &server{body: body, sent: -1}
	status, _, _ := strings.Cut(lines[0], " ")
	var err error
	if s.status, err = strconv.Atoi(status); err != nil {
		t.Fatalf("status %q", lines[0])
	}
	for _, line := range lines[1:] {
		name, value, ok := strings.Cut(line, ": ")
		if !ok {
			t.Fatalf("header %q", line)
		}
		s.headers = append(s.headers, [2]string{name, value})
	}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.Close)
	return s
}

func (s *server) serve(w http.ResponseWriter, r *http.Request) {
	asked, _ := io.ReadAll(r.Body)
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n", r.Method, r.URL)
	for _, name := range shownHeaders {
		if v := r.Header.Get(name); v != "" {
			fmt.Fprintf(&b, "%s: %s\n", name, v)
		}
	}
	b.WriteByte('\n')
	var indented bytes.Buffer
	if err := json.Indent(&indented, asked, "", " "); err != nil {
		fmt.Fprintf(&b, "NOT JSON: %v\n", err)
	}
	b.Write(indented.Bytes())
	s.mu.Lock()
	s.request = b.String()
	sent, abrupt := s.sent, s.abrupt
	s.mu.Unlock()

	for _, h := range s.headers {
		w.Header().Set(h[0], h[1])
	}
	w.WriteHeader(s.status)
	rest := s.body
	if sent >= 0 {
		rest = rest[:sent]
	}
	// A chunk for every event, as providers write them.
	for piece := range strings.SplitAfterSeq(rest, "\n\n") {
		io.WriteString(w, piece)
		w.(http.Flusher).Flush()
	}
	if sent >= 0 && abrupt {
		panic(http.ErrAbortHandler)
	}
}
