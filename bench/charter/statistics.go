package charter

import (
	"cmp"
	"math"
	"slices"
)

var nan = math.NaN()

// A Share is K of N, with the 95 % interval of what share that stands for.
type Share struct {
	K int `json:"k"`
	N int `json:"n"`
}

// z95 is how many standard errors the 95 % interval of a normal reaches either way.
const z95 = 1.959963985

// Value is K of N, 0 to 1; NaN of nothing.
func (s Share) Value() float64 {
	if s.N == 0 {
		return nan
	}
	return float64(s.K) / float64(s.N)
}

// Wilson is the 95 % score interval of a binomial share: sound also where none or
// all of a few were counted. NaN of nothing.
func (s Share) Wilson() (low, high float64) {
	if s.N == 0 {
		return nan, nan
	}
	n, p := float64(s.N), s.Value()
	middle := p + z95*z95/(2*n)
	half := z95 * math.Sqrt(p*(1-p)/n+z95*z95/(4*n*n))
	whole := 1 + z95*z95/n
	return max(0, (middle-half)/whole), min(1, (middle+half)/whole)
}

func (s *Share) count(is bool) {
	s.N++
	if is {
		s.K++
	}
}

// auroc is the chance that one of bad ranks above one of ok, ties counting half.
// NaN when either has none.
func auroc(bad, ok []float64) float64 {
	type ranked struct {
		rank float64
		bad  bool
	}
	all := make([]ranked, 0, len(bad)+len(ok))
	for _, r := range bad {
		all = append(all, ranked{r, true})
	}
	for _, r := range ok {
		all = append(all, ranked{r, false})
	}
	slices.SortFunc(all, func(a, b ranked) int { return cmp.Compare(a.rank, b.rank) })
	below, pairs := 0.0, 0.0 // ok ones below, and pairs in the right order
	for i := 0; i < len(all); {
		bads, oks := 0.0, 0.0
		j := i
		for ; j < len(all) && all[j].rank == all[i].rank; j++ {
			if all[j].bad {
				bads++
			} else {
				oks++
			}
		}
		pairs += bads * (below + oks/2)
		below += oks
		i = j
	}
	if len(bad) == 0 || len(ok) == 0 {
		return nan
	}
	return pairs / float64(len(bad)*len(ok))
}

// threshold is the rank above which at most a share of the benign stand. Those on
// it are not flagged: with many ties fewer than the share are, never more.
// Infinity of none.
func threshold(benign []float64, share float64) float64 {
	if len(benign) == 0 {
		return math.Inf(1)
	}
	sorted := slices.Sorted(slices.Values(benign))
	return sorted[len(sorted)-1-int(share*float64(len(sorted)))]
}

// above is the share of ranks above a threshold.
func above(ranks []float64, limit float64) Share {
	s := Share{}
	for _, r := range ranks {
		s.count(r > limit)
	}
	return s
}

func mean(v []float64) float64 {
	if len(v) == 0 {
		return nan
	}
	sum := 0.0
	for _, x := range v {
		sum += x
	}
	return sum / float64(len(v))
}

// quantile is the least of sorted that a share of them do not exceed; NaN of none.
func quantile(sorted []float64, share float64) float64 {
	if len(sorted) == 0 {
		return nan
	}
	return sorted[max(0, int(math.Ceil(share*float64(len(sorted))))-1)]
}
