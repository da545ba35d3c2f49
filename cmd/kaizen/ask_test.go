package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kaizen-os/deliberation/gateway/wire"
	"github.com/kaizen-os/deliberation/quorum"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares got with testdata/name.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s (-update rewrites it)\n got:\n%s\nwant:\n%s", path, got, want)
	}
}

func readTestdata(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// runAsk runs "kaizen ask" with args against a gateway that handler plays.
func runAsk(t *testing.T, handler http.HandlerFunc, stdin string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	t.Setenv("KAIZEN_KEY", "")
	server := httptest.NewServer(handler)
	defer server.Close()
	var out, errOut bytes.Buffer
	cmd := newAskCommand()
	cmd.SetIn(strings.NewReader(stdin))
	cmd.SetOut(&out)
	cmd.SetErr(&errOut)
	cmd.SetArgs(append([]string{"--url", server.URL}, args...))
	code = endWith(&errOut, cmd.ExecuteContext(t.Context()))
	return out.String(), errOut.String(), code
}

func answer(status int, body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		w.Write(body)
	}
}

func TestAskGolden(t *testing.T) {
	for _, tt := range []struct {
		name   string
		status int
		code   int
	}{
		{"carried", 200, exitCarried},
		{"contested", 200, exitNotCarried},
		{"deliberated", 200, exitNotCarried},
		{"stepless", 200, exitNotCarried},
		{"inquorate", 200, exitNotCarried},
		{"unjudged", 200, exitNotCarried},
		{"pending", 202, exitNotCarried},
		{"refused", 403, exitNotCarried},
	} {
		t.Run(tt.name, func(t *testing.T) {
			body := readTestdata(t, tt.name+".json")
			out, errOut, code := runAsk(t, answer(tt.status, body), "", "hi")
			if code != tt.code || errOut != "" {
				t.Errorf("exit code %d, %q, want %d and nothing", code, errOut, tt.code)
			}
			golden(t, tt.name+".txt", []byte(out))

			out, errOut, code = runAsk(t, answer(tt.status, body), "", "hi", "--json")
			if code != tt.code || errOut != "" || out != string(body)+"\n" {
				t.Errorf("--json: exit code %d, %q, want the body as it is:\n%s", code, errOut, out)
			}
		})
	}
}

func TestAskSaysHowManyWereAsked(t *testing.T) {
	var v wire.Deliberation
	if err := v.Decode(readTestdata(t, "contested.json")); err != nil {
		t.Fatal(err)
	}
	if all := string(appendVerdict(nil, &v, paint{})); strings.Contains(all, " asked") {
		t.Errorf("of a panel without limits: %s", all)
	}
	v.Panel = wire.Panel{Eligible: 8, Asked: 2}
	if few := string(appendVerdict(nil, &v, paint{})); !strings.Contains(few, "2 of 8 asked") {
		t.Errorf("of two of eight: %s", few)
	}
}

// On a terminal the same text has colours, and nothing else more.
func TestAskColours(t *testing.T) {
	var v wire.Deliberation
	if err := v.Decode(readTestdata(t, "contested.json")); err != nil {
		t.Fatal(err)
	}
	coloured := appendVerdict(nil, &v, paint{on: true})
	golden(t, "contested.colour.txt", coloured)
	plain := string(coloured)
	for _, style := range []string{bold, dim, red, green, yellow, bold + ";" + yellow, "0"} {
		plain = strings.ReplaceAll(plain, "\x1b["+style+"m", "")
	}
	if want := string(appendVerdict(nil, &v, paint{})); plain != want {
		t.Errorf("without its colours:\n%s\nwant:\n%s", plain, want)
	}
}

