package gateway

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/kaizen-os/deliberation/gateway/wire"
	"github.com/kaizen-os/deliberation/quorum"
	"github.com/kaizen-os/deliberation/quorum/state"
	"github.com/kaizen-os/deliberation/scoring/grade"
)

// fitting is the tests' policy with closed kinds fitted, at a strength of 100.
func fitting(p *quorum.Policy) {
	for i := range p.Kinds {
		if p.Kinds[i].Kind.Closed() {
			p.Kinds[i].FitStrength = 100
		}
	}
}

func votesFor(t testing.TB, s *state.State, kind quorum.Kind, keys map[quorum.CompanionID]string) (ballots []quorum.Ballot, v quorum.Verdict) {
	t.Helper()
	var reliable []quorum.PPM
	var families []string
	for i := range s.Roster.Members() {
		m := &s.Roster.Members()[i]
		b := quorum.Ballot{Companion: m.ID, Vendor: m.Vendor, Tier: m.Tier, Scored: true, Score: quorum.MaxScore, Key: keys[m.ID], TierWeight: s.Policy.VoteWeight(&m.Companion)}
		ballots = append(ballots, b)
		reliable = append(reliable, m.Standing.Of(s.Policy, b.TierWeight, kind, ""))
		families = append(families, m.Family)
	}
	q := quorum.Question{Tier: quorum.Research, Kind: kind}
	s.Policy.Weigh(&q, ballots, reliable, families)
	return ballots, s.Policy.Decide(&q, ballots)
}

// Each item is decided by the weights that the others alone would give, which a
// slow and obvious twin takes from the fold of a calibration without it.
func TestAConfidenceIsFittedToItemsThatTheirWeightsDoNotKnow(t *testing.T) {
	t.Parallel()
	const items = 60
	wrong := map[quorum.CompanionID]int{"AUREA": 3, "ATLAS": 25, "SOLARA": 30, "ECHO": 57}
	var panel []*companion
	for _, id := range []string{"AUREA", "ATLAS", "SOLARA", "ECHO"} {
		panel = append(panel, member(t, id, adds(wrong[quorum.CompanionID(id)])))
	}
	r := start(t, setup{policy: fitting, panel: panel})
	before := r.book.State()
	c := r.calibrated(sums(0, items, "")...)
	rec := of[*quorum.Calibration](r.journal)[0]

	var leads []grade.Lead
	for i := range items {
		less := &quorum.Calibration{ID: "cal_twin", Actor: quorum.Steward, Policy: before.Policy.Digest(), Items: items - 1, Set: rec.Set,
			Cells: []quorum.CalibrationCell{{Kind: quorum.Number, Items: items - 1}}}
		keys := make(map[quorum.CompanionID]string)
		for _, counts := range rec.Companions {
			right := counts.Right[0]
			keys[counts.Companion] = "wrong"
			if i >= wrong[counts.Companion] {
				keys[counts.Companion], right = "right", right-1
			}
			less.Companions = append(less.Companions, quorum.CalibrationCounts{Companion: counts.Companion, Right: []int64{right}, Seen: []int64{items - 1}})
		}
		without := must(before.Apply(before.At, less))(t)
		ballots, v := votesFor(t, without, quorum.Number, keys)
		leads = append(leads, grade.Lead{Share: v.Share, Margin: v.Margin, Turnout: quorum.Turnout(ballots), Right: keys[ballots[v.Winner].Companion] == "right"})
	}
	want := grade.FitConfidence(before.Policy.Kind(quorum.Number), leads)
	if len(rec.Confidence) != 1 || rec.Confidence[0] != want || want.Items != items {
		t.Fatalf("fitted %+v, want %+v", rec.Confidence, want)
	}
	told := []wire.Believed{{Kind: "number", Items: items, Before: wire.Confidence{Bias: -1_500_000, ByShare: 1_900_000, ByMargin: 3_300_000},
		After: wire.Confidence{Bias: int64(want.Bias), ByShare: int64(want.ByShare), ByMargin: int64(want.ByMargin), ByTurnout: int64(want.ByTurnout)}}}
	if len(c.Confidence) != 1 || c.Confidence[0] != told[0] || told[0].Before == told[0].After {
		t.Errorf("told %+v, want %+v", c.Confidence, told)
	}

	// It is in force, beside the document, and what the ledger says is so.
	resp := r.get("/policy/confidence")
	if line := fmt.Sprintf(`{"kind":"number","items":60,"bias":%d,`, want.Bias); resp.status != http.StatusOK || !strings.Contains(string(resp.body), line) ||
		!strings.Contains(string(resp.body), `{"kind":"choice","items":0,"bias":-1500000,`) {
		t.Errorf("%d %s, want %s", resp.status, resp.body, line)
	}
	if doc := r.get("/policy"); string(doc.body) != string(before.Policy.Canonical()) {
		t.Errorf("the document has changed: %s", doc.body)
	}
	d := r.ask(`{"prompt":"What is 28 + 28?","kind":"number","wait":"all"}`)
	k := quorum.Logistic(want.Bias + want.ByShare*quorum.PPM(r.proof(d.ID).Verdict.Share)/quorum.One + want.ByMargin*r.proof(d.ID).Verdict.Margin/quorum.One + want.ByTurnout)
	if quorum.PPM(d.Consensus.Confidence) != k || r.proof(d.ID).Verdict.Share == quorum.One {
		t.Errorf("confidence %s, want %s", d.Consensus.Confidence, k)
	}
	r.fold(t)
}

