package linear

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/kaizen-os/deliberation/quorum"
	"github.com/kaizen-os/deliberation/scoring/charter"
)

// Figures are what a model comes to, in shares of 1.
type Figures struct {
	Under85 []Under  `json:"under85"`
	Recall  []Recall `json:"recallAt1Percent"` // of the benign
	// Asked says for whom asks judges about the replies with most evidence: the
	// evidence above which are 10, 5, 2 and 1 % of the benign replies (not of short
	// comments), cross-validated.
	Asked []Asked `json:"evidenceAbove"`
}

// An Asked is a share of replies, and the evidence that it has more than.
type Asked struct {
	Share    float64 `json:"share"`
	Evidence int32   `json:"evidence"`
}

// An Under is the share of a label's texts that score under 85: recall of the bad,
// false positives of the ok.
type Under struct {
	Source string  `json:"source"`
	Label  string  `json:"label"`
	Texts  int     `json:"texts"`
	Rules  float64 `json:"rules"`          // alone
	Cross  float64 `json:"crossValidated"` // with models that did not see the text's group
	Fit    float64 `json:"fit"`            // with the model that did
}

// A Recall is of a source's bad texts, without jailbreak wording.
type Recall struct {
	Source  string  `json:"source"`
	Rules   float64 `json:"rules"`
	Model   float64 `json:"modelAlone"`        // cross-validated
	Both    float64 `json:"rulesAndModel"`     // cross-validated
	LeftOut float64 `json:"leftOutModelAlone"` // nothing of the source was learned from
	Without float64 `json:"leftOutRulesAndModel"`
}

// Measure fills in the figures of a table whose thresholds are set; recall of those
// sources to leave that there is something to rank of.
func Measure(texts []Text, c *Crossed, table *charter.Linear, o Options, leave []string) (*Figures, error) {
	f := &Figures{}
	for _, g := range sourcesOf(texts) {
		var rules, cross, fit int
		for _, t := range g.texts {
			rules += count(t.Score < levels[0])
			cross += count(Under85(t, c.Evidence(t), table.Advise))
			fit += count(Under85(t, table.Evidence(&t.Sample), table.Advise))
		}
		n := len(g.texts)
		f.Under85 = append(f.Under85, Under{g.source, g.label, n, share(rules, n), share(cross, n), share(fit, n)})
	}
	var benign []int32
	for i := range texts {
		if t := &texts[i]; Limits[0].Of(t) && words(&t.Sample) >= charter.FewestWords {
			benign = append(benign, c.Evidence(t))
		}
	}
	slices.Sort(benign)
	for _, s := range []float64{0.10, 0.05, 0.02, 0.01} {
		if n := len(benign); n > 0 {
			f.Asked = append(f.Asked, Asked{s, benign[n-1-int(s*float64(n))]})
		}
	}
	for _, source := range leave {
		ranked := func(is func(*Text) bool) bool {
			return slices.ContainsFunc(texts, func(t Text) bool { return is(&t) })
		}
		if !ranked(Limits[0].Of) || !ranked(func(t *Text) bool { return t.Bad && t.Item.Source == source }) {
			continue
		}
		out, err := Cross(c.rules, texts, o, func(t *Text) bool { return t.Item.Source != source })
		if err != nil {
			return nil, fmt.Errorf("without %s: %w", source, err)
		}
		recall := func(rank func(t *Text, stripped bool) float64) float64 {
			var neg, pos []float64
			for i := range texts {
				switch t := &texts[i]; {
				case Limits[0].Of(t):
					neg = append(neg, rank(t, false))
				case t.Bad && t.Item.Source == source:
					pos = append(pos, rank(t, true))
				}
			}
			return math.Round(1000*RecallAt(neg, pos, 0.01)) / 1000
		}
		alone := func(c *Crossed) func(t *Text, stripped bool) float64 {
			return func(t *Text, stripped bool) float64 {
				if stripped {
					return float64(c.EvidenceStripped(t))
				}
				return float64(c.Evidence(t))
			}
		}
		both := func(c *Crossed) func(t *Text, stripped bool) float64 {
			one := alone(c)
			return func(t *Text, stripped bool) float64 { return Rank(t.Score, int32(one(t, stripped))) }
		}
		f.Recall = append(f.Recall, Recall{
			Source: source,
			Rules:  recall(func(t *Text, _ bool) float64 { return float64(quorum.MaxScore - t.Score) }),
			Model:  recall(alone(c)), Both: recall(both(c)),
			LeftOut: recall(alone(out)), Without: recall(both(out)),
		})
	}
	return f, nil
}

func count(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// share is k of n to a tenth of a per cent: more digits would only look exact.
func share(k, n int) float64 { return math.Round(1000*float64(k)/float64(n)) / 1000 }

type group struct {
	source, label string
	texts         []*Text
}

func sourcesOf(texts []Text) (groups []group) {
	at := map[string]int{}
	for i := range texts {
		t := &texts[i]
		if t.Item.Kind == "pii" {
			continue
		}
		k := t.Item.Source + " " + t.Item.Label
		if _, ok := at[k]; !ok {
			at[k] = len(groups)
			groups = append(groups, group{source: t.Item.Source, label: t.Item.Label})
		}
		g := &groups[at[k]]
		g.texts = append(g.texts, t)
	}
	slices.SortFunc(groups, func(a, b group) int {
		return strings.Compare(a.label+a.source, b.label+b.source)
	})
	return groups
}
