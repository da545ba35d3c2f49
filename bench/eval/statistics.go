package eval

import (
	"cmp"
	"math"
	"slices"
)

var nan = math.NaN()

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

// An Interval is a difference with its 95 % confidence interval.
type Interval struct {
	Mean float64 `json:"mean"`
	Low  float64 `json:"low"` // NaN, as High, where there are too few prompts
	High float64 `json:"high"`
}

// z95 is how many standard errors the 95 % interval of a normal reaches either way.
const z95 = 1.959963985

// paired is the mean of a[i]-b[i], by the normal approximation.
func paired(a, b []float64) Interval {
	m, variance := spread(difference(a, b))
	half := z95 * math.Sqrt(variance)
	return Interval{m, m - half, m + half}
}

func difference(a, b []float64) []float64 {
	d := make([]float64, len(a))
	for i := range a {
		d[i] = a[i] - b[i]
	}
	return d
}

// spread is the mean of v and the variance of that mean; NaN from fewer than two.
func spread(v []float64) (m, variance float64) {
	m = mean(v)
	if len(v) < 2 {
		return m, nan
	}
	squares := 0.0
	for _, x := range v {
		squares += (x - m) * (x - m)
	}
	return m, squares / float64(len(v)-1) / float64(len(v))
}

// median is the middle one of v, or the mean of the two in the middle.
func median(v []float64) float64 {
	if len(v) == 0 {
		return nan
	}
	sorted := slices.Sorted(slices.Values(v))
	return (sorted[(len(v)-1)/2] + sorted[len(v)/2]) / 2
}

// A forecast is a stated confidence and whether it was right to be confident.
type forecast struct {
	confidence float64
	right      bool
}

// auroc is the chance that a right answer was given with more confidence than a
// wrong one, ties counting half. NaN when all are right or all wrong.
func auroc(forecasts []forecast) float64 {
	sorted := slices.SortedFunc(slices.Values(forecasts), func(a, b forecast) int { return cmp.Compare(a.confidence, b.confidence) })
	var wrongBelow, pairs, rights float64
	for i := 0; i < len(sorted); {
		var right, wrong float64
		j := i
		for ; j < len(sorted) && sorted[j].confidence == sorted[i].confidence; j++ {
			if sorted[j].right {
				right++
			} else {
				wrong++
			}
		}
		pairs += right * (wrongBelow + wrong/2)
		wrongBelow += wrong
		rights += right
		i = j
	}
	if rights == 0 || wrongBelow == 0 {
		return nan
	}
	return pairs / (rights * wrongBelow)
}

// calibrationError is the mean distance, over forecasts, of stated confidence
// and share of right ones, in ten bins of equal width.
func calibrationError(forecasts []forecast) float64 {
	if len(forecasts) == 0 {
		return nan
	}
	var bins [10]struct{ confidence, right, n float64 }
	for _, f := range forecasts {
		b := &bins[min(max(int(f.confidence*10), 0), 9)]
		b.confidence += f.confidence
		b.right += point(f.right)
		b.n++
	}
	sum := 0.0
	for _, b := range bins {
		sum += math.Abs(b.confidence - b.right)
	}
	return sum / float64(len(forecasts))
}
