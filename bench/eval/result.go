package eval

import (
	"fmt"
	"slices"

	"github.com/kaizen-os/deliberation/bench/sim"
	"github.com/kaizen-os/deliberation/quorum"
)

// A Result is what came of one recording and panel.
type Result struct {
	Set      string           `json:"set"`
	Panel    string           `json:"panel"`
	Kind     sim.RecordedKind `json:"kind"` // of its first prompt
	Prompts  int              `json:"prompts"`
	Best     string           `json:"best"` // the best single model, found on these prompts
	Models   []Contender      `json:"models"`
	Majority *Contender       `json:"majority,omitzero"` // nil where positions are not answers
	Tier     Contender        `json:"tier"`
	Earned   []Contender      `json:"earned"` // by number of labelled prompts
	Early    *Early           `json:"early,omitzero"`
	Cost     Cost             `json:"cost"`

	Escalated *Escalation `json:"escalated,omitzero"`
}

// A Contender is one way to come by an answer: a single model, a plain majority,
// or a gateway.
type Contender struct {
	Name     string    `json:"name"`
	Score    float64   `json:"score"`             // share right; for open text the judge's mean score, 1 to 10
	OverBest Interval  `json:"overBest"`          // less the best single model's, over the same prompts
	Verdicts *Verdicts `json:"verdicts,omitzero"` // a gateway's; nil for others
	grades   []float64 // by prompt
}

// Names of contenders.
const (
	majorityVote = "majority"
	tierWeights  = "tier weights"
)

func earnedName(labels int) string { return fmt.Sprintf("earned, %d labels", labels) }

// Verdicts are what a gateway said beside its answers.
type Verdicts struct {
	Labels       int            `json:"labels"`       // labelled prompts a kind that it was to be given
	Given        int            `json:"given"`        // the fewest that any of its gateways was given, all kinds together
	Statuses     map[string]int `json:"statuses"`     // how many of each; "http 503" and the like where there was no verdict
	Decided      float64        `json:"decided"`      // share of prompts that were carried or lost
	DecidedScore float64        `json:"decidedScore"` // score of those; NaN without any
	AUROC        float64        `json:"auroc"`        // of confidence: that a right answer has more than a wrong one; NaN where none is stated
	Calibration  float64        `json:"calibration"`  // expected error of confidence, ten bins; NaN likewise
	Flips        float64        `json:"flips"`        // share of prompts where tier weights lead elsewhere, as the gateway reports it
	Unmatched    int            `json:"unmatched"`    // answers that are no recorded reply, of kinds where they must be
}

// Early is ways of waiting, held against waiting for all.
type Early struct {
	Labels int   `json:"labels"` // labelled prompts a kind that the gateways were given
	Ways   []Way `json:"ways"`
}

// A Way is one way of waiting. Each prompt was put to the same gateway once for
// all and once in this way.
type Way struct {
	Wait       string   `json:"wait"`
	Score      float64  `json:"score"`
	AgainstAll Interval `json:"againstAll"` // less the score with all, over the same prompts
	Heard      float64  `json:"heard"`      // share of the panel's replies that were waited for

	// Only prompts where both ways weighed the ballots alike tell what waiting
	// changes; between two questions a ledger may have grown.
	Compared int `json:"compared"`
	Leaders  int `json:"leaders"`  // of those, another answer or decision leads
	Verdicts int `json:"verdicts"` // of those, another answer, decision or status
}

// Cost is the gateway's own time for a decision, in microseconds: medians over
// prompts put to it one at a time, by companions that answer at once.
type Cost struct {
	Prompts int `json:"prompts"`

	// Decision is from the request to the proof, less the wait for the last
	// reply: admission, the prompt's score, seating, weighing, deciding, the
	// proof. Replies are read as they come, so the reading of all but the last
	// overlaps with waiting, and none is in it.
	Decision float64 `json:"decision"`

	// Recorded is to the answer: Decision and the durable record.
	Recorded float64 `json:"recorded"`
}

// An Escalation is prompts put to a few companions first, and to the others where
// those left it open, held against asking all at once.
type Escalation struct {
	Labels     int      `json:"labels"`
	Score      float64  `json:"score"`
	AgainstAll Interval `json:"againstAll"` // less the score with all, over the same prompts
	Asked      float64  `json:"asked"`      // share of the panel's companions that were asked: what it costs, where all cost alike
	Widened    float64  `json:"widened"`    // share of prompts that were put to all
}

func escalation(labels int, outcomes, all []outcome, panel int) *Escalation {
	e := &Escalation{Labels: labels}
	var grades, whole []float64
	asked, widened := 0, 0
	for i, o := range outcomes {
		grades, whole = append(grades, o.grade), append(whole, all[i].grade)
		asked += len(o.weights)
		if len(o.weights) == panel {
			widened++
		}
	}
	e.Score, e.AgainstAll = mean(grades), paired(grades, whole)
	e.Asked = float64(asked) / float64(panel*len(outcomes))
	e.Widened = float64(widened) / float64(len(outcomes))
	return e
}

// contend makes a gateway's Contender of its outcomes; best is by the same
// prompts.
func contend(name string, outcomes []outcome, best []float64, kind sim.RecordedKind) Contender {
	v := &Verdicts{Statuses: map[string]int{}}
	c := Contender{Name: name, Verdicts: v}
	var decided []float64
	var forecasts []forecast
	flips := 0
	for _, o := range outcomes {
		c.grades = append(c.grades, o.grade)
		v.Statuses[o.status]++
		if o.status == quorum.Carried.String() || o.status == quorum.Lost.String() {
			decided = append(decided, o.grade)
		}
		if o.confidence >= 0 && kind != sim.OpenItem {
			forecasts = append(forecasts, forecast{o.confidence, o.grade == 1})
		}
		if o.flips {
			flips++
		}
		if o.unmatched {
			v.Unmatched++
		}
	}
	c.Score, c.OverBest = mean(c.grades), paired(c.grades, best)
	v.Decided, v.DecidedScore = float64(len(decided))/float64(len(outcomes)), mean(decided)
	v.AUROC, v.Calibration = auroc(forecasts), calibrationError(forecasts)
	v.Flips = float64(flips) / float64(len(outcomes))
	return c
}

// majorityOf is the Contender of the majority that outcomes noted; nil where
// there was none.
func majorityOf(outcomes []outcome, best []float64) *Contender {
	c := &Contender{Name: majorityVote}
	for _, o := range outcomes {
		if o.majority < 0 {
			return nil
		}
		c.grades = append(c.grades, o.majority)
	}
	c.Score, c.OverBest = mean(c.grades), paired(c.grades, best)
	return c
}

// compare holds outcomes of one way of waiting against those of all, by prompt.
func compare(wait quorum.Wait, outcomes, all []outcome) Way {
	way := Way{Wait: wait.String()}
	var grades, whole []float64
	heard, panel := 0, 0
	for i, o := range outcomes {
		grades, whole = append(grades, o.grade), append(whole, all[i].grade)
		heard += o.heard
		panel += len(o.weights)
		if len(o.weights) == 0 || !slices.Equal(o.weights, all[i].weights) {
			continue // what failed weighed nothing
		}
		way.Compared++
		same := o.follows(&all[i])
		if !same {
			way.Leaders++
		}
		if !same || o.status != all[i].status {
			way.Verdicts++
		}
	}
	way.Score, way.AgainstAll = mean(grades), paired(grades, whole)
	way.Heard = nan
	if panel > 0 {
		way.Heard = float64(heard) / float64(panel)
	}
	return way
}