// What is fitted, and what is not.
func TestWhichConfidencesAreFitted(t *testing.T) {
	t.Parallel()
	choices := func(n int, truth string) (items []string) {
		for i := range n {
			items = append(items, fmt.Sprintf(`{"prompt":"Which is it, number %d?","kind":"choice","options":["0","1"],"truth":"%s"}`, i, truth))
		}
		return items
	}
	for _, tt := range []struct {
		name   string
		policy func(*quorum.Policy)
		panel  []behaviour
		items  []string
		want   string // kinds and items
	}{
		{"fifty items", fitting, []behaviour{adds(3), adds(9)}, sums(0, 50, ""), "number 50;"},
		{"one less", fitting, []behaviour{adds(3), adds(9)}, sums(0, 49, ""), ""},
		{"fifty in two topics", fitting, []behaviour{adds(3), adds(9)}, append(sums(0, 25, ""), sums(25, 25, `,"topic":"sums"`)...), "number 50;"},
		{"fifty of two kinds together", fitting, []behaviour{adds(3), adds(9)}, append(sums(0, 25, ""), choices(25, "0")...), ""},
		{"fifty of each of two kinds", fitting, []behaviour{adds(3), adds(9)}, append(sums(0, 55, ""), choices(50, "0")...), "choice 50;number 55;"},
		{"a policy that fits none", nil, []behaviour{adds(3), adds(9)}, sums(0, 50, ""), ""},
		{"one companion", fitting, []behaviour{adds(3)}, sums(0, 50, ""), "number 50;"},
		{"all always right", fitting, []behaviour{adds(0), adds(0)}, sums(0, 50, ""), "number 50;"},
		{"all always wrong", fitting, []behaviour{adds(1000), adds(1000)}, sums(0, 50, ""), "number 50;"},
		{"nobody answers", fitting, []behaviour{fails(http.StatusInternalServerError)}, sums(0, 50, ""), ""},
		{"one of two answers", fitting, []behaviour{adds(3), fails(http.StatusInternalServerError)}, sums(0, 50, ""), "number 50;"},
		{"nobody says a number", fitting, []behaviour{says("I would rather talk about birds.")}, sums(0, 50, ""), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := start(t, setup{policy: tt.policy, panel: panelOf(t, tt.panel...)})
			c := r.calibrated(tt.items...)
			got := ""
			for i, f := range of[*quorum.Calibration](r.journal)[0].Confidence {
				got += fmt.Sprintf("%s %d;", f.Kind, f.Items)
				if c.Confidence[i].Kind != f.Kind.String() {
					t.Errorf("told %+v", c.Confidence)
				}
			}
			if got != tt.want || (got == "") != (len(c.Confidence) == 0) {
				t.Errorf("fitted %q, want %q", got, tt.want)
			}
		})
	}
}

