package charter

import "github.com/kaizen-os/deliberation/quorum"

// ladder is every severity a rule may have: one finding lands in the middle of
// a band, at 96, 90, 80, 72.5, 67.5, 50 or 15 points.
var ladder = [...]quorum.PPM{40_000, 100_000, 200_000, 275_000, 325_000, 500_000, critical}

// critical is the severity that marks an assessment critical.
const critical quorum.PPM = 850_000

// step is severity's place on the ladder, or -1.
func step(severity quorum.PPM) int {
	for i, s := range ladder {
		if s == severity {
			return i
		}
	}
	return -1
}

// score sets a's scores and its critical mark from its findings.
//
// The product is taken in ladder order over how often each severity occurs, so
// that rounding (down, at a billionth) cannot depend on the findings' order.
func score(a *quorum.Assessment) {
	var counts [1 + quorum.Clauses][len(ladder)]int // by clause; the first is what is advised
	a.Critical = false
	for _, f := range a.Findings {
		i := step(f.Severity)
		if i < 0 {
			panic("bug: finding with a severity off the ladder")
		}
		counts[f.Clause][i]++
		a.Critical = a.Critical || f.Severity == critical
	}
	const whole = 1_000_000_000
	a.Score = quorum.MaxScore
	for c := range counts {
		left := int64(whole)
		for i, n := range counts[c] {
			for range n {
				left = left * int64(quorum.One-ladder[i]) / int64(quorum.One)
			}
		}
		s := quorum.Score((left*int64(quorum.MaxScore) + whole/2) / whole)
		if c != int(quorum.Advisory) {
			a.Clauses[c-1] = s
		}
		a.Score = min(a.Score, s)
	}
}
