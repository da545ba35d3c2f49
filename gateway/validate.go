package gateway

import (
	"encoding/hex"

	"github.com/valyala/fasthttp"

	"github.com/kaizen-os/deliberation/gateway/wire"
	"github.com/kaizen-os/deliberation/quorum"
	"github.com/kaizen-os/deliberation/scoring/charter"
)

// clauseNames are the seven clauses of the Custos Charter (onboarding guide,
// "Constitutional Requirements").
var clauseNames = [quorum.Clauses]string{
	"Human Dignity & Autonomy", "Transparency & Accountability", "Equity & Fairness", "Safety & Harm Prevention",
	"Privacy & Data Protection", "Civic Integrity", "Environmental & Systemic Responsibility",
}

// postValidate serves POST /constitutional/validate: a text's charter score, and
// how it came about.
func (g *Gateway) postValidate(ctx *fasthttp.RequestCtx, _ *caller) error {
	if err := wantJSON(ctx); err != nil {
		return err
	}
	view := g.view.Load()
	var req wire.ValidateRequest
	if err := req.Decode(ctx.PostBody(), &view.limits); err != nil {
		return err
	}
	tier, err := quorum.ParseTier(req.Tier)
	if err != nil {
		return err
	}
	ctx.SetContentType(contentJSON)
	ctx.SetBody(Explain(g.scorer.Charter(), g.book.State().Policy, req.Response, tier).AppendTo(nil))
	return nil
}

// Explain scores a reply's text by itself, holds it to a tier, and says how the
// score came about.
func Explain(s *charter.Scorer, p *quorum.Policy, text string, tier quorum.Tier) *wire.ValidateResponse {
	var a quorum.Assessment
	s.AssessReply(&a, text, "")
	digest, minimum := s.Digest(), p.Tier(tier).CharterMinimum
	out := &wire.ValidateResponse{
		Score: wire.Hundredths(a.Score), Violations: make([]wire.Violation, len(a.Findings)),
		Tier: tier.String(), Minimum: wire.Hundredths(minimum), Counts: a.Score >= minimum,
		NotAssessed: s.NotAssessed(), Charter: wire.RuleTable{Version: s.Version(), Digest: hex.EncodeToString(digest[:])},
	}
	why := make(map[string]string)
	for _, r := range s.Rules() {
		why[r.ID] = r.Why
	}
	for i, f := range a.Findings {
		out.Violations[i] = wire.Violation{Clause: int(f.Clause), Rule: f.Rule, Severity: wire.PPM(f.Severity), Start: f.Start, End: f.End, Why: why[f.Rule]}
	}
	for i, score := range a.Clauses {
		out.Clauses = append(out.Clauses, wire.ClauseScore{Clause: i + 1, Name: clauseNames[i], Score: wire.Hundredths(score)})
	}
	return out
}
