package gateway

import (
	"context"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"

	"github.com/kaizen-os/deliberation/fanout"
	"github.com/kaizen-os/deliberation/gateway/wire"
	"github.com/kaizen-os/deliberation/quorum"
	"github.com/kaizen-os/deliberation/quorum/roster"
	"github.com/kaizen-os/deliberation/quorum/state"
)

// further is what is wanted after the first round, by the request or the policy.
type further struct {
	rounds    int
	judge     quorum.CompanionID
	synthesis quorum.CompanionID
}

func (w *further) any() bool { return w.rounds > 1 || w.judge != "" || w.synthesis != "" }

// further finds what req wants beyond the first round of d. A companion that the
// request names must be there to be asked; one that the policy names is looked
// for when its turn comes, and the proof says if it was not there.
func (g *Gateway) further(req *wire.Request, d *quorum.Deliberation, policy *quorum.Policy) (w further, err error) {
	w.rounds, w.judge, w.synthesis = policy.Further().At(d.Tier)
	if req.Rounds > 0 {
		w.rounds = req.Rounds
	}
	if req.Judge == "" && req.Synthesis == "" {
		return w, nil
	}
	var problems []wire.Detail
	name := func(field, named string, to *quorum.CompanionID) {
		switch named {
		case "":
		case wire.Nobody:
			*to = ""
		default:
			if *to = quorum.CompanionID(named); serving(g.book.State(), g.view.Load().lines, d, *to) == nil {
				problems = append(problems, wire.Detail{Field: field,
					Problem: fmt.Sprintf("%s is no active companion that may sit at tier %s in %s", named, d.Tier, d.Chamber)})
			}
		}
	}
	name("judge", req.Judge, &w.judge)
	name("synthesis", req.Synthesis, &w.synthesis)
	if problems != nil {
		err = &wire.Error{Code: wire.InvalidValue, Message: "a companion that this asks for cannot serve here", Details: problems}
	}
	return w, err
}

// serving is the member of that name, if it may sit in d and can be reached.
func serving(s *state.State, lines map[quorum.CompanionID]*fanout.Line, d *quorum.Deliberation, id quorum.CompanionID) *roster.Member {
	m := s.Roster.Find(id)
	if m == nil || m.Status != quorum.Active || lines[id] == nil || m.Tier < floor(s, d) {
		return nil
	}
	return m
}

// floor is the lowest tier that may sit in d.
func floor(s *state.State, d *quorum.Deliberation) quorum.Tier {
	chamber, _ := s.Policy.Chamber(d.Chamber)
	return max(chamber, s.Policy.Tier(d.Tier).Rule.Floor)
}

// A sequel is what followed the first round of a sitting. Like the sitting, it
// belongs to the request's goroutine.
type sequel struct {
	g      *Gateway
	s      *sitting
	view   *view
	wanted further
	limits panelLimits
	course *quorum.Hearing
	spent  quorum.MicroUSD // so far, the first round's included
	waited time.Duration   // for companions

	second    *quorum.SecondRound
	again     []said // by second.Ballots
	judge     *quorum.Judgement
	judged    said
	synthesis *quorum.Synthesis
	written   said
}

// said is one reply of a sequel.
type said struct {
	text     string
	key      string // closed kinds: its answer, canonical
	value    string // and as a person would read it
	findings []quorum.Finding
}

// follow takes the steps that are wanted after the first round, one after the
// other, within what is left of ctx and of the money. No step's failure is the
// deliberation's: the proof says what came of each.
func (g *Gateway) follow(ctx context.Context, view *view, s *sitting, a *asking) *sequel {
	f := &sequel{g: g, s: s, view: view, wanted: a.further, limits: a.limits}
	ballots := make([]quorum.Ballot, len(s.panel.ballots))
	copy(ballots, s.panel.ballots)
	f.course = s.policy.Hear(s.d.ID, &s.q, ballots, s.verdict)
	for i, m := range s.panel.members {
		f.spent += spent(s.round.Reply(i), m, s.d)
	}
	if f.wanted.rounds > 1 {
		f.step(ctx, stepSecond, f.holdSecond)
	}
	if f.wanted.judge != "" {
		f.step(ctx, stepJudge, f.askJudge)
	}
	if f.wanted.synthesis != "" {
		f.step(ctx, stepSynthesis, f.askSynthesis)
	}
	return f
}

// step runs one step under a span that says how it ended.
func (f *sequel) step(ctx context.Context, name int, take func(context.Context) quorum.Outcome) {
	ctx, span := f.g.telemetry.start(ctx, stepNames[name])
	defer span.End()
	f.s.watch.step(stepNames[name])
	begun := time.Now()
	outcome := take(ctx)
	if outcome != quorum.Unneeded {
		f.waited += time.Since(begun)
	}
	if span.IsRecording() {
		span.SetAttributes(attribute.String("kaizen.outcome", outcome.String()))
	}
}

// expected is what one asking of d is reckoned to consume.
func expected(d *quorum.Deliberation) quorum.Usage {
	return quorum.Usage{InputTokens: int64(len(d.Prompt)/4 + 1), OutputTokens: expectedOutput}
}