// A companion's words must not act on the terminal that shows them.
func TestAskShowsNoControlCharacters(t *testing.T) {
	const evil = "a\x1b]0;owned\x07\r\u202eb\u009b31m\x00"
	v := &wire.Deliberation{
		ID: evil, Status: evil, Answer: evil, Value: evil, Decision: evil,
		Consensus: wire.Consensus{Kind: evil},
		Positions: []wire.Position{{Answer: evil, Companions: []string{evil}}},
		Dissent:   []wire.Dissent{{Answer: evil, Companions: []string{evil}, WinsBy: evil}},
		Ballots: []wire.Ballot{
			{Companion: evil, Model: evil, Tier: evil, Outcome: evil, Reason: evil},
			{Position: 7, Stance: evil}, {Position: -1, Stance: evil},
		},
		Proof: wire.Proof{LeafHash: evil, Receipt: evil},
		Rounds: &wire.Rounds{Held: 2, First: wire.FirstRound{Status: evil}, Ballots: []wire.AgainBallot{
			{Companion: evil, Reason: evil}, {Companion: evil, Outcome: evil}, {Companion: evil, Counted: true, Moved: true, Position: 7}}},
		Judge:     &wire.Judge{Service: wire.Service{Companion: evil}, Chosen: 7},
		Synthesis: &wire.Synthesis{Text: evil, Service: wire.Service{Companion: evil, Reason: evil}},
	}
	text := string(appendVerdict(nil, v, paint{}))
	v.Rounds = &wire.Rounds{Held: 1, Outcome: evil, Reason: evil}
	v.Judge = &wire.Judge{Service: wire.Service{Companion: evil, Reason: evil}, Chosen: -1}
	for _, r := range text + string(appendVerdict(nil, v, paint{})) {
		if r != '\n' && r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u202e' {
			t.Fatalf("%q reaches the terminal", r)
		}
	}
}

