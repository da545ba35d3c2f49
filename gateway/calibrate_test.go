package gateway

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/kaizen-os/deliberation/gateway/wire"
	"github.com/kaizen-os/deliberation/quorum"
)

// asSteward is the header of a rig's steward.
var asSteward = []string{"Authorization", "Bearer " + stewardKey}

// calibrating is POST /api/calibration by the steward.
func (r *rig) calibrating(items ...string) *response {
	r.t.Helper()
	return r.send(http.MethodPost, "/api/calibration", `{"items":[`+strings.Join(items, ",")+`]}`, asSteward...)
}

// calibrated wants the usual 200, and a receipt.
func (r *rig) calibrated(items ...string) *wire.Calibration {
	r.t.Helper()
	return r.calibrating(items...).calibration(r)
}

func (resp *response) calibration(r *rig) *wire.Calibration {
	r.t.Helper()
	c := new(wire.Calibration)
	if resp.status != http.StatusOK {
		r.t.Fatalf("status %d: %s", resp.status, resp.body)
	}
	if err := c.Decode(resp.body); err != nil {
		r.t.Fatal(err)
	}
	if receipt := r.get(c.Proof.Receipt); receipt.status != http.StatusOK || !strings.HasPrefix(string(receipt.body), "c2sp.org/tlog-proof@v1\n") {
		r.t.Errorf("receipt: %d %s", receipt.status, receipt.body)
	}
	return c
}

// sums are n labelled additions, the first of them from + from.
func sums(from, n int, rest string) []string {
	var items []string
	for i := from; i < from+n; i++ {
		items = append(items, fmt.Sprintf(`{"prompt":"What is %d + %d?","kind":"number","truth":"%d"%s}`, i, i, 2*i, rest))
	}
	return items
}

// adds answers sums, and those below wrong by one too many.
func adds(wrong int) behaviour {
	return func(w http.ResponseWriter, c *call) {
		var asked struct{ Prompt string }
		var a, b int
		if json.Unmarshal(c.body, &asked) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		if _, err := fmt.Sscanf(asked.Prompt, "What is %d + %d?", &a, &b); err != nil {
			io.WriteString(w, saying("response", "I hear no sum; the answer is 0."))
			return
		}
		sum := a + b
		if a < wrong {
			sum++
		}
		io.WriteString(w, saying("response", fmt.Sprintf("Let me add. The answer is %d.", sum)))
	}
}

func cellOf(t testing.TB, c *wire.Calibration, id string, cell int) wire.CalibratedCell {
	t.Helper()
	for _, m := range c.Companions {
		if m.Companion == id {
			return m.Cells[cell]
		}
	}
	t.Fatalf("%s is not in %+v", id, c)
	return wire.CalibratedCell{}
}

// 30 labelled prompts move reliability and weights as DESIGN §4.4 says, at once:
// p = (10·parent + right) / (10 + n), parent = 0.2 + 0.6·tier weight, and
// w = (ln(5p/(1-p)) / the panel's largest)^4.
func TestThirtyLabelsMoveWeightsAsTheFormulaSays(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: []*companion{
		member(t, "AUREA", adds(3)), member(t, "ATLAS", adds(9)), member(t, "SOLARA", adds(0)), member(t, "ECHO", adds(27))}})
	c := r.calibrated(sums(0, 30, "")...)
	if c.Items != 30 || c.Usage != (wire.Usage{InputTokens: 4 * 30 * 31, OutputTokens: 4 * 30 * 120, CostMicroUSD: c.Usage.CostMicroUSD}) || c.Usage.CostMicroUSD == 0 || c.Timing.Total == 0 {
		t.Errorf("%+v", c)
	}
	after := r.ask(`{"prompt":"What is 40 + 2?","kind":"number","wait":"all","context":{"tier":"research"}}`)
	was := []float64{0.8, 0.8, 0.62, 0.5}
	is := []float64{0.875, 0.725, 0.905, 0.2} // (8+27)/40, (8+21)/40, (6.2+30)/40, (5+3)/40
	for i, id := range []string{"AUREA", "ATLAS", "SOLARA", "ECHO"} {
		cell := cellOf(t, c, id, 0)
		right := []int64{27, 21, 30, 3}[i]
		if cell.Kind != "number" || cell.Topic != "" || cell.Items != 30 || cell.Seen != 30 || cell.Right != right {
			t.Errorf("%s: %+v, want %d right of 30", id, cell, right)
		}
		if got, want := cell.Reliability, (wire.Change{Before: wire.PPM(was[i]*1e6 + .5), After: wire.PPM(is[i]*1e6 + .5)}); got != want {
			t.Errorf("%s: reliability %+v, want %+v", id, got, want)
		}
		for name, tt := range map[string]struct {
			got  wire.PPM
			want []float64
		}{
			"before, as reported": {cell.Weight.Before, was}, "after, as reported": {cell.Weight.After, is},
			"after, as decided by": {ballot(t, after, id).Weight, is},
		} {
			if want := earned(tt.want, i); math.Abs(float64(tt.got)/1e6-want) > 5e-6 {
				t.Errorf("%s: weight %s is %s, want %.6f", id, name, tt.got, want)
			}
		}
	}
	rec := of[*quorum.Calibration](r.journal)
	if len(rec) != 1 || rec[0].ID != c.ID || rec[0].Actor != quorum.Steward || rec[0].Items != 30 {
		t.Errorf("%+v", rec)
	}
}

