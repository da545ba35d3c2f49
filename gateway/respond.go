package gateway

import (
	"encoding/base64"

	"github.com/kaizen-os/deliberation/gateway/wire"
	"github.com/kaizen-os/deliberation/quorum"
)

// respond is a deliberation as its reader sees it: the same whether it was just
// decided or is read back from the ledger. o.texts is nil for readers who may see
// the verdict and not the texts, and when the texts have been erased. Positions
// and ballots are as they stand after all that followed the first round.
func (g *Gateway) respond(o *outcome, include wire.Include) *wire.Deliberation {
	p, v, receipt, said := o.proof, o.verdict, o.receipt, o.texts
	out := &wire.Deliberation{
		ID: p.ID, Status: v.Status.String(), Decision: v.Decision.String(),
		Consensus: wire.Consensus{
			Kind: p.Kind.String(), Agreement: wire.PPM(v.Agreement), AgreementIsBound: v.Bound, Confidence: wire.PPM(v.Confidence),
			Share: wire.PPM(v.Share), Votes: v.Votes, Required: v.Required, Degraded: v.Degraded, FlipsByTier: v.Flips,
		},
		Timing: wire.Timing{Total: wire.Micros(p.TotalMicros), Wait: wire.Micros(p.WaitMicros), Overhead: wire.Micros(p.TotalMicros - p.WaitMicros)},
		Proof: wire.Proof{Index: receipt.Index, LeafHash: base64.StdEncoding.EncodeToString(receipt.LeafHash[:]),
			Receipt: "/v1/deliberations/" + p.ID + "/receipt"},
		Panel: o.panel,
	}
	// Until a steward has signed there is no answer: a verdict that waits shows
	// its ballots and its decision only.
	told := said
	if v.Status == quorum.Pending || v.Status == quorum.Expired {
		told = nil
	}
	if told != nil && v.Winner >= 0 {
		out.Answer, out.Value = told.answer, told.value(p, v.Winner)
	}
	if include&wire.IncludePositions != 0 {
		out.Positions = make([]wire.Position, len(v.Positions))
		for i := range v.Positions {
			at := &v.Positions[i]
			out.Positions[i] = wire.Position{Answer: told.of(p, at.Best), Share: wire.PPM(at.Share), Companions: o.supporters(i)}
		}
	}
	for _, d := range v.Dissent {
		at := &v.Positions[d.Position]
		out.Dissent = append(out.Dissent, wire.Dissent{Companions: o.supporters(d.Position), Share: wire.PPM(at.Share),
			Answer: told.of(p, at.Best), WinsBy: d.WinsBy})
	}
	if include&wire.IncludeBallots != 0 {
		out.Ballots = make([]wire.Ballot, len(p.Ballots))
	}
	for i := range p.Ballots {
		b := &p.Ballots[i]
		add(&out.Usage, &b.Usage)
		if out.Ballots != nil {
			g.ballot(&out.Ballots[i], b)
			out.Ballots[i].Judged = judgedOf(p, b.Judged)
			out.Ballots[i].Position = o.position(i)
			if told != nil && include&wire.IncludeReplies != 0 {
				out.Ballots[i].Reply, out.Ballots[i].Rationale = told.replies[i], told.rationales[i]
			}
		}
	}
	if o.course != nil {
		sequelOf(out, o, told, include)
	}
	return out
}

func add(to *wire.Usage, u *quorum.Usage) {
	to.InputTokens += u.InputTokens
	to.OutputTokens += u.OutputTokens
	to.CostMicroUSD += int64(u.Cost)
}

// position is where a seat stands in the end.
func (o *outcome) position(seat int) int {
	if o.course != nil {
		return o.course.Ballots[seat].Position
	}
	return o.proof.Ballots[seat].Position
}

func (o *outcome) supporters(position int) []string {
	return supporters(o.proof, func(seat int) bool { return o.position(seat) == position })
}

func supporters(p *quorum.Proof, behind func(seat int) bool) []string {
	n := 0
	for i := range p.Ballots {
		if behind(i) {
			n++
		}
	}
	out := make([]string, 0, n)
	for i := range p.Ballots {
		if behind(i) {
			out = append(out, string(p.Ballots[i].Companion))
		}
	}
	return out
}

func (g *Gateway) ballot(to *wire.Ballot, b *quorum.Testimony) {
	*to = wire.Ballot{
		Companion: string(b.Companion), Model: b.Model, Tier: b.Tier.String(), Weight: wire.PPM(b.Weight), TierWeight: wire.PPM(b.TierWeight),
		Outcome: b.Outcome.String(), Counted: b.Counted, Score: wire.None, Position: b.Position, Stance: b.Stance.String(),
		Confidence: wire.PPM(b.Stated), LatencyMs: (b.LatencyMicros + 500) / 1000, Attempts: int(b.Attempts), Reason: b.Reason,
		Usage: wire.Usage{InputTokens: b.Usage.InputTokens, OutputTokens: b.Usage.OutputTokens, CostMicroUSD: int64(b.Usage.Cost)},
	}
	if m := g.book.State().Roster.Find(b.Companion); m != nil {
		to.Provider = m.Provider
	}
	if b.Scored {
		to.Score = wire.Hundredths(b.Score)
	}
	to.Violations = violations(b.Findings)
}

// judgedOf is what p's jury came to about one text.
func judgedOf(p *quorum.Proof, words quorum.Judged) (out []wire.Judged) {
	for i, w := range []byte(words) {
		word := quorum.Word(w)
		if word == quorum.NotAsked || p.Jury == nil || i >= len(p.Jury.Judges) {
			continue
		}
		j := wire.Judged{ID: string(p.Jury.Judges[i].ID), Outcome: "unjudged", Score: wire.None, Reason: word.Unjudged()}
		if step, ok := word.Step(); ok {
			j.Outcome, j.Score = "ok", wire.Hundredths(step.Score())
		}
		out = append(out, j)
	}
	return out
}

func violations(found []quorum.RecordedFinding) []wire.Violation {
	if len(found) == 0 {
		return nil
	}
	out := make([]wire.Violation, len(found))
	for i, f := range found {
		out[i] = wire.Violation{Clause: int(f.Clause), Rule: f.Rule, Severity: wire.PPM(f.Severity), Start: f.Start, End: f.End}
	}
	return out
}
