package eval

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/valyala/fasthttp"
	"go.uber.org/goleak"

	"github.com/kaizen-os/deliberation/bench/sim"
	"github.com/kaizen-os/deliberation/gateway/wire"
	"github.com/kaizen-os/deliberation/quorum"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// fasthttp: the time of Date headers, and cleaners that sleep out their
		// ten seconds after a server is stopped or a client has no connections.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*HostClient).connsCleaner"))
}

// lastWord is a key function for replies that end in their answer.
func lastWord(_ quorum.Kind, _ []string, text string) string {
	fields := strings.Fields(strings.ToLower(strings.Trim(text, " .")))
	if len(fields) == 0 {
		return ""
	}
	return fields[len(fields)-1]
}

// Models big, mid and low; big is right most often, and the other two agree
// with each other against it once.
var made = map[string]string{
	"sums.jsonl": `{"id":"s1","prompt":"1+1","truth":"2","kind":"number","replies":[{"model":"big","text":"It is 2."},{"model":"mid","text":"2"},{"model":"low","text":"I say 3"}]}
{"id":"s2","prompt":"2+2","truth":"4","kind":"number","replies":[{"model":"big","text":"4"},{"model":"mid","text":"5"},{"model":"low","text":"5"}]}
{"id":"s3","prompt":"3+3","truth":"6","kind":"number","replies":[{"model":"big","text":"6"},{"model":"mid","text":"6"},{"model":"low","text":"7"}]}
{"id":"s4","prompt":"4+4","truth":"8","kind":"number","replies":[{"model":"big","text":"9"},{"model":"mid","text":"8"},{"model":"low","text":"8"}]}
`,
	"motions.jsonl": `{"id":"m1","prompt":"Motion: one.","truth":"approve","kind":"vote","replies":[{"model":"big","text":"yes","vote":"approve"},{"model":"low","text":"yes","vote":"approve"}]}
{"id":"m2","prompt":"Motion: two.","truth":"reject","kind":"vote","replies":[{"model":"big","text":"no","vote":"reject"},{"model":"low","text":"hm","vote":"abstain"}]}
`,
	"facts.jsonl": `{"id":"f1","prompt":"who?","truth":"Ada/Ada L.","kind":"freetext","replies":[{"model":"big","text":" Ada. ","ok":true},{"model":"low","text":"Bob","ok":false}]}
{"id":"f2","prompt":"where?","truth":"Rome","kind":"freetext","replies":[{"model":"big","text":"Oslo","ok":false},{"model":"low","text":"Rome","ok":true}]}
`,
	"chats.jsonl": `{"id":"c1","prompt":"","truth":null,"kind":"open","replies":[{"model":"big","text":"a long reply","score":8},{"model":"low","text":"a short one","score":5}]}
{"id":"c2","prompt":"","truth":null,"kind":"open","replies":[{"model":"big","text":"another","score":6},{"model":"low","text":"one more","score":7}]}
`,
	"panels.json": `{"_about":"made by hand",
 "sums":{"tiers":{"big":1.0,"mid":0.9,"low":0.7},"panels":{"small":["mid","low"]}},
 "motions":{"tiers":{"big":0.8,"low":0.5},"panels":{}},
 "facts":{"tiers":{"big":1.0,"low":0.5}},
 "chats":{"tiers":{"big":1.0,"low":0.5}}}`,
}

func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// double is a gateway that asks its panel in order and follows the majority, the
// first of equals; for free text, the first companion.
type double struct {
	mu         sync.Mutex
	panels     [][]sim.Endpoint
	requests   []wire.Request
	calibrated []calibrationItem
	status     int // answered in place of 200, if set
}

func (g *double) start(_ context.Context, panel []sim.Endpoint) (Gateway, error) {
	g.mu.Lock()
	g.panels = append(g.panels, panel)
	g.mu.Unlock()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return Gateway{}, err
	}
	s := &fasthttp.Server{Handler: func(ctx *fasthttp.RequestCtx) { g.handle(ctx, panel) }}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	return Gateway{URL: "http://" + l.Addr().String(), Key: "client", StewardKey: "steward", Stop: func() error {
		http.DefaultClient.CloseIdleConnections()
		err := s.Shutdown()
		l.Close()
		<-ended
		return err
	}}, nil
}