// earned is the weight of companion i by DESIGN §4.4, in floats.
func earned(p []float64, i int) float64 {
	odds := func(p float64) float64 { return max(0, math.Log(5*p/(1-p))) }
	largest := 0.0
	for _, q := range p {
		largest = max(largest, odds(q))
	}
	return math.Pow(odds(p[i])/largest, 4)
}

// A companion that turns bad loses its weight within a hundred outcomes, however
// good it was.
func TestACompanionThatTurnsBadLosesItsWeight(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: panelOf(t, adds(0), adds(25))})
	c := r.calibrated(sums(0, 500, "")...)
	if a := cellOf(t, c, "AUREA", 0); a.Right != 500 || a.Reliability.After != 992_307 || a.Weight.After != 1_000_000 {
		t.Fatalf("%+v", a)
	}
	if a := cellOf(t, c, "ATLAS", 0); a.Right != 475 || a.Reliability.After != 944_230 {
		t.Fatalf("%+v", a)
	}
	r.panel[0].does(adds(math.MaxInt))
	c = r.calibrated(sums(1000, 100, "")...)
	if a := cellOf(t, c, "AUREA", 0); a.Right != 0 || a.Reliability.After != 607_692 || a.Weight.After >= 200_000 {
		t.Errorf("%+v", a)
	}
}

// A cached answer does not outlive the weights that it was decided by.
func TestACalibrationEndsCachedAnswers(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: panelOf(t, adds(0), adds(0))})
	const question = `{"prompt":"What is 40 + 2?","kind":"number","cache":{"maxAgeSeconds":600}}`
	if first, again := r.askCached(question), r.ask(question); first.Cached || !again.Cached {
		t.Fatalf("cached %t, then %t", first.Cached, again.Cached)
	}
	c := r.calibrated(sums(0, 30, "")...)
	after := r.askCached(question)
	if p := r.proof(after.ID); after.Cached || p.AsOf <= c.Proof.Index || p.Ballots[0].Prior != 950_000 {
		t.Errorf("cached %t, as of %d, by p = %s", after.Cached, p.AsOf, p.Ballots[0].Prior)
	}
	if !r.ask(question).Cached {
		t.Error("nothing is cached any more")
	}
}

// What was counted is there after a restart, folded anew.
func TestARestartGivesTheSameWeights(t *testing.T) {
	t.Parallel()
	fs := vfs.NewCrashableMem()
	first := start(t, setup{ledgerFS: fs, panel: panelOf(t, adds(3), adds(20))})
	c := first.calibrated(sums(0, 30, `,"topic":"sums"`)...)
	const question = `{"prompt":"What is 40 + 2?","kind":"number","wait":"all","context":{"topic":"sums"}}`
	want := first.proof(first.ask(question).ID)
	// The process dies the moment after: what it had said is there.
	second := start(t, setup{ledgerFS: fs.CrashClone(vfs.CrashCloneCfg{}), panel: panelOf(t, adds(3), adds(20))})
	got := second.proof(second.ask(question).ID)
	for i := range want.Ballots {
		w, g := want.Ballots[i].Ballot, got.Ballots[i].Ballot
		if w.Prior != g.Prior || w.Earned != g.Earned || w.Weight != g.Weight || wire.PPM(g.Earned) != c.Companions[i].Cells[0].Weight.After {
			t.Errorf("%s: p %s, weight %s; before the restart %s, %s", g.Companion, g.Prior, g.Earned, w.Prior, w.Earned)
		}
	}
}

