package gateway

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/kaizen-os/deliberation/fanout"
	"github.com/kaizen-os/deliberation/quorum"
	"github.com/kaizen-os/deliberation/quorum/commit"
	"github.com/kaizen-os/deliberation/scoring"
)

// lateCap is how long after the answer a late, observed or shadow call may still
// run on, within its companion's own deadline.
const lateCap = 30 * time.Second

// An aftermath is what of a deliberation goes on after its answer: calls that
// came too late, that were observed, or whose companions are shadows. When the
// last of them has ended, and the proof is durable, one record says what came of
// the whole panel. It is best effort: a proof that was not recorded has none.
type aftermath struct {
	g       *Gateway
	s       *sitting
	shadows *shadowRound
	late    bool // calls of the panel run on
	pending atomic.Int32

	durable chan struct{} // closed when the fate of the proof is known
	proof   *quorum.Proof // nil if it was not recorded
	seed    commit.Seed
}

// A shadowRound asks the shadow companions what the panel is asked. Nothing of
// it touches the answer.
type shadowRound struct {
	round   *fanout.Round
	sheet   *scoring.Sheet
	judging *judging
	members []*quorum.Companion
}

// askShadows asks d's shadows, if there are any, beside its panel: under their
// own deadlines, not the request's.
func (g *Gateway) askShadows(ctx context.Context, s *sitting) *shadowRound {
	if len(s.panel.shadowLines) == 0 {
		return nil
	}
	sheet := g.scorer.NewSheet(s.d, len(s.panel.shadowLines))
	sheet.Hold(s.form)
	judging := g.newJudging(ctx, s.jury, s.d, false)
	round := g.fan.Ask(context.WithoutCancel(ctx), s.d, s.panel.shadowLines, g.reading(ctx, sheet, judging))
	return &shadowRound{round, sheet, judging, s.panel.shadowMembers}
}

func newAftermath(g *Gateway, s *sitting, shadows *shadowRound) *aftermath {
	m := &aftermath{g: g, s: s, shadows: shadows, durable: make(chan struct{})}
	m.pending.Store(1) // begin's own, so that nothing ends before all are counted
	return m
}

// listenOn lets the panel's calls that are still out run on.
func (m *aftermath) listenOn() {
	m.late = true
	m.pending.Add(1)
	m.s.round.Linger(lateCap, func(late []int) {
		if len(late) == 0 {
			m.late = false // all were in: there is nothing to complete
		}
		m.ended()
	})
}

// begin lets the shadows run on, and the rest take its course.
func (m *aftermath) begin() {
	if m.shadows != nil {
		m.pending.Add(1)
		m.shadows.round.Linger(lateCap, func([]int) { m.ended() })
	}
	m.ended()
}

func (m *aftermath) ended() {
	if m.pending.Add(-1) > 0 || !m.late && m.shadows == nil {
		return
	}
	m.g.background.Go(func() {
		<-m.durable
		if m.proof != nil {
			m.complete()
		}
	})
}

// recorded says that p is durable; dropped, that there is no proof.
func (m *aftermath) recorded(p *quorum.Proof, seed commit.Seed) {
	m.proof, m.seed = p, seed
	close(m.durable)
}

func (m *aftermath) dropped() { close(m.durable) }

// complete writes the completing record: every seat's final ballot, the shadows'
// after them.
func (m *aftermath) complete() {
	said := &texts{seed: m.seed}
	c := &quorum.Completion{ID: m.proof.ID, Kind: m.proof.Kind, Observed: m.late && m.proof.Verdict.Bound, Ballots: make([]quorum.Testimony, 0, len(m.proof.Ballots)+8)}
	c.Ballots = append(c.Ballots, m.proof.Ballots...)
	for i := range m.proof.Ballots {
		was := m.s.round.Reply(i).Outcome
		if !m.late || was != quorum.Unneeded && was != quorum.Late {
			continue
		}
		c.Ballots[i] = m.finally(said, m.proof.Ballots[i].Ballot, m.s.round.Final(i), m.s.sheet, i, i)
	}
	if m.shadows != nil {
		for i, member := range m.shadows.members {
			b := quorum.Ballot{Companion: member.ID, Vendor: member.Vendor, Tier: member.Tier, TierWeight: m.s.policy.VoteWeight(member), Position: -1}
			w := m.finally(said, b, m.shadows.round.Final(i), m.shadows.sheet, i, len(m.proof.Ballots)+i)
			w.Shadow, w.Counted = true, false
			c.Ballots = append(c.Ballots, w)
		}
	}
	m.place(c)
	ctx, cancel := context.WithTimeout(context.Background(), recordTimeout)
	defer cancel()
	if _, err := m.g.ledger.Append(ctx, m.proof.ID+"/completed", c); err != nil {
		m.g.log.Warn("completion not recorded", "deliberation", m.proof.ID, "error", err)
	}
}

// finally is the last word on one seat. A late reply keeps the outcome late and
// gets its score, its answer and what it cost.
func (m *aftermath) finally(said *texts, b quorum.Ballot, r *quorum.Reply, sheet *scoring.Sheet, seat, name int) quorum.Testimony {
	b.Outcome, b.Reason, b.Position = r.Outcome, r.Reason, -1
	if r.Text == "" {
		return testimony(&b, r)
	}
	m.g.scorer.Cast(&b, sheet, seat, m.proof.Kind, r)
	m.s.policy.Gate(&m.s.q, &b) // as it would have counted: for agreement, never for the verdict
	w := testimony(&b, r)
	salt := said.seed.Salt(tagField)
	w.Tag = said.tag(&salt, b.Key)
	w.Reply = said.commit(numbered(fieldReply, name), r.Text)
	w.Rationale = said.commit(numbered(fieldRationale, name), r.Rationale)
	w.Findings, w.More = recorded(sheet.Reading(seat).Assessment.Findings, r.Text, said, &salt)
	return w
}

// place gives the answers that came afterwards the position they would have
// had: that of the ballot they equal, or a new one.
func (m *aftermath) place(c *quorum.Completion) {
	next := len(m.s.verdict.Positions)
	for i := range c.Ballots {
		b := &c.Ballots[i]
		if b.Position >= 0 || b.Tag == (quorum.KeyTag{}) {
			continue
		}
		for j := range c.Ballots {
			if o := &c.Ballots[j]; o.Position >= 0 && o.Tag == b.Tag {
				b.Position = o.Position
				break
			}
		}
		if b.Position < 0 {
			b.Position = next
			next++
		}
	}
}
