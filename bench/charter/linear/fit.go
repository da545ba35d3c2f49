package linear

import (
	"errors"
	"math"
	"math/rand/v2"

	"github.com/kaizen-os/deliberation/scoring/charter"
)

// Options of learning; Defaults are what the shipped model is made with.
type Options struct {
	Epochs int
	Rate   float64 // first step, divided down to a tenth of it
	Decay  float64 // L2, each time a weight is touched
	Floor  int     // added to a text's words before its sum is divided by them
	Groups int     // a gram must occur in so many groups of texts
	// By how much the size of a group, and of a source, counts: 0 is each the same,
	// 1 is each text the same. Without it the forty questions that thousands of
	// replies answer would be all there is.
	GroupPower, SourcePower float64
	Weights                 map[string]float64 // by "source:label", times what comes of that
	Topics                  bool               // words of one rule share a weight, beside their own
	Seed                    uint64
}

// Defaults were found by trying others. Harmless replies of the kind that looks
// most like the bad ones weigh more than there are of them.
func Defaults() Options {
	return Options{
		Epochs: 12, Rate: 0.3, Decay: 3e-3, Floor: 100, Groups: 3, GroupPower: 0.75, SourcePower: 0.5, Topics: true, Seed: 1,
		Weights: map[string]float64{"xstest:ok": 8, "alpacaeval:ok": 4, "own:ok": 4},
	}
}

// A Fit is what was learned, before it is rounded.
type Fit struct {
	Grams map[uint32]float64
	facts [charter.Facts]float64
	bias  float64
	floor int
}

// scale brings what is learned near 1: the sum over a window is multiplied by it
// before it is divided by the words.
const scale = 10

// learning is the state of one fit. Features are numbered: facts, topics, grams.
type learning struct {
	Options
	at      map[uint32]int32 // gram to feature
	grams   []uint32         // by feature, from first on
	first   int
	topics  [][]int32 // by gram feature: the topics it belongs to, as features
	w, seen []float64 // weights, and the sum of their squared gradients
	bias    float64
	biased  float64
}

// Learn fits weights to those texts that may be learned from and that use says yes
// to; it reads them as Stripped. topics are the scorer's. Error: nothing to learn.
func Learn(texts []Text, topics [][]uint32, o Options, use func(*Text) bool) (*Fit, error) {
	var set []*Text
	for i := range texts {
		if t := &texts[i]; t.Learn && len(t.Stripped.Blocks) > 0 && use(t) {
			set = append(set, t)
		}
	}
	l := &learning{Options: o}
	if !o.Topics {
		topics = nil
	}
	l.choose(set, topics)
	weights, err := l.weigh(set)
	if err != nil {
		return nil, err
	}
	features := make([][]int32, len(set))
	for i, t := range set {
		features[i] = l.features(&t.Stripped)
	}
	l.w, l.seen = make([]float64, l.first+len(l.grams)), make([]float64, l.first+len(l.grams))
	chance := rand.New(rand.NewPCG(o.Seed, 0))
	order := chance.Perm(len(set))
	for epoch := range o.Epochs {
		chance.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		rate := o.Rate * (1 - 0.9*float64(epoch)/float64(o.Epochs))
		for _, i := range order {
			l.step(features[i], scale/float64(words(&set[i].Stripped)+o.Floor), set[i].Bad, weights[i], rate)
		}
	}
	return l.fit(), nil
}

// choose decides which grams get a weight: of those that want one slot of the
// table the one in most groups of texts, so that what is learned is what is kept.
func (l *learning) choose(set []*Text, topics [][]uint32) {
	groups := map[uint32]int{}
	last := map[uint32]string{} // the group that a gram was last counted for
	for _, t := range inGroups(set) {
		for i := range t.Stripped.Blocks {
			for _, g := range t.Stripped.Blocks[i].Grams {
				if last[g] != t.Item.Group {
					last[g] = t.Item.Group
					groups[g]++
				}
			}
		}
	}
	chosen := make([]uint32, charter.Slots)
	taken := make([]bool, charter.Slots)
	offer := func(g uint32, n int) {
		s := charter.SlotOf(g)
		if !taken[s] || groups[chosen[s]] < n || groups[chosen[s]] == n && g < chosen[s] {
			chosen[s], taken[s] = g, true
		}
	}
	for g, n := range groups { // what is chosen does not depend on the order
		if n >= l.Groups {
			offer(g, n)
		}
	}
	for _, words := range topics {
		for _, g := range words {
			offer(g, groups[g])
		}
	}
	l.first = charter.Facts + len(topics)
	l.at = map[uint32]int32{}
	for s, g := range chosen {
		if taken[s] {
			l.at[g] = int32(l.first + len(l.grams))
			l.grams = append(l.grams, g)
		}
	}
	l.topics = make([][]int32, len(l.grams))
	for k, words := range topics {
		for _, g := range words {
			if f, ok := l.at[g]; ok {
				l.topics[int(f)-l.first] = append(l.topics[int(f)-l.first], int32(charter.Facts+k))
			}
		}
	}
}