// spent is what a call cost; what it may have cost, where nobody will tell.
func spent(r *quorum.Reply, m *quorum.Companion, d *quorum.Deliberation) quorum.MicroUSD {
	if r.Outcome != quorum.OK && r.Attempts > 0 && r.Usage == (quorum.Usage{}) {
		return m.Price.Cost(expected(d))
	}
	return r.Usage.Cost
}

// hindered says why d cannot be put to members now: there is no time left, or
// not the money. "" when it can.
func (f *sequel) hindered(ctx context.Context, d *quorum.Deliberation, members ...*quorum.Companion) (quorum.Outcome, string) {
	if ctx.Err() != nil {
		return quorum.Late, quorum.ReasonNoTime
	}
	if f.limits.cost > 0 {
		cost := f.spent
		for _, m := range members {
			cost += m.Price.Cost(expected(d))
		}
		if cost > f.limits.cost {
			return quorum.Busy, quorum.ReasonNoMoney
		}
	}
	return quorum.OK, ""
}

// serve puts asked to one companion beside the panel, and reads its reply as one
// to read. It fills in s; the reply counts for something if s.Done.
func (f *sequel) serve(ctx context.Context, s *quorum.Service, asked, read *quorum.Deliberation) (out said) {
	m := serving(f.s.panel.state, f.view.lines, f.s.d, s.Companion)
	if m == nil || f.g.suspended(s.Companion) {
		s.Outcome, s.Reason = quorum.Failed, quorum.ReasonNoMember
		return out
	}
	if s.Outcome, s.Reason = f.hindered(ctx, asked, &m.Companion); s.Reason != "" {
		return out
	}
	round := f.g.fan.Ask(ctx, asked, []*fanout.Line{f.view.lines[m.ID]}, nil)
	select {
	case <-round.Arrivals():
	case <-ctx.Done():
	}
	round.Cancel()
	r := round.Reply(0)
	s.Outcome, s.Reason, s.Model = r.Outcome, r.Reason, clip(r.Model, maxModelName)
	s.LatencyMicros, s.Attempts, s.Usage = r.Latency.Microseconds(), int64(r.Attempts), r.Usage
	f.spent += spent(r, &m.Companion, asked)
	if r.Outcome != quorum.OK {
		return out
	}
	sheet := f.g.scorer.NewSheet(read, 1)
	f.g.scorer.Read(sheet, 0, r)
	judging := f.g.newJudging(ctx, f.s.jury, f.s.d, true)
	judging.reply(ctx, sheet, 0, r)
	judging.stop()
	var b quorum.Ballot
	f.g.scorer.Cast(&b, sheet, 0, read.Kind, r)
	s.Scored, s.Score, s.Judged = b.Scored, b.Score, b.Judged
	out = said{text: r.Text, key: b.Key, value: sheet.Value(0), findings: sheet.Reading(0).Assessment.Findings}
	switch {
	case s.Reason != "":
	case f.g.suspended(s.Companion):
		s.Reason = quorum.ReasonSuspended
	case b.Reason != "":
		s.Reason = b.Reason
	case b.Score < f.s.policy.Tier(f.s.d.Tier).CharterMinimum:
		s.Reason = quorum.ReasonCharter
	case f.s.d.Tier == quorum.Critical && b.Judged.Unjudged():
		s.Reason = quorum.ReasonUnjudged
	}
	return out
}

// shownBy is the text that a position is shown by to others.
func (f *sequel) shownBy(seat int) said {
	if f.course.Changed != nil && f.course.Changed[seat] && f.s.q.Kind.Closed() {
		for i := range f.second.Ballots {
			if f.second.Ballots[i].Seat == seat {
				return f.again[i]
			}
		}
	}
	return said{text: f.s.round.Reply(seat).Text, value: f.s.sheet.Value(seat)}
}

// testify adds the sequel to the proof, and its texts to those it commits to.
func (f *sequel) testify(p *quorum.Proof, t *texts) {
	salt := t.seed.Salt(tagField)
	if p.Second = f.second; f.second != nil {
		t.again, t.againValues = make([]string, len(p.Ballots)), make([]string, len(p.Ballots))
		for i := range f.second.Ballots {
			b, w := &f.second.Ballots[i], &f.again[i]
			t.again[b.Seat], t.againValues[b.Seat] = w.text, w.value
			b.Reply = t.commit(numbered(fieldSecond, b.Seat), w.text)
			b.Tag = t.tag(&salt, w.key)
			b.Findings, b.More = recorded(w.findings, w.text, t, &salt)
		}
	}
	if p.Judge = f.judge; f.judge != nil {
		t.judged = f.judged.text
		f.judge.Reply = t.commit(fieldJudge, t.judged)
		f.judge.Findings, f.judge.More = recorded(f.judged.findings, t.judged, t, &salt)
	}
	if p.Synthesis = f.synthesis; f.synthesis != nil {
		t.synthesis = f.written.text
		f.synthesis.Reply = t.commit(fieldSynthesis, t.synthesis)
		f.synthesis.Findings, f.synthesis.More = recorded(f.written.findings, t.synthesis, t, &salt)
	}
	p.Verdict = f.course.Verdict
	p.WaitMicros += f.waited.Microseconds()
}
