package grade

import (
	"math"

	"github.com/kaizen-os/deliberation/quorum"
)

// A Lead is the leading answer of one labelled item: how strong it was, and
// whether it was right.
type Lead struct {
	Share, Margin, Turnout quorum.PPM
	Right                  bool
}

// slopeRidge holds what share, margin and turnout count for: a slope that is off
// by one costs eight nats of likelihood. With the bias free and the slopes so held,
// a hundred items of the recorded sets predicted the others best; with looser
// slopes they did worse on most sets than what the policy says (measured).
const slopeRidge = 16

// FitConfidence fits the coefficients of a kind's confidence to leads. The
// policy's own, k, count as FitStrength items that came out as they say, so few
// leads move little; no slope falls below 0. The result is rounded to parts per
// million; floats are in no rule, since who reads the record computes with that.
//
// It minimises a convex function by Newton steps, at most fitSteps of them, each a
// pass over leads.
func FitConfidence(k *quorum.KindPolicy, leads []Lead) quorum.FittedConfidence {
	f := newFit(k, leads)
	for range fitSteps {
		if !f.step() {
			break
		}
	}
	out := quorum.FittedConfidence{Kind: k.Kind, Items: int64(len(leads)), Bias: ppm(f.at[0]), ByShare: ppm(f.at[1]), ByMargin: ppm(f.at[2]), ByTurnout: ppm(f.at[3])}
	out.Clamp()
	return out
}

const fitSteps = 100

// coefficients are bias, byShare, byMargin and byTurnout; of an item, what each is
// multiplied with.
type coefficients [4]float64

func (a *coefficients) dot(b *coefficients) float64 {
	return a[0]*b[0] + a[1]*b[1] + a[2]*b[2] + a[3]*b[3]
}

// A fit is where the search is.
type fit struct {
	items  []coefficients
	target []float64 // outcomes, the policy's among them: between 0 and weight
	weight float64   // of one item, its part of the policy's among it
	from   coefficients
	at     coefficients
	cost   float64
}

func newFit(k *quorum.KindPolicy, leads []Lead) *fit {
	f := &fit{items: make([]coefficients, len(leads)), target: make([]float64, len(leads))}
	f.from = coefficients{part(k.Bias), part(k.ByShare), part(k.ByMargin), part(k.ByTurnout)}
	share := float64(k.FitStrength) / float64(max(len(leads), 1))
	f.weight = 1 + share
	for i, l := range leads {
		x := coefficients{1, part(l.Share), part(l.Margin), part(l.Turnout)}
		f.items[i], f.target[i] = x, share*logistic(f.from.dot(&x))
		if l.Right {
			f.target[i]++
		}
	}
	f.at = f.from
	f.cost = f.costAt(&f.at)
	return f
}

// costAt is the negative log-likelihood at c, and what its slopes cost.
func (f *fit) costAt(c *coefficients) float64 {
	sum := 0.0
	for i := range f.items {
		z := c.dot(&f.items[i])
		sum += f.weight*softplus(z) - f.target[i]*z
	}
	for j := 1; j < len(c); j++ {
		sum += slopeRidge / 2 * (c[j] - f.from[j]) * (c[j] - f.from[j])
	}
	return sum
}

// step takes one Newton step, in those directions that are free, as far as it
// makes things better. It reports whether it did.
func (f *fit) step() bool {
	var g coefficients
	var h [4]coefficients
	for i := range f.items {
		x := &f.items[i]
		p := logistic(f.at.dot(x))
		for a := range x {
			g[a] += (f.weight*p - f.target[i]) * x[a]
			for b := range x {
				h[a][b] += f.weight * p * (1 - p) * x[a] * x[b]
			}
		}
	}
	for j := 1; j < len(g); j++ {
		g[j] += slopeRidge * (f.at[j] - f.from[j])
		h[j][j] += slopeRidge
	}
	h[0][0] += 1e-9 // where every item is beyond doubt
	for j := 1; j < len(g); j++ {
		if f.at[j] <= 0 && g[j] > 0 { // it would fall below 0: it stays
			g[j] = 0
			for a := range h {
				h[a][j], h[j][a] = 0, 0
			}
			h[j][j] = 1
		}
	}
	d := solve(h, g)
	far := 0.0
	for _, v := range d {
		far = max(far, math.Abs(v))
	}
	// Far from the optimum a full step leads astray; 1 is a long way on a logistic.
	for length := 1 / max(far, 1); length > 1e-6; length /= 2 {
		next := f.at
		for j := range next {
			next[j] -= length * d[j]
			if j > 0 {
				next[j] = max(next[j], 0)
			}
		}
		if cost := f.costAt(&next); cost < f.cost-1e-12 {
			f.at, f.cost = next, cost
			return true
		}
	}
	return false
}

// solve is the x of h·x = g, h positive definite.
func solve(h [4]coefficients, g coefficients) (x coefficients) {
	for i := range h {
		for r := i + 1; r < len(h); r++ {
			m := h[r][i] / h[i][i]
			for c := i; c < len(h); c++ {
				h[r][c] -= m * h[i][c]
			}
			g[r] -= m * g[i]
		}
	}
	for i := len(h) - 1; i >= 0; i-- {
		x[i] = g[i]
		for c := i + 1; c < len(h); c++ {
			x[i] -= h[i][c] * x[c]
		}
		x[i] /= h[i][i]
	}
	return x
}

func logistic(z float64) float64 { return 1 / (1 + math.Exp(-z)) }

// softplus is ln(1+e^z).
func softplus(z float64) float64 { return max(z, 0) + math.Log1p(math.Exp(-math.Abs(z))) }

func part(v quorum.PPM) float64 { return float64(v) / float64(quorum.One) }

func ppm(v float64) quorum.PPM { return quorum.PPM(math.Round(v * float64(quorum.One))) }
