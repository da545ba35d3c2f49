package eval

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"maps"
	"math"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/valyala/fasthttp"
	"go.uber.org/goleak"

	"github.com/kaizen-os/deliberation/bench/sim"
	"github.com/kaizen-os/deliberation/bench/table"
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

// A double starts gateways that know nothing of deliberation. With tier weights
// every companion weighs the same, else the first weighs 1 and any other 0.4; the
// heaviest answer leads, the first of equals. A text is a position of its own.
//
// With wait all everyone is heard, with decided all but the last seat, with likely
// all but the first.
type double struct {
	status      map[string]int // by prompt: answered in place of a verdict
	memorises   bool           // answers only what it was calibrated with, and that always right
	unteachable bool           // refuses labelled prompts
	drifts      bool           // weighs the panel anew for every question
	cutOff      string         // a prompt at which the connection ends, and no more is accepted

	mu      sync.Mutex
	started []*doubled
}

// doubled is one gateway of a double, and what was asked of it.
type doubled struct {
	*double
	want       GatewayConfig
	calibrated []calibrationItem
	requests   []wire.Request
	read       int // deliberations read back
	cut        func()
}

func (g *double) start(_ context.Context, want GatewayConfig) (Gateway, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return Gateway{}, err
	}
	one := &doubled{double: g, want: want, cut: func() { l.Close() }}
	g.mu.Lock()
	g.started = append(g.started, one)
	g.mu.Unlock()
	s := &fasthttp.Server{Handler: one.handle, Logger: log.New(io.Discard, "", 0)}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	return Gateway{URL: "http://" + l.Addr().String(), Key: "client", StewardKey: "steward", Stop: func() error {
		http.DefaultClient.CloseIdleConnections()
		err := s.Shutdown()
		l.Close()
		<-ended
		if g.cutOff != "" {
			return nil // the listener was closed before
		}
		return err
	}}, nil
}

func (g *doubled) handle(ctx *fasthttp.RequestCtx) {
	key := strings.TrimPrefix(string(ctx.Request.Header.Peek("Authorization")), "Bearer ")
	if path := string(ctx.Path()); path == "/api/calibration" && key == "steward" {
		var batch struct {
			Items []calibrationItem `json:"items"`
		}
		if err := json.Unmarshal(ctx.PostBody(), &batch); err != nil {
			ctx.Error("bad", 400)
			return
		}
		if g.unteachable {
			ctx.Error(`{"error":{"code":"invalid_value","message":"two fields","details":[{"field":"items[0].truth","problem":"is blank"}]}}`, 422)
			return
		}
		g.mu.Lock()
		g.calibrated = append(g.calibrated, batch.Items...)
		g.mu.Unlock()
		return
	} else if path == "/v1/deliberations/dlb_1" && key == "client" {
		g.mu.Lock()
		g.read++
		g.mu.Unlock()
		d := wire.Deliberation{ID: "dlb_1", Status: "carried", Timing: wire.Timing{Overhead: 40}}
		ctx.SetBody(d.AppendTo(nil))
		return
	}
	var r wire.Request
	if err := r.Decode(ctx.PostBody(), wire.DefaultLimits()); err != nil || key != "client" {
		ctx.Error("bad", 400)
		return
	}
	g.mu.Lock()
	g.requests = append(g.requests, r)
	asked := len(g.requests)
	g.mu.Unlock()
	if r.Prompt == g.cutOff {
		g.cut()
		ctx.HijackSetNoResponse(true)
		ctx.Hijack(func(c net.Conn) { c.Close() })
		return
	}
	if status := g.status[r.Prompt]; status != 0 {
		ctx.Error(`{"error":{"code":"x"}}`, status)
		return
	}
	d, err := g.deliberate(&r, asked)
	if err != nil {
		ctx.Error("no companion", 502)
		return
	}
	ctx.SetBody(d.AppendTo(nil))
}

