package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kaizen-os/deliberation/gateway/wire"
	"github.com/kaizen-os/deliberation/quorum"
)

func TestConfigJudges(t *testing.T) {
	if got := parse(t, example).Judges; got != nil {
		t.Errorf("without a section: %+v", got)
	}
	c := parse(t, `companions:
  - {id: MINE, provider: kaizen, endpoint: "http://127.0.0.1:7001/base", tier: standard, key: {env: OPENAI_API_KEY}}
judges:
  - {id: moderation, kind: moderation, endpoint: "https://api.openai.com/v1", model: omni-moderation-latest, key: {env: OPENAI_API_KEY}}
  - {id: guard, kind: guard, endpoint: "http://127.0.0.1:8000/v1", model: llama-guard-3-8b, timeout: 500ms, inFlight: 4, evidence: -1500, scores: {from: 70, under: 96.5}, sample: 0.02,
     budget: {perMinute: 600, perDay: "5.00"}, price: {input: "0.0002", output: "0.0003"}}
  - {id: own, kind: validate, companion: MINE, sample: 0, evidence: 0}
`)
	key := newSecret(secretValue)
	for i, want := range []JudgeConfig{
		{ID: "moderation", Kind: "moderation", Endpoint: "https://api.openai.com/v1", Model: "omni-moderation-latest", Key: key, Timeout: 2 * time.Second, InFlight: 32,
			Evidence: defaultJudgeEvidence, From: 6500, Under: 10_000, Sample: 10_000},
		{ID: "guard", Kind: "guard", Endpoint: "http://127.0.0.1:8000/v1", Model: "llama-guard-3-8b", Timeout: 500 * time.Millisecond, InFlight: 4,
			Evidence: -1500, From: 7000, Under: 9650, Sample: 20_000, PerMinute: 600, PerDay: 5_000_000, Price: quorum.Price{Input: 200, Output: 300}},
		{ID: "own", Kind: "validate", Endpoint: "http://127.0.0.1:7001/base", Companion: "MINE", Key: key, Timeout: 2 * time.Second, InFlight: 32, From: 6500, Under: 10_000},
	} {
		if c.Judges[i] != want {
			t.Errorf("judge %d is %+v\nwant %+v", i, c.Judges[i], want)
		}
	}
	if at, err := originOf(c.Judges[2].Endpoint); err != nil || at != "http://127.0.0.1:7001" {
		t.Errorf("its origin is %s: %v", at, err)
	}
}

// What the linear model's evidence comes to changes with the model: at the default
// a judge is asked for the 5 to 10 % of harmless replies with most of it.
func TestTheDefaultEvidenceIsThatOfTheModel(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join("..", "..", "scoring", "charter", "linear.json"))
	if err != nil {
		t.Fatal(err)
	}
	var card struct {
		Figures struct {
			EvidenceAbove []struct {
				Share    float64
				Evidence int
			}
		}
	}
	if err := json.Unmarshal(doc, &card); err != nil {
		t.Fatal(err)
	}
	at := map[float64]int{}
	for _, a := range card.Figures.EvidenceAbove {
		at[a.Share] = a.Evidence
	}
	if len(at) < 2 || defaultJudgeEvidence < at[0.10] || defaultJudgeEvidence > at[0.05] {
		t.Errorf("the default is %d; want from %d, which 10 %% are above, to %d, which 5 %% are", defaultJudgeEvidence, at[0.10], at[0.05])
	}
}

