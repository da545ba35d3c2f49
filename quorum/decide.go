package quorum

import "slices"

// Why a ballot with a reply is not counted.
const (
	ReasonFloor     = "below the tier's floor"
	ReasonCharter   = "below the tier's charter minimum"
	ReasonUnscored  = "no charter score"
	ReasonUnjudged  = "unjudged" // at the critical tier: an external judge has no opinion of it
	ReasonNoAnswer  = "no answer found"
	ReasonAmbiguous = "several different answers"
	ReasonSuspended = "suspended meanwhile"
	ReasonEmpty     = "empty reply"
	ReasonRunFailed = "the runner failed it" // code: it crashed, or broke a limit
	ReasonNotRun    = "not run in time"      // code: the deliberation ended first, or the runner itself did not work

	// Where replies are to be of a form ([Generation]); one of no such form is [ReasonNotInForm].
	ReasonNoCall      = "does not call a tool, as it must"
	ReasonStrangeCall = "calls a tool that it may not"
	ReasonManyCalls   = "makes several calls where one was asked for"

	// ReasonLeft is why an unneeded companion was not waited for.
	ReasonLeft = "the client left before the answer"
)

// Decide counts the ballots of a panel, in seat order, and says what they came
// to. It sets Counted, Position and Reason on each. It is pure: the same ballots
// give the same verdict on every machine, in any order but for the last tie,
// which the earlier seat wins.
func (p *Policy) Decide(q *Question, ballots []Ballot) Verdict {
	for i := range ballots {
		p.Gate(q, &ballots[i])
	}
	var room [8]Position
	positions := findPositions(p, q, ballots, room[:0])
	return p.judge(q, ballots, positions)
}

// Gate decides whether b counts, and if not, why. A reason that is there already
// stands.
func (p *Policy) Gate(q *Question, b *Ballot) {
	t := p.Tier(q.Tier)
	b.Position = -1
	b.Counted = false
	switch {
	case b.Outcome != OK || b.Reason != "":
	case b.Tier < t.Rule.Floor:
		b.Reason = ReasonFloor
	case !b.Scored:
		b.Reason = ReasonUnscored
	case b.Score < t.CharterMinimum:
		b.Reason = ReasonCharter
	case q.Tier == Critical && b.Judged.Unjudged():
		b.Reason = ReasonUnjudged
	case b.Abstained:
		b.Counted = true
	case q.Keyed() && b.Key == "":
		b.Reason = ReasonNoAnswer
	default:
		b.Counted = true
	}
}

// judge turns positions, in any order, into the verdict.
func (p *Policy) judge(q *Question, ballots []Ballot, positions []Position) Verdict {
	return p.conclude(q, ballots, strongestFirst(p, q, ballots, positions))
}

// conclude is the verdict on positions in the order that decides: the first leads.
func (p *Policy) conclude(q *Question, ballots []Ballot, positions []Position) Verdict {
	rule := &p.Tier(q.Tier).Rule
	v := Verdict{Winner: -1, Confidence: NoConfidence, Required: rule.Approvals, Positions: positions}

	var seated, heard, taken PPM
	counted := 0
	for i := range ballots {
		b := &ballots[i]
		seated += b.Weight
		if b.Outcome != Unneeded {
			heard += b.Weight
		}
		switch {
		case b.Outcome == Unneeded:
			v.Bound = true
		case b.Outcome != OK:
			v.Degraded = true
		}
		if b.Counted {
			counted++
			if b.Position >= 0 {
				taken += b.Weight
			}
		}
	}
	if len(v.Positions) > 0 {
		lead := &v.Positions[0]
		v.Winner = lead.Best
		v.Decision = lead.Stance
		v.Agreement = ratio(lead.Weight, seated)
		v.Share = ratio(lead.Weight, taken)
		v.Margin = v.Share
		if len(v.Positions) > 1 {
			v.Margin = ratio(lead.Weight-v.Positions[1].Weight, taken)
		}
		if !q.Open {
			v.Confidence = p.confidence(q.Kind, v.Share, v.Margin, ratio(taken, heard))
		}
		for i := range v.Positions {
			v.Positions[i].Share = ratio(v.Positions[i].Weight, taken)
		}
	}
	var vendors [64]string
	s := support{vendors: vendors[:0]}
	for i := range ballots {
		if b := &ballots[i]; b.Counted && b.Position == 0 && b.Weight > 0 {
			s.add(rule, b)
		}
	}
	v.Votes = s.approvals
	switch {
	case counted < rule.Approvals || len(v.Positions) == 0:
		v.Status = Inquorate
		v.Winner, v.Decision = -1, NoStance
	case q.Kind == VoteKind && v.Decision != Approve:
		v.Status = Lost
		if p.Consensus.RejectionTurnout && ratio(taken, seated) < rule.Participation {
			v.Status = Contested // too few have spoken for a rejection, as they would be for an approval
		}
	case s.enough(rule) && v.Share >= rule.Share && ratio(taken, seated) >= rule.Participation &&
		(v.Confidence == NoConfidence || v.Confidence >= p.Kind(q.Kind).MinConfidence):
		v.Status = Carried
		if q.Operation && rule.CoSigners > 0 {
			v.Status = Pending
		}
	default:
		v.Status = Contested
	}
	p.hearDissent(q, &v)
	return v
}

