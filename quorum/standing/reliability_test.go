package standing

import (
	"bytes"
	"testing"

	"github.com/kaizen-os/deliberation/quorum"
	"github.com/kaizen-os/deliberation/quorum/canon"
)

// A companion that turns bad loses its standing within 100 outcomes, however
// good it was before: a cell remembers so many outcomes and no more.
func TestStandingFollowsAChangeOfModel(t *testing.T) {
	p := quorum.DefaultPolicy()
	var r *Reliability
	for range 2000 {
		r = r.Labelled(p, quorum.Number, "", true)
	}
	good := r.Of(p, quorum.One, quorum.Number, "")
	for range 100 {
		r = r.Labelled(p, quorum.Number, "", false)
	}
	bad := r.Of(p, quorum.One, quorum.Number, "")
	if good < 980_000 || bad > 850_000 {
		t.Errorf("reliability %s after 2000 right, %s after 100 wrong", good, bad)
	}
	if seen := r.Cells()[0].Evidence.Seen; seen != p.Reliability.CellCap*quorum.Milli {
		t.Errorf("a cell remembers %d thousandths, want %d outcomes", seen, p.Reliability.CellCap)
	}
}

// A topic leans on its kind, a kind on the tier.
func TestParents(t *testing.T) {
	p := quorum.DefaultPolicy()
	var r *Reliability
	if got := r.Of(p, quorum.One, quorum.Number, "algebra"); got != 800_000 {
		t.Errorf("without evidence: %s, want 0.8", got)
	}
	for range 40 {
		r = r.Labelled(p, quorum.Number, "algebra", false)
	}
	kind, topic, other := r.Of(p, quorum.One, quorum.Number, ""), r.Of(p, quorum.One, quorum.Number, "algebra"), r.Of(p, quorum.One, quorum.Number, "logic")
	if topic >= kind || other != kind {
		t.Errorf("kind %s, topic %s, another topic %s: want topic below, another as the kind", kind, topic, other)
	}
}

func TestReliabilityIsImmutable(t *testing.T) {
	p := quorum.DefaultPolicy()
	a := (*Reliability)(nil).Agreed(p, quorum.Choice, true)
	before := a.Of(p, quorum.One, quorum.Choice, "")
	a.Agreed(p, quorum.Choice, false)
	if a.Of(p, quorum.One, quorum.Choice, "") != before {
		t.Error("an outcome changed the standing that others still use")
	}
}

func TestReliabilityReadsBack(t *testing.T) {
	p := quorum.DefaultPolicy()
	r := (*Reliability)(nil).Labelled(p, quorum.VoteKind, "b", true).Labelled(p, quorum.Choice, "", false).Labelled(p, quorum.VoteKind, "a", true).Agreed(p, quorum.Short, true)
	text := r.Append(nil)
	src := canon.NewReader(text)
	again := Read(src)
	if err := src.End(); err != nil || !bytes.Equal(again.Append(nil), text) {
		t.Errorf("%s reads back as %s, %v", text, again.Append(nil), err)
	}
	for _, bad := range []string{`[["vote","",1,1,0]]`, `[["vote","b",1,1,0,0],["vote","a",1,1,0,0]]`, `[["sonnet","",1,1,0,0]]`, `[["vote","",1,1,0,0],["vote","",1,1,0,0]]`} {
		src := canon.NewReader([]byte(bad))
		Read(src)
		if src.End() == nil {
			t.Errorf("takes %s", bad)
		}
	}
}
