package gateway

import (
	"github.com/kaizen-os/deliberation/gateway/wire"
	"github.com/kaizen-os/deliberation/quorum"
)

// sequelOf adds to a response what followed the first round. told is nil for who
// may not see texts.
func sequelOf(out *wire.Deliberation, o *outcome, told *texts, include wire.Include) {
	p := o.proof
	replies := told != nil && include&wire.IncludeReplies != 0
	if p.Second != nil {
		out.Rounds = roundsOf(o, told, replies)
		out.Usage.InputTokens += out.Rounds.Usage.InputTokens
		out.Usage.OutputTokens += out.Rounds.Usage.OutputTokens
		out.Usage.CostMicroUSD += out.Rounds.Usage.CostMicroUSD
	}
	if j := p.Judge; j != nil {
		out.Judge = &wire.Judge{Service: serviceOf(p, &j.Service), Shown: int(j.Shown), Chosen: o.course.Judged, Changed: o.course.JudgeChanged}
		if replies {
			out.Judge.Reply = told.judged
		}
		add(&out.Usage, &j.Usage)
	}
	if y := p.Synthesis; y != nil {
		out.Synthesis = &wire.Synthesis{Service: serviceOf(p, &y.Service)}
		// What was not used is shown to its owner on request only, as any reply is.
		if told != nil && y.Done() {
			out.Synthesis.Text = told.synthesis
		}
		add(&out.Usage, &y.Usage)
	}
}

func roundsOf(o *outcome, told *texts, replies bool) *wire.Rounds {
	p, first := o.proof, &o.course.FirstVerdict
	r := &wire.Rounds{Held: 1, Outcome: p.Second.Outcome.String(), Reason: p.Second.Reason, Wait: wire.Micros(p.Second.WaitMicros),
		First: wire.FirstRound{Status: first.Status.String(), Agreement: wire.PPM(first.Agreement), Confidence: wire.PPM(first.Confidence)}}
	for k := range first.Positions {
		at := &first.Positions[k]
		r.First.Positions = append(r.First.Positions, wire.Position{Answer: told.first(p, at.Best), Share: wire.PPM(at.Share),
			Companions: supporters(p, func(seat int) bool { return p.Ballots[seat].Position == k })})
	}
	if p.Second.Outcome == quorum.OK {
		r.Held = 2
	}
	for i := range p.Second.Ballots {
		b := &p.Second.Ballots[i]
		w := wire.AgainBallot{Companion: string(p.Ballots[b.Seat].Companion), Outcome: b.Outcome.String(), Counted: b.Counted, Score: wire.None,
			Violations: violations(b.Findings), Position: b.Position, Moved: o.course.Moved(b.Seat), Stance: b.Stance.String(), LatencyMs: (b.LatencyMicros + 500) / 1000,
			Attempts: int(b.Attempts), Reason: b.Reason, Judged: judgedOf(p, b.Judged)}
		if b.Scored {
			w.Score = wire.Hundredths(b.Score)
		}
		add(&w.Usage, &b.Usage)
		add(&r.Usage, &b.Usage)
		if replies {
			w.Reply = told.again[b.Seat]
		}
		r.Ballots = append(r.Ballots, w)
	}
	return r
}

func serviceOf(p *quorum.Proof, s *quorum.Service) wire.Service {
	out := wire.Service{Companion: string(s.Companion), Outcome: s.Outcome.String(), Reason: s.Reason, Score: wire.None,
		Violations: violations(s.Findings), LatencyMs: (s.LatencyMicros + 500) / 1000, Attempts: int(s.Attempts), Judged: judgedOf(p, s.Judged)}
	if s.Scored {
		out.Score = wire.Hundredths(s.Score)
	}
	add(&out.Usage, &s.Usage)
	return out
}
