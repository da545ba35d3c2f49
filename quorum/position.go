package quorum

import "slices"

// findPositions groups the counted ballots that gave an answer, sets their
// Position, and appends the positions to dst in order of their first seat. Until
// they are judged, Best is that first seat.
func findPositions(p *Policy, q *Question, ballots []Ballot, dst []Position) []Position {
	switch {
	case q.Keyed():
		for i := range ballots {
			if votes(&ballots[i]) {
				ballots[i].Position = equalKey(ballots[:i], ballots[i].Key)
				dst = join(dst, ballots, i)
			}
		}
	case q.Open:
		for i := range ballots {
			if votes(&ballots[i]) {
				if ballots[i].Key != "" { // the same words as another's
					ballots[i].Position = equalKey(ballots[:i], ballots[i].Key)
				}
				dst = join(dst, ballots, i)
			}
		}
	default:
		dst = cluster(p, q, ballots, dst)
	}
	return dst
}

// votes reports whether b counts and took a position.
func votes(b *Ballot) bool { return b.Counted && !b.Abstained }

func equalKey(before []Ballot, key string) int {
	for i := range before {
		if before[i].Position >= 0 && before[i].Key == key {
			return before[i].Position
		}
	}
	return -1
}

// join adds ballot i to its position, a new one if that is -1.
func join(dst []Position, ballots []Ballot, i int) []Position {
	b := &ballots[i]
	if b.Position < 0 {
		b.Position = len(dst)
		dst = append(dst, Position{Best: i, Stance: b.Stance})
	}
	at := &dst[b.Position]
	at.Weight += b.Weight
	at.TierWeight += b.TierWeight
	at.Earned += b.Earned
	at.Supporters++
	at.HasTop = at.HasTop || b.Tier == Critical
	return dst
}

// cluster groups texts by single link at the policy's similarity, most alike
// first; a pair that must not share a position (-1) keeps whole groups apart.
func cluster(p *Policy, q *Question, ballots []Ballot, dst []Position) []Position {
	n := len(ballots)
	type pair struct {
		at   PPM
		i, j int
	}
	var room [28]pair // every pair of a panel of eight
	pairs := room[:0]
	var group [64]int
	for i := range ballots {
		group[i] = i
		if !votes(&ballots[i]) {
			continue
		}
		for j := i + 1; j < n; j++ {
			if at := q.similarity(i, j, n); votes(&ballots[j]) && at >= p.Consensus.ClusterAt {
				pairs = append(pairs, pair{at, i, j})
			}
		}
	}
	slices.SortStableFunc(pairs, func(a, b pair) int { return int(b.at - a.at) })
	for _, pr := range pairs {
		a, b := min(group[pr.i], group[pr.j]), max(group[pr.i], group[pr.j])
		if a == b || apart(q, group[:n], a, b) {
			continue
		}
		for i := range n {
			if group[i] == b {
				group[i] = a
			}
		}
	}
	// A group is named by its first seat, so that seat comes by before the others.
	for i := range ballots {
		if votes(&ballots[i]) {
			ballots[i].Position = ballots[group[i]].Position
			dst = join(dst, ballots, i)
		}
	}
	return dst
}

// apart reports whether some pair across groups a and b must not share a position.
func apart(q *Question, group []int, a, b int) bool {
	for i := range group {
		for j := range group {
			if group[i] == a && group[j] == b && q.similarity(i, j, len(group)) < 0 {
				return true
			}
		}
	}
	return false
}

