package state

import (
	"errors"
	"testing"

	"github.com/kaizen-os/deliberation/quorum"
)

// A confirmed feedback is one labelled outcome for each who took a position.
func TestConfirmedFeedbackCounts(t *testing.T) {
	for _, tt := range []struct {
		correct quorum.Correctness
		want    [4]quorum.PPM // of AUREA, ATLAS, who lead; ZENITH; SOLARA, who is late
	}{
		{quorum.WasRight, [4]quorum.PPM{818_181, 818_181, 672_727, 620_000}}, // (8+1)/11, (7.4+0)/11
		{quorum.WasWrong, [4]quorum.PPM{727_272, 727_272, 740_000, 620_000}}, // (8+0)/11
	} {
		s, a := founded(t)
		p := deliberate(t, s, "dlb_1", quorum.Number, "42", "42", "7", "late")
		p.Ballots[3].Outcome = quorum.Late
		at := s.Size
		s = write(t, s, a, p)
		before := s
		s = write(t, s, a, &quorum.Feedback{ID: "dlb_1", Rating: 4, Correct: tt.correct})
		if s.Roster != before.Roster {
			t.Error("feedback counts before it is confirmed")
		}
		s = write(t, s, a, p.Confirmed(at, tt.correct == quorum.WasRight))
		for i, id := range []quorum.CompanionID{"AUREA", "ATLAS", "ZENITH", "SOLARA"} {
			m := s.Roster.Find(id)
			var cell quorum.Reliability // without what agreement adds
			for _, c := range m.Standing.Cells() {
				cell.Right, cell.Seen = c.Evidence.Right, c.Evidence.Seen
			}
			if got := s.Policy.Reliable(s.Policy.ParentReliability(s.Policy.VoteWeight(&m.Companion)), cell); got != tt.want[i] {
				t.Errorf("%s, %s: p %s by labels, want %s", tt.correct, id, got, tt.want[i])
			}
		}
	}
}

func TestAuditRefusesFeedback(t *testing.T) {
	right := &quorum.Feedback{ID: "dlb_1", Rating: 4, Correct: quorum.WasRight}
	for _, tt := range []struct {
		name  string
		given []*quorum.Feedback
		last  func(c *quorum.Confirmation) quorum.Record
	}{
		{"given twice", []*quorum.Feedback{right}, func(*quorum.Confirmation) quorum.Record { return right }},
		{"confirmed and never given", nil, func(c *quorum.Confirmation) quorum.Record { return c }},
		{"confirmed where it said nothing of it", []*quorum.Feedback{{ID: "dlb_1", Rating: 4}}, func(c *quorum.Confirmation) quorum.Record { return c }},
		{"confirmed as its contrary", []*quorum.Feedback{{ID: "dlb_1", Rating: 4, Correct: quorum.WasWrong}}, func(c *quorum.Confirmation) quorum.Record { return c }},
		{"of another record", []*quorum.Feedback{right}, func(c *quorum.Confirmation) quorum.Record { c.Index--; return c }},
		{"of a record to come", []*quorum.Feedback{right}, func(c *quorum.Confirmation) quorum.Record { c.Index += 100; return c }},
		{"with other supporters", []*quorum.Feedback{right}, func(c *quorum.Confirmation) quorum.Record {
			c.Supporters, c.Others = c.Others, c.Supporters
			return c
		}},
		{"for another kind", []*quorum.Feedback{right}, func(c *quorum.Confirmation) quorum.Record { c.Kind = quorum.Short; return c }},
		{"for another topic", []*quorum.Feedback{right}, func(c *quorum.Confirmation) quorum.Record { c.Topic = "x"; return c }},
	} {
		s, a := founded(t)
		p := deliberate(t, s, "dlb_1", quorum.Number, "42", "42", "7", "7")
		at := s.Size
		s = write(t, s, a, p)
		for _, f := range tt.given {
			s = write(t, s, a, f)
		}
		if err := a.Visit(s.Size, stamped(tt.last(p.Confirmed(at, true)), start)); !errors.Is(err, ErrFeedback) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	// And the one that follows, once.
	s, a := founded(t)
	p := deliberate(t, s, "dlb_1", quorum.Number, "42", "42", "7", "7")
	at := s.Size
	s = write(t, s, a, p)
	s = write(t, s, a, right)
	s = write(t, s, a, p.Confirmed(at, true))
	if err := a.Visit(s.Size, stamped(p.Confirmed(at, true), start)); !errors.Is(err, ErrFeedback) {
		t.Errorf("confirmed twice: %v", err)
	}
}
