package eval

import (
	"fmt"
	"math"
	"strings"

	"github.com/kaizen-os/deliberation/bench/sim"
	"github.com/kaizen-os/deliberation/quorum"
)

// A Goal is one row of DESIGN §4's table beside what was reached. Shares are in
// points of a hundred.
type Goal struct {
	What     string   `json:"what"`
	Labels   int      `json:"labels"` // labelled prompts a kind
	Unit     string   `json:"unit"`   // points, score (a judge's), prompts; "" for a plain number
	AtMost   bool     `json:"atMost"` // the goal is an upper bound, else a lower one
	Goal     float64  `json:"goal"`
	Measured Interval `json:"measured"` // its ends NaN where there is no interval, all of it where nothing was compared
	Reached  bool     `json:"reached"`
}

// MissedBy is how far what was measured is from the goal; 0 when it is reached,
// NaN when nothing was measured.
func (g *Goal) MissedBy() float64 {
	if g.Reached {
		return 0
	}
	return math.Abs(g.Measured.Mean - g.Goal)
}

// judge says whether g is reached, which what was not measured never is.
func (g *Goal) judge() {
	if g.AtMost {
		g.Reached = g.Measured.Mean <= g.Goal
	} else {
		g.Reached = g.Measured.Mean >= g.Goal
	}
}

// The numbers of DESIGN §4: with so many labelled prompts a kind.
const goalLabels = 100

// certainSets are whose confidence has a goal, with the least AUROC. Each panel
// of theirs is held to it.
var certainSets = []struct {
	set   string
	auroc float64
}{{"mmlu_pro", 0.80}, {"crux", 0.87}, {"math_l5", 0.85}, {"gsm8k", 0.85}}

// Goals are the rows of DESIGN §4's table that were measured, in its order.
//
// The mean of the panels of closed kinds (choice, number, short) weighs each
// panel alike; its interval is over prompts, and takes panels of one set
// together, since they are asked the same.
func (r *Report) Goals() (goals []Goal) {
	add := func(g Goal) {
		if math.IsNaN(g.Measured.Mean) {
			return // nothing to measure it on
		}
		g.judge()
		goals = append(goals, g)
	}
	panels := r.where(func(result *Result) bool { return closed(result.Kind) })
	for _, want := range []struct {
		labels int
		goal   float64
	}{{goalLabels, 2.0}, {0, -0.5}} {
		if measured, n := pooled(panels, want.labels); n > 0 {
			add(Goal{What: fmt.Sprintf("closed kinds, mean of %s over the best single model", count(n, "panel")), Labels: want.labels,
				Unit: "points", Goal: want.goal, Measured: points(measured)})
		}
	}
	if worst := worstOf(panels, goalLabels); worst != nil {
		add(Goal{What: "the worst of those panels: " + worst.name(), Labels: goalLabels, Unit: "points", Goal: -0.5, Measured: points(worst.earned(goalLabels).OverBest)})
	}
	for _, result := range r.where(func(result *Result) bool { return result.Set == "trivia_qa" || result.Set == "nq_qa" }) {
		for _, want := range []struct {
			labels int
			goal   float64
		}{{goalLabels, 1.5}, {0, 0}} {
			if c := result.earned(want.labels); c != nil {
				add(Goal{What: result.name() + ", over the best single model", Labels: want.labels, Unit: "points", Goal: want.goal, Measured: points(c.OverBest)})
			}
		}
	}
	for _, result := range r.where(func(result *Result) bool { return result.Set == "votes_llmbar" }) {
		if c := result.earned(goalLabels); c != nil {
			add(Goal{What: result.name() + ", over its best judge", Labels: goalLabels, Unit: "points", Goal: -2.5, Measured: points(c.OverBest)})
			add(Goal{What: result.name() + ", right of what is decided", Labels: goalLabels, Unit: "points", Goal: 88, Measured: lone(100 * c.Verdicts.DecidedScore)})
		}
	}
	for _, result := range r.where(func(result *Result) bool { return result.Kind == sim.OpenItem }) {
		if c := result.earned(0); c != nil {
			add(Goal{What: result.name() + ", over the best single model", Unit: "score", Goal: -0.1, Measured: c.OverBest})
		}
	}
	for _, result := range r.where(func(result *Result) bool { return result.Kind == sim.CodeItem }) {
		if c := result.earned(0); c != nil {
			add(Goal{What: result.name() + ", over its best companion", Unit: "points", Goal: 0, Measured: points(c.OverBest)})
		}
	}
	for _, certain := range certainSets {
		for _, result := range r.where(func(result *Result) bool { return result.Set == certain.set }) {
			if c := result.earned(goalLabels); c != nil {
				add(Goal{What: result.name() + ", AUROC of confidence", Labels: goalLabels, Goal: certain.auroc, Measured: lone(c.Verdicts.AUROC)})
				add(Goal{What: result.name() + ", calibration error", Labels: goalLabels, AtMost: true, Goal: 0.05, Measured: lone(c.Verdicts.Calibration)})
			}
		}
	}
	for _, g := range earlyGoals(panels) {
		g.judge() // also what was not measured: the gateways did wait
		goals = append(goals, g)
	}
	for _, g := range escalationGoals(r.Results) {
		add(g)
	}
	return goals
}