func (g *double) handle(ctx *fasthttp.RequestCtx, panel []sim.Endpoint) {
	key := strings.TrimPrefix(string(ctx.Request.Header.Peek("Authorization")), "Bearer ")
	if string(ctx.Path()) == "/api/calibration" && key == "steward" {
		var batch struct {
			Items []calibrationItem `json:"items"`
		}
		if err := json.Unmarshal(ctx.PostBody(), &batch); err != nil {
			ctx.Error("bad", 400)
			return
		}
		g.mu.Lock()
		g.calibrated = append(g.calibrated, batch.Items...)
		g.mu.Unlock()
		return
	}
	var r wire.Request
	if err := r.Decode(ctx.PostBody(), wire.DefaultLimits()); err != nil || key != "client" {
		ctx.Error("bad", 400)
		return
	}
	g.mu.Lock()
	g.requests = append(g.requests, r)
	status := g.status
	g.mu.Unlock()
	if status != 0 {
		ctx.Error(`{"error":{"code":"x"}}`, status)
		return
	}
	d := wire.Deliberation{ID: "dlb_1", Status: "carried"}
	d.Consensus.Confidence = 900_000
	counts := map[string]int{}
	for i, e := range panel {
		text, stance, err := askOne(e.URL, r.Prompt)
		if err != nil {
			ctx.Error("no companion", 502)
			return
		}
		outcome := "ok"
		if r.Wait != "all" && i == len(panel)-1 {
			outcome = "unneeded"
		}
		d.Ballots = append(d.Ballots, wire.Ballot{Companion: string(e.ID), Outcome: outcome})
		if i == 0 {
			d.Answer = strings.TrimSpace(text)
		}
		position := stance
		if r.Kind == "number" {
			position = lastWord(quorum.Number, nil, text)
		}
		if counts[position]++; position != "" && counts[position] > counts[d.Value] {
			d.Value = position
		}
	}
	switch r.Kind {
	case "vote":
		d.Value, d.Decision = "", d.Value
		if d.Decision == "reject" {
			d.Status = "lost"
		}
	case "text":
		d.Value = ""
		d.Consensus.Confidence = wire.None
	}
	ctx.SetBody(d.AppendTo(nil))
}

