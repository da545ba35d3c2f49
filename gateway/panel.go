package gateway

import (
	"cmp"
	"slices"

	"github.com/kaizen-os/deliberation/fanout"
	"github.com/kaizen-os/deliberation/quorum"
	"github.com/kaizen-os/deliberation/quorum/state"
)

// A Seat is a companion as the operator runs it: what enters the ledger, and the
// line by which it is asked.
type Seat struct {
	Companion quorum.Companion
	Line      *fanout.Line
}

// A panel is who is asked in one deliberation, in roster order, and what each
// weighs by the state it was seated from. It is fixed from then on.
type panel struct {
	state    *state.State
	lines    []*fanout.Line
	members  []*quorum.Companion
	ballots  []quorum.Ballot
	families []string
	reliable []quorum.PPM

	shadowLines   []*fanout.Line
	shadowMembers []*quorum.Companion
}

// seat chooses the panel of d from s: active companions at or above both floors
// that can be reached, and shadows beside them.
func seat(s *state.State, lines map[quorum.CompanionID]*fanout.Line, d *quorum.Deliberation, limits panelLimits) *panel {
	members := s.Roster.Members()
	n := len(members)
	p := &panel{state: s, lines: make([]*fanout.Line, 0, n), members: make([]*quorum.Companion, 0, n)}
	floor := floor(s, d)
	for i := range members {
		m := &members[i]
		line := lines[m.ID]
		switch {
		case line == nil:
		case m.Status == quorum.Shadow:
			p.shadowLines = append(p.shadowLines, line)
			p.shadowMembers = append(p.shadowMembers, &m.Companion)
		case m.Status == quorum.Active && m.Tier >= floor && len(p.lines) < s.Policy.MaxPanel:
			p.lines = append(p.lines, line)
			p.members = append(p.members, &m.Companion)
		}
	}
	p.narrow(d, limits)
	n = len(p.members)
	p.ballots = make([]quorum.Ballot, n)
	p.families = make([]string, n)
	p.reliable = make([]quorum.PPM, n)
	for i, m := range p.members {
		p.ballots[i] = quorum.Ballot{Companion: m.ID, Vendor: m.Vendor, Tier: m.Tier, Outcome: quorum.Unneeded, Position: -1, TierWeight: s.Policy.VoteWeight(m)}
		p.families[i] = m.Family
	}
	return p
}

// weigh fixes the weights of the whole panel for a kind of question.
func (p *panel) weigh(q *quorum.Question, topic string) {
	members := p.state.Roster
	for i := range p.ballots {
		p.reliable[i] = members.Find(p.ballots[i].Companion).Standing.Of(p.state.Policy, p.ballots[i].TierWeight, q.Kind, topic)
	}
	p.state.Policy.Weigh(q, p.ballots, p.reliable, p.families)
}

// panelLimits is what a request allows to be spent. Zero is no limit.
type panelLimits struct {
	companions int
	cost       quorum.MicroUSD
}

// expectedOutput is how many tokens a reply is reckoned to have before it is
// there: a few paragraphs.
const expectedOutput = 500

// narrow holds the panel to the request's limits: the most reliable companions
// first, as long as the expected cost stays within the money.
func (p *panel) narrow(d *quorum.Deliberation, limits panelLimits) {
	if limits.companions == 0 && limits.cost == 0 {
		return
	}
	kind := d.Kind
	if kind == quorum.Auto {
		kind = quorum.Text
	}
	order := make([]int, len(p.members))
	worth := make([]quorum.PPM, len(p.members))
	for i, m := range p.members {
		order[i] = i
		worth[i] = p.state.Roster.Find(m.ID).Standing.Of(p.state.Policy, p.state.Policy.VoteWeight(m), kind, d.Topic)
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(worth[b], worth[a]) })
	expected := expected(d)
	var spent quorum.MicroUSD
	chosen := order[:0]
	for _, i := range order {
		cost := p.members[i].Price.Cost(expected)
		if limits.companions > 0 && len(chosen) == limits.companions || limits.cost > 0 && spent+cost > limits.cost {
			continue
		}
		spent += cost
		chosen = append(chosen, i)
	}
	slices.Sort(chosen)
	lines, members := make([]*fanout.Line, len(chosen)), make([]*quorum.Companion, len(chosen))
	for to, from := range chosen {
		lines[to], members[to] = p.lines[from], p.members[from]
	}
	p.lines, p.members = lines, members
}
