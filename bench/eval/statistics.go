package eval

import (
	"cmp"
	"math"
	"slices"
)

func mean(v []float64) float64 {
	if len(v) == 0 {
		return math.NaN()
	}
	sum := 0.0
	for _, x := range v {
		sum += x
	}
	return sum / float64(len(v))
}

// An Interval is a difference with its 95 % confidence interval.
type Interval struct{ Mean, Low, High float64 }

// paired is the mean of a[i]-b[i], by the normal approximation.
func paired(a, b []float64) Interval {
	difference := make([]float64, len(a))
	for i := range a {
		difference[i] = a[i] - b[i]
	}
	m := mean(difference)
	if len(a) < 2 {
		return Interval{m, math.NaN(), math.NaN()}
	}
	squares := 0.0
	for _, d := range difference {
		squares += (d - m) * (d - m)
	}
	const z = 1.959963985
	half := z * math.Sqrt(squares/float64(len(a)-1)/float64(len(a)))
	return Interval{m, m - half, m + half}
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
		return math.NaN()
	}
	return pairs / (rights * wrongBelow)
}

// calibrationError is the mean distance, over forecasts, of stated confidence
// and share of right ones, in ten bins of equal width.
func calibrationError(forecasts []forecast) float64 {
	if len(forecasts) == 0 {
		return math.NaN()
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
