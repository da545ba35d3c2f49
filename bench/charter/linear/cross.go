package linear

import (
	"fmt"
	"math"
	"slices"

	bench "github.com/kaizen-os/deliberation/bench/charter"
	"github.com/kaizen-os/deliberation/bench/charter/data"
	"github.com/kaizen-os/deliberation/quorum"
	"github.com/kaizen-os/deliberation/scoring/charter"
)

// Folds is into how many parts texts are cut to be judged by models that did not
// see them.
const Folds = 5

// A Crossed is one model a fold: each learned from the texts outside it.
type Crossed struct {
	rules  *charter.Scorer
	tables [Folds]*charter.Linear
}

// Cross learns the models of all folds from the texts that use says yes to.
func Cross(rules *charter.Scorer, texts []Text, o Options, use func(*Text) bool) (*Crossed, error) {
	c := &Crossed{rules: rules}
	topics := rules.Topics()
	for k := range Folds {
		fit, err := Learn(texts, topics, o, func(t *Text) bool { return use(t) && fold(t, Folds) != k })
		if err != nil {
			return nil, fmt.Errorf("fold %d: %w", k, err)
		}
		c.tables[k] = fit.Table(fmt.Sprint("fold ", k))
	}
	return c, nil
}

// Evidence is what the model says that did not see t's group.
func (c *Crossed) Evidence(t *Text) int32 { return c.tables[fold(t, Folds)].Evidence(&t.Sample) }

// Scorers are whole scorers, a fold each, that advise above the evidence of advise.
// What is returned picks, for an item, the one whose model did not see its group.
func (c *Crossed) Scorers(advise [3]int32) (func(it *data.Item) *charter.Scorer, error) {
	var scorers [Folds]*charter.Scorer
	for k, table := range c.tables {
		set := *table
		set.Advise = advise
		file, err := set.Encode()
		if err != nil {
			return nil, err
		}
		if scorers[k], err = charter.NewWith(file); err != nil {
			return nil, err
		}
	}
	return func(it *data.Item) *charter.Scorer { return scorers[fold(&Text{Item: it}, Folds)] }, nil
}

// EvidenceStripped is Evidence without what a jailbreak template made it say.
func (c *Crossed) EvidenceStripped(t *Text) int32 {
	return c.tables[fold(t, Folds)].Evidence(&t.Stripped)
}

// Rank puts texts in order by what the rules found and by evidence together: a
// finding that takes a text under 85 counts as two logits, worse ones for more.
func Rank(score quorum.Score, evidence int32) float64 {
	left := math.Max(float64(score)/float64(quorum.MaxScore), 0.02)
	return float64(evidence)/1000 - 10*math.Log(left)
}

// ByEvidence is Rank of an assessment. What the model itself advised counts with
// its evidence, not twice.
func ByEvidence(a *quorum.Assessment) float64 {
	score := quorum.MaxScore
	for _, c := range a.Clauses {
		score = min(score, c)
	}
	return Rank(score, a.Evidence)
}

// LeaveOut gives, for a source, a rank by rules and by models that learned nothing
// from it; an item is ranked by one that did not see its group.
func LeaveOut(sources []Source, items []data.Item, o Options) bench.LeaveOut {
	rules := rulesAlone()
	texts := Read(rules, sources, items)
	var whole *Crossed // serves for every source that nothing is learned from
	return func(source string) (func(it *data.Item) float64, error) {
		c := whole
		learned := slices.ContainsFunc(texts, func(t Text) bool { return t.Learn && t.Item.Source == source })
		if learned || whole == nil {
			var err error
			if c, err = Cross(rules, texts, o, func(t *Text) bool { return t.Item.Source != source }); err != nil {
				return nil, err
			}
		}
		if !learned {
			whole = c
		}
		return func(it *data.Item) float64 {
			t := Text{Item: it}
			t.read(rules, nil)
			return Rank(t.Score, c.Evidence(&t))
		}, nil
	}
}

func rulesAlone() *charter.Scorer {
	rules, err := charter.NewWith(nil)
	if err != nil {
		panic("bug: " + err.Error())
	}
	return rules
}
