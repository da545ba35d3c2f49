package standing

import (
	"bytes"
	"slices"
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
		r = r.Labelled(p, Tally{quorum.Number, "", 1, 1})
	}
	good := r.Of(p, quorum.One, quorum.Number, "")
	for range 100 {
		r = r.Labelled(p, Tally{quorum.Number, "", 0, 1})
	}
	bad := r.Of(p, quorum.One, quorum.Number, "")
	if good < 970_000 || bad > 700_000 {
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
		r = r.Labelled(p, Tally{quorum.Number, "algebra", 0, 1})
	}
	kind, topic, other := r.Of(p, quorum.One, quorum.Number, ""), r.Of(p, quorum.One, quorum.Number, "algebra"), r.Of(p, quorum.One, quorum.Number, "logic")
	if topic >= kind || other != kind {
		t.Errorf("kind %s, topic %s, another topic %s: want topic below, another as the kind", kind, topic, other)
	}
}

// A companion that was always right and then is always wrong weighs under a fifth
// of a good one within a hundred outcomes, for every kind of the default policy,
// however those are counted. By hand, where one record holds them: of 500 right the
// cell remembers 250, then 150 of 250, which is p = (30·0.8 + 150) / 280; the other
// has 237.5 of 250.
func TestABadCompanionWeighsLittleWithinAHundredOutcomes(t *testing.T) {
	p := quorum.DefaultPolicy()
	for _, kind := range []quorum.Kind{quorum.Choice, quorum.Number, quorum.Short, quorum.JSON, quorum.VoteKind, quorum.Text, quorum.Code} {
		once := (*Reliability)(nil).Labelled(p, Tally{kind, "", 500, 500})
		if got := once.Of(p, quorum.One, kind, ""); got != 978_571 { // 274/280
			t.Errorf("%s: p %s when all was right", kind, got)
		}
		other := (*Reliability)(nil).Labelled(p, Tally{kind, "", 475, 500}).Of(p, quorum.One, kind, "")
		if other != 933_928 { // 261.5/280
			t.Errorf("%s: p %s of the other", kind, other)
		}
		for _, records := range []int64{1, 10, 100} {
			r := once
			for range records {
				r = r.Labelled(p, Tally{kind, "", 0, 100 / records})
			}
			bad := r.Of(p, quorum.One, kind, "")
			if records == 1 && bad != 621_428 { // 174/280
				t.Errorf("%s: p %s after a hundred wrong", kind, bad)
			}
			ballots := make([]quorum.Ballot, 2)
			p.Weigh(&quorum.Question{Kind: kind}, ballots, []quorum.PPM{bad, other}, []string{"a", "b"})
			if limit := fifth(p, kind); ballots[0].Earned >= limit || ballots[1].Earned != quorum.One {
				t.Errorf("%s: after %d records it weighs %s beside %s, want less than %s", kind, records, ballots[0].Earned, ballots[1].Earned, limit)
			}
		}
	}
}

// fifth is what a bad companion may weigh. The weights of code are flat, as they
// only choose whose program is shown: there it is less than the good one's.
func fifth(p *quorum.Policy, kind quorum.Kind) quorum.PPM {
	if p.Kind(kind).Exponent == 1 {
		return 600_000
	}
	return quorum.One / 5
}

// What one record holds counts the same in whatever order it is listed, also
// where cells are full; a topic's outcomes count for its kind too.
func TestOrderOfTalliesDoesNotMatter(t *testing.T) {
	p := quorum.DefaultPolicy()
	tallies := []Tally{{quorum.Number, "", 7, 130}, {quorum.Number, "algebra", 401, 420}, {quorum.Choice, "", 1, 3}, {quorum.Number, "logic", 90, 99}, {quorum.Short, "", 0, 0}}
	before := (*Reliability)(nil).Labelled(p, Tally{quorum.Number, "algebra", 300, 333})
	want := before.Labelled(p, tallies...).Append(nil)
	for i := range tallies {
		turned := append(slices.Clone(tallies[i:]), tallies[:i]...)
		if got := before.Labelled(p, turned...).Append(nil); !bytes.Equal(got, want) {
			t.Errorf("begun with %d: %s, want %s", i, got, want)
		}
	}
	// 649 fresh outcomes of the kind fill its cell: what was there is forgotten.
	if want := `[["choice","",1000,3000,0,0],["number","",191833,250000,0,0],["number","algebra",238690,250000,0,0],["number","logic",90000,99000,0,0]]`; string(before.Labelled(p, tallies...).Append(nil)) != want {
		t.Errorf("%s\nwant %s", before.Labelled(p, tallies...).Append(nil), want)
	}
}

// A right outcome more never lowers p, and a wrong one never raises it, full
// cells included.
func TestOutcomesMoveReliabilityTheRightWay(t *testing.T) {
	p := quorum.DefaultPolicy()
	for right := int64(0); right <= 700; right += 35 {
		for wrong := int64(0); wrong <= 700; wrong += 35 {
			r := (*Reliability)(nil).Labelled(p, Tally{quorum.Number, "", right, right + wrong})
			was := r.Of(p, quorum.One, quorum.Number, "")
			if up := r.Labelled(p, Tally{quorum.Number, "", 1, 1}).Of(p, quorum.One, quorum.Number, ""); up < was {
				t.Errorf("%d right, %d wrong: one more right takes %s to %s", right, wrong, was, up)
			}
			// One thousandth that scaling rounds away is less than this.
			if down := r.Labelled(p, Tally{quorum.Number, "", 0, 1}).Of(p, quorum.One, quorum.Number, ""); down > was {
				t.Errorf("%d right, %d wrong: one more wrong takes %s to %s", right, wrong, was, down)
			}
		}
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
	r := (*Reliability)(nil).Labelled(p, Tally{quorum.VoteKind, "b", 1, 1}, Tally{quorum.Choice, "", 0, 1}, Tally{quorum.VoteKind, "a", 1, 1}).Agreed(p, quorum.Short, true)
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