func TestAgainLine(t *testing.T) {
	v := &wire.Deliberation{Positions: []wire.Position{{Answer: "42"}, {Answer: "41"}}}
	for want, b := range map[string]wire.AgainBallot{
		"":                                      {Companion: "AUREA", Counted: true},
		"AUREA moved to 2: 41":                  {Companion: "AUREA", Counted: true, Moved: true, Position: 1},
		"AUREA: its first ballot stands (late)": {Companion: "AUREA", Outcome: "late"},
		"AUREA: neither of its ballots counts (" + quorum.ReasonSuspended + ")": {Companion: "AUREA", Outcome: "ok", Reason: quorum.ReasonSuspended},
	} {
		if got := againLine(v, &b); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestAskRequest(t *testing.T) {
	carried := readTestdata(t, "carried.json")
	for _, tt := range []struct {
		name  string
		args  []string
		stdin string
		want  string
	}{
		{"a prompt alone", []string{"hi"}, "", `{"prompt":"hi","include":["ballots","positions"]}`},
		{"words without quotes", []string{"how", "are", "you"}, "", `{"prompt":"how are you","include":["ballots","positions"]}`},
		{"standard input", []string{"-"}, "line 1\nline 2", `{"prompt":"line 1\nline 2","include":["ballots","positions"]}`},
		{"options make a choice", []string{"hi", "--option", "a, b", "--option", "c"}, "", `{"prompt":"hi","kind":"choice","options":["a, b","c"],"include":["ballots","positions"]}`},
		{"every flag", []string{"hi", "--tier", "high", "--chamber", "genesis-dome", "--topic", "dams", "--kind", "vote", "--operation", "mic.mint", "--wait", "all", "--deadline", "1.5s"}, "",
			`{"prompt":"hi","context":{"tier":"high","chamber":"genesis-dome","topic":"dams"},"kind":"vote","operation":"mic.mint","deadlineMs":1500,"wait":"all","include":["ballots","positions"]}`},
		{"what may follow", []string{"hi", "--rounds", "2", "--judge", "ATLAS", "--synthesis", "none"}, "",
			`{"prompt":"hi","include":["ballots","positions"],"rounds":2,"judge":"ATLAS","synthesis":"none"}`},
		{"a few first", []string{"hi", "--escalate"}, "", `{"prompt":"hi","include":["ballots","positions"],"escalate":true}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got, method, path, kind string
			_, errOut, code := runAsk(t, func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				got, method, path, kind = string(body), r.Method, r.URL.Path, r.Header.Get("Content-Type")
				answer(200, carried)(w, r)
			}, tt.stdin, tt.args...)
			if code != exitCarried {
				t.Fatalf("exit code %d: %s", code, errOut)
			}
			if got != tt.want {
				t.Errorf("sent %s\nwant %s", got, tt.want)
			}
			if method != "POST" || path != "/v1/deliberate" || kind != "application/json" {
				t.Errorf("%s %s with %s", method, path, kind)
			}
			var r wire.Request
			if err := r.Decode([]byte(got), wire.DefaultLimits()); err != nil {
				t.Errorf("the gateway would refuse it: %v", err)
			}
		})
	}
}

func TestAskUsage(t *testing.T) {
	never := func(http.ResponseWriter, *http.Request) { t.Error("the gateway was asked") }
	for name, tt := range map[string]struct {
		args []string
		want string
	}{
		"no prompt":           {nil, `give a prompt: kaizen ask "…"`},
		"an empty prompt":     {[]string{" "}, "the prompt is empty"},
		"an empty input":      {[]string{"-"}, "the prompt is empty"},
		"an unknown flag":     {[]string{"hi", "--teir", "high"}, "unknown flag: --teir"},
		"a deadline in words": {[]string{"hi", "--deadline", "soon"}, "--deadline"},
		"a negative deadline": {[]string{"hi", "--deadline", "-1s"}, "want at least 1ms"},
		"the key itself":      {[]string{"hi", "--key", secretValue}, "never the key itself"},
		"another scheme":      {[]string{"hi", "--url", "ftp://x"}, "want a URL such as"},
	} {
		t.Run(name, func(t *testing.T) {
			out, errOut, code := runAsk(t, never, "", tt.args...)
			if code != exitUsage || !strings.Contains(errOut, tt.want) || out != "" {
				t.Errorf("exit code %d, %q, want %d and %q", code, errOut, exitUsage, tt.want)
			}
			if strings.Contains(errOut, secretValue) {
				t.Errorf("the key is in %q", errOut)
			}
			oneLineOnly(t, errOut)
		})
	}
}

func oneLineOnly(t *testing.T, errOut string) {
	t.Helper()
	if strings.Count(errOut, "\n") != 1 || !strings.HasPrefix(errOut, "kaizen: ") {
		t.Errorf("want one line that begins with kaizen:, got %q", errOut)
	}
}

func TestAskFailures(t *testing.T) {
	said := func(status int, header string, e *wire.Error) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if header != "" {
				w.Header().Set("Retry-After", header)
			}
			answer(status, e.AppendTo(nil))(w, r)
		}
	}
	for _, tt := range []struct {
		name    string
		handler http.HandlerFunc
		code    int
		want    string
	}{
		{"no key", said(401, "", &wire.Error{Code: wire.Unauthorized, Message: "no key"}), exitFailed, "no key; give your key with --key env:NAME or --key file:PATH (unauthorized)"},
		{"a tier above the key's", said(403, "", &wire.Error{Code: wire.TierNotAllowed, Message: "this key may ask up to standard"}), exitFailed, "ask at a lower tier with --tier (tier_not_allowed)"},
		{"too many", said(429, "3", &wire.Error{Code: wire.RateLimited, Message: "too many requests"}), exitFailed, "too many requests; try again in 3 s (rate_limited)"},
		{"no ledger", said(503, "", &wire.Error{Code: wire.LedgerUnavailable, Message: "no proof", DeliberationID: "dlb_1"}), exitFailed, "no proof (ledger_unavailable, dlb_1)"},
		{"a refused prompt", said(403, "", &wire.Error{Code: wire.PromptRefused, Message: "the prompt is refused"}), exitNotCarried, "the prompt is refused (prompt_refused)"},
		{"two problems", said(400, "", &wire.Error{Code: wire.InvalidValue, Message: "kind: x (the first of 2 problems)", Details: []wire.Detail{{Field: "kind", Problem: "x"}, {Problem: "y"}}}), exitFailed, "kind: x; y (invalid_value)"},
		{"one problem that the message tells", said(400, "", &wire.Error{Code: wire.InvalidValue, Message: "kind: x", Details: []wire.Detail{{Field: "kind", Problem: "x"}}}), exitFailed, "kaizen: kind: x (invalid_value)"},
		{"one problem that it does not tell", said(422, "", &wire.Error{Code: wire.InvalidValue, Message: "it cannot serve", Details: []wire.Detail{{Field: "judge", Problem: "GHOST is nobody"}}}), exitFailed, "kaizen: it cannot serve: judge: GHOST is nobody (invalid_value)"},
		{"a message of two lines", said(500, "", &wire.Error{Code: wire.InternalError, Message: "a\nb\x1b[2J"}), exitFailed, "a b[2J (internal_error)"},
		{"another server", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }, exitFailed, "does not answer like a kaizen gateway; check --url"},
		{"another JSON server", answer(200, []byte(`{"ok":true}`)), exitFailed, "does not answer like a kaizen gateway; check --url"},
		{"a proxy's error", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "bad gateway", http.StatusBadGateway) }, exitFailed, "answers 502 Bad Gateway; check --url"},
		{"a redirect", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) }, exitFailed, "answers 302 Found; check --url"},
		{"a connection cut", func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				conn.Close()
			}
		}, exitFailed, "closed the connection without an answer"},
		{"half a body", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			fmt.Fprint(w, `{"id":`)
		}, exitFailed, "closed the connection without an answer"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out, errOut, code := runAsk(t, tt.handler, "", "hi")
			if code != tt.code || !strings.Contains(errOut, tt.want) || out != "" {
				t.Errorf("exit code %d, %q, want %d and %q", code, errOut, tt.code, tt.want)
			}
			oneLineOnly(t, errOut)
		})
	}
}

func TestAskNobodyListens(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	_, errOut, code := runAsk(t, nil, "", "hi", "--url", "http://"+address)
	if code != exitFailed || !strings.Contains(errOut, "nobody listens at http://"+address+"; is the gateway running? start it with: kaizen serve") {
		t.Errorf("exit code %d, %q", code, errOut)
	}
	oneLineOnly(t, errOut)
}

func TestAskIsInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) // only then does the server see the client leave
		cancel()
		<-r.Context().Done()
	}))
	defer server.Close()
	cmd := newAskCommand()
	cmd.SetArgs([]string{"hi", "--url", server.URL})
	var errOut bytes.Buffer
	if code := endWith(&errOut, cmd.ExecuteContext(ctx)); code != exitFailed || errOut.String() != "kaizen: interrupted\n" {
		t.Errorf("exit code %d, %q", code, errOut.String())
	}
}

func TestUnreachableTimeout(t *testing.T) {
	c, err := newClient("http://user:"+secretValue+"@127.0.0.1:1", Secret{})
	if err != nil {
		t.Fatal(err)
	}
	said := c.unreachable(context.DeadlineExceeded).Error()
	if !strings.Contains(said, "in time; allow more with --deadline") || strings.Contains(said, secretValue) {
		t.Errorf("got %q", said)
	}
}

func TestAskReceipt(t *testing.T) {
	carried := readTestdata(t, "carried.json")
	handler := func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "GET" {
			if r.URL.Path != "/v1/deliberations/dlb_01K5Z6QG1T8V3X2N4M7R9C0BDE/receipt" || r.Header.Get("Authorization") != "Bearer "+secretValue {
				t.Errorf("GET %s with %q", r.URL.Path, r.Header.Get("Authorization"))
			}
			w.Header().Set("Content-Type", "text/plain")
			fmt.Fprintf(w, "c2sp.org/tlog-proof@v1\n%s\n", r.URL.RawQuery)
			return
		}
		answer(200, carried)(w, r)
	}
	dir := t.TempDir()
	keyFile, path := filepath.Join(dir, "key"), filepath.Join(dir, "receipt.txt")
	if err := os.WriteFile(keyFile, []byte(secretValue+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		flags       []string
		asked, says string
	}{
		{nil, "open=prompt,answer", ", with prompt and answer in it"},
		{[]string{"--sealed"}, "", ""},
	} {
		_, errOut, code := runAsk(t, handler, "", append([]string{"hi", "--receipt", path, "--key", "file:" + keyFile}, tt.flags...)...)
		if code != exitCarried || errOut != "receipt saved to "+path+tt.says+"\n" {
			t.Errorf("%q: exit code %d, %q", tt.flags, code, errOut)
		}
		if saved, err := os.ReadFile(path); err != nil || string(saved) != "c2sp.org/tlog-proof@v1\n"+tt.asked+"\n" {
			t.Errorf("%q: saved %q, %v", tt.flags, saved, err)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("a receipt with texts in it has mode %v, %v", info.Mode(), err)
	}
	_, errOut, code := runAsk(t, handler, "", "hi", "--receipt", filepath.Join(dir, "no", "such", "folder"), "--key", "file:"+keyFile)
	if code != exitFailed || !strings.Contains(errOut, "save the receipt: ") {
		t.Errorf("exit code %d, %q", code, errOut)
	}
}

func TestKeyFrom(t *testing.T) {
	env := func(name string) (string, bool) {
		if name == "KAIZEN_KEY" {
			return "default-key", true
		}
		return testEnv(name)
	}
	for ref, want := range map[string]string{"": "default-key", "env:OPENAI_API_KEY": secretValue} {
		if got, err := keyFrom(ref, env); err != nil || got.Reveal() != want {
			t.Errorf("keyFrom(%q) = %q, %v", ref, got.Reveal(), err)
		}
	}
	if got, err := keyFrom("", testEnv); err != nil || !got.Empty() {
		t.Errorf("no key at all: %v, %v", got, err)
	}
	for ref, want := range map[string]string{
		"env:NOT_SET":           "environment variable NOT_SET is not set",
		"env:TWO_LINES":         "environment variable TWO_LINES holds no key alone",
		"env:":                  "want env:NAME or file:PATH",
		"file:/nonexistent/key": "/nonexistent/key",
		secretValue:             "never the key itself",
	} {
		if _, err := keyFrom(ref, env); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), secretValue) {
			t.Errorf("keyFrom(%q) = %v, want %q", ref, err, want)
		}
	}
}

func TestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w bytes.Buffer
		stop := startProgress(&w, "thinking")
		<-time.After(250 * time.Millisecond) // on the bubble's clock
		synctest.Wait()
		stop()
		if got, want := w.String(), "\rthinking… 0.1 s\rthinking… 0.2 s\r\x1b[K"; got != want {
			t.Errorf("wrote %q, want %q", got, want)
		}
	})
}

func TestEndWith(t *testing.T) {
	for _, tt := range []struct {
		err  error
		code int
		said string
	}{
		{nil, 0, ""},
		{errors.New("no room"), 1, "kaizen: no room\n"},
		{&exitError{exitUsage, errors.New("what?")}, 2, "kaizen: what?\n"},
		{fmt.Errorf("ask: %w", &exitError{exitUsage, errors.New("what?")}), 2, "kaizen: ask: what?\n"},
		{&exitError{Code: exitNotCarried}, 3, ""},
	} {
		var w bytes.Buffer
		if code := endWith(&w, tt.err); code != tt.code || w.String() != tt.said {
			t.Errorf("endWith(%v) = %d, %q, want %d, %q", tt.err, code, w.String(), tt.code, tt.said)
		}
	}
}

func TestColumns(t *testing.T) {
	for s, want := range map[string]int{"": 0, "abc": 3, "é": 1, "e\u0301": 1, "東京": 4, "a\u200db": 2} {
		if got := columns(s); got != want {
			t.Errorf("columns(%q) = %d, want %d", s, got, want)
		}
	}
	if got := clip(strings.Repeat("東", 20), maxCell); columns(got) > maxCell || !strings.HasSuffix(got, "…") {
		t.Errorf("clip: %q takes %d columns", got, columns(got))
	}
	rows := []row{{cells: []string{"東京", "x"}}, {cells: []string{"a", "y"}}}
	if got, want := string(appendTable(nil, rows, paint{})), "東京  x\na     y\n"; got != want {
		t.Errorf("table %q, want %q", got, want)
	}
}
