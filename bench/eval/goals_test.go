package eval

import (
	"math"
	"testing"

	"github.com/kaizen-os/deliberation/bench/sim"
	"github.com/kaizen-os/deliberation/gateway/wire"
	"github.com/kaizen-os/deliberation/quorum"
)

// of makes a result whose best model was right as best says, and whose gateway
// with 100 labels as earned says.
func of(set, panel string, kind sim.RecordedKind, best, earned []float64) *Result {
	return &Result{Set: set, Panel: panel, Kind: kind, Best: "big",
		Models: []Contender{{Name: "small"}, {Name: "big", grades: best}},
		Earned: []Contender{{OverBest: paired(earned, best), grades: earned, Verdicts: &Verdicts{Labels: 100, DecidedScore: 0.9, AUROC: 0.86, Calibration: 0.06}}}}
}

func TestThePooledGainTakesPanelsOfOneSetTogether(t *testing.T) {
	panels := []*Result{
		of("mmlu_pro", "all", sim.ChoiceItem, []float64{0, 1, 0, 1}, []float64{1, 1, 0, 1}),
		of("mmlu_pro", "top5", sim.ChoiceItem, []float64{0, 1, 1, 1}, []float64{1, 1, 0, 1}),
		of("crux", "all", sim.ShortItem, []float64{0, 0}, []float64{1, 0}),
	}
	got, n := pooled(panels, 100)
	// By prompt, mmlu_pro gains 1+1, 0, 0-1, 0: sum of means 1/4, and around it
	// squares of 7/4, 1/4, 5/4, 1/4, together 76/16, over 3 and 4. crux gains 1 and 0.
	variance := 76.0/16/3/4 + 0.5/1/2
	half := z95 * math.Sqrt(variance) / 3
	if n != 3 || math.Abs(got.Mean-0.25) > 1e-12 || math.Abs(got.High-(0.25+half)) > 1e-12 || math.Abs(got.Low-(0.25-half)) > 1e-12 {
		t.Errorf("%d panels: %+v, want 0.25 ± %v", n, got, half)
	}
	if _, n := pooled(panels, 30); n != 0 {
		t.Errorf("%d panels with 30 labels", n)
	}
}

func TestGoals(t *testing.T) {
	even := []float64{1, 0, 1, 0}
	llmbar := of("votes_llmbar", "all", sim.VoteItem, []float64{1, 1, 1, 0}, even)
	gsm8k := of("gsm8k", "all", sim.NumberItem, even, []float64{1, 1, 1, 0})
	gsm8k.Early = &Early{Labels: 100, Ways: []Way{
		{Wait: "decided", Heard: 0.75, Compared: 4, Verdicts: 1},
		{Wait: "likely", Heard: 0.5, AgainstAll: Interval{Mean: -0.002}, Compared: 4},
	}}
	trivia := of("trivia_qa", "all", sim.FreetextItem, even, even)
	trivia.Earned = append(trivia.Earned, trivia.Earned[0])
	trivia.Earned[1].Verdicts = &Verdicts{}
	open := of("arena_open", "all", sim.OpenItem, []float64{8, 6}, []float64{8, 5.9})
	open.Earned[0].Verdicts = &Verdicts{}
	code := of("humaneval_code", "all", sim.CodeItem, even, even)
	code.Earned[0].Verdicts = &Verdicts{}
	got := (&Report{Results: []*Result{open, of("crux", "all", sim.ShortItem, even, even), gsm8k, code, trivia, llmbar, of("riddles", "all", sim.VoteItem, even, even)}}).Goals()
	for i, want := range []struct {
		what     string
		labels   int
		measured float64
		missed   float64
	}{
		{"closed kinds, mean of 2 panels over the best single model", 100, 12.5, 0},
		{"the worst of those panels: crux all", 100, 0, 0},
		{"trivia_qa all, over the best single model", 100, 0, 1.5},
		{"trivia_qa all, over the best single model", 0, 0, 0},
		{"votes_llmbar all, over its best judge", 100, -25, 22.5},
		{"votes_llmbar all, right of what is decided", 100, 90, 0},
		{"arena_open all, over the best single model", 0, -0.05, 0},
		{"humaneval_code all, over its best companion", 0, 0, 0},
		{"crux all, AUROC of confidence", 100, 0.86, 0.01},
		{"crux all, calibration error", 100, 0.06, 0.01},
		{"gsm8k all, AUROC of confidence", 100, 0.86, 0},
		{"gsm8k all, calibration error", 100, 0.06, 0.01},
		{"wait decided, 1 closed panel: replies needed", 100, 75, 3},
		{"wait decided, 1 closed panel: other verdicts, of 4", 100, 1, 1},
		{"wait likely, 1 closed panel: replies needed", 100, 50, 0},
		{"wait likely, 1 closed panel: less right than all", 100, 0.2, 0},
	} {
		if i >= len(got) {
			t.Fatalf("%d goals, without %q", len(got), want.what)
		}
		g := got[i]
		if g.What != want.what || g.Labels != want.labels || math.Abs(g.Measured.Mean-want.measured) > 1e-9 ||
			math.Abs(g.MissedBy()-want.missed) > 1e-9 || g.Reached != (want.missed == 0) {
			t.Errorf("goal %d: %+v, missed by %v; want %+v", i, g, g.MissedBy(), want)
		}
	}
	if len(got) != 16 {
		t.Errorf("%d goals: %+v", len(got), got[16:])
	}
}

// What is counted over no prompt at all would be 0 of everything that is not to be.
func TestAGoalThatNothingWasComparedForIsNotReached(t *testing.T) {
	even := []float64{1, 0, 1, 0}
	gsm8k := of("gsm8k", "all", sim.NumberItem, even, even)
	gsm8k.Early = &Early{Labels: 100, Ways: []Way{{Wait: "decided", Heard: 0.5}}}
	report := &Report{Results: []*Result{gsm8k}}
	goals := report.Goals()
	g := goals[len(goals)-1]
	if g.What != "wait decided, 1 closed panel: other verdicts, of 0" || g.Reached || !math.IsNaN(g.Measured.Mean) || !math.IsNaN(g.MissedBy()) {
		t.Errorf("%+v, missed by %v", g, g.MissedBy())
	}
	rows := report.goals().Rows
	if cells := rows[len(rows)-1].Cells; cells[3] != "-" || cells[5] != "not measured" {
		t.Errorf("it is written %q", cells)
	}
}

func TestWhatFailedIsNotWeighedAlike(t *testing.T) {
	failed := outcome{status: "http 503", confidence: -1}
	weighed := outcome{status: "carried", grade: 1, leaders: 1, weights: []wire.PPM{1_000_000}, heard: 1}
	way := compare(quorum.WaitDecided, []outcome{failed, weighed}, []outcome{failed, weighed})
	if way.Compared != 1 || way.Leaders != 0 || way.Verdicts != 0 {
		t.Errorf("%+v, want one prompt compared", way)
	}
}