func TestConfigRefusesJudges(t *testing.T) {
	judges := func(lines ...string) string {
		return "companions:\n  - {id: MINE, provider: kaizen, endpoint: 'http://127.0.0.1:7001', tier: standard}\n  - {id: OTHER, provider: openai, endpoint: 'http://127.0.0.1:7002/v1', model: m, tier: standard}\njudges:\n  - {" +
			strings.Join(lines, "}\n  - {") + "}\n"
	}
	const at = ", endpoint: 'http://127.0.0.1:8000/v1', model: m"
	for _, tt := range []struct {
		name, doc string
		want      []string
	}{
		{"an unknown key", judges("id: g, kind: guard, tresholds: 1" + at), []string{`kaizen.yaml:5:26: unknown field "tresholds"`}},
		{"a key that stands there", judges("id: g, kind: guard, key: " + secretValue + at), []string{"kaizen.yaml:5:31: key: want {env: NAME} or {file: PATH}"}},
		{"no id", judges("kind: guard" + at), []string{"judges[0].id: must be given"}},
		{"an id in capitals", judges("id: Guard, kind: guard" + at), []string{"kaizen.yaml:5:10: judges[0].id: want 1 to 16 of a-z"}},
		{"no kind", judges("id: g" + at), []string{"judges[0].kind: must be given: moderation, guard, validate"}},
		{"an unknown kind", judges("id: g, kind: oracle" + at), []string{`judges[0].kind: unknown "oracle"; want one of moderation, guard, validate`}},
		{"no endpoint", judges("id: g, kind: guard, model: m"), []string{"judges[0].endpoint: must be given"}},
		{"an endpoint that is none", judges("id: g, kind: guard, model: m, endpoint: nowhere"), []string{"judges[0].endpoint: want a URL"}},
		{"a guard without a model", judges("id: g, kind: guard, endpoint: 'http://127.0.0.1:8000'"), []string{"judges[0].model: must be given for kind guard"}},
		{"a validate with a model", judges("id: g, kind: validate" + at), []string{"judges[0].model: only for kinds moderation and guard"}},
		{"a guard of a companion's", judges("id: g, kind: guard, companion: MINE"), []string{"judges[0].companion: only for kind validate"}},
		{"a companion that is not there", judges("id: g, kind: validate, companion: YOURS"), []string{`judges[0].companion: "YOURS" is not among companions`}},
		{"a companion of another protocol", judges("id: g, kind: validate, companion: OTHER"), []string{"judges[0].companion: OTHER does not speak the companion protocol"}},
		{"a companion and an endpoint", judges("id: g, kind: validate, companion: MINE, endpoint: 'http://127.0.0.1:8000'"), []string{"judges[0].companion: has its own endpoint and key"}},
		{"two of one name", judges("id: g, kind: guard"+at, "id: g, kind: moderation"+at), []string{"kaizen.yaml:6:10: judges[1].id: g is also judges[0]"}},
		{"too many", judges("id: a, kind: guard"+at, "id: b, kind: guard"+at, "id: c, kind: guard"+at, "id: d, kind: guard"+at, "id: e, kind: guard"+at), []string{"judges: there are 5, at most 4"}},
		{"a sample over all", judges("id: g, kind: guard, sample: 1.5" + at), []string{"judges[0].sample: want a number from 0 to 1"}},
		{"a score over 100", judges("id: g, kind: guard, scores: {under: 101}" + at), []string{"judges[0].scores.under: want a number from 0 to 100"}},
		{"scores between which there is none", judges("id: g, kind: guard, scores: {under: 60}" + at), []string{"kaizen.yaml:5:42: judges[0].scores.under: is less than from, 65: no score is between"}},
		{"no time", judges("id: g, kind: guard, timeout: 0s" + at), []string{"judges[0].timeout: want a duration"}},
		{"money without a price", judges("id: g, kind: guard, budget: {perDay: '5.00'}" + at), []string{"judges[0].budget.perDay: bounds nothing without a price"}},
		{"money that is none", judges("id: g, kind: guard, price: {input: '0.1'}, budget: {perDay: '-5'}" + at), []string{`judges[0].budget.perDay: want USD, a decimal over 0 in quotes`}},
		{"a key that is not there", judges("id: g, kind: guard, key: {env: NOWHERE}" + at), []string{"judges[0].key.env: environment variable NOWHERE is not set"}},
	} {
		_, err := parseConfig("kaizen.yaml", []byte(tt.doc), testEnv)
		if err == nil {
			t.Errorf("%s: accepted:\n%s", tt.name, tt.doc)
			continue
		}
		if said := err.Error(); strings.Contains(said, secretValue) || strings.Count(said, "\n") >= len(tt.want) || !strings.Contains(said, tt.want[0]) {
			t.Errorf("%s: %q, want %q", tt.name, said, tt.want)
		}
	}
}

// A guardian is a Llama-Guard-style server that wants a key.
type guardian struct {
	url string

	mu     sync.Mutex // guards what follows
	key    string
	status int
	asked  int
}

func startGuardian(t *testing.T, key string) *guardian {
	g := &guardian{key: key, status: 200}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		g.mu.Lock()
		g.asked++
		key, status := g.key, g.status
		g.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		switch {
		case r.Header.Get("Authorization") != "Bearer "+key:
			w.WriteHeader(401)
		case status != 200:
			w.WriteHeader(status)
		default:
			io.WriteString(w, `{"choices":[{"message":{"content":"\n\nsafe"},"finish_reason":"stop"}],"usage":{"prompt_tokens":210,"completion_tokens":3}}`)
		}
	}))
	t.Cleanup(server.Close)
	g.url = server.URL + "/v1"
	return g
}

func (g *guardian) set(key string, status int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.key, g.status = key, status
}

// judgedAs tells of every ballot's judges.
func judgedAs(v *wire.Deliberation) string {
	var b strings.Builder
	for i := range v.Ballots {
		fmt.Fprintf(&b, "%s:", v.Ballots[i].Companion)
		for _, j := range v.Ballots[i].Judged {
			fmt.Fprintf(&b, " %s %s%s", j.ID, j.Outcome, strings.TrimRight(" "+j.Reason, " "))
		}
		b.WriteString("; ")
	}
	return b.String()
}