// escalationGoals are those of asking a few first, over all panels alike: what is
// saved where all companions cost alike, and what is lost.
func escalationGoals(results []*Result) []Goal {
	var saved, lost []float64
	labels := 0
	for i := range results {
		e := results[i].Escalated
		if e == nil {
			continue
		}
		saved = append(saved, 100*(1-e.Asked))
		scale := 100.0
		if results[i].Kind == sim.OpenItem {
			scale = 10 // a judge's score, 1 to 10
		}
		lost = append(lost, -scale*e.AgainstAll.Mean)
		labels = max(labels, e.Labels)
	}
	what := "escalating, " + count(len(saved), "panel") + ": "
	return []Goal{
		{What: what + "cost saved, of all at once", Labels: labels, Unit: "points", Goal: 40, Measured: lone(mean(saved))},
		{What: what + "less right than all", Labels: labels, Unit: "points", AtMost: true, Goal: 0.5, Measured: lone(mean(lost))},
	}
}

// earlyGoals are those of deciding before all have answered, over panels of
// closed kinds: means of the panels, and counts of their prompts.
func earlyGoals(panels []*Result) (goals []Goal) {
	for _, want := range []struct {
		wait  quorum.Wait
		heard float64
	}{{quorum.WaitDecided, 72}, {quorum.WaitLikely, 62}} {
		var heard []float64
		worse, differ, compared, labels := 0.0, 0, 0, 0
		for _, result := range panels {
			way := result.way(want.wait)
			if way == nil {
				continue
			}
			heard = append(heard, 100*way.Heard)
			worse -= 100 * way.AgainstAll.Mean
			differ += way.Verdicts
			compared += way.Compared
			labels = result.Early.Labels
		}
		if len(heard) == 0 {
			continue
		}
		what := fmt.Sprintf("wait %v, %s: ", want.wait, count(len(heard), "closed panel"))
		goals = append(goals, Goal{What: what + "replies needed", Labels: labels, Unit: "points", AtMost: true, Goal: want.heard, Measured: lone(mean(heard))})
		if want.wait == quorum.WaitDecided {
			others := float64(differ)
			if compared == 0 {
				others = nan // of nothing none differs, which shows nothing
			}
			goals = append(goals, Goal{What: what + fmt.Sprintf("other verdicts, of %d", compared), Labels: labels, Unit: "prompts",
				AtMost: true, Measured: lone(others)})
			continue
		}
		goals = append(goals, Goal{What: what + "less right than all", Labels: labels, Unit: "points", AtMost: true, Goal: 0.3,
			Measured: lone(worse / float64(len(heard)))})
	}
	return goals
}

func (r *Report) where(is func(*Result) bool) (found []*Result) {
	for _, result := range r.Results {
		if is(result) {
			found = append(found, result)
		}
	}
	return found
}

func (result *Result) name() string { return result.Set + " " + result.Panel }

// earned is the contender with earned weights and so many labels; nil if there
// is none.
func (result *Result) earned(labels int) *Contender {
	for i := range result.Earned {
		if c := &result.Earned[i]; c.Verdicts.Labels == labels {
			return c
		}
	}
	return nil
}

func (result *Result) way(wait quorum.Wait) *Way {
	if result.Early == nil {
		return nil
	}
	for i := range result.Early.Ways {
		if w := &result.Early.Ways[i]; w.Wait == wait.String() {
			return w
		}
	}
	return nil
}

// best is the best single model.
func (result *Result) best() *Contender {
	for i := range result.Models {
		if result.Models[i].Name == result.Best {
			return &result.Models[i]
		}
	}
	panic("bug: the best of no models")
}

// pooled is the mean over n panels of what earned weights with so many labels
// gain on the best single model. Panels of one set have the same prompts, in the
// same order: their gains are added up prompt by prompt, and the sets' variances
// then add.
func pooled(panels []*Result, labels int) (gain Interval, n int) {
	sums := map[string][]float64{} // by set
	for _, result := range panels {
		c := result.earned(labels)
		if c == nil {
			continue
		}
		n++
		d := difference(c.grades, result.best().grades)
		if sums[result.Set] == nil {
			sums[result.Set] = make([]float64, len(d))
		}
		for i := range d {
			sums[result.Set][i] += d[i]
		}
	}
	total, variance := 0.0, 0.0
	for _, d := range sums {
		m, v := spread(d)
		total += m
		variance += v
	}
	half := z95 * math.Sqrt(variance) / float64(n)
	m := total / float64(n)
	return Interval{m, m - half, m + half}, n
}

// worstOf is the panel that gains least, or nil.
func worstOf(panels []*Result, labels int) (worst *Result) {
	for _, result := range panels {
		c := result.earned(labels)
		if c != nil && (worst == nil || c.OverBest.Mean < worst.earned(labels).OverBest.Mean) {
			worst = result
		}
	}
	return worst
}

func points(v Interval) Interval { return Interval{100 * v.Mean, 100 * v.Low, 100 * v.High} }

func lone(v float64) Interval { return Interval{v, nan, nan} }

func count(n int, what string) string {
	return strings.TrimSuffix(fmt.Sprintf("%d %ss", n, what), map[bool]string{true: "s"}[n == 1])
}