func askOne(origin, prompt string) (text, stance string, err error) {
	body, err := json.Marshal(map[string]string{"prompt": prompt})
	if err != nil {
		return "", "", err
	}
	res, err := http.Post(origin+"/v1/deliberate", "application/json", strings.NewReader(string(body)))
	if err != nil {
		return "", "", err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != 200 {
		return "", "", fmt.Errorf("status %d: %w", res.StatusCode, err)
	}
	var reply struct {
		Response string `json:"response"`
		Stance   string `json:"stance"`
	}
	err = json.Unmarshal(raw, &reply)
	return reply.Response, reply.Stance, err
}

func TestRun(t *testing.T) {
	g := &double{}
	var progress strings.Builder
	report, err := Run(t.Context(), Config{Dir: folder(t, made), Key: lastWord, Gateway: g.start, Progress: &progress})
	if err != nil {
		t.Fatal(err)
	}
	type row struct {
		set, panel string
		best       float64
		majority   float64
		gateway    float64
		ways       int
		heard      float64 // in the second way
	}
	want := []row{
		// big's slip on s4 is outvoted by the others, as is its being right on s2.
		{"chats", "all", 7, math.NaN(), 7, 1, 0},
		{"facts", "all", 0.5, math.NaN(), 0.5, 1, 0},
		{"motions", "all", 1, 1, 1, 3, 0.5},
		{"sums", "all", 0.75, 0.75, 0.75, 3, 2.0 / 3},
		{"sums", "small", 0.75, 0.75, 0.75, 3, 0.5},
	}
	if len(report.Results) != len(want) {
		t.Fatalf("%d results, want %d", len(report.Results), len(want))
	}
	same := func(a, b float64) bool { return math.Abs(a-b) < 1e-9 || math.IsNaN(a) && math.IsNaN(b) }
	for i, w := range want {
		r := report.Results[i]
		if r.Set != w.set || r.Panel != w.panel || len(r.Ways) != w.ways || !same(r.Best.Score, w.best) ||
			!same(r.Majority, w.majority) || !same(r.Ways[0].Score, w.gateway) || r.Ways[0].Heard != 1 {
			t.Errorf("%s %s: %+v, want %+v", w.set, w.panel, r, w)
			continue
		}
		if w.ways > 1 && (!same(r.Ways[1].Heard, w.heard) || r.Ways[1].Differs != 0 || r.Ways[1].Wait != quorum.WaitDecided) {
			t.Errorf("%s %s, wait decided: %+v", w.set, w.panel, r.Ways[1])
		}
		if r.Ways[0].Unmatched != 0 || !same(r.Ways[0].Decided, 1) {
			t.Errorf("%s %s: %+v", w.set, w.panel, r.Ways[0])
		}
	}
	if models := report.Results[3].Models; len(models) != 3 || models[0] != (Score{"big", 0.75}) || models[2] != (Score{"low", 0.25}) {
		t.Errorf("models %+v", models)
	}
	first := g.panels[3] // chats, facts, motions by all, decided, likely: the third is motions
	if first[0].Tier != quorum.Standard || first[0].Weight != "0.8" || first[1].Tier != quorum.Research || first[0].ID != "BIG" {
		t.Errorf("panel %+v", first)
	}
	kinds := map[string]int{}
	for _, r := range g.requests {
		kinds[r.Kind+" "+r.Wait]++
		if r.Context.Tier != "research" {
			t.Errorf("asked at tier %s", r.Context.Tier)
		}
	}
	if kinds["text all"] != 4 || kinds["vote likely"] != 2 || kinds["number decided"] != 8 || len(kinds) != 7 {
		t.Errorf("asked %v", kinds)
	}
	var text, markdown strings.Builder
	if err := errors.Join(report.WriteText(&text), report.WriteMarkdown(&markdown)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"sums", "small (2)", "7.00", "75.0", "+0.0 (", "4 carried", "1 carried, 1 lost", "66.7 %", "decided", "big"} {
		if !strings.Contains(text.String(), want) || !strings.Contains(markdown.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, text.String())
		}
	}
	if strings.Count(progress.String(), "\n") != 11 {
		t.Errorf("progress:\n%s", progress.String())
	}
}

