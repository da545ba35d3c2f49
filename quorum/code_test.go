package quorum

import "testing"

// Code that is run is decided like a closed kind, by equal results; code that
// nobody runs has no positions to share, and no confidence.
func TestCodeIsDecidedByResultsWhereItIsRun(t *testing.T) {
	p := DefaultPolicy()
	q := Question{Tier: Research, Kind: Code}
	ballots := panel(p, &q, "42", "41", "42", "42", "")
	v := p.Decide(&q, ballots)
	if v.Status != Carried || v.Winner != 0 || v.Votes != 3 || len(v.Positions) != 2 || v.Confidence == NoConfidence {
		t.Errorf("run: %+v", v)
	}
	if b := &ballots[4]; b.Counted || b.Reason != ReasonNoAnswer {
		t.Errorf("no result: %+v", b)
	}

	ballots = panel(p, &q, "42", "41", "42", "42", "")
	ballots[1].Reason, ballots[1].Key = ReasonRunFailed, ""
	ballots[2].Reason, ballots[2].Key = ReasonNotRun, ""
	v = p.Decide(&q, ballots)
	if len(v.Positions) != 1 || v.Votes != 2 || ballots[1].Counted || ballots[1].Position != -1 || ballots[1].Reason != ReasonRunFailed || ballots[2].Reason != ReasonNotRun {
		t.Errorf("two failed: %+v, %+v", v, ballots)
	}

	q.Open = true
	ballots = panel(p, &q, "", "", "", "")
	if v = p.Decide(&q, ballots); len(v.Positions) != 4 || v.Confidence != NoConfidence || !ballots[3].Counted {
		t.Errorf("not run: %+v", v)
	}
	for kind := Choice; kind <= Code; kind++ {
		if q := (Question{Kind: kind}); q.Keyed() != (kind != Text) {
			t.Errorf("%s keyed: %t", kind, q.Keyed())
		}
	}
}
