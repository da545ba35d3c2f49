package gateway

import (
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
	eligible int // companions that could have been asked
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
	p.eligible = len(p.members)
	p.open()
	return p.narrow(d, limits)
}

// only is the panel of these of p's seats, in roster order.
func (p *panel) only(seats []int) *panel {
	few := *p
	few.lines, few.members = make([]*fanout.Line, len(seats)), make([]*quorum.Companion, len(seats))
	for to, from := range seats {
		few.lines[to], few.members[to] = p.lines[from], p.members[from]
	}
	few.open()
	return &few
}

// seatOf is the seat of a companion; -1 if it has none.
func (p *panel) seatOf(id quorum.CompanionID) int {
	return slices.IndexFunc(p.members, func(m *quorum.Companion) bool { return m.ID == id })
}

// open gives each seat its ballot, which says nothing yet.
func (p *panel) open() {
	n := len(p.members)
	p.ballots = make([]quorum.Ballot, n)
	p.families = make([]string, n)
	p.reliable = make([]quorum.PPM, n)
	for i, m := range p.members {
		p.ballots[i] = quorum.Ballot{Companion: m.ID, Vendor: m.Vendor, Tier: m.Tier, Outcome: quorum.Unneeded, Position: -1, TierWeight: p.state.Policy.VoteWeight(m)}
		p.families[i] = m.Family
	}
}

// weigh fixes the weights of the whole panel for a kind of question.
func (p *panel) weigh(q *quorum.Question, topic string) {
	members := p.state.Roster
	for i := range p.ballots {
		p.reliable[i] = members.Find(p.ballots[i].Companion).Standing.Of(p.state.Policy, p.ballots[i].TierWeight, q.Kind, topic)
	}
	p.state.Policy.Weigh(q, p.ballots, p.reliable, p.families)
}

// expectedOutput is how many tokens a reply is reckoned to have before it is
// there: a few paragraphs.
const expectedOutput = 500
