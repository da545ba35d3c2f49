package gateway

import (
	"context"

	"github.com/kaizen-os/deliberation/gateway/wire"
	"github.com/kaizen-os/deliberation/quorum"
)

// hear puts a question to its panel p, and shadows beside it, and listens until the
// request's way of waiting is content. What is still out is cut off, or runs on
// into the aftermath.
func (g *Gateway) hear(ctx context.Context, view *view, a *asking, p *panel) (*sitting, heard, *aftermath) {
	if a.limits.escalate {
		if waves := p.waves(a.d); len(waves) > 1 {
			return g.escalate(ctx, view, a, waves)
		}
	}
	s := g.sit(view, a, p)
	shadows := g.askShadows(ctx, s)
	g.address(ctx, s, nil)
	a.watch.asked(s, a.deadline)
	end := s.listen(ctx)
	return s, end, g.cut(s, end, shadows)
}

// address puts s's question to its panel, but for those whose reply is in said.
func (g *Gateway) address(ctx context.Context, s *sitting, said []*quorum.Reply) {
	s.judging = g.newJudging(ctx, s.jury, s.d, true)
	s.round = g.fan.AskOthers(ctx, s.d, s.panel.lines, said, g.running(ctx, s, g.reading(ctx, s.sheet, s.judging)))
}

// escalate puts the question to the first of waves, and to each next where those
// before left it open. A wave is a panel that holds the one before it; what one
// carries stands as the verdict of that panel. Replies are asked for once.
func (g *Gateway) escalate(ctx context.Context, view *view, a *asking, waves []*panel) (*sitting, heard, *aftermath) {
	s := g.sit(view, a, waves[0])
	shadows := g.askShadows(ctx, s)
	g.address(ctx, s, nil)
	for _, next := range waves[1:] {
		a.watch.asked(s, a.deadline)
		s.wave = true
		end := s.listen(ctx)
		s.round.Cancel()
		s.decide(g.suspended)
		switch {
		case end == heardGone:
			return s, end, g.cut(s, end, shadows)
		case end == heardDeadline || s.undisputed():
			return s, heardFew, g.cut(s, heardFew, shadows)
		}
		s = g.widen(ctx, view, a, s, next)
	}
	a.watch.asked(s, a.deadline)
	end := s.listen(ctx)
	return s, end, g.cut(s, end, shadows)
}

// undisputed reports whether the verdict of a part of the panel stands for all: it
// is carried with one voice. Of an open question nothing is carried, and those who
// are asked first are those that count most: more of them change nothing.
func (s *sitting) undisputed() bool {
	return s.q.Open || s.verdict.Status == quorum.Carried && len(s.verdict.Positions) == 1
}

// widen begins the sitting of a larger panel with what s has heard.
func (g *Gateway) widen(ctx context.Context, view *view, a *asking, s *sitting, p *panel) *sitting {
	s.judging.stop()
	wide := g.sit(view, a, p)
	wide.begun, wide.widened = s.begun, true
	wide.before = make([]*quorum.Reply, len(p.members))
	for i, m := range s.panel.members {
		// All have been waited for; one that was cut off all the same is asked again.
		if r := s.round.Reply(i); r.Outcome != quorum.Unneeded {
			wide.before[p.seatOf(m.ID)] = r
		}
	}
	g.address(ctx, wide, wide.before)
	return wide
}

// told is whom the request's limits let be asked; nothing where it has none.
func (s *sitting) told(a *asking) wire.Panel {
	if a.limits == (panelLimits{}) {
		return wire.Panel{}
	}
	return wire.Panel{Eligible: s.panel.eligible, Asked: len(s.panel.members), Widened: s.widened, ExpectedCost: int64(s.panel.cost(s.d))}
}
