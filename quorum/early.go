package quorum

// Settled reports whether no reply still out can change the leader, the status
// or the decision: every way in which the ballots marked out could still be
// cast (any answer, none, an abstention, below the charter minimum, or never)
// ends in the same three. Only closed kinds stated in the request can be settled
// early. Ballots marked out must have their weights; nothing else of them is read.
//
// The ballots that are in have been decided on with the others absent (v).
func (p *Policy) Settled(q *Question, v *Verdict, ballots []Ballot, out func(i int) bool) bool {
	if !q.Kind.Closed() || len(v.Positions) == 0 {
		return false
	}
	rule := &p.Tier(q.Tier).Rule
	var seated, taken, outstanding PPM
	counted, remaining := 0, 0
	var vendors [64]string
	now := support{vendors: vendors[:0]}
	for i := range ballots {
		b := &ballots[i]
		seated += b.Weight
		if out(i) {
			outstanding += b.Weight
			remaining++
			continue
		}
		if b.Counted {
			counted++
			if b.Position >= 0 {
				taken += b.Weight
			}
			if b.Position == 0 && b.Weight > 0 {
				now.add(rule, b)
			}
		}
	}
	if remaining == 0 {
		return true
	}
	lead := v.Positions[0].Weight
	var rival PPM
	if len(v.Positions) > 1 {
		rival = v.Positions[1].Weight
	}
	// The leader stays only if it stays when all that is out joins its strongest
	// rival or, with no rival, makes one. A tie would go by other rules: not settled.
	if lead <= rival+outstanding || counted < rule.Approvals {
		return false
	}
	if q.Kind == VoteKind && v.Positions[0].Stance != Approve {
		// Lost, whatever comes, if enough have spoken; contested if they never will.
		return !p.Consensus.RejectionTurnout || ratio(taken, seated) >= rule.Participation || ratio(taken+outstanding, seated) < rule.Participation
	}
	// Carried in every case, if each condition holds where it is hardest:
	// approvals, vendors, participation and turnout if nobody else counts; share
	// and margin if everybody else opposes.
	worst := ratio(lead, taken+outstanding)
	worstMargin := ratio(lead-rival-outstanding, taken+outstanding)
	if now.enough(rule) && worst >= rule.Share && ratio(taken, seated) >= rule.Participation &&
		p.confidence(q.Kind, worst, worstMargin, ratio(taken, seated)) >= p.Kind(q.Kind).MinConfidence {
		return true
	}
	// Contested in every case, if some one condition fails where it is easiest:
	// everybody else supports the leader.
	best := now
	best.vendors = append([]string(nil), now.vendors...)
	for i := range ballots {
		if b := &ballots[i]; out(i) && b.Weight > 0 && b.Tier >= rule.Floor {
			best.add(rule, b)
		}
	}
	easiest := ratio(lead+outstanding, taken+outstanding)
	easiestMargin := ratio(lead+outstanding-rival, taken+outstanding)
	return !best.enough(rule) || easiest < rule.Share ||
		ratio(taken+outstanding, seated) < rule.Participation ||
		p.confidence(q.Kind, easiest, easiestMargin, ratio(taken+outstanding, seated)) < p.Kind(q.Kind).MinConfidence
}

// Likely reports whether the leader is most unlikely to change (wait: likely):
// enough replies are in, they carry or lose the question as if nobody else came,
// the leader would stay if the policy's share of what is still out backed the
// runner-up, and its posterior, with tempered log-odds and an unseen answer at
// score 0, reaches the policy's mark. The posterior alone says who is probably
// right; the weights, which a single strong companion may dominate, say who leads.
//
// Ballots whose outcome is unneeded are still out.
func (p *Policy) Likely(q *Question, v *Verdict, ballots []Ballot) bool {
	if !q.Kind.Closed() || v.Status != Carried && v.Status != Lost && v.Status != Pending {
		return false
	}
	replies := 0
	var scores [64]PPM
	var outstanding, rival PPM
	for i := range ballots {
		b := &ballots[i]
		if b.Outcome == Unneeded {
			outstanding += b.Weight
		}
		if b.Counted && b.Position >= 0 {
			replies++
			scores[b.Position] += p.Early.Tempering * b.Odds / One
		}
	}
	if len(v.Positions) > 1 {
		rival = v.Positions[1].Weight
	}
	if replies < p.Early.MinReplies || v.Positions[0].Weight <= rival+outstanding*p.Early.Opposed/One {
		return false
	}
	// posterior of the leader = 1 / (Σ_k e^(s_k - s_0) + e^-s_0)
	others := Exp(-scores[0])
	for _, s := range scores[1:len(v.Positions)] {
		others += Exp(s - scores[0])
		if others > int64(One) {
			return false
		}
	}
	return PPM(roundDiv(int64(One)*int64(One), int64(One)+others)) >= p.Early.Posterior
}

// QuorumMet reports whether the ballots that are in could carry a question by
// number, tier and vendor, whatever they say: from here on the others are given
// a grace, not the whole deadline (DESIGN §4.9).
func (p *Policy) QuorumMet(q *Question, ballots []Ballot) bool {
	rule := &p.Tier(q.Tier).Rule
	var vendors [64]string
	s := support{vendors: vendors[:0]}
	for i := range ballots {
		if b := &ballots[i]; b.Counted && b.Weight > 0 {
			s.add(rule, b)
		}
	}
	return s.enough(rule)
}

// Observed reports whether the deliberation named id is among the one in
// ObserveOne whose calls run on after an early answer, so that whole panels keep
// feeding the records. FNV-1a over the id, so that anybody can tell which they were.
func (p *Policy) Observed(id string) bool {
	h := uint64(14695981039346656037)
	for i := range len(id) {
		h = (h ^ uint64(id[i])) * 1099511628211
	}
	return h%uint64(p.Early.ObserveOne) == 0
}