// A topic's labels weigh for that topic, and less for its kind.
func TestATopicChangesWeights(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: panelOf(t, adds(0), adds(30))})
	r.calibrated(sums(0, 30, `,"topic":"sums"`)...)
	ask := func(topic string) (*wire.Deliberation, *quorum.Proof) {
		d := r.ask(`{"prompt":"What is 40 + 2?","kind":"number","wait":"all","context":{"topic":"` + topic + `"}}`)
		return d, r.proof(d.ID)
	}
	_, none := ask("")
	_, sums := ask("sums")
	_, other := ask("other")
	if none.Ballots[1].Prior != 200_000 || sums.Ballots[1].Prior != 50_000 || other.Ballots[1].Prior != 200_000 { // (8+0)/40, (2+0)/40
		t.Errorf("p of the one that was always wrong: %s, %s on the topic, %s on another", none.Ballots[1].Prior, sums.Ballots[1].Prior, other.Ballots[1].Prior)
	}
	if sums.Ballots[1].Earned >= none.Ballots[1].Earned || sums.Topic != "sums" || none.Topic != "" {
		t.Errorf("it weighs %s on %q, %s on no topic", sums.Ballots[1].Earned, sums.Topic, none.Ballots[1].Earned)
	}
	r.post(`{"prompt":"x","context":{"topic":"Not A Slug"}}`).failure(http.StatusBadRequest, wire.InvalidValue)
	r.post(`{"prompt":"x","context":{"topic":"`+strings.Repeat("t", 65)+`"}}`).failure(http.StatusBadRequest, wire.InvalidValue)
}

// Where the record cannot be made durable nothing counts, and from then on
// nobody is asked in vain.
func TestAFailedAppendCountsNothing(t *testing.T) {
	t.Parallel()
	disk := new(failingSync)
	fatal := make(chan error, 2)
	r := start(t, setup{panel: panelOf(t, adds(0), adds(0)), ledgerFS: errorfs.Wrap(vfs.NewMem(), disk), fatal: func(err error) { fatal <- err }})
	before := string(r.book.State().Append(nil))
	disk.armed.Store(true)
	resp := r.calibrating(sums(0, 5, "")...)
	resp.failure(http.StatusServiceUnavailable, wire.LedgerUnavailable)
	within(t, "word of the failure", fatal)
	if after := string(r.book.State().Append(nil)); after != before || len(of[*quorum.Calibration](r.journal)) > 0 {
		t.Errorf("the state is\n%s\nand was\n%s", after, before)
	}
	asked := r.panel[0].count.Load()
	r.calibrating(sums(0, 5, "")...).failure(http.StatusServiceUnavailable, wire.LedgerUnavailable)
	if got := r.panel[0].count.Load(); got != asked || asked != 5 {
		t.Errorf("asked %d times, then %d", asked, got)
	}
}

func TestOnlyStewardsCalibrate(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: panelOf(t, adds(0))})
	r.send(http.MethodPost, "/api/calibration", `{"items":[`+sums(0, 1, "")[0]+`]}`).failure(http.StatusForbidden, wire.Forbidden)
	r.send(http.MethodGet, "/api/calibration", "", asSteward...).failure(http.StatusMethodNotAllowed, wire.MethodNotAllowed)
	r.get("/api/calibration/cal_nothing/receipt").failure(http.StatusNotFound, wire.NotFound)
	r.get("/api/calibration/dlb_nothing/receipt").failure(http.StatusNotFound, wire.NotFound)
	if n := r.panel[0].count.Load(); n != 0 {
		t.Errorf("%d were asked", n)
	}
}