// features of a sample; one may occur more than once.
func (l *learning) features(s *charter.Sample) (all []int32) {
	for _, k := range s.Facts {
		all = append(all, int32(k))
	}
	for i := range s.Blocks {
		for _, g := range s.Blocks[i].Grams {
			if f, ok := l.at[g]; ok {
				all = append(all, f)
				all = append(all, l.topics[int(f)-l.first]...)
			}
		}
	}
	return all
}

// weigh gives each text its weight: near copies share theirs, no source outweighs
// the others by its size alone, and bad and ok are even.
func (l *learning) weigh(set []*Text) ([]float64, error) {
	source := func(t *Text) string { return t.Item.Source + ":" + t.Item.Label }
	size := map[string]float64{}
	for _, t := range set {
		size[source(t)+"\n"+t.Item.Group]++
	}
	weights := make([]float64, len(set))
	whole := map[string]float64{}
	for i, t := range set {
		weights[i] = math.Pow(size[source(t)+"\n"+t.Item.Group], l.GroupPower-1)
		whole[source(t)] += weights[i]
	}
	var sum [2]float64
	side := map[bool]int{true: 1}
	for i, t := range set {
		weights[i] *= math.Pow(whole[source(t)], l.SourcePower-1)
		if w, ok := l.Weights[source(t)]; ok {
			weights[i] *= w
		}
		sum[side[t.Bad]] += weights[i]
	}
	if sum[0] == 0 || sum[1] == 0 {
		return nil, errors.New("nothing to learn from: want bad texts and ok texts of sources that may be learned from")
	}
	for i, t := range set {
		weights[i] *= float64(len(set)) / 2 / sum[side[t.Bad]]
	}
	return weights, nil
}

// step moves the weights of one text's features, each by what is left to it
// (AdaGrad): frequent ones settle, rare ones still move.
func (l *learning) step(features []int32, value float64, bad bool, weight, rate float64) {
	z := 0.0
	for _, f := range features {
		z += l.w[f]
	}
	g := 1 / (1 + math.Exp(-z*value-l.bias))
	if bad {
		g--
	}
	g *= weight
	for _, f := range features {
		d := g*value + l.Decay*l.w[f]
		l.seen[f] += d * d
		l.w[f] -= rate * d / math.Sqrt(l.seen[f]+0.1)
	}
	l.biased += g * g
	l.bias -= rate * g / math.Sqrt(l.biased+1)
}

// fit gives each gram what its topics weigh too.
func (l *learning) fit() *Fit {
	f := &Fit{Grams: make(map[uint32]float64, len(l.grams)), bias: l.bias, floor: l.Floor}
	copy(f.facts[:], l.w)
	for i, g := range l.grams {
		w := l.w[l.first+i]
		for _, k := range l.topics[i] {
			w += l.w[k]
		}
		f.Grams[g] = w
	}
	return f
}

// Table rounds what was learned into a table, whose thresholds are yet to be set.
func (f *Fit) Table(version string) *charter.Linear {
	t := charter.NewLinear()
	// The heaviest few grams are cut to the largest weight there is, so that the
	// steps between the many light ones stay small.
	most := quantile(magnitudes(f.Grams), 0.9995)
	unit := most / 127
	round := func(w float64) float64 { return math.Round(w / unit) }
	for g, w := range f.Grams {
		t.Set(g, int8(max(-127, min(127, round(w)))))
	}
	for k, w := range f.facts {
		t.Facts[k] = int16(max(math.MinInt16, min(math.MaxInt16, round(w))))
	}
	t.Version = version
	t.Bias = int32(math.Round(1000 * f.bias))
	t.Unit = int32(math.Round(1000 * scale * unit))
	t.Floor = int32(f.floor)
	t.Advise = [3]int32{math.MaxInt32 - 2, math.MaxInt32 - 1, math.MaxInt32}
	return t
}
