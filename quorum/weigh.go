package quorum

// Reliability is how often a companion is right about one kind of question:
// the evidence of one cell (companion, kind and perhaps topic). Counts are
// scaled by 1000 so that halving a full cell loses nothing that matters.
type Reliability struct {
	Right, Seen         int64 // labelled outcomes, in thousandths
	SoftRight, SoftSeen int64 // agreement with the others, in thousandths
}

// Milli is one outcome in a [Reliability].
const Milli = 1000

// ParentReliability is p of a companion of this tier weight without evidence.
func (p *Policy) ParentReliability(tierWeight PPM) PPM {
	return p.Reliability.Base + p.Reliability.Slope*tierWeight/One
}

// Reliable is the p of one cell given its parent's:
// (strength·parent + right) / (strength + seen). Agreement counts only while
// there are few labelled outcomes.
func (p *Policy) Reliable(parent PPM, c Reliability) PPM {
	r := &p.Reliability
	right, seen := c.Right, c.Seen
	if seen < r.SoftUnder*Milli {
		right += c.SoftRight * int64(r.SoftWeight) / int64(One)
		seen += c.SoftSeen * int64(r.SoftWeight) / int64(One)
	}
	num := r.Strength*Milli*int64(parent) + right*int64(One)
	return PPM(num / (r.Strength*Milli + seen))
}

// LogOdds is ln((K-1)p/(1-p)), p kept off 0 and 1 by the policy's margin.
func (p *Policy) LogOdds(reliable PPM, alternatives int) PPM {
	edge := p.Reliability.Probability
	q := min(max(reliable, edge), One-edge)
	return Ln(int64(alternatives-1)*int64(q), int64(One-q))
}

// Weigh sets Prior, Odds, Earned and Weight of every ballot from its TierWeight
// and its cell's p (reliable[i] for ballots[i]; families[i] names its make).
// It is done once, when the panel is seated and the kind is known: nothing that
// arrives later changes what a ballot weighs.
func (p *Policy) Weigh(q *Question, ballots []Ballot, reliable []PPM, families []string) {
	k := p.Kind(q.Kind)
	alternatives := k.Alternatives
	if q.Options >= 2 && q.Kind == Choice {
		alternatives = q.Options
	}
	var largest PPM
	for i := range ballots {
		b := &ballots[i]
		b.Prior = reliable[i]
		b.Odds = p.LogOdds(reliable[i], alternatives)
		largest = max(largest, b.Odds)
	}
	for i := range ballots {
		b := &ballots[i]
		switch {
		case largest == 0:
			b.Earned = One
		default:
			b.Earned = Pow(max(b.Odds, 0)*One/largest, k.Exponent)
		}
	}
	p.capFamilies(ballots, families)
	for i := range ballots {
		b := &ballots[i]
		b.Weight = b.Earned
		if q.Operation || p.AnswerWeights == "tier" {
			b.Weight = b.TierWeight
		}
	}
}

// capFamilies holds companions of one family to FamilyCap times their best member.
func (p *Policy) capFamilies(ballots []Ballot, families []string) {
	for i, f := range families {
		first := i
		for j := range i {
			if families[j] == f {
				first = j
				break
			}
		}
		if first != i {
			continue // done with its first member
		}
		var sum, best PPM
		for j := i; j < len(families); j++ {
			if families[j] == f {
				sum += ballots[j].Earned
				best = max(best, ballots[j].Earned)
			}
		}
		if limit := best * p.Reliability.FamilyCap / One; sum > limit {
			for j := i; j < len(families); j++ {
				if families[j] == f {
					ballots[j].Earned = ballots[j].Earned * limit / sum
				}
			}
		}
	}
}