// strongestFirst orders positions as the decision does: weight, then the
// strongest supporter, then the mean charter score, then the first seat. It
// renumbers the ballots and picks the ballot that speaks for each.
func strongestFirst(p *Policy, q *Question, ballots []Ballot, positions []Position) []Position {
	if len(positions) == 0 {
		return nil
	}
	type rank struct {
		old    int
		top    PPM
		merit  PPM   // of an open question: the best supporter's
		scores int64 // sum of supporters' charter scores
	}
	var open []PPM
	if q.Open {
		open = p.openMerit(q, ballots)
	}
	var room [8]rank
	ranks := room[:0]
	for k := range positions {
		r := rank{old: k}
		first := true
		for i := range ballots {
			if ballots[i].Position == k {
				r.top = max(r.top, ballots[i].Weight)
				r.scores += int64(ballots[i].Score)
				if open != nil && (first || open[i] > r.merit) {
					r.merit, first = open[i], false
				}
			}
		}
		ranks = append(ranks, r)
	}
	slices.SortStableFunc(ranks, func(a, b rank) int {
		pa, pb := &positions[a.old], &positions[b.old]
		if d := b.merit - a.merit; d != 0 {
			return int(d)
		}
		switch {
		case pa.Weight != pb.Weight:
			return int(pb.Weight - pa.Weight)
		case a.top != b.top:
			return int(b.top - a.top)
		}
		// Means compared without dividing.
		return int(b.scores*int64(pa.Supporters) - a.scores*int64(pb.Supporters))
	})
	out := make([]Position, len(ranks))
	var to [64]int
	for i, r := range ranks {
		out[i] = positions[r.old]
		to[r.old] = i
	}
	for i := range ballots {
		if ballots[i].Position >= 0 {
			ballots[i].Position = to[ballots[i].Position]
		}
	}
	for k := range out {
		out[k].Best = p.spokesman(q, ballots, k)
	}
	return out
}

// spokesman is the ballot whose reply stands for position k: the largest weight
// plus a part of its mean similarity to the others of the position.
func (p *Policy) spokesman(q *Question, ballots []Ballot, k int) int {
	best, merit := -1, PPM(-1)
	for i := range ballots {
		if ballots[i].Position != k {
			continue
		}
		var sum PPM
		others := PPM(0)
		for j := range ballots {
			if j != i && ballots[j].Position == k {
				sum += max(q.similarity(i, j, len(ballots)), 0)
				others++
			}
		}
		m := ballots[i].Weight
		if others > 0 {
			m += p.Consensus.OwnPosition * (sum / others) / One
		}
		if m > merit {
			best, merit = i, m
		}
	}
	return best
}

// openMerit ranks open replies: by the reliability prior as log-odds, less what
// an outlier loses. How much a reply resembles the others (what they weigh times
// how alike they are) is standardised over the panel, and only what lies further
// than OpenOutlier under the mean costs anything: on real replies whose judge's
// scores are known, resemblance shows the reply that went astray, and among the
// others it prefers the common denominator, which is worse than a throw of dice.
func (p *Policy) openMerit(q *Question, ballots []Ballot) []PPM {
	merit := make([]PPM, len(ballots))
	var sum, count PPM
	for i := range ballots {
		if !votes(&ballots[i]) {
			continue
		}
		var weighed, weight PPM
		for j := range ballots {
			if j != i && votes(&ballots[j]) {
				w := max(ballots[j].Weight, 1)
				weighed += w * max(q.similarity(i, j, len(ballots)), 0) / One
				weight += w
			}
		}
		merit[i] = ratio(weighed, weight)
		sum += merit[i]
		count++
	}
	if count == 0 {
		return merit
	}
	mean := sum / count
	var squares int64
	for i := range ballots {
		if votes(&ballots[i]) {
			squares += int64(merit[i]-mean) * int64(merit[i]-mean)
		}
	}
	deviation := PPM(Sqrt(squares / int64(count)))
	for i := range ballots {
		if votes(&ballots[i]) {
			astray := ratio(merit[i]-mean, deviation)
			if p.Consensus.OpenOutlier > 0 {
				astray = min(astray+p.Consensus.OpenOutlier, 0)
			}
			merit[i] = p.LogOdds(ballots[i].Prior, p.Kind(q.Kind).Alternatives) + p.Consensus.OpenSpread*astray/One
		}
	}
	return merit
}
