package charter

import (
	"slices"
	"testing"

	"github.com/kaizen-os/deliberation/quorum"
)

func TestMerge(t *testing.T) {
	own := func(clause quorum.Clause, severity quorum.PPM, start int) quorum.Finding {
		return quorum.Finding{Clause: clause, Rule: "own", Severity: severity, Start: start, End: start + 3}
	}
	judged := func(clause quorum.Clause, step quorum.Step) quorum.Finding {
		return quorum.Finding{Clause: clause, Rule: "judge.x.y", Severity: step.Severity(), End: 40}
	}
	for _, tt := range []struct {
		name     string
		own      []quorum.Finding
		more     []quorum.Finding
		score    quorum.Score
		rules    []string
		critical bool
	}{
		{"nothing and nothing", nil, nil, 10_000, nil, false},
		{"a judge alone", nil, []quorum.Finding{judged(quorum.Safety, 6)}, 5000, []string{"judge.x.y"}, false},
		{"a judge that finds nothing raises nothing", []quorum.Finding{own(quorum.Safety, 500_000, 4)}, nil, 5000, []string{"own"}, false},
		{"a judge that finds less on a clause adds nothing", []quorum.Finding{own(quorum.Safety, 500_000, 4)}, []quorum.Finding{judged(quorum.Safety, 3)}, 5000, []string{"own"}, false},
		{"as much on a clause: our own stay, with their places", []quorum.Finding{own(quorum.Safety, 500_000, 4)}, []quorum.Finding{judged(quorum.Safety, 6)}, 5000, []string{"own"}, false},
		{"more on a clause: theirs alone, not the product", []quorum.Finding{own(quorum.Safety, 200_000, 4), own(quorum.Safety, 100_000, 9)}, []quorum.Finding{judged(quorum.Safety, 6)}, 5000, []string{"judge.x.y"}, false},
		{"two small ones of ours are worse than one of theirs", []quorum.Finding{own(quorum.Safety, 200_000, 4), own(quorum.Safety, 200_000, 9)}, []quorum.Finding{judged(quorum.Safety, 3)}, 6400, []string{"own", "own"}, false},
		{"another clause: both, and the worse decides", []quorum.Finding{own(quorum.Privacy, 325_000, 4)}, []quorum.Finding{judged(quorum.Civic, 6)}, 5000, []string{"judge.x.y", "own"}, false},
		{"advice bounds the score", []quorum.Finding{own(quorum.Privacy, 40_000, 4)}, []quorum.Finding{judged(quorum.Advisory, 4)}, 7250, []string{"judge.x.y", "own"}, false},
		{"critical of theirs", nil, []quorum.Finding{judged(quorum.Safety, quorum.CriticalStep)}, 1500, []string{"judge.x.y"}, true},
		{"critical of ours", []quorum.Finding{own(quorum.Safety, critical, 4)}, []quorum.Finding{judged(quorum.Safety, quorum.CriticalStep)}, 1500, []string{"own"}, true},
	} {
		a := quorum.Assessment{Findings: slices.Clone(tt.own), Evidence: 7}
		score(&a)
		before := a.Score
		Merge(&a, tt.more)
		var rules []string
		for _, f := range a.Findings {
			rules = append(rules, f.Rule)
		}
		if a.Score != tt.score || a.Critical != tt.critical || !slices.Equal(rules, tt.rules) || a.Evidence != 7 {
			t.Errorf("%s: %s, critical %t, by %q; want %s, %t, by %q", tt.name, a.Score, a.Critical, rules, tt.score, tt.critical, tt.rules)
		}
		theirs := quorum.Assessment{Findings: tt.more}
		score(&theirs)
		if a.Score != min(before, theirs.Score) {
			t.Errorf("%s: %s is not the minimum of %s and %s", tt.name, a.Score, before, theirs.Score)
		}
		again := quorum.Assessment{Findings: slices.Clone(a.Findings)}
		if score(&again); again.Score != a.Score || again.Clauses != a.Clauses {
			t.Errorf("%s: the findings account for %s, not %s", tt.name, again.Score, a.Score)
		}
	}
	// The steps that external judges speak in are this package's ladder.
	for s := quorum.Step(1); s <= quorum.CriticalStep; s++ {
		a := quorum.Assessment{Findings: []quorum.Finding{judged(quorum.Equity, s)}}
		if step(s.Severity()) != int(s)-1 {
			t.Errorf("step %d is not on the ladder", s)
		}
		if score(&a); a.Score != s.Score() || a.Critical != (s == quorum.CriticalStep) {
			t.Errorf("step %d scores %s, want %s", s, a.Score, s.Score())
		}
	}
}