// Below the floor of every deliberation there is, and above: all are asked.
func TestTheWholePanelIsCalibrated(t *testing.T) {
	t.Parallel()
	r := start(t, setup{panel: append([]*companion{member(t, "ECHO", adds(0)), member(t, "AUREA", adds(0))}, shadows(t, adds(0))...)})
	c := r.calibrated(sums(1, 3, "")...)
	if len(c.Companions) != 2 || cellOf(t, c, "ECHO", 0).Right != 3 {
		t.Errorf("%+v", c)
	}
}

// What an answer has to be to be right, by kind, and what is not seen at all.
func TestOutcomesOfLabelledItems(t *testing.T) {
	t.Parallel()
	item := func(kind, rest string) string { return `{"prompt":"Which is it?","kind":"` + kind + `",` + rest + `}` }
	for name, tt := range map[string]struct {
		item        string
		say         behaviour
		right, seen int64
		unseen      string
	}{
		"the option's letter":         {item("choice", `"options":["Paris","Rome"],"truth":"B"`), says("I take (B)."), 1, 1, ""},
		"the option's text":           {item("choice", `"options":["Paris","Rome"],"truth":"rome"`), says("The answer is Rome."), 1, 1, ""},
		"another option":              {item("choice", `"options":["Paris","Rome"],"truth":"Rome"`), says("The answer is A."), 0, 1, ""},
		"the same number":             {item("number", `"truth":"0.5"`), says("It comes to 1/2."), 1, 1, ""},
		"no number":                   {item("number", `"truth":"42"`), says("I would rather talk about birds."), 0, 1, ""},
		"two final answers":           {item("number", `"truth":"42"`), says(`{"answer": "42"} {"answer": "41"}`), 0, 1, ""},
		"the same literal":            {item("short", `"truth":"'abc'"`), says("The answer is abc"), 1, 1, ""},
		"an equal document":           {item("json", `"truth":"{\"a\":1,\"b\":[2]}"`), says("```json\n{\"b\": [2], \"a\": 1}\n```"), 1, 1, ""},
		"no document":                 {item("json", `"truth":"[1, 2]"`), says("one and two"), 0, 1, ""},
		"the motion carried":          {item("vote", `"truth":"approve"`), votes("approve"), 1, 1, ""},
		"the motion lost":             {item("vote", `"truth":"approve"`), votes("reject"), 0, 1, ""},
		"an abstention":               {item("vote", `"truth":"approve"`), votes("abstain"), 0, 0, "abstained"},
		"a text that holds the name":  {item("text", `"truth":["Neil Armstrong","Armstrong"]`), says("It was Neil Armstrong, in 1969."), 1, 1, ""},
		"a text with another name":    {item("text", `"truth":["Neil Armstrong"]`), says("It was Yuri Gagarin."), 0, 1, ""},
		"a text that does not know":   {item("text", `"truth":["Neil Armstrong"]`), says("I don't know."), 0, 0, "abstained"},
		"an empty reply":              {item("number", `"truth":"42"`), says(""), 0, 0, "empty"},
		"a failure":                   {item("number", `"truth":"42"`), fails(http.StatusInternalServerError), 0, 0, "error"},
		"a megabyte that ends in 42":  {item("number", `"truth":"42"`), says(strings.Repeat("lorem ipsum ", 80_000) + "The answer is 42."), 1, 1, ""},
		"a megabyte without a number": {item("text", `"truth":"forty"`), says(strings.Repeat("lorem ipsum ", 80_000)), 0, 1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, setup{panel: panelOf(t, tt.say)})
			c := r.calibrated(tt.item)
			got := cellOf(t, c, "AUREA", 0)
			if got.Right != tt.right || got.Seen != tt.seen {
				t.Errorf("%d right of %d, want %d of %d: %+v", got.Right, got.Seen, tt.right, tt.seen, c)
			}
			if unseen := c.Companions[0].Unseen; tt.unseen != "" && unseen[tt.unseen] != 1 || tt.unseen == "" && len(unseen) > 0 {
				t.Errorf("unseen %v, want %q", unseen, tt.unseen)
			}
			// One companion only has all the weight there is.
			if got.Weight != (wire.Change{Before: 1_000_000, After: 1_000_000}) {
				t.Errorf("it weighs %+v", got.Weight)
			}
		})
	}
}
