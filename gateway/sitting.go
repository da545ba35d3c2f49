package gateway

import (
	"context"
	"time"

	"github.com/kaizen-os/deliberation/fanout"
	"github.com/kaizen-os/deliberation/quorum"
	"github.com/kaizen-os/deliberation/scoring"
	"github.com/kaizen-os/deliberation/scoring/form"
)

// A sitting is one deliberation while its panel is heard. It belongs to the
// request's goroutine; a seat's reading is written by the seat's own, before its
// arrival is announced.
type sitting struct {
	d       *quorum.Deliberation
	panel   *panel
	policy  *quorum.Policy
	scorer  *scoring.Scorer
	sheet   *scoring.Sheet
	form    *form.Form // what replies must look like; nil for any
	jury    *jury
	judging *judging // of the first round
	round   *fanout.Round
	begun   time.Time // when the panel was asked
	q       quorum.Question
	verdict quorum.Verdict
	in      []bool
	waited  time.Duration   // from begun to the last reply that was listened to
	twice   bool            // a second round may follow
	before  []*quorum.Reply // by seat: what a smaller panel had heard; nil for nothing
	wave    bool            // a part of the panel, and more can be asked
	widened bool            // a few had been heard first, and left it open
	watch   *watch          // who is told how it goes; nil for nobody
	left    bool            // the client has left meanwhile
}

// Why listening ended.
type heard uint8

const (
	heardAll heard = iota
	heardEnough
	heardDeadline
	heardFew  // of a panel that could have been larger
	heardGone // the client has left: what is out is not waited for
)

// listen takes replies as they come until all are in, the outcome is fixed (or
// likely, or the grace is over, as the request's way of waiting says), or ctx is
// done.
func (s *sitting) listen(ctx context.Context) heard {
	var graceOver <-chan time.Time
	rule := &s.policy.Tier(s.d.Tier).Rule
	for {
		select {
		case seat, more := <-s.round.Arrivals():
			s.waited = time.Since(s.begun)
			if !more {
				return heardAll
			}
			s.take(seat)
			if s.before == nil || s.before[seat] == nil {
				s.watch.ballot(s, seat)
			}
			if s.d.Wait == quorum.WaitAll {
				continue
			}
			if s.settled() && (!s.wave || s.oneVoice()) {
				return heardEnough
			}
			if s.wave {
				continue // who is cut off would have to be asked, and paid, again
			}
			if graceOver == nil && !rule.Patient && s.policy.QuorumMet(&s.q, s.panel.ballots) {
				over := time.NewTimer(grace(s.policy, time.Since(s.begun)))
				graceOver = over.C
				defer over.Stop()
			}
		case <-graceOver:
			s.gather()
			s.waited = time.Since(s.begun)
			return heardEnough
		case <-ctx.Done():
			s.gather()
			s.waited = time.Since(s.begun)
			if s.left = context.Cause(ctx) == errLeft; s.left {
				return heardGone
			}
			return heardDeadline
		}
	}
}

// gather takes the replies that only external judges have kept from arriving.
func (s *sitting) gather() {
	s.judging.gather(s.round, func(seat int) bool { return s.in[seat] }, func(seat int) {
		s.take(seat)
		s.watch.ballot(s, seat)
	})
}

// oneVoice reports whether what is in carries the question, and nothing of it is for
// another answer.
func (s *sitting) oneVoice() bool {
	v := s.policy.Decide(&s.q, s.panel.ballots)
	return v.Status == quorum.Carried && len(v.Positions) == 1
}

// grace is how long those still out have, once the quorum is met so long after
// they were asked.
func grace(p *quorum.Policy, elapsed time.Duration) time.Duration {
	e := &p.Early
	return max(time.Duration(e.GraceMillis)*time.Millisecond, elapsed*time.Duration(e.GraceShare)/time.Duration(quorum.One))
}

// take casts the ballot of a seat that has arrived.
func (s *sitting) take(seat int) {
	s.in[seat] = true
	s.cast(seat, s.q.Kind)
}

func (s *sitting) cast(seat int, kind quorum.Kind) {
	b, r := &s.panel.ballots[seat], s.round.Reply(seat)
	b.Outcome, b.Reason = r.Outcome, r.Reason
	b.Key, b.Stance, b.Abstained, b.Scored, b.Score, b.Judged = "", quorum.NoStance, false, false, 0, ""
	if r.Outcome == quorum.OK {
		s.scorer.Cast(b, s.sheet, seat, kind, r)
	}
}

// settled decides on what is in, and tells whether what is out can still matter.
func (s *sitting) settled() bool {
	v := s.policy.Decide(&s.q, s.panel.ballots)
	if s.d.Kind != s.q.Kind {
		return false // auto: not known yet what kind of question this is
	}
	if s.twice && v.Status == quorum.Contested {
		return false // what is out has a voice in the second round
	}
	return s.policy.Settled(&s.q, &v, s.panel.ballots, func(i int) bool { return !s.in[i] }) ||
		s.d.Wait == quorum.WaitLikely && s.policy.Likely(&s.q, &v, s.panel.ballots)
}

// decide ends the sitting: the round has been cut, every seat has its final
// reply. suspended tells whom a record uncounted meanwhile.
func (s *sitting) decide(suspended func(quorum.CompanionID) bool) {
	for i := range s.panel.ballots {
		if r := s.round.Reply(i); r.Outcome == quorum.OK {
			s.in[i] = true
		}
	}
	kind := s.scorer.Kind(s.policy, s.sheet, func(i int) bool { return s.round.Reply(i).Outcome == quorum.OK })
	if kind != s.q.Kind {
		s.q.Kind = kind
		s.panel.weigh(&s.q, s.d.Topic)
	}
	for i := range s.panel.ballots {
		s.cast(i, kind)
		if b := &s.panel.ballots[i]; b.Outcome == quorum.OK && b.Reason == "" && suspended(b.Companion) {
			b.Reason = quorum.ReasonSuspended
		} else if s.left && b.Outcome == quorum.Unneeded {
			b.Reason = quorum.ReasonLeft
		}
	}
	s.scorer.Compare(s.policy, &s.q, s.sheet, s.panel.ballots)
	if s.twice {
		quorum.Coarsen(s.q.Similarities)
	}
	s.verdict = s.policy.Decide(&s.q, s.panel.ballots)
}

// cost is what was spent on the panel and what followed, which may be nothing;
// reckoned, for calls whose cost nobody will tell.
func (s *sitting) cost(f *sequel) (sum quorum.MicroUSD) {
	if f != nil {
		return f.spent
	}
	for i, m := range s.panel.members {
		sum += spent(s.round.Reply(i), m, s.d)
	}
	return sum
}