// hearDissent lists the positions that lost and must be heard, and notes whether
// the weights that do not decide here would have led to another answer.
func (p *Policy) hearDissent(q *Question, v *Verdict) {
	if len(v.Positions) == 0 {
		return
	}
	lead := v.Positions[0]
	byTier, byCount, byEarned := lead.TierWeight, lead.Supporters, lead.Earned
	for _, o := range v.Positions[1:] {
		byTier = max(byTier, o.TierWeight)
		byCount = max(byCount, o.Supporters)
		byEarned = max(byEarned, o.Earned)
	}
	v.Flips = !q.Open && (byTier > lead.TierWeight || byEarned > lead.Earned)
	for i := 1; i < len(v.Positions); i++ {
		o := &v.Positions[i]
		if o.Share < p.Consensus.DissentShare && !o.HasTop {
			continue
		}
		d := Dissent{Position: i}
		switch {
		case o.TierWeight > lead.TierWeight && o.TierWeight == byTier:
			d.WinsBy = "tier"
		case o.Supporters > lead.Supporters && o.Supporters == byCount:
			d.WinsBy = "count"
		}
		v.Dissent = append(v.Dissent, d)
	}
}

// support counts what stands behind one position.
type support struct {
	approvals int
	atLeast   [4]int
	vendors   []string
}

func (s *support) add(rule *Rule, b *Ballot) {
	s.approvals++
	for i, a := range rule.AtLeast {
		if i < len(s.atLeast) && b.Tier >= a.Tier {
			s.atLeast[i]++
		}
	}
	if !slices.Contains(s.vendors, b.Vendor) {
		s.vendors = append(s.vendors, b.Vendor)
	}
}

// MetBy reports whether the rule's approvals, tiers and vendors are met if all of
// these companions support one answer.
func (r *Rule) MetBy(companions []*Companion) bool {
	var s support
	for _, c := range companions {
		if c.Tier >= r.Floor {
			s.add(r, &Ballot{Tier: c.Tier, Vendor: c.Vendor})
		}
	}
	return s.enough(r)
}

func (s *support) enough(rule *Rule) bool {
	for i, a := range rule.AtLeast {
		if s.atLeast[i] < a.Count {
			return false
		}
	}
	return s.approvals >= rule.Approvals && len(s.vendors) >= rule.Vendors
}

// confidence is the calibrated chance that the leader is right. Turnout is how
// much of the weight that was waited for took a position: where those who weigh
// abstain, what the rest agree on is worth less than its share says.
func (p *Policy) confidence(kind Kind, share, margin, turnout PPM) PPM {
	k := p.Kind(kind)
	return Logistic(k.Bias + k.ByShare*share/One + k.ByMargin*margin/One + k.ByTurnout*turnout/One)
}

func ratio(part, whole PPM) PPM {
	if whole <= 0 {
		return 0
	}
	return part * One / whole
}