// A deliberation is shown again as it was decided, whatever has been fitted since
// or before, also by a gateway that was started again.
func TestDeliberationsAreShownByTheConfidenceTheyKnew(t *testing.T) {
	t.Parallel()
	fs := vfs.NewCrashableMem()
	panel := func() []*companion { return panelOf(t, adds(40), adds(45), adds(3)) }
	const question = `{"prompt":"What is 41 + 41?","kind":"number","wait":"all"}`
	first := start(t, setup{ledgerFS: fs, policy: fitting, panel: panel()})
	asked := []*wire.Deliberation{first.ask(question)}
	for from := range 2 {
		first.calibrated(sums(60*from, 60, "")...)
		asked = append(asked, first.ask(question))
	}
	second := start(t, setup{ledgerFS: fs.CrashClone(vfs.CrashCloneCfg{}), policy: fitting, panel: panel()})
	asked = append(asked, second.ask(question))
	if a, b := asked[2].Consensus.Confidence, asked[3].Consensus.Confidence; a != b || a == asked[0].Consensus.Confidence || a == asked[1].Consensus.Confidence {
		t.Errorf("confidence %s, after a restart %s; before it was fitted %s, then %s", a, b, asked[0].Consensus.Confidence, asked[1].Consensus.Confidence)
	}
	for i, d := range asked {
		again := new(wire.Deliberation)
		if err := again.Decode(second.get("/v1/deliberations/" + d.ID).body); err != nil || again.Consensus.Confidence != d.Consensus.Confidence || again.Status != d.Status {
			t.Errorf("deliberation %d: confidence %s, was %s: %v", i, again.Consensus.Confidence, d.Consensus.Confidence, err)
		}
	}
	second.fold(t)
}

// A snapshot of the book brings back every policy as it was in force.
func TestASnapshotKeepsWhatWasFitted(t *testing.T) {
	document := quorum.DefaultPolicy()
	records := someRecords()[:2]
	fit := func(bias quorum.PPM) *quorum.Calibration {
		return &quorum.Calibration{ID: "cal_x", Actor: quorum.Steward, AsOf: 2, Policy: document.Digest(), Items: 60, Set: [32]byte{1},
			Cells:      []quorum.CalibrationCell{{Kind: quorum.Number, Items: 60}},
			Companions: []quorum.CalibrationCounts{{Companion: "EVE", Right: []int64{50}, Seen: []int64{60}}},
			Confidence: []quorum.FittedConfidence{{Kind: quorum.Number, Items: 60, Bias: bias}}}
	}
	stated := document.Kind(quorum.Number).Bias
	records = append(records, fit(-1), fit(-2), someRecords()[2], &quorum.Activation{Actor: quorum.Operator, Policy: document}, fit(-3))
	b, leaves := bookOf(t, records...)
	want := []quorum.PPM{stated, stated, stated, -1, -2, -2, stated, -3} // by asOf
	snapshot, err := b.Snapshot(func(i uint64) ([]byte, error) { return leaves[i], nil })
	if err != nil {
		t.Fatal(err)
	}
	again, err := RestoreBook(snapshot)
	if err != nil {
		t.Fatal(err)
	}
	for name, book := range map[string]*Book{"as folded": b, "as restored": again} {
		for asOf, bias := range want {
			if got := book.PolicyAt(document.Digest(), uint64(asOf)).Kind(quorum.Number).Bias; got != bias {
				t.Errorf("%s: bias %d at %d, want %d", name, got, asOf, bias)
			}
		}
		if book.State().Policy.Kind(quorum.Number).Bias != -3 || book.PolicyAt([32]byte{7}, 3) != nil {
			t.Errorf("%s: in force is another policy", name)
		}
	}
}
