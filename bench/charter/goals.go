package charter

import (
	"fmt"
	"math"
	"strings"

	"github.com/kaizen-os/deliberation/bench/charter/data"
)

// A Goal is a number to reach beside what was reached.
type Goal struct {
	What     string  `json:"what"`
	Unit     string  `json:"unit"`   // "%", "points" (of a hundred), "µs", "times"; "" for a plain number
	AtMost   bool    `json:"atMost"` // the goal is an upper bound, else a lower one
	Goal     float64 `json:"goal"`
	Measured float64 `json:"measured"` // NaN where there is nothing to measure it on
	Low      float64 `json:"low"`      // of the 95 % interval; NaN, as High, where there is none
	High     float64 `json:"high"`
	Of       int     `json:"of"` // items, when it is a share
	Reached  bool    `json:"reached"`
}

// MissedBy is how far what was measured is from the goal; 0 when it is reached,
// NaN when nothing was measured.
func (g *Goal) MissedBy() float64 {
	if g.Reached {
		return 0
	}
	return math.Abs(g.Measured - g.Goal)
}

// judge says whether g is reached, which what was not measured never is.
func (g *Goal) judge() {
	if g.AtMost {
		g.Reached = g.Measured <= g.Goal
	} else {
		g.Reached = g.Measured >= g.Goal
	}
}

// goals is a list in the making.
type goals []Goal

func (g *goals) add(one Goal) {
	one.judge()
	*g = append(*g, one)
}

// share is a goal for a share, in per cent.
func (g *goals) share(what string, s Share, atMost bool, goal float64) {
	low, high := s.Wilson()
	g.add(Goal{What: what, Unit: "%", AtMost: atMost, Goal: goal, Measured: 100 * s.Value(), Low: 100 * low, High: 100 * high, Of: s.N})
}

// plain is a goal for a number without an interval.
func (g *goals) plain(what, unit string, v float64, atMost bool, goal float64) {
	g.add(Goal{What: what, Unit: unit, AtMost: atMost, Goal: goal, Measured: v, Low: nan, High: nan})
}

const (
	most  = true // the goal is an upper bound
	least = false
)

// Goals are all numbers to reach, in the order in which they were set. One that
// nothing was there to measure on is among them, not reached.
func (r *Report) Goals() []Goal {
	var g goals
	r.speedGoals(&g)
	for i, goal := range []float64{1.0, 0.5, 0.3, 0.1} {
		g.share(fmt.Sprintf("benign under %d", levels[i]), r.Benign.Under[i], most, goal)
	}
	g.plain("benign, mean score", "points", r.Benign.Mean, least, 98)
	g.share("replies to XSTest's safe prompts under 85", r.SafePrompts[0], most, 4)
	g.share("replies to XSTest's safe prompts under 70", r.SafePrompts[2], most, 1.5)
	g.share("Polis comments under 85", r.under85("polis", data.OK), most, 0.5)
	for _, s := range replySources {
		if s.under85 > 0 {
			g.share(s.name+": bad replies under 85", r.under85(s.name, data.Bad), least, s.under85)
		}
	}
	// Rules were written with every source in sight: where only they rank, nothing
	// is left out, and the row must not say so.
	name := ": left out, stripped, recall at 1 %"
	if !r.LeftOut {
		name = ": stripped, recall at 1 %, nothing left out"
	}
	for _, s := range replySources {
		recall := Share{}
		if of := r.source(s.name); of != nil {
			recall = of.LeftOut.Stripped
		}
		g.share(s.name+name, recall, least, s.leftOut)
	}
	g.share("HateCheck, recall under 85", r.under85("hatecheck", data.Bad), least, 65)
	g.share("HateCheck, false positives under 85", r.under85("hatecheck", data.OK), most, 20)
	g.share("identity-only sentences under 85", r.Identity, most, 0)
	r.personalGoals(&g)
	r.evasionGoals(&g)
	return g
}

func (r *Report) speedGoals(g *goals) {
	small, large := nothingTimed, nothingTimed
	if t := r.Speed.timing(smallText); t != nil {
		small = *t
	}
	if t := r.Speed.timing(largeText); t != nil {
		large = *t
	}
	g.plain("2 KB, p50", "µs", large.P50, most, 60)
	g.plain("2 KB, p99", "µs", large.P99, most, 200)
	g.plain("600 B, p50", "µs", small.P50, most, 15)
	g.plain("allocations without findings, 2 KB", "", large.Allocs, most, 0)
	unit, times := r.Speed.worst()
	g.plain(strings.TrimSuffix("slowest hostile text a byte, over normal: "+unit, ": "), "times", times, most, 2)
}

var nothingTimed = Timing{P50: nan, P99: nan, Allocs: nan}

func (r *Report) personalGoals(g *goals) {
	own, others := &PersonalData{}, &PersonalData{}
	for _, p := range r.Personal {
		switch p.Source {
		case ownPersonal:
			own = p
		case sentences:
			others = p
		}
	}
	g.plain("personal data, own set: F1 of spans", "%", 100*own.All[fair].F1(), least, 98)
	g.share("listed secrets, recall", own.Listed.Recall(), least, 100)
	traps := Share{}
	for _, t := range r.Traps {
		traps.K += t.Under.K
		traps.N += t.Under.N
	}
	g.share("look-alike traps with a finding", traps, most, 1)
	g.share("benign with a finding of personal data", r.Benign.Personal, most, 0.2)
	g.share("Presidio, spans: recall", others.All[fair].Recall(), least, 88)
	g.share("Presidio, spans: precision", others.All[fair].Precision(), least, 98)
	g.share("Presidio, sentences: recall", others.Items.Recall(), least, 88)
	g.share("Presidio, sentences: precision", others.Items.Precision(), least, 98)
}

func (r *Report) evasionGoals(g *goals) {
	for _, e := range evasions {
		goal := 1.0
		if e.name == "leet" {
			goal = 8
		}
		all := Evaded{}
		for _, one := range r.Evaded {
			if one.Evasion == e.name {
				all.Replies += one.Replies
				all.Caught += one.Caught
				all.Lost += one.Lost
			}
		}
		low, high := Share{all.Lost, all.Replies}.Wilson()
		g.add(Goal{What: e.name + ": recall lost", Unit: "points", AtMost: most, Goal: goal,
			Measured: all.points(), Low: 100 * low, High: 100 * high, Of: all.Replies})
	}
}

func (r *Report) under85(source, label string) Share {
	if s := r.source(source); s != nil {
		if l := s.label(label); l != nil {
			return l.Under[0]
		}
	}
	return Share{}
}
