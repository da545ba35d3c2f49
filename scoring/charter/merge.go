package charter

import (
	"cmp"
	"slices"

	"github.com/kaizen-os/deliberation/quorum"
)

// Merge scores a again with what others hold against its text, by the minimum: each
// clause, and what is advised, is charged with a's findings or with theirs,
// whichever leave it less, and keeps those alone. So findings account for exactly
// what a clause has lost, nothing is charged twice, and no score rises. Every
// severity is one of the ladder's.
func Merge(a *quorum.Assessment, more []quorum.Finding) {
	var theirs [1 + quorum.Clauses]bool
	for c := range theirs {
		clause := quorum.Clause(c)
		theirs[c] = scoreOf(more, clause) < scoreOf(a.Findings, clause)
	}
	a.Findings = slices.DeleteFunc(a.Findings, func(f quorum.Finding) bool { return theirs[f.Clause] })
	for _, f := range more {
		if theirs[f.Clause] {
			a.Findings = append(a.Findings, f)
		}
	}
	slices.SortStableFunc(a.Findings, func(x, y quorum.Finding) int {
		return cmp.Or(cmp.Compare(x.Start, y.Start), cmp.Compare(x.Rule, y.Rule), cmp.Compare(x.End, y.End))
	})
	score(a)
}

// scoreOf is what the findings on one clause leave of it.
func scoreOf(all []quorum.Finding, clause quorum.Clause) quorum.Score {
	var alone quorum.Assessment
	for _, f := range all {
		if f.Clause == clause {
			alone.Findings = append(alone.Findings, f)
		}
	}
	score(&alone)
	return alone.Score
}