func (g *doubled) deliberate(r *wire.Request, asked int) (*wire.Deliberation, error) {
	d := &wire.Deliberation{ID: "dlb_1", Status: "carried", Timing: wire.Timing{Overhead: 600}, Positions: []wire.Position{}}
	d.Consensus.Confidence = 900_000
	var keys []string // by position
	var weights, equal []wire.PPM
	for i, e := range g.want.Panel {
		text, stance, err := askOne(e.URL, r.Prompt)
		if err != nil {
			return nil, err
		}
		b := wire.Ballot{Companion: string(e.ID), Outcome: "ok", Counted: true, Position: -1, Stance: stance, Weight: 400_000}
		if i == 0 || g.want.TierWeights {
			b.Weight = 1_000_000
		}
		if g.drifts {
			b.Weight -= wire.PPM(asked)
		}
		if r.Wait == "decided" && i == len(g.want.Panel)-1 || r.Wait == "likely" && i == 0 {
			b.Outcome, b.Counted = "unneeded", false
			d.Ballots = append(d.Ballots, b)
			continue
		}
		key := strings.TrimSpace(text)
		switch r.Kind {
		case "vote":
			key = stance
		case "number":
			key = lastWord(quorum.Number, nil, text)
		}
		if key != "abstain" {
			b.Position = slices.Index(keys, key)
			if b.Position < 0 || r.Kind == "text" {
				b.Position = len(keys)
				keys, weights, equal = append(keys, key), append(weights, 0), append(equal, 0)
				d.Positions = append(d.Positions, wire.Position{Answer: key})
			}
			weights[b.Position] += b.Weight
			equal[b.Position] += 1_000_000
		}
		d.Ballots = append(d.Ballots, b)
	}
	if len(keys) == 0 {
		d.Status = "inquorate"
		return d, nil
	}
	leader := 0
	for i := range weights {
		if weights[i] > weights[leader] {
			leader = i
		}
	}
	// The leader is position 0.
	for i := range d.Ballots {
		switch b := &d.Ballots[i]; b.Position {
		case 0:
			b.Position = leader
		case leader:
			b.Position = 0
		}
	}
	d.Positions[0], d.Positions[leader] = d.Positions[leader], d.Positions[0]
	d.Consensus.FlipsByTier = slices.Max(equal) > equal[leader]
	switch r.Kind {
	case "vote":
		if d.Decision = keys[leader]; d.Decision == "reject" {
			d.Status = "lost"
		}
	case "text":
		d.Answer = keys[leader]
		d.Consensus.Confidence = wire.None
	default:
		d.Value = keys[leader]
	}
	if g.memorises {
		d.Value = "unknown"
		g.mu.Lock()
		defer g.mu.Unlock()
		for _, known := range g.calibrated {
			if known.Prompt == r.Prompt {
				d.Value = known.Truth[0]
			}
		}
	}
	return d, nil
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

// near is equal but for rounding, and NaN equals itself.
func near(a, b float64) bool { return math.Abs(a-b) < 1e-9 || math.IsNaN(a) && math.IsNaN(b) }

func TestRun(t *testing.T) {
	g := &double{}
	var progress strings.Builder
	report, err := Run(t.Context(), Config{Dir: folder(t, made), Key: lastWord, Gateway: g.start, Progress: &progress,
		Labels: []int{2, 0}, Folds: 2, Seed: 1, Waits: []quorum.Wait{quorum.WaitDecided, quorum.WaitAll, quorum.WaitLikely}})
	if err != nil {
		t.Fatal(err)
	}
	// Of two equal differences of one among four prompts.
	even := Interval{0, -z95 * math.Sqrt(1.0/6), z95 * math.Sqrt(1.0/6)}
	none := Interval{0, 0, 0}
	type want struct {
		set, panel, best string
		score            float64 // of the best, and of the gateway however it weighs
		majority         float64 // NaN: none
		byMajority       Interval
		flips            float64
		heard            float64 // with decided and with likely; 0: not compared
		leaders          int     // with likely
		confident        bool
		models           []float64
	}
	for i, w := range []want{
		{"chats", "all", "big", 7, math.NaN(), none, 0, 0, 0, false, []float64{7, 6}},
		{"facts", "all", "big", 0.5, 0.5, none, 0, 0, 0, false, []float64{0.5, 0.5}},
		{"motions", "all", "big", 1, 1, none, 0, 0.5, 1, true, []float64{1, 0.5}}, // without big nobody takes a position on the second
		// big is outvoted when it is right (s2) and when it is wrong (s4); so it is
		// when it is not waited for.
		{"sums", "all", "big", 0.75, 0.75, even, 0.5, 2.0 / 3, 2, true, []float64{0.75, 0.75, 0.25}},
		{"sums", "small", "mid", 0.75, 0.75, none, 0, 0.5, 2, true, []float64{0.75, 0.25}},
	} {
		if i >= len(report.Results) {
			t.Fatalf("%d results", len(report.Results))
		}
		r := report.Results[i]
		if r.Set != w.set || r.Panel != w.panel || r.Best != w.best || len(r.Models) != len(w.models) || (r.Majority == nil) != math.IsNaN(w.majority) {
			t.Errorf("result %d is %s %s, best %s, %d models", i, r.Set, r.Panel, r.Best, len(r.Models))
			continue
		}
		for j, score := range w.models {
			if !near(r.Models[j].Score, score) {
				t.Errorf("%s %s: %s scores %v, want %v", w.set, w.panel, r.Models[j].Name, r.Models[j].Score, score)
			}
		}
		if m := r.Majority; m != nil && (!near(m.Score, w.majority) || !near(m.OverBest.Mean, w.byMajority.Mean) || !near(m.OverBest.Low, w.byMajority.Low)) {
			t.Errorf("%s %s: majority %+v", w.set, w.panel, m)
		}
		gateways := r.gatewaysOf()
		if labelled := w.set != "chats"; labelled != (len(gateways) == 3) || gateways[1].Name != "earned, 0 labels" {
			t.Errorf("%s %s: %d gateways", w.set, w.panel, len(gateways))
		}
		for j, c := range gateways {
			flips, over := w.flips, none
			if j == 0 {
				flips, over = math.NaN(), w.byMajority
			}
			auroc, calibration := math.NaN(), math.NaN()
			if w.confident {
				// Always 0.9: as often higher as lower, and off by the rest.
				auroc, calibration = 0.5, math.Abs(0.9-w.score)
				if w.score == 1 {
					auroc = math.NaN()
				}
			}
			v := c.Verdicts
			if !near(c.Score, w.score) || !near(c.OverBest.Mean, over.Mean) || !near(c.OverBest.High, over.High) || v.Unmatched != 0 ||
				!near(v.Flips, flips) || v.Decided != 1 || !near(v.DecidedScore, w.score) || !near(v.AUROC, auroc) || !near(v.Calibration, calibration) {
				t.Errorf("%s %s, %s: %+v %+v", w.set, w.panel, c.Name, c, v)
			}
		}
		if len(gateways) == 3 && (gateways[2].Verdicts.Labels != 2 || gateways[2].Verdicts.Given != min(2, r.Prompts/2)) {
			t.Errorf("%s %s: %+v", w.set, w.panel, gateways[2].Verdicts)
		}
		if r.Cost != (Cost{r.Prompts, 40, 600}) {
			t.Errorf("%s %s: %+v", w.set, w.panel, r.Cost)
		}
		if (r.Early == nil) != (w.heard == 0) {
			t.Errorf("%s %s: waiting %+v", w.set, w.panel, r.Early)
		}
		if r.Early == nil {
			continue
		}
		decided, likely := r.Early.Ways[0], r.Early.Ways[1]
		if r.Early.Labels != 2 || len(r.Early.Ways) != 2 || !near(decided.Heard, w.heard) || !near(likely.Heard, w.heard) || decided.Compared != r.Prompts {
			t.Errorf("%s %s: waiting %+v", w.set, w.panel, r.Early)
		}
		if decided.Leaders != 0 || decided.Verdicts != 0 || decided.AgainstAll != none || likely.Leaders != w.leaders {
			t.Errorf("%s %s: waiting %+v", w.set, w.panel, r.Early.Ways)
		}
	}
	if n := strings.Count(progress.String(), "\n"); n != 5+5+4+5 { // tier weights, 0 labels, 2 labels but of chats, cost
		t.Errorf("progress:\n%s", progress.String())
	}
	kinds := map[string]bool{}
	for _, one := range g.started {
		if one.want.NoAgreement {
			t.Error("ways of waiting were compared on a gateway of their own")
		}
		for _, r := range one.requests {
			kinds[r.Kind+" "+r.Wait] = true
			if r.Context.Tier != "research" {
				t.Errorf("asked at tier %s", r.Context.Tier)
			}
		}
	}
	if len(kinds) != 7 || !kinds["text all"] || !kinds["vote likely"] || !kinds["number decided"] {
		t.Errorf("asked %v", kinds)
	}
	first := g.started[0].want.Panel // of chats
	if first[0].Tier != quorum.Critical || first[1].Tier != quorum.Research || first[0].ID != "BIG" {
		t.Errorf("panel %+v", first)
	}
	checkReport(t, report)
}

var rewrite = flag.Bool("rewrite", false, "write testdata anew")

// checkReport holds a report of TestRun to what is printed of it, figure by figure.
func checkReport(t *testing.T, report *Report) {
	t.Helper()
	for name, write := range map[string]func(io.Writer) error{"made.txt": report.WriteText, "made.md": report.WriteMarkdown, "made.json": report.WriteJSON} {
		var got strings.Builder
		if err := write(&got); err != nil {
			t.Fatal(err)
		}
		for _, line := range strings.Split(got.String(), "\n") {
			if name == "made.txt" && utf8.RuneCountInString(line) > table.Columns {
				t.Errorf("wider than a terminal: %s", line)
			}
		}
		file := filepath.Join("testdata", name)
		if *rewrite {
			if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got.String() != string(want) {
			t.Errorf("%s is no longer what is printed (go test ./bench/eval -rewrite, and look at each figure):\n%s", file, got.String())
		}
	}
}

// A gateway that answers right just what it was told beforehand is never right
// when it is graded on other prompts only.
func TestNoGatewayIsGradedOnWhatItWasGiven(t *testing.T) {
	g := &double{memorises: true}
	report, err := Run(t.Context(), Config{Dir: folder(t, made), Sets: []string{"sums", "facts"}, Panels: []string{"all"}, Key: lastWord, Gateway: g.start,
		Labels: []int{1, 100}, Folds: 3, Seed: 7, Waits: []quorum.Wait{quorum.WaitLikely}})
	if err != nil {
		t.Fatal(err)
	}
	if sums := report.Results[1]; sums.earned(1).Score != 0 || sums.earned(100).Score != 0 || sums.Early.Ways[0].Score != 0 {
		t.Errorf("graded on what it was given: %+v", sums)
	}
	asked := map[string]int{} // of the gateways that were given labels
	batches := map[int]int{}  // how many gateways were given so many
	for _, one := range g.started {
		given := map[string]bool{}
		for _, item := range one.calibrated {
			given[item.Prompt] = true
			if item.Prompt == "who?" && (item.Kind != "text" || !slices.Equal(item.Truth, []string{"Ada", "Ada L."})) {
				t.Errorf("given %+v", item)
			}
		}
		if len(given) != len(one.calibrated) {
			t.Errorf("given twice: %+v", one.calibrated)
		}
		batches[len(given)]++
		for _, r := range one.requests {
			if given[r.Prompt] {
				t.Errorf("%q was given with its truth, and graded", r.Prompt)
			}
			if len(given) > 0 {
				asked[r.Prompt+" "+r.Wait]++
			}
		}
	}
	// Three folds of four sums: 2, 1 and 1 prompts, so 2, 3 and 3 others; of two
	// facts: 1, 1 and none, so 1 other each. Tier weights and cost are given none.
	if want := map[int]int{0: 4, 1: 3 + 2 + 2, 2: 1, 3: 2}; !maps.Equal(batches, want) {
		t.Errorf("gateways by labels given: %v, want %v", batches, want)
	}
	for _, it := range []string{"1+1", "2+2", "3+3", "4+4", "who?", "where?"} {
		if asked[it+" all"] != 3 {
			t.Errorf("%q was graded %d times, by two contenders and, of the one with most labels, with a few asked first", it, asked[it+" all"])
		}
	}
	if asked["1+1 likely"] != 1 || asked["who? likely"] != 0 {
		t.Errorf("asked %v", asked)
	}
}

func TestFoldsAreTheSameForTheSameSeed(t *testing.T) {
	rec := &sim.Recording{Name: "many"}
	for i := range 57 {
		kind := sim.NumberItem
		if i%3 == 0 {
			kind = sim.ChoiceItem
		}
		rec.Items = append(rec.Items, sim.Item{ID: fmt.Sprintf("q%d", i), Truth: "1", Kind: kind, NOptions: 2})
	}
	ids := func(items []*sim.Item) (out []string) {
		for _, it := range items {
			out = append(out, it.ID)
		}
		return out
	}
	g := grader{lastWord}
	cfg := &Config{Folds: 5, Seed: 3}
	s := newSplit(rec, cfg)
	turned := &sim.Recording{Name: "many", Items: slices.Clone(rec.Items)}
	slices.Reverse(turned.Items)
	if again := newSplit(turned, cfg); !slices.Equal(ids(again.items), ids(s.items)) || !slices.Equal(ids(again.labelled(2, 9, g)), ids(s.labelled(2, 9, g))) {
		t.Error("the order of the file changes the folds")
	}
	if other := newSplit(rec, &Config{Folds: 5, Seed: 4}); slices.Equal(ids(other.items), ids(s.items)) {
		t.Error("another seed gives the same folds")
	}
	if slices.Equal(ids(s.items), ids(newSplit(rec, &Config{Folds: 5}).items)) || slices.IsSorted(ids(s.items)) {
		t.Error("nothing is shuffled")
	}
	seen := map[int]int{}
	for k := range 5 {
		mine := map[string]bool{}
		for _, i := range s.fold(k) {
			seen[i]++
			mine[s.graded[i].ID] = true
		}
		few, many := s.labelled(k, 9, g), s.labelled(k, 1000, g)
		counts := map[sim.RecordedKind]int{}
		for _, it := range few {
			counts[it.Kind]++
		}
		if len(few) != 18 || counts[sim.ChoiceItem] != 9 || len(many) != 57-len(mine) {
			t.Errorf("fold %d: %d drawn of each kind %v, %d of all", k, len(few), counts, len(many))
		}
		for _, it := range many {
			if mine[it.ID] {
				t.Errorf("fold %d is labelled with its own %s", k, it.ID)
			}
		}
		for _, it := range few {
			if !slices.Contains(many, it) {
				t.Errorf("fold %d: a larger draw lacks %s", k, it.ID)
			}
		}
	}
	if len(seen) != 57 {
		t.Errorf("%d of 57 prompts are in folds", len(seen))
	}
	for i, n := range seen {
		if n != 1 {
			t.Errorf("prompt %d is in %d folds", i, n)
		}
	}
	few := newSplit(rec, &Config{Folds: 5, Seed: 3, Limit: 7})
	if len(few.graded) != 7 || len(few.items) != 57 || len(few.fold(0)) != 2 || len(few.labelled(0, 1000, g)) != 45 {
		t.Errorf("limited: %d graded of %d", len(few.graded), len(few.items))
	}
}

// Without labels, ways of waiting are compared on a gateway whose weights do not
// move; where weights do move all the same, nothing is compared.
func TestWaysOfWaitingAreComparedOnEqualWeights(t *testing.T) {
	g := &double{drifts: true}
	cfg := Config{Dir: folder(t, made), Sets: []string{"sums"}, Panels: []string{"all"}, Key: lastWord, Gateway: g.start,
		Labels: []int{0}, Waits: []quorum.Wait{quorum.WaitLikely}}
	report, err := Run(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if way := report.Results[0].Early.Ways[0]; way.Compared != 0 || way.Leaders != 0 || way.Verdicts != 0 {
		t.Errorf("compared on other weights: %+v", way)
	}
	still := 0
	for _, one := range g.started {
		if one.want.NoAgreement {
			still++
			if len(one.requests) != 8 || len(one.calibrated) != 0 {
				t.Errorf("%d asked of the gateway that learns nothing", len(one.requests))
			}
		}
	}
	if still != 1 || len(g.started) != 4 { // tier weights, 0 labels, waiting, cost
		t.Errorf("%d of %d gateways learn nothing by agreement", still, len(g.started))
	}
}

func TestWhatAGatewayAnswersBadlyIsAnOutcome(t *testing.T) {
	for _, status := range []int{503, 403, 202} {
		g := &double{status: map[string]int{"1+1": status, "4+4": status}}
		report, err := Run(t.Context(), Config{Dir: folder(t, made), Sets: []string{"sums"}, Panels: []string{"all"}, Labels: []int{0, 1},
			Waits: []quorum.Wait{quorum.WaitDecided}, Key: lastWord, Gateway: g.start})
		if err != nil {
			t.Fatal(err)
		}
		r := report.Results[0]
		for _, c := range r.Earned {
			// big leads on s2 and s3, and is right both times; s1 and s4 count as wrong.
			statuses := map[string]int{"carried": 2, fmt.Sprintf("http %d", status): 2}
			if c.Score != 0.5 || !maps.Equal(c.Verdicts.Statuses, statuses) || c.Verdicts.Decided != 0.5 || c.Verdicts.DecidedScore != 1 || c.OverBest.Mean != -0.25 {
				t.Errorf("status %d: %+v %+v", status, c, c.Verdicts)
			}
		}
		if way := r.Early.Ways[0]; way.Score != 0.5 || way.Compared != 2 || way.Verdicts != 0 || !near(way.Heard, 2.0/3) {
			t.Errorf("status %d: %+v", status, way)
		}
		if r.Majority.Score != 0.25 || r.Cost.Prompts != 2 { // right on s3 alone
			t.Errorf("status %d: majority %+v, cost %+v", status, r.Majority, r.Cost)
		}
	}
}

// What was measured before a gateway died is kept.
func TestAGatewayThatDiesEndsTheRun(t *testing.T) {
	g := &double{cutOff: "3+3"}
	report, err := Run(t.Context(), Config{Dir: folder(t, made), Key: lastWord, Gateway: g.start, Labels: []int{0, 1}, Waits: []quorum.Wait{quorum.WaitDecided}})
	if err == nil || !strings.HasPrefix(err.Error(), "eval: sums, panel all: POST ") || strings.Contains(err.Error(), "\n") {
		t.Errorf("error %v", err)
	}
	if report == nil || len(report.Results) != 3 || report.Results[2].Set != "motions" {
		t.Fatalf("report %+v", report)
	}
	var text strings.Builder
	if err := report.WriteText(&text); err != nil || !strings.Contains(text.String(), "motions, all (2)") {
		t.Errorf("%v\n%s", err, text.String())
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
		{"a negative number of labels", made, Config{Key: lastWord, Gateway: g.start, Labels: []int{-1}}, nil},
		{"a single fold", made, Config{Key: lastWord, Gateway: g.start, Folds: 1}, nil},
		{"no panels.json", map[string]string{"sums.jsonl": made["sums.jsonl"]}, Config{Key: lastWord, Gateway: g.start}, ErrPanels},
		{"a broken panels.json", with("panels.json", "{"), Config{Key: lastWord, Gateway: g.start}, ErrPanels},
		{"a weight of no tier", with("panels.json", `{"sums":{"tiers":{"big":0.6}}}`), Config{Key: lastWord, Gateway: g.start}, ErrPanels},
		{"a model without tier", with("panels.json", `{"sums":{"tiers":{"big":1.0}}}`), Config{Key: lastWord, Gateway: g.start}, ErrPanels},
		{"a panel of unknown models", with("panels.json", `{"sums":{"tiers":{"big":1.0,"mid":1.0,"low":1.0},"panels":{"x":["nobody"]}}}`), Config{Key: lastWord, Gateway: g.start}, ErrPanels},
		{"an empty panel", with("panels.json", `{"sums":{"tiers":{"big":1.0,"mid":1.0,"low":1.0},"panels":{"x":[]}}}`), Config{Key: lastWord, Gateway: g.start}, ErrPanels},
		{"a broken recording", with("sums.jsonl", "{"), Config{Key: lastWord, Gateway: g.start}, sim.ErrRecording},
		{"a gateway that does not start", made, Config{Key: lastWord, Gateway: func(context.Context, GatewayConfig) (Gateway, error) { return Gateway{}, broken }}, broken},
		{"a gateway that takes no labels", made, Config{Key: lastWord, Gateway: (&double{unteachable: true}).start, Labels: []int{1}}, nil},
		{"a gateway that is nowhere", made, Config{Key: lastWord, Gateway: func(context.Context, GatewayConfig) (Gateway, error) {
			return Gateway{URL: "http://127.0.0.1:1"}, nil
		}}, nil},
		{"a gateway without address", made, Config{Key: lastWord, Gateway: func(context.Context, GatewayConfig) (Gateway, error) { return Gateway{}, nil }}, nil},
	} {
		tt.cfg.Dir = folder(t, tt.files)
		if report, err := Run(t.Context(), tt.cfg); err == nil || tt.want != nil && !errors.Is(err, tt.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, %v", tt.name, report, err)
		} else if tt.name == "a gateway that takes no labels" && !strings.HasSuffix(err.Error(), "status 422: two fields: items[0].truth is blank") {
			t.Errorf("%s: %v", tt.name, err)
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
