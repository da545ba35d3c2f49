package gateway

import (
	"strconv"

	"github.com/kaizen-os/deliberation/fanout"
	"github.com/kaizen-os/deliberation/quorum"
	"github.com/kaizen-os/deliberation/quorum/standing"
	"github.com/kaizen-os/deliberation/scoring"
	"github.com/kaizen-os/deliberation/scoring/grade"
)

// An utterance is what one seat answered to a labelled item, as far as a decision among
// closed answers looks at it. No text is in it: equal answers have equal numbers.
type utterance struct {
	outcome   quorum.Outcome
	grade     grade.Outcome
	answer    int8 // the first seat that gave the same; -1 is none
	stance    quorum.Stance
	abstained bool
	scored    bool
	void      bool // it does not count, for a reason of its own
	score     quorum.Score
}

// fitted reports whether there are items enough of kind k to fit its confidence to.
func (c *calibration) fitted(k quorum.Kind) bool {
	var items int64
	for _, cell := range c.cells {
		if cell.Kind == k {
			items += cell.Items
		}
	}
	return k.Closed() && c.state.Policy.Fits(k) && items >= quorum.FitItems
}

// takeDown is what the seats of a round that is over answered to it.
func (g *Gateway) takeDown(it *labelled, round *fanout.Round, sheet *scoring.Sheet, graded []grade.Outcome) []utterance {
	out := make([]utterance, len(graded))
	first := make(map[string]int8, len(graded)) // seat that gave an answer
	for seat := range out {
		r := round.Reply(seat)
		b := quorum.Ballot{Reason: r.Reason}
		if r.Outcome == quorum.OK {
			g.scorer.Cast(&b, sheet, seat, it.d.Kind, r)
		}
		s := utterance{outcome: r.Outcome, grade: graded[seat], answer: -1, stance: b.Stance, abstained: b.Abstained, scored: b.Scored, score: b.Score, void: b.Reason != ""}
		if b.Key != "" {
			if _, again := first[b.Key]; !again {
				first[b.Key] = int8(seat)
			}
			s.answer = first[b.Key]
		}
		out[seat] = s
	}
	return out
}

// fit gives the confidence of each kind that has items enough, by the weights that
// will be in force with the counts of c.
func (c *calibration) fit() (fits []quorum.FittedConfidence) {
	policy := c.state.Policy
	for _, kind := range quorum.Kinds[1:] {
		if !c.fitted(kind) {
			continue
		}
		w := c.weigher(kind)
		var leads []grade.Lead
		for i := range c.items {
			if it := &c.items[i]; it.d.Kind == kind {
				if lead, ok := w.lead(it); ok {
					leads = append(leads, lead)
				}
			}
		}
		if len(leads) >= quorum.FitItems {
			fits = append(fits, grade.FitConfidence(policy.Stated(kind), leads))
		}
	}
	return fits
}

// A weigher decides the items of one kind again, each by the weights that all the
// others have earned: with its own outcome among them, those who were right about
// it would weigh more because of it, and a leader look surer than it will be.
type weigher struct {
	c        *calibration
	families []string
	ballots  []quorum.Ballot // of the item at hand
	reliable []quorum.PPM
	without  [][]reliabilities // by seat, then cell
}

// reliabilities are p without an item's own outcome, by that outcome.
type reliabilities [grade.Right + 1]quorum.PPM

func (c *calibration) weigher(kind quorum.Kind) *weigher {
	n := len(c.members)
	w := &weigher{c: c, families: make([]string, n), ballots: make([]quorum.Ballot, n), reliable: make([]quorum.PPM, n), without: make([][]reliabilities, n)}
	for i, m := range c.members {
		w.families[i] = m.Family
		w.without[i] = make([]reliabilities, len(c.cells))
		r := &c.results[i]
		whole := standing.Tally{Kind: kind}
		for k, cell := range c.cells {
			if cell.Kind == kind {
				whole.Right += r.right[k]
				whole.Seen += r.seen[k]
			}
		}
		earned := c.state.Roster.Find(m.ID).Standing
		weight := c.state.Policy.VoteWeight(m)
		for k, cell := range c.cells {
			if cell.Kind != kind {
				continue
			}
			mine := standing.Tally{Kind: kind, Topic: cell.Topic, Right: r.right[k], Seen: r.seen[k]}
			rest := standing.Tally{Kind: kind, Right: whole.Right - mine.Right, Seen: whole.Seen - mine.Seen}
			for o := grade.Unseen; o <= grade.Right; o++ {
				less := mine
				if o != grade.Unseen {
					less.Seen--
				}
				if o == grade.Right {
					less.Right--
				}
				if less.Right < 0 || less.Seen < less.Right {
					continue // it never came to that
				}
				w.without[i][k][o] = earned.Labelled(c.state.Policy, less, rest).Of(c.state.Policy, weight, kind, cell.Topic)
			}
		}
	}
	return w
}

// lead decides one item as a deliberation that waits for all would, and says how
// strong its leader was. It fails where there was none, or nothing to grade it by.
func (w *weigher) lead(it *labelled) (lead grade.Lead, ok bool) {
	policy := w.c.state.Policy
	if it.said == nil {
		return lead, false // a policy that did not ask for it was in force when it was put
	}
	for i, m := range w.c.members {
		s := &it.said[w.c.results[i].seat]
		b := &w.ballots[i]
		*b = quorum.Ballot{Companion: m.ID, Vendor: m.Vendor, Tier: m.Tier, Outcome: s.outcome, Scored: s.scored, Score: s.score, Stance: s.stance,
			Abstained: s.abstained, Position: -1, TierWeight: policy.VoteWeight(m)}
		if s.answer >= 0 {
			b.Key = strconv.Itoa(int(s.answer))
		}
		if s.void {
			b.Reason = quorum.ReasonAmbiguous
		}
		w.reliable[i] = w.without[i][it.cell][s.grade]
	}
	q := quorum.Question{Tier: quorum.Research, Kind: it.d.Kind, Options: len(it.d.Options)}
	policy.Weigh(&q, w.ballots, w.reliable, w.families)
	v := policy.Decide(&q, w.ballots)
	if len(v.Positions) == 0 {
		return lead, false
	}
	graded := it.said[w.c.results[v.Positions[0].Best].seat].grade
	return grade.Lead{Share: v.Share, Margin: v.Margin, Turnout: quorum.Turnout(w.ballots), Right: graded == grade.Right}, graded != grade.Unseen
}