// The whole way: judges from the configuration, a critical deliberation that fails
// closed when they do, a key that is changed without a restart, and a ledger in
// which a stranger finds all of it right.
func TestJudgesEndToEnd(t *testing.T) {
	g := startGuardian(t, "sk-guard-one")
	_, companions := startSim(t, instant(3)...)
	dir := t.TempDir()
	keyFile := filepath.Join(dir, "guard.key")
	write := func(key string) {
		if err := os.WriteFile(keyFile, []byte(key+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("sk-guard-one")
	panel := anyPort + "companions:\n"
	for _, e := range companions {
		panel += companionLine(e, "kaizen", "")
	}
	config := panel + fmt.Sprintf("judges:\n  - {id: guard, kind: guard, endpoint: %q, model: llama-guard-3-8b, key: {file: %q}}\n  - {id: own, kind: validate, companion: %s}\n", g.url, keyFile, companions[0].ID)
	s := startServer(t, dir, config)
	critical := func(question string) string {
		return `{"prompt":"` + question + `","kind":"number","wait":"all","context":{"tier":"critical"}}`
	}
	const all = "AUREA: guard ok own ok; ATLAS: guard ok; ZENITH: guard ok; "
	if v := s.mustAsk("", critical("What is 17 * 23?")); v.Status == "inquorate" || judgedAs(v) != all {
		t.Errorf("%s, judged %s", v.Status, judgedAs(v))
	}

	// The judge is down: nothing counts, and people are told.
	g.set("sk-guard-one", 500)
	v := s.mustAsk("", critical("What is 19 * 23?"))
	if v.Status != "inquorate" || v.Ballots[1].Reason != "unjudged" || !strings.HasPrefix(judgedAs(v), "AUREA: guard unjudged status own ok; ") {
		t.Errorf("%s, judged %s", v.Status, judgedAs(v))
	}
	out, errOut, code := runProgram(t, "", nil, "ask", "--url", s.url, "--tier", "critical", "--kind", "number", "What is 21 * 23?")
	if code != exitNotCarried || errOut != "" || !strings.Contains(out, "unjudged (guard status)") {
		t.Errorf("kaizen ask: exit code %d, %q\n%s", code, errOut, out)
	}

	// Its key is changed, there and here, and read again without a restart.
	g.set("sk-guard-two", 200)
	write("sk-guard-two")
	s.reload(config, reloaded)
	// Its breaker may be open from before, and is not closed by a key.
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for begun := time.Now(); ; <-tick.C {
		v := s.mustAsk("", critical("What is 23 * 23?"))
		if v.Status != "inquorate" && judgedAs(v) == all {
			break
		}
		if strings.Contains(judgedAs(v), "refused") || time.Since(begun) > patience {
			t.Fatalf("with another key: %s, judged %s", v.Status, judgedAs(v))
		}
	}
	s.reload(config+"  - {id: own, kind: validate, companion: AUREA}\n", keptAsWas)
	if v := s.mustAsk("", critical("What is 25 * 23?")); judgedAs(v) != all {
		t.Errorf("after a reload that failed: judged %s", judgedAs(v))
	}
	s.reload(panel, reloaded)
	if v := s.mustAsk("", critical("What is 27 * 23?")); v.Status == "inquorate" || judgedAs(v) != "AUREA:; ATLAS:; ZENITH:; " {
		t.Errorf("without judges: %s, judged %s", v.Status, judgedAs(v))
	}
	s.stop()
	if out, errOut, code := runProgram(t, "", nil, "verify", s.data()); code != 0 {
		t.Errorf("kaizen verify: exit code %d, %s%s", code, out, errOut)
	}
	if told := s.out.String() + s.errOut.String(); strings.Contains(told, "sk-guard") || strings.Contains(told, "panic") {
		t.Errorf("it prints %s", told)
	}
}

func TestServeCheckCountsJudges(t *testing.T) {
	dir := t.TempDir()
	file := writeConfig(t, dir, anyPort+"judges:\n  - {id: m, kind: moderation, endpoint: 'http://127.0.0.1:1/v1', model: x}\n")
	if out, errOut, code := runProgram(t, "", nil, "serve", "--check", "--config", file); code != 0 || !strings.Contains(out, "0 companions, 0 clients, 1 judges") {
		t.Errorf("exit code %d, %q, %q", code, out, errOut)
	}
}

// A judge whose entry is unchanged keeps its limits, breaker and budget.
func TestACourtKeepsWhatIsUnchanged(t *testing.T) {
	one := JudgeConfig{ID: "one", Kind: "guard", Endpoint: "http://127.0.0.1:1/v1", Model: "m", Timeout: time.Second, InFlight: 1}
	two := one
	two.ID = "two"
	before, err := newCourt([]JudgeConfig{one, two}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	two.Model = "n"
	after, err := newCourt([]JudgeConfig{two, one}, before, nil)
	if err != nil {
		t.Fatal(err)
	}
	if after.judges[1] != before.judges[0] || after.judges[0] == before.judges[1] {
		t.Error("the wrong one was kept")
	}
	before.close(after)
	after.close(nil)
	for _, bad := range []JudgeConfig{{ID: "x", Kind: "oracle", Endpoint: "http://127.0.0.1:1", Timeout: time.Second}, {ID: "x", Kind: "guard", Endpoint: "ftp://x", Model: "m", Timeout: time.Second}, {ID: "X", Kind: "guard", Endpoint: "http://127.0.0.1:1", Model: "m", Timeout: time.Second}} {
		if _, err := newCourt([]JudgeConfig{bad}, nil, nil); err == nil {
			t.Errorf("%+v: taken", bad)
		}
	}
}

// A judge's key is kept in a file as a companion's is: whoever rotates it tells
// nobody, and a reload that follows gives the judge no new budget.
func TestAJudgesKeyIsRotated(t *testing.T) {
	g := startGuardian(t, "sk-guard-one")
	file := filepath.Join(t.TempDir(), "key")
	putFile(t, file, "sk-guard-one\n")
	c := parse(t, fmt.Sprintf("judges:\n  - {id: g, kind: guard, endpoint: %q, model: m, key: {file: %q}}\n", g.url, file))
	before, err := newCourt(c.Judges, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer before.close(nil)
	ask := func(name string) {
		t.Helper()
		if _, err := before.adapters[0].Judge(t.Context(), "text", quorum.Standard); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	ask("with the first key")
	g.set("sk-guard-second", 200)
	putFile(t, file, "sk-guard-second\n")
	before.adapters[0].reread() // or a second later
	ask("with the second")

	again := c.Judges[0]
	again.Key = newSecret("sk-guard-second")
	after, err := newCourt([]JudgeConfig{again}, before, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if after.judges[0] != before.judges[0] {
		t.Error("a key that was rotated has the judge begin anew")
	}
}

// A companion's own judge has whatever key the companion has, a token too.
func TestAJudgeOfACompanionsHasItsToken(t *testing.T) {
	var issued atomic.Int64
	tokens := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"access_token":"token-%d","token_type":"Bearer","expires_in":3600}`, issued.Add(1))
	}))
	defer tokens.Close()
	const revoked = "Bearer token-1"
	var sent atomic.Pointer[string]
	own := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got := r.Header.Get("Authorization")
		sent.Store(&got)
		w.Header().Set("Content-Type", "application/json")
		if got == revoked {
			w.WriteHeader(http.StatusUnauthorized)
		}
		io.WriteString(w, `{"score":100,"violations":[]}`)
	}))
	defer own.Close()
	c := parse(t, fmt.Sprintf(`companions:
  - {id: MINE, provider: kaizen, endpoint: %q, tier: standard, oauth: {tokenURL: %q, clientID: kaizen, clientSecret: {env: OPENAI_API_KEY}}}
judges:
  - {id: own, kind: validate, companion: MINE}
`, own.URL, tokens.URL))
	court, err := newCourt(c.Judges, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer court.close(nil)
	if _, err := court.adapters[0].Judge(t.Context(), "text", quorum.Standard); err == nil || *sent.Load() != revoked {
		t.Errorf("with %q: %v", *sent.Load(), err)
	}
	// One that is not taken is not sent for ever: as with a companion, only one that
	// has just come is given another chance.
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for begun := time.Now(); *sent.Load() == revoked; <-tick.C {
		court.adapters[0].Judge(t.Context(), "text", quorum.Standard)
		if time.Since(begun) > patience {
			t.Fatal("the token that is not taken is still sent")
		}
	}
	if _, err := court.adapters[0].Judge(t.Context(), "text", quorum.Standard); err != nil {
		t.Errorf("with %q: %v", *sent.Load(), err)
	}
}

func TestSampleKeyIsTheVaultsOwn(t *testing.T) {
	file := filepath.Join(t.TempDir(), "vault.key")
	if _, err := sampleKey(file); err == nil {
		t.Error("made of no key")
	}
	if err := os.WriteFile(file, []byte("one"), 0o600); err != nil {
		t.Fatal(err)
	}
	a, err := sampleKey(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("two"), 0o600); err != nil {
		t.Fatal(err)
	}
	if b, err := sampleKey(file); err != nil || a == b || a == ([32]byte{}) {
		t.Errorf("another key gives the same, or %v", err)
	}
}