func TestLabelledPromptsAreGivenAndNotGraded(t *testing.T) {
	g := &double{}
	report, err := Run(t.Context(), Config{
		Dir: folder(t, made), Sets: []string{"sums", "facts"}, Panels: []string{"all"}, Labelled: 1, Limit: 2,
		Waits: []quorum.Wait{quorum.WaitAll}, Key: lastWord, Gateway: g.start,
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Results) != 2 || report.Results[0].Prompts != 1 || report.Results[1].Prompts != 2 {
		t.Fatalf("results %+v", report.Results)
	}
	if len(g.calibrated) != 2 || len(g.requests) != 3 {
		t.Fatalf("%d given, %d asked", len(g.calibrated), len(g.requests))
	}
	for _, item := range g.calibrated {
		for _, r := range g.requests {
			if r.Prompt == item.Prompt {
				t.Errorf("%q was given with its truth and graded", item.Prompt)
			}
		}
		if item.Prompt == "who?" && (item.Kind != "text" || len(item.Truth) != 2 || item.Truth[1] != "Ada L.") {
			t.Errorf("given %+v", item)
		}
	}
}

func TestWhatAGatewayAnswersBadlyIsAnOutcome(t *testing.T) {
	for _, status := range []int{503, 403, 202} {
		g := &double{status: status}
		report, err := Run(t.Context(), Config{Dir: folder(t, made), Sets: []string{"sums"}, Panels: []string{"all"},
			Waits: []quorum.Wait{quorum.WaitAll}, Key: lastWord, Gateway: g.start})
		if err != nil {
			t.Fatal(err)
		}
		way := report.Results[0].Ways[0]
		if way.Score != 0 || way.Statuses[fmt.Sprintf("http %d", status)] != 4 || !math.IsNaN(way.AUROC) || way.OverBest.Mean != -0.75 {
			t.Errorf("status %d: %+v", status, way)
		}
	}
}

func TestRunFails(t *testing.T) {
	g := &double{}
	broken := errors.New("no gateway today")
	with := func(name, text string) map[string]string {
		files := map[string]string{"sums.jsonl": made["sums.jsonl"], "panels.json": made["panels.json"]}
		files[name] = text
		return files
	}
	for _, tt := range []struct {
		name  string
		files map[string]string
		cfg   Config
		want  error
	}{
		{"no key function", made, Config{Gateway: g.start}, nil},
		{"no gateway", made, Config{Key: lastWord}, nil},
		{"a negative limit", made, Config{Key: lastWord, Gateway: g.start, Limit: -1}, nil},
		{"an empty folder", nil, Config{Key: lastWord, Gateway: g.start}, nil},
		{"an unknown set", made, Config{Key: lastWord, Gateway: g.start, Sets: []string{"riddles"}}, nil},
		{"an unknown panel", made, Config{Key: lastWord, Gateway: g.start, Panels: []string{"huge"}}, nil},
		{"all prompts labelled", made, Config{Key: lastWord, Gateway: g.start, Labelled: 4}, nil},
		{"no panels.json", map[string]string{"sums.jsonl": made["sums.jsonl"]}, Config{Key: lastWord, Gateway: g.start}, ErrPanels},
		{"a broken panels.json", with("panels.json", "{"), Config{Key: lastWord, Gateway: g.start}, ErrPanels},
		{"a weight of no tier", with("panels.json", `{"sums":{"tiers":{"big":0.6}}}`), Config{Key: lastWord, Gateway: g.start}, ErrPanels},
		{"a model without tier", with("panels.json", `{"sums":{"tiers":{"big":1.0}}}`), Config{Key: lastWord, Gateway: g.start}, ErrPanels},
		{"a panel of unknown models", with("panels.json", `{"sums":{"tiers":{"big":1.0,"mid":1.0,"low":1.0},"panels":{"x":["nobody"]}}}`), Config{Key: lastWord, Gateway: g.start}, ErrPanels},
		{"an empty panel", with("panels.json", `{"sums":{"tiers":{"big":1.0,"mid":1.0,"low":1.0},"panels":{"x":[]}}}`), Config{Key: lastWord, Gateway: g.start}, ErrPanels},
		{"a broken recording", with("sums.jsonl", "{"), Config{Key: lastWord, Gateway: g.start}, sim.ErrRecording},
		{"a gateway that does not start", made, Config{Key: lastWord, Gateway: func(context.Context, []sim.Endpoint) (Gateway, error) { return Gateway{}, broken }}, broken},
		{"a gateway that is nowhere", made, Config{Key: lastWord, Gateway: func(context.Context, []sim.Endpoint) (Gateway, error) {
			return Gateway{URL: "http://127.0.0.1:1"}, nil
		}}, nil},
		{"a gateway without address", made, Config{Key: lastWord, Gateway: func(context.Context, []sim.Endpoint) (Gateway, error) { return Gateway{}, nil }}, nil},
	} {
		tt.cfg.Dir = folder(t, tt.files)
		if report, err := Run(t.Context(), tt.cfg); err == nil || tt.want != nil && !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, %v", tt.name, report, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Run(ctx, Config{Dir: folder(t, made), Key: lastWord, Gateway: g.start}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func FuzzDecodePanels(f *testing.F) {
	f.Add([]byte(made["panels.json"]))
	f.Add([]byte(`{"a":{"tiers":{"x":0.8}}}`))
	f.Add([]byte(`{"a":7}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		sets, err := decodePanels(raw)
		if err != nil && !errors.Is(err, ErrPanels) {
			t.Errorf("%v is no ErrPanels", err)
		}
		for name, set := range sets {
			for model, weight := range set.Tiers {
				if tier, _, err := tierOf(weight); err != nil || tier == quorum.NoTier {
					t.Errorf("%s: %s has weight %v", name, model, weight)
				}
			}
		}
	})
}
